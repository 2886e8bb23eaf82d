//! What assembling makes of rendered objects: policy, security, scheduling, budgets, labels, owners, order.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use common::hand::{Hand, body};
use obstack_core::{assemble::Plan, objects::Kind};
use serde_json::{Value, json};

const INGESTER: &str = "StatefulSet/ca7f8f-dev/dts-dev-tempo-ingester";
const DISTRIBUTOR: &str = "Deployment/ca7f8f-dev/dts-dev-tempo-distributor";

fn pod<'a>(plan: &'a Plan, id: &str) -> &'a Value {
    body(plan, id).pointer("/spec/template/spec").unwrap()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"].into_iter().flat_map(|list| pod[list].as_array().unwrap())
}

#[test]
fn i7_cpu_limits_go_from_every_container() {
    let mut hand = Hand::tempo("");
    for at in ["containers/0", "containers/1", "initContainers/0"] {
        hand.at(1, &format!("/spec/template/spec/{at}"))["resources"] = json!({"limits": {"cpu": 1}});
    }
    hand.at(1, "/spec/template/spec")["resources"] = json!({"limits": {"cpu": 1, "memory": "9Gi"}});
    let plan = hand.plan();
    for container in containers(pod(&plan, INGESTER)) {
        assert_eq!(container.pointer("/resources/limits/cpu"), None, "{container}");
    }
    assert_eq!(pod(&plan, INGESTER).pointer("/resources/limits/cpu"), None, "of the pod as a whole");
}

#[test]
fn i13_a_map_without_entries_is_not_owned() {
    let mut hand = Hand::tempo("");
    hand.at(0, "/metadata")["annotations"] = json!({});
    hand.at(1, "/metadata")["annotations"] = json!({"a": "b"});
    let plan = hand.plan();
    let annotations = |id: &str| body(&plan, id).pointer("/metadata/annotations").cloned();
    assert_eq!(annotations(DISTRIBUTOR), None);
    assert_eq!(annotations(INGESTER), Some(json!({"a": "b"})));
}

#[test]
fn i7_memory_limits_stay_on_the_main_container_of_an_ingester_alone() {
    let mut hand = Hand::tempo("");
    for index in 0..2 {
        for at in ["containers/0", "containers/1", "initContainers/0"] {
            hand.at(index, &format!("/spec/template/spec/{at}"))["resources"] =
                json!({"limits": {"memory": "9Gi"}});
        }
    }
    let plan = hand.plan();
    let limits = |id: &str| -> Vec<Value> {
        containers(pod(&plan, id))
            .map(|c| c.pointer("/resources/limits").cloned().unwrap_or_default())
            .collect()
    };
    assert_eq!(
        limits(INGESTER),
        [json!({"memory": "4Gi"}), Value::Null, Value::Null],
        "the spec's, not the chart's"
    );
    assert_eq!(limits(DISTRIBUTOR), [Value::Null, Value::Null, Value::Null]);
}

#[test]
fn whoever_may_set_limits_keeps_the_charts_and_gets_the_specs() {
    let mut hand = Hand::tempo(
        "spec: {resourcePolicy: {cpuLimits: Allow, memoryLimits: Any}, traces: {components: {distributor: {resources: {limits: {cpu: 2}}}}}}",
    );
    hand.at(0, "/spec/template/spec/containers/1")["resources"] =
        json!({"limits": {"cpu": 1, "memory": "20Mi"}});
    let plan = hand.plan();
    let of = |index: usize| pod(&plan, DISTRIBUTOR)["containers"][index]["resources"].clone();
    assert_eq!(of(0), json!({"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2"}}));
    let limits = json!({"cpu": "1", "memory": "20Mi"});
    assert_eq!(
        of(1),
        json!({"requests": limits, "limits": limits}),
        "no request means the limit, as the API server has it"
    );
}

#[test]
fn requests_are_the_specs_on_the_main_container_and_small_where_there_are_none() {
    let mut hand = Hand::tempo(
        "spec: {traces: {components: {distributor: {resources: {requests: {cpu: 70m, memory: 1Gi}}}}}}",
    );
    hand.at(0, "/spec/template/spec/containers/0")["resources"] =
        json!({"requests": {"cpu": 9, "ephemeral-storage": 1024}});
    hand.at(0, "/spec/template/spec/containers/1")["resources"] = json!({"requests": {"cpu": 0.1}});
    let plan = hand.plan();
    let requests: Vec<_> =
        containers(pod(&plan, DISTRIBUTOR)).map(|c| c["resources"]["requests"].clone()).collect();
    let main = json!({"cpu": "70m", "memory": "1Gi", "ephemeral-storage": "1024"});
    let sidecar = json!({"cpu": "0.1", "memory": "32Mi"});
    assert_eq!(requests, [main, sidecar, json!({"cpu": "10m", "memory": "32Mi"})], "and numbers are text");
}

#[test]
fn fixed_ids_go_on_openshift_and_stay_elsewhere() {
    for (platform, kept) in [("OpenShift", false), ("Kubernetes", true)] {
        let mut hand = Hand::tempo(&format!("spec: {{platform: {platform}}}"));
        let ids = json!({"runAsUser": 1, "runAsGroup": 1, "fsGroup": 1, "supplementalGroups": [1]});
        hand.at(0, "/spec/template/spec")["securityContext"] = ids.clone();
        hand.at(0, "/spec/template/spec/containers/0")["securityContext"] =
            json!({"runAsUser": 1, "privileged": true});
        let plan = hand.plan();
        let pod = pod(&plan, DISTRIBUTOR);
        for key in ids.as_object().unwrap().keys() {
            assert_eq!(pod["securityContext"].get(key).is_some(), kept, "{platform} {key}");
        }
        assert_eq!(pod["containers"][0]["securityContext"].get("runAsUser").is_some(), kept, "{platform}");
    }
}

#[test]
fn every_pod_is_restricted_and_has_no_token() {
    let mut hand = Hand::tempo("");
    let pod_spec = hand.at(0, "/spec/template/spec");
    (pod_spec["hostNetwork"], pod_spec["hostPID"], pod_spec["hostIPC"]) =
        (json!(true), json!(true), json!(true));
    pod_spec["containers"][1]["securityContext"] =
        json!({"privileged": true, "allowPrivilegeEscalation": true});
    let plan = hand.plan();
    for id in [INGESTER, DISTRIBUTOR] {
        let pod = pod(&plan, id);
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(
            pod["securityContext"],
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
        );
        for container in containers(pod) {
            let wanted = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
            assert_eq!(container["securityContext"], wanted);
            assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
        }
        assert!(["hostNetwork", "hostPID", "hostIPC"].iter().all(|field| pod.get(field).is_none()));
    }
}

#[test]
fn every_container_leaves_its_last_words_in_the_pod_whatever_the_chart_says() {
    let mut hand = Hand::tempo("");
    for index in 0..2 {
        for at in ["containers/0", "containers/1", "initContainers/0"] {
            hand.at(index, &format!("/spec/template/spec/{at}"))["terminationMessagePolicy"] = json!("File");
        }
    }
    let plan = hand.plan();
    let workloads = plan.objects.iter().filter(|object| object.id.kind.is_workload());
    let policies: Vec<_> = workloads
        .flat_map(|object| containers(pod(&plan, &object.id.to_string())))
        .map(|container| &container["terminationMessagePolicy"])
        .collect();
    assert_eq!(policies.len(), 5 * 3, "init containers and sidecars too");
    assert!(policies.iter().all(|policy| *policy == "FallbackToLogsOnError"), "{policies:?}");
}

#[test]
fn stateful_sets_are_parallel_and_keep_their_claims_whatever_the_chart_says() {
    let mut hand = Hand::tempo("");
    hand.at(1, "/spec")["podManagementPolicy"] = json!("OrderedReady");
    hand.at(1, "/spec")["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete"});
    let plan = hand.plan();
    let spec = &body(&plan, INGESTER)["spec"];
    assert_eq!(spec["podManagementPolicy"], "Parallel");
    assert_eq!(
        spec["persistentVolumeClaimRetentionPolicy"],
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"})
    );
    assert!(body(&plan, DISTRIBUTOR)["spec"].get("podManagementPolicy").is_none());
}

#[test]
fn pods_run_where_the_spec_says_and_ingesters_get_time_to_flush() {
    let hand = Hand::tempo(
        "
spec:
  traces:
    components:
      ingester: {nodeSelector: {disk: fast}, tolerations: [{key: a, operator: Exists}], priorityClassName: high}
",
    );
    let plan = hand.plan();
    let ingester = pod(&plan, INGESTER);
    assert_eq!(ingester["nodeSelector"], json!({"disk": "fast"}));
    assert_eq!(ingester["tolerations"], json!([{"key": "a", "operator": "Exists"}]));
    assert_eq!(ingester["priorityClassName"], "high");
    assert_eq!(ingester["terminationGracePeriodSeconds"], 300);
    assert!(pod(&plan, DISTRIBUTOR).get("terminationGracePeriodSeconds").is_none());
    let mut longer = Hand::tempo("");
    longer.at(1, "/spec/template/spec")["terminationGracePeriodSeconds"] = json!(1200);
    assert_eq!(pod(&longer.plan(), INGESTER)["terminationGracePeriodSeconds"], 1200);
}

#[test]
fn only_pods_that_use_the_secret_roll_with_it_and_trust_its_authority() {
    let hand = Hand::tempo(
        "spec: {objectStorage: {endpoint: 'https://s3', caSecretRef: {name: store-ca, key: root.pem}}}",
    );
    let plan = hand.plan();
    let annotation = |id: &str| {
        body(&plan, id).pointer("/spec/template/metadata/annotations/obstack.dev~1credentials-hash").cloned()
    };
    assert_eq!(annotation(INGESTER), Some(hand.design.credentials.1.clone().into()));
    assert_eq!(annotation(DISTRIBUTOR), None);
    let ingester = pod(&plan, INGESTER);
    let items = json!([{"key": "root.pem", "path": "ca.crt"}]);
    let volume = json!([{"name": "object-storage-ca", "secret": {"secretName": "store-ca", "items": items}}]);
    assert_eq!(ingester["volumes"], volume);
    // The configuration names the file.
    let file =
        hand.design.releases[0].values.pointer("/storage/trace/s3/tls_ca_path").unwrap().as_str().unwrap();
    for container in containers(ingester) {
        let folder = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
        assert_eq!(file, format!("{folder}/ca.crt"));
    }
    assert!(pod(&plan, DISTRIBUTOR).get("volumes").is_none());
}

#[test]
fn our_budgets_replace_the_charts_and_cover_each_pod_once() {
    let mut hand =
        Hand::tempo("spec: {traces: {components: {distributor: {replicas: 2}, ingester: {replicas: 3}}}}");
    hand.objects().push(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "of-the-chart"},
        "spec": {"maxUnavailable": 0, "selector": {}},
    }));
    let plan = hand.plan();
    let budgets: Vec<_> =
        plan.objects.iter().filter(|object| object.id.kind == Kind::PodDisruptionBudget).collect();
    assert_eq!(
        budgets.iter().map(|b| b.id.name.as_str()).collect::<Vec<_>>(),
        ["dts-dev-tempo-distributor", "dts-dev-tempo-ingester"]
    );
    for budget in budgets {
        let spec = &budget.body["spec"];
        assert_eq!(
            (&spec["maxUnavailable"], &spec["unhealthyPodEvictionPolicy"]),
            (&json!(1), &json!("AlwaysAllow"))
        );
        let covered = plan
            .objects
            .iter()
            .filter(|object| object.body.pointer("/spec/selector") == Some(&spec["selector"]));
        assert_eq!(covered.count(), 2, "the workload and the budget itself");
    }
    hand.design.budgets = false;
    assert!(hand.plan().objects.iter().all(|object| object.id.kind != Kind::PodDisruptionBudget));
}

#[test]
fn nulls_and_what_the_api_server_writes_are_left_out() {
    let mut hand = Hand::tempo("");
    *hand.at(5, "/metadata") =
        json!({"name": "dts-dev-tempo", "annotations": null, "creationTimestamp": "2026-01-01"});
    hand.at(5, "")["status"] = json!({"loadBalancer": {}});
    hand.at(5, "/spec")["ports"] = json!([{"name": "a", "nodePort": null}]);
    let plan = hand.plan();
    let service = body(&plan, "Service/ca7f8f-dev/dts-dev-tempo");
    assert!(!service.to_string().contains("null"), "{service}");
    assert!(service.get("status").is_none() && service["metadata"].get("creationTimestamp").is_none());
}

#[test]
fn every_object_is_labelled_and_owned_within_its_namespace_only() {
    let hand =
        Hand::tempo("spec: {grafana: {datasources: {provider: SidecarConfigMap, namespace: grafana}}}");
    let plan = hand.plan();
    let mut elsewhere = 0;
    for object in &plan.objects {
        let metadata = &object.body["metadata"];
        assert_eq!(metadata["labels"]["obstack.dev/stack"], "ca7f8f-dev.dts-dev", "{}", object.id);
        assert_eq!(
            metadata["labels"]["applyset.kubernetes.io/part-of"],
            hand.design.key.applyset_id(),
            "{}",
            object.id
        );
        if object.id.namespace == "ca7f8f-dev" {
            assert_eq!(metadata["ownerReferences"][0]["uid"], "0b5e", "{}", object.id);
        } else {
            elsewhere += 1;
            assert!(metadata.get("ownerReferences").is_none(), "{}", object.id);
        }
    }
    assert_eq!(elsewhere, 1);
    let kept = Hand::tempo("spec: {deletionPolicy: Retain}").plan();
    assert!(kept.objects.iter().all(|object| object.body["metadata"].get("ownerReferences").is_none()));
}

#[test]
fn patches_are_applied_before_the_policy_and_in_order() {
    let hand = Hand::tempo(
        "
spec:
  traces:
    patches:
      - target: {kind: Deployment, name: dts-dev-tempo-distributor}
        operations: [{op: add, path: /spec/template/spec/hostNetwork, value: true}, {op: add, path: /spec/paused, value: true}]
      - target: {kind: Deployment}
        operations: [{op: add, path: /spec/paused, value: false}]
",
    );
    let plan = hand.plan();
    let spec = &body(&plan, DISTRIBUTOR)["spec"];
    assert_eq!(spec["paused"], false);
    assert!(spec["template"]["spec"].get("hostNetwork").is_none());
}

#[test]
fn objects_come_in_waves_and_a_workload_after_all_it_mounts() {
    let mut hand = Hand::tempo("spec: {traces: {components: {ingester: {replicas: 2}}}}");
    hand.objects().reverse();
    let plan = hand.plan();
    let waves: Vec<_> = plan.objects.iter().map(|object| object.id.kind.wave()).collect();
    assert!(waves.is_sorted(), "{waves:?}");
    let ids: BTreeSet<_> = plan.objects.iter().map(|object| &object.id).collect();
    assert_eq!(ids.len(), plan.objects.len());
    assert!(
        Kind::ConfigMap.wave() < Kind::StatefulSet.wave() && Kind::Service.wave() < Kind::StatefulSet.wave()
    );
}

#[test]
fn sums_count_what_runs_together() {
    let mut hand = Hand::tempo("spec: {traces: {components: {distributor: {replicas: 2}}}}");
    let before = hand.plan().sums;
    assert_eq!(before.pods, 6);
    // Main and sidecar run together; an init container runs before them and counts only where it is larger.
    hand.at(0, "/spec/template/spec/initContainers/0")["resources"] =
        json!({"requests": {"cpu": "1", "memory": "1Mi"}});
    let plan = hand.plan();
    let cpu = |text: &str| obstack_core::quantity::Amount::parse(text).unwrap();
    assert_eq!(plan.sums.cpu + cpu("120m"), before.cpu + cpu("2"), "2 x 1000m instead of 2 x (50m + 10m)");
    assert_eq!(plan.sums.memory, before.memory);
}
