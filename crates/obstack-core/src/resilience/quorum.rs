//! How many pods of a ring may be lost while every write and every query still finds enough copies.
//!
//! A pod is lost when it hangs or dies: its entry stays in the ring, and it still counts among the copies. One that
//! leaves in order is another matter, for its share goes to others first.

use crate::backends::Backend;

/// Copies that a write must reach of so many that there are to be.
///
/// - Mimir, and Tempo but for 2: `minSuccess := (replicationFactor / 2) + 1`
///   (grafana/dskit `ring/replication_strategy.go:41`, `defaultReplicationStrategy.Filter`).
/// - Tempo with 2: `minSuccess := 1` (grafana/tempo v2.10.8 `pkg/ring/ring.go:28` chooses
///   `EventuallyConsistentStrategy`, whose `Filter` at line 61 says so).
///
/// Both measured: with 2 copies and a hanging ingester, Mimir takes no write and Tempo takes every one.
pub fn copies_to_write(backend: Backend, factor: u32) -> u32 {
    match (backend, factor) {
        (Backend::Tempo, 2) => 1,
        _ => factor / 2 + 1,
    }
}

/// Ingesters that may be lost at once, any of them, while no write is refused and no query fails.
pub fn ingesters(backend: Backend, factor: u32, ingesters: u32) -> u32 {
    // A write: each copy may be the lost one.
    let writes = factor.min(ingesters).saturating_sub(copies_to_write(backend, factor));
    // A query asks all of them: `numRequired = max(instances, RF) - RF/2` (grafana/dskit `ring/ring.go`,
    // `GetReplicationSetForOperation`; Mimir's distributor and Tempo's querier ask it).
    let queries = ingesters.saturating_sub(ingesters.max(factor).saturating_sub(factor / 2));
    writes.min(queries)
}

/// Pods that may be lost at once of a ring in which one healthy copy is enough
/// (grafana/dskit `ring/replication_strategy.go:92`, `ignoreUnhealthyInstancesReplicationStrategy`).
///
/// Mimir's store-gateways are such: a block is loaded by `min(RF, gateways)` of them, and a querier asks the next one
/// when the first does not answer, up to RF times (`pkg/querier/blocks_store_queryable.go`). So are alertmanagers
/// (`pkg/alertmanager/multitenant.go`).
pub fn one_is_enough(factor: u32, pods: u32) -> u32 {
    factor.min(pods).saturating_sub(1)
}
