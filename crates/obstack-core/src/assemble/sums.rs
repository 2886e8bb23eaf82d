//! What workloads request together: the numbers that a ResourceQuota counts.

use serde_json::Value;

use super::replicas;
use crate::quantity::{Amount, Sums};

/// Requests of a workload, all replicas together; nothing for any other object.
pub fn sums_of(object: &Value) -> Sums {
    let Some(pod) = object.pointer("/spec/template/spec") else { return Sums::default() };
    let replicas = replicas(object);
    let request = |container: &Value, resource: &str| {
        amount(container.pointer(&format!("/resources/requests/{resource}")))
    };
    let list = |key: &str| pod.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // Init containers run one after the other before the rest, so only the largest counts, and only where it is
    // larger than what runs later (KEP-753 sidecars keep running and add up).
    let (sidecars, inits): (Vec<_>, Vec<_>) =
        list("initContainers").iter().partition(|init| init["restartPolicy"] == "Always");
    let of = |resource: &str| {
        let running: Amount =
            list("containers").iter().chain(sidecars.iter().copied()).map(|c| request(c, resource)).sum();
        inits.iter().map(|c| request(c, resource)).fold(running, Amount::max)
    };
    let claims = object
        .pointer("/spec/volumeClaimTemplates")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let storage: Amount =
        claims.iter().map(|claim| amount(claim.pointer("/spec/resources/requests/storage"))).sum();
    Sums {
        pods: replicas,
        cpu: of("cpu").times(replicas),
        memory: of("memory").times(replicas),
        storage: storage.times(replicas),
    }
}

fn amount(value: Option<&Value>) -> Amount {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Amount::ZERO,
    };
    Amount::parse(&text).unwrap_or_default()
}
