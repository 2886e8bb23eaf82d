//! Stacks that use what the samples do not, rendered by a real Helm.

#![cfg(test)]

mod common;

use common::helm::{Charts, helm, plan_of, render, upstream};
use obstack_core::{
    assemble::{Plan, PlannedObject},
    design::{Blueprint, design},
    objects::Kind,
};
use serde_json::Value;

/// Everything on that the bundled charts have, with a certificate authority, and keys of other names.
const FULL: &str = "
spec:
  objectStorage:
    endpoint: https://s3.example.org
    forcePathStyle: false
    caSecretRef: {name: store-ca}
    credentials: {secretRef: {name: keys, accessKeyField: id, secretKeyField: secret}}
  traces:
    mode: Distributed
    metricsGenerator: {}
    components: {ingester: {replicas: 3}, compactor: {replicas: 2}}
  metrics:
    retention: 2160h
    components:
      ingester: {replicas: 3, storage: {size: 3Gi, className: fast}}
      storeGateway: {replicas: 2, storage: {size: 1Gi}}
      ruler: {replicas: 2}
      overridesExporter: {replicas: 1}
      alertmanager: {replicas: 0}
";

/// Tempo without a volume claim.
const VOLATILE: &str = "spec: {traces: {components: {singleBinary: {storage: {type: EmptyDir}}}}}";

fn each(overlay: &str, check: impl Fn(&Charts, &Plan, &Blueprint)) {
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        let (plan, blueprint) = plan_of(&helm, &charts, common::small_with(overlay));
        check(&charts, &plan, &blueprint);
    }
}

/// Every endpoint of the status is a port of a Service that selects pods.
fn endpoints_answer(plan: &Plan, blueprint: &Blueprint) {
    let status = serde_json::to_value(&blueprint.report.endpoints).unwrap();
    let urls: Vec<_> = status.as_object().unwrap().values().filter_map(Value::as_str).collect();
    assert_eq!(urls.len(), 6, "{status}");
    for url in urls {
        let authority = url.trim_start_matches("http://").split('/').next().unwrap();
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        let port: u64 = port.parse().unwrap();
        let name = host.strip_suffix(".ca7f8f-dev.svc").unwrap_or_else(|| panic!("{url}"));
        let service = named(plan, Kind::Service, name);
        let ports = service.body.pointer("/spec/ports").and_then(Value::as_array).unwrap();
        assert!(ports.iter().any(|open| open["port"] == port), "{url}: {ports:?}");
    }
}

fn named<'a>(plan: &'a Plan, kind: Kind, name: &str) -> &'a PlannedObject {
    let found = plan.objects.iter().find(|object| object.id.kind == kind && object.id.name == name);
    found.unwrap_or_else(|| panic!("no {} {name}", kind.as_str()))
}

#[test]
fn endpoints_are_ports_of_services() {
    each("", |_, plan, blueprint| endpoints_answer(plan, blueprint));
    each(FULL, |_, plan, blueprint| endpoints_answer(plan, blueprint));
}

/// Objects and selectors of a stack whose releases have names of their own.
fn called_as_helm_calls_them(overlay: &str, mode: &str, names: [(&str, &str, &str, &str); 2]) {
    let overlay = overlay.replace("MODE", mode);
    each(&overlay, |charts, plan, blueprint| {
        endpoints_answer(plan, blueprint);
        for (workload, release, label, config) in names {
            let found = named(plan, Kind::StatefulSet, workload);
            let selector = found.body.pointer("/spec/selector/matchLabels").unwrap();
            assert_eq!(selector["app.kubernetes.io/instance"], release, "{charts:?} {workload}");
            assert_eq!(selector["app.kubernetes.io/name"], label, "{charts:?} {workload}");
            named(plan, Kind::ConfigMap, config);
        }
    });
}

#[test]
fn a_given_release_name_gives_the_objects_and_selectors_of_helm_install() {
    let overlay = "spec: {traces: {mode: MODE, releaseName: prod}, metrics: {releaseName: mimir}}";
    let mimir = ("mimir-ingester", "mimir", "mimir", "mimir-config");
    // The chart `tempo` names its ConfigMap after itself.
    let single = ("prod-tempo", "prod", "tempo", "tempo");
    called_as_helm_calls_them(overlay, "Monolithic", [single, mimir]);
    let ingester = ("prod-tempo-ingester", "prod", "tempo", "prod-tempo-config");
    called_as_helm_calls_them(overlay, "Distributed", [ingester, mimir]);
}

#[test]
fn every_role_that_is_on_runs_and_none_that_is_off() {
    let check = |charts: &Charts, plan: &Plan, blueprint: &Blueprint| {
        let wanted = blueprint.design.releases.iter().flat_map(|release| &release.workloads);
        let mut wanted: Vec<_> = wanted
            .filter(|workload| workload.replicas > 0)
            .map(|workload| (&workload.component, workload.replicas))
            .collect();
        let mut found: Vec<_> =
            plan.components.iter().map(|component| (&component.name, component.desired)).collect();
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{charts:?}");
    };
    each(FULL, check);
    each(&FULL.replace("retention:", "chart: {version: 5.8.0}\n    retention:"), check);
}

#[test]
fn the_store_is_reached_over_tls_with_the_authority_and_the_keys_of_the_secret() {
    each(FULL, |charts, plan, _| {
        for (name, file, wanted) in [
            (
                "dts-dev-tempo-config",
                "tempo.yaml",
                [
                    "endpoint: s3.example.org",
                    "insecure: false",
                    "forcepathstyle: false",
                    "tls_ca_path: /etc/obstack/object-storage-ca/ca.crt",
                ],
            ),
            (
                "dts-dev-mimir-config",
                "mimir.yaml",
                [
                    "endpoint: s3.example.org",
                    "insecure: false",
                    "bucket_lookup_type: auto",
                    "tls_ca_path: /etc/obstack/object-storage-ca/ca.crt",
                ],
            ),
        ] {
            let config =
                named(plan, Kind::ConfigMap, name).body.pointer("/data").unwrap()[file].as_str().unwrap();
            for line in wanted {
                assert!(config.contains(line), "{charts:?}: `{line}` is not in {file}:\n{config}");
            }
        }
        let users: Vec<_> = plan
            .objects
            .iter()
            .filter(|object| {
                object.id.kind.is_workload() && object.body.to_string().contains(r#""name":"keys""#)
            })
            .inspect(|object| {
                let text = object.body.to_string();
                assert!(
                    text.contains(r#"{"key":"id","name":"keys"}"#)
                        && text.contains(r#"{"key":"secret","name":"keys"}"#)
                );
                assert!(
                    text.contains("obstack.dev/credentials-hash") && text.contains("object-storage-ca"),
                    "{}",
                    object.id
                );
            })
            .map(|object| object.id.name.strip_prefix("dts-dev-").unwrap())
            .collect();
        let wanted = [
            "mimir-compactor",
            "mimir-ingester",
            "mimir-store-gateway",
            "tempo-ingester",
            "mimir-querier",
            "mimir-ruler",
            "tempo-compactor",
            "tempo-metrics-generator",
            "tempo-querier",
            "tempo-query-frontend",
        ];
        assert_eq!(users, wanted, "{charts:?}");
    });
}

#[test]
fn claims_have_the_size_and_class_of_the_spec() {
    each(FULL, |charts, plan, _| {
        let claim = |name: &str| {
            named(plan, Kind::StatefulSet, name).body["spec"]["volumeClaimTemplates"][0]["spec"].clone()
        };
        let ingester = claim("dts-dev-mimir-ingester");
        assert_eq!(ingester["storageClassName"], "fast", "{charts:?}");
        assert_eq!(ingester.pointer("/resources/requests/storage"), Some(&"3Gi".into()), "{charts:?}");
        let gateway = claim("dts-dev-mimir-store-gateway");
        assert!(gateway.get("storageClassName").is_none(), "{charts:?}: the cluster's default");
    });
}

#[test]
fn tempo_without_a_claim_writes_to_an_empty_dir() {
    each(VOLATILE, |charts, plan, _| {
        let pod = &named(plan, Kind::StatefulSet, "dts-dev-tempo").body["spec"]["template"]["spec"];
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let data: Vec<_> = mounts.iter().filter(|mount| mount["mountPath"] == "/var/tempo").collect();
        let [mount] = data[..] else { panic!("{charts:?}: {mounts:?}") };
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        assert!(volume.get("emptyDir").is_some(), "{charts:?}: {volume}");
    });
}

#[test]
fn the_gateway_comes_from_upstreams_chart_and_ours_says_so() {
    let Some(helm) = helm() else { return };
    for version in ["6.1.0", "5.8.0"] {
        let overlay = format!(
            "spec: {{platform: OpenShift, metrics: {{chart: {{version: {version}}}, components: {{gateway: {{replicas: 2}}}}}}}}"
        );
        let stack = common::small_with(&overlay);
        let ours = design(&common::valid(&stack)).design;
        let refusal = render(&helm, &Charts::Bundled, &ours, &ours.releases[1]).unwrap_err();
        assert!(
            refusal.contains("does not support: gateway") && refusal.contains("Use the upstream chart"),
            "{refusal}"
        );
        let Some(theirs) = upstream() else { continue };
        let (plan, blueprint) = plan_of(&helm, &theirs, stack);
        endpoints_answer(&plan, &blueprint);
        let nginx = plan.objects.iter().find(|object| object.id.name.ends_with("gateway-nginx")).unwrap();
        assert!(nginx.body.to_string().contains("dns-default.openshift-dns"), "{version}");
    }
}
