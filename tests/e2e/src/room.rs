//! The room in a namespace as the API server has it: quotas, limit ranges, and the pods and claims that are there.

use std::{collections::BTreeMap, sync::Arc};

use obstack_core::{
    live::{
        ClaimFacts, ClassFacts, ContainerFacts, LimitRangeFacts, LimitRule, Live, PodFacts, QuotaFacts,
        ResourceFacts, ScopeFacts,
    },
    quantity::Amount,
};
use serde_json::Value;

use crate::{CLAIM, Cluster, LIMIT_RANGE, POD, QUOTA, STORAGE_CLASS, kinds::Kind, text};

/// `PriorityClass`.
pub const PRIORITY_CLASS: Kind =
    Kind { group: "scheduling.k8s.io", version: "v1", name: "PriorityClass", plural: "priorityclasses" };

/// What is observed in a namespace. A pod's component is its label `obstack.dev/component`.
pub async fn room(cluster: &Cluster, namespace: &str) -> Live {
    let list = async |kind, namespace: &str| cluster.list(kind, namespace).await;
    let classes = list(STORAGE_CLASS, "").await;
    let class = |class: &Value| {
        let default =
            text(class, "/metadata/annotations/storageclass.kubernetes.io~1is-default-class") == "true";
        (text(class, "/metadata/name").to_owned(), ClassFacts { default, ..ClassFacts::default() })
    };
    Live {
        pods: list(POD, namespace).await.iter().map(pod).collect(),
        claims: Some(list(CLAIM, namespace).await.iter().map(claim).collect()),
        quotas: Some(list(QUOTA, namespace).await.iter().map(quota).collect()),
        limit_ranges: Some(list(LIMIT_RANGE, namespace).await.iter().map(range).collect()),
        classes: Some(Arc::new(classes.iter().map(class).collect())),
        ..Live::default()
    }
}

fn amounts(map: &Value) -> BTreeMap<String, Amount> {
    let entries = map.as_object().into_iter().flatten();
    let amount = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Amount::parse(&text).unwrap_or_else(|error| panic!("{error}"))
    };
    entries.map(|(resource, value)| (resource.clone(), amount(value))).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// By what its controller has seen, because that is what the API server goes by.
fn quota(quota: &Value) -> QuotaFacts {
    let exists = |name: &Value| ScopeFacts {
        name: name.as_str().unwrap_or_default().to_owned(),
        operator: "Exists".to_owned(),
        values: Vec::new(),
    };
    let selector = |one: &Value| ScopeFacts {
        name: text(one, "/scopeName").to_owned(),
        operator: text(one, "/operator").to_owned(),
        values: list(&one["values"]).filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let selectors = list(&quota["spec"]["scopeSelector"]["matchExpressions"]).map(selector);
    QuotaFacts {
        name: text(quota, "/metadata/name").to_owned(),
        hard: amounts(&quota["status"]["hard"]),
        used: amounts(&quota["status"]["used"]),
        scopes: list(&quota["spec"]["scopes"]).map(exists).chain(selectors).collect(),
    }
}

fn range(range: &Value) -> LimitRangeFacts {
    let rule = |rule: &Value| LimitRule {
        kind: text(rule, "/type").to_owned(),
        default: amounts(&rule["default"]),
        default_request: amounts(&rule["defaultRequest"]),
        min: amounts(&rule["min"]),
        max: amounts(&rule["max"]),
        max_ratio: amounts(&rule["maxLimitRequestRatio"]),
    };
    LimitRangeFacts {
        name: text(range, "/metadata/name").to_owned(),
        rules: list(&range["spec"]["limits"]).map(rule).collect(),
    }
}

fn pod(pod: &Value) -> PodFacts {
    let container = |container: &Value, init: bool| {
        let resources = &container["resources"];
        let (requests, limits) = (amounts(&resources["requests"]), amounts(&resources["limits"]));
        ContainerFacts {
            name: text(container, "/name").to_owned(),
            init: init && container["restartPolicy"] != "Always",
            resources: Arc::new(ResourceFacts {
                cpu_request: requests.get("cpu").copied(),
                memory_request: requests.get("memory").copied(),
                cpu_limit: limits.get("cpu").copied(),
                memory_limit: limits.get("memory").copied(),
            }),
            state: None,
        }
    };
    let init = list(&pod["spec"]["initContainers"]).map(|one| container(one, true));
    let main = list(&pod["spec"]["containers"]).map(|one| container(one, false));
    PodFacts {
        name: text(pod, "/metadata/name").to_owned(),
        component: text(pod, "/metadata/labels/obstack.dev~1component").to_owned(),
        deleting: pod["metadata"]["deletionTimestamp"].is_string(),
        containers: init.chain(main).collect(),
        ..PodFacts::default()
    }
}

fn claim(claim: &Value) -> ClaimFacts {
    let storage = |pointer: &str| {
        amounts(claim.pointer(pointer).unwrap_or(&Value::Null)).get("storage").copied().unwrap_or_default()
    };
    ClaimFacts {
        name: text(claim, "/metadata/name").to_owned(),
        phase: text(claim, "/status/phase").to_owned(),
        class: text(claim, "/spec/storageClassName").to_owned(),
        requested: storage("/spec/resources/requests"),
        capacity: storage("/status/capacity"),
        ..ClaimFacts::default()
    }
}
