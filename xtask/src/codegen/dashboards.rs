//! `docs/reference/dashboards.md`: what each dashboard shows, and what it needs for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
};

use obstack_api::{ChartSource, ObservabilityStack};
use obstack_core::{
    dashboards::{self, ABOUT, Dashboard, Of, selectors},
    facts::{Cluster, Facts, SecretFacts},
    validate::validate,
};
use serde_json::{Value, json};

use super::markdown::{MADE, code, head, row};
use crate::{
    error::{At, Error},
    workspace,
};

const INTRO: &str = "
# Dashboards

What `spec.grafana.dashboards` brings into Grafana ([how](../how-to/grafana.md)). Each stack has its own set, with its namespace and the names of its pods in the queries. Datasources are chosen at the top of a dashboard and begin with the stack's own. The models are of schema 39: Grafana 11 and newer.

The operator scrapes nothing. The dashboards of services and traces live on what Tempo writes into the stack's Mimir. The others show metrics of pods, of the cluster and of the operator, which something else must collect: choose the datasource that has them, whether that is the cluster's own Prometheus or the stack's Mimir, into which a collector sends them. Series need the labels `namespace` and `pod` of what was scraped. The operator's series name a stack's namespace themselves: scrape it with `honorLabels: true`, else that label becomes `exported_namespace` and the stack overview stays empty.

A panel without data says what that means in its description. Every query here was answered with series by a real Mimir, from names and labels that real components expose.
";

/// The page, with the panels of the dev sample.
pub fn page() -> Result<String, Error> {
    let mut text = format!("{MADE}{INTRO}");
    let made = sample()?;
    for about in ABOUT {
        let of = match about.of {
            Of::Every => "every stack".to_owned(),
            Of::With(backend) => format!("stacks with `spec.{}`", backend.signal()),
            Of::SpanMetrics => "stacks whose `spec.traces.metricsGenerator` makes span metrics".to_owned(),
        };
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n- For: {of}\n- Needs: {}\n",
            about.title, about.purpose, about.needs
        );
        if let Some(dashboard) = made.iter().find(|dashboard| dashboard.slug == about.slug) {
            panels(&mut text, dashboard);
        }
    }
    let about = dashboards::OPERATOR;
    let _ = write!(
        text,
        "\n## {}\n\n{}\n\n- For: the operator, with the chart's `dashboards.enabled`\n- Needs: {}\n",
        about.title, about.purpose, about.needs
    );
    panels(&mut text, &dashboards::operator());
    Ok(text)
}

/// The operator's dashboard, which the chart brings.
pub fn of_the_operator() -> Result<(PathBuf, String), Error> {
    let model = serde_json::to_string_pretty(&dashboards::operator().model).map_err(|error| {
        Error::Format { what: "the operator's dashboard".into(), reason: error.to_string() }
    })?;
    Ok((workspace::root().join("charts/obstack/files/obstack-operator.json"), format!("{model}\n")))
}

fn panels(text: &mut String, dashboard: &Dashboard) {
    let metrics: BTreeSet<_> =
        dashboard.expressions().flat_map(selectors).map(|(name, _)| code(name)).collect();
    let metrics: Vec<_> = metrics.into_iter().collect();
    if !metrics.is_empty() {
        let _ = writeln!(text, "- Metrics: {}", metrics.join(", "));
    }
    let _ = write!(text, "\n{}", head(&["panel", "what it says"]));
    for panel in dashboard.panels() {
        let word = |key: &str| panel.get(key).and_then(Value::as_str).unwrap_or_default();
        text.push_str(&row(&[word("title"), word("description")]));
    }
}

/// The dashboards of the dev sample, with metrics of its traces.
fn sample() -> Result<Vec<Dashboard>, Error> {
    let path = workspace::root().join("deploy/samples/dev.yaml");
    let yaml = fs::read_to_string(&path).at("read", &path)?;
    let wrong = |reason: String| Error::Format { what: "the dev sample's dashboards".into(), reason };
    let mut stack: Value = serde_saphyr::from_str(&yaml).map_err(|error| wrong(error.to_string()))?;
    if let Some(traces) = stack.pointer_mut("/spec/traces").and_then(Value::as_object_mut) {
        traces.insert("metricsGenerator".into(), json!({"enabled": true}));
    }
    let stack: ObservabilityStack =
        serde_json::from_value(stack).map_err(|error| wrong(error.to_string()))?;
    let reference = &stack.spec.object_storage.credentials.secret_ref;
    let keys = [reference.access_key_field(), reference.secret_key_field()].map(str::to_owned).to_vec();
    let facts = Facts {
        cluster: Cluster { version: "1.36.3".into(), minor: 36, openshift: true },
        default_chart_source: ChartSource::Bundled,
        secrets: BTreeMap::from([(reference.name.clone(), SecretFacts { keys, hash: String::new() })]),
        claimed_buckets: BTreeMap::new(),
        claimed_names: BTreeMap::new(),
    };
    let valid = validate(&stack, &facts).map_err(|faults| wrong(format!("{faults:?}")))?;
    Ok(dashboards::all(&valid))
}
