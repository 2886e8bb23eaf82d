//! Grafana Mimir in its classic architecture.

pub mod values;

use super::role::{Class, DataVolume, Role};

/// HTTP port of every Mimir process.
pub const HTTP_PORT: u16 = 8080;

/// Roles of the chart `mimir-distributed`.
pub const ROLES: &[Role] = &[
    Role::stateless("distributor", "distributor"),
    Role::stateless("ingester", "ingester")
        .requests("100m", "512Mi")
        .limited(Class::Ingester, "4Gi")
        .data(DataVolume::Claim("10Gi")),
    Role::stateless("querier", "querier"),
    Role::stateless("queryFrontend", "query-frontend"),
    Role::stateless("queryScheduler", "query-scheduler").requests("10m", "64Mi"),
    Role::stateless("compactor", "compactor").data(DataVolume::Claim("10Gi")),
    Role::stateless("storeGateway", "store-gateway")
        .limited(Class::StoreGateway, "2Gi")
        .data(DataVolume::EmptyDir),
    Role::stateless("alertmanager", "alertmanager").data(DataVolume::Claim("1Gi")),
    Role::stateless("ruler", "ruler").requests("50m", "128Mi").optional(),
    Role::stateless("overridesExporter", "overrides-exporter").requests("10m", "64Mi").optional(),
    Role::stateless("gateway", "gateway").requests("20m", "32Mi").optional(),
];

/// Roles without which nothing is written or read.
pub const REQUIRED: &[&str] =
    &["distributor", "ingester", "querier", "queryFrontend", "storeGateway", "compactor"];
