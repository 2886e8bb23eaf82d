//! The backends of a stack: Tempo for traces, Mimir for metrics.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{BucketOverride, Component, Route, schema};

/// Traces, kept by Grafana Tempo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    /// One process (chart `tempo`) or one workload a component (chart `tempo-distributed`). Immutable.
    pub mode: TracesMode,
    /// Name of the Helm release that the chart is rendered as; `<stack>-tempo` when silent. With a name given, objects,
    /// selectors and what else never changes are those of `helm install` with this name, so that a release that exists
    /// is taken over and not made anew: a name without `tempo` in it gets `-tempo` appended in names of objects. Two stacks of a namespace
    /// must not have the same; in mode Monolithic only one may have a name at all, as the chart then calls its
    /// ConfigMap `tempo`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 38), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub release_name: Option<String>,
    /// How many ingesters hold each trace before it is flushed. 2 for Distributed when silent: Tempo reads and
    /// writes with one of two gone. Not above `components.ingester.replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    pub replication_factor: Option<i32>,
    /// How long traces are kept, in whole hours, such as `336h` (which it is when silent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = r"^[1-9][0-9]*h$"))]
    pub retention: Option<String>,
    /// Bucket names that differ from the computed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<TracesBuckets>,
    /// Metrics that Tempo makes from traces and writes to this stack's Mimir. When silent it makes them where the stack
    /// publishes dashboards, which need them, and keeps metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_generator: Option<MetricsGenerator>,
    /// Components by name: `singleBinary` for Monolithic; `distributor`, `ingester`, `querier`, `queryFrontend`,
    /// `compactor`, `metricsGenerator` for Distributed. `storeGateway` is answered in the status: Tempo has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Component>,
    /// A Route of OpenShift to Tempo's query API. None when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Which chart renders the objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// Helm values merged over the computed ones. Keys that this API owns are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::preserved_object")]
    pub values: Option<Map<String, Value>>,
    /// Changes to rendered objects, made before the resource policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub patches: Vec<Patch>,
}

/// How Tempo runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TracesMode {
    /// One process with every role in it.
    Monolithic,
    /// One workload a component.
    Distributed,
}

/// Metrics that Tempo makes from traces. It needs `spec.metrics`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsGenerator {
    /// Whether it runs. It does when silent; `false` keeps it off where dashboards would switch it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Which metrics. Both when silent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub processors: Vec<MetricsProcessor>,
}

/// A kind of metrics that Tempo makes from traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MetricsProcessor {
    /// Calls between services (`traces_service_graph_*`): Grafana's service map.
    ServiceGraphs,
    /// Rate, errors and duration of spans (`traces_spanmetrics_*`).
    SpanMetrics,
}

/// Bucket names of traces that differ from the computed ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracesBuckets {
    /// Trace blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BucketOverride>,
}

/// Metrics, kept by Grafana Mimir in its classic architecture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Name of the Helm release that the chart is rendered as; `<stack>-mimir` when silent. With a name given, objects,
    /// selectors and what else never changes are those of `helm install` with this name, so that a release that exists
    /// is taken over and not made anew: a name without `mimir` in it gets `-mimir` appended in names of objects. Two stacks of a namespace
    /// must not have the same. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 38), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub release_name: Option<String>,
    /// How many ingesters hold each series. 3 when silent and three ingesters run, else 1. 2 is followed with an
    /// advisory: Mimir then needs both copies on every write, so one lost ingester stops writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    pub replication_factor: Option<i32>,
    /// How long metrics are kept, in whole hours, such as `8760h`. For ever when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = r"^[1-9][0-9]*h$"))]
    pub retention: Option<String>,
    /// Bucket names that differ from the computed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<MetricsBuckets>,
    /// Components by name: `distributor`, `ingester`, `querier`, `queryFrontend`, `queryScheduler`, `compactor`,
    /// `storeGateway`, `ruler`, `alertmanager`, `overridesExporter`, `gateway`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Component>,
    /// A Route of OpenShift to Mimir's Prometheus query API. None when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Which chart renders the objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// Helm values merged over the computed ones. Keys that this API owns are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::preserved_object")]
    pub values: Option<Map<String, Value>>,
    /// Changes to rendered objects, made before the resource policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub patches: Vec<Patch>,
}

/// Bucket names of metrics that differ from the computed ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsBuckets {
    /// Metric blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BucketOverride>,
    /// Recording and alerting rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler: Option<BucketOverride>,
    /// Alertmanager configurations and silences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<BucketOverride>,
}

/// Which chart renders a backend's objects. Silent fields come from the operator's catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// Where the chart comes from; the operator's `--chart-source` when silent. Never changed behind your back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ChartSource>,
    /// `https://` repository of an upstream chart, when it is not the catalog's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https://[^\s]+$"))]
    pub repository: Option<String>,
    /// Exact chart version; ranges are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"))]
    pub version: Option<String>,
    /// sha256 of the chart archive. Needed for a version that is not in the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80), regex(pattern = r"^sha256:[a-f0-9]{64}$"))]
    pub digest: Option<String>,
}

/// Where a chart comes from; the operator's `--chart-source` when silent. Never changed behind your back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChartSource {
    /// The chart as its authors publish it.
    Upstream,
    /// The small chart of the same name that comes with the operator.
    Bundled,
}

/// A change to rendered objects: a JSON patch (RFC 6902) on every object that the target matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// Which objects.
    pub target: PatchTarget,
    /// Operations of a JSON patch (RFC 6902).
    #[schemars(schema_with = "schema::patch_operations")]
    pub operations: Vec<Value>,
}

/// Which rendered objects a patch changes. A target that matches nothing is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchTarget {
    /// Kind, such as `StatefulSet`.
    #[schemars(length(min = 1, max = 64))]
    pub kind: String,
    /// Name; every object of the kind when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}
