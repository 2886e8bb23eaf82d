//! What brings telemetry into a stack: Grafana Alloy.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Chart, Component};

/// What brings telemetry into this stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Collectors {
    /// Grafana Alloy: OTLP in, traces to this stack's Tempo, metrics to its Mimir.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alloy: Option<Alloy>,
}

/// Grafana Alloy: OTLP in, traces to this stack's Tempo, metrics to its Mimir.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alloy {
    /// Whether the operator runs an Alloy, or writes the configuration for one that somebody else runs.
    pub mode: AlloyMode,
    /// What an Alloy of mode Managed runs as. `Deployment` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AlloyKind>,
    /// Where applications send telemetry to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// The component `alloy` of mode Managed. A `DaemonSet` takes no `replicas`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Component>,
    /// Which chart renders the objects of mode Managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
}

/// Whether the operator runs an Alloy, or writes the configuration for one that somebody else runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AlloyMode {
    /// A `ConfigMap` with the configuration and nothing else. Whether an Alloy loads it is not seen.
    ConfigMapOnly,
    /// An Alloy of this stack's own, with that configuration.
    Managed,
}

/// What a managed Alloy runs as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AlloyKind {
    /// As many pods as `replicas` says, behind one Service.
    #[default]
    Deployment,
    /// One pod a node; the Service leads to the one of the sender's own node.
    DaemonSet,
}

/// Where applications send telemetry to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// Port for OTLP over gRPC. 4317 when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 65535))]
    pub grpc_port: Option<i32>,
    /// Port for OTLP over HTTP. 4318 when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 65535))]
    pub http_port: Option<i32>,
    /// Which signals are passed on. Those of the backends that the stack has when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub signals: Option<Vec<OtlpSignal>>,
}

/// A signal that comes by OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum OtlpSignal {
    /// To Tempo.
    Traces,
    /// To Mimir.
    Metrics,
    /// Here to be refused with the reason: logs keep the way from a container's output.
    Logs,
}

impl Otlp {
    /// Port for OTLP over gRPC.
    pub fn grpc_port(&self) -> i32 {
        self.grpc_port.unwrap_or(4317)
    }

    /// Port for OTLP over HTTP.
    pub fn http_port(&self) -> i32 {
        self.http_port.unwrap_or(4318)
    }
}
