//! What is seen of a stack beside the gates of Ready, condition by condition.

use std::collections::BTreeMap;

use obstack_api::{
    ComponentState, ConditionType, PolicyStatus, QuotaStatus, Reason, ResourcePolicy, StackStatus,
};

use crate::{
    assemble::PlannedComponent,
    catalog,
    compliance::{self, Compliance},
    conclude::{Aspects, Fault},
    diagnose::{ComponentHealth, Trouble},
    drift,
    finding::Finding,
    live::Live,
    quota::{self, Preflight},
    resilience,
    rings::{RingHealth, RingToAsk, Verdict},
    valid::ValidStack,
};

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The stack.
    pub stack: &'a ValidStack,
    /// The components that are applied.
    pub components: &'a [PlannedComponent],
    /// How they stand.
    pub health: &'a [ComponentHealth],
    /// What is observed.
    pub live: &'a Live,
    /// Every object is in place.
    pub applied: bool,
    /// What a change that is about to begin, or waits, needs; `None` when there is no change.
    pub change: Option<&'a Preflight>,
    /// Rings that were asked; `None` when nobody asks.
    pub asked: Option<&'a [RingToAsk]>,
    /// What they said; `None` before the first answer.
    pub rings: Option<&'a [RingHealth]>,
    /// What others do to the objects; `None` when nobody can say yet.
    pub drift: Option<&'a Finding>,
    /// The status as it stands.
    pub previous: &'a StackStatus,
    /// Second of the Unix epoch.
    pub now: i64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Condition by condition.
    pub aspects: Aspects,
    /// Pods of each component that may be lost at once.
    pub tolerates: BTreeMap<String, i32>,
    /// How the stack fits into quotas, and the same in words.
    pub quota: Option<(QuotaStatus, String)>,
    /// The policy on live pods, and the same in words.
    pub policy: Option<(PolicyStatus, String)>,
    /// Containers that break the policy, by rule and origin.
    pub violations: BTreeMap<(&'static str, &'static str), i64>,
}

/// What can be seen of running components whatever the spec says.
pub fn standing(policy: ResourcePolicy, budgets: bool, components: &[PlannedComponent], live: &Live) -> Seen {
    let Compliance { finding, status, summary } = compliance::of(policy, components, live);
    let protection = resilience::protection(budgets, components, live, !components.is_empty());
    let aspects =
        [(ConditionType::PolicyCompliant, finding), (ConditionType::DisruptionProtected, protection)];
    Seen { aspects: aspects.into(), policy: Some((status, summary)), ..Seen::default() }
}

/// What is seen of a stack whose spec is followed.
pub fn of(look: &Look<'_>) -> Seen {
    let stack = look.stack;
    let compliance = compliance::of(stack.resource_policy, look.components, look.live);
    let resilience = resilience::tolerance(stack, look.components, look.live);
    let protection = resilience::protection(stack.budgets, look.components, look.live, look.applied);
    let mut aspects = Aspects::from([
        (ConditionType::DisruptionProtected, protection),
        (ConditionType::Supported, catalog::supported(stack, look.now)),
        (ConditionType::DriftFree, look.drift.cloned().unwrap_or_else(|| drift::before(Some(look.previous)))),
    ]);
    // Of pods that nobody has begun to make there is nothing to say.
    if !look.components.is_empty() {
        aspects.insert(ConditionType::FaultTolerant, resilience.finding);
    }
    let violations = compliance.counts();
    aspects.insert(ConditionType::PolicyCompliant, compliance.finding);
    let quota = fits(look);
    if let Some((finding, _)) = &quota {
        aspects.insert(ConditionType::QuotaSatisfied, finding.clone());
    }
    if let Some(asked) = look.asked.filter(|_| !look.components.is_empty()) {
        aspects.insert(ConditionType::RingsHealthy, ring_finding(asked, look.rings, look.previous));
    }
    Seen {
        aspects,
        tolerates: resilience.tolerates,
        quota: quota.and_then(|(_, numbers)| numbers),
        policy: Some((compliance.status, compliance.summary)),
        violations,
    }
}

/// How the stack fits into quotas: what a change needs, or what of the present spec does not run yet.
///
/// While pods are being made and none is refused, the quota has counted some that the watch has not told of: two
/// counts of different moments say nothing, so the word from before stands.
fn fits(look: &Look<'_>) -> Option<(Finding, Option<(QuotaStatus, String)>)> {
    if let Some(change) = look.change {
        return told(change.clone());
    }
    if look.components.is_empty() {
        return None;
    }
    let rolling = look.health.iter().any(|component| {
        component.cause.as_ref().is_some_and(|cause| cause.reason == Reason::RolloutInProgress)
    });
    let refused = look
        .live
        .workloads
        .values()
        .any(|workload| workload.refusal.is_some() && workload.created < workload.replicas);
    if rolling
        && !refused
        && let Some(before) = before(look.previous)
    {
        return Some(before);
    }
    let none = BTreeMap::new();
    told(quota::preflight(&look.stack.quota, look.components, &[].into(), &none, look.live))
}

fn told(preflight: Preflight) -> Option<(Finding, Option<(QuotaStatus, String)>)> {
    let numbers = preflight.status.map(|status| (status, preflight.summary));
    Some((preflight.finding?, numbers))
}

/// What was said of quotas before, about the same spec.
fn before(status: &StackStatus) -> Option<(Finding, Option<(QuotaStatus, String)>)> {
    let finding = said_before(status, ConditionType::QuotaSatisfied)?;
    let words = status.summary.as_ref().map(|summary| summary.quota.clone()).unwrap_or_default();
    Some((finding, status.quota.clone().map(|numbers| (numbers, words))))
}

/// What a condition said before, about the same spec. What nobody looked at is no word.
pub fn said_before(status: &StackStatus, type_: ConditionType) -> Option<Finding> {
    let said = status.conditions.iter().find(|condition| {
        condition.type_ == type_ && condition.observed_generation == status.observed_generation
    })?;
    let unlooked = |reason| matches!(reason, Reason::InvalidSpec | Reason::Suspended | Reason::Terminating);
    Finding::said(said).filter(|finding| !unlooked(finding.reason))
}

/// What `RingsHealthy` says: the worst of all pages.
fn ring_finding(asked: &[RingToAsk], said: Option<&[RingHealth]>, previous: &StackStatus) -> Finding {
    if asked.is_empty() {
        return Finding::holds(Reason::NoRings, "no component of this stack has a ring");
    }
    let Some(said) = said else {
        // After a restart the last word stands until the first answer.
        let first = || Finding::unknown(Reason::RingsUnknown, "the rings are being asked for the first time");
        return said_before(previous, ConditionType::RingsHealthy).unwrap_or_else(first);
    };
    let severity = |health: &&RingHealth| match health.verdict {
        Verdict::QuorumLost { .. } => 0,
        Verdict::Unhealthy(_) => 1,
        Verdict::Unknown(_) => 2,
        Verdict::Healthy { .. } => 3,
    };
    let Some(worst) = said.iter().min_by_key(severity) else {
        return Finding::unknown(Reason::RingsUnknown, "no ring may be asked");
    };
    let alike = said.iter().filter(|health| severity(health) == severity(&worst)).count() - 1;
    let others = if alike > 0 { format!(" (and {alike} more)") } else { String::new() };
    match worst.verdict {
        Verdict::Healthy { .. } => {
            let all: Vec<_> = said.iter().map(RingHealth::message).collect();
            Finding::holds(Reason::RingsActive, all.join("; "))
        }
        Verdict::Unknown(_) => Finding::unknown(Reason::RingsUnknown, format!("{}{others}", worst.message())),
        Verdict::Unhealthy(_) | Verdict::QuorumLost { .. } => {
            Finding::fails(worst.reason(), format!("{}{others}", worst.message()))
        }
    }
}

/// Components of a plan of which nothing was begun, because something holds it.
pub fn unstarted(mut health: Vec<ComponentHealth>, held: &Fault) -> Vec<ComponentHealth> {
    for component in &mut health {
        component.cause = Some(Trouble { reason: held.reason, message: held.message.clone() });
        component.status.state = ComponentState::Blocked;
        component.status.reason = Some(held.reason.as_str().to_owned());
        component.status.message = Some("not started".to_owned());
    }
    health
}
