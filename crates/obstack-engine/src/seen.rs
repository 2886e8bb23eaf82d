//! Gathers what was seen of a stack, in the live view and by the probes beside the reconcile, into what is concluded
//! from. It asks nobody.

use std::time::Duration;

use obstack_api::{ConditionType, ObservabilityStack, Reason, StackSpec, StackStatus};
use obstack_core::{
    aspects::{self, Look as Aspect, Seen},
    canary,
    conclude::{Applied, Aspects, BucketHealth, Fault, Followed},
    design::Blueprint,
    diagnose::{self, ComponentHealth},
    finding::Finding,
    names::StackKey,
    rings,
    valid::ValidStack,
};

use crate::{
    buckets::Access,
    canary::Wanted,
    cluster::ClusterError,
    context::Context,
    execute::{Outcome, recall},
    gates::Asked,
    probes::Look,
};

/// What is seen of a stack whose spec is followed.
pub struct Sight<'a> {
    /// The stack.
    pub stack: &'a ObservabilityStack,
    /// The same, validated.
    pub valid: &'a ValidStack,
    /// How its object store is reached.
    pub access: Access,
    /// What it comes to.
    pub blueprint: Blueprint,
    /// What an execution came to.
    pub outcome: Outcome,
    /// How the buckets stand.
    pub look: Look,
    /// What was seen at the gates.
    pub asked: Option<Asked>,
}

/// Second of the Unix epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// How the components of the spec that was applied last stand, and what is seen of them besides.
pub async fn standing(
    ctx: &Context,
    key: &StackKey,
    spec: Option<&StackSpec>,
) -> Result<(Vec<ComponentHealth>, Aspects), ClusterError> {
    let stored = recall(ctx, key).await?;
    let (components, live) = (&stored.inventory.components, ctx.view.live(key));
    let health = diagnose::of(components, &live, &[], now());
    let seen = spec.map(|spec| {
        let budgets = spec.disruption.pod_disruption_budgets == obstack_api::PodDisruptionBudgets::Auto;
        aspects::standing(spec.resource_policy, budgets, components, &live)
    });
    Ok((health, seen.unwrap_or_default().aspects))
}

/// All that was seen of a stack whose spec is followed, and when to look again though nothing happens.
pub fn followed(ctx: &Context, sight: Sight<'_>) -> (Followed, Option<Duration>) {
    let Sight { stack, valid, access, blueprint, outcome, look, asked } = sight;
    let live = ctx.view.live(&valid.key);
    let buckets = look.results.unwrap_or_else(|| unprobed(valid));
    let now = now();
    let pages = rings::of(valid);
    let rings = if outcome.components.is_empty() { None } else { ctx.rings.look(&valid.key, &pages) };
    let (mut health, applied) = (diagnose::of(&outcome.components, &live, &buckets, now), outcome.applied);
    let none = StackStatus::default();
    let previous = stack.status.as_ref().unwrap_or(&none);
    let Seen { mut aspects, tolerates, quota, policy, violations } = aspects::of(&Aspect {
        stack: valid,
        components: &outcome.components,
        health: &health,
        live: &live,
        applied: applied == Applied::All,
        change: asked.as_ref().map(|asked| &asked.preflight),
        asked: (!ctx.rings.is_off()).then_some(pages.as_slice()),
        rings: rings.as_deref(),
        drift: outcome.drift.as_ref(),
        previous,
        now,
    });
    if let (Applied::Held(fault), true, Some(asked)) = (&applied, health.is_empty(), asked) {
        health = aspects::unstarted(diagnose::of(&asked.components, &live, &buckets, now), fault);
    }
    aspects.extend(canary(ctx, valid, &blueprint, access, &health, previous));
    let counts: Vec<_> = violations.iter().map(|((rule, origin), count)| (*rule, *origin, *count)).collect();
    ctx.metrics.set_policy_violations(&valid.key.namespace, &valid.key.name, &counts);
    let changes_at = diagnose::changes_at(&live, now).map(|at| at.saturating_sub(now).max(1));
    let again = changes_at.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let followed = Followed {
        report: blueprint.report,
        buckets,
        applied,
        components: health,
        aspects,
        tolerates,
        quota,
        policy,
        plan: outcome.plan,
        sums: outcome.sums,
        objects: outcome.objects,
        datasources_fault: outcome.datasources_fault,
    };
    (followed, again)
}

/// What the canary says. It begins once every component is as it should be.
fn canary(
    ctx: &Context,
    valid: &ValidStack,
    blueprint: &Blueprint,
    access: Access,
    health: &[ComponentHealth],
    previous: &StackStatus,
) -> Option<(ConditionType, Finding)> {
    let wanted = Wanted {
        uid: valid.uid.clone(),
        interval: valid.canary.as_ref().map(|canary| canary.interval).unwrap_or_default(),
        probes: canary::of(valid, &blueprint.report.endpoints),
        access,
    };
    let up = !health.is_empty() && health.iter().all(|component| component.cause.is_none());
    let before = aspects::said_before(previous, ConditionType::DataPathVerified);
    let finding = ctx.canaries.look(&valid.key, wanted, up, before.as_ref())?;
    Some((ConditionType::DataPathVerified, finding))
}

/// The buckets before anybody has looked at them.
fn unprobed(valid: &ValidStack) -> Vec<BucketHealth> {
    let waiting = |name: &str| Fault {
        reason: Reason::CreatingBuckets,
        message: format!("bucket {name} is being made and probed"),
    };
    valid
        .buckets
        .iter()
        .map(|bucket| BucketHealth {
            name: bucket.name.clone(),
            purpose: bucket.purpose.clone(),
            fault: Some(waiting(&bucket.name)),
        })
        .collect()
}
