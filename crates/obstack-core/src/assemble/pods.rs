//! What the spec says of pods that charts say in different ways or not at all: where they run, what rolls them, what
//! they trust, and how long they may take to flush.

use obstack_api::labels;
use serde_json::{Value, json};

use super::{Manifest, containers_mut, object_at, template_mut};
use crate::{
    backends::role::Class,
    design::{Design, Release},
    objects::Kind,
};

/// Folder in which pods find the object store's certificate authority.
const CA_FOLDER: &str = "/etc/obstack/object-storage-ca";
/// File in [`CA_FOLDER`] with the authority, for the backends' configuration.
pub(crate) const CA_FILE: &str = "/etc/obstack/object-storage-ca/ca.crt";
/// Name of the volume with the authority.
const CA_VOLUME: &str = "object-storage-ca";
/// Shortest time, in seconds, that an ingester gets to flush before it is killed. Flushing a full head to the object
/// store takes minutes; what is not flushed must be replayed.
const INGESTER_GRACE_SECONDS: u64 = 300;

/// Completes a workload; leaves every other object as it is.
pub(super) fn complete(design: &Design, release: &Release, manifest: &mut Manifest) {
    if manifest.id.kind == Kind::StatefulSet {
        let spec = object_at(&mut manifest.body, "spec");
        // One and the same for every chart, because it is immutable: a stack may change its chart source. Parallel,
        // because a corrected template then also replaces a pod that never became ready (kubernetes/kubernetes#67250).
        // A set that is taken over keeps its own.
        if !release.given {
            spec["podManagementPolicy"] = json!("Parallel");
        }
        // Also the API server's default; said here so that no chart or hand can have claims deleted with their pods.
        spec["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    }
    let wanted = release.workloads.iter().find(|wanted| wanted.name == manifest.id.name).cloned();
    let component = manifest.component.clone();
    let Some(template) = template_mut(manifest) else { return };
    let uses_credentials = mentions_secret(template, &design.credentials.0);
    if let Some(component) = &component {
        object_at(object_at(template, "metadata"), "labels")[labels::COMPONENT] = json!(component);
    }
    object_at(object_at(template, "metadata"), "labels")[labels::STACK] = json!(design.key.label());
    if uses_credentials {
        object_at(object_at(template, "metadata"), "annotations")[labels::CREDENTIALS_HASH] =
            json!(design.credentials.1);
    }
    let pod = object_at(template, "spec");
    if uses_credentials && let Some((secret, key)) = &design.ca {
        mount_authority(pod, secret, key);
    }
    let Some(wanted) = wanted else { return };
    if !wanted.node_selector.is_empty() {
        pod["nodeSelector"] = json!(wanted.node_selector);
    }
    if !wanted.tolerations.is_empty() {
        pod["tolerations"] = json!(wanted.tolerations);
    }
    if let Some(class) = wanted.priority_class {
        pod["priorityClassName"] = json!(class);
    }
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(0);
    if wanted.class == Class::Ingester && grace < INGESTER_GRACE_SECONDS {
        pod["terminationGracePeriodSeconds"] = json!(INGESTER_GRACE_SECONDS);
    }
}

/// Whether a pod takes anything from a Secret.
fn mentions_secret(value: &Value, secret: &str) -> bool {
    match value {
        Value::Object(map) => {
            let here = ["secretKeyRef", "secretRef"]
                .iter()
                .any(|key| map.get(*key).is_some_and(|r| r["name"] == secret));
            here || map.values().any(|child| mentions_secret(child, secret))
        }
        Value::Array(list) => list.iter().any(|child| mentions_secret(child, secret)),
        _ => false,
    }
}

fn mount_authority(pod: &mut Value, secret: &str, key: &str) {
    let volume = json!({"name": CA_VOLUME, "secret": {"secretName": secret, "items": [{"key": key, "path": "ca.crt"}]}});
    push(pod, "volumes", volume);
    for container in containers_mut(pod) {
        push(container, "volumeMounts", json!({"name": CA_VOLUME, "mountPath": CA_FOLDER, "readOnly": true}));
    }
}

fn push(parent: &mut Value, list: &str, item: Value) {
    match parent.get_mut(list).and_then(Value::as_array_mut) {
        Some(list) => list.push(item),
        None => parent[list] = json!([item]),
    }
}
