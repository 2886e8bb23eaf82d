//! Server-side apply and delete of one object.

use kube::{
    Client, Resource,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use obstack_api::labels;
use obstack_core::{assemble::PlannedObject, inventory::Entry, names::StackKey, objects::ObjectId};

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

/// Deletes an object if it is still the one we mean: its label names the stack, and uid and version are those just
/// read. An object that is gone, or somebody else's by now, is left alone.
pub async fn delete(
    client: &Client,
    guard: &WriteGuard,
    key: &StackKey,
    id: &ObjectId,
) -> Result<bool, ClusterError> {
    let what = || format!("delete {id}");
    let api = api_of(client, id);
    let Some(live) = bounded(|| format!("get {id}"), api.get_metadata_opt(&id.name)).await? else {
        return Ok(false);
    };
    let ours = live
        .metadata
        .labels
        .as_ref()
        .and_then(|set| set.get(labels::STACK))
        .is_some_and(|label| *label == key.label());
    if !ours {
        return Ok(false);
    }
    let preconditions = Preconditions {
        uid: live.metadata.uid.clone(),
        resource_version: live.metadata.resource_version.clone(),
    };
    match write(guard, what, api.delete(&id.name, &DeleteParams::background().preconditions(preconditions)))
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if error.code() == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
