//! What `deploy/` ships, as somebody uses it: each kustomization is built by a real kubectl, each manifest is held
//! against a real API server, and the overlays grant what the chart grants.
//!
//! Everything is a dry run: of what the manifests name, only the namespaces are made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use obstack_e2e::{
    CONFIG_MAP, CRD, NAMESPACE, POD, ROOT, Told, World, edited, eventually, set, template, text,
};
use serde_json::{Value, json};

/// The kinds of Argo CD and Flux, cut down to what is used here.
const GITOPS: &str = include_str!("deploy/gitops.yaml");
/// The names that kustomize knows. The last one is passed over by `kubectl apply -f FOLDER`.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Every file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

fn is_kustomization(file: &Path) -> bool {
    file.file_name().is_some_and(|name| KUSTOMIZATIONS.iter().any(|known| name == *known))
}

/// Folders with a kustomization.
fn kustomizations() -> Vec<PathBuf> {
    let all = ["deploy", "crds"].into_iter().flat_map(|folder| files(&Path::new(ROOT).join(folder)));
    all.filter(|file| is_kustomization(file)).filter_map(|file| file.parent().map(Path::to_owned)).collect()
}

/// Files that kubectl applies.
fn manifests() -> Vec<PathBuf> {
    let mut all = files(&Path::new(ROOT).join("deploy"));
    all.retain(|file| file.extension().is_some_and(|ends| ends == "yaml") && !is_kustomization(file));
    all
}

fn parsed(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("no YAML: {error}\n{text}"))
}

fn read(file: &Path) -> Vec<Value> {
    parsed(&fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

fn kubectl(args: &[&str]) -> Told {
    let dir = std::env::var_os("OBSTACK_SANDBOX").expect("OBSTACK_SANDBOX: run `cargo xtask test`");
    let sandbox = obstack_sandbox::open(dir.as_ref()).expect("the sandbox");
    sandbox.kubectl(args).output().expect("kubectl runs").into()
}

/// What `kubectl kustomize` makes of a folder.
fn built(folder: &Path) -> Vec<Value> {
    let told = kubectl(&["kustomize", &folder.display().to_string()]);
    assert_eq!(told.code, 0, "{}: {}", folder.display(), told.err);
    assert!(told.err.is_empty(), "{}: {}", folder.display(), told.err);
    parsed(&told.out)
}

fn shipped(folder: &str) -> Vec<Value> {
    built(&Path::new(ROOT).join("deploy/kustomize").join(folder))
}

/// Namespaces that objects are in, made where they are not there.
async fn surround(world: &World, objects: &[Value], made: &mut BTreeSet<String>) {
    let namespaces = objects.iter().map(|object| text(object, "/metadata/namespace"));
    for namespace in namespaces.filter(|namespace| !namespace.is_empty()).collect::<BTreeSet<_>>() {
        // One that an earlier run deleted takes nothing any more, and can be made again in some seconds.
        let there = eventually("a namespace is there or not", async || {
            let found = world.cluster.find(NAMESPACE, "", namespace).await;
            let ends = found.as_ref().is_some_and(|found| !found["metadata"]["deletionTimestamp"].is_null());
            if ends { Err(format!("{namespace} ends")) } else { Ok(found.is_some()) }
        });
        if !there.await {
            world.cluster.make_namespace(namespace).await;
            made.insert(namespace.to_owned());
        }
    }
}

/// A server's dry run, in which an unknown field is an error.
fn dry_run(by: &str, what: &Path) {
    let what = what.display().to_string();
    let args =
        ["apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", by, &what];
    let told = kubectl(&args);
    assert_eq!(told.code, 0, "{by} {what}: {}\n{}", told.out, told.err);
    assert!(!told.err.contains("unknown field"), "{by} {what}: {}", told.err);
}

#[tokio::test]
async fn an_api_server_takes_every_kustomization_and_every_manifest_that_is_shipped() {
    World::run("deploy", async |world| {
        let file = world.dir.path().join("gitops.yaml");
        fs::write(&file, GITOPS).expect("write the definitions");
        let file = file.display().to_string();
        // A run that failed has left them.
        let told = kubectl(&["apply", "--server-side", "-f", &file]);
        assert_eq!(told.code, 0, "{}", told.err);
        let told = kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &file]);
        assert_eq!(told.code, 0, "{}", told.err);
        let mut made = BTreeSet::new();
        let (folders, manifests) = (kustomizations(), manifests());
        assert!(folders.len() > 10 && manifests.len() > 10, "{folders:?} {manifests:?}");
        for folder in &folders {
            surround(world, &built(folder), &mut made).await;
            dry_run("-k", folder);
        }
        for manifest in &manifests {
            surround(world, &read(manifest), &mut made).await;
            dry_run("-f", manifest);
        }
        // By folder, as the manual says, and so with nothing in them that only kustomize understands.
        for folder in ["crds", "deploy/operator", "deploy/samples", "deploy/samples/full"] {
            dry_run("-f", &Path::new(ROOT).join(folder));
        }
        // A misspelt field is found: this is what all the others have been spared.
        let wrong = world.dir.path().join("wrong.yaml");
        let flux = fs::read_to_string(Path::new(ROOT).join("deploy/flux/environments.yaml")).expect("Flux");
        fs::write(&wrong, flux.replace("dependsOn", "dependOn")).expect("write a manifest");
        let args = ["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f"];
        let told = kubectl(&[&args[..], &[&wrong.display().to_string()]].concat());
        assert!(told.code != 0 && told.err.contains("dependOn"), "{told:?}");

        for definition in parsed(GITOPS) {
            world.cluster.delete(CRD, "", text(&definition, "/metadata/name")).await;
        }
        for namespace in &made {
            world.cluster.delete(NAMESPACE, "", namespace).await;
        }
        println!(
            "{} kustomizations and {} manifests are taken by the API server",
            folders.len(),
            manifests.len()
        );
    })
    .await;
}

#[tokio::test]
async fn the_health_script_joins_what_argo_cds_configuration_has_already() {
    World::run("argocd", async |world| {
        let kept = json!({"url": "https://argocd.example"});
        let metadata = json!({"name": "argocd-cm", "namespace": world.namespace});
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": kept});
        world.cluster.make(CONFIG_MAP, &config).await;
        // The file names Argo CD's own namespace, which this is not.
        let health = edited(
            &read(&Path::new(ROOT).join("deploy/argocd/health.yaml"))[0],
            &[("/metadata/namespace", world.namespace.as_str().into())],
        );
        let file = world.dir.path().join("health.json");
        fs::write(&file, health.to_string()).expect("write the patch");
        let file = file.display().to_string();
        let args = ["patch", "configmap", "argocd-cm", "-n", &world.namespace, "--patch-file", &file];
        let told = kubectl(&args);
        assert_eq!(told.code, 0, "{}", told.err);
        let now = world.cluster.get(CONFIG_MAP, &world.namespace, "argocd-cm").await;
        assert_eq!(now["data"]["url"], kept["url"]);
        let key = "resource.customizations.health.obstack.dev_ObservabilityStack";
        assert_eq!(now["data"][key], health["data"][key]);
        assert_eq!(now["data"].as_object().map(serde_json::Map::len), Some(2));
    })
    .await;
}

/// Group, resource, verb.
type Right = (String, String, String);

fn rights(role: &Value) -> BTreeSet<Right> {
    let words = |rule: &Value, key: &str| -> Vec<String> {
        let list = rule[key].as_array().unwrap_or_else(|| panic!("{key}: {rule}"));
        list.iter().map(|word| word.as_str().expect(key).to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    all.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    all
}

/// What an installation grants: to the operator by way of its bindings, by namespace (empty: everywhere; `own`: the
/// operator's), and to people, by the labels of what they have.
#[derive(Debug, PartialEq)]
struct Granted {
    operator: BTreeMap<String, BTreeSet<Right>>,
    people: Vec<(BTreeSet<String>, BTreeSet<Right>)>,
    watched: BTreeSet<String>,
}

fn granted(objects: &[Value]) -> Granted {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let own = text(deployment, "/metadata/namespace");
    let place = |namespace: &str| if namespace == own { "own".to_owned() } else { namespace.to_owned() };
    let mut operator: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    for binding in objects.iter().filter(|object| text(object, "/kind").ends_with("Binding")) {
        let [subject] = binding["subjects"].as_array().expect("subjects").as_slice() else {
            panic!("{binding}")
        };
        let account = objects.iter().find(|object| object["kind"] == "ServiceAccount").expect("an account");
        assert_eq!(subject["name"], account["metadata"]["name"], "{binding}");
        assert_eq!(subject["namespace"], own, "{binding}");
        let namespace = text(binding, "/metadata/namespace");
        let role = objects.iter().find(|role| {
            role["kind"] == binding["roleRef"]["kind"]
                && role["metadata"]["name"] == binding["roleRef"]["name"]
                && text(role, "/metadata/namespace") == namespace
        });
        let role = role.unwrap_or_else(|| panic!("nothing to bind: {binding}"));
        operator.entry(place(namespace)).or_default().extend(rights(role));
    }
    let labels = |role: &Value| -> BTreeSet<String> {
        let labels = role["metadata"]["labels"].as_object().expect("labels").keys();
        labels.filter(|label| label.contains("aggregate-to-")).cloned().collect()
    };
    let roles = objects.iter().filter(|object| object["kind"] == "ClusterRole");
    let mut people: Vec<_> = roles.map(|role| (labels(role), rights(role))).collect();
    people.retain(|(labels, _)| !labels.is_empty());
    people.sort();
    let watched = watched(objects, deployment);
    Granted { operator, people, watched: watched.iter().map(|namespace| place(namespace)).collect() }
}

/// The namespaces that the operator is told to watch; none for all.
fn watched(objects: &[Value], deployment: &Value) -> BTreeSet<String> {
    let env = deployment.pointer("/spec/template/spec/containers/0/env").expect("variables");
    let Some(variable) =
        env.as_array().expect("variables").iter().find(|one| one["name"] == "OBSTACK_WATCH_NAMESPACE")
    else {
        return BTreeSet::new();
    };
    let field = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
    let list = match (variable["value"].as_str(), field, variable.pointer("/valueFrom/configMapKeyRef")) {
        (Some(value), ..) => value,
        (_, Some("metadata.namespace"), _) => text(deployment, "/metadata/namespace"),
        (.., Some(reference)) => {
            let map = objects.iter().find(|object| {
                object["kind"] == "ConfigMap"
                    && object["metadata"]["name"] == reference["name"]
                    && object["metadata"]["namespace"] == deployment["metadata"]["namespace"]
            });
            let map = map.unwrap_or_else(|| panic!("nobody makes {reference}"));
            map["data"][text(reference, "/key")].as_str().expect("a list")
        }
        _ => panic!("{variable}"),
    };
    list.split(',').map(str::to_owned).collect()
}

#[test]
fn i12_an_overlay_grants_what_the_chart_grants_in_the_same_mode() {
    let chart = |values: &[&str]| granted(&template(values).unwrap_or_else(|error| panic!("{error}")));
    let namespaces = ["ca7f8f-dev", "ca7f8f-test", "ca7f8f-prod", "ca7f8f-tools"];
    let list = format!("watchNamespaces={{{}}}", namespaces.join(","));
    for (overlay, values) in [
        ("overlays/cluster", vec!["mode=Cluster"]),
        ("example", vec!["mode=Namespaces", &list]),
        ("overlays/namespace-admin", vec!["mode=NamespaceAdmin", "crds.install=false"]),
    ] {
        let (ours, theirs) = (granted(&shipped(overlay)), chart(&values));
        assert_eq!(ours, theirs, "{overlay}");
        let rights = ours.operator.values().map(BTreeSet::len).sum::<usize>();
        println!("{overlay}: {rights} rights in {} places, as the chart has them", ours.operator.len());
    }
}

#[test]
fn the_admin_of_a_namespace_applies_nothing_outside_of_it() {
    for object in shipped("overlays/namespace-admin") {
        assert_eq!(text(&object, "/metadata/namespace"), "my-namespace", "{object}");
    }
}

#[test]
fn an_operator_without_a_list_of_namespaces_does_not_start() {
    let objects = shipped("overlays/namespaces");
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let env = deployment.pointer("/spec/template/spec/containers/0/env").expect("variables");
    let list = env.as_array().expect("variables").iter().find(|one| one["name"] == "OBSTACK_WATCH_NAMESPACE");
    let reference = &list.expect("the variable")["valueFrom"]["configMapKeyRef"];
    assert_eq!(*reference, json!({"name": "obstack-watched", "key": "namespaces"}), "and it is not optional");
    assert!(!objects.iter().any(|object| object["kind"] == "ConfigMap"));
}

/// Pods of an object: itself, or those of its template.
fn pod(object: &Value) -> Option<Value> {
    let from = match text(object, "/kind") {
        "Pod" => object.clone(),
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => object["spec"]["template"].clone(),
        _ => return None,
    };
    Some(edited(
        &from,
        &[("/apiVersion", "v1".into()), ("/kind", "Pod".into()), ("/metadata/name", "p".into())],
    ))
}

/// Where in a document a CPU limit stands, in a pod or in a stack.
fn cpu_limits(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let at = format!("{at}.{key}");
                let is_one = key == "limits" && (inner["cpu"].is_string() || inner["cpu"].is_number());
                if is_one {
                    found.push(at.clone());
                }
                cpu_limits(inner, &at, found);
            }
        }
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                cpu_limits(inner, &format!("{at}[{number}]"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn i7_nothing_that_is_shipped_has_a_cpu_limit_and_every_pod_meets_pod_security_restricted() {
    World::run("restricted", async |world| {
        let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        world.cluster.merge(NAMESPACE, "", world.home(), "e2e", labels).await;
        let mut documents: Vec<(String, Value)> = Vec::new();
        let mut add = |from: String, objects: Vec<Value>| {
            documents.extend(objects.into_iter().map(|object| (from.clone(), object)));
        };
        for folder in kustomizations() {
            add(folder.display().to_string(), built(&folder));
        }
        for manifest in manifests() {
            add(manifest.display().to_string(), read(&manifest));
        }
        for mode in [&["mode=Cluster"][..], &["mode=NamespaceAdmin", "crds.install=false"]] {
            add(format!("the chart with {mode:?}"), template(mode).expect("the chart renders"));
        }
        let mut pods = 0;
        for (from, object) in &documents {
            let mut found = Vec::new();
            cpu_limits(object, "", &mut found);
            assert!(found.is_empty(), "{from}: a CPU limit at {found:?}");
            let Some(mut pod) = pod(object) else { continue };
            set(&mut pod, "/metadata/namespace", world.home().into());
            // Whether the account is there is not what is asked.
            set(&mut pod, "/spec/serviceAccountName", "default".into());
            let admitted = world.cluster.create(POD, &pod, true).await;
            admitted.unwrap_or_else(|error| panic!("{from}: {error}"));
            pods += 1;
        }
        assert!(pods > 5, "{pods}");
        println!("{} documents without a CPU limit, {pods} pods admitted as restricted", documents.len());
    })
    .await;
}

/// Names of the fields of a schema below a path, with `*` for the keys of maps. `values` may be anything.
fn fields(schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            let at = format!("{at}.{name}");
            found.insert(at.clone());
            fields(inner, &at, found);
        }
    }
    if schema["additionalProperties"].is_object() {
        fields(&schema["additionalProperties"], &format!("{at}.*"), found);
    }
    if schema["items"].is_object() {
        fields(&schema["items"], at, found);
    }
}

/// The same of an object, with the schema's names.
fn set_fields(value: &Value, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let (next, at) = match schema["properties"].get(name) {
                    Some(next) => (next, format!("{at}.{name}")),
                    None => (&schema["additionalProperties"], format!("{at}.*")),
                };
                found.insert(at.clone());
                set_fields(inner, next, &at, found);
            }
        }
        Value::Array(list) => {
            for inner in list {
                set_fields(inner, &schema["items"], at, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_full_sample_has_every_field_or_says_in_a_comment_why_not() {
    let file = Path::new(ROOT).join("deploy/samples/full/full.yaml");
    let written = fs::read_to_string(&file).expect("the sample");
    let crd = obstack_api::schema::crd();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").expect("a schema");
    let (mut known, mut set) = (BTreeSet::new(), BTreeSet::new());
    fields(schema, "spec", &mut known);
    set_fields(&read(&file)[0]["spec"], schema, "spec", &mut set);
    // Below a field that is not there, nothing is.
    let above =
        |field: &str| field.rsplit_once('.').is_none_or(|(above, _)| above == "spec" || set.contains(above));
    let missing: Vec<&str> =
        known.difference(&set).map(String::as_str).filter(|field| above(field)).collect();
    // What is refused beside something that is set, and the digest of a plan that nobody has seen.
    let excluded = [
        "spec.changes.approvedPlan",
        "spec.collectors.alloy.chart.digest",
        "spec.collectors.alloy.chart.repository",
        "spec.collectors.alloy.components.*.resources.limits",
        "spec.collectors.alloy.components.*.storage",
        "spec.grafana.dashboards.sidecarLabel",
        "spec.grafana.datasources.instanceSelector",
        "spec.metrics.chart.digest",
        "spec.metrics.chart.repository",
        "spec.metrics.components.*.resources.limits.cpu",
        "spec.traces.chart.digest",
        "spec.traces.chart.repository",
        "spec.traces.components.*.resources.limits.cpu",
    ];
    assert_eq!(missing, excluded);
    let comments: Vec<&str> = written.lines().filter_map(|line| Some(line.split_once('#')?.1)).collect();
    for field in excluded {
        let name = field.rsplit('.').next().unwrap_or_default();
        assert!(comments.iter().any(|comment| comment.contains(name)), "{field} stands in no comment");
    }
}

#[tokio::test]
async fn the_full_sample_is_valid_and_renders_with_the_bundled_charts() {
    World::run("full", async |world| {
        let file = Path::new(ROOT).join("deploy/samples/full/full.yaml").display().to_string();
        let told = world.cli(&["validate", "-f", &file]);
        assert_eq!(told.code, 0, "{}\n{}", told.out, told.err);
        let told = world.cli(&["render", "-f", &file, "--offline"]);
        assert_eq!(told.code, 0, "{}\n{}", told.out, told.err);
        let objects = parsed(&told.out);
        let kinds: BTreeSet<_> = objects.iter().map(|object| text(object, "/kind")).collect();
        for kind in ["ConfigMap", "Deployment", "StatefulSet", "GrafanaDashboard", "PodDisruptionBudget"] {
            assert!(kinds.contains(kind), "{kinds:?}");
        }
        println!("the full sample is {} objects", objects.len());
    })
    .await;
}
