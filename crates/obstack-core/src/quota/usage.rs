//! How Kubernetes counts: which resources of a `ResourceQuota` a pod, a claim or another object uses, and which
//! quotas it falls under (`pkg/quota/v1/evaluator/core` and `k8s.io/apiserver/pkg/quota/v1/generic` of 1.36).

use std::collections::BTreeMap;

use crate::{
    live::ScopeFacts,
    need::{PodNeed, Resources},
    objects::Kind,
    quantity::Amount,
};

/// Amounts by resource as quotas name it: `requests.cpu`, `pods`, `count/services`.
pub(super) type Usage = BTreeMap<String, Amount>;

/// What every container must state where a quota counts it ("must specify limits.cpu"). Kubernetes calls this a
/// mistake that it does not repeat for other resources.
pub(super) const MUST_BE_STATED: &[(&str, Stated, &str)] = &[
    ("cpu", Stated::Request, "cpu"),
    ("requests.cpu", Stated::Request, "cpu"),
    ("limits.cpu", Stated::Limit, "cpu"),
    ("memory", Stated::Request, "memory"),
    ("requests.memory", Stated::Request, "memory"),
    ("limits.memory", Stated::Limit, "memory"),
];

/// Where a container states an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    /// In its requests.
    Request,
    /// In its limits.
    Limit,
}

/// What one pod uses (`PodUsageFunc`).
pub(super) fn of_pod(need: &PodNeed) -> Usage {
    let one = Amount::count(1);
    let mut usage = Usage::from([("pods".to_owned(), one), ("count/pods".to_owned(), one)]);
    for (resource, amount) in need.requests() {
        let native = matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage");
        if native || resource.starts_with("hugepages-") {
            usage.insert(resource.clone(), amount);
        }
        if native || resource.starts_with("hugepages-") || is_extended(&resource) {
            usage.insert(format!("requests.{resource}"), amount);
        }
    }
    for (resource, amount) in need.limits() {
        if matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            usage.insert(format!("limits.{resource}"), amount);
        }
    }
    usage
}

/// Resources of devices (`IsDRAExtendedResourceName`): only what a pod requests of them can be counted.
fn is_extended(resource: &str) -> bool {
    let ours = resource.starts_with("deviceclass.resource.kubernetes.io/");
    ours || (resource.contains('/') && !resource.contains("kubernetes.io/"))
}

/// What `number` claims of a size and a class use; nothing is counted for a class that is not known.
pub(super) fn of_claims(number: u32, size: Amount, class: Option<&str>) -> Usage {
    let mut usage = of_growth(whole_bytes(size).times(number), class);
    let number = Amount::count(number);
    usage.insert("persistentvolumeclaims".to_owned(), number);
    usage.insert("count/persistentvolumeclaims".to_owned(), number);
    if let Some(class) = class {
        usage.insert(format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), number);
    }
    usage
}

/// A claim counts in whole bytes.
pub(super) fn whole_bytes(size: Amount) -> Amount {
    size.round_up_to(Amount::count(1))
}

/// What the growth of claims uses.
pub(super) fn of_growth(by: Amount, class: Option<&str>) -> Usage {
    let mut usage = Usage::from([("requests.storage".to_owned(), by)]);
    if let Some(class) = class {
        usage.insert(format!("{class}.storageclass.storage.k8s.io/requests.storage"), by);
    }
    usage
}

/// What a number of objects use. A Service is taken to have neither node ports nor a load balancer.
pub(super) fn of_objects(kind: Kind, number: u32) -> Usage {
    let number = Amount::count(number);
    let group = if kind.group().is_empty() { String::new() } else { format!(".{}", kind.group()) };
    let mut usage = Usage::from([(format!("count/{}{group}", kind.plural()), number)]);
    // These had names of their own before `count/` came.
    if matches!(kind, Kind::ConfigMap | Kind::Secret | Kind::Service) {
        usage.insert(kind.plural().to_owned(), number);
    }
    usage
}

/// Whether a pod falls under a quota: all its scopes must hold (`podMatchesScopeFunc`). The priority class is the one
/// that the pod names: one that the cluster gives to pods without is not known here.
pub(super) fn pod_in_scope(scopes: &[ScopeFacts], need: &PodNeed) -> bool {
    scopes.iter().all(|scope| match scope.name.as_str() {
        // Pods of Deployments and StatefulSets may have no deadline.
        "NotTerminating" => true,
        "BestEffort" => need.is_best_effort(),
        "NotBestEffort" => !need.is_best_effort(),
        "PriorityClass" => selects(scope, need.priority_class.as_deref()),
        "CrossNamespacePodAffinity" => need.looks_abroad,
        _ => false,
    })
}

/// Whether a claim falls under a quota (`pvcMatchesScopeFunc`).
pub(super) fn claim_in_scope(scopes: &[ScopeFacts], attributes_class: Option<&str>) -> bool {
    scopes.iter().all(|scope| scope.name == "VolumeAttributesClass" && selects(scope, attributes_class))
}

/// As a label selector has it: `NotIn` holds for what has no value, too.
fn selects(scope: &ScopeFacts, value: Option<&str>) -> bool {
    let named = value.is_some_and(|value| scope.values.iter().any(|one| one == value));
    match scope.operator.as_str() {
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "In" => named,
        "NotIn" => !named,
        _ => false,
    }
}

/// Adds up.
pub(super) fn add(total: &mut Usage, more: &Usage) {
    for (resource, amount) in more {
        *total.entry(resource.clone()).or_default() += *amount;
    }
}

/// The amount of a resource; nothing where there is none.
pub(super) fn of(usage: &Resources, resource: &str) -> Amount {
    usage.get(resource).copied().unwrap_or_default()
}
