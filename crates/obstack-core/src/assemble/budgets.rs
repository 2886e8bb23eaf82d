//! Disruption budgets: one wherever more than one replica runs, so that a drain takes one pod at a time.

use serde_json::json;

use super::{Manifest, replicas};
use crate::objects::{Kind, ObjectId};

/// The budget of a workload with more than one replica. It selects exactly the workload's pods, so each pod is
/// covered once; eviction is refused for a pod that two budgets cover.
pub(super) fn of(manifest: &Manifest) -> Option<Manifest> {
    if !manifest.id.kind.is_workload() || replicas(&manifest.body) < 2 {
        return None;
    }
    let labels = manifest.body.pointer("/spec/selector/matchLabels")?;
    let id = ObjectId { kind: Kind::PodDisruptionBudget, ..manifest.id.clone() };
    let body = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": id.name, "namespace": id.namespace},
        // A pod that is not ready protects nothing: without AlwaysAllow a crashing pod would block the drain for ever.
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels}, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    });
    Some(Manifest { id, body, component: None })
}
