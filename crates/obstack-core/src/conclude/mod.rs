//! From what happened to what is said: conditions, component table, events. Pure: time is an argument.

mod bounds;
mod conditions;
mod events;

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::{
    BucketState, BucketStatus, ComponentState, ComponentStatus, Condition, ConditionStatus, ConditionType,
    InventoryStatus, PlanStatus, PolicyStatus, QuotaStatus, Reason, RequestSums, StackStatus,
};

pub use self::events::{EventIntent, drift_event};
use crate::{
    design::Report, diagnose::ComponentHealth, finding::Finding, names::StackKey, quantity::Sums,
    violation::Violation,
};

/// What happened in a reconcile.
#[derive(Clone, Debug)]
pub enum Situation {
    /// The spec has faults. Nothing was changed; what runs is still looked at.
    Invalid {
        /// The faults.
        violations: Vec<Violation>,
        /// How the components of the last good spec stand.
        components: Vec<ComponentHealth>,
        /// What is seen of them besides.
        aspects: Aspects,
    },
    /// `spec.suspend` is true. Nothing was changed; what runs is still looked at.
    Suspended {
        /// How the components stand.
        components: Vec<ComponentHealth>,
        /// What is seen of them besides.
        aspects: Aspects,
    },
    /// The stack, or its namespace, is being deleted.
    Terminating,
    /// The spec was followed as far as the world let it.
    Followed(Box<Followed>),
}

/// What conditions beside the gates of Ready say. One that is absent is not spoken of.
pub type Aspects = BTreeMap<ConditionType, Finding>;

/// How far the spec was followed.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// What the design says.
    pub report: Report,
    /// One entry a bucket, with its fault if it has one.
    pub buckets: Vec<BucketHealth>,
    /// Whether the objects are in place.
    pub applied: Applied,
    /// How the components stand.
    pub components: Vec<ComponentHealth>,
    /// What else is seen: quotas, policy, rings, budgets, tolerance, drift, support.
    pub aspects: Aspects,
    /// Pods of each component that may be lost at once, by component.
    pub tolerates: BTreeMap<String, i32>,
    /// How the stack fits into quotas, and the same in words.
    pub quota: Option<(QuotaStatus, String)>,
    /// The policy on live pods, and the same in words.
    pub policy: Option<(PolicyStatus, String)>,
    /// What carrying the spec out changes, or changed last.
    pub plan: Option<PlanStatus>,
    /// What all pods request together.
    pub sums: Sums,
    /// How many objects the stack has.
    pub objects: usize,
    /// Why the datasources are not in place.
    pub datasources_fault: Option<Fault>,
}

/// A fault with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why, in one word.
    pub reason: Reason,
    /// Why, with the object and the fix.
    pub message: String,
}

/// How one bucket stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketHealth {
    /// Name of the bucket.
    pub name: String,
    /// Signal and purpose, such as `metrics.blocks`.
    pub purpose: String,
    /// Why it is not ready; `None` when its probe passed.
    pub fault: Option<Fault>,
}

/// Whether the objects are in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Applied {
    /// Not yet: something before it is not done.
    #[default]
    Waiting,
    /// Every object is the rendered one.
    All,
    /// Some could not be applied.
    Failed(Fault),
    /// The change waits, for a person or for room, or an object waits to be put back.
    Held(Fault),
}

/// What is said, and whether anything is new.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The status.
    pub status: StackStatus,
    /// Events to publish, one a transition.
    pub events: Vec<EventIntent>,
}

/// Concludes. `previous` is the status as it stands, `now` is RFC 3339.
pub fn conclude(
    key: &StackKey,
    generation: i64,
    previous: &StackStatus,
    situation: &Situation,
    now: &str,
) -> Verdict {
    let drafts = conditions::of(situation, previous);
    let conditions: Vec<Condition> = drafts
        .into_iter()
        .map(|draft| {
            let before = previous.conditions.iter().find(|condition| condition.type_ == draft.type_);
            let unchanged = before.filter(|before| {
                before.status == draft.status && before.last_transition_time.as_str() > "1970-01-02"
            });
            Condition {
                type_: draft.type_,
                status: draft.status,
                observed_generation: Some(generation),
                last_transition_time: unchanged
                    .map_or_else(|| now.to_owned(), |before| before.last_transition_time.clone()),
                reason: draft.reason.as_str().to_owned(),
                message: draft.message,
            }
        })
        .collect();
    let mut status = StackStatus { observed_generation: Some(generation), conditions, ..previous.clone() };
    match situation {
        Situation::Followed(followed) => describe(&mut status, followed, key),
        Situation::Invalid { components, .. } | Situation::Suspended { components, .. } => {
            let answered =
                status.components.iter().filter(|c| c.state == ComponentState::NotProvidedByBackend);
            let answered: Vec<_> = answered.cloned().collect();
            tabulate(&mut status, components, &answered);
        }
        Situation::Terminating => {}
    }
    bounds::keep(&mut status);
    Verdict { events: events::of(previous, &status), status }
}

/// The table of components, and how many of them are ready.
fn tabulate(status: &mut StackStatus, components: &[ComponentHealth], answered: &[ComponentStatus]) {
    let mut table: Vec<_> = components.iter().map(|component| component.status.clone()).collect();
    let ready = table.iter().filter(|component| component.state == ComponentState::Ready).count();
    let summary = status.summary.get_or_insert_default();
    summary.components_ready = format!("{ready}/{}", table.len());
    table.extend_from_slice(answered);
    status.components = table;
}

/// The parts of the status that only a followed spec has.
fn describe(status: &mut StackStatus, followed: &Followed, key: &StackKey) {
    let report = &followed.report;
    tabulate(status, &followed.components, &report.not_provided);
    for component in &mut status.components {
        component.tolerates_failures = followed.tolerates.get(&component.name).copied();
    }
    let summary = status.summary.get_or_insert_default();
    summary.versions = versions(report);
    summary.quota = followed.quota.as_ref().map(|(_, words)| words.clone()).unwrap_or_default();
    summary.policy = followed.policy.as_ref().map(|(_, words)| words.clone()).unwrap_or_default();
    status.quota = followed.quota.as_ref().map(|(quota, _)| quota.clone());
    status.policy = followed.policy.as_ref().map(|(policy, _)| policy.clone());
    if followed.plan.is_some() {
        status.plan.clone_from(&followed.plan);
    }
    status.buckets = followed
        .buckets
        .iter()
        .map(|bucket| BucketStatus {
            name: bucket.name.clone(),
            purpose: bucket.purpose.clone(),
            state: match &bucket.fault {
                None => BucketState::Ready,
                Some(Fault { reason: Reason::CreatingBuckets, .. }) => BucketState::Unknown,
                Some(_) => BucketState::Failed,
            },
            message: bucket.fault.as_ref().map(|fault| fault.message.clone()),
        })
        .collect();
    status.datasources.clone_from(&report.datasources);
    status.endpoints = Some(report.endpoints.clone());
    status.charts.clone_from(&report.charts);
    status.advisories.clone_from(&report.advisories);
    status.requests = (followed.sums.pods > 0).then(|| RequestSums {
        pods: i32::try_from(followed.sums.pods).unwrap_or(i32::MAX),
        cpu: followed.sums.cpu.cpu(),
        memory: followed.sums.memory.memory(),
        storage: followed.sums.storage.storage(),
    });
    status.inventory = (followed.objects > 0).then(|| InventoryStatus {
        objects: i32::try_from(followed.objects).unwrap_or(i32::MAX),
        config_map: key.inventory(),
    });
}

fn versions(report: &Report) -> String {
    let mut seen = BTreeSet::new();
    let backend = |name: &str| name.trim_end_matches("-distributed").to_owned();
    let versions: Vec<_> = report
        .charts
        .iter()
        .filter(|chart| seen.insert(chart.name.clone()))
        .map(|chart| format!("{} {}", backend(&chart.name), chart.app_version))
        .collect();
    versions.join(" ")
}

/// Whether a status says that a condition holds.
pub fn holds(status: &StackStatus, type_: obstack_api::ConditionType) -> bool {
    status
        .conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.status == ConditionStatus::True)
}

/// The condition that Ready has fallen with. `None` when it has not, or when the stack is left alone as a whole:
/// suspended, being deleted, or not looked at.
pub fn fallen_with(status: &StackStatus) -> Option<&Condition> {
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready)?;
    let whole = [Reason::Suspended, Reason::Terminating, Reason::Pending];
    if ready.status != ConditionStatus::False || whole.iter().any(|reason| reason.as_str() == ready.reason) {
        return None;
    }
    let said = |type_: &ConditionType| status.conditions.iter().find(|said| said.type_ == *type_);
    let faults = said(&ConditionType::SpecValid).filter(|spec| spec.status == ConditionStatus::False);
    let gate = conditions::GATES.iter().filter_map(said).find(|gate| gate.status != ConditionStatus::True);
    let proved =
        conditions::PROVED.iter().filter_map(said).find(|said| said.status == ConditionStatus::False);
    faults.or(gate).or(proved)
}
