//! Values of the chart `tempo-distributed` 2.x.

use serde_json::json;

use super::{generator, storage};
use crate::{
    backends::{
        Setting,
        parts::{BUDGETS, Block, FROM_SECRET, NAMES, credentials, hours},
        values::Values,
    },
    valid::{ValidBackend, ValidComponent},
};

const GENERATOR: generator::Paths = generator::Paths {
    switch: "metricsGenerator",
    config: "metricsGenerator/config",
    defaults: "overrides/defaults",
};

/// The role that never talks to the object store.
const WITHOUT_STORAGE: &str = "distributor";
/// The role whose template has no topology spread.
const WITHOUT_SPREAD: &str = "compactor";

/// The values of a Tempo with one workload a component.
pub fn values(backend: &ValidBackend, setting: &Setting<'_>) -> Values {
    let mut values = Values::default();
    values.set("fullnameOverride", setting.name.objects.as_str(), NAMES).reserve("nameOverride", NAMES);
    if let Some(version) = &backend.chart.app_version {
        values.set("tempo/image/tag", version.as_str(), "spec.traces.chart.version");
    }
    values
        .set("reportingEnabled", false, "no reports to Grafana Labs")
        .set("multitenancyEnabled", false, "one tenant a stack")
        .set("traces/otlp/grpc/enabled", true, "endpoints of the stack")
        .set("traces/otlp/http/enabled", true, "endpoints of the stack")
        .set(
            "ingester/config/replication_factor",
            backend.replication_factor,
            "spec.traces.replicationFactor",
        )
        .set("ingester/config/flush_all_on_shutdown", true, "nothing is lost on shutdown")
        .set("minio/enabled", false, "spec.objectStorage")
        .set("rollout_operator/enabled", false, "it needs rights on the whole cluster")
        // The sizes have no room for them; whoever has may switch them on.
        .suggest("gateway/enabled", false)
        .suggest("memcached/enabled", false)
        // Without memcached the chart takes this list as it is, and its default names memcached's Service.
        .suggest("cache/caches", json!([]));
    if let Some(retention) = backend.retention_hours {
        values.set("compactor/config/compaction/block_retention", hours(retention), "spec.traces.retention");
    }
    storage(&mut values, "storage/trace", backend, setting);
    generator::set(&mut values, &GENERATOR, backend, setting);
    for component in &backend.components {
        role(&mut values, backend, component, setting);
    }
    values
}

fn role(values: &mut Values, backend: &ValidBackend, component: &ValidComponent, setting: &Setting<'_>) {
    let key = component.role.key;
    let block = Block { at: key.to_owned(), backend: backend.backend, component };
    block.size(values);
    block.volume(values, &format!("{key}/persistence"), "storageClass");
    values.set(&format!("{key}/podDisruptionBudget/enabled"), false, BUDGETS);
    if key != WITHOUT_STORAGE {
        values.set(&format!("{key}/extraEnv"), credentials(setting.storage), FROM_SECRET);
    }
    // The chart's default forbids two pods of a role on one node, so more replicas than nodes would never be scheduled.
    // A drain is safe without it; spreading softly is enough.
    values.suggest(&format!("{key}/affinity"), "");
    if key != WITHOUT_SPREAD {
        let spread = json!([{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {
                "app.kubernetes.io/name": "tempo",
                "app.kubernetes.io/instance": setting.name.release,
                "app.kubernetes.io/component": component.role.suffix,
            }},
        }]);
        // The chart reads a text here, as YAML; JSON is YAML.
        values.suggest(&format!("{key}/topologySpreadConstraints"), spread.to_string());
    }
}
