//! Whether the queries of the dashboards find what real components expose: every name is in a list of it
//! (`exposed-metrics`), and a real Mimir that was given series with these names and labels answers every query.
//! `OBSTACK_MIMIR` names the binary.

#![cfg(test)]

mod exposed;
mod real_mimir;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use exposed::Series;
use obstack_api::{ChartSource, ObservabilityStack};
use obstack_core::{
    dashboards::{self, Dashboard, selectors},
    facts::{Cluster, Facts, SecretFacts},
    validate::validate,
};
use obstack_engine::metrics::METRICS;
use real_mimir::Mimir;
use serde_json::{Value, json};

/// What Grafana makes of `$__rate_interval` at a scrape interval of 15 s.
const RATE_INTERVAL: &str = "1m";

/// The dashboards of the dev sample, with metrics of its traces.
fn sample() -> Vec<Dashboard> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples/dev.yaml");
    let mut stack: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    stack["spec"]["traces"]["metricsGenerator"] = json!({"enabled": true});
    let stack: ObservabilityStack = serde_json::from_value(stack).unwrap();
    let reference = &stack.spec.object_storage.credentials.secret_ref;
    let keys = [reference.access_key_field(), reference.secret_key_field()].map(str::to_owned).to_vec();
    let secrets = BTreeMap::from([(reference.name.clone(), SecretFacts { keys, hash: String::new() })]);
    let facts = Facts {
        cluster: Cluster { version: "1.36.3".into(), minor: 36, openshift: true },
        default_chart_source: ChartSource::Bundled,
        secrets,
        claimed_buckets: BTreeMap::new(),
        claimed_names: BTreeMap::new(),
    };
    let valid = validate(&stack, &facts).unwrap_or_else(|faults| panic!("{faults:?}"));
    dashboards::all(&valid)
}

/// A query with its variables filled in, and where it stands.
struct Query {
    at: String,
    expr: String,
    instant: bool,
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn queries(dashboards: &[Dashboard]) -> Vec<Query> {
    let mut queries = Vec::new();
    for dashboard in dashboards {
        for panel in dashboard.panels() {
            for target in list(panel, "/targets").iter().filter(|target| target.get("expr").is_some()) {
                let mut expr = text(target, "/expr").replace("$__rate_interval", RATE_INTERVAL);
                for variable in list(&dashboard.model, "/templating/list") {
                    let name = format!("${}", text(variable, "/name"));
                    expr = expr.replace(&name, text(variable, "/allValue"));
                }
                let at = format!("{} / {}", dashboard.slug, text(panel, "/title"));
                queries.push(Query { at, expr, instant: target["instant"] == true });
            }
        }
    }
    queries
}

#[test]
fn every_metric_of_every_query_is_exposed_by_a_real_component() {
    let exposed = exposed::all();
    let names: BTreeSet<_> = exposed.iter().map(|series| series.name.as_str()).collect();
    for Query { at, expr, .. } in queries(&sample()) {
        let metrics: Vec<_> = selectors(&expr).collect();
        assert!(!metrics.is_empty(), "{at}: {expr}");
        for (name, _) in metrics {
            assert!(names.contains(name), "{at}: nothing exposes {name}");
        }
        // A name without braces would not have been looked at.
        for name in &names {
            let used = expr.match_indices(name).map(|(at, _)| &expr[at + name.len()..]);
            for rest in used {
                let longer = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
                assert!(longer || rest.starts_with('{'), "{at}: {name} without braces in {expr}");
            }
        }
    }
}

#[test]
fn the_list_of_our_own_metrics_is_what_the_operator_registers() {
    for Series { name, labels, .. } in exposed::ours() {
        let of_histogram = name.strip_suffix("_bucket").unwrap_or(&name);
        let metric = METRICS.iter().find(|metric| metric.name == of_histogram);
        let metric = metric.unwrap_or_else(|| panic!("the operator has no {name}"));
        let ours: BTreeSet<_> = labels.keys().map(String::as_str).collect();
        assert_eq!(ours, metric.labels.iter().copied().collect(), "{name}");
    }
}

#[test]
fn every_query_of_every_dashboard_returns_series_from_a_real_mimir() {
    let Some(binary) = env::var_os("OBSTACK_MIMIR").map(PathBuf::from) else {
        return println!("not run: real Mimir (OBSTACK_MIMIR is not set)");
    };
    let folder = tempfile::tempdir().unwrap();
    let mimir = Mimir::start(&binary, folder.path());
    mimir.wait_until_ready();
    let dashboards = sample();
    let queries = queries(&dashboards);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    push(&mimir, &queries, now);

    for dashboard in &dashboards {
        choices_are_found(&mimir, dashboard);
    }
    let mut empty = Vec::new();
    for Query { at, expr, instant } in &queries {
        let time = now.to_string();
        let start = (now - 120).to_string();
        let (page, times) = if *instant {
            ("query", vec![("time", time.as_str())])
        } else {
            ("query_range", vec![("start", start.as_str()), ("end", time.as_str()), ("step", "15")])
        };
        let parameters: Vec<_> = times.into_iter().chain([("query", expr.as_str())]).collect();
        let answer = mimir.ask(page, &parameters);
        let numbers = list(&answer, "/data/result").iter().filter(|series| is_finite(series)).count();
        println!("{numbers:>3} series  {at}: {expr}");
        if numbers == 0 {
            empty.push(format!("{at}: {expr}: {answer}"));
        }
        // What `or` puts in the place of nothing would hide a selector that finds nothing.
        for (_, selector) in selectors(expr) {
            let found =
                mimir.ask("series", &[("match[]", selector.as_str()), ("start", &start), ("end", &time)]);
            if list(&found, "/data").is_empty() {
                empty.push(format!("{at}: no series for {selector}"));
            }
        }
    }
    assert!(empty.is_empty(), "{} queries find nothing:\n{}", empty.len(), empty.join("\n"));
}

/// Pushes samples of every exposed series that a query names.
fn push(mimir: &Mimir, queries: &[Query], now: u64) {
    let used: BTreeSet<_> =
        queries.iter().flat_map(|query| selectors(&query.expr)).map(|(name, _)| name).collect();
    let series = exposed::all().into_iter().filter(|series| used.contains(series.name.as_str()));
    let metrics: Vec<_> = series.map(|series| series.otlp(now)).collect();
    println!("{} series of {} metrics", metrics.len(), used.len());
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).to_string();
    let (status, answer) = mimir.post("/otlp/v1/metrics", "application/json", &body);
    assert_eq!(status, 200, "{answer}");
}

/// Every variable that asks Mimir for its values gets some.
fn choices_are_found(mimir: &Mimir, dashboard: &Dashboard) {
    let variables = list(&dashboard.model, "/templating/list").iter();
    let asking = variables.filter(|it| it["type"] == "query" && it["datasource"]["type"] == "prometheus");
    for variable in asking {
        let query = text(variable, "/query");
        let (metric, label) = query
            .strip_prefix("label_values(")
            .and_then(|it| it.strip_suffix(')')?.split_once(", "))
            .unwrap();
        let found = mimir.ask(&format!("label/{label}/values"), &[("match[]", metric)]);
        assert!(!list(&found, "/data").is_empty(), "{}: {query}", dashboard.slug);
    }
}

/// Whether a series has a number, which a quantile of no observations is not.
fn is_finite(series: &Value) -> bool {
    let points = list(series, "/values").iter().chain(series.get("value"));
    let mut numbers = points.filter_map(|point| text(point, "/1").parse::<f64>().ok());
    numbers.any(f64::is_finite)
}
