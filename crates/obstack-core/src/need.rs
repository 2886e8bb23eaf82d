//! What one pod of a component needs, kept with the inventory so that it is known without rendering.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::quantity::Amount;

/// Amounts by resource: `cpu`, `memory`, `ephemeral-storage`, `hugepages-2Mi`, `example.com/gpu`.
pub type Resources = BTreeMap<String, Amount>;

/// What one pod of a component needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodNeed {
    /// Its containers as the workload's template has them, init containers first.
    pub containers: Vec<ContainerNeed>,
    /// Volume claims that come with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimNeed>,
    /// Requests of the pod as a whole (`spec.resources`, KEP-2837): they count instead of its containers'.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pod_requests: Resources,
    /// Limits of the pod as a whole.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pod_limits: Resources,
    /// What the runtime needs beside the containers (`spec.overhead`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub overhead: Resources,
    /// Its priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class: Option<String>,
    /// Its affinity looks at pods of other namespaces, which quotas can forbid.
    #[serde(skip_serializing_if = "is_false")]
    pub looks_abroad: bool,
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
    pub requests: Resources,
    /// Limits, by resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: Resources,
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
    /// Storage class; the cluster's default when `None`, none at all when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Its `VolumeAttributesClass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_class: Option<String>,
    /// It comes and goes with its pod (a volume of type `ephemeral`).
    #[serde(skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// Size.
    pub size: Amount,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
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
        let templates = list(workload.pointer("/spec/volumeClaimTemplates").unwrap_or(&Value::Null));
        let volumes = list(&pod["volumes"]);
        let ephemeral = volumes.iter().filter_map(|volume| {
            let need = claim_need(volume.pointer("/ephemeral/volumeClaimTemplate")?);
            let name = volume["name"].as_str().unwrap_or_default().to_owned();
            Some(ClaimNeed { name, ephemeral: true, ..need })
        });
        let priority_class = pod["priorityClassName"].as_str().filter(|name| !name.is_empty());
        Self {
            containers,
            claims: templates.iter().map(claim_need).chain(ephemeral).collect(),
            pod_requests: amounts(pod.pointer("/resources/requests")),
            pod_limits: amounts(pod.pointer("/resources/limits")),
            overhead: amounts(pod.get("overhead")),
            priority_class: priority_class.map(str::to_owned),
            looks_abroad: looks_abroad(&pod["affinity"]),
            surge: surge(workload),
            template: crate::hash::of_json(template),
        }
    }

    /// What the pod requests, as a quota counts it (`k8s.io/component-helpers/resource`, `PodRequests`).
    pub fn requests(&self) -> Resources {
        let mut total = self.requests_of_containers();
        total.extend(self.pod_requests.clone());
        add(&mut total, &self.overhead);
        total
    }

    /// The limits of the pod, as a quota counts them (`k8s.io/component-helpers/resource`, `PodLimits`).
    pub fn limits(&self) -> Resources {
        let mut total = self.limits_of_containers();
        total.extend(self.pod_limits.clone());
        for (resource, amount) in &self.overhead {
            // Overhead does not make a limit where there is none.
            if let Some(limit) = total.get_mut(resource).filter(|limit| **limit > Amount::ZERO) {
                *limit += *amount;
            }
        }
        total
    }

    /// What the containers request together.
    pub fn requests_of_containers(&self) -> Resources {
        self.together(|container| &container.requests)
    }

    /// The limits of the containers together.
    pub fn limits_of_containers(&self) -> Resources {
        self.together(|container| &container.limits)
    }

    /// No container asks for any CPU or memory (`pkg/apis/core/v1/helper/qos`, `ComputePodQOS`).
    pub fn is_best_effort(&self) -> bool {
        let asks = |resources: &Resources| {
            ["cpu", "memory"].iter().any(|of| resources.get(*of).is_some_and(|amount| *amount > Amount::ZERO))
        };
        if self.has_pod_resources() {
            return !asks(&self.pod_requests) && !asks(&self.pod_limits);
        }
        !self.containers.iter().any(|container| asks(&container.requests) || asks(&container.limits))
    }

    /// The pod as a whole has requests or limits.
    pub fn has_pod_resources(&self) -> bool {
        !self.pod_requests.is_empty() || !self.pod_limits.is_empty()
    }

    /// Containers of all kinds together: what runs with the pod adds up. Init containers run one after the other, so
    /// only the largest moment of the start counts, where it is larger than what runs later: an init container and
    /// the sidecars before it (KEP-753).
    fn together(&self, of: impl Fn(&ContainerNeed) -> &Resources) -> Resources {
        let (mut running, mut sidecars, mut start) = (Resources::new(), Resources::new(), Resources::new());
        for container in &self.containers {
            let amounts = of(container);
            match container.runs {
                Runs::Main => add(&mut running, amounts),
                Runs::Sidecar => {
                    add(&mut running, amounts);
                    add(&mut sidecars, amounts);
                    raise(&mut start, &sidecars);
                }
                Runs::Init => {
                    let mut moment = sidecars.clone();
                    add(&mut moment, amounts);
                    raise(&mut start, &moment);
                }
            }
        }
        raise(&mut running, &start);
        running
    }
}

fn add(total: &mut Resources, more: &Resources) {
    for (resource, amount) in more {
        *total.entry(resource.clone()).or_default() += *amount;
    }
}

fn raise(total: &mut Resources, to: &Resources) {
    for (resource, amount) in to {
        let entry = total.entry(resource.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

/// Whether a term of the pod (anti-)affinity names other namespaces (`usesCrossNamespacePodAffinity`).
fn looks_abroad(affinity: &Value) -> bool {
    let abroad = |term: &Value| {
        let names = term["namespaces"].as_array().is_some_and(|names| !names.is_empty());
        names || term["namespaceSelector"].is_object()
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let terms = |when: &str| {
            let terms = affinity.get(*kind).and_then(|kind| kind.get(when)?.as_array());
            terms.cloned().unwrap_or_default()
        };
        terms("requiredDuringSchedulingIgnoredDuringExecution").iter().any(abroad)
            || terms("preferredDuringSchedulingIgnoredDuringExecution")
                .iter()
                .any(|weighted| abroad(&weighted["podAffinityTerm"]))
    })
}

fn container_need(container: &Value, runs: Runs) -> ContainerNeed {
    ContainerNeed {
        name: container["name"].as_str().unwrap_or_default().to_owned(),
        runs,
        requests: amounts(container.pointer("/resources/requests")),
        limits: amounts(container.pointer("/resources/limits")),
    }
}

/// A claim's storage class; the old annotation goes before the field (`k8s.io/component-helpers/storage/volume`).
fn class_of(claim: &Value) -> Option<&str> {
    let old = claim.pointer("/metadata/annotations/volume.beta.kubernetes.io~1storage-class");
    old.or_else(|| claim.pointer("/spec/storageClassName")).and_then(Value::as_str)
}

fn claim_need(claim: &Value) -> ClaimNeed {
    let text = |pointer: &str| claim.pointer(pointer).and_then(Value::as_str);
    ClaimNeed {
        name: text("/metadata/name").unwrap_or_default().to_owned(),
        class: class_of(claim).map(str::to_owned),
        attributes_class: text("/spec/volumeAttributesClassName")
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        ephemeral: false,
        size: amount(claim.pointer("/spec/resources/requests/storage")).unwrap_or_default(),
    }
}

/// Amounts of a map of quantities; what is no quantity is left out, as the API server would refuse it.
fn amounts(map: Option<&Value>) -> Resources {
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
    let percent = |percent: u64| replicas.saturating_mul(percent).div_ceil(100);
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
