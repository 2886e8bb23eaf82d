//! `ObservabilityStack`: one environment's telemetry backends.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Canary, Changes, Collectors, Grafana, Metrics, ObjectStorage, Quota, StackStatus, Traces};

/// One environment's telemetry backends: buckets, workloads, disruption budgets and datasources.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "obstack.dev",
    version = "v1alpha1",
    kind = "ObservabilityStack",
    plural = "observabilitystacks",
    shortname = "obstack",
    category = "observability",
    namespaced,
    status = "StackStatus",
    derive = "PartialEq",
    doc = "One environment's telemetry backends: buckets, workloads, disruption budgets and datasources."
)]
#[serde(rename_all = "camelCase")]
pub struct StackSpec {
    /// Name of the environment, such as `prod`. It is part of bucket and datasource names. Immutable.
    #[schemars(length(min = 1, max = 16), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub environment: String,
    /// Leave everything as it is: nothing is created, changed or repaired while true.
    #[serde(default)]
    pub suspend: bool,
    /// What happens to the workloads when this object is deleted. Buckets and volume claims always stay.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Which platform's security rules the pods must meet. `Auto` looks at the APIs that the cluster serves.
    #[serde(default)]
    pub platform: Platform,
    /// The S3 object store that holds the blocks.
    pub object_storage: ObjectStorage,
    /// Which requests and limits containers may have.
    #[serde(default)]
    pub resource_policy: ResourcePolicy,
    /// How the stack is protected while nodes are drained.
    #[serde(default)]
    pub disruption: Disruption,
    /// Whether the stack fits into the namespace's quotas.
    #[serde(default)]
    pub quota: Quota,
    /// Which changes wait for a person.
    #[serde(default)]
    pub changes: Changes,
    /// Whether telemetry is written and read back to prove that the stack takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Traces, kept by Grafana Tempo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
    /// Metrics, kept by Grafana Mimir.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// What brings telemetry into this stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collectors: Option<Collectors>,
    /// What Grafana gets to know of this stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grafana: Option<Grafana>,
}

/// What happens to the workloads when the stack is deleted. Buckets and volume claims always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Everything stays as it runs, for somebody else to own.
    Retain,
    /// Workloads, Services, disruption budgets, configuration and datasources are deleted.
    #[default]
    DeleteWorkloads,
}

/// Which platform's security rules the pods must meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Platform {
    /// OpenShift where `security.openshift.io` is served, else Kubernetes.
    #[default]
    Auto,
    /// The charts' own user and group ids.
    Kubernetes,
    /// No fixed user or group ids: the namespace's range decides, as `restricted-v2` wants it.
    OpenShift,
}

/// Which requests and limits containers may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePolicy {
    /// CPU limits throttle a container inside each 100 ms period even on an idle node. Forbidden when silent.
    #[serde(default)]
    pub cpu_limits: CpuLimits,
    /// Where memory limits stand.
    #[serde(default)]
    pub memory_limits: MemoryLimits,
}

/// Whether containers may have a CPU limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CpuLimits {
    /// No container has one.
    #[default]
    Forbid,
    /// Containers keep the one they are given.
    Allow,
}

/// Where memory limits stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MemoryLimits {
    /// Required on ingesters and store-gateways (and on what bears them), removed everywhere else.
    #[default]
    IngestersAndStoreGateways,
    /// Wherever they are given.
    Any,
}

/// How the stack is protected while nodes are drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// `Auto` puts a budget of one unavailable pod wherever more than one replica runs.
    #[serde(default)]
    pub pod_disruption_budgets: PodDisruptionBudgets,
}

/// Whether the operator makes disruption budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PodDisruptionBudgets {
    /// One wherever more than one replica runs.
    #[default]
    Auto,
    /// None.
    Disabled,
}
