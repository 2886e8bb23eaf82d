//! What one pod of a component needs, kept with the inventory so that it is known without rendering.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quantity::Amount;

/// What one pod of a component needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodNeed {
    /// Its containers as the workload's template has them, init containers first.
    pub containers: Vec<ContainerNeed>,
    /// Volume claims that come with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimNeed>,
    /// What the runtime needs beside the containers (`spec.overhead`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub overhead: BTreeMap<String, Amount>,
    /// Its priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class: Option<String>,
    /// Pods beyond the replicas while an update rolls: what `maxSurge` of a Deployment comes to.
    #[serde(skip_serializing_if = "is_zero")]
    pub surge: u32,
    /// Hash of the pod template: when it changes, pods are replaced.
    pub template: String,
}

/// What a container needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerNeed {
    /// Name of the container.
    pub name: String,
    /// When it runs.
    #[serde(skip_serializing_if = "is_main")]
    pub runs: Runs,
    /// Requests, by resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Amount>,
    /// Limits, by resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Amount>,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runs {
    /// With the pod.
    #[default]
    Main,
    /// Before the pod, to its end.
    Init,
    /// From before the pod to its end (KEP-753: an init container with `restartPolicy: Always`).
    Sidecar,
}

/// A volume claim that comes with each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimNeed {
    /// Name of the claim template: the claims are named `TEMPLATE-POD`.
    pub name: String,
    /// Storage class; the cluster's default when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Size.
    pub size: Amount,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_main(runs: &Runs) -> bool {
    *runs == Runs::Main
}

impl PodNeed {
    /// What a pod of a workload needs, read from the workload as it is applied.
    pub fn of(workload: &Value) -> Self {
        let template = workload.pointer("/spec/template").unwrap_or(&Value::Null);
        let pod = &template["spec"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let init = list(&pod["initContainers"]);
        let main = list(&pod["containers"]);
        let runs = |container: &Value| {
            if container["restartPolicy"] == "Always" { Runs::Sidecar } else { Runs::Init }
        };
        let containers = init
            .iter()
            .map(|container| container_need(container, runs(container)))
            .chain(main.iter().map(|container| container_need(container, Runs::Main)))
            .collect();
        let claims = list(workload.pointer("/spec/volumeClaimTemplates").unwrap_or(&Value::Null));
        Self {
            containers,
            claims: claims.iter().map(claim_need).collect(),
            overhead: amounts(pod.get("overhead")),
            priority_class: pod["priorityClassName"].as_str().map(str::to_owned),
            surge: surge(workload),
            template: crate::hash::of_json(template),
        }
    }
}

fn container_need(container: &Value, runs: Runs) -> ContainerNeed {
    ContainerNeed {
        name: container["name"].as_str().unwrap_or_default().to_owned(),
        runs,
        requests: amounts(container.pointer("/resources/requests")),
        limits: amounts(container.pointer("/resources/limits")),
    }
}

fn claim_need(claim: &Value) -> ClaimNeed {
    ClaimNeed {
        name: claim.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        class: claim.pointer("/spec/storageClassName").and_then(Value::as_str).map(str::to_owned),
        size: amount(claim.pointer("/spec/resources/requests/storage")).unwrap_or_default(),
    }
}

/// Amounts of a map of quantities; what is no quantity is left out, as the API server would refuse it.
fn amounts(map: Option<&Value>) -> BTreeMap<String, Amount> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(resource, value)| Some((resource.clone(), amount(Some(value))?))).collect()
}

fn amount(value: Option<&Value>) -> Option<Amount> {
    match value? {
        Value::String(text) => Amount::parse(text).ok(),
        Value::Number(number) => Amount::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// Pods beyond the replicas while a Deployment rolls: 25 % when it says nothing, rounded up
/// (`k8s.io/kubernetes/pkg/controller/deployment/util`, `ResolveFenceposts`).
fn surge(workload: &Value) -> u32 {
    let strategy = workload.pointer("/spec/strategy/type").and_then(Value::as_str);
    if workload["kind"] != "Deployment" || strategy == Some("Recreate") {
        return 0;
    }
    let replicas = workload.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let percent = |percent: u64| (replicas * percent).div_ceil(100);
    let surge = match workload.pointer("/spec/strategy/rollingUpdate/maxSurge") {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        Some(Value::String(text)) => match text.strip_suffix('%').and_then(|n| n.parse().ok()) {
            Some(share) => percent(share),
            None => text.parse().unwrap_or(0),
        },
        _ => percent(25),
    };
    u32::try_from(surge).unwrap_or(u32::MAX)
}
