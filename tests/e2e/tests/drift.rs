//! What somebody else does to the stack's objects: ours is put back, theirs is left alone.

use std::time::Duration;

use obstack_e2e::{CONFIG_MAP, DEPLOYMENT, EVENT, SERVICE, TEMPO, World, eventually, holds_for, text};
use serde_json::{Value, json};

/// An event that says that an object was put back, and by whom it was changed.
async fn drifted(world: &World, object: &str, words: &[&str]) -> Value {
    eventually(&format!("an event says that {object} was put back"), async || {
        let events = world.cluster.list(EVENT, &world.namespace).await;
        let found = events.iter().find(|event| {
            let note = text(event, "/note");
            text(event, "/reason") == "Drifted"
                && note.contains(object)
                && words.iter().all(|word| note.contains(word))
        });
        let said = || events.iter().map(|event| text(event, "/note")).collect::<Vec<_>>().join("\n");
        found.cloned().ok_or_else(said)
    })
    .await
}

#[tokio::test]
async fn what_is_ours_is_put_back_and_the_event_names_who_changed_it() {
    World::run("drift", async |world| {
        let operator = world.operator().await;
        let stack = world.stack("drift", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());

        let uid = cluster.get(SERVICE, namespace, "drift-tempo-distributor").await["metadata"]["uid"].clone();
        cluster.delete(SERVICE, namespace, "drift-tempo-distributor").await;
        eventually("the Service is back", async || {
            let found =
                cluster.find(SERVICE, namespace, "drift-tempo-distributor").await.ok_or("it is gone")?;
            if found["metadata"]["uid"] == uid { Err("it is the old one".to_owned()) } else { Ok(()) }
        })
        .await;
        let event = drifted(world, "Service", &["drift-tempo-distributor", "was deleted"]).await;
        assert_eq!(text(&event, "/regarding/kind"), "ObservabilityStack", "{event:#}");
        assert_eq!(text(&event, "/related/name"), "drift-tempo-distributor", "{event:#}");

        cluster
            .merge(
                DEPLOYMENT,
                namespace,
                "drift-tempo-querier",
                "kubectl-scale",
                json!({"spec": {"replicas": 3}}),
            )
            .await;
        eventually("the replicas are put back", async || {
            let found = cluster.get(DEPLOYMENT, namespace, "drift-tempo-querier").await;
            if found["spec"]["replicas"] == 1 { Ok(()) } else { Err(found["spec"]["replicas"].to_string()) }
        })
        .await;
        drifted(world, "Deployment", &["drift-tempo-querier", "was changed", "by kubectl-scale"]).await;

        let config = config(world).await;
        let (name, key) = (
            text(&config, "/metadata/name").to_owned(),
            config["data"].as_object().expect("data").keys().next().expect("a key").clone(),
        );
        cluster.merge(CONFIG_MAP, namespace, &name, "kubectl-edit", json!({"data": {&key: "broken"}})).await;
        eventually("the configuration is put back", async || {
            let found = cluster.get(CONFIG_MAP, namespace, &name).await;
            if found["data"] == config["data"] { Ok(()) } else { Err(found["data"].to_string()) }
        })
        .await;
        drifted(world, "ConfigMap", &[&name, "by kubectl-edit"]).await;
        world.ready(&stack).await;
        assert!(
            (operator.metric("obstack_drift_repaired_total", "") - 3.0).abs() < 0.5,
            "each is repaired once"
        );
        assert!(
            (operator.metric("obstack_drift_repaired_total", "manager=\"kubectl-edit\"") - 1.0).abs() < 0.5
        );
    })
    .await;
}

/// A ConfigMap that the chart renders.
async fn config(world: &World) -> Value {
    let all = world.cluster.list(CONFIG_MAP, &world.namespace).await;
    let of_chart = |object: &&Value| {
        let name = text(object, "/metadata/name");
        name.contains("-tempo") && !text(object, "/metadata/labels/obstack.dev~1stack").is_empty()
    };
    all.iter().find(of_chart).expect("a ConfigMap of the chart").clone()
}

#[tokio::test]
async fn i13_fields_and_objects_of_others_are_left_alone() {
    World::run("foreign", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("foreign", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());
        // It looks like one of the stack's, and nobody but its author knows it.
        let labels = json!({"app.kubernetes.io/instance": "foreign-tempo", "obstack.dev/stack": format!("{namespace}.foreign")});
        let unrelated = json!({"metadata": {"name": "foreign-tempo-extra", "namespace": namespace, "labels": labels}, "data": {"a": "b"}});
        let unrelated = cluster.make(CONFIG_MAP, &unrelated).await;
        world.settled().await;

        let audit = world.audit.again();
        let note = json!({"metadata": {"annotations": {"example.com/note": "theirs"}}});
        cluster.merge(SERVICE, namespace, "foreign-tempo-distributor", "argo", note).await;
        // An annotation would be a new generation of a Deployment, which its controller first has to look at.
        let label = json!({"metadata": {"labels": {"example.com/team": "a"}}});
        cluster.merge(DEPLOYMENT, namespace, "foreign-tempo-querier", "argo", label).await;
        holds_for(Duration::from_secs(3), "metadata of others stays", async || {
            let service = cluster.get(SERVICE, namespace, "foreign-tempo-distributor").await;
            let querier = cluster.get(DEPLOYMENT, namespace, "foreign-tempo-querier").await;
            let kept = text(&service, "/metadata/annotations/example.com~1note") == "theirs"
                && text(&querier, "/metadata/labels/example.com~1team") == "a";
            if kept { Ok(()) } else { Err(format!("{} {}", service["metadata"], querier["metadata"])) }
        })
        .await;
        assert_eq!(audit.writes(), [], "metadata of somebody else causes no write");
        // Not rendered, so it is theirs. The Deployment's controller has to look at it, which shows in the status.
        let field = json!({"spec": {"progressDeadlineSeconds": 599}});
        cluster.merge(DEPLOYMENT, namespace, "foreign-tempo-compactor", "argo", field).await;
        holds_for(Duration::from_secs(3), "a field of others stays", async || {
            let compactor = cluster.get(DEPLOYMENT, namespace, "foreign-tempo-compactor").await;
            if compactor["spec"]["progressDeadlineSeconds"] == 599 { Ok(()) } else { Err(compactor["spec"].to_string()) }
        })
        .await;
        let said = ["observabilitystacks/status", "events"];
        let written: Vec<_> = audit.writes().into_iter().filter(|request| !said.contains(&request.resource.as_str())).collect();
        assert_eq!(written, [], "a field of somebody else causes no write but the status");

        // A change of our own leaves theirs in place.
        world.change("foreign", json!({"spec": {"traces": {"components": {"querier": {"replicas": 2}}}}})).await;
        world.ready(&stack).await;
        let querier = cluster.get(DEPLOYMENT, namespace, "foreign-tempo-querier").await;
        assert_eq!((querier["spec"]["replicas"].as_i64(), text(&querier, "/metadata/labels/example.com~1team")), (Some(2), "a"));
        let now = cluster.get(CONFIG_MAP, namespace, "foreign-tempo-extra").await;
        assert_eq!(now["metadata"]["resourceVersion"], unrelated["metadata"]["resourceVersion"], "I5: what is in no inventory is never pruned");
    })
    .await;
}

#[tokio::test]
async fn drift_while_the_operator_is_away_is_repaired_when_it_comes_back() {
    World::run("away", async |world| {
        let operator = world.operator().await;
        let stack = world.stack("away", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        assert_eq!(operator.stop(), Some(0));
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());
        cluster.delete(SERVICE, namespace, "away-tempo-distributor").await;
        cluster
            .merge(
                DEPLOYMENT,
                namespace,
                "away-tempo-querier",
                "kubectl-scale",
                json!({"spec": {"replicas": 2}}),
            )
            .await;
        let _operator = world.operator().await;
        eventually("both are put back", async || {
            let service = cluster.find(SERVICE, namespace, "away-tempo-distributor").await;
            let replicas =
                &cluster.get(DEPLOYMENT, namespace, "away-tempo-querier").await["spec"]["replicas"];
            if service.is_some() && *replicas == 1 {
                Ok(())
            } else {
                Err(format!("{} {replicas}", service.is_some()))
            }
        })
        .await;
        drifted(world, "Deployment", &["away-tempo-querier", "by kubectl-scale"]).await;
    })
    .await;
}
