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

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number of ingesters of which every choice may be lost, by trying every choice.
    fn tried(factor: u32, pods: u32, to_write: u32) -> u32 {
        let survives = |lost: u32| {
            let alive = |pod: u32| lost & (1 << pod) == 0;
            // Any `factor` of the pods may be the ones that hold a series.
            let sets = (0..1_u32 << pods).filter(|set| set.count_ones() == factor.min(pods));
            let writes = sets.into_iter().all(|set| (set & !lost).count_ones() >= to_write);
            // A query is refused when fewer answer than this.
            let answers = (0..pods).filter(|pod| alive(*pod)).count();
            let needed = pods.max(factor) - factor / 2;
            writes && u32::try_from(answers).unwrap() >= needed
        };
        let all = (0..1_u32 << pods).filter(|lost| !survives(*lost)).map(u32::count_ones).min();
        all.unwrap_or(pods + 1).saturating_sub(1)
    }

    #[test]
    fn a_ring_survives_what_every_choice_of_lost_pods_leaves_enough_copies_of() {
        for backend in [Backend::Mimir, Backend::Tempo] {
            for factor in 1..=5 {
                for pods in 1..=7 {
                    let to_write = copies_to_write(backend, factor);
                    assert_eq!(
                        ingesters(backend, factor, pods),
                        tried(factor, pods, to_write),
                        "{backend}, replication factor {factor}, {pods} ingesters"
                    );
                }
            }
        }
    }

    #[test]
    fn ingesters_survive_what_was_measured() {
        // docs/explanation/replication.md: with RF 2 and one ingester that hangs Mimir takes no write, Tempo every one.
        for (backend, factor, pods, expect) in [
            (Backend::Mimir, 1, 1, 0),
            (Backend::Mimir, 1, 3, 0),
            (Backend::Mimir, 2, 3, 0),
            (Backend::Mimir, 3, 3, 1),
            (Backend::Mimir, 3, 9, 1),
            (Backend::Mimir, 5, 5, 2),
            (Backend::Tempo, 1, 3, 0),
            (Backend::Tempo, 2, 2, 1),
            (Backend::Tempo, 2, 3, 1),
            (Backend::Tempo, 3, 3, 1),
            // More copies than pods: the API refuses it, and no write would be taken.
            (Backend::Mimir, 3, 1, 0),
        ] {
            assert_eq!(ingesters(backend, factor, pods), expect, "{backend} RF {factor}, {pods} ingesters");
        }
    }
}
