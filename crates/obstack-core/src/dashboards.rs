//! Grafana dashboards of a stack, as Grafana's JSON model.
//!
//! One set for each stack: its queries hold the stack's namespace and the names of its pods, so there is nothing to
//! choose but the datasource, and several stacks can publish into one Grafana.

mod mimir;
mod model;
mod namespace;
mod operator;
mod panel;
mod query;
mod services;
mod stack;
mod tempo;
mod traces;

use obstack_api::MetricsProcessor;
use serde_json::Value;

use crate::{backends::Backend, hash, valid::ValidStack};

/// A dashboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// Its name in URLs and names of objects, such as `trace-explorer`.
    pub slug: &'static str,
    /// Its title. In Grafana it is followed by the environment.
    pub title: &'static str,
    /// Grafana's JSON model.
    pub model: Value,
}

impl Dashboard {
    /// Its panels, without the titles between them.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        let panels = self.model.get("panels").and_then(Value::as_array);
        panels.into_iter().flatten().filter(|panel| panel.get("type") != Some(&Value::from("row")))
    }

    /// Every `PromQL` expression, panel by panel.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        let targets = self.panels().filter_map(|panel| panel.get("targets")?.as_array()).flatten();
        targets.filter_map(|target| target.get("expr")?.as_str())
    }
}

/// Name and selector of every metric in an expression of ours: each is written with braces, even empty ones.
pub fn selectors(expr: &str) -> impl Iterator<Item = (&str, String)> {
    expr.split_inclusive('}').filter_map(|part| {
        let (before, matchers) = part.split_once('{')?;
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
        Some((name, format!("{name}{{{matchers}")))
    })
}

/// What a dashboard is for.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in URLs and names of objects.
    pub slug: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it answers.
    pub purpose: &'static str,
    /// Which stacks get it.
    pub of: Of,
    /// Where its numbers come from.
    pub needs: &'static str,
}

/// Which stacks get a dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Every stack.
    Every,
    /// Stacks with this backend.
    With(Backend),
    /// Stacks that make span metrics.
    SpanMetrics,
}

type Maker = fn(&ValidStack) -> Value;

/// Every dashboard there is.
pub const ABOUT: &[About] =
    &[stack::ABOUT, services::ABOUT, traces::ABOUT, tempo::ABOUT, mimir::ABOUT, namespace::ABOUT];

/// Every dashboard that makes sense for what the stack has.
pub fn all(stack: &ValidStack) -> Vec<Dashboard> {
    let makers: [(&About, Maker); 6] = [
        (&stack::ABOUT, stack::model),
        (&services::ABOUT, services::model),
        (&traces::ABOUT, traces::model),
        (&tempo::ABOUT, tempo::model),
        (&mimir::ABOUT, mimir::model),
        (&namespace::ABOUT, namespace::model),
    ];
    makers
        .into_iter()
        .filter(|(about, _)| about.of.holds(stack))
        .map(|(about, model)| Dashboard { slug: about.slug, title: about.title, model: model(stack) })
        .collect()
}

/// What the dashboard of the operator is for. It is of no single stack and comes with the chart.
pub const OPERATOR: &About = &operator::ABOUT;

/// The dashboard of the operator.
pub fn operator() -> Dashboard {
    Dashboard { slug: OPERATOR.slug, title: OPERATOR.title, model: operator::model() }
}

impl Of {
    fn holds(self, stack: &ValidStack) -> bool {
        match self {
            Self::Every => true,
            Self::With(backend) => stack.backends.iter().any(|have| have.backend == backend),
            Self::SpanMetrics => makes(stack, MetricsProcessor::SpanMetrics),
        }
    }
}

/// Whether the stack's Tempo makes these metrics from traces.
fn makes(stack: &ValidStack, processor: MetricsProcessor) -> bool {
    stack.backends.iter().any(|backend| backend.makes(processor))
}

/// What the names of a backend's pods begin with.
fn objects(stack: &ValidStack, backend: Backend) -> &str {
    stack.backend(backend).map(|backend| backend.name.objects.as_str()).unwrap_or_default()
}

/// Uid of a stack's dashboard, at most 40 characters (Grafana's bound).
fn uid(stack: &ValidStack, slug: &str) -> String {
    format!("{slug}-{}", hash::short(&stack.key.to_string(), 8))
}
