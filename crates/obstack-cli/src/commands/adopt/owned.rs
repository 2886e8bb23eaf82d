//! What only Helm has of a live object, told from `managedFields`. These fields go with the operator's first apply after
//! the hand-over, unless it sets them itself. Pure.

use std::collections::BTreeSet;

use obstack_api::labels;
use obstack_engine::cluster::hand_over::Manager;
use serde_json::Value;

/// What Helm sets on every object, so that whoever has it runs releases.
const OF_HELM: &str = "/f:metadata/f:annotations/f:meta.helm.sh~1release-name";

/// A path as `FieldsV1` writes it, step by step.
type Path = Vec<String>;

/// Managers that have written an object for Helm: those whose name says so, and whoever has Helm's annotations. Such as
/// `helm`, `helm-controller`, `terraform-provider-helm_v3`.
pub fn managers(object: &Value) -> Vec<Manager> {
    let mut found = Vec::new();
    for entry in entries(object) {
        let (name, operation) = (text(entry, "manager"), text(entry, "operation"));
        let whole = text(entry, "subresource").is_empty();
        let helms = name.contains("helm") || entry["fieldsV1"].pointer(OF_HELM).is_some();
        let manager = Manager { name: name.to_owned(), operation: operation.to_owned() };
        if whole && helms && name != labels::FIELD_MANAGER && !found.contains(&manager) {
            found.push(manager);
        }
    }
    found
}

/// The object without the fields that only these managers have.
pub fn without(object: &Value, of: &[String]) -> Value {
    let (mut theirs, mut others) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries(object) {
        let is_theirs =
            text(entry, "subresource").is_empty() && of.iter().any(|name| name == text(entry, "manager"));
        members(&entry["fieldsV1"], &mut Vec::new(), if is_theirs { &mut theirs } else { &mut others });
    }
    let mut rest = object.clone();
    for path in theirs.difference(&others) {
        // Somebody else has a part of it.
        let shared = others.iter().any(|other| other.starts_with(path));
        if !shared {
            remove(&mut rest, path);
        }
    }
    rest
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Collects the paths of a set of fields.
fn members(tree: &Value, at: &mut Path, found: &mut BTreeSet<Path>) {
    let Some(children) = tree.as_object() else { return };
    if !at.is_empty() && (children.is_empty() || children.contains_key(".")) {
        found.insert(at.clone());
    }
    for (key, child) in children.iter().filter(|(key, _)| *key != ".") {
        at.push(key.clone());
        members(child, at, found);
        at.pop();
    }
}

fn remove(value: &mut Value, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            if let (Some(key), Some(map)) = (last.strip_prefix("f:"), value.as_object_mut()) {
                map.remove(key);
            } else if let Some(list) = value.as_array_mut() {
                list.retain(|entry| !is_entry(last, entry));
            }
        }
        [first, rest @ ..] => {
            let child = match (first.strip_prefix("f:"), &mut *value) {
                (Some(key), Value::Object(map)) => map.get_mut(key),
                (_, Value::Array(list)) => list.iter_mut().find(|entry| is_entry(first, entry)),
                _ => None,
            };
            if let Some(child) = child {
                remove(child, rest);
            }
        }
    }
}

/// Whether a step means an entry of a list: by the fields that are its key, or by its value.
fn is_entry(step: &str, entry: &Value) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match step.split_once(':') {
        Some(("k", keys)) => parsed(keys).is_some_and(|keys| {
            keys.as_object().is_some_and(|keys| keys.iter().all(|(key, value)| entry.get(key) == Some(value)))
        }),
        Some(("v", value)) => parsed(value).is_some_and(|value| value == *entry),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MAIN: &str = r#"k:{"name":"main"}"#;
    const PORT: &str = r#"k:{"containerPort":80,"protocol":"TCP"}"#;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields})
    }

    fn helms() -> Value {
        json!({
            "f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}}, "f:labels": {"f:a": {}}},
            "f:spec": {"f:replicas": {}, "f:containers": {MAIN: {
                ".": {}, "f:name": {}, "f:limits": {"f:cpu": {}, "f:memory": {}}, "f:ports": {PORT: {".": {}, "f:containerPort": {}}},
            }}},
        })
    }

    fn object(entries: &Value) -> Value {
        json!({
            "metadata": {"annotations": {"meta.helm.sh/release-name": "x"}, "labels": {"a": "b"}, "managedFields": entries},
            "spec": {"replicas": 1, "containers": [{
                "name": "main", "limits": {"cpu": "1", "memory": "1Gi"}, "ports": [{"containerPort": 80, "protocol": "TCP"}],
            }]},
        })
    }

    #[test]
    fn whoever_runs_releases_is_found_by_name_or_by_helms_annotation() {
        let status =
            json!({"manager": "helm-x", "operation": "Update", "subresource": "status", "fieldsV1": {}});
        let live = object(&json!([
            entry("helm", "Update", &json!({})),
            entry("my-deployer", "Apply", &helms()),
            entry("kubectl", "Update", &json!({"f:spec": {}})),
            entry(labels::FIELD_MANAGER, "Apply", &helms()),
            status,
        ]));
        let names: Vec<_> =
            managers(&live).into_iter().map(|one| format!("{} {}", one.operation, one.name)).collect();
        assert_eq!(names, ["Update helm", "Apply my-deployer"]);
    }

    #[test]
    fn what_only_helm_has_goes_and_what_others_have_too_stays() {
        let ours = json!({"f:spec": {"f:containers": {MAIN: {".": {}, "f:name": {}, "f:limits": {"f:memory": {}}}}}});
        let live = object(&json!([entry("helm", "Apply", &helms()), entry("obstack", "Apply", &ours)]));
        let left = without(&live, &["helm".to_owned()]);
        assert_eq!(
            left["spec"],
            json!({"containers": [{"name": "main", "limits": {"memory": "1Gi"}, "ports": []}]})
        );
        assert_eq!((&left["metadata"]["annotations"], &left["metadata"]["labels"]), (&json!({}), &json!({})));
    }

    #[test]
    fn an_entry_of_which_somebody_has_a_part_stays() {
        let part = json!({"f:spec": {"f:containers": {MAIN: {"f:limits": {"f:cpu": {}}}}}});
        let live = object(&json!([entry("helm", "Update", &helms()), entry("kubectl", "Update", &part)]));
        let left = without(&live, &["helm".to_owned()]);
        assert_eq!(left["spec"]["containers"][0]["limits"], json!({"cpu": "1"}));
    }
}
