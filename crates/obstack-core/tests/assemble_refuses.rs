//! What no render may bring into a stack. Every refusal names the object and what to do.

#![cfg(test)]

mod common;

use common::hand::{Hand, workload};
use obstack_api::Reason;
use serde_json::{Value, json};

/// A render with one object more is refused, with these words.
fn check_object(object: Value, words: &[&str]) {
    let mut hand = Hand::tempo("");
    hand.objects().push(object);
    check(&hand, Reason::RenderFailed, words);
}

fn check(hand: &Hand, reason: Reason, words: &[&str]) {
    let error = hand.try_plan().expect_err("it is assembled");
    assert_eq!(error.reason(), reason, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
}

fn object(api_version: &str, kind: &str, metadata: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
}

#[test]
fn hooks() {
    let annotations = json!({"helm.sh/hook": "post-install"});
    let hook = object("v1", "ConfigMap", &json!({"name": "seed", "annotations": annotations}));
    check_object(hook, &["dts-dev-tempo", "hook ConfigMap seed", "never runs"]);
}

#[test]
fn kinds_that_the_operator_never_applies() {
    for (api_version, kind) in [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ("v1", "Namespace"),
        ("v1", "PersistentVolumeClaim"),
        ("v1", "Pod"),
        ("batch/v1", "Job"),
        ("v1", "List"),
        // A kind that we apply, in a version that we do not.
        ("extensions/v1beta1", "Deployment"),
    ] {
        check_object(
            object(api_version, kind, &json!({"name": "x"})),
            &[kind, "never applies", "switch it off"],
        );
    }
    check_object(json!({"metadata": {"name": "x"}}), &["object without kind"]);
}

#[test]
fn other_namespaces() {
    let elsewhere = object("v1", "ConfigMap", &json!({"name": "x", "namespace": "kube-system"}));
    check_object(elsewhere, &["ConfigMap x", "kube-system", "only ca7f8f-dev"]);
}

#[test]
fn objects_without_a_name_and_objects_that_stand_twice() {
    check_object(object("v1", "ConfigMap", &json!({})), &["ConfigMap without a name"]);
    let twice = object("v1", "ConfigMap", &json!({"name": "dts-dev-tempo-config"}));
    check_object(twice, &["ConfigMap/ca7f8f-dev/dts-dev-tempo-config", "twice"]);
}

#[test]
fn objects_that_no_api_server_takes() {
    let mut large = object("v1", "ConfigMap", &json!({"name": "large"}));
    large["data"] = json!({"a": "x".repeat(1 << 20)});
    check_object(large, &["ConfigMap large", "1048576"]);
}

#[test]
fn a_render_of_nothing_and_a_release_without_a_render() {
    let mut hand = Hand::tempo("");
    hand.objects().clear();
    check(&hand, Reason::RenderFailed, &["dts-dev-tempo", "renders nothing"]);
    hand.rendered.clear();
    check(&hand, Reason::RenderFailed, &["dts-dev-tempo", "not rendered"]);
}

#[test]
fn a_missing_workload_is_an_error_and_never_a_smaller_stack() {
    let mut hand = Hand::tempo("");
    hand.objects().remove(1);
    check(
        &hand,
        Reason::RenderFailed,
        &["tempo-distributed 2.26.2", "dts-dev-tempo-ingester", "traces.ingester"],
    );
}

#[test]
fn other_replicas_than_the_spec_says() {
    let mut hand = Hand::tempo("spec: {traces: {components: {ingester: {replicas: 3}}}}");
    *hand.at(1, "/spec/replicas") = json!(5);
    check(&hand, Reason::RenderFailed, &["dts-dev-tempo-ingester", "5 replicas", "says 3"]);
    // Without the field the API server makes it 1, or leaves it to an autoscaler.
    hand.at(1, "/spec").as_object_mut().unwrap().remove("replicas");
    check(&hand, Reason::RenderFailed, &["1 replicas", "says 3"]);
}

#[test]
fn two_workloads_of_one_name() {
    let mut hand = Hand::tempo("");
    let mut second = hand.at(1, "").clone();
    second["kind"] = json!("Deployment");
    hand.objects().push(second);
    check(&hand, Reason::RenderFailed, &["two workloads named dts-dev-tempo-ingester"]);
}

#[test]
fn a_component_that_is_off_has_no_workload() {
    let mut hand = Hand::tempo("spec: {traces: {components: {compactor: {replicas: 0}}}}");
    let off = hand.design.releases[0].workloads.iter().find(|w| w.component == "traces.compactor").unwrap();
    let off = workload(off);
    hand.objects().push(off);
    let plan = hand.plan();
    assert!(plan.objects.iter().all(|object| object.id.name != "dts-dev-tempo-compactor"));
    assert!(plan.components.iter().all(|component| component.name != "traces.compactor"));
}

#[test]
fn patches_that_cannot_be_carried_out() {
    let patched = |target: &str, operations: &str| {
        Hand::tempo(&format!(
            "spec: {{traces: {{patches: [{{target: {target}, operations: {operations}}}]}}}}"
        ))
    };
    let add = "[{op: add, path: /metadata/annotations, value: {a: b}}]";
    let hand = patched("{kind: Service, name: other}", add);
    check(&hand, Reason::InvalidPatch, &["spec.traces.patches[0]", "matches nothing", "Service other"]);
    let hand = patched("{kind: Secret}", add);
    check(&hand, Reason::InvalidPatch, &["Secret of any name"]);
    let hand = patched("{kind: Service}", "[{op: remove, path: /spec/nothing}]");
    check(
        &hand,
        Reason::InvalidPatch,
        &["spec.traces.patches[0]", "Service/ca7f8f-dev/dts-dev-tempo", "path"],
    );
    let hand = patched("{kind: StatefulSet}", "[{op: replace, path: /spec/replicas, value: 9}]");
    check(
        &hand,
        Reason::RenderFailed,
        &["9 replicas", "spec.traces.components.ingester.replicas, not replicas in patches"],
    );
}

#[test]
fn a_patch_beyond_pod_security_restricted() {
    let patched = |path: &str, value: &str| {
        Hand::tempo(&format!(
            "spec: {{traces: {{patches: [{{target: {{kind: StatefulSet}}, operations: [{{op: add, path: {path}, value: {value}}}]}}]}}}}"
        ))
    };
    let at = "/spec/template/spec/securityContext";
    let hand = patched(at, "{runAsUser: 0, seccompProfile: {type: Unconfined}}");
    let words =
        ["spec.traces: StatefulSet dts-dev-tempo-ingester", "runs as root", "Unconfined", "restricted"];
    check(&hand, Reason::OverrideViolatesPolicy, &words);
    let hand = patched("/spec/template/spec/volumes", "[{name: node, hostPath: {path: /}}]");
    check(&hand, Reason::OverrideViolatesPolicy, &["volume node is a hostPath"]);
}

#[test]
fn i7_a_cpu_limit_that_a_patch_copies_is_found_after_the_fact() {
    let mut hand = Hand::tempo(
        "spec: {traces: {patches: [{target: {kind: StatefulSet}, operations: [{op: copy, from: /metadata/annotations, path: /spec/template/spec/containers/0/resources}]}]}}",
    );
    *hand.at(1, "/metadata") =
        json!({"name": "dts-dev-tempo-ingester", "annotations": {"limits": {"cpu": "1"}}});
    check(&hand, Reason::OverrideViolatesPolicy, &["spec.traces.patches[0]", "CPU limit", "cpuLimits"]);
}
