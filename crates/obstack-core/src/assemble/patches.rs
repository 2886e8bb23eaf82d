//! The user's patches on rendered objects.

use obstack_api::{CpuLimits, ResourcePolicy};
use serde_json::Value;

use super::{AssembleError, Manifest};
use crate::design::Release;

/// Carries the patches out, in order.
pub(super) fn apply(
    release: &Release,
    manifests: &mut [Manifest],
    policy: ResourcePolicy,
) -> Result<(), AssembleError> {
    for patch in &release.patches {
        let mut matched = false;
        for manifest in manifests.iter_mut() {
            let named = patch.name.as_ref().is_none_or(|name| *name == manifest.id.name);
            if manifest.id.kind.as_str() != patch.kind || !named {
                continue;
            }
            matched = true;
            let before = cpu_limits(&manifest.body);
            json_patch::patch(&mut manifest.body, &patch.operations).map_err(|error| {
                AssembleError::Patch {
                    field: patch.field.clone(),
                    what: format!(
                        "cannot be carried out on {}: {error}; check the path against the rendered object",
                        manifest.id
                    ),
                }
            })?;
            if policy.cpu_limits == CpuLimits::Forbid && cpu_limits(&manifest.body) > before {
                return Err(AssembleError::Policy {
                    field: patch.field.clone(),
                    what: format!(
                        "sets a CPU limit on {}, which resourcePolicy.cpuLimits forbids; remove it",
                        manifest.id
                    ),
                });
            }
        }
        if !matched {
            let name = patch.name.as_deref().unwrap_or("of any name");
            return Err(AssembleError::Patch {
                field: patch.field.clone(),
                what: format!("matches nothing: the chart renders no {} {name}; check target", patch.kind),
            });
        }
    }
    Ok(())
}

/// How many CPU limits stand in an object.
fn cpu_limits(value: &Value) -> usize {
    match value {
        Value::Object(map) => {
            let here = map.get("limits").is_some_and(|limits| limits.get("cpu").is_some());
            usize::from(here) + map.values().map(cpu_limits).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(cpu_limits).sum(),
        _ => 0,
    }
}
