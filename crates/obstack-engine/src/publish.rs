//! Says what is true: status, events and metrics. Writes only what differs, and not more often than people can read.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use obstack_api::{ConditionType, ObservabilityStack, StackStatus};
use obstack_core::{
    conclude::{EventIntent, Situation, Verdict, conclude, holds},
    names::StackKey,
};

use crate::{
    cluster::{
        ClusterError,
        stack::{self, requested},
    },
    context::Context,
};

/// Shortest time between two writes of a status that says the same of Ready: pods come and go in bursts.
const PACE: Duration = Duration::from_millis(500);

/// Publishes what a whole look at a stack comes to. Returns how long the write was put off, if it was.
pub async fn publish(
    ctx: &Context,
    key: &StackKey,
    object: &ObservabilityStack,
    situation: &Situation,
) -> Result<Option<Duration>, ClusterError> {
    publish_so_far(ctx, key, object, situation, true).await
}

/// The same of a look of which a part may still go on: a request to look is followed once all is seen.
pub async fn publish_so_far(
    ctx: &Context,
    key: &StackKey,
    object: &ObservabilityStack,
    situation: &Situation,
    all_seen: bool,
) -> Result<Option<Duration>, ClusterError> {
    let previous = object.status.clone().unwrap_or_default();
    let followed = requested(&object.metadata).filter(|_| all_seen);
    publish_over(ctx, key, &object.metadata, previous, followed, situation).await
}

/// The same for a stack of which only metadata can be read. `followed` is the request to look that this look has followed.
pub async fn publish_over(
    ctx: &Context,
    key: &StackKey,
    metadata: &kube::api::ObjectMeta,
    stored: StackStatus,
    followed: Option<String>,
    situation: &Situation,
) -> Result<Option<Duration>, ClusterError> {
    let generation = metadata.generation.unwrap_or(0);
    // Our last write may not have come back through the watch yet.
    let written = ctx.memory.recall(key).status;
    let (previous, last_write) = match written {
        Some((status, at)) if status == stored && at.elapsed() >= PACE => {
            // It has come back: one copy is enough.
            ctx.memory.update(key, |memory| memory.status = None);
            (stored, None)
        }
        Some((status, at)) => (status, Some(at)),
        None => (stored, None),
    };
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let Verdict { mut status, events } = conclude(key, generation, &previous, situation, &now);
    if followed.is_some() {
        status.last_handled_reconcile_at = followed;
    }
    report(ctx, key, &status);
    if status == previous {
        return Ok(None);
    }
    let same = status.observed_generation == previous.observed_generation
        && holds(&status, ConditionType::Ready) == holds(&previous, ConditionType::Ready);
    if let Some(early) = last_write.and_then(|at| PACE.checked_sub(at.elapsed())).filter(|_| same) {
        return Ok(Some(early));
    }
    let uid = metadata.uid.as_deref().unwrap_or_default();
    match stack::write_status(&ctx.client, &ctx.guard, key, uid, &status).await {
        Ok(()) => {}
        // Deleted, or made anew, in the meantime: there is nobody to tell.
        Err(error) if matches!(error.code(), 404 | 409) => return Ok(None),
        Err(error) => return Err(error),
    }
    ctx.metrics.record_write("status", "ObservabilityStack");
    ctx.memory.update(key, |memory| memory.status = Some((status, Instant::now())));
    let regarding = reference(key, uid);
    for event in events {
        ctx.events.publish(regarding.clone(), event);
    }
    Ok(None)
}

fn report(ctx: &Context, key: &StackKey, status: &StackStatus) {
    let status_of = |condition: &obstack_api::Condition| match condition.status {
        obstack_api::ConditionStatus::True => "True",
        obstack_api::ConditionStatus::False => "False",
        obstack_api::ConditionStatus::Unknown => "Unknown",
    };
    let conditions: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), status_of(c))).collect();
    ctx.metrics.set_conditions(&key.namespace, &key.name, &conditions);
    let components: Vec<_> = status
        .components
        .iter()
        .map(|c| (c.name.as_str(), i64::from(c.desired), i64::from(c.ready)))
        .collect();
    ctx.metrics.set_component_replicas(&key.namespace, &key.name, &components);
}

/// The stack, as events name it.
fn reference(key: &StackKey, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(ObservabilityStack::api_version(&()).into_owned()),
        kind: Some(ObservabilityStack::kind(&()).into_owned()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: Some(uid.to_owned()).filter(|uid| !uid.is_empty()),
        ..ObjectReference::default()
    }
}

impl Context {
    /// Publishes an event about a stack.
    pub fn publish_event(&self, key: &StackKey, event: EventIntent) {
        let uid = self.roster.uid(key).unwrap_or_default();
        self.events.publish(reference(key, &uid), event);
    }
}
