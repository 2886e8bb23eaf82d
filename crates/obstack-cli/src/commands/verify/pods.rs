//! The pods: how each component stands, whether live pods keep to the policy, and what the stack survives.

use obstack_api::{ConditionType, Reason};
use obstack_core::{
    assemble::PlannedComponent,
    compliance,
    diagnose::{self, ComponentHealth},
    finding::Finding,
    live::Live,
    resilience,
    valid::ValidStack,
};

use super::{
    check::{Check, Id, Outcome},
    scene::Scene,
};
use crate::told::plural;

const PODS: &str = "pods";
const WORKLOADS: [&str; 3] = ["statefulsets.apps", "deployments.apps", "daemonsets.apps"];
const BUDGETS: &str = "poddisruptionbudgets.policy";

/// Every check of these.
pub fn all(scene: &Scene, now: i64) -> Vec<Check> {
    let mut checks = components(scene, now);
    for (id, check) in
        [(Id::Policy, policy as Judge), (Id::Protection, protection), (Id::Tolerance, tolerance)]
    {
        checks.push(seen(scene, id, check));
    }
    checks
}

type Judge = fn(&ValidStack, &[PlannedComponent], &Live, bool) -> Check;

/// A check that needs the valid stack, the inventory and the facts.
fn seen(scene: &Scene, id: Id, judge: Judge) -> Check {
    let needed: Vec<&str> = WORKLOADS.into_iter().chain([PODS, BUDGETS]).collect();
    let needed = if id == Id::Protection { needed.as_slice() } else { needed.get(..4).unwrap_or_default() };
    let judged = || {
        let (valid, _) = scene.valid(id)?;
        let inventory = &scene.inventory(id)?.inventory;
        let live = scene.live(id, needed)?;
        Ok(judge(valid, &inventory.components, live, !inventory.input.is_empty()))
    };
    judged().unwrap_or_else(|check| check)
}

fn components(scene: &Scene, now: i64) -> Vec<Check> {
    let needed: Vec<&str> = WORKLOADS.into_iter().chain([PODS]).collect();
    let looked = || {
        let stored = scene.inventory(Id::Components)?;
        Ok((stored, scene.live(Id::Components, &needed)?))
    };
    match looked() {
        Ok((stored, live)) => judge(&diagnose::of(&stored.inventory.components, live, &[], now)),
        Err(check) => vec![check],
    }
}

fn judge(components: &[ComponentHealth]) -> Vec<Check> {
    let (good, rest): (Vec<_>, Vec<_>) = components.iter().partition(|component| component.cause.is_none());
    let mut checks = Vec::new();
    if !good.is_empty() {
        let pods: i32 = good.iter().map(|component| component.status.desired).sum();
        let (pods, of) = (plural(usize::try_from(pods).unwrap_or(0), "pod"), plural(good.len(), "component"));
        checks.push(Id::Components.passed(format!("{pods} of {of} are ready at their newest revision")));
    }
    for component in rest {
        let Some(cause) = &component.cause else { continue };
        let status = &component.status;
        let message =
            format!("{}: {} of {} pods ready: {}", status.name, status.ready, status.desired, cause.message);
        // On the way, and serving meanwhile.
        let goes_on = cause.reason == Reason::RolloutInProgress && component.available;
        let result = if goes_on { Outcome::Warning } else { Outcome::Failed };
        checks.push(Id::Components.says(result, message).because(cause.reason));
    }
    if checks.is_empty() {
        checks.push(Id::Components.failed("no workload was applied yet").because(Reason::NoReadyReplicas));
    }
    checks
}

fn policy(valid: &ValidStack, components: &[PlannedComponent], live: &Live, _: bool) -> Check {
    let compliance = compliance::of(valid.resource_policy, components, live);
    let mut check = of_policy(&compliance.finding);
    let more: Vec<_> = compliance
        .status
        .violations
        .iter()
        .skip(1)
        .map(|one| format!("{} container {}: {}", one.component, one.container, one.message))
        .collect();
    if !more.is_empty() {
        // Here there is room for all of them.
        let first = check.message.rsplit_once("; ").map_or("", |(first, _)| first).to_owned();
        check.message = format!("{first}; {}", more.join("; "));
    }
    check
}

fn of_policy(finding: &Finding) -> Check {
    // Pods of an earlier template go with the rollout.
    let goes = finding.reason == Reason::RolloutInProgress;
    Id::Policy.of(finding, if goes { Outcome::Warning } else { Outcome::Failed })
}

fn protection(valid: &ValidStack, components: &[PlannedComponent], live: &Live, applied: bool) -> Check {
    let finding = resilience::protection(valid.budgets, components, live, applied);
    let bare = finding.reason == Reason::Unprotected;
    Id::Protection.of(&finding, if bare { Outcome::Failed } else { Outcome::Warning })
}

fn tolerance(valid: &ValidStack, components: &[PlannedComponent], live: &Live, _: bool) -> Check {
    Id::Tolerance.of(&resilience::tolerance(valid, components, live).finding, Outcome::Warning)
}

/// Whether the operator says that a condition of the newest generation holds.
pub fn holds(scene: &Scene, type_: ConditionType) -> bool {
    scene.condition(type_).is_some_and(|said| said.status == obstack_api::ConditionStatus::True)
}
