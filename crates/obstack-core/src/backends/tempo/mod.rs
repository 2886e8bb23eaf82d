//! Grafana Tempo 2.x: one process, or one workload a component.

pub mod distributed;
mod generator;
pub mod monolithic;

use super::{
    Setting,
    parts::FROM_SECRET,
    role::{Class, DataVolume, Role},
    values::Values,
};
use crate::{assemble::CA_FILE, valid::ValidBackend};

/// Component that people ask for because Mimir and Loki have one. Tempo has none, in any version.
pub const STORE_GATEWAY: &str = "storeGateway";

/// HTTP port of every Tempo process.
pub const HTTP_PORT: u16 = 3200;
/// Port of OTLP over gRPC.
pub const OTLP_GRPC_PORT: u16 = 4317;
/// Port of OTLP over HTTP.
pub const OTLP_HTTP_PORT: u16 = 4318;

/// Roles of the chart `tempo`: one process that bears an ingester.
pub const MONOLITHIC: &[Role] = &[Role::stateless("singleBinary", "")
    .requests("100m", "512Mi")
    .limited(Class::Ingester, "4Gi")
    .data(DataVolume::Claim("10Gi"))];

/// Roles of the chart `tempo-distributed` 2.x.
pub const DISTRIBUTED: &[Role] = &[
    Role::stateless("distributor", "distributor"),
    Role::stateless("ingester", "ingester")
        .requests("100m", "512Mi")
        .limited(Class::Ingester, "4Gi")
        .data(DataVolume::Claim("10Gi")),
    Role::stateless("querier", "querier"),
    Role::stateless("queryFrontend", "query-frontend"),
    Role::stateless("compactor", "compactor"),
    // What it holds goes with it in any case: it begins with an empty log.
    Role::stateless("metricsGenerator", "metrics-generator").requests("50m", "512Mi").optional(),
];

/// Roles without which nothing is written or read.
pub const REQUIRED: &[&str] = &["distributor", "ingester", "querier", "queryFrontend"];

/// Tempo's `storage.trace` block, which both charts take at different paths.
fn storage(values: &mut Values, at: &str, backend: &ValidBackend, setting: &Setting<'_>) {
    let store = setting.storage;
    let bucket = backend.buckets.get("blocks").cloned().unwrap_or_default();
    values
        .set(&format!("{at}/backend"), "s3", "spec.objectStorage")
        .set(&format!("{at}/s3/bucket"), bucket, "spec.traces.buckets.blocks.name")
        .set(&format!("{at}/s3/endpoint"), store.host.as_str(), "spec.objectStorage.endpoint")
        .set(&format!("{at}/s3/insecure"), !store.tls, "spec.objectStorage.endpoint")
        .set(&format!("{at}/s3/region"), store.region.as_str(), "spec.objectStorage.region")
        .set(&format!("{at}/s3/forcepathstyle"), store.path_style, "spec.objectStorage.forcePathStyle");
    for key in ["access_key", "secret_key"] {
        values.reserve(&format!("{at}/s3/{key}"), FROM_SECRET);
    }
    if store.ca.is_some() {
        values.set(&format!("{at}/s3/tls_ca_path"), CA_FILE, "spec.objectStorage.caSecretRef");
    }
}
