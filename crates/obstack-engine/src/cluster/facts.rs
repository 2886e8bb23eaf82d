//! From objects as the API server has them to the few facts that decisions need.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{
            Container, ContainerStatus, LimitRange, Node, PersistentVolumeClaim, Pod, ResourceQuota,
            ScopedResourceSelectorRequirement,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{ResourceExt, api::DynamicObject};
use obstack_api::labels;
use obstack_core::{
    live::{
        BudgetFacts, ClaimFacts, ClassFacts, ContainerFacts, EndFacts, LimitRangeFacts, LimitRule, NodeFacts,
        PodFacts, QuotaFacts, ResourceFacts, ScopeFacts, StateFacts, WorkloadFacts,
    },
    objects::Kind,
    quantity::Amount,
};
use serde_json::Value;

/// Facts of a Deployment, StatefulSet or `DaemonSet`.
pub fn workload(kind: Kind, object: &DynamicObject) -> WorkloadFacts {
    let number = |path: &str| object.data.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let count = |path: &str| i32::try_from(number(path)).unwrap_or(i32::MAX);
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let failure =
        conditions.into_iter().flatten().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True");
    let revision = object.data.pointer("/status/updateRevision").and_then(Value::as_str);
    let [replicas, updated, ready, created] = match kind {
        Kind::DaemonSet => [
            "/status/desiredNumberScheduled",
            "/status/updatedNumberScheduled",
            "/status/numberReady",
            "/status/currentNumberScheduled",
        ],
        _ => ["/spec/replicas", "/status/updatedReplicas", "/status/readyReplicas", "/status/replicas"],
    };
    WorkloadFacts {
        generation: object.metadata.generation.unwrap_or(0),
        observed_generation: number("/status/observedGeneration"),
        replicas: count(replicas),
        updated: count(updated),
        ready: count(ready),
        created: count(created),
        // Pods carry it without the StatefulSet's name, or with it: the label's value is what counts.
        revision: revision.unwrap_or_default().to_owned(),
        refusal: failure.and_then(|c| c["message"].as_str()).map(str::to_owned),
    }
}

/// Facts of a disruption budget.
pub fn budget(object: &DynamicObject) -> BudgetFacts {
    let number = |path: &str| object.data.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let count = |path: &str| i32::try_from(number(path)).unwrap_or(i32::MAX);
    BudgetFacts {
        current: number("/status/observedGeneration") >= object.metadata.generation.unwrap_or(0),
        allowed: count("/status/disruptionsAllowed"),
        expected: count("/status/expectedPods"),
        healthy: count("/status/currentHealthy"),
    }
}

/// Facts of a pod.
pub fn pod(pod: &Pod) -> PodFacts {
    let status = pod.status.as_ref();
    let spec = pod.spec.as_ref();
    let deleting = pod.metadata.deletion_timestamp.is_some();
    let condition = |type_: &str| {
        let all = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        all.iter().find(|condition| condition.type_ == type_)
    };
    let ready = condition("Ready").is_some_and(|c| c.status == "True") && !deleting;
    let since = condition("Ready")
        .and_then(|c| c.last_transition_time.as_ref())
        .or(pod.metadata.creation_timestamp.as_ref())
        .map_or(0, |time| time.0.as_second());
    let unscheduled = condition("PodScheduled")
        .filter(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"))
        .map(|c| c.message.clone().unwrap_or_default());
    let label = |name: &str| pod.labels().get(name).cloned().unwrap_or_default();
    let revision = Some(label("controller-revision-hash")).filter(|hash| !hash.is_empty());
    let failed = status.and_then(|status| {
        let reason = status.reason.clone().filter(|reason| !reason.is_empty())?;
        Some((reason, status.message.clone().unwrap_or_default()))
    });
    let resized = pod.managed_fields().iter().find(|entry| entry.subresource.as_deref() == Some("resize"));
    PodFacts {
        name: pod.name_any(),
        component: label(labels::COMPONENT),
        revision: revision.unwrap_or_else(|| label("pod-template-hash")),
        node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        ready,
        deleting,
        not_ready_since: if ready { 0 } else { since },
        failed,
        unscheduled,
        containers: containers(pod),
        limit_ranger: pod.annotations().get("kubernetes.io/limit-ranger").cloned(),
        resized_by: resized.and_then(|entry| entry.manager.clone()),
        warnings: Vec::new(),
    }
}

fn containers(pod: &Pod) -> Vec<ContainerFacts> {
    let (Some(spec), status) = (pod.spec.as_ref(), pod.status.as_ref()) else { return Vec::new() };
    let of = |name: &str, list: Option<&Vec<ContainerStatus>>| {
        list.and_then(|list| list.iter().find(|status| status.name == name).cloned())
    };
    let inits = spec.init_containers.as_deref().unwrap_or_default().iter().map(|container| {
        let found = of(&container.name, status.and_then(|status| status.init_container_statuses.as_ref()));
        self::container(container, container.restart_policy.as_deref() != Some("Always"), found.as_ref())
    });
    let mains = spec.containers.iter().map(|container| {
        let found = of(&container.name, status.and_then(|status| status.container_statuses.as_ref()));
        self::container(container, false, found.as_ref())
    });
    inits.chain(mains).collect()
}

fn container(container: &Container, init: bool, status: Option<&ContainerStatus>) -> ContainerFacts {
    let resources = container.resources.as_ref();
    let amount = |list: Option<&BTreeMap<String, Quantity>>, resource: &str| {
        list.and_then(|list| Amount::parse(&list.get(resource)?.0).ok())
    };
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    ContainerFacts {
        name: container.name.clone(),
        init,
        resources: Arc::new(ResourceFacts {
            cpu_request: amount(requests, "cpu"),
            memory_request: amount(requests, "memory"),
            cpu_limit: amount(limits, "cpu"),
            memory_limit: amount(limits, "memory"),
        }),
        state: status.and_then(state).map(Box::new),
    }
}

/// How a container stands, unless it is simply ready or has ended as it should.
fn state(status: &ContainerStatus) -> Option<StateFacts> {
    let state = status.state.as_ref();
    let running = state.is_some_and(|state| state.running.is_some());
    let done = state.and_then(|state| state.terminated.as_ref()).is_some_and(|ended| ended.exit_code == 0);
    if (status.ready && running) || done {
        return None;
    }
    let waiting = state.and_then(|state| state.waiting.as_ref());
    // How it ended the last time stands in the last state while it waits or runs again.
    let ended = state
        .and_then(|state| state.terminated.as_ref())
        .or_else(|| status.last_state.as_ref().and_then(|last| last.terminated.as_ref()));
    Some(StateFacts {
        image: status.image.clone(),
        running,
        since: state
            .and_then(|s| s.running.as_ref()?.started_at.as_ref())
            .map_or(0, |time| time.0.as_second()),
        started: status.started.unwrap_or(false),
        restarts: status.restart_count,
        waiting: waiting.map(|waiting| {
            (waiting.reason.clone().unwrap_or_default(), waiting.message.clone().unwrap_or_default())
        }),
        ended: ended.map(|ended| EndFacts {
            reason: ended.reason.clone().unwrap_or_default(),
            exit_code: ended.exit_code,
            at: ended.finished_at.as_ref().map_or(0, |time| time.0.as_second()),
            message: ended.message.clone().unwrap_or_default(),
        }),
    })
}

/// Facts of a volume claim.
pub fn claim(claim: &PersistentVolumeClaim) -> ClaimFacts {
    let (spec, status) = (claim.spec.as_ref(), claim.status.as_ref());
    let storage = |list: Option<&BTreeMap<String, Quantity>>| {
        list.and_then(|list| Amount::parse(&list.get("storage")?.0).ok()).unwrap_or_default()
    };
    ClaimFacts {
        name: claim.name_any(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned()),
        class: spec.and_then(|spec| spec.storage_class_name.clone()).unwrap_or_default(),
        requested: storage(
            spec.and_then(|spec| spec.resources.as_ref()).and_then(|resources| resources.requests.as_ref()),
        ),
        capacity: storage(status.and_then(|status| status.capacity.as_ref())),
        selected_node: claim.annotations().get("volume.kubernetes.io/selected-node").cloned(),
        said: None,
    }
}

/// Facts of a node.
pub fn node(node: &Node) -> NodeFacts {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    NodeFacts {
        ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        zone: node.labels().get("topology.kubernetes.io/zone").cloned().unwrap_or_default(),
    }
}

/// Facts of a storage class.
pub fn class(class: &StorageClass) -> ClassFacts {
    let default = class.annotations().get("storageclass.kubernetes.io/is-default-class");
    ClassFacts {
        provisioner: class.provisioner.clone(),
        waits_for_consumer: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
        expandable: class.allow_volume_expansion.unwrap_or(false),
        default: default.is_some_and(|text| text == "true"),
    }
}

/// Facts of a quota.
pub fn quota(quota: &ResourceQuota) -> QuotaFacts {
    let (spec, status) = (quota.spec.as_ref(), quota.status.as_ref());
    let plain = spec
        .and_then(|spec| spec.scopes.as_deref())
        .unwrap_or_default()
        .iter()
        .map(|name| ScopeFacts { name: name.clone(), operator: "Exists".to_owned(), values: Vec::new() });
    let selector = spec.and_then(|spec| spec.scope_selector.as_ref());
    let selected = selector.and_then(|selector| selector.match_expressions.as_deref()).unwrap_or_default();
    let scope = |requirement: &ScopedResourceSelectorRequirement| ScopeFacts {
        name: requirement.scope_name.clone(),
        operator: requirement.operator.clone(),
        values: requirement.values.clone().unwrap_or_default(),
    };
    QuotaFacts {
        name: quota.name_any(),
        // What the spec says counts from the moment it is written; the status follows.
        hard: amounts(spec.and_then(|spec| spec.hard.as_ref())),
        used: amounts(status.and_then(|status| status.used.as_ref())),
        scopes: plain.chain(selected.iter().map(scope)).collect(),
    }
}

/// Facts of a limit range.
pub fn limit_range(range: &LimitRange) -> LimitRangeFacts {
    let rules = range.spec.as_ref().map(|spec| spec.limits.as_slice()).unwrap_or_default();
    LimitRangeFacts {
        name: range.name_any(),
        rules: rules
            .iter()
            .map(|rule| LimitRule {
                kind: rule.type_.clone(),
                default: amounts(rule.default.as_ref()),
                default_request: amounts(rule.default_request.as_ref()),
                min: amounts(rule.min.as_ref()),
                max: amounts(rule.max.as_ref()),
                max_ratio: amounts(rule.max_limit_request_ratio.as_ref()),
            })
            .collect(),
    }
}

fn amounts(list: Option<&BTreeMap<String, Quantity>>) -> BTreeMap<String, Amount> {
    let entries = list.into_iter().flatten();
    entries.filter_map(|(name, amount)| Some((name.clone(), Amount::parse(&amount.0).ok()?))).collect()
}
