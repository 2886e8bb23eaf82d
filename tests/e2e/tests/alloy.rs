//! Alloy through its life: a configuration alone, a Deployment, a `DaemonSet`, and gone again.

use obstack_e2e::{
    CONFIG_MAP, DAEMON_SET, DEPLOYMENT, NODE, SERVICE, STACK, TEMPO_SINGLE, World, edited, eventually, text,
};
use serde_json::{Value, json};

/// Ids of the objects that are Alloy's.
async fn alloys(world: &World) -> Vec<String> {
    let all = world.snapshot().await;
    let of = all.keys().filter(|id| id.ends_with("/collect-alloy"));
    of.map(|id| id.split('/').next().unwrap_or_default().to_owned()).collect()
}

/// The line of Alloy in the status.
async fn component(world: &World) -> Option<Value> {
    let stack = world.cluster.get(STACK, &world.namespace, "collect").await;
    let components = stack["status"]["components"].as_array().cloned().unwrap_or_default();
    components.into_iter().find(|component| component["name"] == "collectors.alloy")
}

async fn change(world: &World, stack: &Value, alloy: Value) {
    world.change("collect", json!({"spec": {"collectors": {"alloy": alloy}}})).await;
    world.ready(stack).await;
}

#[tokio::test]
async fn alloy_comes_changes_its_kind_and_goes() {
    World::run("alloy", async |world| {
        let _operator = world.operator().await;
        let stack = edited(
            &world.stack("collect", &[TEMPO_SINGLE]),
            &[("/spec/collectors/alloy", json!({"mode": "ConfigMapOnly"}))],
        );
        world.make(&stack).await;
        let now = world.ready(&stack).await;
        assert_eq!(alloys(world).await, ["ConfigMap"]);
        assert!(component(world).await.is_none() && now["status"]["endpoints"]["collectorOtlpGrpc"].is_null());
        let advisories = now["status"]["advisories"].as_array().expect("advisories");
        assert!(advisories.iter().any(|advice| advice["code"] == "AlloyNotManaged"), "{advisories:?}");

        // What somebody writes into the configuration is put back.
        let patch = json!({"data": {"config.alloy": "// mine"}});
        world.cluster.merge(CONFIG_MAP, &world.namespace, "collect-alloy", "kubectl-edit", patch).await;
        eventually("the configuration is written again", async || {
            let map = world.cluster.get(CONFIG_MAP, &world.namespace, "collect-alloy").await;
            let config = map["data"]["config.alloy"].as_str().unwrap_or_default().to_owned();
            if config.contains("otelcol.receiver.otlp \"obstack_e2e\"") { Ok(()) } else { Err(config) }
        })
        .await;

        let two = json!({"mode": "Managed", "components": {"alloy": {"replicas": 2, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}}});
        change(world, &stack, two).await;
        let found = component(world).await.expect("a component");
        assert_eq!((text(&found, "/kind"), &found["ready"]), ("Deployment", &2.into()), "{found}");
        let now = world.cluster.get(STACK, &world.namespace, "collect").await;
        let door = format!("collect-alloy.{}.svc:4317", world.namespace);
        assert_eq!(text(&now, "/status/endpoints/collectorOtlpGrpc"), door);
        assert_eq!(
            alloys(world).await,
            ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"]
        );

        change(world, &stack, json!({"kind": "DaemonSet", "components": {"alloy": {"replicas": null}}})).await;
        let found = component(world).await.expect("a component");
        let nodes = world.cluster.list(NODE, "").await.len();
        assert_eq!((text(&found, "/kind"), &found["ready"]), ("DaemonSet", &nodes.into()), "{found}");
        assert_eq!(alloys(world).await, ["ConfigMap", "DaemonSet", "Service", "ServiceAccount"]);
        let service = world.cluster.get(SERVICE, &world.namespace, "collect-alloy").await;
        assert_eq!(service["spec"]["internalTrafficPolicy"], "Local");

        world.settled().await;
        let audit = world.audit.again();
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(audit.writes(), [], "a converged DaemonSet causes no write");

        // Another port is another configuration, which is another pod.
        let before = hash(world).await;
        change(world, &stack, json!({"otlp": {"grpcPort": 5317}})).await;
        assert_ne!(hash(world).await, before);

        world.change("collect", json!({"spec": {"collectors": null}})).await;
        world.ready(&stack).await;
        assert_eq!(alloys(world).await, Vec::<String>::new());
        assert!(world.cluster.find(DEPLOYMENT, &world.namespace, "collect-alloy").await.is_none());
    })
    .await;
}

/// The annotation that rolls the pods.
async fn hash(world: &World) -> String {
    let daemon = world.cluster.get(DAEMON_SET, &world.namespace, "collect-alloy").await;
    text(&daemon, "/spec/template/metadata/annotations/obstack.dev~1config-hash").to_owned()
}
