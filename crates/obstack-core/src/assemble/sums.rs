//! What workloads request together: the numbers that a ResourceQuota counts.

use serde_json::Value;

use super::replicas;
use crate::{
    need::PodNeed,
    quantity::{Amount, Sums},
};

/// Requests of a workload, all replicas together; nothing for any other object.
pub fn sums_of(object: &Value) -> Sums {
    if object.pointer("/spec/template/spec").is_none() {
        return Sums::default();
    }
    sums_of_pods(&PodNeed::of(object), replicas(object))
}

/// Requests of so many pods.
pub fn sums_of_pods(need: &PodNeed, replicas: u32) -> Sums {
    let requests = need.requests();
    let request = |resource: &str| requests.get(resource).copied().unwrap_or_default();
    let storage: Amount = need.claims.iter().filter(|claim| !claim.ephemeral).map(|claim| claim.size).sum();
    Sums {
        pods: replicas,
        cpu: request("cpu").times(replicas),
        memory: request("memory").times(replicas),
        storage: storage.times(replicas),
    }
}
