//! Advice: what is allowed and runs, but will hurt one day.

use obstack_api::{Advisory, Severity};

use super::volatile;
use crate::{
    backends::{Backend, role::Class},
    valid::{ValidBackend, ValidStack},
};

/// Every advisory of a stack, ordered by code.
pub(super) fn of(stack: &ValidStack) -> Vec<Advisory> {
    let mut advisories: Vec<Advisory> = stack.backends.iter().flat_map(of_backend).collect();
    advisories.sort_by(|a, b| a.code.cmp(&b.code));
    advisories
}

fn of_backend(backend: &ValidBackend) -> Vec<Advisory> {
    let mut found = Vec::new();
    let mut add = |code: &str, severity, message: String, fix: &str| {
        found.push(Advisory { code: code.into(), severity, message, fix: fix.into() });
    };
    for component in backend.components.iter().filter(|c| c.role.class == Class::Ingester && volatile(c)) {
        add(
            &format!("{}IngesterWithoutVolume", backend.backend),
            Severity::Warning,
            format!(
                "{} keeps its write-ahead log in an emptyDir: what is not flushed goes with the pod",
                component.role.key
            ),
            &format!(
                "{}.components.{}.storage: {{type: PersistentVolumeClaim}}",
                backend.backend.signal(),
                component.role.key
            ),
        );
    }
    match backend.backend {
        Backend::Tempo => tempo(backend, &mut add),
        Backend::Mimir => mimir(backend, &mut add),
    }
    found
}

fn tempo(backend: &ValidBackend, add: &mut impl FnMut(&str, Severity, String, &str)) {
    if !backend.not_provided.is_empty() {
        add(
            "TempoStoreGateway",
            Severity::Warning,
            "Tempo has no store-gateway in any version; its queriers read blocks themselves, and nothing is rendered for it".into(),
            "remove traces.components.storeGateway",
        );
    }
    if !backend.monolithic {
        // grafana.com/docs/tempo: 2.10 is the last 2.x minor and is patched to 2027-04-26.
        add(
            "TempoClassicEndOfSupport",
            Severity::Info,
            "Tempo 2.10 is the last line with ingesters; its support ends 2027-04-26".into(),
            "plan the move to Tempo 3, which needs Kafka",
        );
    }
}

fn mimir(backend: &ValidBackend, add: &mut impl FnMut(&str, Severity, String, &str)) {
    let ingesters = backend.replicas("ingester");
    if backend.replication_factor == 2 {
        // dskit ring/replication_strategy.go: a write needs floor(2/2)+1 = 2 of 2 copies; grafana/mimir#4993.
        add(
            "MimirReplicationFactor2",
            Severity::Warning,
            format!(
                "with replicationFactor 2 every write needs both copies: one dead ingester of {ingesters} refuses writes until it is back"
            ),
            "metrics.replicationFactor: 3 (with at least 3 ingesters) survives one",
        );
    }
    if backend.replication_factor == 1 && ingesters > 1 {
        add(
            "MimirReplicationFactor1",
            Severity::Warning,
            format!(
                "each series is held by one of {ingesters} ingesters: while one is gone, its series are neither written nor read"
            ),
            "metrics.replicationFactor: 3, with at least 3 ingesters",
        );
    }
    if backend.replicas("ruler") == 0 {
        add(
            "RulerBucketWithoutRuler",
            Severity::Info,
            format!(
                "bucket {} exists, but no ruler runs",
                backend.buckets.get("ruler").map_or("ruler", String::as_str)
            ),
            "metrics.components.ruler.replicas: 1",
        );
    }
    if backend.retention_hours.is_none() {
        add(
            "MetricsKeptForEver",
            Severity::Info,
            "metrics.retention is not set: blocks are never deleted and the bucket grows without end".into(),
            "metrics.retention: 8760h",
        );
    }
}
