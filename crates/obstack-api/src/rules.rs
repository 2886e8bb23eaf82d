//! The admission rules (CEL) that the API server checks before a stack is stored.
//!
//! Each rule stands at one place of the schema. They see the object alone; whatever needs the cluster (a Secret, a
//! quota, a bucket) is a condition instead. Messages end with what to do where the rule alone does not say it.

/// One admission rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Place in the schema: field names from the root; `*` steps into a map's values.
    pub at: &'static [&'static str],
    /// The CEL expression; true lets the object pass.
    pub rule: &'static str,
    /// What the API server answers when it is false.
    pub message: &'static str,
}

/// Components that `traces.components` knows. `storeGateway` is known so that the status can answer it.
pub const TRACES_COMPONENTS: &[&str] = &[
    "singleBinary",
    "distributor",
    "ingester",
    "querier",
    "queryFrontend",
    "compactor",
    "metricsGenerator",
    "storeGateway",
];

/// Components that `metrics.components` knows.
pub const METRICS_COMPONENTS: &[&str] = &[
    "distributor",
    "ingester",
    "querier",
    "queryFrontend",
    "queryScheduler",
    "compactor",
    "storeGateway",
    "ruler",
    "alertmanager",
    "overridesExporter",
    "gateway",
];

/// Every admission rule.
pub const RULES: &[Rule] = &[
    Rule {
        at: &[],
        rule: "self.metadata.name.size() <= 40",
        message: "metadata.name must be at most 40 characters (workload, Service and label names derive from it)",
    },
    Rule {
        at: &[],
        rule: "!self.metadata.name.contains('.')",
        message: "metadata.name must not contain a dot (Service names derive from it)",
    },
    Rule {
        at: &["spec"],
        rule: "has(self.traces) || has(self.metrics)",
        message: "at least one backend must be configured: set traces or metrics",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.cpuLimits == 'Allow' || !has(self.traces) || !has(self.traces.components) || self.traces.components.all(k, !has(self.traces.components[k].resources) || !has(self.traces.components[k].resources.limits) || !has(self.traces.components[k].resources.limits.cpu))",
        message: "traces: CPU limits are forbidden by resourcePolicy.cpuLimits; remove resources.limits.cpu",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.cpuLimits == 'Allow' || !has(self.metrics) || !has(self.metrics.components) || self.metrics.components.all(k, !has(self.metrics.components[k].resources) || !has(self.metrics.components[k].resources.limits) || !has(self.metrics.components[k].resources.limits.cpu))",
        message: "metrics: CPU limits are forbidden by resourcePolicy.cpuLimits; remove resources.limits.cpu",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.memoryLimits == 'Any' || !has(self.traces) || !has(self.traces.components) || self.traces.components.all(k, k in ['ingester','storeGateway','singleBinary'] || !has(self.traces.components[k].resources) || !has(self.traces.components[k].resources.limits) || !has(self.traces.components[k].resources.limits.memory))",
        message: "traces: memory limits are only allowed on ingester, storeGateway and singleBinary",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.memoryLimits == 'Any' || !has(self.metrics) || !has(self.metrics.components) || self.metrics.components.all(k, k in ['ingester','storeGateway'] || !has(self.metrics.components[k].resources) || !has(self.metrics.components[k].resources.limits) || !has(self.metrics.components[k].resources.limits.memory))",
        message: "metrics: memory limits are only allowed on ingester and storeGateway",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.memoryLimits == 'Any' || !has(self.traces) || !has(self.traces.components) || self.traces.components.all(k, !(k in ['ingester','storeGateway','singleBinary']) || !has(self.traces.components[k].resources) || (has(self.traces.components[k].resources.limits) && has(self.traces.components[k].resources.limits.memory)))",
        message: "traces: ingester, storeGateway and singleBinary need resources.limits.memory",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.memoryLimits == 'Any' || !has(self.metrics) || !has(self.metrics.components) || self.metrics.components.all(k, !(k in ['ingester','storeGateway']) || !has(self.metrics.components[k].resources) || (has(self.metrics.components[k].resources.limits) && has(self.metrics.components[k].resources.limits.memory)))",
        message: "metrics: ingester and storeGateway need resources.limits.memory",
    },
    Rule {
        at: &["spec"],
        rule: "!has(oldSelf.traces) || has(self.traces) || self.deletionPolicy != 'Retain'",
        message: "removing traces needs deletionPolicy DeleteWorkloads",
    },
    Rule {
        at: &["spec"],
        rule: "!has(oldSelf.metrics) || has(self.metrics) || self.deletionPolicy != 'Retain'",
        message: "removing metrics needs deletionPolicy DeleteWorkloads",
    },
    Rule {
        at: &["spec"],
        rule: "!has(self.traces) || !has(self.traces.metricsGenerator) || has(self.metrics) || (has(self.traces.metricsGenerator.enabled) && !self.traces.metricsGenerator.enabled)",
        message: "traces.metricsGenerator writes to the stack's Mimir: set metrics, or metricsGenerator.enabled: false",
    },
    Rule {
        at: &["spec"],
        rule: "!has(self.canary) || !has(self.canary.signals) || self.canary.signals.all(s, s == 'Traces' ? has(self.traces) : has(self.metrics))",
        message: "canary.signals names a signal that the stack does not keep: set traces or metrics, or take it out",
    },
    Rule {
        at: &["spec", "canary", "interval"],
        rule: "duration(self) >= duration('15s') && duration(self) <= duration('1h')",
        message: "canary.interval must be 15s to 1h",
    },
    Rule {
        at: &["spec", "environment"],
        rule: "self == oldSelf",
        message: "environment is immutable: bucket names and datasource names derive from it",
    },
    Rule {
        at: &["spec", "objectStorage", "provider"],
        rule: "self == oldSelf",
        message: "objectStorage.provider is immutable",
    },
    Rule {
        at: &["spec", "objectStorage", "buckets", "prefix"],
        rule: "self == oldSelf",
        message: "buckets.prefix is immutable: the old buckets hold the data",
    },
    Rule {
        at: &["spec", "traces"],
        rule: "!has(self.components) || (self.mode == 'Monolithic' ? self.components.all(k, k == 'singleBinary') : !('singleBinary' in self.components))",
        message: "singleBinary belongs to mode Monolithic only, every other component to mode Distributed only",
    },
    Rule {
        at: &["spec", "traces"],
        rule: "!has(self.replicationFactor) || !has(self.components) || !('ingester' in self.components) || !has(self.components['ingester'].replicas) || self.components['ingester'].replicas == 0 || self.components['ingester'].replicas >= self.replicationFactor",
        message: "components.ingester.replicas must be >= replicationFactor",
    },
    Rule {
        at: &["spec", "metrics"],
        rule: "!has(self.replicationFactor) || !has(self.components) || !('ingester' in self.components) || !has(self.components['ingester'].replicas) || self.components['ingester'].replicas == 0 || self.components['ingester'].replicas >= self.replicationFactor",
        message: "components.ingester.replicas must be >= replicationFactor",
    },
    Rule {
        at: &["spec", "traces"],
        rule: "!has(self.chart) || !has(self.chart.version) || !self.chart.version.matches('^[3-9][.]')",
        message: "tempo charts 3.x have no ingester and need Kafka: use tempo 2.2.4 or tempo-distributed 2.26.2",
    },
    Rule {
        at: &["spec"],
        rule: "!has(self.traces) || !has(self.metrics) || !has(self.traces.releaseName) || !has(self.metrics.releaseName) || self.traces.releaseName != self.metrics.releaseName",
        message: "traces.releaseName and metrics.releaseName must differ: pods are selected by them",
    },
    Rule {
        at: &["spec", "traces"],
        rule: "has(self.releaseName) == has(oldSelf.releaseName)",
        message: "releaseName cannot be added or removed later: objects and claims are named after it",
    },
    Rule {
        at: &["spec", "metrics"],
        rule: "has(self.releaseName) == has(oldSelf.releaseName)",
        message: "releaseName cannot be added or removed later: objects and claims are named after it",
    },
    Rule {
        at: &["spec", "traces", "releaseName"],
        rule: "self == oldSelf",
        message: "releaseName is immutable: objects and claims are named after it",
    },
    Rule {
        at: &["spec", "metrics", "releaseName"],
        rule: "self == oldSelf",
        message: "releaseName is immutable: objects and claims are named after it",
    },
    Rule {
        at: &["spec", "traces", "mode"],
        rule: "self == oldSelf",
        message: "mode is immutable in v1alpha1: make a second stack and move the writers",
    },
    Rule {
        at: &["spec", "traces", "components"],
        rule: "self.all(k, k in ['singleBinary', 'distributor', 'ingester', 'querier', 'queryFrontend', 'compactor', 'metricsGenerator', 'storeGateway'])",
        message: "unknown component; allowed: singleBinary, distributor, ingester, querier, queryFrontend, compactor, metricsGenerator, storeGateway",
    },
    Rule {
        at: &["spec", "metrics", "components"],
        rule: "self.all(k, k in ['distributor', 'ingester', 'querier', 'queryFrontend', 'queryScheduler', 'compactor', 'storeGateway', 'ruler', 'alertmanager', 'overridesExporter', 'gateway'])",
        message: "unknown component; allowed: distributor, ingester, querier, queryFrontend, queryScheduler, compactor, storeGateway, ruler, alertmanager, overridesExporter, gateway",
    },
    Rule {
        at: &["spec", "traces", "buckets", "blocks", "name"],
        rule: "self == oldSelf",
        message: "a bucket name is immutable: the old bucket holds the data",
    },
    Rule {
        at: &["spec", "metrics", "buckets", "blocks", "name"],
        rule: "self == oldSelf",
        message: "a bucket name is immutable: the old bucket holds the data",
    },
    Rule {
        at: &["spec", "metrics", "buckets", "ruler", "name"],
        rule: "self == oldSelf",
        message: "a bucket name is immutable: the old bucket holds the data",
    },
    Rule {
        at: &["spec", "metrics", "buckets", "alertmanager", "name"],
        rule: "self == oldSelf",
        message: "a bucket name is immutable: the old bucket holds the data",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.cpuLimits == 'Allow' || !has(self.collectors) || !has(self.collectors.alloy) || !has(self.collectors.alloy.components) || self.collectors.alloy.components.all(k, !has(self.collectors.alloy.components[k].resources) || !has(self.collectors.alloy.components[k].resources.limits) || !has(self.collectors.alloy.components[k].resources.limits.cpu))",
        message: "collectors: CPU limits are forbidden by resourcePolicy.cpuLimits; remove resources.limits.cpu",
    },
    Rule {
        at: &["spec"],
        rule: "self.resourcePolicy.memoryLimits == 'Any' || !has(self.collectors) || !has(self.collectors.alloy) || !has(self.collectors.alloy.components) || self.collectors.alloy.components.all(k, !has(self.collectors.alloy.components[k].resources) || !has(self.collectors.alloy.components[k].resources.limits) || !has(self.collectors.alloy.components[k].resources.limits.memory))",
        message: "collectors: Alloy holds no data and has no memory limit; remove resources.limits.memory",
    },
    Rule {
        at: &["spec"],
        rule: "!has(self.collectors) || !has(self.collectors.alloy) || !has(self.collectors.alloy.otlp) || !has(self.collectors.alloy.otlp.signals) || !('Traces' in self.collectors.alloy.otlp.signals) || has(self.traces)",
        message: "collectors.alloy.otlp.signals has Traces, but the stack has no traces; add traces, or remove the signal",
    },
    Rule {
        at: &["spec"],
        rule: "!has(self.collectors) || !has(self.collectors.alloy) || !has(self.collectors.alloy.otlp) || !has(self.collectors.alloy.otlp.signals) || !('Metrics' in self.collectors.alloy.otlp.signals) || has(self.metrics)",
        message: "collectors.alloy.otlp.signals has Metrics, but the stack has no metrics; add metrics, or remove the signal",
    },
    Rule {
        at: &["spec", "collectors", "alloy"],
        rule: "self.mode == 'Managed' || (!has(self.kind) && !has(self.components) && !has(self.chart))",
        message: "kind, components and chart belong to mode Managed: with ConfigMapOnly the operator runs no Alloy",
    },
    Rule {
        at: &["spec", "collectors", "alloy"],
        rule: "!has(self.kind) || self.kind != 'DaemonSet' || !has(self.components) || self.components.all(k, !has(self.components[k].replicas))",
        message: "a DaemonSet runs one pod a node; remove components.alloy.replicas, or set kind: Deployment",
    },
    Rule {
        at: &["spec", "collectors", "alloy"],
        rule: "self.mode != 'Managed' || !has(self.otlp) || ((!has(self.otlp.grpcPort) || self.otlp.grpcPort != 12345) && (!has(self.otlp.httpPort) || self.otlp.httpPort != 12345))",
        message: "port 12345 is Alloy's own, for its page and its metrics; use another",
    },
    Rule {
        at: &["spec", "collectors", "alloy", "components"],
        rule: "self.all(k, k == 'alloy')",
        message: "unknown component; allowed: alloy",
    },
    Rule {
        at: &["spec", "collectors", "alloy", "components"],
        rule: "self.all(k, !has(self[k].storage))",
        message: "Alloy keeps no data; remove storage",
    },
    Rule {
        at: &["spec", "collectors", "alloy", "otlp"],
        rule: "(has(self.grpcPort) ? self.grpcPort : 4317) != (has(self.httpPort) ? self.httpPort : 4318)",
        message: "grpcPort and httpPort must differ",
    },
    Rule {
        at: &["spec", "collectors", "alloy", "otlp"],
        rule: "!has(self.signals) || !('Logs' in self.signals)",
        message: "Logs is not taken by OTLP: a stack keeps no logs, and they go on by the way from the containers' output; remove it",
    },
    Rule {
        at: &["spec", "grafana", "datasources"],
        rule: "!has(self.nameFormat) || self.nameFormat.contains('{env}')",
        message: "nameFormat must contain {env}, or two environments get the same datasource",
    },
    Rule {
        at: &["spec", "grafana", "datasources"],
        rule: "self.provider == 'GrafanaOperator' ? has(self.instanceSelector) && !has(self.sidecarLabel) : !has(self.instanceSelector)",
        message: "datasources: provider GrafanaOperator needs instanceSelector and takes no sidecarLabel; no other provider takes an instanceSelector",
    },
    Rule {
        at: &["spec", "grafana", "dashboards"],
        rule: "self.provider == 'GrafanaOperator' ? has(self.instanceSelector) && !has(self.sidecarLabel) : !has(self.instanceSelector)",
        message: "dashboards: provider GrafanaOperator needs instanceSelector and takes no sidecarLabel; no other provider takes an instanceSelector",
    },
];

/// Rules that stand on every component of both backends, relative to the component.
pub const COMPONENT_RULES: &[Rule] = &[
    Rule {
        at: &["resources"],
        rule: "!has(self.limits) || !has(self.limits.memory) || !has(self.requests) || !has(self.requests.memory) || quantity(string(self.limits.memory)).compareTo(quantity(string(self.requests.memory))) >= 0",
        message: "limits.memory must be >= requests.memory",
    },
    Rule {
        at: &["storage"],
        rule: "has(self.className) == has(oldSelf.className)",
        message: "storage.className cannot be added or removed later",
    },
    Rule {
        at: &["storage"],
        rule: "self.type == oldSelf.type",
        message: "storage.type is immutable: the data would not move with it",
    },
    Rule {
        at: &["storage", "size"],
        rule: "quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",
        message: "storage.size can grow but never shrink",
    },
    Rule {
        at: &["storage", "className"],
        rule: "self == oldSelf",
        message: "storage.className is immutable: the data would not move with it",
    },
];
