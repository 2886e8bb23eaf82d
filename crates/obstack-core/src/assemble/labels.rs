//! Labels and ownership on every object.

use obstack_api::labels;
use serde_json::{Map, Value, json};

use super::{Manifest, object_at};
use crate::design::Design;

/// Sets them. An object outside the stack's namespace gets no owner: the garbage collector would take it for
/// ownerless and delete it.
pub(super) fn set(design: &Design, manifest: &mut Manifest) {
    let metadata = object_at(&mut manifest.body, "metadata");
    // An empty map is owned as a whole: whoever puts the first entry into it takes it from us, as the controller of
    // Deployments does with its revision, and that would look like drift.
    let empty = metadata.get("annotations").and_then(Value::as_object).is_some_and(Map::is_empty);
    if empty && let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("annotations");
    }
    let set = object_at(metadata, "labels");
    set[labels::STACK] = json!(design.key.label());
    set[labels::MANAGED_BY] = json!("obstack");
    set[labels::PART_OF] = json!("obstack");
    set[labels::APPLYSET_PART_OF] = json!(design.key.applyset_id());
    if let Some(component) = &manifest.component {
        set[labels::COMPONENT] = json!(component);
    }
    if let Some(uid) = design.owner_uid.as_ref().filter(|_| manifest.id.namespace == design.key.namespace) {
        metadata["ownerReferences"] = json!([{
            "apiVersion": "obstack.dev/v1alpha1",
            "kind": "ObservabilityStack",
            "name": design.key.name,
            "uid": uid,
            "controller": true,
        }]);
    }
}
