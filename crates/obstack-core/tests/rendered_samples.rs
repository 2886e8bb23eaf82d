//! The samples, rendered by a real Helm from our charts and from upstream's, and assembled.

#![cfg(test)]

mod common;

use std::collections::BTreeMap;

use common::helm::{Charts, helm, plan_of, upstream};
use obstack_core::assemble::Plan;
use serde_json::Value;

/// What a sample comes to: with the charts it names, and with Mimir 2, which needs no query-scheduler.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("dev", "9 pods, 410m / 2112Mi / 4Gi", "8 pods, 400m / 2048Mi / 4Gi"),
    ("test", "9 pods, 910m / 4160Mi / 8Gi", "8 pods, 900m / 4096Mi / 8Gi"),
    ("prod", "26 pods, 2720m / 12928Mi / 16Gi", "24 pods, 2700m / 12800Mi / 16Gi"),
];

/// Mimir 2 and no query-scheduler: the tables as the issue has them.
const MIMIR_2: &str =
    "spec: {metrics: {chart: {version: 5.8.0}, components: {queryScheduler: {replicas: 0}}}}";

/// The plan of a sample on OpenShift 1.36.
fn plan(environment: &str, overlay: &str, charts: &Charts, helm: &std::path::Path) -> Plan {
    plan_of(helm, charts, common::with(&common::sample(environment), overlay)).0
}

/// Every sample, both Mimirs, from each source of charts there is.
fn each(check: impl Fn(&str, &Plan)) {
    let Some(helm) = helm() else { return };
    let sources = [Some(Charts::Bundled), upstream()];
    for charts in sources.into_iter().flatten() {
        for (environment, _, _) in SAMPLES {
            for (mimir, overlay) in [("Mimir 3", ""), ("Mimir 2", MIMIR_2)] {
                check(
                    &format!("{environment} with {mimir} from {charts:?}"),
                    &plan(environment, overlay, &charts, &helm),
                );
            }
        }
    }
}

fn pod(object: &Value) -> Option<&Value> {
    object.pointer("/spec/template/spec")
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    let lists =
        ["containers", "initContainers"].map(|key| pod(object).and_then(|pod| pod.get(key)?.as_array()));
    lists.into_iter().flatten().flatten()
}

#[test]
fn the_samples_come_to_the_sums_of_the_issue() {
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        for (environment, mimir_3, mimir_2) in SAMPLES {
            assert_eq!(
                plan(environment, "", &charts, &helm).sums.to_string(),
                *mimir_3,
                "{environment} {charts:?}"
            );
            assert_eq!(
                plan(environment, MIMIR_2, &charts, &helm).sums.to_string(),
                *mimir_2,
                "{environment} {charts:?}"
            );
        }
    }
}

#[test]
fn i7_no_container_has_a_cpu_limit_and_every_one_has_requests() {
    each(|what, plan| {
        for object in &plan.objects {
            for container in containers(&object.body) {
                assert_eq!(container.pointer("/resources/limits/cpu"), None, "{what}: {}", object.id);
                for resource in ["cpu", "memory"] {
                    let request = container.pointer(&format!("/resources/requests/{resource}"));
                    assert!(request.is_some_and(Value::is_string), "{what}: {} {resource}", object.id);
                }
            }
        }
    });
}

#[test]
fn i7_memory_limits_stand_exactly_on_ingesters_and_store_gateways() {
    each(|what, plan| {
        let limited: Vec<_> = plan
            .objects
            .iter()
            .filter(|object| {
                containers(&object.body)
                    .any(|container| container.pointer("/resources/limits/memory").is_some())
            })
            .map(|object| object.id.name.as_str())
            .collect();
        let environment = what.split(' ').next().unwrap();
        let tempo = if environment == "prod" { "tempo-ingester" } else { "tempo" };
        let wanted =
            ["mimir-ingester", "mimir-store-gateway", tempo].map(|name| format!("dts-{environment}-{name}"));
        assert_eq!(limited, wanted, "{what}");
    });
}

#[test]
fn i9_pods_get_the_keys_by_reference_and_nothing_else_holds_them() {
    each(|what, plan| {
        for object in &plan.objects {
            let text = object.body.to_string();
            assert!(
                !text.contains("secret_access_key") && !text.contains("access_key:"),
                "{what}: {}",
                object.id
            );
            for container in containers(&object.body) {
                let env = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
                for variable in
                    env.iter().filter(|variable| variable["name"].as_str().unwrap().starts_with("AWS_"))
                {
                    assert!(variable.get("value").is_none(), "{what}: {}", object.id);
                    let key = variable.pointer("/valueFrom/secretKeyRef/key");
                    assert_eq!(key, Some(&variable["name"]), "{what}: {}", object.id);
                }
            }
        }
    });
}

#[test]
fn the_pods_meet_restricted_v2() {
    each(|what, plan| {
        for object in &plan.objects {
            let Some(pod) = pod(&object.body) else { continue };
            let text = pod.to_string();
            for id in ["runAsUser", "runAsGroup", "fsGroup", "hostPath", "hostNetwork", "privileged"] {
                assert!(!text.contains(id), "{what}: {} has {id}", object.id);
            }
            assert_eq!(
                pod.pointer("/securityContext/runAsNonRoot"),
                Some(&Value::Bool(true)),
                "{what}: {}",
                object.id
            );
            assert_eq!(pod["automountServiceAccountToken"], false, "{what}: {}", object.id);
            for container in containers(&object.body) {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{what}: {}", object.id);
                assert_eq!(context["readOnlyRootFilesystem"], true, "{what}: {}", object.id);
                assert_eq!(
                    context.pointer("/capabilities/drop/0"),
                    Some(&"ALL".into()),
                    "{what}: {}",
                    object.id
                );
            }
        }
    });
}

#[test]
fn every_component_with_two_pods_and_no_other_has_one_budget() {
    each(|what, plan| {
        let budgets: Vec<_> =
            plan.objects.iter().filter(|object| object.id.kind.as_str() == "PodDisruptionBudget").collect();
        let protected: Vec<_> = plan.components.iter().filter(|component| component.desired > 1).collect();
        assert_eq!(budgets.len(), protected.len(), "{what}");
        for component in protected {
            assert!(component.protected, "{what}");
            let pods = plan.objects.iter().find(|object| object.id == component.workload).unwrap();
            let labels = pods.body.pointer("/spec/template/metadata/labels").unwrap();
            let covers = |budget: &&&obstack_core::assemble::PlannedObject| {
                let wanted = budget.body.pointer("/spec/selector/matchLabels").unwrap().as_object().unwrap();
                wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            };
            assert_eq!(budgets.iter().filter(covers).count(), 1, "{what}: {}", component.name);
        }
    });
}

#[test]
fn i1_the_same_sample_gives_the_same_bytes() {
    let Some(helm) = helm() else { return };
    for (environment, _, _) in SAMPLES {
        let twice =
            [(); 2].map(|()| serde_json::to_string(&plan(environment, "", &Charts::Bundled, &helm)).unwrap());
        assert_eq!(twice[0], twice[1]);
    }
}

#[test]
fn our_charts_and_upstreams_give_objects_of_the_same_names() {
    let Some(helm) = helm() else { return };
    let Some(theirs) = upstream() else { return };
    for (environment, _, _) in SAMPLES {
        for overlay in ["", MIMIR_2] {
            let ids = |charts: &Charts| -> BTreeMap<String, Value> {
                let plan = plan(environment, overlay, charts, &helm);
                let immutable = |body: &Value| {
                    let spec = &body["spec"];
                    let kind = body["kind"].as_str().unwrap();
                    let keys = [
                        "serviceName",
                        "podManagementPolicy",
                        "volumeClaimTemplates",
                        "selector",
                        "clusterIP",
                    ];
                    let kept = keys.iter().filter(|_| kind != "PodDisruptionBudget").map(|key| {
                        match spec[*key].as_array() {
                            Some(claims) => {
                                claims.iter().map(|claim| claim["metadata"]["name"].clone()).collect()
                            }
                            None => spec[*key].clone(),
                        }
                    });
                    Value::Array(kept.collect())
                };
                plan.objects.iter().map(|object| (object.id.to_string(), immutable(&object.body))).collect()
            };
            let (ours, theirs) = (ids(&Charts::Bundled), ids(&theirs));
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{environment}");
            assert_eq!(ours, theirs, "{environment}: what is immutable");
        }
    }
}
