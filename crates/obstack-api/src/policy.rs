//! What the status says of the resource policy on live pods.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The resource policy, held against live pods: what admission made of them counts, not what was rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// Containers of live pods that were looked at.
    #[serde(default)]
    pub containers_checked: i32,
    /// How many of them have a CPU limit.
    #[serde(default)]
    pub cpu_limits: i32,
    /// Violations in all; the list below ends after 50.
    #[serde(default)]
    pub violations_total: i32,
    /// Violations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub violations: Vec<PolicyViolation>,
}

/// A container that does not keep to the policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyViolation {
    /// Component, such as `metrics.ingester`.
    pub component: String,
    /// The container.
    pub container: String,
    /// Which rule.
    pub rule: PolicyRule,
    /// Where it comes from.
    pub origin: PolicyOrigin,
    /// How many pods of the component have it.
    pub pods: i32,
    /// What is so, where it comes from and what to do.
    pub message: String,
}

/// A rule of the resource policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyRule {
    /// No container has a CPU limit.
    NoCPULimit,
    /// Every container requests CPU and memory.
    Requests,
    /// Ingesters and store-gateways have a memory limit.
    MemoryLimit,
    /// Nothing else has a memory limit.
    NoMemoryLimit,
}

/// Where a violation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PolicyOrigin {
    /// The workload itself has it: the chart rendered it.
    Chart,
    /// The workload itself has it: the spec's values or patches ask for it.
    Spec,
    /// A `LimitRange` of the namespace sets it on pods that say nothing.
    LimitRange,
    /// Something at admission set it, such as a mutating webhook.
    Webhook,
    /// Somebody changed the pod.
    Manual,
}
