//! The resource policy on every pod template: no CPU limits, requests everywhere, memory limits only where memory
//! grows with what is not flushed yet (ingesters) or with the index (store-gateways).

use obstack_api::{CpuLimits, MemoryLimits, ResourcePolicy};
use serde_json::{Map, Value};

use super::{AssembleError, Manifest, containers_mut, object_at, rendered, template_mut};
use crate::design::{Release, Workload};

/// Requests of a container that neither the chart nor the spec gives any: enough for an exporter or a reloader.
const SIDECAR_CPU: &str = "10m";
/// See [`SIDECAR_CPU`].
const SIDECAR_MEMORY: &str = "32Mi";

/// Enforces the policy on a workload; leaves every other object as it is.
pub(super) fn enforce(
    policy: ResourcePolicy,
    release: &Release,
    manifest: &mut Manifest,
) -> Result<(), AssembleError> {
    let wanted = release.workloads.iter().find(|wanted| wanted.name == manifest.id.name).cloned();
    let id = manifest.id.clone();
    let Some(template) = template_mut(manifest) else { return Ok(()) };
    let pod = object_at(template, "spec");
    if policy.cpu_limits == CpuLimits::Forbid
        && let Some(limits) = pod.pointer_mut("/resources/limits").and_then(Value::as_object_mut)
    {
        // Of the pod as a whole (KEP-2837): it throttles all containers together.
        limits.remove("cpu");
    }
    let main = pod.pointer("/containers/0/name").and_then(Value::as_str).map(str::to_owned);
    for container in containers_mut(pod) {
        let is_main = container["name"].as_str() == main.as_deref();
        limits(policy, container, wanted.as_ref().filter(|_| is_main));
        requests(container, wanted.as_ref().filter(|_| is_main));
        amounts_as_text(container);
    }
    let bears_limit = wanted.as_ref().is_some_and(|wanted| wanted.class.bears_memory_limit());
    let limited = pod.pointer("/containers/0/resources/limits/memory").is_some();
    if policy.memory_limits == MemoryLimits::IngestersAndStoreGateways && bears_limit && !limited {
        return Err(rendered(
            &release.name,
            format!("{id} bears an ingester or a store-gateway and has no memory limit"),
        ));
    }
    Ok(())
}

/// Requests of the main container are the spec's. Any other container keeps its own, or gets its limits, as the API
/// server has it, or small ones.
fn requests(container: &mut Value, wanted: Option<&Workload>) {
    let resources = object_at(container, "resources");
    let limits = resources.get("limits").cloned().unwrap_or_default();
    let requests = object_at(resources, "requests");
    let defaults = [("cpu", SIDECAR_CPU), ("memory", SIDECAR_MEMORY)];
    for (resource, small) in defaults {
        let spec = wanted.map(|wanted| if resource == "cpu" { &wanted.cpu } else { &wanted.memory });
        if let Some(amount) = spec {
            requests[resource] = amount.as_str().into();
        } else if requests.get(resource).is_none() {
            requests[resource] = limits.get(resource).cloned().unwrap_or_else(|| small.into());
        }
    }
}

/// Charts write `cpu: 1` as a number; the API server would give it back as text and it would look like drift.
fn amounts_as_text(container: &mut Value) {
    for list in ["requests", "limits"] {
        let amounts = container.pointer_mut(&format!("/resources/{list}")).and_then(Value::as_object_mut);
        for amount in amounts.into_iter().flat_map(Map::values_mut) {
            if let Some(number) = amount.as_number().map(ToString::to_string) {
                *amount = number.into();
            }
        }
    }
}

fn limits(policy: ResourcePolicy, container: &mut Value, wanted: Option<&Workload>) {
    let resources = object_at(container, "resources");
    let limits = object_at(resources, "limits");
    if let Some(limits) = limits.as_object_mut() {
        match policy.cpu_limits {
            CpuLimits::Forbid => _ = limits.remove("cpu"),
            CpuLimits::Allow => {
                if let Some(limit) = wanted.and_then(|wanted| wanted.cpu_limit.clone()) {
                    limits.insert("cpu".into(), limit.into());
                }
            }
        }
        let limit = wanted.and_then(|wanted| wanted.memory_limit.clone());
        match (policy.memory_limits, limit) {
            (_, Some(limit)) => _ = limits.insert("memory".into(), limit.into()),
            (MemoryLimits::IngestersAndStoreGateways, None) => _ = limits.remove("memory"),
            (MemoryLimits::Any, None) => {}
        }
        if limits.is_empty()
            && let Some(resources) = resources.as_object_mut()
        {
            resources.remove("limits");
        }
    }
}
