//! What brings telemetry into a stack: Grafana Alloy, run by the operator or by somebody else. One configuration for
//! both; a release of the chart for the first.

pub mod config;
mod syntax;
pub mod values;

use std::collections::BTreeMap;

use obstack_api::{AlloyKind, Endpoints, OtlpSignal};
use serde_json::{Value, json};

use crate::{backends::role::Role, catalog::ChartRef, hash, names::StackKey, valid::ValidComponent};

/// First part of the names of a collector's components, and its block in the spec.
pub const AREA: &str = "collectors";

/// HTTP port of every Alloy: its page, its readiness, its metrics.
pub const HTTP_PORT: u16 = 12345;

/// Key of the whole configuration, ready to be run.
pub const CONFIG: &str = "config.alloy";

/// Key of the same without a receiver, to be imported by an Alloy that has its own.
pub const MODULE: &str = "module.alloy";

/// The one role of Alloy.
pub const ALLOY: Role = Role::stateless("alloy", "").requests("100m", "512Mi");

/// Alloy for a stack.
#[derive(Clone, Debug)]
pub struct ValidAlloy {
    /// Port for OTLP over gRPC.
    pub grpc_port: u16,
    /// Port for OTLP over HTTP.
    pub http_port: u16,
    /// Signals that are passed on, each once; a backend of the stack takes each of them.
    pub signals: Vec<OtlpSignal>,
    /// How the operator runs it; `None` when somebody else does.
    pub managed: Option<ManagedAlloy>,
}

/// An Alloy that the operator runs.
#[derive(Clone, Debug)]
pub struct ManagedAlloy {
    /// What it runs as.
    pub kind: AlloyKind,
    /// The chart that renders it.
    pub chart: ChartRef,
    /// How many and how big. Of a `DaemonSet` one replica stands for one on each node.
    pub component: ValidComponent,
}

impl ValidAlloy {
    /// Whether a signal is passed on.
    pub fn takes(&self, signal: OtlpSignal) -> bool {
        self.signals.contains(&signal)
    }
}

/// The files of the configuration, by key.
pub type Files = BTreeMap<&'static str, String>;

/// The `ConfigMap` with the configuration.
pub fn config_map(key: &StackKey, files: &Files) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": key.alloy(), "namespace": key.namespace},
        "data": files,
    })
}

/// Hash of what an Alloy of the operator's runs with: a change of it rolls the pods.
pub fn config_hash(files: &Files) -> String {
    hash::short(files.get(CONFIG).map_or("", String::as_str), 16)
}

/// Where an Alloy of the operator's takes telemetry.
pub fn endpoints(key: &StackKey, alloy: &ValidAlloy, endpoints: &mut Endpoints) {
    if alloy.managed.is_some() {
        let host = format!("{}.{}.svc", key.alloy(), key.namespace);
        endpoints.collector_otlp_grpc = Some(format!("{host}:{}", alloy.grpc_port));
        endpoints.collector_otlp_http = Some(format!("http://{host}:{}", alloy.http_port));
    }
}
