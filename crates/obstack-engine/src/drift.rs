//! Which objects somebody else changed or deleted, told from the live view alone.

use std::collections::BTreeMap;

use obstack_core::{inventory::Inventory, objects::ObjectId};

use crate::cluster::live::LiveView;

/// What somebody else did to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// It was deleted.
    pub deleted: bool,
    /// The field manager that changed it, where the API server tells.
    pub manager: Option<String>,
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
