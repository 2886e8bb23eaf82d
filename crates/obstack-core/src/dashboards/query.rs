//! What a panel asks.

use serde_json::{Value, json};

/// Which datasource variable a query or a panel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Prometheus,
    Tempo,
}

impl Source {
    /// Grafana's name of the plugin.
    pub(super) fn plugin(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Tempo => "tempo",
        }
    }

    /// Name of the variable.
    pub(super) fn variable(self) -> String {
        format!("{}_datasource", self.plugin())
    }

    /// The variable, as a reference to a datasource.
    pub(super) fn reference(self) -> Value {
        json!({"type": self.plugin(), "uid": format!("${{{}}}", self.variable())})
    }
}

/// One query. Its letter comes from its place in the panel.
pub(super) struct Query {
    pub(super) source: Source,
    body: Value,
}

impl Query {
    /// `PromQL` over the time range.
    pub(super) fn range(expr: impl Into<String>, legend: &str) -> Self {
        Self::prometheus(json!({
            "expr": expr.into(), "legendFormat": legend, "range": true, "instant": false, "format": "time_series",
        }))
    }

    /// `PromQL` over the time range, with a point for each exemplar.
    pub(super) fn with_exemplars(expr: impl Into<String>, legend: &str) -> Self {
        let mut query = Self::range(expr, legend);
        query.set("exemplar", true);
        query
    }

    /// The buckets of a histogram over the time range, with a point for each exemplar.
    pub(super) fn heatmap(expr: impl Into<String>) -> Self {
        let mut query = Self::with_exemplars(expr, "{{le}}");
        query.set("format", "heatmap");
        query
    }

    /// `PromQL` at the end of the time range, as rows of a table.
    pub(super) fn table(expr: impl Into<String>) -> Self {
        Self::prometheus(json!({"expr": expr.into(), "range": false, "instant": true, "format": "table"}))
    }

    /// `TraceQL`, as a table of traces.
    pub(super) fn traces(query: &str) -> Self {
        let body = json!({"queryType": "traceql", "query": query, "tableType": "traces", "limit": 20});
        Self { source: Source::Tempo, body }
    }

    /// Tempo's service map, which Grafana draws from the metrics of the Prometheus datasource linked to Tempo's.
    pub(super) fn service_map() -> Self {
        Self { source: Source::Tempo, body: json!({"queryType": "serviceMap", "serviceMapQuery": ""}) }
    }

    fn prometheus(body: Value) -> Self {
        let mut query = Self { source: Source::Prometheus, body };
        query.set("editorMode", "code");
        query
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        if let Value::Object(body) = &mut self.body {
            body.insert(key.to_owned(), value.into());
        }
    }

    /// As it stands in a panel.
    pub(super) fn model(mut self, letter: char) -> Value {
        self.set("datasource", self.source.reference());
        self.set("refId", letter.to_string());
        self.body
    }
}

/// A quantile of a classic histogram, by some labels (`""` for none).
pub(super) fn quantile(q: &str, by: &str, histogram: &str, selector: &str) -> String {
    let by = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
    format!(
        "histogram_quantile({q}, sum by ({by}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"
    )
}

/// How much a counter grows in a second, summed by some labels.
pub(super) fn rate(by: &str, counter: &str, selector: &str) -> String {
    summed(by, &format!("rate({counter}{{{selector}}}[$__rate_interval])"))
}

/// How much a counter grew since the point before, summed by some labels.
pub(super) fn increase(by: &str, counter: &str, selector: &str) -> String {
    summed(by, &format!("increase({counter}{{{selector}}}[$__rate_interval])"))
}

fn summed(by: &str, expr: &str) -> String {
    if by.is_empty() { format!("sum({expr})") } else { format!("sum by ({by}) ({expr})") }
}
