//! What the operator says of a stack.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChartSource, ConditionStatus, ConditionType, PlanStatus, PolicyStatus, QuotaStatus};

/// What the operator has seen. Everything is about `observedGeneration` of the spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Value of the annotation `obstack.dev/reconcile-requested-at` that was followed last: since then the operator has
    /// looked at everything anew, and its probe of the buckets has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,
    /// The state in the vocabulary of conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
    /// The state in words, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// One entry a component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub components: Vec<ComponentStatus>,
    /// One entry a bucket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub buckets: Vec<BucketStatus>,
    /// One entry a datasource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub datasources: Vec<DatasourceStatus>,
    /// Where to send telemetry to and query it from, inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// The charts that were rendered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub charts: Vec<ChartStatus>,
    /// What all pods of the stack request together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestSums>,
    /// How the stack fits into the namespace's quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaStatus>,
    /// The resource policy, held against live pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStatus>,
    /// What carrying out the spec changes, or changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// Advice that does not stop anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub advisories: Vec<Advisory>,
    /// The list of objects that belong to the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryStatus>,
}

/// One aspect of the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Generation of the spec that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one word.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, with the object, the number and the fix.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// The state in words, for tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Ready components of all components, such as `8/9`.
    #[serde(default)]
    pub components_ready: String,
    /// What runs, such as `tempo 2.10.8 mimir 3.1.2`.
    #[serde(default)]
    pub versions: String,
    /// How the quotas stand, such as `cpu 2720m > 1370m`.
    #[serde(default)]
    pub quota: String,
    /// How the policy stands on live pods, such as `9 ok, 0 cpu limits`.
    #[serde(default)]
    pub policy: String,
}

/// One component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Backend and role, such as `metrics.ingester`.
    pub name: String,
    /// Kind of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Pods that should run.
    #[serde(default)]
    pub desired: i32,
    /// Pods that exist.
    #[serde(default)]
    pub created: i32,
    /// Pods at the newest revision.
    #[serde(default)]
    pub updated: i32,
    /// Ready pods.
    #[serde(default)]
    pub ready: i32,
    /// Pods that may be lost at once while everything the component does goes on; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerates_failures: Option<i32>,
    /// Image of the main container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How it stands.
    pub state: ComponentState,
    /// Why it is not ready, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a component stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComponentState {
    /// Every desired pod is ready at the newest revision.
    Ready,
    /// On the way.
    #[default]
    Progressing,
    /// Something stops it.
    Blocked,
    /// The backend has no such component.
    NotProvidedByBackend,
}

/// One bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketStatus {
    /// The bucket's name.
    pub name: String,
    /// What it holds, such as `metrics.blocks`.
    pub purpose: String,
    /// How it stands.
    pub state: BucketState,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BucketState {
    /// It exists and passed its probe.
    Ready,
    /// It did not pass its probe.
    Failed,
    /// Nobody has looked.
    #[default]
    Unknown,
}

/// One datasource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasourceStatus {
    /// Its name in Grafana, such as `Tempo (dev)`.
    pub name: String,
    /// Its uid in Grafana, which never changes.
    pub uid: String,
    /// URL that Grafana queries.
    pub url: String,
}

/// Where to send telemetry to and query it from, inside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// OTLP over gRPC, `host:port`, for traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces_otlp_grpc: Option<String>,
    /// OTLP over HTTP, for traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces_otlp_http: Option<String>,
    /// Tempo's query API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces_query: Option<String>,
    /// Prometheus remote write, for metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_remote_write: Option<String>,
    /// OTLP over HTTP, for metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_otlp_http: Option<String>,
    /// Mimir's Prometheus query API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_query: Option<String>,
    /// OTLP over gRPC, `host:port`, for every signal that the stack's own Alloy takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector_otlp_grpc: Option<String>,
    /// OTLP over HTTP, for every signal that the stack's own Alloy takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector_otlp_http: Option<String>,
}

/// A chart that was rendered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartStatus {
    /// Name of the chart.
    pub name: String,
    /// Version of the chart.
    pub version: String,
    /// Version of what it runs.
    pub app_version: String,
    /// Where it came from.
    pub source: ChartSource,
}

/// What all pods of the stack request together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestSums {
    /// Pods.
    pub pods: i32,
    /// CPU, such as `2720m`.
    pub cpu: String,
    /// Memory, such as `12928Mi`.
    pub memory: String,
    /// Volume claims, such as `16Gi`.
    pub storage: String,
}

/// Advice that does not stop anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advisory {
    /// Stable name.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is so, with numbers.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// How much an advisory matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Will hurt one day.
    Warning,
}

/// The list of objects that belong to the stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryStatus {
    /// How many objects.
    pub objects: i32,
    /// The ConfigMap that lists them.
    pub config_map: String,
}
