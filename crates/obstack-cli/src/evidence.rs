//! Evidence: which field of which object says what, in the words of who wrote it. What it means is the diagnosis' to
//! say.

use obstack_core::{
    diagnose::ComponentHealth,
    live::{ClaimFacts, ContainerFacts, Live, PodFacts, QuotaFacts, StateFacts},
    quantity::Amount,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::sight::Sight;

/// Pods that are shown of one component.
pub const PODS: usize = 3;

/// One link of a chain from Ready to the first cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Kind and name of the object.
    pub object: String,
    /// The field of it.
    pub field: String,
    /// What stands there.
    pub says: String,
    /// The reason that is given for it, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Link {
    /// A field of an object and what it says.
    pub fn new(object: impl Into<String>, field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { object: object.into(), field: field.into(), says: says.into(), reason: None }
    }

    /// The same with a reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// How far a pod is, in one word.
pub fn phase(pod: &PodFacts) -> &'static str {
    match () {
        () if pod.deleting => "Terminating",
        () if pod.failed.is_some() => "Failed",
        () if pod.ready => "Ready",
        () if pod.node.is_empty() => "Pending",
        () if pod.containers.iter().any(|c| c.state.as_ref().is_some_and(|state| state.running)) => "Running",
        () => "Waiting",
    }
}

/// How often the containers of a pod were started again.
pub fn restarts(pod: &PodFacts) -> i32 {
    pod.containers.iter().filter_map(|container| container.state.as_ref()).map(|state| state.restarts).sum()
}

/// What is said of a pod that is not ready.
pub fn of_pod(pod: &PodFacts) -> Vec<Link> {
    let object = format!("Pod {}", pod.name);
    let mut links = Vec::new();
    if let Some((reason, message)) = &pod.failed {
        links.push(Link::new(&object, "status.reason", message).reason(reason));
    }
    if let Some(said) = &pod.unscheduled {
        links.push(Link::new(&object, "status.conditions[PodScheduled]", said).reason("Unschedulable"));
    }
    links.extend(pod.containers.iter().flat_map(|container| of_container(&object, container)));
    links.extend(pod.warnings.iter().map(|(reason, said)| {
        Link::new(format!("Event of Pod {}", pod.name), "message", said).reason(reason)
    }));
    links
}

fn of_container(object: &str, container: &ContainerFacts) -> Vec<Link> {
    let Some(state) = container.state.as_deref() else { return Vec::new() };
    let list = if container.init { "initContainerStatuses" } else { "containerStatuses" };
    let field = |end: &str| format!("status.{list}[{}].{end}", container.name);
    let mut links = Vec::new();
    if let Some((reason, message)) = &state.waiting {
        links.push(Link::new(object, field("state.waiting"), message).reason(reason));
    }
    if let Some(ended) = &state.ended {
        let words =
            if ended.message.is_empty() { String::new() } else { format!(": {}", ended.message.trim()) };
        let says = format!("exit code {}{words}", ended.exit_code);
        let end = if is_over(state) { "state.terminated" } else { "lastState.terminated" };
        links.push(Link::new(object, field(end), says).reason(&ended.reason));
    }
    if state.restarts > 0 {
        links.push(Link::new(object, field("restartCount"), state.restarts.to_string()));
    }
    if state.running && !container.init {
        links.push(Link::new(object, field("ready"), "false, while it runs"));
    }
    links
}

/// It ended and neither runs nor waits to be started again.
fn is_over(state: &StateFacts) -> bool {
    !state.running && state.waiting.is_none()
}

/// What is said of a volume claim that is not bound.
fn of_claim(claim: &ClaimFacts) -> Vec<Link> {
    let object = format!("PersistentVolumeClaim {}", claim.name);
    let class = if claim.class.is_empty() { "names none".to_owned() } else { claim.class.clone() };
    let mut links = vec![
        Link::new(&object, "status.phase", &claim.phase),
        Link::new(&object, "spec.storageClassName", class),
    ];
    if let Some((reason, said)) = &claim.said {
        let event = format!("Event of PersistentVolumeClaim {}", claim.name);
        links.push(Link::new(event, "message", said).reason(reason));
    }
    links
}

/// How a quota stands in what a text speaks of.
pub fn of_quota(quota: &QuotaFacts, text: &str) -> Vec<Link> {
    let object = format!("ResourceQuota {}", quota.name);
    let named = quota.hard.iter().filter(|(resource, _)| text.contains(resource.as_str()));
    named
        .map(|(resource, hard)| {
            let used = quota.used.get(resource).copied().unwrap_or_default();
            let amount = |amount: Amount| amount.of_resource(resource);
            let says = format!("{} of {} used", amount(used), amount(*hard));
            Link::new(&object, format!("status.used[{resource}]"), says)
        })
        .collect()
}

/// What is said of a component that is not ready: by its workload, its pods, their claims and nodes, the quotas.
pub fn of_component(sight: &Sight, component: &ComponentHealth) -> Vec<Link> {
    let Some(live) = &sight.live else { return Vec::new() };
    let status = &component.status;
    let text = component.cause.as_ref().map(|cause| cause.message.as_str()).unwrap_or_default();
    let mut links = Vec::new();
    let name = status.workload.as_deref().unwrap_or_default();
    let workload = live
        .workloads
        .iter()
        .find(|(id, _)| id.name == name && Some(id.kind.as_str()) == status.kind.as_deref());
    let object = format!("{} {name}", status.kind.as_deref().unwrap_or("workload"));
    match workload {
        None => links.push(Link::new(&object, "metadata", "it does not exist")),
        Some((_, facts)) => {
            let says = format!(
                "{} of {} pods ready, {} exist, {} at the newest revision",
                facts.ready, facts.replicas, facts.created, facts.updated
            );
            links.push(Link::new(&object, "status", says));
            if let Some(said) = &facts.refusal {
                links.push(Link::new(format!("Event of {object}"), "message", said).reason("FailedCreate"));
            }
        }
    }
    if let Some(pod) = worst(sight, component, text) {
        links.extend(of_pod(pod));
        let claims = live.claims.iter().flatten();
        let own =
            claims.filter(|claim| claim.name.ends_with(&format!("-{}", pod.name)) && claim.phase != "Bound");
        links.extend(own.flat_map(of_claim));
        links.extend(of_node(live, pod));
    }
    let quotas = live.quotas.iter().flatten().filter(|quota| text.contains(&quota.name));
    links.extend(quotas.flat_map(|quota| of_quota(quota, text)));
    links
}

/// The pod that the diagnosis names, or else the first that is not ready.
fn worst<'a>(sight: &'a Sight, component: &'a ComponentHealth, text: &str) -> Option<&'a PodFacts> {
    let pods: Vec<_> = sight.pods(&component.status.name).filter(|pod| !pod.ready).collect();
    let is_named = |pod: &&&PodFacts| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
            .any(|word| word == pod.name)
    };
    pods.iter().find(is_named).or_else(|| pods.first()).copied()
}

fn of_node(live: &Live, pod: &PodFacts) -> Option<Link> {
    let node = live.nodes.as_ref()?.get(&pod.node)?;
    let lost =
        Link::new(format!("Node {}", pod.node), "status.conditions[Ready]", "its kubelet does not answer");
    (!node.ready).then_some(lost)
}
