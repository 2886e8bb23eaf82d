//! The reconcile, on one screen. Each step says whether it talks to anybody.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use obstack_api::{ConditionType, ObservabilityStack, Reason, StackStatus};
use obstack_core::{
    conclude::{Applied, Aspects, BucketHealth, Fault, Followed, Situation},
    design::{Blueprint, design},
    diagnose::{self, ComponentHealth},
    names::StackKey,
    valid::ValidStack,
    validate::validate,
};

use crate::{
    cleanup,
    cluster::ClusterError,
    context::Context,
    execute::{Outcome, execute, recall},
    observe::observe,
    probes::Look,
    publish::publish,
};

/// A spec with faults is looked at again when something it names changes, and now and then in case that was missed.
const INVALID_AGAIN: Duration = Duration::from_mins(10);
/// An object that could not be applied is tried again this soon.
const FAILED_AGAIN: Duration = Duration::from_secs(15);

/// Brings one stack as far as the world lets it, and says how far that is. Returns when to look again.
pub async fn reconcile(
    ctx: &Arc<Context>,
    key: &StackKey,
    stack: &ObservabilityStack,
) -> Result<Duration, ClusterError> {
    if stack.metadata.deletion_timestamp.is_some() {
        return cleanup::finalize(ctx, key, &stack.metadata, Some(&stack.spec)).await;
    }
    if stack.spec.suspend {
        let (components, aspects) = standing(ctx, key).await?;
        let held = publish(ctx, key, stack, &Situation::Suspended { components, aspects }).await?;
        return Ok(held.unwrap_or(INVALID_AGAIN));
    }
    let observed = observe(ctx, key, stack).await?; // requests only when a Secret changed
    let valid = match validate(stack, &observed.facts) {
        // pure
        Ok(valid) => valid,
        Err(violations) => {
            let (components, aspects) = standing(ctx, key).await?;
            let situation = Situation::Invalid { violations, components, aspects };
            let held = publish(ctx, key, stack, &situation).await?;
            return Ok(held.unwrap_or(INVALID_AGAIN));
        }
    };
    let blueprint = design(&valid); // pure
    cleanup::hold(ctx, key, stack, &blueprint.design).await?; // requests only when the finalizer changes
    let look = observed.look(ctx, key, &valid); // starts a probe of the buckets when one is due
    let ready =
        look.results.as_ref().is_some_and(|buckets| buckets.iter().all(|bucket| bucket.fault.is_none()));
    let outcome = execute(ctx, &blueprint, ready).await?; // render, assemble, apply: nothing when nothing changed
    if outcome.terminating {
        let held = publish(ctx, key, stack, &Situation::Terminating).await?;
        return Ok(held.unwrap_or(INVALID_AGAIN));
    }
    if look.results.is_none() && was_probed(stack) {
        return Ok(look.again); // after a restart the last word on the buckets stands until the probe has ended
    }
    let failed = outcome.applied != Applied::All || outcome.datasources_fault.is_some();
    let again = if failed && ready { look.again.min(FAILED_AGAIN) } else { look.again };
    let followed = follow(ctx, &valid, blueprint, outcome, look); // pure, over the live view
    let held = publish(ctx, key, stack, &Situation::Followed(Box::new(followed))).await?; // a write when it differs
    Ok(held.map_or(again, |held| held.min(again)))
}

/// How the components of the spec that was applied last stand, and what is seen of them besides.
pub async fn standing(
    ctx: &Context,
    key: &StackKey,
) -> Result<(Vec<ComponentHealth>, Aspects), ClusterError> {
    let stored = recall(ctx, key).await?;
    let components = diagnose::of(&stored.inventory.components, &ctx.view.live(key));
    Ok((components, Aspects::new()))
}

/// Whether the status tells of the buckets of this very spec.
fn was_probed(stack: &ObservabilityStack) -> bool {
    let told = |status: &StackStatus| {
        status.conditions.iter().any(|condition| condition.type_ == ConditionType::StorageReady)
    };
    stack
        .status
        .as_ref()
        .is_some_and(|status| status.observed_generation == stack.metadata.generation && told(status))
}

fn follow(ctx: &Context, valid: &ValidStack, blueprint: Blueprint, outcome: Outcome, look: Look) -> Followed {
    let components = diagnose::of(&outcome.components, &ctx.view.live(&valid.key));
    Followed {
        buckets: look.results.unwrap_or_else(|| unprobed(valid)),
        applied: outcome.applied,
        components,
        aspects: Aspects::new(),
        tolerates: BTreeMap::new(),
        quota: None,
        policy: None,
        plan: None,
        sums: outcome.sums,
        objects: outcome.objects,
        datasources_fault: outcome.datasources_fault,
        report: blueprint.report,
    }
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
