//! What the operator's chart renders, mode by mode, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::rights::{RULES, Rule, Scope};
use obstack_core::need::PodNeed;
use obstack_e2e::{template, text};
use serde_json::Value;

/// Of every mode, with what is off unless asked for.
const EXTRAS: &[&str] = &[
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "prometheusRule.runbookUrl=https://git.example/runbook",
    "dashboards.enabled=true",
    "networkPolicy.enabled=true",
];
const CLUSTER: &[&str] = &["mode=Cluster"];
const NAMESPACES: &[&str] = &["mode=Namespaces", "watchNamespaces={a,b}"];
const ADMIN: &[&str] = &["mode=NamespaceAdmin", "crds.install=false"];

fn rendered(values: &[&[&str]]) -> Vec<Value> {
    template(&values.concat()).unwrap_or_else(|error| panic!("{values:?}: {error}"))
}

/// Kinds with how many there are.
fn kinds(objects: &[Value]) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for object in objects {
        *kinds.entry(text(object, "/kind")).or_default() += 1;
    }
    kinds
}

#[test]
fn each_mode_makes_its_kinds_and_no_more() {
    let plain =
        [("Deployment", 1), ("Pod", 1), ("PodDisruptionBudget", 1), ("Service", 1), ("ServiceAccount", 1)];
    for (mode, own) in [
        (
            CLUSTER,
            vec![
                ("ClusterRole", 4),
                ("ClusterRoleBinding", 2),
                ("CustomResourceDefinition", 1),
                ("Role", 1),
                ("RoleBinding", 1),
            ],
        ),
        (
            NAMESPACES,
            vec![("ClusterRole", 2), ("CustomResourceDefinition", 1), ("Role", 3), ("RoleBinding", 3)],
        ),
        (ADMIN, vec![("Role", 2), ("RoleBinding", 2)]),
    ] {
        let objects = rendered(&[mode]);
        let wanted: BTreeMap<_, _> = plain.into_iter().chain(own).collect();
        assert_eq!(kinds(&objects), wanted, "{mode:?}");
        let more = rendered(&[mode, EXTRAS]);
        let added = ["ConfigMap", "NetworkPolicy", "PrometheusRule", "ServiceMonitor"].map(|kind| (kind, 1));
        assert_eq!(kinds(&more), wanted.into_iter().chain(added).collect(), "{mode:?}");
    }
}

#[test]
fn the_admin_of_a_namespace_makes_nothing_outside_of_it() {
    for object in rendered(&[ADMIN, EXTRAS]) {
        assert_eq!(text(&object, "/metadata/namespace"), "own", "{object}");
        assert!(!text(&object, "/kind").starts_with("Cluster"), "{object}");
    }
}

/// Group, resource, verb.
type Rights = BTreeSet<(String, String, String)>;

/// What the roles of a kind grant, by their namespace.
fn grants(objects: &[Value], kind: &str) -> BTreeMap<String, Rights> {
    let mut grants: BTreeMap<String, Rights> = BTreeMap::new();
    let roles = objects.iter().filter(|object| object["kind"] == kind);
    // What people get is bound by nobody here.
    let bound = roles.filter(|role| !role["metadata"]["labels"].to_string().contains("aggregate-to-"));
    for role in bound {
        let all = grants.entry(text(role, "/metadata/namespace").to_owned()).or_default();
        for rule in role["rules"].as_array().expect("rules") {
            let words = |key: &str| -> Vec<String> {
                let list = rule[key].as_array().expect(key);
                list.iter().map(|word| word.as_str().expect(key).to_owned()).collect()
            };
            for group in words("apiGroups") {
                for resource in words("resources") {
                    for verb in words("verbs") {
                        all.insert((group.clone(), resource.clone(), verb));
                    }
                }
            }
        }
    }
    grants
}

fn table(scopes: &[Scope]) -> Rights {
    let rules = RULES.iter().filter(|rule| scopes.contains(&rule.scope));
    rules.flat_map(Rule::each).map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).collect()
}

#[test]
fn i12_the_chart_grants_what_the_table_of_rights_has() {
    let cluster = rendered(&[CLUSTER]);
    let everywhere = table(&[Scope::Stacks, Scope::Room]);
    assert_eq!(grants(&cluster, "ClusterRole"), [(String::new(), everywhere)].into());
    assert_eq!(grants(&cluster, "Role"), [("own".to_owned(), table(&[Scope::Own]))].into());

    let namespaces = rendered(&[NAMESPACES]);
    let stacks = table(&[Scope::Stacks]);
    let each = [("a", &stacks), ("b", &stacks), ("own", &table(&[Scope::Own]))];
    let each = each.map(|(namespace, rights)| (namespace.to_owned(), rights.clone()));
    assert_eq!(grants(&namespaces, "Role"), each.into());
    assert!(grants(&namespaces, "ClusterRole").is_empty());

    let admin = grants(&rendered(&[ADMIN]), "Role");
    assert_eq!(admin, [("own".to_owned(), table(&[Scope::Stacks, Scope::Own]))].into());
    let proxy = grants(&rendered(&[ADMIN, &["reach=proxy"]]), "Role");
    assert_eq!(proxy["own"], table(&[Scope::Stacks, Scope::Own, Scope::Proxy]));

    let room = rendered(&[NAMESPACES, &["rbac.room=true"]]);
    assert_eq!(grants(&room, "ClusterRole"), [(String::new(), table(&[Scope::Room]))].into());
    let none = rendered(&[CLUSTER, &["rbac.create=false"]]);
    assert!(none.iter().all(|object| !text(object, "/kind").contains("Role")));
}

#[test]
fn every_binding_binds_the_operators_account_to_a_role_that_is_there() {
    for mode in [CLUSTER, NAMESPACES, ADMIN] {
        let objects = rendered(&[mode, &["serviceAccount.name=someone"]]);
        let id = |kind: &str, object: &Value, name: &str| {
            (kind.to_owned(), text(object, "/metadata/namespace").to_owned(), name.to_owned())
        };
        let roles: BTreeSet<_> = objects
            .iter()
            .map(|object| id(text(object, "/kind"), object, text(object, "/metadata/name")))
            .collect();
        let bindings = objects.iter().filter(|object| text(object, "/kind").ends_with("Binding"));
        for binding in bindings {
            let role = id(text(binding, "/roleRef/kind"), binding, text(binding, "/roleRef/name"));
            assert!(roles.contains(&role), "{role:?}");
            let subject = &binding["subjects"][0];
            assert_eq!((text(subject, "/name"), text(subject, "/namespace")), ("someone", "own"));
        }
    }
}

#[test]
fn i7_no_pod_of_the_chart_has_a_cpu_limit_and_every_one_has_requests() {
    let objects = rendered(&[CLUSTER]);
    let pods = objects.iter().filter(|object| ["Deployment", "Pod"].contains(&text(object, "/kind")));
    let mut containers = 0;
    for object in pods {
        let pod = if object["kind"] == "Pod" { &object["spec"] } else { &object["spec"]["template"]["spec"] };
        for container in pod["containers"].as_array().expect("containers") {
            containers += 1;
            assert!(container["resources"]["limits"].as_object().is_none_or(serde_json::Map::is_empty));
            for request in ["cpu", "memory"] {
                assert!(container["resources"]["requests"][request].is_string(), "{container}");
            }
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        }
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    }
    assert_eq!(containers, 2);
}

/// The container and the pod around it, without what only a release has.
fn operator(objects: &[Value]) -> (Value, Value) {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let mut pod = deployment["spec"]["template"]["spec"].clone();
    let container = pod["containers"][0].take();
    (container, pod)
}

#[test]
fn the_deployment_of_the_chart_is_the_one_of_the_manifests() {
    let chart = rendered(&[CLUSTER]);
    let manifest: Vec<Value> =
        serde_saphyr::from_multiple(include_str!("../../../deploy/operator/deployment.yaml")).expect("YAML");
    let ((of_chart, pod), (of_manifest, plain)) = (operator(&chart), operator(&manifest));
    for key in [
        "image",
        "imagePullPolicy",
        "ports",
        "livenessProbe",
        "readinessProbe",
        "securityContext",
        "volumeMounts",
    ] {
        assert_eq!(of_chart[key], of_manifest[key], "{key}");
    }
    assert_eq!(of_chart["resources"]["requests"], of_manifest["resources"]["requests"]);
    for key in ["serviceAccountName", "securityContext", "terminationGracePeriodSeconds", "volumes"] {
        assert_eq!(pod[key], plain[key], "{key}");
    }
    let need = |objects: &[Value]| {
        PodNeed::of(objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment"))
    };
    assert_eq!(need(&chart).containers.len(), need(&manifest).containers.len());
}

#[test]
fn values_become_the_variables_of_the_operator() {
    let values = [
        "chartSource=bundled",
        "charts=/charts",
        "probeInterval=10",
        "reconcileDeadline=60",
        "reach=off",
        "leaseName=mine",
        "log.level=debug",
        "log.format=text",
        "extraEnv[0].name=SSL_CERT_FILE",
        "extraEnv[0].value=/ca.pem",
    ];
    let (container, _) = operator(&rendered(&[NAMESPACES, &values]));
    let env: BTreeMap<_, _> = container["env"]
        .as_array()
        .expect("variables")
        .iter()
        .map(|one| (text(one, "/name"), one["value"].as_str().unwrap_or("(field)")))
        .collect();
    let wanted = [
        ("POD_NAME", "(field)"),
        ("POD_NAMESPACE", "(field)"),
        ("OBSTACK_WATCH_NAMESPACE", "a,b"),
        ("OBSTACK_LEASE_NAME", "mine"),
        ("OBSTACK_CHART_SOURCE", "bundled"),
        ("OBSTACK_CHARTS", "/charts"),
        ("OBSTACK_CACHE_DIR", "/tmp/obstack-cache"),
        ("OBSTACK_PROBE_INTERVAL", "10"),
        ("OBSTACK_RECONCILE_DEADLINE", "60"),
        ("OBSTACK_REACH", "off"),
        ("OBSTACK_LOG_FORMAT", "text"),
        ("OBSTACK_LOG_LEVEL", "debug"),
        ("SSL_CERT_FILE", "/ca.pem"),
    ];
    assert_eq!(env, wanted.into());
    let (container, _) = operator(&rendered(&[ADMIN]));
    let watched = container["env"].as_array().expect("variables").iter();
    assert!(watched.clone().any(|one| one["name"] == "OBSTACK_WATCH_NAMESPACE" && one["value"] == "own"));
}

#[test]
fn an_image_is_named_by_tag_or_by_digest() {
    let image = |values: &[&str]| text(&operator(&rendered(&[values])).0, "/image").to_owned();
    assert_eq!(image(&[]), format!("localhost/obstack-operator:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(image(&["image.registry=r.example/x", "image.tag=v1"]), "r.example/x/obstack-operator:v1");
    let digest = format!("sha256:{}", "a".repeat(64));
    let by_digest = image(&[&format!("image.digest={digest}"), "image.tag=v1"]);
    assert_eq!(by_digest, format!("localhost/obstack-operator@{digest}"));
}

#[test]
fn the_crd_is_the_one_of_the_api_and_is_kept() {
    let of = |values: &[&str]| {
        let objects = rendered(&[values]);
        objects.into_iter().find(|object| object["kind"] == "CustomResourceDefinition")
    };
    let crd = of(&[]).expect("a CRD");
    assert_eq!(crd["spec"], obstack_api::schema::crd()["spec"]);
    assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    assert!(of(&["crds.keep=false"]).expect("a CRD")["metadata"]["annotations"].is_null());
    assert_eq!(of(&["crds.install=false"]), None);
}

#[test]
fn alerts_name_the_runbook_and_the_operators_namespace() {
    let objects = rendered(&[EXTRAS]);
    let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").expect("a PrometheusRule");
    let said = rule["spec"].to_string();
    assert!(said.contains("https://git.example/runbook/README.md#available"), "{said}");
    assert!(said.contains(r#"absent(obstack_leader{namespace=\"own\"})"#), "{said}");
    assert!(!said.contains("RUNBOOK") && !said.contains("OPERATOR_NAMESPACE"), "{said}");
    let dashboards = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("a ConfigMap");
    assert_eq!(dashboards["metadata"]["labels"]["grafana_dashboard"], "1");
    let model: Value = serde_json::from_str(text(dashboards, "/data/obstack-operator.json")).expect("JSON");
    assert_eq!(model["uid"], "obstack-operator");
}

#[test]
fn what_the_chart_does_not_know_or_cannot_do_is_refused_by_name() {
    for (values, said) in [
        (&["watchNamespace={a}"][..], "additional properties 'watchNamespace' not allowed"),
        (&["crds.instal=false"], "additional properties 'instal' not allowed"),
        (&["mode=Everything"], "'/mode': value must be one of 'Cluster', 'Namespaces', 'NamespaceAdmin'"),
        (&["mode=NamespaceAdmin"], "'/crds/install': value must be false"),
        (&["mode=NamespaceAdmin", "crds.install=false", "rbac.room=true"], "'/rbac/room'"),
        (&["mode=NamespaceAdmin", "crds.install=false", "rbac.aggregate=true"], "'/rbac/aggregate'"),
        (&["mode=NamespaceAdmin", "crds.install=false", "watchNamespaces={a}"], "'/watchNamespaces'"),
        (&["mode=Namespaces"], "'/watchNamespaces': minItems"),
        (&["watchNamespaces={a}"], "'/watchNamespaces': maxItems"),
        (&["resources.limits.cpu=1"], "additional properties 'cpu' not allowed"),
        (&["resources.requests.cpu=null"], "'/resources/requests'"),
        (&["replicas=many"], "'/replicas'"),
        (&["probeInterval=0"], "'/probeInterval'"),
        (&["reach=Proxy"], "'/reach': value must be one of 'service', 'proxy', 'off'"),
        (&["image.digest=latest"], "'/image/digest'"),
        (&["terminationGracePeriodSeconds=5"], "'/terminationGracePeriodSeconds'"),
        (&["serviceMonitor.enabled=true", "service.enabled=false"], "'/service/enabled'"),
        (&["prometheusRule.enabled=true"], "'/prometheusRule/runbookUrl'"),
        (&["serviceAccount.create=false"], "'/serviceAccount/name'"),
    ] {
        let refused = template(values).expect_err(&format!("{values:?}"));
        assert!(refused.contains(said), "{values:?}: {refused}");
    }
}
