//! Values of the chart `mimir-distributed` 5.8 and 6.x.

use serde_json::Value;

use crate::{
    assemble::CA_FILE,
    backends::{
        Setting,
        parts::{BUDGETS, Block, FROM_SECRET, NAMES, credentials, hours},
        values::Values,
    },
    valid::{Storage, ValidBackend, ValidComponent},
};

/// First major version of the chart whose default is ingest storage, which needs Kafka.
const INGEST_STORAGE: u32 = 6;
/// Why users cannot set what would bring ingest storage back.
const CLASSIC: &str = "classic architecture";

/// How a role stands in the chart's values.
struct Layout {
    /// Key of the role in the spec.
    role: &'static str,
    /// It talks to the object store.
    stores: bool,
    /// The chart can leave it out, by `enabled`.
    optional: bool,
    /// The chart can make a StatefulSet a zone of it.
    zones: bool,
}

const LAYOUT: &[Layout] = &[
    Layout { role: "distributor", stores: false, optional: false, zones: false },
    Layout { role: "ingester", stores: true, optional: false, zones: true },
    Layout { role: "querier", stores: true, optional: false, zones: false },
    Layout { role: "queryFrontend", stores: false, optional: false, zones: false },
    Layout { role: "queryScheduler", stores: false, optional: true, zones: false },
    Layout { role: "compactor", stores: true, optional: false, zones: false },
    Layout { role: "storeGateway", stores: true, optional: false, zones: true },
    Layout { role: "alertmanager", stores: true, optional: true, zones: true },
    Layout { role: "ruler", stores: true, optional: true, zones: false },
    Layout { role: "overridesExporter", stores: false, optional: true, zones: false },
    // Which key switches it on depends on the chart's version: see `gateway`.
    Layout { role: "gateway", stores: false, optional: false, zones: false },
];

/// The values of a Mimir in its classic architecture.
pub fn values(backend: &ValidBackend, setting: &Setting<'_>) -> Values {
    let mut values = Values::default();
    values.set("fullnameOverride", setting.name.objects.as_str(), NAMES).reserve("nameOverride", NAMES);
    if let Some(version) = &backend.chart.app_version {
        values.set("image/tag", version.as_str(), "spec.metrics.chart.version");
    }
    values.set("minio/enabled", false, "spec.objectStorage").set(
        "rollout_operator/enabled",
        false,
        "it needs rights on the whole cluster",
    );
    if backend.chart.major() >= INGEST_STORAGE {
        classic(&mut values);
    }
    configuration(&mut values, backend, setting);
    storage(&mut values, backend, setting.storage);
    for layout in LAYOUT {
        if let Some(component) = backend.component(layout.role) {
            role(&mut values, backend, component, layout, setting);
        }
    }
    gateway(&mut values, backend, setting);
    // The sizes have no room for caches; whoever has may switch them on.
    for cache in ["chunks-cache", "index-cache", "metadata-cache", "results-cache"] {
        values.suggest(&format!("{cache}/enabled"), false);
    }
    values
}

/// Undoes what chart 6.x sets for ingest storage: its own `classic-architecture.yaml` does the same with nulls.
fn classic(values: &mut Values) {
    values
        .set("kafka/enabled", false, CLASSIC)
        .set("mimir/structuredConfig/ingest_storage/enabled", false, CLASSIC)
        // The chart says false; ingesters would refuse every write.
        .set("mimir/structuredConfig/ingester/push_grpc_method_enabled", true, CLASSIC)
        // Mimir's own default; the chart raises it to what a write to Kafka needs.
        .set("mimir/structuredConfig/distributor/remote_timeout", "2s", CLASSIC);
}

/// Mimir's own configuration, but for the object store.
fn configuration(values: &mut Values, backend: &ValidBackend, setting: &Setting<'_>) {
    let mut set = |path: &str, value: Value, owner: &str| {
        values.set(&format!("mimir/structuredConfig/{path}"), value, owner);
    };
    set("multitenancy_enabled", false.into(), "one tenant a stack");
    set("usage_stats/enabled", false.into(), "no reports to Grafana Labs");
    // Pods of two stacks may get each other's address one after the other; the label keeps their rings apart.
    let ring = format!("{}.{}", setting.name.release, setting.namespace);
    set("blocks_storage/tsdb/flush_blocks_on_shutdown", true.into(), "nothing is lost on shutdown");
    set(
        "ingester/ring/replication_factor",
        backend.replication_factor.into(),
        "spec.metrics.replicationFactor",
    );
    let retention = "limits/compactor_blocks_retention_period";
    match backend.retention_hours {
        Some(kept) => set(retention, hours(kept).into(), "spec.metrics.retention"),
        None => _ = values.reserve(&format!("mimir/structuredConfig/{retention}"), "spec.metrics.retention"),
    }
    let label = "mimir/structuredConfig/memberlist/cluster_label";
    if setting.name.given {
        // Members with another label do not hear each other, so a release that is taken over keeps its own.
        values.suggest(label, ring);
    } else {
        values.set(label, ring, "rings of stacks stay apart");
    }
    // Mimir's default is 0: no exemplar would ever link a metric to a trace.
    values.suggest("mimir/structuredConfig/limits/max_global_exemplars_per_user", 100_000);
}

fn storage(values: &mut Values, backend: &ValidBackend, store: &Storage) {
    let common = "mimir/structuredConfig/common/storage";
    let lookup = if store.path_style { "path" } else { "auto" };
    values
        .set(&format!("{common}/backend"), "s3", "spec.objectStorage")
        .set(&format!("{common}/s3/endpoint"), store.host.as_str(), "spec.objectStorage.endpoint")
        .set(&format!("{common}/s3/insecure"), !store.tls, "spec.objectStorage.endpoint")
        .set(&format!("{common}/s3/region"), store.region.as_str(), "spec.objectStorage.region")
        .set(&format!("{common}/s3/bucket_lookup_type"), lookup, "spec.objectStorage.forcePathStyle");
    for key in ["access_key_id", "secret_access_key"] {
        values.reserve(&format!("{common}/s3/{key}"), FROM_SECRET);
    }
    if store.ca.is_some() {
        values.set(&format!("{common}/s3/http/tls_ca_path"), CA_FILE, "spec.objectStorage.caSecretRef");
    }
    for (purpose, bucket) in &backend.buckets {
        let owner = format!("spec.metrics.buckets.{purpose}.name");
        let path = format!("mimir/structuredConfig/{purpose}_storage/s3/bucket_name");
        values.set(&path, bucket.as_str(), &owner);
    }
}

fn role(
    values: &mut Values,
    backend: &ValidBackend,
    component: &ValidComponent,
    layout: &Layout,
    setting: &Setting<'_>,
) {
    let key = component.role.suffix.replace('-', "_");
    let block = Block { at: key.clone(), backend: backend.backend, component };
    block.size(values);
    block.volume(values, &format!("{key}/persistentVolume"), "storageClass");
    // Not an empty map: Helm would merge the chart's own maxUnavailable into it.
    values.set(&format!("{key}/podDisruptionBudget"), Value::Null, BUDGETS);
    if layout.optional {
        values.set(&format!("{key}/enabled"), component.replicas > 0, &block.field("replicas"));
    }
    if layout.stores {
        values.set(&format!("{key}/env"), credentials(setting.storage), FROM_SECRET);
    }
    if layout.zones {
        // Zones need the rollout-operator, and a change afterwards moves the ring.
        values.set(&format!("{key}/zoneAwareReplication/enabled"), false, "one StatefulSet a role");
    }
}

fn gateway(values: &mut Values, backend: &ValidBackend, setting: &Setting<'_>) {
    let on = backend.replicas("gateway") > 0;
    let owner = "spec.metrics.components.gateway.replicas";
    if backend.chart.major() >= INGEST_STORAGE {
        values.set("gateway/enabled", on, owner);
    } else {
        // Chart 5 has two of them; the older one, `nginx`, has other names.
        values.set("nginx/enabled", false, owner).set("gateway/enabledNonEnterprise", on, owner);
    }
    if on && setting.openshift {
        // Nginx asks this DNS server for every request it passes on; the chart's default is Kubernetes'.
        values.suggest("global/dnsService", "dns-default").suggest("global/dnsNamespace", "openshift-dns");
    }
}
