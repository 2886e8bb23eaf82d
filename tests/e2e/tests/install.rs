//! The operator installed by helm, in each mode: with the rights that the release grants and no others a stack becomes
//! Ready, an upgrade leaves its pods alone, and `helm uninstall` leaves stack, volumes and buckets.
//!
//! Alone in its process, because with mode `Cluster` it watches every namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Write,
};

use obstack_api::rights::{RULES, Rule, Scope};
use obstack_e2e::{
    CLAIM, CLUSTER_ROLE, CRD, DEPLOYMENT, MIMIR, POD, ROLE_BINDING, Release, Request, SERVICE_ACCOUNT, STACK,
    TEMPO_SINGLE, Told, World, eventually, text,
};
use serde_json::{Value, json};

const CRD_NAME: &str = "observabilitystacks.obstack.dev";

/// The CRD is there already, and other tests need it. The account has the name by which its requests are counted.
const COMMON: [&str; 3] = ["crds.install=false", "chartSource=bundled", "serviceAccount.name=obstack"];

/// A release in the namespace `system` of the test. Its cluster-wide objects are of this test alone.
fn release(world: &World, values: &[&str]) -> Release {
    Release {
        name: format!("obstack-{}", obstack_e2e::random()),
        namespace: world.watched().last().expect("a namespace").clone(),
        values: COMMON.iter().chain(values).map(|&value| value.to_owned()).collect(),
    }
}

/// Names and uids of pods or claims.
async fn uids(world: &World, kind: obstack_e2e::Kind, namespace: &str) -> BTreeMap<String, String> {
    let objects = world.cluster.list(kind, namespace).await;
    let of_stacks = objects.iter().filter(|object| !text(object, "/metadata/name").starts_with("obstack-"));
    let uid = |object: &Value| {
        (text(object, "/metadata/name").to_owned(), text(object, "/metadata/uid").to_owned())
    };
    of_stacks.map(uid).collect()
}

/// Installs, brings a stack to Ready, upgrades, uninstalls. `kubeconfig` is that of who installs.
async fn through(
    world: &World,
    mode: &str,
    release: &Release,
    namespace: &str,
    kubeconfig: Option<&std::path::Path>,
) {
    let helm = world.helm(kubeconfig);
    let crd = world.cluster.get(CRD, "", CRD_NAME).await;
    helm.put("install", release);
    let (operator, audit) = world.installed(release).await;
    operator.working().await;
    let mut stack = world.stack("s", &[TEMPO_SINGLE, MIMIR]);
    stack["metadata"]["namespace"] = namespace.into();
    world.make(&stack).await;
    world.ready(&stack).await;
    let (pods, claims) = (uids(world, POD, namespace).await, uids(world, CLAIM, namespace).await);
    assert!(pods.len() > 5 && claims.len() > 1, "{pods:?} {claims:?}");

    // Another setting and another pod of the operator; the process takes over as the pod would.
    let mut upgraded = release.clone();
    upgraded.values.push("log.level=debug".to_owned());
    helm.put("upgrade", &upgraded);
    assert_eq!(operator.stop(), Some(0));
    let (operator, _) = world.installed(&upgraded).await;
    operator.working().await;
    world.ready(&stack).await;
    assert_eq!(
        uids(world, POD, namespace).await,
        pods,
        "an upgrade of the operator restarts no pod of a stack"
    );
    let unchanged = |now: &Value| now["metadata"]["uid"] == crd["metadata"]["uid"];
    assert!(unchanged(&world.cluster.get(CRD, "", CRD_NAME).await));

    assert_eq!(operator.stop(), Some(0));
    let refused = audit.refused();
    assert!(refused.is_empty(), "I12: what the chart grants is enough: {refused:?}");
    helm.remove(release);
    assert_eq!(world.cluster.find(DEPLOYMENT, &release.namespace, &release.name).await, None);
    assert_eq!(world.cluster.find(CLUSTER_ROLE, "", &release.name).await, None);
    assert!(unchanged(&world.cluster.get(CRD, "", CRD_NAME).await));
    assert!(world.cluster.find(STACK, namespace, "s").await.is_some());
    assert_eq!(uids(world, POD, namespace).await, pods);
    assert_eq!(uids(world, CLAIM, namespace).await, claims);
    let buckets = world.s3.buckets(&world.prefix).await;
    assert_eq!(buckets.len(), 4, "{buckets:?}");
    let requests = audit.requests();
    let used: BTreeSet<_> = requests.iter().flat_map(rights_of).collect();
    let granted = granted(mode);
    tell(&format!(
        "{mode}: installed with helm, stack Ready, 403s: {} of {} requests, grants that one stack did not use: {} of {}, \
         uninstalled with {} claims and {} buckets kept",
        refused.len(),
        requests.len(),
        granted.difference(&used).count(),
        granted.len(),
        claims.len(),
        buckets.len()
    ));
}

/// Group, resource and verb.
type Right = (String, String, String);

/// What the chart grants in a mode.
fn granted(mode: &str) -> BTreeSet<Right> {
    let shipped = RULES.iter().filter(|rule| match rule.scope {
        Scope::Stacks | Scope::Own => true,
        Scope::Room => mode == "Cluster",
        Scope::Proxy => false,
    });
    let right = |(group, resource, verb): (&str, &str, &str)| (group.into(), resource.into(), verb.into());
    shipped.flat_map(Rule::each).map(right).collect()
}

/// What a request needed. A list is asked for as a watch that begins with all there is, and server-side apply of what is
/// not there needs `create`.
fn rights_of(request: &Request) -> Vec<Right> {
    let more = match (request.verb.as_str(), request.code) {
        ("watch", _) => Some("list"),
        ("patch", 201) => Some("create"),
        _ => None,
    };
    let verbs = std::iter::once(request.verb.as_str()).chain(more);
    verbs.map(|verb| (request.group.clone(), request.resource.clone(), verb.to_owned())).collect()
}

/// Prints a line, and adds it to the file that `OBSTACK_INSTALL_TABLE` names.
fn tell(line: &str) {
    println!("{line}");
    let Some(path) = std::env::var_os("OBSTACK_INSTALL_TABLE") else { return };
    let mut file = File::options().create(true).append(true).open(path).expect("the table");
    writeln!(file, "{line}").expect("the table");
}

#[tokio::test]
async fn i12_with_what_the_chart_grants_a_stack_becomes_ready_in_each_mode() {
    World::with("helm-cluster", &["system"], async |world| {
        let release = release(world, &["mode=Cluster"]);
        through(world, "Cluster", &release, &world.namespace, None).await;
    })
    .await;
    World::with("helm-some", &["system"], async |world| {
        let watched = format!("watchNamespaces={{{}}}", world.namespace);
        let release = release(world, &["mode=Namespaces", &watched]);
        through(world, "Namespaces", &release, &world.namespace, None).await;
    })
    .await;
    World::with("helm-own", &["system"], async |world| {
        let release = release(world, &["mode=NamespaceAdmin"]);
        let namespace = release.namespace.clone();
        let admin = person(world, &namespace, "admin").await;
        world.put_keys(&namespace, "s3", &world.keys()).await;
        may(world, &namespace, "admin", "patch", "observabilitystacks/status").await;
        through(world, "NamespaceAdmin", &release, &namespace, Some(&admin)).await;
    })
    .await;
}

/// A ServiceAccount that has a role of every cluster in a namespace, as its kubeconfig. The roles cover stacks.
async fn person(world: &World, namespace: &str, role: &str) -> std::path::PathBuf {
    for file in ["aggregate", "tenants"] {
        let file = format!("{}/../../deploy/rbac/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
        let args = ["apply", "--server-side", "--force-conflicts", "-f", &file];
        let told: Told = world.sandbox.kubectl(args).output().expect("kubectl runs").into();
        assert_eq!(told.code, 0, "{}", told.err);
    }
    let metadata = json!({"name": role, "namespace": namespace});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    world.cluster.make(SERVICE_ACCOUNT, &account).await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": role, "namespace": namespace}],
    });
    world.cluster.make(ROLE_BINDING, &binding).await;
    world.kubeconfig_of(namespace, role).await
}

/// What a person may do, as the API server says it.
fn allowed(world: &World, namespace: &str, person: &str, verb: &str, resource: &str) -> bool {
    let user = format!("--as=system:serviceaccount:{namespace}:{person}");
    let resource = resource.replacen("observabilitystacks", "observabilitystacks.obstack.dev", 1);
    let (resource, part) = resource.split_once('/').unwrap_or((&resource, ""));
    let part = format!("--subresource={part}");
    let args = ["auth", "can-i", verb, resource, &part, &user, "-n", namespace];
    let told: Told = world.sandbox.kubectl(args).output().expect("kubectl runs").into();
    told.out.trim() == "yes"
}

/// Waits until a person may do something: roles are added to the others a moment later.
async fn may(world: &World, namespace: &str, person: &str, verb: &str, resource: &str) {
    eventually(&format!("{person} may {verb} {resource}"), async || {
        if allowed(world, namespace, person, verb, resource) { Ok(()) } else { Err("no".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn who_may_view_a_namespace_sees_its_stacks_and_who_may_edit_it_changes_them() {
    World::run("people", async |world| {
        let namespace = &world.namespace;
        for role in ["view", "edit"] {
            person(world, namespace, role).await;
            may(world, namespace, role, "list", "observabilitystacks").await;
        }
        may(world, namespace, "edit", "patch", "observabilitystacks").await;
        let verbs = ["get", "watch", "create", "update", "patch", "delete", "deletecollection"];
        let of = |person: &str, resource: &str| -> BTreeSet<_> {
            verbs.into_iter().filter(|verb| allowed(world, namespace, person, verb, resource)).collect()
        };
        assert_eq!(of("view", "observabilitystacks"), ["get", "watch"].into());
        assert_eq!(of("edit", "observabilitystacks"), verbs.into());
        for person in ["view", "edit"] {
            assert!(of(person, "observabilitystacks/status").is_empty(), "{person}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_api_server_takes_the_crd_of_the_chart() {
    World::run("crd", async |world| {
        let crd = obstack_e2e::template(&[]).expect("the chart renders");
        let crd = crd.into_iter().find(|object| object["kind"] == "CustomResourceDefinition").expect("a CRD");
        let file = world.dir.path().join("crd.json");
        std::fs::write(&file, crd.to_string()).expect("write the CRD");
        let file = file.display().to_string();
        let args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", &file];
        let told: Told = world.sandbox.kubectl(args).output().expect("kubectl runs").into();
        assert_eq!(told.code, 0, "{}", told.err);
    })
    .await;
}
