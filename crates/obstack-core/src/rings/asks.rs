//! Which pages a stack has. Service names and ports are those that the charts render.

use std::time::Duration;

use super::{Expected, Gossipers, QuorumRule, RingToAsk};
use crate::{
    backends::{Backend, mimir, tempo},
    valid::{ValidBackend, ValidStack},
};

/// `store-gateway.sharding-ring.replication-factor`: Mimir's default, which no chart changes.
const STORE_GATEWAY_REPLICAS: u32 = 3;
/// Roles of Mimir whose pods join the gossip in every version, since each has a ring or reads one
/// (`MemberlistKV` among the dependencies in `pkg/mimir/modules.go`).
const MIMIR_GOSSIPERS: &[&str] =
    &["distributor", "ingester", "querier", "compactor", "storeGateway", "alertmanager", "ruler"];
/// The same of Tempo (`cmd/tempo/app/modules.go` of v2.10).
const TEMPO_GOSSIPERS: &[&str] = &["distributor", "ingester", "querier", "compactor", "metricsGenerator"];

/// The pages of a stack. Only Services of its own namespace are named.
pub fn of(stack: &ValidStack) -> Vec<RingToAsk> {
    let pages = |backend: &ValidBackend| match (backend.backend, backend.monolithic) {
        (Backend::Tempo, true) => tempo_monolithic(stack, backend),
        (Backend::Tempo, false) => tempo_distributed(stack, backend),
        (Backend::Mimir, _) => mimir(stack, backend),
    };
    stack.backends.iter().flat_map(pages).collect()
}

/// One process with a ring of its own in memory (`cmd/tempo/main.go`), and no gossip.
fn tempo_monolithic(stack: &ValidStack, backend: &ValidBackend) -> Vec<RingToAsk> {
    let pages = Pages { stack, backend, port: tempo::HTTP_PORT };
    let timeout = Duration::from_mins(5);
    let ring = pages.ring("singleBinary", QuorumRule::MajorityWithSubstitutes, 1, timeout);
    vec![pages.ask("singleBinary", "", "/ingester/ring", ring)]
}

fn tempo_distributed(stack: &ValidStack, backend: &ValidBackend) -> Vec<RingToAsk> {
    let pages = Pages { stack, backend, port: tempo::HTTP_PORT };
    let rule = if backend.replication_factor == 2 {
        QuorumRule::OneWithSubstitutes
    } else {
        QuorumRule::MajorityWithSubstitutes
    };
    // The charts leave both at Tempo's defaults (`modules/ingester/config.go`, `modules/compactor/compactor_ring.go`).
    let ingesters = pages.ring("ingester", rule, backend.replication_factor, Duration::from_mins(5));
    let compactors = pages.ring("compactor", QuorumRule::Nothing, 1, Duration::from_mins(1));
    let mut all = pages.all(ingesters, compactors, TEMPO_GOSSIPERS);
    if backend.replicas("metricsGenerator") > 0 {
        // The distributors pass a trace on to whichever is there (`pkg/ring/config.go`).
        let generators = pages.ring("metricsGenerator", QuorumRule::Nothing, 1, Duration::from_mins(1));
        all.push(pages.ask("metricsGenerator", "distributor", "/metrics-generator/ring", generators));
    }
    all
}

fn mimir(stack: &ValidStack, backend: &ValidBackend) -> Vec<RingToAsk> {
    let pages = Pages { stack, backend, port: mimir::HTTP_PORT };
    // The charts, upstream's and the bundled, raise Mimir's 1 min (`mimir.config` in their values).
    let ingesters =
        pages.ring("ingester", QuorumRule::Majority, backend.replication_factor, Duration::from_mins(10));
    let compactors = pages.ring("compactor", QuorumRule::Nothing, 1, Duration::from_mins(4));
    let replicas_are_known = !backend.values_mention("replication");
    let rule = if replicas_are_known { QuorumRule::OneToRead } else { QuorumRule::Nothing };
    let gateways = pages.ring("storeGateway", rule, STORE_GATEWAY_REPLICAS, Duration::from_mins(10));
    let mut all = pages.all(ingesters, compactors, MIMIR_GOSSIPERS);
    // Only the members themselves have this page.
    all.push(pages.ask("storeGateway", "store-gateway", "/store-gateway/ring", gateways));
    all
}

struct Pages<'a> {
    stack: &'a ValidStack,
    backend: &'a ValidBackend,
    port: u16,
}

impl Pages<'_> {
    /// The pages that both distributed backends have. The distributors know the ingesters' ring as writes meet it.
    fn all(&self, ingesters: Expected, compactors: Expected, gossipers: &[&str]) -> Vec<RingToAsk> {
        let mut all = vec![self.ask("ingester", "distributor", "/ingester/ring", ingesters)];
        if self.backend.replicas("compactor") > 0 {
            all.push(self.ask("compactor", "compactor", "/compactor/ring", compactors));
        }
        let release = &self.backend.name.objects;
        let running = self.backend.components.iter().filter(|component| component.replicas > 0);
        let gossipers = running
            .filter(|component| gossipers.contains(&component.role.key))
            .map(|component| Gossipers {
                workload: component.role.workload(release),
                pods: component.replicas,
            })
            .collect();
        all.push(self.ask("memberlist", "distributor", "/memberlist", Expected::Gossip(gossipers)));
        all
    }

    fn ask(&self, part: &str, suffix: &str, path: &str, expected: Expected) -> RingToAsk {
        let release = self.backend.name.objects.clone();
        RingToAsk {
            component: format!("{}.{part}", self.backend.backend.signal()),
            service: if suffix.is_empty() { release } else { format!("{release}-{suffix}") },
            namespace: self.stack.key.namespace.clone(),
            port: self.port,
            path: path.to_owned(),
            expected,
        }
    }

    fn ring(&self, members: &str, rule: QuorumRule, replication_factor: u32, timeout: Duration) -> Expected {
        // Whoever changes one may change it on several paths, and as an argument.
        let timeout_is_known = !self.backend.values_mention("heartbeat");
        Expected::Ring {
            members: self.backend.replicas(members),
            replication_factor,
            rule,
            heartbeat_timeout: timeout_is_known.then_some(timeout),
        }
    }
}
