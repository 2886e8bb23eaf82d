//! One backend: its components, replication, retention and buckets.

use std::collections::BTreeMap;

use obstack_api::{
    Component, DashboardProvider, Metrics, MetricsProcessor, Reason, StackSpec, Traces, TracesMode,
};

use super::{buckets, chart, component, overrides};
use crate::{
    backends::{Backend, mimir, role::Role, tempo},
    facts::Facts,
    names::{RELEASE_MAX, ReleaseName, StackKey},
    valid::{ValidBackend, ValidComponent},
    violation::Violation,
};

/// Tempo keeps traces this long when the spec is silent: its own default of 14 days.
const TRACES_RETENTION: &str = "336h";

/// Longest retention, in hours: a hundred years. Go's durations, which Tempo and Mimir read it as, end at 292.
const LONGEST_RETENTION: u32 = 876_000;

/// Checks `spec.traces`.
pub(super) fn traces(
    key: &StackKey,
    spec: &StackSpec,
    traces: &Traces,
    facts: &Facts,
    faults: &mut Vec<Violation>,
) -> ValidBackend {
    let monolithic = traces.mode == TracesMode::Monolithic;
    let (name, roles) =
        if monolithic { ("tempo", tempo::MONOLITHIC) } else { ("tempo-distributed", tempo::DISTRIBUTED) };
    let backend = Backend::Tempo;
    let chart = chart::resolve(backend.signal(), name, traces.chart.as_ref(), facts, faults);
    let mut components =
        components(backend, roles, &traces.components, &[tempo::STORE_GATEWAY], spec, faults);
    let metrics_generator = metrics_generator(spec, traces, &mut components, faults);
    let ingesters = if monolithic { 1 } else { replicas(&components, "ingester") };
    let replication_factor =
        replication(backend, traces.replication_factor, ingesters.clamp(1, 2), ingesters, faults);
    require_running(
        backend,
        &components,
        if monolithic { &["singleBinary"] } else { tempo::REQUIRED },
        faults,
    );
    if monolithic && replicas(&components, "singleBinary") > 1 {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            "spec.traces.components.singleBinary.replicas",
            "monolithic Tempo runs as one process without a ring; use 1, or mode Distributed in a second stack",
        ));
    }
    let blocks = traces.buckets.as_ref().and_then(|buckets| buckets.blocks.as_ref());
    ValidBackend {
        backend,
        name: release_name(key, backend, traces.release_name.as_deref(), faults),
        monolithic,
        chart,
        replication_factor,
        retention_hours: hours(
            backend,
            Some(traces.retention.as_deref().unwrap_or(TRACES_RETENTION)),
            faults,
        ),
        buckets: BTreeMap::from([("blocks", buckets::name_of(spec, backend, "blocks", blocks))]),
        components,
        metrics_generator,
        not_provided: [tempo::STORE_GATEWAY]
            .into_iter()
            .filter(|key| traces.components.contains_key(*key))
            .collect(),
        route: traces.route.clone(),
        patches: overrides::patches(backend, &traces.patches, spec.resource_policy, faults),
        values: overrides::values(backend, traces.values.as_ref(), spec.resource_policy, faults),
    }
}

/// What metrics are made from traces. The component that makes them runs when they are.
fn metrics_generator(
    spec: &StackSpec,
    traces: &Traces,
    components: &mut [ValidComponent],
    faults: &mut Vec<Violation>,
) -> Vec<MetricsProcessor> {
    const KEY: &str = "metricsGenerator";
    let publishes = spec.grafana.as_ref().and_then(|grafana| grafana.dashboards.as_ref());
    let publishes = publishes.is_some_and(|wanted| wanted.provider != DashboardProvider::None);
    let on = match &traces.metrics_generator {
        Some(asked) => asked.enabled.unwrap_or(true),
        None => publishes && spec.metrics.is_some(),
    };
    if on && spec.metrics.is_none() {
        let message = "writes to the stack's Mimir, but the stack keeps no metrics; set spec.metrics, or enabled: false";
        faults.push(Violation::new(Reason::InvalidSpec, "spec.traces.metricsGenerator", message));
    }
    let written = traces.components.get(KEY).and_then(|component| component.replicas);
    let component = components.iter_mut().find(|component| component.role.key == KEY);
    if let (Some(component), true, None) = (component, on, written) {
        component.replicas = 1;
    }
    let message = match (on, written) {
        (true, Some(0)) => {
            Some("is 0, but spec.traces.metricsGenerator is on; set it to 1 or more, or enabled: false")
        }
        (false, Some(1..)) => {
            Some("has no meaning while spec.traces.metricsGenerator is off; set enabled: true there")
        }
        _ => None,
    };
    if let Some(message) = message {
        let field = format!("spec.traces.components.{KEY}.replicas");
        faults.push(Violation::new(Reason::InvalidSpec, field, message));
    }
    if !on {
        return Vec::new();
    }
    let asked = traces.metrics_generator.iter().flat_map(|asked| asked.processors.iter().copied());
    let mut processors: Vec<_> = asked.collect();
    if processors.is_empty() {
        processors = vec![MetricsProcessor::ServiceGraphs, MetricsProcessor::SpanMetrics];
    }
    processors.sort();
    processors.dedup();
    processors
}

/// Checks `spec.metrics`.
pub(super) fn metrics(
    key: &StackKey,
    spec: &StackSpec,
    metrics: &Metrics,
    facts: &Facts,
    faults: &mut Vec<Violation>,
) -> ValidBackend {
    let backend = Backend::Mimir;
    let chart = chart::resolve(backend.signal(), "mimir-distributed", metrics.chart.as_ref(), facts, faults);
    let components = components(backend, mimir::ROLES, &metrics.components, &[], spec, faults);
    let ingesters = replicas(&components, "ingester");
    let silent = if ingesters >= 3 { 3 } else { 1 };
    let replication_factor = replication(backend, metrics.replication_factor, silent, ingesters, faults);
    require_running(backend, &components, mimir::REQUIRED, faults);
    if chart.major() >= 6 && replicas(&components, "queryScheduler") == 0 {
        faults.push(Violation::new(
            Reason::QuerySchedulerRequired,
            "spec.metrics.components.queryScheduler.replicas",
            format!(
                "is 0, but Mimir 3 ({} {}) answers no query without a query-scheduler; set it to 1 or more, or pin chart version 5.8.0",
                chart.name, chart.version
            ),
        ));
    }
    let named = metrics.buckets.clone().unwrap_or_default();
    let buckets = [("blocks", named.blocks), ("ruler", named.ruler), ("alertmanager", named.alertmanager)];
    ValidBackend {
        backend,
        name: release_name(key, backend, metrics.release_name.as_deref(), faults),
        monolithic: false,
        chart,
        replication_factor,
        retention_hours: hours(backend, metrics.retention.as_deref(), faults),
        buckets: buckets
            .map(|(purpose, over)| (purpose, buckets::name_of(spec, backend, purpose, over.as_ref())))
            .into(),
        components,
        metrics_generator: Vec::new(),
        not_provided: Vec::new(),
        route: metrics.route.clone(),
        patches: overrides::patches(backend, &metrics.patches, spec.resource_policy, faults),
        values: overrides::values(backend, metrics.values.as_ref(), spec.resource_policy, faults),
    }
}

/// Decides what the release and its objects are called.
fn release_name(
    key: &StackKey,
    backend: Backend,
    given: Option<&str>,
    faults: &mut Vec<Violation>,
) -> ReleaseName {
    let name = ReleaseName::decide(key, backend, given);
    let Some(given) = given else { return name };
    let letter = given.starts_with(|c: char| c.is_ascii_lowercase());
    let label = given.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let message = if !letter || !label || given.ends_with('-') {
        format!("`{given}` is no name for a Service; use a-z, 0-9 and -, beginning with a letter")
    } else if name.objects.len() > RELEASE_MAX {
        format!(
            "is {given}, so that objects are called {}-..., of which at most {RELEASE_MAX} characters fit into their names; a shorter name needs a new release",
            name.objects
        )
    } else {
        return name;
    };
    faults.push(Violation::new(
        Reason::InvalidSpec,
        format!("spec.{}.releaseName", backend.signal()),
        message,
    ));
    name
}

fn replicas(components: &[ValidComponent], key: &str) -> u32 {
    components.iter().find(|component| component.role.key == key).map_or(0, |component| component.replicas)
}

fn components(
    backend: Backend,
    roles: &'static [Role],
    spec: &BTreeMap<String, Component>,
    answered: &[&str],
    stack: &StackSpec,
    faults: &mut Vec<Violation>,
) -> Vec<ValidComponent> {
    let field = format!("spec.{}.components", backend.signal());
    for name in spec.keys() {
        if !answered.contains(&name.as_str()) && !roles.iter().any(|role| role.key == name) {
            let known: Vec<_> = roles.iter().map(|role| role.key).collect();
            let message = format!("unknown component; known here are {}", known.join(", "));
            faults.push(Violation::new(Reason::InvalidSpec, format!("{field}.{name}"), message));
        }
    }
    let policy = stack.resource_policy;
    roles
        .iter()
        .map(|role| {
            component::validate(&format!("{field}.{}", role.key), role, spec.get(role.key), policy, faults)
        })
        .collect()
}

/// The path from a write to a query needs each of these at least once.
fn require_running(
    backend: Backend,
    components: &[ValidComponent],
    required: &[&str],
    faults: &mut Vec<Violation>,
) {
    for key in required.iter().filter(|key| replicas(components, key) == 0) {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            format!("spec.{}.components.{key}.replicas", backend.signal()),
            format!("is 0, but {backend} takes or answers nothing without it; set it to 1 or more"),
        ));
    }
}

fn replication(
    backend: Backend,
    asked: Option<i32>,
    silent: u32,
    ingesters: u32,
    faults: &mut Vec<Violation>,
) -> u32 {
    let Some(asked) = asked else { return silent };
    let factor = u32::try_from(asked).unwrap_or(0);
    if factor == 0 || factor > ingesters.max(1) {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            format!("spec.{}.replicationFactor", backend.signal()),
            format!("is {asked}, but {ingesters} ingesters run; every write would be refused. Raise components.ingester.replicas or lower it"),
        ));
    }
    factor
}

fn hours(backend: Backend, written: Option<&str>, faults: &mut Vec<Violation>) -> Option<u32> {
    let written = written?;
    let hours = written
        .strip_suffix('h')
        .and_then(|number| number.parse().ok())
        .filter(|hours| (1..=LONGEST_RETENTION).contains(hours));
    if hours.is_none() {
        let message = format!(
            "`{written}` is not a whole number of hours up to {LONGEST_RETENTION}h; write for example 720h for 30 days"
        );
        faults.push(Violation::new(
            Reason::InvalidSpec,
            format!("spec.{}.retention", backend.signal()),
            message,
        ));
    }
    hours
}
