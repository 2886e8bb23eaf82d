//! What a pod needs, read from its workload, and what it comes to as Kubernetes counts.

#![cfg(test)]

mod quota_common;

use obstack_core::{
    need::{PodNeed, Resources},
    quantity::Amount,
};
use quota_common::amounts;
use serde_json::{Value, json};

fn need(spec: &Value) -> PodNeed {
    PodNeed::of(&json!({"kind": "Deployment", "spec": {"template": {"spec": spec}}}))
}

/// `cpu 100m, memory 1Gi`.
fn said(amounts: &Resources) -> String {
    let said: Vec<_> = amounts
        .iter()
        .map(|(resource, amount)| format!("{resource} {}", amount.of_resource(resource)))
        .collect();
    said.join(", ")
}

/// Containers as `KIND cpu=...` with requests, and the requests of the pod. Kinds: `main`, `init`, `sidecar`.
fn check(containers: &[&str], expect: &str) {
    let container = |(index, text): (usize, &&str)| {
        let (kind, requests) = text.split_once(' ').unwrap();
        let requests: serde_json::Map<_, _> = requests
            .split(' ')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(resource, amount)| (resource.to_owned(), amount.into()))
            .collect();
        let mut container =
            json!({"name": format!("c{index}"), "resources": {"requests": requests, "limits": requests}});
        if kind == "sidecar" {
            container["restartPolicy"] = "Always".into();
        }
        (kind == "main", container)
    };
    let (main, init): (Vec<_>, Vec<_>) =
        containers.iter().enumerate().map(container).partition(|(main, _)| *main);
    let list =
        |list: Vec<(bool, Value)>| list.into_iter().map(|(_, container)| container).collect::<Vec<_>>();
    let need = need(&json!({"containers": list(main), "initContainers": list(init)}));
    assert_eq!(said(&need.requests()), expect, "{containers:?}");
    assert_eq!(said(&need.limits()), expect, "limits go the same way: {containers:?}");
}

#[test]
fn containers_add_up_and_the_largest_moment_of_the_start_counts() {
    check(&["main cpu=100m memory=1Gi", "main cpu=50m"], "cpu 150m, memory 1Gi");
    check(&["main cpu=100m", "init cpu=80m"], "cpu 100m");
    check(&["main cpu=100m", "init cpu=300m", "init cpu=200m"], "cpu 300m");
    check(&["main memory=1Gi", "init cpu=300m"], "cpu 300m, memory 1Gi");
    // KEP-753: a sidecar runs with the pod, and beside the init containers after it.
    check(&["main cpu=100m", "sidecar cpu=50m"], "cpu 150m");
    check(&["main cpu=100m", "sidecar cpu=50m", "init cpu=120m"], "cpu 170m");
    check(&["main cpu=100m", "init cpu=120m", "sidecar cpu=50m"], "cpu 150m");
    check(&["main cpu=10m", "sidecar cpu=50m", "init cpu=20m", "sidecar cpu=5m", "init cpu=40m"], "cpu 95m");
    check(&["main example.com/gpu=1", "init example.com/gpu=2"], "example.com/gpu 2");
}

#[test]
fn overhead_is_requested_and_raises_limits_that_are_there() {
    let need = need(&json!({
        "overhead": {"cpu": "250m", "memory": "64Mi"},
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}}],
    }));
    assert_eq!(said(&need.requests()), "cpu 1250m, memory 64Mi");
    assert_eq!(said(&need.limits()), "memory 1088Mi");
}

#[test]
fn resources_of_the_pod_as_a_whole_go_before_those_of_its_containers() {
    let need = need(&json!({
        "resources": {"requests": {"cpu": "2"}},
        "containers": [{"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}],
    }));
    assert_eq!(said(&need.requests()), "cpu 2000m, memory 1Gi");
    assert!(need.has_pod_resources());
}

#[test]
fn best_effort_is_what_asks_for_nothing() {
    let best_effort = |resources: Value| {
        need(&json!({"containers": [{"name": "c", "resources": resources}]})).is_best_effort()
    };
    assert!(best_effort(json!({})));
    assert!(best_effort(json!({"requests": {"cpu": "0", "ephemeral-storage": "1Gi"}})));
    assert!(!best_effort(json!({"requests": {"cpu": "1m"}})));
    assert!(!best_effort(json!({"limits": {"memory": "1Mi"}})));
    let init = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i", "resources": {"requests": {"cpu": 1}}}]});
    assert!(!need(&init).is_best_effort());
    assert!(
        !need(&json!({"resources": {"requests": {"cpu": 1}}, "containers": [{"name": "c"}]}))
            .is_best_effort()
    );
}

#[test]
fn claims_are_read_from_templates_and_ephemeral_volumes() {
    let claim = |name: &str, more: Value| {
        let mut claim =
            json!({"metadata": {"name": name}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}});
        json_patch::merge(&mut claim, &more);
        claim
    };
    let need = PodNeed::of(&json!({"kind": "StatefulSet", "spec": {
        "template": {"spec": {"volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "cache", "ephemeral": {"volumeClaimTemplate": claim("x", json!({"metadata": null}))}},
        ]}},
        "volumeClaimTemplates": [
            claim("data", json!({})),
            claim("none", json!({"spec": {"storageClassName": ""}})),
            claim("fast", json!({"spec": {"storageClassName": "fast", "volumeAttributesClassName": "gold"}})),
            claim("old", json!({
                "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "slow"}},
                "spec": {"storageClassName": "fast"},
            })),
        ],
    }}));
    let found: Vec<_> = need
        .claims
        .iter()
        .map(|claim| {
            (claim.name.as_str(), claim.class.as_deref(), claim.attributes_class.as_deref(), claim.ephemeral)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("data", None, None, false),
            ("none", Some(""), None, false),
            ("fast", Some("fast"), Some("gold"), false),
            ("old", Some("slow"), None, false),
            ("cache", None, None, true),
        ]
    );
    assert!(need.claims.iter().all(|claim| claim.size == Amount::parse("2Gi").unwrap()));
}

#[test]
fn surge_is_what_a_rolling_deployment_may_have_beside_its_replicas() {
    let check = |kind: &str, replicas: Value, strategy: Value, expect: u32| {
        let workload = json!({"kind": kind, "spec": {"replicas": replicas, "strategy": strategy}});
        assert_eq!(PodNeed::of(&workload).surge, expect, "{workload}");
    };
    let surge = |surge: Value| json!({"rollingUpdate": {"maxSurge": surge}});
    check("Deployment", Value::Null, Value::Null, 1);
    check("Deployment", 5.into(), Value::Null, 2);
    check("Deployment", 0.into(), Value::Null, 0);
    check("Deployment", 4.into(), surge("50%".into()), 2);
    check("Deployment", 4.into(), surge(3.into()), 3);
    check("Deployment", 4.into(), surge(0.into()), 0);
    check("Deployment", 4.into(), json!({"type": "Recreate"}), 0);
    check("StatefulSet", 4.into(), Value::Null, 0);
    check("Deployment", u64::MAX.into(), surge("100%".into()), u32::MAX);
}

#[test]
fn affinity_to_pods_of_other_namespaces_is_seen() {
    let check = |term: Value, expect: bool| {
        let required = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        let preferred = json!({"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": term},
        ]}});
        for affinity in [required, preferred] {
            assert_eq!(need(&json!({"affinity": affinity})).looks_abroad, expect, "{affinity}");
        }
    };
    check(json!({"topologyKey": "zone"}), false);
    check(json!({"namespaces": []}), false);
    check(json!({"namespaces": ["other"]}), true);
    check(json!({"namespaceSelector": {}}), true);
}

#[test]
fn a_need_is_kept_as_json_and_read_back() {
    let need = PodNeed {
        pod_limits: amounts("cpu=1"),
        looks_abroad: true,
        ..quota_common::stateful("a.b", 1, "100m", "1.5Gi", "2Gi").need
    };
    let text = serde_json::to_string(&need).unwrap();
    assert_eq!(serde_json::from_str::<PodNeed>(&text).unwrap(), need);
    // What was kept before a field existed is still read.
    assert_eq!(serde_json::from_str::<PodNeed>("{}").unwrap(), PodNeed::default());
}

#[test]
fn what_no_workload_is_needs_nothing() {
    for object in [json!({}), json!(null), json!({"spec": []}), json!({"spec": {"template": {"spec": 1}}})] {
        assert_eq!(PodNeed::of(&object).requests(), Resources::new());
    }
}
