//! The user's values and patches: what they may not do is known before anything is rendered.

use obstack_api::{CpuLimits, Patch, Reason, ResourcePolicy};
use serde_json::{Map, Value};

use crate::{
    backends::{
        Backend,
        values::{Values, leaves},
    },
    valid::ValidPatch,
    violation::Violation,
};

/// What to do about a CPU limit in an override.
const NO_CPU_LIMIT: &str =
    "sets a CPU limit, which resourcePolicy.cpuLimits forbids; remove it, or set cpuLimits: Allow";

/// Checks the values that need no knowledge of the operator's own.
pub(super) fn values(
    backend: Backend,
    values: Option<&Map<String, Value>>,
    policy: ResourcePolicy,
    faults: &mut Vec<Violation>,
) -> Option<Map<String, Value>> {
    let values = values?;
    if policy.cpu_limits == CpuLimits::Forbid {
        let at = format!("spec.{}.values", backend.signal());
        let found = values.iter().flat_map(|(key, value)| cpu_limits(&format!("{at}.{key}"), value));
        faults.extend(found.map(|field| Violation::new(Reason::OverrideViolatesPolicy, field, NO_CPU_LIMIT)));
    }
    Some(values.clone())
}

/// Refuses values that the typed API owns: there is one source of truth.
pub(super) fn owned_keys(
    backend: Backend,
    user: &Map<String, Value>,
    ours: &Values,
    faults: &mut Vec<Violation>,
) {
    for path in leaves(user) {
        if let Some(entry) = ours.owner_of(&path) {
            let field = format!("spec.{}.values.{}", backend.signal(), path.join("."));
            let message = if entry.owner.starts_with("spec.") {
                format!("is decided by {}; set it there and remove it here", entry.owner)
            } else {
                format!("is decided by the operator ({}); remove it", entry.owner)
            };
            faults.push(Violation::new(Reason::OverrideOwnedByApi, field, message));
        }
    }
}

/// Checks and reads the patches.
pub(super) fn patches(
    backend: Backend,
    patches: &[Patch],
    policy: ResourcePolicy,
    faults: &mut Vec<Violation>,
) -> Vec<ValidPatch> {
    let mut valid = Vec::new();
    for (index, patch) in patches.iter().enumerate() {
        let field = format!("spec.{}.patches[{index}]", backend.signal());
        if policy.cpu_limits == CpuLimits::Forbid && patch.operations.iter().any(sets_cpu_limit) {
            faults.push(Violation::new(Reason::OverrideViolatesPolicy, &field, NO_CPU_LIMIT));
        }
        if let Some(path) = patch.operations.iter().flat_map(changes).find(|path| is_identity(path)) {
            let message =
                format!("changes {path}, by which the operator knows the object; remove the operation");
            faults.push(Violation::new(Reason::InvalidPatch, &field, message));
        }
        match serde_json::from_value(Value::Array(patch.operations.clone())) {
            Ok(operations) => valid.push(ValidPatch { field, target: patch.target.clone(), operations }),
            Err(error) => faults.push(Violation::new(
                Reason::InvalidPatch,
                field,
                format!("is not a JSON patch (RFC 6902): {error}; write operations as {{op: add, path: /spec/..., value: ...}}"),
            )),
        }
    }
    valid
}

/// Whether an operation writes a CPU limit, by its path or inside its value.
fn sets_cpu_limit(operation: &Value) -> bool {
    if operation["op"] == "remove" || operation["op"] == "test" {
        return false;
    }
    let path = operation["path"].as_str().unwrap_or_default();
    let value = &operation["value"];
    path.ends_with("/limits/cpu")
        || (path.ends_with("/limits") && value.get("cpu").is_some())
        || (path.ends_with("/resources") && value.pointer("/limits/cpu").is_some())
        || has_cpu_limit(value)
}

fn has_cpu_limit(value: &Value) -> bool {
    !cpu_limits("", value).is_empty()
}

/// Where CPU limits stand in a value, in lists of containers too. Null is none: it is how Helm removes a default.
fn cpu_limits(at: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let below = map.iter().flat_map(|(key, child)| cpu_limits(&format!("{at}.{key}"), child));
            let here = map.get("cpu").filter(|limit| at.ends_with(".limits") && !limit.is_null());
            here.map(|_| format!("{at}.cpu")).into_iter().chain(below).collect()
        }
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.flat_map(|(index, item)| cpu_limits(&format!("{at}[{index}]"), item)).collect()
        }
        _ => Vec::new(),
    }
}

/// Paths that an operation changes.
fn changes(operation: &Value) -> impl Iterator<Item = &str> {
    let keys: &[&str] = match operation["op"].as_str() {
        Some("test") => &[],
        Some("move") => &["path", "from"],
        _ => &["path"],
    };
    keys.iter().filter_map(|key| operation[*key].as_str())
}

/// Whether a path names what an object is known by.
fn is_identity(path: &str) -> bool {
    [
        "",
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/namespace",
        "/metadata/ownerReferences",
        "/metadata",
    ]
    .contains(&path)
        || path.starts_with("/metadata/ownerReferences/")
}
