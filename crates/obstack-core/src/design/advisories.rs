//! Advice: what is allowed and runs, but will hurt one day.

use std::collections::BTreeMap;

use obstack_api::{Advisory, AlloyKind, Severity};

use super::volatile;
use crate::{
    backends::{Backend, role::Class},
    catalog::ChartRef,
    collectors,
    resilience::{self, quorum},
    valid::{ValidBackend, ValidStack},
};

/// Declares the advisories, each with its severity, what it means and what to do.
macro_rules! advisories {
    ($($name:ident, $severity:ident: $meaning:literal => $fix:literal,)+) => {
        /// An advisory. Its name is stable: people and pipelines match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Advice { $(#[doc = $meaning] $name,)+ }

        impl Advice {
            /// Every advisory, by name.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name as it stands in a status.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What to do. A stack's own advice may name the component.
            pub fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix,)+ }
            }
        }
    };
}

advisories! {
    AlloyNotManaged, Info: "The configuration for an Alloy that somebody else runs is written, and nobody sees whether it is loaded."
        => "load the ConfigMap's config.alloy, or import its module.alloy; mode: Managed runs an Alloy that is seen",
    ChartSupportEnds, Info: "What a chart runs gets patches to a day that is known."
        => "plan the move to a version of the catalog that is supported longer",
    MetricsKeptForEver, Info: "Nothing deletes metrics, so their bucket grows without end."
        => "metrics.retention: 8760h",
    MimirIngesterWithoutVolume, Warning: "Mimir's ingesters keep what is not flushed in a folder that goes with the pod."
        => "metrics.components.ingester.storage: {type: PersistentVolumeClaim}",
    MimirReplicationFactor1, Warning: "Each series is held by one of several ingesters, so the loss of one stops its share of writes and queries."
        => "metrics.replicationFactor: 3, with at least 3 ingesters",
    MimirReplicationFactor2, Warning: "Mimir stores everything twice, but a write needs both copies, so the loss of one ingester stops writes."
        => "metrics.replicationFactor: 3 (with at least 3 ingesters) survives one",
    RouteForEverybody, Warning: "A Route leads to a backend that asks nobody who they are, from anywhere that reaches the router."
        => "route.allowFrom: the networks that Grafana and people come from",
    RulerBucketWithoutRuler, Info: "There is a bucket for rules, but nothing evaluates them."
        => "metrics.components.ruler.replicas: 1",
    RunsOnce, Info: "Ingesters survive the loss of a pod, but something before or behind them runs once."
        => "two replicas of each component that the message names",
    SingleReplicaInProduction, Warning: "In an environment named prod or production, something that writes or queries need runs once."
        => "two replicas of each component that the message names, three of ingesters; mode Distributed for Tempo",
    TempoClassicEndOfSupport, Info: "Tempo 2.10 is the last line with ingesters."
        => "plan the move to Tempo 3, which needs Kafka",
    TempoIngesterWithoutVolume, Warning: "Tempo keeps what is not flushed in a folder that goes with the pod."
        => "traces.components.ingester.storage: {type: PersistentVolumeClaim}, in mode Monolithic of singleBinary",
    TempoReplicationFactor1, Warning: "Each trace is held by one of several ingesters, so the loss of one stops its share of writes and queries."
        => "traces.replicationFactor: 2",
    TempoStoreGateway, Warning: "The spec names a store-gateway for Tempo, which has none in any version."
        => "remove traces.components.storeGateway",
    UntestedVersion, Warning: "A chart version is outside of the catalog, so nobody has tested it with this operator."
        => "use a version of the catalog, or test writes, queries and restarts yourself",
}

impl Advice {
    fn says(self, message: impl Into<String>) -> Advisory {
        self.with(message, self.fix())
    }

    fn with(self, message: impl Into<String>, fix: impl Into<String>) -> Advisory {
        Advisory {
            code: self.code().into(),
            severity: self.severity(),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

/// Every advisory of a stack, each once, ordered by code.
pub(super) fn of(stack: &ValidStack) -> Vec<Advisory> {
    let mut found = Vec::new();
    for backend in &stack.backends {
        without_volume(backend, &mut found);
        route(backend, &mut found);
        match backend.backend {
            Backend::Tempo => tempo(backend, &mut found),
            Backend::Mimir => mimir(backend, &mut found),
        }
    }
    alloy(stack, &mut found);
    support(stack, &mut found);
    once(stack, &mut found);
    // The status keeps one of a code; what several backends have is one advisory.
    let by_code: BTreeMap<_, _> =
        found.into_iter().map(|advisory| (advisory.code.clone(), advisory)).collect();
    by_code.into_values().collect()
}

fn route(backend: &ValidBackend, found: &mut Vec<Advisory>) {
    if backend.route.as_ref().is_some_and(|route| route.allow_from.is_empty()) {
        let signal = backend.backend.signal();
        found.push(Advice::RouteForEverybody.says(format!(
            "spec.{signal}.route lets everybody who reaches the router read all {signal}: the backend asks nobody who they are"
        )));
    }
}

fn without_volume(backend: &ValidBackend, found: &mut Vec<Advisory>) {
    let advice = match backend.backend {
        Backend::Tempo => Advice::TempoIngesterWithoutVolume,
        Backend::Mimir => Advice::MimirIngesterWithoutVolume,
    };
    for component in backend.components.iter().filter(|c| c.role.class == Class::Ingester && volatile(c)) {
        let key = component.role.key;
        let signal = backend.backend.signal();
        found.push(advice.with(
            format!("{key} keeps its write-ahead log in an emptyDir: what is not flushed goes with the pod"),
            format!("{signal}.components.{key}.storage: {{type: PersistentVolumeClaim}}"),
        ));
    }
}

fn tempo(backend: &ValidBackend, found: &mut Vec<Advisory>) {
    let ingesters = backend.replicas("ingester");
    if !backend.not_provided.is_empty() {
        found.push(Advice::TempoStoreGateway.says(
            "Tempo has no store-gateway in any version; its queriers read blocks themselves, and nothing is rendered for it",
        ));
    }
    if !backend.monolithic {
        // grafana.com/docs/tempo: 2.10 is the last 2.x minor and is patched to 2027-04-26.
        found.push(
            Advice::TempoClassicEndOfSupport
                .says("Tempo 2.10 is the last line with ingesters; its support ends 2027-04-26"),
        );
    }
    if backend.replication_factor == 1 && ingesters > 1 {
        found.push(Advice::TempoReplicationFactor1.says(format!(
            "each trace is held by one of {ingesters} ingesters: while one is gone, its traces are neither written nor found before they are flushed"
        )));
    }
}

fn mimir(backend: &ValidBackend, found: &mut Vec<Advisory>) {
    let ingesters = backend.replicas("ingester");
    if backend.replication_factor == 2 {
        // dskit ring/replication_strategy.go: a write needs floor(2/2)+1 = 2 of 2 copies; grafana/mimir#4993.
        found.push(Advice::MimirReplicationFactor2.says(format!(
            "with replicationFactor 2 every write needs both copies: one dead ingester of {ingesters} refuses writes until it is back"
        )));
    }
    if backend.replication_factor == 1 && ingesters > 1 {
        found.push(Advice::MimirReplicationFactor1.says(format!(
            "each series is held by one of {ingesters} ingesters: while one is gone, its series are neither written nor read"
        )));
    }
    if backend.replicas("ruler") == 0 {
        let bucket = backend.buckets.get("ruler").map_or("ruler", String::as_str);
        found
            .push(Advice::RulerBucketWithoutRuler.says(format!("bucket {bucket} exists, but no ruler runs")));
    }
    if backend.retention_hours.is_none() {
        found.push(
            Advice::MetricsKeptForEver.says(
                "metrics.retention is not set: blocks are never deleted and the bucket grows without end",
            ),
        );
    }
}

/// What is written for an Alloy of somebody else is all that can be said of it.
fn alloy(stack: &ValidStack, found: &mut Vec<Advisory>) {
    if stack.alloy.as_ref().is_some_and(|alloy| alloy.managed.is_none()) {
        found.push(Advice::AlloyNotManaged.says(format!(
            "ConfigMap {} holds the configuration; the operator does not see whether an Alloy loads it",
            stack.key.alloy()
        )));
    }
}

/// Charts whose end is known, and charts of which nothing is known.
fn support(stack: &ValidStack, found: &mut Vec<Advisory>) {
    let untested: Vec<_> = stack.charts().filter(|c| c.entry().is_none()).map(ChartRef::untested).collect();
    if !untested.is_empty() {
        found.push(Advice::UntestedVersion.says(untested.join("; ")));
    }
    // Tempo's classic architecture has an advisory of its own, because its way on is another.
    let others = stack.backends.iter().filter(|b| b.backend != Backend::Tempo || b.monolithic);
    let ends = others.filter_map(|backend| {
        let entry = backend.chart.entry()?;
        let day = entry.support.patched_to?;
        Some(format!(
            "{} {} runs {}, which is patched to {day}",
            entry.name, entry.version, entry.support.line
        ))
    });
    let ends: Vec<_> = ends.collect();
    if !ends.is_empty() {
        found.push(Advice::ChartSupportEnds.says(ends.join("; ")));
    }
}

/// What writes or queries need and runs once: in production, or beside ingesters that survive the loss of one.
fn once(stack: &ValidStack, found: &mut Vec<Advisory>) {
    let production = ["prod", "production"].contains(&stack.environment.as_str());
    let mut named = Vec::new();
    for backend in &stack.backends {
        let factor = backend.replication_factor;
        let survives = quorum::ingesters(backend.backend, factor, backend.replicas("ingester")) > 0;
        if production || survives {
            let lone = backend.components.iter().filter(|component| component.replicas == 1);
            let lone = lone.filter(|component| resilience::is_vital(backend.backend, component.role.key));
            let signal = backend.backend.signal();
            named.extend(lone.map(|component| format!("{signal}.{}", component.role.key)));
        }
    }
    let managed = stack.alloy.as_ref().and_then(|alloy| alloy.managed.as_ref());
    let lone =
        managed.filter(|managed| managed.kind == AlloyKind::Deployment && managed.component.replicas == 1);
    if let Some(lone) = lone.filter(|_| production) {
        named.push(format!("{}.{}", collectors::AREA, lone.component.role.key));
    }
    if named.is_empty() {
        return;
    }
    let (list, runs) = (named.join(", "), if named.len() == 1 { "runs" } else { "run" });
    if production {
        found.push(Advice::SingleReplicaInProduction.says(format!(
            "environment {}: {list} {runs} once, so the loss of one pod stops writes or queries",
            stack.environment
        )));
    } else {
        found.push(
            Advice::RunsOnce.says(format!("the ingesters survive the loss of a pod, but {list} {runs} once")),
        );
    }
}
