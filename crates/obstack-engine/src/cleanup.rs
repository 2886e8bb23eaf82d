//! The end of a stack. What lives in its namespace goes with its owner reference; only objects elsewhere, the
//! datasources and dashboards in Grafana's namespace, need us.
//!
//! Where the operator watches all namespaces, a finalizer holds the stack until those objects are gone. Where it watches
//! some, its rights usually stand in the very namespaces it watches, and go first when one of them is deleted: a
//! finalizer would then hang the namespace for ever. There the objects are deleted as soon as the stack is seen gone.

use std::{sync::Arc, time::Duration};

use kube::api::ObjectMeta;
use obstack_api::{DeletionPolicy, ObservabilityStack, Reason, StackSpec, labels};
use obstack_core::{conclude::EventIntent, design::Design, names::StackKey, objects::ObjectId};

use crate::{
    cluster::{ClusterError, apply, inventory, stack},
    context::Context,
};

/// How long an object elsewhere may resist before the stack is let go without it: a namespace must never hang on us.
const PATIENCE: Duration = Duration::from_mins(5);
/// Wait between two tries.
const RETRY: Duration = Duration::from_secs(5);

/// Puts the finalizer on when an object lives outside the stack's namespace, and off when none does any more.
pub async fn hold(
    ctx: &Context,
    key: &StackKey,
    object: &ObservabilityStack,
    design: &Design,
) -> Result<(), ClusterError> {
    let elsewhere = design
        .for_grafana()
        .filter_map(|object| object.pointer("/metadata/namespace")?.as_str())
        .any(|namespace| namespace != key.namespace);
    let keeps = object.spec.deletion_policy == DeletionPolicy::Retain || !ctx.settings.namespaces.is_empty();
    let wanted = elsewhere && !keeps;
    if has_finalizer(&object.metadata) == wanted {
        return Ok(());
    }
    // An object that was elsewhere before is pruned first.
    if !wanted && !keeps && !foreign(ctx, key).await?.is_empty() {
        return Ok(());
    }
    match stack::set_finalizer(&ctx.client, &ctx.guard, key, &object.metadata, wanted).await {
        // Changed in the meantime: the next event brings the newer version.
        Err(error) if error.code() == 409 => Ok(()),
        other => other,
    }
}

/// A stack was seen gone: deletes what it left outside its namespace, and forgets it.
pub async fn gone(ctx: Arc<Context>, key: StackKey, policy: Option<DeletionPolicy>) {
    if policy.is_some_and(|policy| policy != DeletionPolicy::Retain) {
        let stored = ctx.memory.recall(&key).stored;
        let known = stored.iter().flat_map(|stored| stored.inventory.objects.keys().cloned());
        for id in elsewhere(&ctx, &key, known) {
            match apply::delete(&ctx.client, &ctx.guard, &key, &id).await {
                Ok(true) => ctx.metrics.record_write("delete", id.kind.as_str()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(stack = %key, object = %id, %error, "delete by hand what the stack left");
                }
            }
        }
    }
    ctx.view.forget_stack(&key);
    ctx.memory.forget(&key);
}

/// Deletes what lives outside the stack's namespace, then lets the stack go. Works from metadata alone, so that a
/// stack that cannot be read can still be deleted.
pub async fn finalize(
    ctx: &Arc<Context>,
    key: &StackKey,
    metadata: &ObjectMeta,
    spec: Option<&StackSpec>,
) -> Result<Duration, ClusterError> {
    if !has_finalizer(metadata) {
        return Ok(PATIENCE);
    }
    if spec.is_none_or(|spec| spec.deletion_policy != DeletionPolicy::Retain) {
        let mut left = Vec::new();
        for id in foreign(ctx, key).await.unwrap_or_default() {
            match apply::delete(&ctx.client, &ctx.guard, key, &id).await {
                Ok(_) => ctx.metrics.record_write("delete", id.kind.as_str()),
                Err(error) => {
                    tracing::warn!(object = %id, %error, "an object outside the namespace was not deleted");
                    left.push(id.to_string());
                }
            }
        }
        if !left.is_empty() {
            let since = metadata
                .deletion_timestamp
                .as_ref()
                .map(|time| jiff::Timestamp::now().duration_since(time.0));
            let patience = jiff::SignedDuration::try_from(PATIENCE).unwrap_or(jiff::SignedDuration::ZERO);
            if since.is_some_and(|since| since < patience) {
                return Ok(RETRY);
            }
            let note = format!("the stack is let go; delete by hand what is left: {}", left.join(", "));
            ctx.publish_event(
                key,
                EventIntent { warning: true, reason: Reason::Terminating, note, related: None },
            );
        }
    }
    match stack::set_finalizer(&ctx.client, &ctx.guard, key, metadata, false).await {
        Err(error) if error.code() == 409 => Ok(RETRY),
        Err(error) => Err(error),
        Ok(()) => Ok(PATIENCE),
    }
}

/// Whether somebody else's finalizer keeps a stack that is being deleted.
pub fn held_by_others(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.as_deref().unwrap_or_default().iter().any(|finalizer| finalizer != labels::FINALIZER)
}

fn has_finalizer(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.as_deref().unwrap_or_default().iter().any(|finalizer| finalizer == labels::FINALIZER)
}

/// Objects of a stack outside its namespace: those the watches know and those the inventory names.
async fn foreign(ctx: &Context, key: &StackKey) -> Result<Vec<ObjectId>, ClusterError> {
    let stored = match ctx.memory.recall(key).stored {
        Some(stored) => stored,
        None => Arc::new(inventory::load(&ctx.client, key).await?),
    };
    Ok(elsewhere(ctx, key, stored.inventory.objects.keys().cloned()))
}

fn elsewhere(ctx: &Context, key: &StackKey, known: impl Iterator<Item = ObjectId>) -> Vec<ObjectId> {
    let seen = ctx.view.children_of(key).into_iter().map(|(id, _)| id);
    let mut ids: Vec<ObjectId> = seen.chain(known).filter(|id| id.namespace != key.namespace).collect();
    ids.sort();
    ids.dedup();
    ids
}
