//! What the spec says about quotas, and what the status says about them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Quantity;

/// Whether the stack fits into the namespace's quotas, looked at before anything starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// What happens when the stack does not fit.
    #[serde(default)]
    pub preflight: Preflight,
    /// Share of the quota asked for that stays free, in percent. 20 when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 90))]
    pub headroom_percent: Option<i32>,
    /// What the quota asked for is rounded up to: whole cores and whole gibibytes when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_up_to: Option<ResourceStep>,
    /// What is to come besides this stack, so that one request for a larger quota covers it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub reserve: Vec<Reserve>,
}

/// What happens when the stack does not fit into the namespace's quotas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preflight {
    /// Nobody looks.
    Off,
    /// The status says so, and what fits is started.
    #[default]
    Warn,
    /// The status says so, and nothing is started or changed.
    Enforce,
}

/// Steps to round up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceStep {
    /// Step of CPU, such as `2000m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Step of memory, such as `16Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Step of storage, such as `32Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,
}

/// Something that will need room in the same quotas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reserve {
    /// What it is for.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// CPU requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Storage requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Quantity>,
}

/// How the stack fits into the namespace's quotas. Amounts are requests; the tightest quota where there are several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaStatus {
    /// What the whole stack requests.
    pub required: QuotaAmounts,
    /// What `spec.quota.reserve` asks for beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<QuotaAmounts>,
    /// What the quotas allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<QuotaAmounts>,
    /// What is used of it, this stack's part included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<QuotaAmounts>,
    /// What is missing for what does not run yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<QuotaAmounts>,
    /// The quota to ask for: used, needed and reserved together, with headroom, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_hard: Option<QuotaAmounts>,
    /// Each quota and resource that what does not run yet does not fit into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub blockers: Vec<QuotaBlocker>,
}

/// CPU, memory and storage, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaAmounts {
    /// CPU, such as `2720m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory, such as `12928Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Storage, such as `16Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

/// A quota that the stack does not fit into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaBlocker {
    /// Name of the `ResourceQuota`.
    pub quota: String,
    /// Resource as the quota names it, such as `requests.cpu` or `count/services`.
    pub resource: String,
    /// What is needed for what does not run yet.
    pub needs: String,
    /// What is free.
    pub free: String,
}
