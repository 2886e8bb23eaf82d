//! Which objects somebody else changed or deleted, told from the live view alone, and which of them may be put back.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Client, api::ObjectMeta};
use obstack_api::labels;
use obstack_core::{
    assemble::PlannedObject,
    drift::{Deed, DriftLog, Taken, taken},
    inventory::Inventory,
    names::StackKey,
    objects::ObjectId,
};
use serde_json::Value;

use crate::{
    cluster::{api_of, bounded, live::LiveView},
    context::Context,
};

/// What somebody else did to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// It was deleted.
    pub deleted: bool,
    /// The field manager that changed it, where the API server tells.
    pub manager: Option<String>,
}

impl Drift {
    /// As the log of drift has it, before the object was looked at.
    pub fn deed(&self) -> Deed {
        Deed { deleted: self.deleted, manager: self.manager.clone(), fields: Vec::new() }
    }
}

/// What others did to the objects of a stack.
#[derive(Debug, Default)]
pub struct Drifts {
    /// Objects that may be put back now.
    pub due: BTreeMap<ObjectId, Drift>,
    /// Objects that somebody keeps changing, and whose time has not come.
    pub waiting: BTreeMap<ObjectId, Drift>,
}

impl Drifts {
    /// What others did to the objects of an inventory, as far as the watches have told.
    pub fn of(ctx: &Context, key: &StackKey, inventory: &Inventory) -> Self {
        let memory = ctx.memory.recall(key);
        let now = ctx.memory.now();
        let drifts = drifted(inventory, &ctx.view, &memory.written, &ctx.settings.namespaces);
        if !memory.written.is_empty() || memory.drift.is_none() {
            ctx.memory.update(key, |memory| {
                memory.written.retain(|id, version| !ctx.view.has_seen(id, *version));
                memory.drift.get_or_insert_with(|| DriftLog::begin(now));
            });
        }
        let may = |id: &ObjectId| memory.drift.as_ref().is_none_or(|log| log.may_repair(id, now).is_ok());
        let (due, waiting) = drifts.into_iter().partition(|(id, _)| may(id));
        Self { due, waiting }
    }

    /// What was done to an object.
    pub fn get(&self, id: &ObjectId) -> Option<&Drift> {
        self.due.get(id).or_else(|| self.waiting.get(id))
    }

    /// An object is in place again.
    pub fn forget(&mut self, id: &ObjectId) {
        self.due.remove(id);
        self.waiting.remove(id);
    }

    /// Leaves out what is no doing of others.
    pub fn disregard(&mut self, is_ours: impl Fn(&ObjectId, &Drift) -> bool) {
        self.due.retain(|id, drift| !is_ours(id, drift));
        self.waiting.retain(|id, drift| !is_ours(id, drift));
    }
}

/// Looks at a drifted object: which fields were changed, and who has them now. The manager that wrote last, which the
/// live view knows, may be one that wrote something else.
pub async fn deed(client: &Client, object: &PlannedObject, drift: &Drift) -> Deed {
    let deed = drift.deed();
    if drift.deleted {
        return deed;
    }
    let (id, api) = (&object.id, api_of(client, &object.id));
    match bounded(|| format!("get {id}"), api.get_metadata_opt(&id.name)).await {
        Ok(Some(live)) => {
            let Taken { manager, fields } = taken_fields(&object.body, &live.metadata);
            Deed { manager: manager.or(deed.manager), fields, ..deed }
        }
        Ok(None) => deed,
        Err(error) => {
            tracing::debug!(object = %id, %error, "which fields were changed is not known");
            deed
        }
    }
}

/// Which of our fields of a live object, with its `managedFields`, others have now.
pub fn taken_of(object: &PlannedObject, live: &Value) -> Taken {
    let metadata: ObjectMeta = live
        .get("metadata")
        .and_then(|metadata| serde_json::from_value(metadata.clone()).ok())
        .unwrap_or_default();
    taken_fields(&object.body, &metadata)
}

fn taken_fields(body: &Value, metadata: &ObjectMeta) -> Taken {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let fields = |entry: &ManagedFieldsEntry| {
        entry.fields_v1.as_ref().map(|fields| fields.0.clone()).unwrap_or_default()
    };
    let (ours, others): (Vec<_>, Vec<_>) = entries
        .iter()
        .filter(|entry| entry.subresource.as_deref() != Some("status"))
        .partition(|entry| is_ours(entry));
    let ours = ours.first().map(|entry| fields(entry)).unwrap_or_default();
    let mut others: Vec<_> = others
        .into_iter()
        .filter_map(|entry| {
            Some((entry.time.as_ref().map(|time| time.0), entry.manager.clone()?, fields(entry)))
        })
        .collect();
    others.sort_by_key(|(time, _, _)| std::cmp::Reverse(*time));
    let others: Vec<_> = others.into_iter().map(|(_, manager, fields)| (manager, fields)).collect();
    taken(body, &ours, &others)
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(labels::FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

/// Objects that are not as we left them. `written` holds versions of our own writes: what the watches knew before one
/// of those says nothing about it.
pub fn drifted(
    inventory: &Inventory,
    view: &LiveView,
    written: &BTreeMap<ObjectId, u64>,
    namespaces: &[String],
) -> BTreeMap<ObjectId, Drift> {
    let mut drifts = BTreeMap::new();
    for (id, entry) in inventory.objects.iter().filter(|(_, entry)| !entry.uid.is_empty()) {
        // What is not watched cannot be told from what is gone.
        if !namespaces.is_empty() && !namespaces.contains(&id.namespace) {
            continue;
        }
        let ours = written.get(id).copied();
        let drift = match view.child(id) {
            None => ours.is_none().then_some(Drift { deleted: true, manager: None }),
            Some(child) if child.version < ours.unwrap_or(0) => None,
            Some(child) if child.deleted => Some(Drift { deleted: true, manager: None }),
            Some(child) if *child.uid != entry.uid || *child.owned != entry.owned => {
                Some(Drift { deleted: false, manager: child.other_manager.as_deref().map(str::to_owned) })
            }
            Some(_) => None,
        };
        drifts.extend(drift.map(|drift| (id.clone(), drift)));
    }
    drifts
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
    use kube::api::ObjectMeta;
    use obstack_api::labels;
    use obstack_core::{inventory::Entry, names::StackKey};
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::live::owned_fields;

    fn id() -> ObjectId {
        "Service/ns/a".parse().unwrap()
    }

    fn live(version: u64, fields: Value) -> ObjectMeta {
        ObjectMeta {
            uid: Some("u".into()),
            resource_version: Some(version.to_string()),
            labels: Some([(labels::STACK.to_owned(), "ns.s".to_owned())].into()),
            managed_fields: Some(vec![ManagedFieldsEntry {
                manager: Some(labels::FIELD_MANAGER.into()),
                operation: Some("Apply".into()),
                fields_v1: Some(FieldsV1(fields)),
                ..ManagedFieldsEntry::default()
            }]),
            ..ObjectMeta::default()
        }
    }

    fn inventory(fields: &Value) -> Inventory {
        let entry =
            Entry { hash: "h".into(), uid: "u".into(), owned: owned_fields(&live(1, fields.clone())) };
        Inventory { objects: [(id(), entry)].into(), ..Inventory::default() }
    }

    fn check(view: &LiveView, written: Option<u64>) -> Option<bool> {
        let written = written.map(|version| (id(), version)).into_iter().collect();
        drifted(&inventory(&json!({"f:a": {}})), view, &written, &[]).get(&id()).map(|drift| drift.deleted)
    }

    #[test]
    fn an_untouched_object_is_no_drift() {
        let view = LiveView::default();
        view.fold_child(&id(), &live(5, json!({"f:a": {}})));
        assert_eq!(check(&view, Some(5)), None);
        assert_eq!(check(&view, None), None);
    }

    #[test]
    fn a_field_taken_from_us_is_drift() {
        let view = LiveView::default();
        view.fold_child(&id(), &live(6, json!({})));
        assert_eq!(check(&view, Some(5)), Some(false));
    }

    #[test]
    fn what_the_watches_knew_before_our_own_write_is_no_drift() {
        let view = LiveView::default();
        assert_eq!(check(&view, Some(5)), None, "the watch has not told of our create yet");
        view.fold_child(&id(), &live(4, json!({})));
        assert_eq!(check(&view, Some(5)), None, "the watch tells of the version before ours");
    }

    #[test]
    fn a_deleted_object_is_drift_whenever_it_was_deleted() {
        let view = LiveView::default();
        view.learn_stack(&StackKey { namespace: "ns".into(), name: "s".into() });
        assert_eq!(check(&view, None), Some(true), "deleted while the operator was down");
        view.fold_child(&id(), &live(5, json!({"f:a": {}})));
        view.fold_deleted(&id(), 9);
        assert_eq!(check(&view, Some(5)), Some(true));
    }
}
