//! Grafana datasources, as the file that Grafana's sidecar puts into its provisioning folder.

use base64::{Engine, engine::general_purpose::STANDARD};
use obstack_api::{DatasourceStatus, Endpoints};
use serde_json::{Map, Value, json};

use crate::{
    backends::Backend,
    hash,
    valid::{Datasources, ValidStack},
};

/// Longest uid that Grafana takes.
const UID_MAX: usize = 40;

/// The object with the datasources, and what the status says of each.
pub(super) fn build(
    stack: &ValidStack,
    wanted: &Datasources,
    endpoints: &Endpoints,
) -> (Value, Vec<DatasourceStatus>) {
    let entry = |backend: Backend, url: &Option<String>| {
        url.as_ref().map(|url| {
            let name = wanted
                .name_format
                .replace("{backend}", &backend.to_string())
                .replace("{env}", &stack.environment);
            DatasourceStatus { uid: uid(&name, backend), name, url: url.clone() }
        })
    };
    let tempo = entry(Backend::Tempo, &endpoints.traces_query);
    let mimir = entry(Backend::Mimir, &endpoints.metrics_query);
    let mut definitions = Vec::new();
    definitions.extend(tempo.as_ref().map(tempo_definition));
    definitions.extend(mimir.as_ref().map(|mimir| mimir_definition(mimir, tempo.as_ref())));
    let file = json!({"apiVersion": 1, "prune": true, "datasources": definitions});
    // JSON is YAML; Grafana reads files by this ending only.
    let name = format!("{}-{}.yaml", stack.key.namespace, stack.key.name);
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    // Not stringData: the API server turns it into data, and ownership of fields under apply is lost on the way.
    let (kind, text) = if wanted.secret { ("Secret", STANDARD.encode(text)) } else { ("ConfigMap", text) };
    let mut metadata = Map::new();
    metadata.insert("name".into(), stack.key.datasources().into());
    metadata.insert("namespace".into(), wanted.namespace.clone().into());
    metadata.insert("labels".into(), json!({wanted.label.0.as_str(): wanted.label.1}));
    if let Some(folder) = &wanted.folder {
        metadata.insert("annotations".into(), json!({"grafana_folder": folder}));
    }
    let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {name: text}});
    (object, [tempo, mimir].into_iter().flatten().collect())
}

fn tempo_definition(tempo: &DatasourceStatus) -> Value {
    json!({
        "name": tempo.name, "uid": tempo.uid, "type": "tempo", "access": "proxy", "url": tempo.url, "editable": false,
        "jsonData": {"nodeGraph": {"enabled": true}},
    })
}

/// Exemplars carry the trace id as `trace_id` when they come through OpenTelemetry and as `traceID` when Tempo's
/// metrics-generator makes them.
fn mimir_definition(mimir: &DatasourceStatus, tempo: Option<&DatasourceStatus>) -> Value {
    let links: Vec<_> = tempo
        .map(|tempo| ["trace_id", "traceID"].map(|label| json!({"name": label, "datasourceUid": tempo.uid})))
        .into_iter()
        .flatten()
        .collect();
    json!({
        "name": mimir.name, "uid": mimir.uid, "type": "prometheus", "access": "proxy", "url": mimir.url, "editable": false,
        "jsonData": {"httpMethod": "POST", "prometheusType": "Mimir", "exemplarTraceIdDestinations": links},
    })
}

/// A uid that stays the same as long as the name does: `tempo-dev` for `Tempo (dev)`.
fn uid(name: &str, backend: Backend) -> String {
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
