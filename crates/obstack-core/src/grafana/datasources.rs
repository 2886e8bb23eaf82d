//! Grafana datasources that link to each other: from a span to its metrics, from a metric to its trace.
//!
//! Keys of `jsonData` are those of Grafana 13's documentation ("Provision the Tempo data source", "Configure the
//! Prometheus data source"); Grafana 11 has all of them.

use obstack_api::{DatasourceStatus, Endpoints, MetricsProcessor};
use serde_json::{Map, Value, json};

use super::Provider;
use crate::{
    backends::Backend,
    hash,
    objects::Kind,
    valid::{Datasources, ValidBackend, ValidStack},
};

/// Longest uid that Grafana takes.
const UID_MAX: usize = 40;

/// Newest of the versions of Mimir that Grafana tells apart: `> 2.9.x` (`PromFlavorVersions.ts` of Grafana 11 and later).
/// Without a version it asks for labels the slow way.
const MIMIR_IN_GRAFANA: &str = "2.9.1";

/// Interval of samples that graphs are drawn for. SDKs of OpenTelemetry export metrics once a minute
/// (`OTEL_METRIC_EXPORT_INTERVAL`); with less, `$__rate_interval` would hold one sample and graphs stay empty.
const SAMPLES_EVERY: &str = "60s";

/// Queries behind "Metrics for this span". `$__tags` becomes the labels of the span's service.
const SPAN_QUERIES: [(&str, &str); 3] = [
    ("Calls per second", "sum by (span_name) (rate(traces_spanmetrics_calls_total{$__tags}[5m]))"),
    (
        "Errors per second",
        r#"sum by (span_name) (rate(traces_spanmetrics_calls_total{$__tags, status_code="STATUS_CODE_ERROR"}[5m]))"#,
    ),
    (
        "95% are faster than",
        "histogram_quantile(0.95, sum by (le, span_name) (rate(traces_spanmetrics_latency_bucket{$__tags}[5m])))",
    ),
];

/// The objects with the datasources, and what the status says of each.
pub(super) fn build(
    stack: &ValidStack,
    wanted: &Datasources,
    endpoints: &Endpoints,
) -> (Vec<Value>, Vec<DatasourceStatus>) {
    let entry = |backend: Backend, url: &Option<String>| {
        let name = name(stack, wanted, backend);
        url.as_ref().map(|url| DatasourceStatus { uid: uid_of(&name, backend), name, url: url.clone() })
    };
    let tempo = entry(Backend::Tempo, &endpoints.traces_query);
    let mimir = entry(Backend::Mimir, &endpoints.metrics_query);
    let backend = |wanted: Backend| stack.backends.iter().find(|backend| backend.backend == wanted);
    let definitions = [
        tempo.as_ref().zip(backend(Backend::Tempo)).map(|(entry, tempo)| {
            (Backend::Tempo, definition(entry, "tempo", &tempo_data(tempo, mimir.as_ref())))
        }),
        mimir.as_ref().zip(backend(Backend::Mimir)).map(|(entry, backend)| {
            (Backend::Mimir, definition(entry, "prometheus", &mimir_data(backend, tempo.as_ref())))
        }),
    ];
    let definitions = definitions.into_iter().flatten();
    let objects = match &wanted.place.provider {
        Provider::Sidecar { secret, label } => {
            let definitions: Vec<_> = definitions.map(|(_, definition)| escaped(definition)).collect();
            let file = json!({"apiVersion": 1, "prune": true, "datasources": definitions});
            // JSON is YAML; Grafana reads files by this ending only.
            let name = format!("{}-{}.yaml", stack.key.namespace, stack.key.name);
            let text = serde_json::to_string_pretty(&file).unwrap_or_default();
            vec![wanted.place.file(&stack.key.datasources(), (&name, &text), *secret, label)]
        }
        Provider::Operator { instances } => definitions
            .map(|(backend, definition)| {
                let name = stack.key.datasource(backend);
                let spec = Map::from_iter([("datasource".to_owned(), definition)]);
                wanted.place.resource(Kind::GrafanaDatasource, &name, instances, spec)
            })
            .collect(),
    };
    (objects, [tempo, mimir].into_iter().flatten().collect())
}

/// Uid of the datasource of a backend; `None` when the stack publishes none for it. It stays the same as long as the
/// datasource's name does.
pub fn uid(stack: &ValidStack, backend: Backend) -> Option<String> {
    let wanted = stack.datasources.as_ref()?;
    stack.backends.iter().find(|have| have.backend == backend)?;
    Some(uid_of(&name(stack, wanted, backend), backend))
}

fn name(stack: &ValidStack, wanted: &Datasources, backend: Backend) -> String {
    wanted.name_format.replace("{backend}", &backend.to_string()).replace("{env}", &stack.environment)
}

fn definition(entry: &DatasourceStatus, plugin: &str, data: &Map<String, Value>) -> Value {
    json!({
        "name": entry.name, "uid": entry.uid, "type": plugin, "access": "proxy", "url": entry.url,
        "editable": false, "jsonData": data,
    })
}

fn tempo_data(tempo: &ValidBackend, mimir: Option<&DatasourceStatus>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("nodeGraph".into(), json!({"enabled": true}));
    data.insert("search".into(), json!({"hide": false}));
    // Streams are gRPC on Tempo's HTTP port, which the charts do not open (`stream_over_http_enabled`).
    data.insert("streamingEnabled".into(), json!({"search": false, "metrics": false}));
    let Some(mimir) = mimir else { return data };
    // Links to metrics that nobody makes would lead into the void.
    if tempo.makes(MetricsProcessor::ServiceGraphs) {
        data.insert("serviceMap".into(), json!({"datasourceUid": mimir.uid}));
    }
    if tempo.makes(MetricsProcessor::SpanMetrics) {
        let queries = SPAN_QUERIES.map(|(name, query)| json!({"name": name, "query": query}));
        let links = json!({
            "datasourceUid": mimir.uid,
            // A span is shorter than the time between two samples.
            "spanStartTimeShift": "-30m", "spanEndTimeShift": "30m",
            "tags": [{"key": "service.name", "value": "service"}],
            "queries": queries,
        });
        data.insert("tracesToMetrics".into(), links);
    }
    data
}

/// Exemplars carry the trace id as `trace_id` when they come through OpenTelemetry and as `traceID` when Tempo's
/// metrics-generator makes them.
fn mimir_data(mimir: &ValidBackend, tempo: Option<&DatasourceStatus>) -> Map<String, Value> {
    let links: Vec<_> = tempo
        .map(|tempo| ["trace_id", "traceID"].map(|label| json!({"name": label, "datasourceUid": tempo.uid})))
        .into_iter()
        .flatten()
        .collect();
    let mut data = Map::new();
    data.insert("httpMethod".into(), "POST".into());
    data.insert("prometheusType".into(), "Mimir".into());
    data.insert("prometheusVersion".into(), MIMIR_IN_GRAFANA.into());
    data.insert("timeInterval".into(), SAMPLES_EVERY.into());
    // Only a gateway leads to the rulers: a query-frontend answers Grafana's list of alerts with an error.
    let rules = mimir.replicas("gateway") > 0 && mimir.replicas("ruler") > 0;
    data.insert("manageAlerts".into(), rules.into());
    data.insert("exemplarTraceIdDestinations".into(), links.into());
    data
}

/// In files that Grafana reads, `$` begins the name of an environment variable, and `$$` is a `$`.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => text.replace('$', "$$").into(),
        Value::Array(list) => list.into_iter().map(escaped).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, escaped(value))).collect(),
        other => other,
    }
}

/// A uid that stays the same as long as the name does: `tempo-dev` for `Tempo (dev)`.
fn uid_of(name: &str, backend: Backend) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let plain = words.join("-");
    // A format without {backend} would give both datasources one uid.
    let plain = if plain.contains(backend.chart_stem()) {
        plain
    } else {
        format!("{}-{plain}", backend.chart_stem())
    };
    if plain.len() <= UID_MAX { plain } else { format!("{}-{}", backend.chart_stem(), hash::short(name, 12)) }
}
