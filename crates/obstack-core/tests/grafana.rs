//! What Grafana gets: datasources that link to each other, and dashboards, where it finds them.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use obstack_api::ObservabilityStack;
use obstack_core::{backends::Backend, dashboards, design::Design, design::design, grafana::datasource_uid};
use serde_json::{Value, json};

const SIDECAR: &str = "grafana: {datasources: {provider: SidecarConfigMap, namespace: tools}, dashboards: {provider: SidecarConfigMap, namespace: tools, folder: Platform}}";
const OPERATOR: &str = "grafana: {datasources: {provider: GrafanaOperator, instanceSelector: {dashboards: grafana}}, dashboards: {provider: GrafanaOperator, instanceSelector: {dashboards: grafana}, folder: Platform}}";

fn designed(stack: &ObservabilityStack) -> Design {
    design(&common::valid(stack)).design
}

fn with(grafana: &str) -> Design {
    designed(&common::small_with(&format!("spec: {{{grafana}}}")))
}

/// The datasources of the one file, as Grafana understands it: `$$` is a `$`.
fn datasources(design: &Design) -> Vec<Value> {
    let [object] = design.datasources.as_slice() else { panic!("{:?}", design.datasources) };
    let (_, text) = object["data"].as_object().unwrap().iter().next().unwrap();
    let text = text.as_str().unwrap();
    assert!(!text.replace("$$", "").contains('$'), "an environment variable: {text}");
    let file: Value = serde_json::from_str(&text.replace("$$", "$")).unwrap();
    file["datasources"].as_array().unwrap().clone()
}

#[test]
fn datasources_link_both_ways_when_metrics_are_made_from_traces() {
    let [tempo, mimir] = &datasources(&with(SIDECAR))[..] else { panic!() };
    let query = |name: &str, query: &str| json!({"name": name, "query": query});
    let expect = json!({
        "access": "proxy", "editable": false, "name": "Tempo (dev)", "type": "tempo", "uid": "tempo-dev",
        "url": "http://dts-dev-tempo.ca7f8f-dev.svc:3200",
        "jsonData": {
            "nodeGraph": {"enabled": true},
            "search": {"hide": false},
            "serviceMap": {"datasourceUid": "mimir-dev"},
            "streamingEnabled": {"metrics": false, "search": false},
            "tracesToMetrics": {
                "datasourceUid": "mimir-dev",
                "spanStartTimeShift": "-30m", "spanEndTimeShift": "30m",
                "tags": [{"key": "service.name", "value": "service"}],
                "queries": [
                    query("Calls per second", "sum by (span_name) (rate(traces_spanmetrics_calls_total{$__tags}[5m]))"),
                    query(
                        "Errors per second",
                        r#"sum by (span_name) (rate(traces_spanmetrics_calls_total{$__tags, status_code="STATUS_CODE_ERROR"}[5m]))"#,
                    ),
                    query(
                        "95% are faster than",
                        "histogram_quantile(0.95, sum by (le, span_name) (rate(traces_spanmetrics_latency_bucket{$__tags}[5m])))",
                    ),
                ],
            },
        },
    });
    assert_eq!(*tempo, expect);
    let expect = json!({
        "access": "proxy", "editable": false, "name": "Mimir (dev)", "type": "prometheus", "uid": "mimir-dev",
        "url": "http://dts-dev-mimir-query-frontend.ca7f8f-dev.svc:8080/prometheus",
        "jsonData": {
            "httpMethod": "POST", "prometheusType": "Mimir", "prometheusVersion": "2.9.1", "timeInterval": "60s",
            "manageAlerts": false,
            "exemplarTraceIdDestinations": [
                {"name": "trace_id", "datasourceUid": "tempo-dev"},
                {"name": "traceID", "datasourceUid": "tempo-dev"},
            ],
        },
    });
    assert_eq!(*mimir, expect);
}

#[test]
fn no_link_leads_to_what_is_not_there() {
    let check = |overlay: &str, expect: &[&str]| {
        let stack = common::small_with(overlay);
        let links: BTreeSet<_> = datasources(&designed(&stack))
            .iter()
            .flat_map(|entry| entry["jsonData"].as_object().unwrap().clone())
            .filter(|(_, value)| value.to_string().contains("datasourceUid"))
            .map(|(key, _)| key)
            .collect();
        assert_eq!(links.iter().map(String::as_str).collect::<Vec<_>>(), expect, "{overlay}");
    };
    let datasources = "grafana: {datasources: {provider: SidecarConfigMap}}";
    check(&format!("spec: {{{datasources}}}"), &["exemplarTraceIdDestinations"]);
    check(&format!("spec: {{{datasources}, metrics: null}}"), &[]);
    check(&format!("spec: {{{datasources}, traces: null}}"), &[]);
    let both = ["exemplarTraceIdDestinations", "serviceMap", "tracesToMetrics"];
    check(&format!("spec: {{{datasources}, traces: {{metricsGenerator: {{}}}}}}"), &both);
    check(
        &format!("spec: {{{datasources}, traces: {{metricsGenerator: {{processors: [ServiceGraphs]}}}}}}"),
        &["exemplarTraceIdDestinations", "serviceMap"],
    );
}

#[test]
fn alerts_are_managed_where_a_gateway_leads_to_rulers() {
    let check = |components: &str, expect: bool| {
        let overlay = format!(
            "spec: {{grafana: {{datasources: {{provider: SidecarConfigMap}}}}, metrics: {{components: {components}}}}}"
        );
        let entries = datasources(&designed(&common::small_with(&overlay)));
        assert_eq!(entries[1]["jsonData"]["manageAlerts"], expect, "{components}");
    };
    check("{ruler: {replicas: 1}, gateway: {replicas: 1}}", true);
    check("{ruler: {replicas: 1}}", false);
    check("{gateway: {replicas: 1}}", false);
}

#[test]
fn a_secret_holds_what_a_config_map_would() {
    let plain = with("grafana: {datasources: {provider: SidecarConfigMap}}");
    let secret = with("grafana: {datasources: {provider: SidecarSecret}}");
    let text = |design: &Design| {
        design.datasources[0]["data"]["ca7f8f-dev-dts-dev.yaml"].as_str().unwrap().to_owned()
    };
    assert_eq!(STANDARD.decode(text(&secret)).unwrap(), text(&plain).into_bytes());
    assert_eq!(secret.datasources[0]["kind"], "Secret");
}

#[test]
fn each_dashboard_is_an_object_that_the_sidecar_finds() {
    let stack = common::valid(&common::small_with(&format!("spec: {{{SIDECAR}}}")));
    let (objects, wanted) = (design(&stack).design.dashboards, dashboards::all(&stack));
    assert!(!wanted.is_empty());
    assert_eq!(objects.len(), wanted.len());
    for (object, dashboard) in objects.iter().zip(&wanted) {
        let slug = dashboard.slug;
        assert_eq!(object["kind"], "ConfigMap");
        let metadata = json!({
            "name": format!("ca7f8f-dev-dts-dev-dashboard-{slug}"), "namespace": "tools",
            "labels": {"grafana_dashboard": "1"}, "annotations": {"grafana_folder": "Platform"},
        });
        assert_eq!(object["metadata"], metadata);
        let text = object["data"][format!("ca7f8f-dev-dts-dev-{slug}.json")].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), dashboard.model);
        assert!(object.to_string().len() < 1 << 20, "{slug} is larger than an object may be");
    }
}

#[test]
fn the_operator_of_grafana_gets_an_object_for_each_datasource_and_dashboard() {
    let design = with(OPERATOR);
    let names: Vec<_> =
        design.datasources.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ca7f8f-dev-dts-dev-tempo", "ca7f8f-dev-dts-dev-mimir"]);
    let tempo = &design.datasources[0];
    assert_eq!(tempo["spec"]["datasource"]["uid"], "tempo-dev");
    // No file that Grafana expands: a dollar is a dollar.
    assert!(tempo.to_string().contains("{$__tags}") && !tempo.to_string().contains("$$"));
    for object in design.for_grafana() {
        assert_eq!(object["apiVersion"], "grafana.integreatly.org/v1beta1");
        assert_eq!(object["spec"]["instanceSelector"], json!({"matchLabels": {"dashboards": "grafana"}}));
        assert_eq!(object["spec"]["allowCrossNamespaceImport"], true);
        assert_eq!(object["metadata"]["namespace"], "ca7f8f-dev");
    }
    assert!(!design.dashboards.is_empty());
    for object in &design.dashboards {
        assert_eq!(
            (&object["kind"], &object["spec"]["folder"]),
            (&json!("GrafanaDashboard"), &json!("Platform"))
        );
        serde_json::from_str::<Value>(object["spec"]["json"].as_str().unwrap()).unwrap();
    }
}

#[test]
fn stacks_that_share_a_grafana_share_no_name_and_no_uid() {
    let published = |namespace: &str, environment: &str| {
        let overlay =
            format!("metadata: {{namespace: {namespace}}}\nspec: {{environment: {environment}, {SIDECAR}}}");
        let stack = common::valid(&common::small_with(&overlay));
        let (design, dashboards) = (design(&stack).design, dashboards::all(&stack));
        let names = design.for_grafana().map(|object| object["metadata"]["name"].to_string());
        let files =
            design.for_grafana().flat_map(|object| object["data"].as_object().unwrap().keys().cloned());
        let uids = dashboards.iter().map(|dashboard| dashboard.model["uid"].to_string());
        let datasources =
            [Backend::Tempo, Backend::Mimir].map(|backend| datasource_uid(&stack, backend).unwrap());
        names.chain(files).chain(uids).chain(datasources).collect::<BTreeSet<_>>()
    };
    let (dev, prod) = (published("ca7f8f-dev", "dev"), published("ca7f8f-prod", "prod"));
    assert_eq!(dev.intersection(&prod).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(dev.iter().all(|name| name.len() <= 253));
}

#[test]
fn i1_what_grafana_gets_is_always_the_same() {
    for grafana in [SIDECAR, OPERATOR] {
        assert_eq!(with(grafana).fingerprint(), with(grafana).fingerprint());
    }
}
