//! Grafana Tempo 2.x: one process, or one workload a component.

pub mod distributed;
pub mod monolithic;

use super::role::{Class, DataVolume, Role};

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
];

/// Roles without which nothing is written or read.
pub const REQUIRED: &[&str] = &["distributor", "ingester", "querier", "queryFrontend"];
