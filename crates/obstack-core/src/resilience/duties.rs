//! What each component does, and what stands still without it.

use super::quorum;
use crate::{backends::Backend, valid::ValidBackend};

/// Replication factor of Mimir's store-gateways and alertmanagers when nothing says otherwise
/// (`-store-gateway.sharding-ring.replication-factor`, `-alertmanager.sharding-ring.replication-factor`).
const SHARDING: u32 = 3;

/// What a component does.
#[derive(Debug)]
pub(super) struct Duty {
    role: &'static str,
    /// What stands still while every pod of it is gone.
    pub(super) stops: &'static str,
    /// That is writes or queries, at once.
    pub(super) vital: bool,
    keeps: Keeps,
}

/// What a pod of a component has that the others do not.
#[derive(Clone, Copy, Debug)]
enum Keeps {
    /// Nothing, or nothing that another does not take over within a minute.
    Nothing,
    /// Data that is not in the object store yet, in as many copies as the replication factor says.
    Fresh,
    /// A share of a ring in which one copy is enough. The key of the ring in Mimir's configuration.
    Share(&'static str),
}

const fn duty(role: &'static str, stops: &'static str, vital: bool, keeps: Keeps) -> Duty {
    Duty { role, stops, vital, keeps }
}

const TEMPO: &[Duty] = &[
    duty("singleBinary", "writes and queries", true, Keeps::Fresh),
    duty("distributor", "writes", true, Keeps::Nothing),
    duty("ingester", "writes and queries of fresh traces", true, Keeps::Fresh),
    duty("querier", "queries", true, Keeps::Nothing),
    duty("queryFrontend", "queries", true, Keeps::Nothing),
    // Queriers read the bucket themselves when the compactor's index of it is old (`blocklist_poll_fallback`, on).
    duty("compactor", "compaction and retention", false, Keeps::Nothing),
    // Distributors write a trace whether a generator takes it or not, and one that starts anew begins without its log.
    duty("metricsGenerator", "metrics from traces", false, Keeps::Nothing),
];

const MIMIR: &[Duty] = &[
    duty("distributor", "writes", true, Keeps::Nothing),
    duty("ingester", "writes and queries of fresh series", true, Keeps::Fresh),
    duty("querier", "queries", true, Keeps::Nothing),
    duty("queryFrontend", "queries", true, Keeps::Nothing),
    duty("queryScheduler", "queries", true, Keeps::Nothing),
    // Not vital, because its pod has an hour to come back: after `bucket_index.max_stale_period`, 1h, queriers refuse
    // an index that nobody has written anew (`pkg/querier/blocks_finder_bucket_index.go:78`).
    duty("compactor", "compaction and retention, and after an hour queries", false, Keeps::Nothing),
    duty("storeGateway", "queries of what is in the object store", true, Keeps::Share("store_gateway")),
    duty("alertmanager", "notifications", false, Keeps::Share("alertmanager")),
    // Each rule group is on one ruler; the others take it over when its heartbeat is a minute old.
    duty("ruler", "recording and alerting rules", false, Keeps::Nothing),
    duty("overridesExporter", "metrics about limits", false, Keeps::Nothing),
    duty("gateway", "writes and queries", true, Keeps::Nothing),
];

const ALLOY: Duty = duty("alloy", "what is sent to the collector", true, Keeps::Nothing);

/// The duty of a collector's role. What it has not passed on yet goes with its pod; no copy would help.
pub(super) fn of_collector(role: &str) -> Option<&'static Duty> {
    Some(&ALLOY).filter(|duty| duty.role == role)
}

/// The duty of a role; `None` for what users' values switched on beside the roles we know.
pub(super) fn of(backend: Backend, role: &str) -> Option<&'static Duty> {
    let duties = match backend {
        Backend::Tempo => TEMPO,
        Backend::Mimir => MIMIR,
    };
    duties.iter().find(|duty| duty.role == role)
}

/// Pods of so many that may be lost at once.
pub(super) fn tolerates(duty: &Duty, backend: &ValidBackend, pods: u32) -> u32 {
    match duty.keeps {
        Keeps::Nothing => pods.saturating_sub(1),
        Keeps::Fresh => quorum::ingesters(backend.backend, backend.replication_factor, pods),
        Keeps::Share(_) => quorum::one_is_enough(factor(duty, backend), pods),
    }
}

/// Copies of what the pods of a component keep.
pub(super) fn factor(duty: &Duty, backend: &ValidBackend) -> u32 {
    match duty.keeps {
        Keeps::Nothing => 1,
        Keeps::Fresh => backend.replication_factor,
        Keeps::Share(ring) => {
            let values = backend.values.as_ref().and_then(|values| values.get("mimir"));
            let path = format!("/structuredConfig/{ring}/sharding_ring/replication_factor");
            let given = values.and_then(|mimir| mimir.pointer(&path)).and_then(serde_json::Value::as_u64);
            given.map_or(SHARDING, |factor| u32::try_from(factor).unwrap_or(u32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::{mimir, tempo};

    #[test]
    fn every_role_has_its_duty_and_every_duty_its_role() {
        let check = |backend, roles: &[&[crate::backends::role::Role]], duties: &[Duty]| {
            let mut roles: Vec<_> = roles.iter().copied().flatten().map(|role| role.key).collect();
            let mut known: Vec<_> = duties.iter().map(|duty| duty.role).collect();
            roles.sort_unstable();
            known.sort_unstable();
            assert_eq!(roles, known, "{backend}");
        };
        check(Backend::Tempo, &[tempo::MONOLITHIC, tempo::DISTRIBUTED], TEMPO);
        check(Backend::Mimir, &[mimir::ROLES], MIMIR);
    }

    #[test]
    fn what_is_required_is_vital_but_for_the_compactor() {
        for (backend, required) in [(Backend::Tempo, tempo::REQUIRED), (Backend::Mimir, mimir::REQUIRED)] {
            for role in required {
                assert_eq!(of(backend, role).unwrap().vital, *role != "compactor", "{backend} {role}");
            }
        }
    }
}
