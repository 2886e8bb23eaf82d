//! What is observed of a stack's objects and of the room around them. Facts only: what they mean is said by
//! [`diagnose`](crate::diagnose), [`quota`](crate::quota), [`compliance`](crate::compliance) and
//! [`resilience`](crate::resilience).

use std::{collections::BTreeMap, sync::Arc};

use crate::{objects::ObjectId, quantity::Amount};

/// What is observed around a stack at one moment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Its workloads.
    pub workloads: BTreeMap<ObjectId, WorkloadFacts>,
    /// Its pods.
    pub pods: Vec<PodFacts>,
    /// Its volume claims; `None` when they may not be read.
    pub claims: Option<Vec<ClaimFacts>>,
    /// Its disruption budgets, by name.
    pub budgets: BTreeMap<String, BudgetFacts>,
    /// Quotas of the namespace; `None` when they may not be read.
    pub quotas: Option<Vec<QuotaFacts>>,
    /// Limit ranges of the namespace; `None` when they may not be read.
    pub limit_ranges: Option<Vec<LimitRangeFacts>>,
    /// Nodes of the cluster; `None` when they may not be read.
    pub nodes: Option<Arc<BTreeMap<String, NodeFacts>>>,
    /// Storage classes of the cluster; `None` when they may not be read.
    pub classes: Option<Arc<BTreeMap<String, ClassFacts>>>,
}

/// What is observed of a Deployment, StatefulSet or `DaemonSet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadFacts {
    /// Generation of its spec.
    pub generation: i64,
    /// Generation that its controller has seen.
    pub observed_generation: i64,
    /// Replicas it is told to run; of a `DaemonSet` the nodes that its controller found for it.
    pub replicas: i32,
    /// Pods at the newest revision.
    pub updated: i32,
    /// Ready pods.
    pub ready: i32,
    /// Pods that exist.
    pub created: i32,
    /// Newest revision of a StatefulSet, as its pods' label `controller-revision-hash` has it; empty for the others.
    pub revision: String,
    /// Why its controller cannot make pods or claims, in the controller's words.
    pub refusal: Option<String>,
}

/// What is observed of a pod. Amounts stand as the API server has them after admission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Name of the pod.
    pub name: String,
    /// Its component, by its label.
    pub component: String,
    /// Revision of its StatefulSet, or hash of its `ReplicaSet`'s template.
    pub revision: String,
    /// Its node; empty before it is scheduled.
    pub node: String,
    /// It is ready and not being deleted.
    pub ready: bool,
    /// It is being deleted.
    pub deleting: bool,
    /// Second of the Unix epoch since which it is not ready; 0 when it is, or when nobody knows.
    pub not_ready_since: i64,
    /// Why it ended as a whole (reason, message), such as `Evicted`.
    pub failed: Option<(String, String)>,
    /// Why no node takes it, in the scheduler's words.
    pub unscheduled: Option<String>,
    /// Its containers, init containers first.
    pub containers: Vec<ContainerFacts>,
    /// What the `LimitRanger` says it set (annotation `kubernetes.io/limit-ranger`).
    pub limit_ranger: Option<String>,
    /// Manager that resized it in place.
    pub resized_by: Option<String>,
    /// Warnings about it, newest of each reason: (reason, message).
    pub warnings: Vec<(String, String)>,
}

/// What is observed of a container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Name of the container.
    pub name: String,
    /// It is an init container that has to end before the rest starts.
    pub init: bool,
    /// Its resources after admission.
    pub resources: Arc<ResourceFacts>,
    /// How it stands when it is not simply ready.
    pub state: Option<Box<StateFacts>>,
}

/// Requests and limits of a container; absent where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceFacts {
    /// CPU request.
    pub cpu_request: Option<Amount>,
    /// Memory request.
    pub memory_request: Option<Amount>,
    /// CPU limit.
    pub cpu_limit: Option<Amount>,
    /// Memory limit.
    pub memory_limit: Option<Amount>,
}

/// How a container stands that is not simply ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateFacts {
    /// Its image, as the pod names it.
    pub image: String,
    /// It runs.
    pub running: bool,
    /// Second of the Unix epoch since which it runs; 0 when it does not, or when nobody knows.
    pub since: i64,
    /// Its startup probe has passed.
    pub started: bool,
    /// How often it was started again.
    pub restarts: i32,
    /// Why it waits: (reason, message).
    pub waiting: Option<(String, String)>,
    /// How it ended: now, or the last time.
    pub ended: Option<EndFacts>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndFacts {
    /// Why, such as `OOMKilled` or `Error`.
    pub reason: String,
    /// Its exit code.
    pub exit_code: i32,
    /// Second of the Unix epoch at which it ended; 0 when nobody knows.
    pub at: i64,
    /// Its last words.
    pub message: String,
}

/// What is observed of a volume claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimFacts {
    /// Name of the claim.
    pub name: String,
    /// Its phase: `Pending`, `Bound` or `Lost`.
    pub phase: String,
    /// Its storage class; empty when it names none.
    pub class: String,
    /// What it asks for.
    pub requested: Amount,
    /// What it has.
    pub capacity: Amount,
    /// Node that the scheduler has chosen for its first consumer.
    pub selected_node: Option<String>,
    /// What was said about it last: (reason, message).
    pub said: Option<(String, String)>,
}

/// What is observed of a disruption budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetFacts {
    /// The controller has seen its newest spec.
    pub current: bool,
    /// Pods that may be evicted now.
    pub allowed: i32,
    /// Pods that it counts.
    pub expected: i32,
    /// Ready pods of them.
    pub healthy: i32,
}

/// What is observed of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its kubelet answers.
    pub ready: bool,
    /// Its zone (label `topology.kubernetes.io/zone`); empty when it has none.
    pub zone: String,
}

/// What is observed of a storage class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassFacts {
    /// Who makes its volumes.
    pub provisioner: String,
    /// Volumes are made when the first pod is scheduled.
    pub waits_for_consumer: bool,
    /// Claims may grow.
    pub expandable: bool,
    /// Claims that name no class get this one.
    pub default: bool,
}

/// What is observed of a `ResourceQuota`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaFacts {
    /// Its name.
    pub name: String,
    /// What it allows, by resource as it names it (`requests.cpu`, `pods`, `count/services`,
    /// `CLASS.storageclass.storage.k8s.io/requests.storage`).
    pub hard: BTreeMap<String, Amount>,
    /// What is used of it, as its controller counted last.
    pub used: BTreeMap<String, Amount>,
    /// Its scopes, `scopes` and `scopeSelector` together: all of them must hold for a pod to be counted.
    pub scopes: Vec<ScopeFacts>,
}

/// A scope of a `ResourceQuota`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeFacts {
    /// `Terminating`, `NotTerminating`, `BestEffort`, `NotBestEffort`, `PriorityClass`, `CrossNamespacePodAffinity` or
    /// `VolumeAttributesClass`.
    pub name: String,
    /// `Exists`, `DoesNotExist`, `In` or `NotIn`.
    pub operator: String,
    /// What `In` and `NotIn` compare with.
    pub values: Vec<String>,
}

/// What is observed of a `LimitRange`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRangeFacts {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<LimitRule>,
}

/// A rule of a `LimitRange`. Amounts by resource (`cpu`, `memory`, `storage`, ...).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRule {
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    pub kind: String,
    /// Limits of a container that says none.
    pub default: BTreeMap<String, Amount>,
    /// Requests of a container that says none.
    pub default_request: BTreeMap<String, Amount>,
    /// Smallest request.
    pub min: BTreeMap<String, Amount>,
    /// Largest limit.
    pub max: BTreeMap<String, Amount>,
    /// Largest ratio of limit to request, in thousandths.
    pub max_ratio: BTreeMap<String, Amount>,
}
