//! A managed Alloy, rendered by a real Helm from our chart and from upstream's.

#![cfg(test)]

mod common;

use common::helm::{Charts, helm, plan_of, upstream};
use obstack_api::labels;
use obstack_core::{
    assemble::Plan,
    collectors::{CONFIG, HTTP_PORT},
    design::Blueprint,
    objects::Kind,
};
use serde_json::Value;

const OTLP: &str = "otlp: {grpcPort: 5317, httpPort: 5318}";

fn each(part: &str, check: impl Fn(&str, &Plan, &Blueprint)) {
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        for platform in ["Kubernetes", "OpenShift"] {
            let overlay = format!(
                "spec: {{platform: {platform}, collectors: {{alloy: {{mode: Managed, {part}, {OTLP}}}}}}}"
            );
            let (plan, blueprint) = plan_of(&helm, &charts, common::small_with(&overlay));
            check(&format!("{platform} {charts:?}"), &plan, &blueprint);
        }
    }
}

fn body(plan: &Plan, kind: Kind) -> &Value {
    let found =
        plan.objects.iter().find(|object| object.id.kind == kind && object.id.name == "dts-dev-alloy");
    &found.unwrap_or_else(|| panic!("no {}", kind.as_str())).body
}

/// Kinds of Alloy's objects.
fn kinds(plan: &Plan) -> Vec<&'static str> {
    let ours = plan.objects.iter().filter(|object| object.id.name == "dts-dev-alloy");
    ours.map(|object| object.id.kind.as_str()).collect()
}

/// Runs on the configuration that the operator writes, takes telemetry where the status says, and may do nothing else.
fn runs_as_designed(what: &str, plan: &Plan, blueprint: &Blueprint, kind: Kind) {
    let pod = &body(plan, kind)["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1, "{what}: nothing reloads");
    let args: Vec<_> = container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(args[..2], ["run", &format!("/etc/alloy/{CONFIG}")], "{what}");
    assert!(
        args.contains(&"--storage.path=/var/lib/alloy") && args.contains(&"--disable-reporting"),
        "{what}: {args:?}"
    );
    assert_eq!(container["image"], "docker.io/grafana/alloy:v1.18.1", "{what}");
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let config = volumes.iter().find(|volume| volume["name"] == "config").unwrap();
    assert_eq!(config["configMap"]["name"], "dts-dev-alloy", "{what}");
    assert!(body(plan, Kind::ConfigMap)["data"][CONFIG].is_string(), "{what}");
    let hash = pod["metadata"]["annotations"][labels::CONFIG_HASH].as_str().unwrap();
    assert_eq!(hash.len(), 16, "{what}");
    let mounts: Vec<_> =
        container["volumeMounts"].as_array().unwrap().iter().map(|m| &m["mountPath"]).collect();
    assert_eq!(mounts, ["/etc/alloy", "/var/lib/alloy", "/tmp"], "{what}: the rest is read-only");
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
    let user = if what.starts_with("OpenShift") { Value::Null } else { 473.into() };
    assert_eq!(context["runAsUser"], user, "{what}");
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false, "{what}");
    assert_eq!(container["resources"], common::yaml("{requests: {cpu: 100m, memory: 512Mi}}"), "{what}");

    let ports = body(plan, Kind::Service)["spec"]["ports"].as_array().unwrap();
    let open: Vec<_> = ports.iter().filter_map(|port| port["port"].as_u64()).collect();
    assert_eq!(open, [u64::from(HTTP_PORT), 5317, 5318], "{what}");
    let endpoints = &blueprint.report.endpoints;
    assert_eq!(endpoints.collector_otlp_grpc.as_deref(), Some("dts-dev-alloy.ca7f8f-dev.svc:5317"));
    assert_eq!(endpoints.collector_otlp_http.as_deref(), Some("http://dts-dev-alloy.ca7f8f-dev.svc:5318"));
}

#[test]
fn a_deployment_of_two() {
    each("components: {alloy: {replicas: 2}}", |what, plan, blueprint| {
        assert_eq!(
            kinds(plan),
            ["ServiceAccount", "ConfigMap", "Service", "Deployment", "PodDisruptionBudget"]
        );
        runs_as_designed(what, plan, blueprint, Kind::Deployment);
        let deployment = &body(plan, Kind::Deployment)["spec"];
        assert_eq!(deployment["replicas"], 2, "{what}");
        let spread = &deployment["template"]["spec"]["topologySpreadConstraints"][0];
        assert_eq!(spread["topologyKey"], "kubernetes.io/hostname", "{what}");
        let selector = &deployment["selector"]["matchLabels"];
        for (key, value) in spread["labelSelector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&selector[key], value, "{what}: {key}");
        }
        assert_eq!(body(plan, Kind::Service)["spec"]["internalTrafficPolicy"], "Cluster", "{what}");
    });
}

#[test]
fn a_daemon_set() {
    each(
        "kind: DaemonSet, components: {alloy: {tolerations: [{operator: Exists}]}}",
        |what, plan, blueprint| {
            assert_eq!(kinds(plan), ["ServiceAccount", "ConfigMap", "Service", "DaemonSet"]);
            runs_as_designed(what, plan, blueprint, Kind::DaemonSet);
            let daemon = &body(plan, Kind::DaemonSet)["spec"];
            assert_eq!(daemon.get("replicas"), None, "{what}");
            assert_eq!(daemon["template"]["spec"]["tolerations"][0]["operator"], "Exists", "{what}");
            assert_eq!(body(plan, Kind::Service)["spec"]["internalTrafficPolicy"], "Local", "{what}");
        },
    );
}
