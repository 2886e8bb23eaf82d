//! What the operator counts and measures, as `OpenMetrics` families.
//!
//! [`METRICS`] is the one list of names, help texts and labels: the families are registered from it, and the reference
//! documentation is written from it. Labels never hold a request's object name; only the series about a stack itself
//! name it, and [`Metrics::forget_stack`] removes them with it.

mod canary;
mod stacks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric as Collected, Registry},
};

use self::{
    canary::Canaries,
    stacks::{Conditions, Replicas, StackGauges, Violations},
};

/// The kinds of metric, as Prometheus names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in seconds, by bucket.
    Histogram,
}

/// One metric, as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name as it is scraped.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
}

/// A metric with its number of labels in the type, so that no value can be missing.
#[derive(Debug)]
struct Spec<const N: usize> {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: [&'static str; N],
}

impl<const N: usize> Spec<N> {
    const fn new(kind: Kind, name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind, help, labels }
    }

    const fn doc(&'static self) -> Metric {
        Metric { name: self.name, kind: self.kind, help: self.help, labels: &self.labels }
    }

    fn labelled(&self, values: [&str; N]) -> Labels {
        self.labels.into_iter().zip(values).map(|(label, value)| (label, value.to_owned())).collect()
    }

    /// Registers a metric under its name; the encoder adds the `_total` of a counter by itself.
    fn register<M: Collected + Clone>(&self, registry: &mut Registry, metric: M) -> M {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        registry.register(name, self.help.trim_end_matches('.'), metric.clone());
        metric
    }
}

static RECONCILES: Spec<1> =
    Spec::new(Kind::Counter, "obstack_reconcile_total", ["result"], "Reconciles that ended, by result.");
static RECONCILE_DURATION: Spec<1> = Spec::new(
    Kind::Histogram,
    "obstack_reconcile_duration_seconds",
    ["result"],
    "Time that one reconcile took, by result.",
);
static QUEUE_DEPTH: Spec<0> =
    Spec::new(Kind::Gauge, "obstack_reconcile_queue_depth", [], "Stacks that wait for a reconcile.");
static WRITES: Spec<2> =
    Spec::new(Kind::Counter, "obstack_writes_total", ["verb", "kind"], "Writes that changed an object.");
static API_REQUESTS: Spec<2> = Spec::new(
    Kind::Counter,
    "obstack_api_requests_total",
    ["verb", "code"],
    "Requests to the API server; the code is none when there was no answer.",
);
static DRIFT_REPAIRED: Spec<2> = Spec::new(
    Kind::Counter,
    "obstack_drift_repaired_total",
    ["kind", "manager"],
    "Objects set back after somebody else changed them, by the field manager that did.",
);
static CONDITION: Spec<4> = Spec::new(
    Kind::Gauge,
    "obstack_condition",
    ["namespace", "name", "type", "status"],
    "Conditions of each stack: 1 for the status that holds, 0 for the two that do not.",
);
static REPLICAS: Spec<4> = Spec::new(
    Kind::Gauge,
    "obstack_component_replicas",
    ["namespace", "name", "component", "state"],
    "Pods of each component: desired and ready.",
);
static POLICY_VIOLATIONS: Spec<4> = Spec::new(
    Kind::Gauge,
    "obstack_policy_violations",
    ["namespace", "name", "rule", "origin"],
    "Containers of live pods that break the resource policy, by rule and by where it comes from.",
);
static LEADER: Spec<0> =
    Spec::new(Kind::Gauge, "obstack_leader", [], "1 when this process leads, 0 when it stands by.");
static RENDERS: Spec<1> = Spec::new(
    Kind::Counter,
    "obstack_renders_total",
    ["result"],
    "Charts asked for: rendered by helm, or cached.",
);
static RENDER_DURATION: Spec<0> =
    Spec::new(Kind::Histogram, "obstack_render_duration_seconds", [], "Time that helm took for one chart.");
static BUCKET_PROBES: Spec<1> = Spec::new(
    Kind::Counter,
    "obstack_bucket_probe_total",
    ["result"],
    "Probes of buckets by put, get and delete.",
);
static WATCH_EVENTS: Spec<1> = Spec::new(
    Kind::Counter,
    "obstack_watch_events_total",
    ["kind"],
    "Events that watches delivered, by kind of object.",
);

static CANARY_LATENCY: Spec<3> = Spec::new(
    Kind::Gauge,
    "obstack_canary_latency_seconds",
    ["namespace", "name", "signal"],
    "Time from writing to reading back, in the last round of the canary that passed.",
);
static CANARY_SUCCESS: Spec<3> = Spec::new(
    Kind::Gauge,
    "obstack_canary_last_success_timestamp_seconds",
    ["namespace", "name", "signal"],
    "When a round of the canary passed last, as a Unix time.",
);
static CANARY_FAILURES: Spec<4> = Spec::new(
    Kind::Counter,
    "obstack_canary_failures_total",
    ["namespace", "name", "signal", "reason"],
    "Rounds of the canary that missed, by reason.",
);

/// Every metric of the operator.
pub static METRICS: [Metric; 17] = [
    RECONCILES.doc(),
    RECONCILE_DURATION.doc(),
    QUEUE_DEPTH.doc(),
    WRITES.doc(),
    API_REQUESTS.doc(),
    DRIFT_REPAIRED.doc(),
    CONDITION.doc(),
    REPLICAS.doc(),
    POLICY_VIOLATIONS.doc(),
    LEADER.doc(),
    RENDERS.doc(),
    RENDER_DURATION.doc(),
    BUCKET_PROBES.doc(),
    WATCH_EVENTS.doc(),
    CANARY_LATENCY.doc(),
    CANARY_SUCCESS.doc(),
    CANARY_FAILURES.doc(),
];

type Labels = Vec<(&'static str, String)>;

/// From a cached round to one that waits for its deadline.
const RECONCILE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];
const RENDER_BUCKETS: [f64; 8] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Every family, ready to be counted into from any task. Clones share the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<Labels, Counter>,
    reconcile_duration: Family<Labels, Histogram, fn() -> Histogram>,
    queue_depth: Gauge,
    writes: Family<Labels, Counter>,
    api_requests: Family<Labels, Counter>,
    drift_repaired: Family<Labels, Counter>,
    conditions: StackGauges<Conditions>,
    replicas: StackGauges<Replicas>,
    policy_violations: StackGauges<Violations>,
    leader: Gauge,
    renders: Family<Labels, Counter>,
    render_duration: Histogram,
    bucket_probes: Family<Labels, Counter>,
    watch_events: Family<Labels, Counter>,
    canaries: Canaries,
}

impl Default for Metrics {
    /// Numbers that nobody reads.
    fn default() -> Self {
        Self::new(&mut Registry::default())
    }
}

impl Metrics {
    /// Registers every family of [`METRICS`].
    pub fn new(registry: &mut Registry) -> Self {
        let durations =
            Family::new_with_constructor((|| Histogram::new(RECONCILE_BUCKETS)) as fn() -> Histogram);
        Self {
            reconciles: RECONCILES.register(registry, Family::default()),
            reconcile_duration: RECONCILE_DURATION.register(registry, durations),
            queue_depth: QUEUE_DEPTH.register(registry, Gauge::default()),
            writes: WRITES.register(registry, Family::default()),
            api_requests: API_REQUESTS.register(registry, Family::default()),
            drift_repaired: DRIFT_REPAIRED.register(registry, Family::default()),
            conditions: StackGauges::register(&CONDITION, registry),
            replicas: StackGauges::register(&REPLICAS, registry),
            policy_violations: StackGauges::register(&POLICY_VIOLATIONS, registry),
            leader: LEADER.register(registry, Gauge::default()),
            renders: RENDERS.register(registry, Family::default()),
            render_duration: RENDER_DURATION.register(registry, Histogram::new(RENDER_BUCKETS)),
            bucket_probes: BUCKET_PROBES.register(registry, Family::default()),
            watch_events: WATCH_EVENTS.register(registry, Family::default()),
            canaries: Canaries::register(registry),
        }
    }

    /// One reconcile ended. `result` comes from a closed set of words.
    pub fn record_reconcile(&self, result: &'static str, took: Duration) {
        let labels = RECONCILES.labelled([result]);
        self.reconciles.get_or_create(&labels).inc();
        self.reconcile_duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// So many stacks wait for a reconcile.
    pub fn set_queue_depth(&self, waiting: usize) {
        self.queue_depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// One write changed an object of this kind.
    pub fn record_write(&self, verb: &'static str, kind: &str) {
        self.writes.get_or_create(&WRITES.labelled([verb, kind])).inc();
    }

    /// One request to the API server ended; `code` is absent when there was no answer.
    pub fn record_api_request(&self, verb: &'static str, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.api_requests.get_or_create(&API_REQUESTS.labelled([verb, &code])).inc();
    }

    /// One object was set back after this field manager had changed it.
    pub fn record_drift_repaired(&self, kind: &str, manager: &str) {
        self.drift_repaired.get_or_create(&DRIFT_REPAIRED.labelled([kind, manager])).inc();
    }

    /// The conditions of a stack, as (type, status). They replace the earlier ones.
    pub fn set_conditions(&self, namespace: &str, name: &str, conditions: &[(&'static str, &'static str)]) {
        self.conditions.replace(namespace, name, Conditions(conditions.into()));
    }

    /// The components of a stack, as (component, desired pods, ready pods). They replace the earlier ones.
    pub fn set_component_replicas(&self, namespace: &str, name: &str, components: &[(&str, i64, i64)]) {
        let components = components.iter().map(|(name, desired, ready)| ((*name).into(), *desired, *ready));
        self.replicas.replace(namespace, name, Replicas(components.collect()));
    }

    /// The policy violations of a stack, as (rule, origin, containers). They replace the earlier ones.
    pub fn set_policy_violations(
        &self,
        namespace: &str,
        name: &str,
        violations: &[(&'static str, &'static str, i64)],
    ) {
        self.policy_violations.replace(namespace, name, Violations(violations.into()));
    }

    /// A stack is gone: so are its series.
    pub fn forget_stack(&self, namespace: &str, name: &str) {
        self.set_conditions(namespace, name, &[]);
        self.set_component_replicas(namespace, name, &[]);
        self.set_policy_violations(namespace, name, &[]);
        self.keep_canary(namespace, name, &[]);
    }

    /// A round of a stack's canary passed at a time since the Unix epoch. `signal` comes from a closed set of words.
    pub fn record_canary_success(
        &self,
        namespace: &str,
        name: &str,
        signal: &'static str,
        latency: Duration,
        at: Duration,
    ) {
        self.canaries.passed((namespace, name), signal, latency, at);
    }

    /// A round of a stack's canary missed. `signal` and `reason` come from closed sets of words.
    pub fn record_canary_failure(
        &self,
        namespace: &str,
        name: &str,
        signal: &'static str,
        reason: &'static str,
    ) {
        self.canaries.failed((namespace, name), signal, reason);
    }

    /// The canary of a stack has these signals alone from now on: the series of others go.
    pub fn keep_canary(&self, namespace: &str, name: &str, signals: &[&str]) {
        self.canaries.keep(namespace, name, signals);
    }

    /// Whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// helm rendered a chart, and took this long.
    pub fn record_render(&self, took: Duration) {
        self.renders.get_or_create(&RENDERS.labelled(["rendered"])).inc();
        self.render_duration.observe(took.as_secs_f64());
    }

    /// A chart came out of the cache.
    pub fn record_cached_render(&self) {
        self.renders.get_or_create(&RENDERS.labelled(["cached"])).inc();
    }

    /// A bucket was probed. `result` comes from a closed set of words.
    pub fn record_bucket_probe(&self, result: &'static str) {
        self.bucket_probes.get_or_create(&BUCKET_PROBES.labelled([result])).inc();
    }

    /// A watch delivered an event about an object of this kind.
    pub fn record_watch_event(&self, kind: &str) {
        self.watch_events.get_or_create(&WATCH_EVENTS.labelled([kind])).inc();
    }
}
