//! One panel of a dashboard.

use serde_json::{Map, Value, json};

use super::query::{Query, Source};

/// A panel. Its id and its place come from the dashboard.
pub(super) struct Panel {
    kind: &'static str,
    title: &'static str,
    description: &'static str,
    defaults: Map<String, Value>,
    overrides: Vec<Value>,
    options: Value,
    queries: Vec<Query>,
    transformations: Vec<Value>,
}

impl Panel {
    /// Lines over time.
    pub(super) fn lines(title: &'static str, unit: &'static str, description: &'static str) -> Self {
        let legend = json!({"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"]});
        let options = json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}});
        Self::new("timeseries", title, unit, description, options)
            .default("min", 0)
            .default("custom", json!({"fillOpacity": 8, "lineWidth": 1, "showPoints": "never"}))
    }

    /// A number, coloured by its thresholds.
    pub(super) fn number(title: &'static str, unit: &'static str, description: &'static str) -> Self {
        let options = json!({
            "colorMode": "background", "graphMode": "area", "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        });
        Self::new("stat", title, unit, description, options)
    }

    /// Rows with the newest values.
    pub(super) fn table(title: &'static str, unit: &'static str, description: &'static str) -> Self {
        Self::new("table", title, unit, description, json!({"showHeader": true, "cellHeight": "sm"}))
    }

    /// The same for traces; Tempo gives each column its unit.
    pub(super) fn traces(title: &'static str, description: &'static str, query: &str) -> Self {
        let mut panel = Self::table(title, "", description).query(Query::traces(query));
        panel.defaults.remove("unit");
        panel
    }

    /// How often each latency occurs, with a point for each exemplar.
    pub(super) fn heatmap(title: &'static str, unit: &'static str, description: &'static str) -> Self {
        let options = json!({
            "calculate": false, "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": true},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": true},
            "yAxis": {"axisPlacement": "left", "unit": unit},
        });
        Self::new("heatmap", title, unit, description, options)
    }

    /// Coloured states over time. Each state is a value, its text and its colour.
    pub(super) fn states(
        title: &'static str,
        description: &'static str,
        states: &[(i8, &str, &str)],
    ) -> Self {
        let options = json!({
            "alignValue": "left", "mergeValues": true, "rowHeight": 0.8, "showValue": "auto",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": false},
            "tooltip": {"mode": "single", "sort": "none"},
        });
        Self::new("state-timeline", title, "none", description, options)
            .default("custom", json!({"fillOpacity": 80, "lineWidth": 0}))
            .mapped(states)
    }

    /// Nodes and the calls between them.
    pub(super) fn graph(title: &'static str, description: &'static str) -> Self {
        Self::new("nodeGraph", title, "none", description, json!({})).query(Query::service_map())
    }

    fn new(
        kind: &'static str,
        title: &'static str,
        unit: &'static str,
        description: &'static str,
        options: Value,
    ) -> Self {
        let panel = Self {
            kind,
            title,
            description,
            defaults: Map::new(),
            overrides: Vec::new(),
            options,
            queries: Vec::new(),
            transformations: Vec::new(),
        };
        panel.default("unit", unit).above(&[])
    }

    /// Adds a query.
    pub(super) fn query(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    /// Values from which on it is yellow, red and so on; below the first one it is green.
    pub(super) fn above(self, steps: &[(f64, &str)]) -> Self {
        let first = json!({"color": "green", "value": null});
        let steps = steps.iter().map(|(value, color)| json!({"color": color, "value": value}));
        let steps: Vec<_> = std::iter::once(first).chain(steps).collect();
        self.default("thresholds", json!({"mode": "absolute", "steps": steps}))
    }

    /// Draws the thresholds as lines.
    pub(super) fn marked(mut self) -> Self {
        if let Some(Value::Object(custom)) = self.defaults.get_mut("custom") {
            custom.insert("thresholdsStyle".into(), json!({"mode": "line"}));
        }
        self
    }

    /// What it shows when nothing was ever counted.
    pub(super) fn when_empty(self, text: &str) -> Self {
        self.default("noValue", text)
    }

    /// Texts and colours in the place of values.
    pub(super) fn mapped(self, states: &[(i8, &str, &str)]) -> Self {
        let options: Map<_, _> = states
            .iter()
            .map(|(value, text, color)| (value.to_string(), json!({"text": text, "color": color})))
            .collect();
        self.default("mappings", json!([{"type": "value", "options": options}]))
    }

    /// Joins the rows of all queries of a table; each query's letter, column and unit.
    pub(super) fn columns(mut self, columns: &[(char, &str, &str)]) -> Self {
        let names: Map<_, _> =
            columns.iter().map(|(letter, name, _)| (format!("Value #{letter}"), (*name).into())).collect();
        self.transformations.push(json!({"id": "merge", "options": {}}));
        let organize = json!({"excludeByName": {"Time": true}, "renameByName": names});
        self.transformations.push(json!({"id": "organize", "options": organize}));
        for (_, name, unit) in columns {
            self = self.property(name, "unit", *unit);
        }
        self
    }

    /// Sets a property of one column or series.
    pub(super) fn property(mut self, name: &str, property: &str, value: impl Into<Value>) -> Self {
        let value: Value = value.into();
        let matcher = json!({"id": "byName", "options": name});
        self.overrides.push(json!({"matcher": matcher, "properties": [{"id": property, "value": value}]}));
        self
    }

    fn default(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.defaults.insert(key.to_owned(), value.into());
        self
    }

    /// As it stands in a dashboard.
    pub(super) fn model(self, id: usize, place: &Value) -> Value {
        let source = self.queries.first().map_or(Source::Prometheus, |query| query.source);
        let targets: Vec<_> =
            self.queries.into_iter().zip('A'..='Z').map(|(query, letter)| query.model(letter)).collect();
        json!({
            "id": id, "type": self.kind, "title": self.title, "description": self.description, "gridPos": place,
            "datasource": source.reference(),
            "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
            "options": self.options,
            "targets": targets,
            "transformations": self.transformations,
        })
    }
}
