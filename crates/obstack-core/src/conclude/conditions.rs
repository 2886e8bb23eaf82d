//! The conditions of each situation. Messages hold names and numbers and no clock, or every write would cause the next.

use obstack_api::{
    ConditionStatus::{self, False, True, Unknown},
    ConditionType::{
        self, Available, DataPathVerified, DatasourcesReady, DriftFree, FaultTolerant, PlanApplied,
        PolicyCompliant, QuotaSatisfied, Ready, Reconciling, RingsHealthy, SpecValid, Stalled, StorageReady,
        Supported, WorkloadsReady,
    },
    Reason, StackStatus,
};

use super::{Applied, Aspects, Fault, Followed, Situation};
use crate::{
    diagnose::{self, ComponentHealth},
    resilience,
    violation::Violation,
};

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) type_: ConditionType,
    pub(super) status: ConditionStatus,
    pub(super) reason: Reason,
    pub(super) message: String,
}

fn draft(type_: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Draft {
    Draft { type_, status, reason, message: message.into() }
}

/// Conditions that only following a spec can tell of.
const FOLLOWED_ONLY: &[ConditionType] =
    &[QuotaSatisfied, RingsHealthy, DataPathVerified, FaultTolerant, DriftFree, Supported];

/// Conditions that Ready waits for, in the order in which it falls with them. With faults of the spec it falls before.
pub(super) const GATES: &[ConditionType] = &[StorageReady, PlanApplied, WorkloadsReady, DatasourcesReady];

/// Conditions that Ready falls with after the gates, where they are proved broken.
pub(super) const PROVED: &[ConditionType] = &[PolicyCompliant, RingsHealthy, DataPathVerified];

/// The conditions, in the order of their documentation.
pub(super) fn of(situation: &Situation, previous: &StackStatus) -> Vec<Draft> {
    let mut drafts = match situation {
        Situation::Invalid { violations, components, aspects } => {
            let mut drafts = invalid(violations, components);
            drafts.extend(unlooked(previous, Reason::InvalidSpec, "not looked at while the spec has faults"));
            drafts.extend(aspects_of(aspects));
            drafts
        }
        Situation::Suspended { components, aspects } => {
            let mut drafts = suspended(components, previous);
            drafts.extend(unlooked(previous, Reason::Suspended, SUSPENDED));
            drafts.extend(aspects_of(aspects));
            drafts
        }
        Situation::Terminating => terminating(previous),
        Situation::Followed(followed) => follow(followed),
    };
    drafts.sort_by_key(|draft| draft.type_);
    drafts
}

fn aspects_of(aspects: &Aspects) -> impl Iterator<Item = Draft> {
    let one = |(type_, finding): (&ConditionType, &crate::finding::Finding)| {
        draft(*type_, finding.status, finding.reason, finding.message.clone())
    };
    aspects.iter().map(one)
}

/// Conditions that were told of while the spec was followed, and that nobody knows now.
fn unlooked(previous: &StackStatus, reason: Reason, message: &str) -> Vec<Draft> {
    let told = |type_: &&ConditionType| previous.conditions.iter().any(|before| before.type_ == **type_);
    FOLLOWED_ONLY.iter().filter(told).map(|type_| draft(*type_, Unknown, reason, message)).collect()
}

/// Conditions that nothing new is known of stay as they were seen last.
fn kept(previous: &StackStatus, types: &[ConditionType]) -> Vec<Draft> {
    let reason = |text: &str| Reason::named(text).unwrap_or(Reason::Pending);
    types
        .iter()
        .filter_map(|type_| previous.conditions.iter().find(|condition| condition.type_ == *type_))
        .map(|before| draft(before.type_, before.status, reason(&before.reason), before.message.clone()))
        .collect()
}

/// The spec has faults: what runs is left alone and may well go on serving, so it is still looked at. What can only
/// be known by following the spec is not known.
fn invalid(violations: &[Violation], components: &[ComponentHealth]) -> Vec<Draft> {
    let reason = violations.first().map_or(Reason::InvalidSpec, |first| first.reason);
    let list: Vec<_> = violations.iter().map(ToString::to_string).collect();
    let message = match list.len() {
        0 | 1 => list.join(""),
        n => format!("{n} faults: {}", list.join("; ")),
    };
    let untold = "not looked at while the spec has faults";
    vec![
        draft(Ready, False, Reason::InvalidSpec, message.clone()),
        available(components, &Aspects::new()),
        draft(Reconciling, False, Reason::Blocked, "nothing was changed; waiting for a corrected spec"),
        draft(Stalled, True, Reason::InvalidSpec, message.clone()),
        draft(SpecValid, False, reason, message),
        draft(StorageReady, Unknown, Reason::InvalidSpec, untold),
        draft(
            PlanApplied,
            False,
            Reason::InvalidSpec,
            "this spec is not applied; what an earlier one made is left as it is",
        ),
        workloads(components),
        draft(DatasourcesReady, Unknown, Reason::InvalidSpec, untold),
    ]
}

const SUSPENDED: &str = "spec.suspend is true: nothing is created, changed or repaired";

fn suspended(components: &[ComponentHealth], previous: &StackStatus) -> Vec<Draft> {
    let message = SUSPENDED;
    let mut drafts = vec![
        draft(Ready, False, Reason::Suspended, message),
        available(components, &Aspects::new()),
        draft(Reconciling, False, Reason::Suspended, message),
        draft(Stalled, False, Reason::Suspended, message),
        draft(StorageReady, Unknown, Reason::Suspended, message),
        draft(PlanApplied, Unknown, Reason::Suspended, message),
        workloads(components),
        draft(DatasourcesReady, Unknown, Reason::Suspended, message),
    ];
    drafts.extend(kept(previous, &[SpecValid]));
    drafts
}

fn terminating(previous: &StackStatus) -> Vec<Draft> {
    let message = "the stack is being deleted";
    let mut drafts = vec![
        draft(Ready, False, Reason::Terminating, message),
        draft(Reconciling, False, Reason::Terminating, message),
        draft(Stalled, False, Reason::Terminating, message),
    ];
    let said: Vec<_> = drafts.iter().map(|draft| draft.type_).collect();
    let rest: Vec<_> = ConditionType::ALL.iter().copied().filter(|type_| !said.contains(type_)).collect();
    drafts.extend(kept(previous, &rest));
    drafts
}

fn follow(followed: &Followed) -> Vec<Draft> {
    let gates = [storage(followed), plan(followed), workloads(&followed.components), datasources(followed)];
    let aspects: Vec<Draft> = aspects_of(&followed.aspects).collect();
    let ready = ready(followed, &gates, &aspects);
    let stalled = stalled(followed, &gates, &aspects);
    let waits = gates.iter().find(|gate| {
        matches!(gate.reason, Reason::AwaitingApproval | Reason::ApprovalStale) && gate.status == False
    });
    let reconciling = match (ready.status == True, stalled.status == True, waits) {
        (true, _, _) => draft(Reconciling, False, Reason::Idle, "nothing is left to do"),
        (_, true, _) => draft(Reconciling, False, Reason::Blocked, stalled.message.clone()),
        (_, _, Some(gate)) => draft(Reconciling, False, gate.reason, gate.message.clone()),
        _ => draft(Reconciling, True, Reason::Progressing, ready.message.clone()),
    };
    let mut drafts = vec![
        ready,
        available(&followed.components, &followed.aspects),
        reconciling,
        stalled,
        draft(SpecValid, True, Reason::Valid, "the spec passes all checks"),
    ];
    drafts.extend(gates);
    drafts.extend(aspects);
    drafts
}

fn storage(followed: &Followed) -> Draft {
    let names: Vec<_> =
        followed.buckets.iter().filter(|b| b.fault.is_some()).map(|b| b.name.as_str()).collect();
    match followed.buckets.iter().find_map(|bucket| bucket.fault.as_ref()) {
        Some(fault) if names.len() > 1 => draft(
            StorageReady,
            False,
            fault.reason,
            format!("{} ({} buckets: {})", fault.message, names.len(), names.join(", ")),
        ),
        Some(fault) => draft(StorageReady, False, fault.reason, fault.message.clone()),
        None => draft(
            StorageReady,
            True,
            Reason::BucketsReady,
            format!("{} buckets exist and take, return and delete an object", followed.buckets.len()),
        ),
    }
}

fn plan(followed: &Followed) -> Draft {
    match &followed.applied {
        Applied::All => {
            draft(PlanApplied, True, Reason::Applied, format!("{} objects are in place", followed.objects))
        }
        Applied::Waiting => draft(
            PlanApplied,
            False,
            Reason::StorageNotReady,
            "nothing is applied before the buckets are ready",
        ),
        Applied::Failed(fault) | Applied::Held(fault) => {
            draft(PlanApplied, False, fault.reason, fault.message.clone())
        }
    }
}

fn workloads(components: &[ComponentHealth]) -> Draft {
    match diagnose::first_cause(components) {
        Some(cause) => draft(WorkloadsReady, False, cause.reason, with_fix(cause.reason, &cause.message)),
        None if components.is_empty() => {
            draft(WorkloadsReady, False, Reason::RolloutInProgress, "no workload was applied yet")
        }
        None => {
            let pods: i32 = components.iter().map(|component| component.status.desired).sum();
            let message = format!(
                "{} components with {pods} pods are ready at their newest revision",
                components.len()
            );
            draft(WorkloadsReady, True, Reason::AllReady, message)
        }
    }
}

/// A message and what to do, where a person has to act.
fn with_fix(reason: Reason, message: &str) -> String {
    reason.fix().map_or_else(|| message.to_owned(), |fix| format!("{}. {fix}", message.trim_end_matches('.')))
}

fn datasources(followed: &Followed) -> Draft {
    let report = &followed.report;
    let mut names: Vec<_> = report.datasources.iter().map(|datasource| datasource.name.clone()).collect();
    match report.dashboards {
        0 => {}
        1 => names.push("1 dashboard".into()),
        count => names.push(format!("{count} dashboards")),
    }
    match (&followed.datasources_fault, &followed.applied) {
        (Some(fault), _) => draft(DatasourcesReady, False, fault.reason, fault.message.clone()),
        (None, _) if names.is_empty() => {
            draft(DatasourcesReady, True, Reason::NoDatasources, "spec.grafana.datasources asks for none")
        }
        (None, Applied::All) => draft(
            DatasourcesReady,
            True,
            Reason::DatasourcesProvisioned,
            format!("{} are where {} them", names.join(", "), report.finders),
        ),
        (None, Applied::Held(fault)) => draft(
            DatasourcesReady,
            Unknown,
            fault.reason,
            format!("{} come with the change that waits", names.join(", ")),
        ),
        (None, _) => draft(
            DatasourcesReady,
            False,
            Reason::Applying,
            format!("{} are applied with the rest", names.join(", ")),
        ),
    }
}

/// Ready falls with the first gate that does not hold, and says its cause. What is proved on live pods, in rings and on
/// the way of telemetry makes it fall when it is broken; that nobody could look is said by its own condition.
fn ready(followed: &Followed, gates: &[Draft], aspects: &[Draft]) -> Draft {
    let proved = aspects.iter().filter(|aspect| PROVED.contains(&aspect.type_) && aspect.status == False);
    let mut gates = gates.iter().filter(|gate| gate.status != True).chain(proved);
    let Some(gate) = gates.next() else {
        let pods: i32 = followed.components.iter().map(|component| component.status.desired).sum();
        return draft(
            Ready,
            True,
            Reason::AllReady,
            format!("{pods} pods ready, {} buckets reachable", followed.buckets.len()),
        );
    };
    let reason = match gate.type_ {
        StorageReady => Reason::StorageNotReady,
        DatasourcesReady => Reason::DatasourcesNotReady,
        WorkloadsReady
            if gate.reason == Reason::QuotaExceeded || gate.reason == Reason::RolloutInProgress =>
        {
            gate.reason
        }
        WorkloadsReady => Reason::ComponentsNotReady,
        PolicyCompliant => Reason::PolicyViolation,
        DataPathVerified => Reason::DataPathBroken,
        _ => gate.reason,
    };
    let cause =
        if matches!(reason, Reason::ComponentsNotReady | Reason::PolicyViolation | Reason::DataPathBroken) {
            format!("{}: {}", gate.reason, gate.message)
        } else {
            gate.message.clone()
        };
    draft(Ready, False, reason, cause)
}

fn available(components: &[ComponentHealth], aspects: &Aspects) -> Draft {
    if let Some(lost) = aspects.get(&RingsHealthy).filter(|rings| rings.reason == Reason::QuorumLost) {
        return draft(Available, False, Reason::QuorumLost, lost.message.clone());
    }
    let (mut beside, mut missing) = (Vec::new(), Vec::new());
    for component in components.iter().filter(|component| !component.available) {
        match resilience::stands_still(&component.status.name) {
            Some(stops) => beside.push((component, stops)),
            None => missing.push(component),
        }
    }
    let pods = |component: &ComponentHealth| {
        let status = &component.status;
        format!("{} has {} of {} pods ready", status.name, status.ready, status.desired)
    };
    match missing.first() {
        _ if components.is_empty() => {
            draft(Available, False, Reason::NoReadyReplicas, "no component is running")
        }
        None if beside.is_empty() => {
            draft(Available, True, Reason::Serving, "every component has enough ready pods to serve")
        }
        None => {
            let told = beside
                .iter()
                .map(|(component, stops)| format!("{}, so {stops} stand still", pods(component)));
            let told = told.collect::<Vec<_>>().join("; ");
            draft(
                Available,
                True,
                Reason::Serving,
                format!("writes and queries have enough ready pods; {told}"),
            )
        }
        Some(first) => draft(
            Available,
            False,
            first.cause.as_ref().map_or(Reason::NoReadyReplicas, |cause| cause.reason),
            pods(first),
        ),
    }
}

/// Faults that no waiting mends.
fn stalled(followed: &Followed, gates: &[Draft], aspects: &[Draft]) -> Draft {
    let hopeless = |gate: &&Draft| {
        gate.status == False
            && matches!(
                gate.reason,
                Reason::AccessKeyRejected
                    | Reason::SignatureRejected
                    | Reason::AccessDenied
                    | Reason::NoSuchBucket
                    | Reason::BucketExists
                    | Reason::BucketOwnedByOther
                    | Reason::TLSVerificationFailed
                    | Reason::InvalidBucketName
                    | Reason::ChartUnknown
                    | Reason::ChartDigestMismatch
                    | Reason::ChartUnsupported
                    | Reason::ChartUnavailable
                    | Reason::RenderFailed
                    | Reason::InvalidPatch
                    | Reason::OverrideViolatesPolicy
                    | Reason::ApplyRejected
                    | Reason::FieldConflict
                    | Reason::QuotaExceeded
                    | Reason::SecurityPolicyDenied
                    | Reason::LimitRangeDenied
                    | Reason::PodsRefused
                    | Reason::ImagePullFailed
                    | Reason::SecretMissing
                    | Reason::SecretKeyMissing
                    | Reason::ContainerNotCreated
                    | Reason::QuotaRequiresCPULimits
                    | Reason::DeadlineExceeded
                    | Reason::VolumeExpansionUnsupported
                    | Reason::Contested
                    | Reason::NamespaceMissing
                    | Reason::GrafanaOperatorMissing
            )
    };
    let broken = |aspect: &&Draft| {
        aspect.status == False
            && (aspect.type_ == PolicyCompliant
                || (aspect.type_ == DriftFree && aspect.reason == Reason::Contested))
    };
    match gates.iter().find(hopeless).or_else(|| aspects.iter().find(broken)) {
        Some(gate) => draft(Stalled, True, gate.reason, gate.message.clone()),
        None => match &followed.datasources_fault {
            Some(Fault { reason: Reason::NamespaceMissing, message }) => {
                draft(Stalled, True, Reason::NamespaceMissing, message.clone())
            }
            _ => draft(Stalled, False, Reason::Progressing, "nothing stops the stack"),
        },
    }
}
