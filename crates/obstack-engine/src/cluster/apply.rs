//! Server-side apply and delete of one object.

use kube::{
    Client, Resource,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, Preconditions},
};
use obstack_api::labels;
use obstack_core::{assemble::PlannedObject, inventory::Entry, names::StackKey, objects::ObjectId};
use serde_json::Value;

use super::{ClusterError, api_of, bounded, live, write};
use crate::lease::WriteGuard;

/// What an apply came to.
#[derive(Clone, Debug)]
pub struct AppliedObject {
    /// What is known of the object now.
    pub entry: Entry,
    /// Its resource version, as a number.
    pub version: u64,
}

/// Applies an object. `force` takes fields back from other managers: only for objects that are ours already.
pub async fn apply(
    client: &Client,
    guard: &WriteGuard,
    object: &PlannedObject,
    force: bool,
) -> Result<AppliedObject, ClusterError> {
    let what = || format!("apply {}", object.id);
    let mut params = PatchParams::apply(labels::FIELD_MANAGER);
    params.force = force;
    let api = api_of(client, &object.id);
    let answer = write(guard, what, api.patch(&object.id.name, &params, &Patch::Apply(&object.body))).await?;
    let metadata = answer.meta();
    Ok(AppliedObject {
        entry: Entry {
            hash: object.hash.clone(),
            uid: metadata.uid.clone().unwrap_or_default(),
            owned: live::owned_fields(metadata),
        },
        version: live::version_of(metadata),
    })
}

/// Asks the API server what would come of an apply, of a body that nobody applies.
pub async fn rehearse(client: &Client, id: &ObjectId, body: &Value) -> Result<Value, ClusterError> {
    let params = PatchParams::apply(labels::FIELD_MANAGER).force();
    let params = PatchParams { dry_run: true, ..params };
    let api = api_of(client, id);
    let answer =
        bounded(|| format!("rehearse {id}"), api.patch(&id.name, &params, &Patch::Apply(body))).await?;
    Ok(serde_json::to_value(answer).unwrap_or_default())
}

/// Whether the label of a live object names the stack.
pub fn is_of(key: &StackKey, live: &ObjectMeta) -> bool {
    live.labels.as_ref().and_then(|set| set.get(labels::STACK)).is_some_and(|label| *label == key.label())
}

/// Deletes an object if it is still the one we mean: its label names the stack, and uid and version are those just
/// read. An object that is gone, or somebody else's by now, is left alone.
pub async fn delete(
    client: &Client,
    guard: &WriteGuard,
    key: &StackKey,
    id: &ObjectId,
) -> Result<bool, ClusterError> {
    let api = api_of(client, id);
    let Some(live) = bounded(|| format!("get {id}"), api.get_metadata_opt(&id.name)).await? else {
        return Ok(false);
    };
    if !is_of(key, &live.metadata) {
        return Ok(false);
    }
    delete_this(client, guard, id, &live.metadata, &DeleteParams::background()).await
}

/// Deletes the very object that was read, and leaves alone what it made. One that is gone, or has changed since, stays
/// as it is: the answer then is an error with code 409.
pub async fn orphan(
    client: &Client,
    guard: &WriteGuard,
    id: &ObjectId,
    live: &ObjectMeta,
) -> Result<bool, ClusterError> {
    delete_this(client, guard, id, live, &DeleteParams::orphan()).await
}

async fn delete_this(
    client: &Client,
    guard: &WriteGuard,
    id: &ObjectId,
    live: &ObjectMeta,
    how: &DeleteParams,
) -> Result<bool, ClusterError> {
    let same = Preconditions { uid: live.uid.clone(), resource_version: live.resource_version.clone() };
    let how = how.clone().preconditions(same);
    let api = api_of(client, id);
    match write(guard, || format!("delete {id}"), api.delete(&id.name, &how)).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
