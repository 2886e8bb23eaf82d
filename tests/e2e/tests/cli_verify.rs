//! `kubectl obstack verify` on a real control plane: what holds passes, what is broken fails, and what may not be seen
//! is not known. Pods are simulated here: no container runs, so no door answers.

use obstack_e2e::{
    BUDGET, Keys, ROLE, ROLE_BINDING, SERVICE_ACCOUNT, STACK, TEMPO, World, edited, eventually,
};
use serde_json::{Value, json};

/// What needs an answer of a container.
const NEED_CONTAINERS: [&str; 6] =
    ["--skip", "services.doors", "--skip", "services.rings", "--skip", "telemetry"];

fn verify(world: &World, args: &[&str]) -> (i32, Value) {
    let name = format!("{}/dev", world.namespace);
    let all: Vec<&str> = ["verify", &name, "-o", "json"].iter().chain(args).copied().collect();
    let told = world.cli(&all);
    (told.code, told.json())
}

/// Results and messages of a check.
fn of<'a>(found: &'a Value, check: &str) -> Vec<(&'a str, &'a str)> {
    let checks = found["checks"].as_array().expect("checks");
    let of = checks.iter().filter(|one| one["check"] == check);
    of.map(|one| (one["result"].as_str().unwrap_or(""), one["message"].as_str().unwrap_or(""))).collect()
}

#[track_caller]
fn has(found: &Value, check: &str, result: &str, words: &str) {
    let all = of(found, check);
    assert!(
        all.iter().any(|(is, message)| *is == result && message.contains(words)),
        "{check} is not {result} with `{words}`: {all:#?}"
    );
}

fn stack(world: &World) -> Value {
    let grafana = json!({"datasources": {"namespace": world.tools, "provider": "SidecarConfigMap"}});
    edited(&world.stack("dev", &[TEMPO]), &[("/spec/grafana", grafana)])
}

#[tokio::test]
async fn a_ready_stack_verifies_and_each_fault_is_found() {
    World::run("cli-verify", async |world| {
        let operator = world.operator().await;
        let stack = stack(world);
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.s3.buckets(&world.prefix).await;

        // Controllers count budgets and endpoints when the stack is ready already.
        let found = eventually("the stack verifies", async || {
            let (code, found) = verify(world, &NEED_CONTAINERS);
            if code == 0 { Ok(found) } else { Err(format!("{found:#}")) }
        })
        .await;
        assert_eq!((&found["kind"], &found["passed"]), (&json!("Verification"), &json!(true)));
        assert_eq!(found["counts"]["failed"], 0);
        for check in ["stack.ready", "stack.version", "buckets.probe", "objects.present", "objects.drift"] {
            has(&found, check, "Passed", "");
        }
        for check in ["services.endpoints", "pods.components", "pods.policy", "budgets.protection"] {
            has(&found, check, "Passed", "");
        }
        has(&found, "grafana.published", "Passed", "-datasources");
        let bucket = format!("{}-traces-e2e-blocks", world.prefix);
        let keys = world.s3.keys(&bucket).await;
        assert!(!keys.iter().any(|key| key.contains("probe")), "the object is deleted again: {keys:?}");

        // Every pod is ready, and no container runs: the doors must not be called good.
        let (code, found) = verify(world, &["--only", "services", "--only", "telemetry"]);
        assert_eq!(code, 1);
        has(&found, "services.doors", "Failed", "Service dev-tempo-distributor port 3200");
        has(&found, "services.rings", "Failed", "dev-tempo-distributor");
        has(&found, "telemetry.traces", "Failed", "");
        let (_, found) = verify(world, &["--no-telemetry", "--only", "telemetry"]);
        assert_eq!(found["checks"], json!([]));

        beside(world);
        drifts(world).await;
        storage_faults(world, &bucket).await;
        assert_eq!(world.s3.buckets(&world.prefix).await, before, "verify makes no bucket");
        no_rights(world).await;

        operator.kill();
        let budget = world.cluster.list(BUDGET, &world.namespace).await.remove(0);
        let name = budget["metadata"]["name"].as_str().expect("a name").to_owned();
        world.cluster.delete(BUDGET, &world.namespace, &name).await;
        let (code, found) = verify(world, &NEED_CONTAINERS);
        assert_eq!(code, 1);
        has(&found, "objects.present", "Failed", &name);
        has(&found, "budgets.protection", "Failed", "no disruption budget covers");
        world.change("dev", json!({"spec": {"suspend": true}})).await;
        let (_, found) = verify(world, &["--only", "stack"]);
        has(&found, "stack.seen", "Failed", "the newest is");
        has(&found, "stack.active", "Warning", "suspended");
    })
    .await;
}

/// What other commands say of the same stack: the operator's version, and its name to complete.
fn beside(world: &World) {
    let version = world.cli(&["version", "-n", &world.namespace, "-o", "json"]).json();
    let operators = json!([{"version": version["client"], "stacks": 1}]);
    assert_eq!(version["cluster"]["operators"], operators, "{version:#}");
    let completed = |words: &[&str]| {
        let all: Vec<&str> = ["__complete", "--"].iter().chain(words).copied().collect();
        world.cli(&all).out
    };
    assert_eq!(completed(&["verify", "-n", &world.namespace, ""]), "dev\n:4\n");
    let name = format!("{}/d", world.namespace);
    assert_eq!(completed(&["verify", &name]), format!("{name}ev\n:4\n"));
    assert_eq!(completed(&["verify", "-n", &world.namespace, "x"]), ":4\n");
}

/// A field that somebody took warns, and names both. The operator is told to leave it.
async fn drifts(world: &World) {
    world.change("dev", json!({"spec": {"suspend": true}})).await;
    world.until(&stack(world), "Ready", "False", "Suspended").await;
    let labels = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}});
    world.cluster.merge(obstack_e2e::SERVICE, &world.namespace, "dev-tempo-distributor", "ci", labels).await;
    let (_, found) = verify(world, &["--only", "objects"]);
    has(&found, "objects.drift", "Warning", "changed by ci");
    has(&found, "objects.drift", "Warning", "app.kubernetes.io/managed-by");
    world.change("dev", json!({"spec": {"suspend": null}})).await;
    world.ready(&stack(world)).await;
}

async fn storage_faults(world: &World, bucket: &str) {
    let wrong = Keys { access: world.keys().access, secret: "not-the-secret-key".to_owned() };
    world.put_keys(&world.namespace, "s3", &wrong).await;
    let (code, found) = verify(world, &["--only", "buckets"]);
    assert_eq!(code, 1);
    has(&found, "buckets.probe", "Failed", "the signature is wrong");
    assert!(!found.to_string().contains("not-the-secret-key"), "no secret is quoted");
    world.put_keys(&world.namespace, "s3", &world.keys()).await;
    world.ready(&stack(world)).await;

    // The operator would make it again.
    let create = |may: bool| json!({"spec": {"objectStorage": {"buckets": {"create": may}}}});
    world.change("dev", create(false)).await;
    world.s3.delete_bucket(bucket).await;
    let (code, found) = verify(world, &["--only", "buckets"]);
    assert_eq!(code, 1);
    has(&found, "buckets.probe", "Failed", "does not exist");
    assert!(!world.s3.buckets(&world.prefix).await.contains(&bucket.to_owned()), "verify makes no bucket");
    world.change("dev", create(true)).await;
    eventually("the bucket is there again", async || {
        let there = world.s3.buckets(&world.prefix).await.contains(&bucket.to_owned());
        if there { Ok(()) } else { Err("it is gone".to_owned()) }
    })
    .await;
    world.ready(&stack(world)).await;

    // From elsewhere the endpoint may not be reached, which says nothing of the stack.
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let endpoint = |url: &str| json!({"spec": {"objectStorage": {"endpoint": url}}});
    world.change("dev", endpoint(&format!("http://{closed}"))).await;
    let (code, found) = verify(world, &["--only", "buckets"]);
    assert_eq!(code, 0);
    has(&found, "buckets.probe", "Unknown", "not reachable from here");
    assert_eq!(verify(world, &["--only", "buckets", "--strict"]).0, 1);
    world.change("dev", endpoint(&world.sandbox.s3.endpoint)).await;
    world.ready(&stack(world)).await;
}

/// Who may see stacks and little else gets `?` with the right that is missing.
async fn no_rights(world: &World) {
    let namespace = world.namespace.as_str();
    let metadata = json!({"name": "viewer", "namespace": namespace});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    world.cluster.make(SERVICE_ACCOUNT, &account).await;
    let may = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]});
    let all = [
        may("obstack.dev", &[STACK.plural]),
        may("", &["configmaps", "services", "serviceaccounts"]),
        may("apps", &["deployments", "statefulsets", "daemonsets"]),
    ];
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": all});
    world.cluster.make(ROLE, &role).await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}],
    });
    world.cluster.make(ROLE_BINDING, &binding).await;
    let user = format!("system:serviceaccount:{namespace}:viewer");
    let (code, found) = verify(world, &["--as", &user]);
    assert_eq!(code, 0, "{found:#}");
    has(&found, "buckets.probe", "Unknown", &format!("no right to get Secret {namespace}/s3"));
    has(&found, "buckets.probe", "Unknown", "StorageReady=True");
    has(&found, "services.endpoints", "Unknown", "no right to list endpointslices.discovery.k8s.io");
    has(
        &found,
        "services.doors",
        "Unknown",
        &format!("no right to get services/proxy in namespace {namespace}"),
    );
    has(&found, "pods.components", "Unknown", "no right to list pods");
    has(&found, "budgets.protection", "Unknown", "no right to list");
    has(&found, "telemetry.traces", "Unknown", "no right to create services/proxy");
    has(&found, "stack.ready", "Passed", "");
    assert_eq!(verify(world, &["--as", &user, "--strict"]).0, 1);
}
