//! From workloads and pods as the API server has them to the few facts that decisions need.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{ResourceExt, api::DynamicObject};
use obstack_api::{Reason, labels};
use obstack_core::health::{PodFacts, Trouble, WorkloadFacts};
use serde_json::Value;

/// Facts of a Deployment or StatefulSet.
pub fn workload(object: &DynamicObject) -> WorkloadFacts {
    let number = |path: &str| object.data.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let count = |path: &str| i32::try_from(number(path)).unwrap_or(i32::MAX);
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let failure =
        conditions.into_iter().flatten().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True");
    WorkloadFacts {
        generation: object.metadata.generation.unwrap_or(0),
        observed_generation: number("/status/observedGeneration"),
        replicas: count("/spec/replicas"),
        updated: count("/status/updatedReplicas"),
        ready: count("/status/readyReplicas"),
        created: count("/status/replicas"),
        refusal: failure.and_then(|c| c["message"].as_str()).map(str::to_owned),
    }
}

/// Facts of a pod.
pub fn pod(pod: &Pod) -> PodFacts {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let unschedulable = conditions
        .iter()
        .find(|c| {
            c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
        })
        .map(|c| unscheduled(c.message.as_deref().unwrap_or_default()));
    let containers = status.into_iter().flat_map(|status| {
        let inits = status.init_container_statuses.as_deref().unwrap_or_default();
        inits.iter().chain(status.container_statuses.as_deref().unwrap_or_default())
    });
    PodFacts {
        name: pod.name_any(),
        component: pod.labels().get(labels::COMPONENT).cloned().unwrap_or_default(),
        ready: ready && pod.metadata.deletion_timestamp.is_none(),
        trouble: unschedulable.or_else(|| containers.into_iter().find_map(container_trouble)),
    }
}

/// Every pod with a claim is unschedulable for a moment, until the claim is bound.
fn unscheduled(message: &str) -> Trouble {
    let binding = message.contains("unbound immediate PersistentVolumeClaims");
    let reason = if binding { Reason::RolloutInProgress } else { Reason::Unschedulable };
    Trouble { reason, message: message.to_owned() }
}

fn container_trouble(container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let said = waiting.message.clone().unwrap_or_default();
    match waiting.reason.as_deref()? {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => Some(Trouble {
            reason: Reason::ImagePullFailed,
            message: format!("image {}: {said}", container.image),
        }),
        "CrashLoopBackOff" => {
            // How it ended stands in the last state; the waiting reason only says that it did.
            let ended = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
            let how = ended.map_or(said, |ended| {
                let words = ended.message.as_deref().unwrap_or_default().trim();
                let last_line = words.lines().last().unwrap_or_default();
                format!(
                    "{} (exit code {}) {last_line}",
                    ended.reason.as_deref().unwrap_or("Error"),
                    ended.exit_code
                )
            });
            let message = format!(
                "container {} restarted {} times: {}",
                container.name,
                container.restart_count,
                how.trim()
            );
            Some(Trouble { reason: Reason::CrashLoop, message })
        }
        _ => None,
    }
}
