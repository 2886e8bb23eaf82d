//! The `CustomResourceDefinition` as it is installed: the derived schema, the admission rules, columns and defaults.

use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::{
    ObservabilityStack,
    rules::{COMPONENT_RULES, RULES, Rule},
};

/// Most components a backend can name; the API server bounds the cost of the rules by it.
const MAX_COMPONENTS: u32 = 16;

/// Every map of components.
const COMPONENTS: &[&[&str]] = &[
    &["spec", "traces", "components"],
    &["spec", "metrics", "components"],
    &["spec", "collectors", "alloy", "components"],
];

/// The `CustomResourceDefinition` of [`ObservabilityStack`], ready to be installed.
pub fn crd() -> Value {
    let mut crd = serde_json::to_value(ObservabilityStack::crd()).unwrap_or_default();
    if let Some(version) = crd.pointer_mut("/spec/versions/0") {
        version["additionalPrinterColumns"] = printer_columns();
        if let Some(root) = version.pointer_mut("/schema/openAPIV3Schema") {
            complete(root);
        }
    }
    crd
}

/// An object whose fields the API server keeps although the schema does not list them.
pub(crate) fn preserved_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Tolerations, kept as they are written.
pub(crate) fn tolerations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "atomic",
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}

/// Labels that select something. Without any, they would select all.
pub(crate) fn instance_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "minProperties": 1, "maxProperties": 8,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// Operations of a JSON patch (RFC 6902).
pub(crate) fn patch_operations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 32, "x-kubernetes-list-type": "atomic",
        "items": {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": {"type": "string", "enum": ["add", "remove", "replace", "test"]},
                "path": {"type": "string", "maxLength": 1024, "pattern": "^/"},
                "value": {"x-kubernetes-preserve-unknown-fields": true},
            },
        },
    })
}

/// What the derived schema cannot say by itself.
fn complete(root: &mut Value) {
    for rule in RULES {
        add_rule(root, rule.at, rule);
    }
    for components in COMPONENTS {
        if let Some(map) = node_mut(root, components) {
            map["maxProperties"] = json!(MAX_COMPONENTS);
        }
        let selector: Vec<&str> = components.iter().copied().chain(["*", "nodeSelector"]).collect();
        if let Some(selector) = node_mut(root, &selector) {
            selector["maxProperties"] = json!(16);
        }
    }
    for backend in ["traces", "metrics"] {
        for rule in COMPONENT_RULES {
            let at = ["spec", backend, "components", "*"];
            let at: Vec<&str> = at.iter().chain(rule.at).copied().collect();
            add_rule(root, &at, rule);
        }
    }
    for (list, key) in [
        ("conditions", "type"),
        ("components", "name"),
        ("buckets", "name"),
        ("datasources", "name"),
        ("charts", "name"),
        ("advisories", "code"),
    ] {
        if let Some(node) = node_mut(root, &["status", list]) {
            node["x-kubernetes-list-type"] = json!("map");
            node["x-kubernetes-list-map-keys"] = json!([key]);
        }
    }
    // A default on an object that rules read must hold its children too: the API server does not default them first.
    for (field, default) in [
        ("resourcePolicy", json!({"cpuLimits": "Forbid", "memoryLimits": "IngestersAndStoreGateways"})),
        ("disruption", json!({"podDisruptionBudgets": "Auto"})),
        ("quota", json!({"preflight": "Warn"})),
        ("changes", json!({"approval": "Automatic"})),
    ] {
        if let Some(node) = node_mut(root, &["spec", field]) {
            node["default"] = default;
        }
    }
    // Without these a fresh object has no condition at all, and tools take that for done.
    if let Some(status) = node_mut(root, &["status"]) {
        status["default"] = json!({});
    }
    if let Some(conditions) = node_mut(root, &["status", "conditions"]) {
        conditions["default"] = json!([pending("Ready", "Unknown"), pending("Reconciling", "True")]);
    }
}

fn pending(type_: &str, status: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": "Pending", "message": "Waiting for the operator",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    })
}

fn add_rule(root: &mut Value, at: &[&str], rule: &Rule) {
    let Some(node) = node_mut(root, at).and_then(Value::as_object_mut) else { return };
    let rules = node.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
    if let Some(rules) = rules.as_array_mut() {
        rules.push(json!({"rule": rule.rule, "message": rule.message}));
    }
}

/// The schema node at a place; `*` steps into a map's values.
fn node_mut<'a>(root: &'a mut Value, at: &[&str]) -> Option<&'a mut Value> {
    at.iter().try_fold(root, |node, step| match *step {
        "*" => node.get_mut("additionalProperties"),
        field => node.get_mut("properties")?.get_mut(field),
    })
}

fn printer_columns() -> Value {
    let column = |name: &str, path: &str, type_: &str, priority: i32| {
        let mut column = Map::new();
        column.insert("name".into(), json!(name));
        column.insert("jsonPath".into(), json!(path));
        column.insert("type".into(), json!(type_));
        if priority > 0 {
            column.insert("priority".into(), json!(priority));
        }
        Value::Object(column)
    };
    json!([
        column("Env", ".spec.environment", "string", 0),
        column("Ready", ".status.conditions[?(@.type=='Ready')].status", "string", 0),
        column("Reason", ".status.conditions[?(@.type=='Ready')].reason", "string", 0),
        column("Components", ".status.summary.componentsReady", "string", 0),
        column("DataPath", ".status.conditions[?(@.type=='DataPathVerified')].status", "string", 0),
        column("Age", ".metadata.creationTimestamp", "date", 0),
        column("CPU", ".status.requests.cpu", "string", 1),
        column("Memory", ".status.requests.memory", "string", 1),
        column("Storage", ".status.requests.storage", "string", 1),
        column("Quota", ".status.summary.quota", "string", 1),
        column("Policy", ".status.summary.policy", "string", 1),
        column("Versions", ".status.summary.versions", "string", 1),
        column("Message", ".status.conditions[?(@.type=='Ready')].message", "string", 1),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `visit` with the path and the node of every schema below `node`.
    fn walk(path: &str, node: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        visit(path, node);
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), child, visit);
        }
        for (step, child) in [("*", &node["additionalProperties"]), ("[]", &node["items"])] {
            if child.is_object() {
                walk(&format!("{path}.{step}"), child, visit);
            }
        }
    }

    fn schema() -> Value {
        crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    }

    #[test]
    fn every_node_has_a_type_or_is_an_open_one() {
        walk("", &schema(), &mut |path, node| {
            let open = node["x-kubernetes-preserve-unknown-fields"] == true
                || node["x-kubernetes-int-or-string"] == true;
            assert!(node["type"].is_string() || open, "{path} has no type: {node}");
        });
    }

    #[test]
    fn every_field_of_the_spec_is_documented_and_bounded() {
        walk(".spec", &schema()["properties"]["spec"], &mut |path, node| {
            let named = !path.ends_with(".*") && !path.ends_with("[]");
            assert!(
                !named || node["description"].is_string() || path.contains("operations"),
                "{path} has no description"
            );
            if node["type"] == "array" {
                assert!(node["maxItems"].is_number(), "{path} has no maxItems");
            }
            if node["additionalProperties"].is_object() {
                assert!(node["maxProperties"].is_number(), "{path} has no maxProperties");
            }
        });
    }

    #[test]
    fn every_rule_found_its_place() {
        let mut placed = 0;
        walk("", &schema(), &mut |_, node| {
            placed += node["x-kubernetes-validations"].as_array().map_or(0, Vec::len);
        });
        assert_eq!(placed, RULES.len() + 2 * COMPONENT_RULES.len());
    }

    #[test]
    fn no_number_has_a_format_that_the_api_server_does_not_know() {
        walk("", &schema(), &mut |path, node| {
            let format = node["format"].as_str().unwrap_or("int32");
            assert!(["int32", "int64", "date-time"].contains(&format), "{path}: {format}");
        });
    }

    #[test]
    fn the_lists_of_known_components_agree_with_the_rules() {
        for (backend, known) in
            [("traces", crate::rules::TRACES_COMPONENTS), ("metrics", crate::rules::METRICS_COMPONENTS)]
        {
            let rule = RULES.iter().find(|r| r.at == ["spec", backend, "components"]).unwrap();
            assert!(rule.message.ends_with(&known.join(", ")), "{backend}");
            assert!(known.iter().all(|name| rule.rule.contains(&format!("'{name}'"))), "{backend}");
        }
    }
}
