//! What the spec says about the canary.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A canary writes one span and one sample at each interval through the doors that applications use, and reads them
/// back. It runs when silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Whether the canary runs. It does when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Time from one round to the next, in whole seconds, minutes or hours: `15s` to `1h`. `60s` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), regex(pattern = r"^[1-9][0-9]*[smh]$"))]
    pub interval: Option<String>,
    /// What is written and read back. Everything that the stack keeps when silent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub signals: Vec<Signal>,
    /// Whether the canary also looks for blocks in the buckets. It does when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_object_storage: Option<bool>,
}

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Signal {
    /// Traces.
    Traces,
    /// Metrics.
    Metrics,
}
