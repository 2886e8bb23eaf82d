//! Whose fields an object has: from Helm's field manager to the operator's, and back.
//!
//! What Helm set it owns by its own name. A server-side apply by another manager would then conflict with it, and by
//! force would leave in place whatever only Helm has set, such as CPU limits. Once the fields are the operator's, its
//! next apply goes through without force and removes what it does not set itself. client-go's `csaupgrade` does the
//! same when a tool goes from updates to applies.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use obstack_api::labels;
use obstack_core::objects::ObjectId;
use serde_json::{Map, Value, json};

use super::{ClusterError, api_of, bounded, live::is_ours};

/// Times that an object is read and written again when somebody writes it in between.
const TRIES: usize = 5;
/// HTTP code of a write over another version than the one that is there.
const CONFLICT: u16 = 409;

/// A field manager as Helm, or what runs Helm, has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Its name: `helm`, or that of a controller such as `helm-controller`.
    pub name: String,
    /// `Update` of Helm 3, `Apply` of Helm 4.
    pub operation: String,
}

impl Manager {
    /// Helm 3, from the command line.
    pub fn helm() -> Self {
        Self { name: "helm".into(), operation: "Update".into() }
    }
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is not there.
    Missing,
    /// The manager had no field of it.
    Nothing,
    /// Its fields went over. It names who had them, for the way back.
    Over(Manager),
}

/// Gives the operator the fields that one of `from` has on a live object. What the object says does not change.
pub async fn hand_over(client: &Client, id: &ObjectId, from: &[String]) -> Result<Handed, ClusterError> {
    rewrite(client, id, &|entries| to_operator(entries, from)).await
}

/// Gives the fields that the operator has on a live object to a manager. What the object says does not change, and the
/// operator takes them again at its next apply: suspend or delete the stack first.
pub async fn hand_back(client: &Client, id: &ObjectId, to: &Manager) -> Result<Handed, ClusterError> {
    rewrite(client, id, &|entries| to_manager(entries, to)).await
}

type Rewritten = Option<(Vec<ManagedFieldsEntry>, Manager)>;

async fn rewrite(
    client: &Client,
    id: &ObjectId,
    how: &(dyn Fn(&[ManagedFieldsEntry]) -> Rewritten + Sync),
) -> Result<Handed, ClusterError> {
    let api = api_of(client, id);
    let mut tries = 0;
    loop {
        tries += 1;
        let Some(live) = bounded(|| format!("get {id}"), api.get_metadata_opt(&id.name)).await? else {
            return Ok(Handed::Missing);
        };
        let entries = live.metadata.managed_fields.as_deref().unwrap_or_default();
        let Some((entries, manager)) = how(entries) else { return Ok(Handed::Nothing) };
        // With the version that was read the API server refuses it where somebody wrote in between.
        let patch = json!({"metadata": {
            "uid": live.metadata.uid,
            "resourceVersion": live.metadata.resource_version,
            "managedFields": entries,
        }});
        let (what, patch) = (|| format!("hand over the fields of {id}"), Patch::Merge(&patch));
        match bounded(what, api.patch_metadata(&id.name, &PatchParams::default(), &patch)).await {
            Ok(_) => return Ok(Handed::Over(manager)),
            Err(error) if error.code() == CONFLICT && tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// The entries with those of `from` as one of the operator's; `None` when they have none.
fn to_operator(entries: &[ManagedFieldsEntry], from: &[String]) -> Rewritten {
    let is_theirs = |entry: &ManagedFieldsEntry| {
        is_whole(entry) && entry.manager.as_ref().is_some_and(|name| from.contains(name))
    };
    let first = entries.iter().find(|entry| is_theirs(entry))?;
    let manager = Manager {
        name: first.manager.clone().unwrap_or_default(),
        operation: first.operation.clone().unwrap_or_default(),
    };
    Some((
        merged(entries, first, labels::FIELD_MANAGER, "Apply", &|entry| is_theirs(entry) || is_ours(entry)),
        manager,
    ))
}

/// The entries with the operator's as one of the manager's; `None` when the operator has none.
fn to_manager(entries: &[ManagedFieldsEntry], to: &Manager) -> Rewritten {
    let first = entries.iter().find(|entry| is_ours(entry))?;
    let same = |entry: &ManagedFieldsEntry| {
        is_whole(entry)
            && entry.manager.as_ref() == Some(&to.name)
            && entry.operation.as_ref() == Some(&to.operation)
    };
    let entries = merged(entries, first, &to.name, &to.operation, &|entry| is_ours(entry) || same(entry));
    Some((entries, to.clone()))
}

/// One entry in place of those that match, with the fields of all of them that are of the first one's version. Of
/// another version nobody can say which fields they are in this one, and they go.
fn merged(
    entries: &[ManagedFieldsEntry],
    first: &ManagedFieldsEntry,
    manager: &str,
    operation: &str,
    matches: &dyn Fn(&ManagedFieldsEntry) -> bool,
) -> Vec<ManagedFieldsEntry> {
    let mut fields = Map::new();
    for entry in entries.iter().filter(|entry| matches(entry) && entry.api_version == first.api_version) {
        if let Some(FieldsV1(Value::Object(more))) = &entry.fields_v1 {
            unite(&mut fields, more);
        }
    }
    let one = ManagedFieldsEntry {
        manager: Some(manager.to_owned()),
        operation: Some(operation.to_owned()),
        fields_v1: Some(FieldsV1(Value::Object(fields))),
        ..first.clone()
    };
    let others = entries.iter().filter(|entry| !matches(entry)).cloned();
    std::iter::once(one).chain(others).collect()
}

/// Adds one set of fields to another: a set is a tree of keys.
fn unite(fields: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, child) in more {
        let here = fields.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(here), Value::Object(child)) = (here, child) {
            unite(here, child);
        }
    }
}

/// Not of a subresource such as `status` or `scale`, which somebody else writes.
fn is_whole(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref().unwrap_or_default().is_empty()
}

#[cfg(test)]
mod tests;
