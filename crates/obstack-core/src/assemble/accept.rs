//! What a chart may render. Everything else is refused with its name: nothing is dropped unseen but the charts' own
//! disruption budgets, which ours replace.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{AssembleError, Manifest, object_at, rendered};
use crate::{
    design::{Design, Release},
    objects::{Kind, ObjectId},
};

/// The API server refuses larger objects; a chart that renders one is broken.
const MAX_OBJECT_BYTES: usize = 1 << 20;

/// Checks and cleans the objects of a release.
pub(super) fn accept(
    design: &Design,
    release: &Release,
    objects: &[Value],
) -> Result<Vec<Manifest>, AssembleError> {
    let mut accepted = Vec::new();
    for object in objects {
        let mut body = object.clone();
        strip_nulls(&mut body);
        let kind_name = object["kind"].as_str().unwrap_or("object without kind").to_owned();
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let said = format!("{kind_name} {name}");
        if body.pointer("/metadata/annotations").is_some_and(|a| a.get("helm.sh/hook").is_some()) {
            return Err(rendered(
                &release.name,
                format!(
                    "the chart renders the hook {said}, which the operator never runs; switch it off in values"
                ),
            ));
        }
        let Some(kind) = Kind::of(&body).filter(|kind| !kind.is_optional()) else {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            return Err(rendered(
                &release.name,
                format!(
                    "the chart renders {said} ({version}), a kind the operator never applies from a chart; switch it off in values"
                ),
            ));
        };
        if name.is_empty() {
            return Err(rendered(&release.name, format!("the chart renders a {kind_name} without a name")));
        }
        let metadata = object_at(&mut body, "metadata");
        match object.pointer("/metadata/namespace").and_then(Value::as_str) {
            None | Some("") => metadata["namespace"] = design.key.namespace.clone().into(),
            Some(namespace) if namespace == design.key.namespace => {}
            Some(namespace) => {
                return Err(rendered(
                    &release.name,
                    format!(
                        "the chart renders {said} into namespace {namespace}; only {} is the stack's",
                        design.key.namespace
                    ),
                ));
            }
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("creationTimestamp");
        }
        let size = body.to_string().len();
        if size > MAX_OBJECT_BYTES {
            return Err(rendered(
                &release.name,
                format!(
                    "the chart renders {said} with {size} bytes, more than an API server takes ({MAX_OBJECT_BYTES})"
                ),
            ));
        }
        if kind == Kind::PodDisruptionBudget {
            continue;
        }
        if let Some(body) = body.as_object_mut() {
            body.remove("status");
        }
        accepted.push(Manifest {
            id: ObjectId { kind, namespace: design.key.namespace.clone(), name },
            body,
            component: None,
        });
    }
    if accepted.is_empty() {
        return Err(rendered(&release.name, "the chart renders nothing; check its values"));
    }
    Ok(accepted)
}

/// No object stands twice: two releases that render the same one would overwrite each other for ever.
pub(super) fn each_once(manifests: &[Manifest]) -> Result<(), AssembleError> {
    let mut seen = BTreeSet::new();
    for manifest in manifests {
        if !seen.insert(&manifest.id) {
            return Err(rendered(
                &manifest.id.namespace,
                format!("{} is rendered twice; give one of them another name", manifest.id),
            ));
        }
    }
    Ok(())
}

/// An object of our own, as a manifest.
pub(super) fn own(object: &Value) -> Option<Manifest> {
    Some(Manifest { id: ObjectId::of(object)?, body: object.clone(), component: None })
}

/// Removes null fields: under server-side apply they would be owned as fields.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, child| !child.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}
