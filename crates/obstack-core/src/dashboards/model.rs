//! A dashboard as a whole: its variables, its links, and the places of its panels.

use serde_json::{Value, json};

use super::{About, panel::Panel, query::Source, uid};
use crate::{backends::Backend, grafana, valid::ValidStack};

/// Version of the schema: Grafana 11's. Newer ones migrate it when they load it.
const SCHEMA: u32 = 39;

/// Width of the grid.
const WIDTH: usize = 24;

/// A dashboard in the making. Panels go from left to right and line by line, so none can overlap.
pub(super) struct Board<'a> {
    /// None for what is of no single stack.
    stack: Option<&'a ValidStack>,
    about: &'static About,
    variables: Vec<Value>,
    panels: Vec<Value>,
    left: usize,
    top: usize,
    height: usize,
}

impl<'a> Board<'a> {
    /// One without panels, with a variable for each datasource.
    pub(super) fn new(stack: &'a ValidStack, about: &'static About, sources: &[Source]) -> Self {
        Self::of(Some(stack), about, sources)
    }

    /// One that is of no single stack.
    pub(super) fn of_the_operator(about: &'static About) -> Self {
        Self::of(None, about, &[Source::Prometheus])
    }

    fn of(stack: Option<&'a ValidStack>, about: &'static About, sources: &[Source]) -> Self {
        let variables = sources.iter().map(|source| datasource(stack, *source)).collect();
        Self { stack, about, variables, panels: Vec::new(), left: 0, top: 0, height: 0 }
    }

    /// Adds a variable that takes some or all of what a query finds. `all` is what stands for all of them.
    pub(super) fn choice(
        mut self,
        name: &str,
        label: &str,
        source: Source,
        query: &Value,
        all: &str,
    ) -> Self {
        self.variables.push(json!({
            "type": "query", "name": name, "label": label, "datasource": source.reference(), "query": query,
            "definition": query.as_str().unwrap_or_default(),
            "multi": true, "includeAll": true, "allValue": all, "current": {"text": ["All"], "value": ["$__all"]},
            "options": [], "refresh": 2, "regex": "", "sort": 1, "hide": 0,
        }));
        self
    }

    /// Adds a variable that a person types.
    pub(super) fn typed(mut self, name: &str, label: &str, value: &str) -> Self {
        let current = json!({"text": value, "value": value});
        self.variables.push(json!({
            "type": "textbox", "name": name, "label": label, "query": value, "current": current,
            "options": [current], "hide": 0,
        }));
        self
    }

    /// Begins a part with a title of its own.
    pub(super) fn part(mut self, title: &str) -> Self {
        self.next_line();
        let place = json!({"x": 0, "y": self.top, "w": WIDTH, "h": 1});
        let id = self.panels.len() + 1;
        self.panels.push(json!({
            "id": id, "type": "row", "title": title, "collapsed": false, "panels": [], "gridPos": place,
        }));
        self.top += 1;
        self
    }

    /// Adds a panel. Widths are of 24.
    pub(super) fn panel(mut self, width: usize, height: usize, panel: Panel) -> Self {
        if self.left + width > WIDTH {
            self.next_line();
        }
        let place = json!({"x": self.left, "y": self.top, "w": width, "h": height});
        self.panels.push(panel.model(self.panels.len() + 1, &place));
        self.left += width;
        self.height = self.height.max(height);
        self
    }

    fn next_line(&mut self) {
        self.top += self.height;
        self.left = 0;
        self.height = 0;
    }

    /// Grafana's JSON model.
    pub(super) fn model(self) -> Value {
        let (uid, title, tags, others) = match self.stack {
            Some(stack) => (
                uid(stack, self.about.slug),
                format!("{} ({})", self.about.title, stack.environment),
                json!(["obstack", stack.environment]),
                "This stack",
            ),
            None => {
                (self.about.slug.to_owned(), self.about.title.to_owned(), json!(["obstack"]), "All stacks")
            }
        };
        let link = json!({
            "type": "dashboards", "title": others, "tags": tags, "asDropdown": true, "icon": "external link",
            "includeVars": false, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "",
        });
        json!({
            "uid": uid,
            "title": title,
            "description": self.about.purpose,
            "tags": tags,
            "schemaVersion": SCHEMA,
            "editable": false,
            "graphTooltip": 1,
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "refresh": "1m",
            "links": [link],
            "annotations": {"list": []},
            "templating": {"list": self.variables},
            "panels": self.panels,
        })
    }
}

/// A variable for a datasource. It begins with the stack's own, when we publish that.
fn datasource(stack: Option<&ValidStack>, source: Source) -> Value {
    let backend = match source {
        Source::Prometheus => Backend::Mimir,
        Source::Tempo => Backend::Tempo,
    };
    let own = stack.and_then(|stack| grafana::datasource_uid(stack, backend));
    let current = own.map_or(json!({}), |uid| json!({"text": uid, "value": uid}));
    let label = match source {
        Source::Prometheus => "Prometheus data source",
        Source::Tempo => "Tempo data source",
    };
    json!({
        "type": "datasource", "name": source.variable(), "label": label, "query": source.plugin(), "current": current,
        "options": [], "refresh": 1, "regex": "", "multi": false, "includeAll": false, "hide": 0,
    })
}
