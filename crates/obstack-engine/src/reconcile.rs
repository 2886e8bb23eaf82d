//! The reconcile, on one screen. Each step says whether it talks to anybody.

use std::{sync::Arc, time::Duration};

use obstack_api::{ConditionType, ObservabilityStack, StackStatus};
use obstack_core::{
    conclude::{Applied, Situation},
    design::design,
    names::StackKey,
    validate::validate,
};

use crate::{
    cleanup,
    cluster::{ClusterError, stack::requested},
    context::Context,
    execute::execute,
    gates::Gates,
    observe::observe,
    publish::{publish, publish_so_far},
    seen::{self, Sight, standing},
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
        ctx.canaries.forget_stack(key);
        if cleanup::held_by_others(&stack.metadata) {
            publish(ctx, key, stack, &Situation::Terminating).await?;
        }
        return cleanup::finalize(ctx, key, &stack.metadata, Some(&stack.spec)).await;
    }
    if stack.spec.suspend {
        ctx.canaries.forget_stack(key);
        let (components, aspects) = standing(ctx, key, Some(&stack.spec)).await?;
        let held = publish(ctx, key, stack, &Situation::Suspended { components, aspects }).await?;
        return Ok(held.unwrap_or(INVALID_AGAIN));
    }
    let observed = observe(ctx.around(), key, stack).await?; // requests only when a Secret changed
    let valid = match validate(stack, &observed.facts) {
        // pure
        Ok(valid) => valid,
        Err(violations) => {
            ctx.canaries.forget_stack(key);
            let (components, aspects) = standing(ctx, key, Some(&stack.spec)).await?;
            let situation = Situation::Invalid { violations, components, aspects };
            let held = publish(ctx, key, stack, &situation).await?;
            return Ok(held.unwrap_or(INVALID_AGAIN));
        }
    };
    let blueprint = design(&valid); // pure
    cleanup::hold(ctx, key, stack, &blueprint.design).await?; // requests only when the finalizer changes
    let look = observed.look(ctx, key, &valid, requested(&stack.metadata)); // starts a probe of the buckets when one is due
    let ready =
        look.results.as_ref().is_some_and(|buckets| buckets.iter().all(|bucket| bucket.fault.is_none()));
    let gates = Gates::of(ctx, stack, &valid);
    // render, assemble, apply: nothing when nothing changed
    let outcome = execute(ctx, &blueprint, ready, |plan, changes, _| gates.hold(plan, changes)).await?;
    let asked = gates.asked();
    if outcome.terminating {
        let held = publish(ctx, key, stack, &Situation::Terminating).await?;
        return Ok(held.unwrap_or(INVALID_AGAIN));
    }
    if look.results.is_none() && was_probed(stack) {
        return Ok(look.again); // after a restart the last word on the buckets stands until the probe has ended
    }
    let failed = matches!(outcome.applied, Applied::Failed(_)) || outcome.datasources_fault.is_some();
    let all_seen = look.current;
    let soon = [outcome.again, (failed && ready).then_some(FAILED_AGAIN), Some(look.again)];
    // pure, over the live view
    let (followed, sooner) = seen::followed(
        ctx,
        Sight { stack, valid: &valid, access: observed.access(&valid), blueprint, outcome, look, asked },
    );
    let situation = Situation::Followed(Box::new(followed));
    let held = publish_so_far(ctx, key, stack, &situation, all_seen).await?; // a write when it differs
    let again = soon.into_iter().chain([sooner, held]).flatten().min();
    Ok(again.unwrap_or(INVALID_AGAIN))
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
