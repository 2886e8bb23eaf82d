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
        for path in
            leaves(values).iter().filter(|path| path.ends_with(&["limits".to_owned(), "cpu".to_owned()]))
        {
            let field = format!("spec.{}.values.{}", backend.signal(), path.join("."));
            faults.push(Violation::new(Reason::OverrideViolatesPolicy, field, NO_CPU_LIMIT));
        }
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
        if let Some(path) =
            patch.operations.iter().filter_map(|op| op["path"].as_str()).find(|path| is_identity(path))
        {
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
    match value {
        Value::Object(map) => {
            map.get("limits").is_some_and(|limits| limits.get("cpu").is_some())
                || map.values().any(has_cpu_limit)
        }
        Value::Array(list) => list.iter().any(has_cpu_limit),
        _ => false,
    }
}

/// Whether a path names what an object is known by.
fn is_identity(path: &str) -> bool {
    [
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
