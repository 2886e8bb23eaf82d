//! Volumes grow under running pods, where their class lets them.

use std::time::{Duration, Instant};

use obstack_e2e::{
    Audit, CLAIM, DEPLOYMENT, EVENT, Flags, Kind, MIMIR, POD, STATEFUL_SET, TEMPO, World, condition, edited,
    eventually, random, text,
};
use serde_json::{Value, json};

const CLASS: Kind =
    Kind { group: "storage.k8s.io", version: "v1", name: "StorageClass", plural: "storageclasses" };

/// Name and uid of pods whose name begins so.
async fn pods(world: &World, of: &str) -> Vec<(String, String)> {
    let all = world.cluster.list(POD, &world.namespace).await;
    let mut found: Vec<_> = all
        .iter()
        .map(|pod| (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/uid").to_owned()))
        .filter(|(name, _)| name.starts_with(of))
        .collect();
    found.sort();
    found
}

fn asked(claim: &Value) -> &str {
    text(claim, "/spec/resources/requests/storage")
}

/// What the claims ask for, by name.
async fn claims(world: &World, of: &str) -> Vec<(String, String)> {
    let all = world.cluster.list(CLAIM, &world.namespace).await;
    let of = |claim: &&Value| text(claim, "/metadata/name").contains(of);
    let mut found: Vec<_> = all
        .iter()
        .filter(of)
        .map(|claim| (text(claim, "/metadata/name").to_owned(), asked(claim).to_owned()))
        .collect();
    found.sort();
    found
}

/// What the claim templates of a StatefulSet ask for.
async fn template(world: &World, name: &str) -> String {
    let set = world.cluster.get(STATEFUL_SET, &world.namespace, name).await;
    asked(&set["spec"]["volumeClaimTemplates"][0]).to_owned()
}

fn size(signal: &str, component: &str, size: &str) -> Value {
    json!({"spec": {signal: {"components": {component: {"storage": {"size": size}}}}}})
}

#[tokio::test]
async fn volumes_grow_and_no_pod_notices() {
    World::run("grow", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("grow", &[TEMPO, MIMIR]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());
        let (ingester, other) = ("grow-tempo-ingester", "grow-mimir-ingester");
        // A pod that is gone has left its claim, which grows with the rest.
        let left = cluster.list(CLAIM, namespace).await;
        let left = left.iter().find(|claim| text(claim, "/metadata/name").ends_with("tempo-ingester-0")).expect("a claim");
        let name = text(left, "/metadata/name").replace("ingester-0", "ingester-7");
        let metadata = json!({"name": name, "namespace": namespace, "labels": left["metadata"]["labels"]});
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        cluster.make(CLAIM, &json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})).await;
        eventually("the claim is bound", async || {
            let claim = cluster.get(CLAIM, namespace, &name).await;
            if text(&claim, "/status/phase") == "Bound" { Ok(()) } else { Err(claim["status"].to_string()) }
        })
        .await;

        let (before, audit) = (pods(world, "grow-").await, world.audit.again());
        let set = cluster.get(STATEFUL_SET, namespace, ingester).await;
        world.change("grow", size("traces", "ingester", "3Gi")).await;
        let now = world.ready(&stack).await;
        let grown = claims(world, ingester).await;
        assert_eq!(grown.len(), 3, "{grown:?}");
        assert!(grown.iter().all(|(_, size)| size == "3Gi"), "{grown:?}");
        eventually("the volumes have grown", async || {
            let claim = cluster.get(CLAIM, namespace, &grown[0].0).await;
            let capacity = text(&claim, "/status/capacity/storage");
            if capacity == "3Gi" { Ok(()) } else { Err(capacity.to_owned()) }
        })
        .await;
        let anew = cluster.get(STATEFUL_SET, namespace, ingester).await;
        assert_ne!(anew["metadata"]["uid"], set["metadata"]["uid"], "it was made anew");
        assert_eq!(template(world, ingester).await, "3Gi");
        eventually("the new one has taken the pods back", async || {
            let pod = cluster.get(POD, namespace, "grow-tempo-ingester-0").await;
            let owner = &pod["metadata"]["ownerReferences"][0]["uid"];
            if *owner == anew["metadata"]["uid"] { Ok(()) } else { Err(owner.to_string()) }
        })
        .await;
        assert_eq!(pods(world, "grow-").await, before, "no pod was touched");
        assert!(claims(world, other).await.iter().all(|(_, size)| size == "1Gi"), "nobody asked for more there");
        let deleted: Vec<_> = audit.writes().into_iter().filter(|request| request.verb == "delete").collect();
        assert_eq!(deleted.iter().map(|request| request.name.as_str()).collect::<Vec<_>>(), [ingester]);
        assert!(text(&now["status"]["plan"], "/disruptive/0").contains("from 1Gi to 3Gi"), "{}", now["status"]["plan"]);
        assert_eq!(text(condition(&now, "DriftFree").expect("current"), "/reason"), "NoDrift", "nobody else did it");

        // Further growth, and pods that are replaced at the same time.
        let more = json!({"storage": {"size": "4Gi"}, "resources": {"requests": {"memory": "65Mi"}}});
        world.change("grow", json!({"spec": {"traces": {"components": {"ingester": more}}}})).await;
        world.ready(&stack).await;
        assert!(claims(world, ingester).await.iter().all(|(_, size)| size == "4Gi"));
        let after = pods(world, ingester).await;
        assert!(after.len() == 2 && after.iter().all(|pod| !before.contains(pod)), "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn a_volume_whose_class_does_not_grow_is_a_condition_and_nothing_is_deleted() {
    World::run("fixed", async |world| {
        let operator = world.operator().await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());
        let class = format!("fixed-{}", random());
        let fixed = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
            "provisioner": "kubernetes.io/host-path", "allowVolumeExpansion": false,
        });
        cluster.make(CLASS, &fixed).await;
        let stack = edited(
            &world.stack("fixed", &[TEMPO]),
            &[("/spec/traces/components/ingester/storage/className", class.as_str().into())],
        );
        world.make(&stack).await;
        world.ready(&stack).await;
        let set = cluster.get(STATEFUL_SET, namespace, "fixed-tempo-ingester").await;
        let before = pods(world, "fixed-").await;
        let audit = world.audit.again();

        let both = json!({"ingester": {"storage": {"size": "2Gi"}}, "querier": {"replicas": 2}});
        world.change("fixed", json!({"spec": {"traces": {"components": both}}})).await;
        let now = world.until(&stack, "PlanApplied", "False", "VolumeExpansionUnsupported").await;
        let said = text(condition(&now, "PlanApplied").expect("current"), "/message").to_owned();
        for word in ["fixed-tempo-ingester-0", &class, "1Gi", "2Gi"] {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        let kept = cluster.get(STATEFUL_SET, namespace, "fixed-tempo-ingester").await;
        assert_eq!(kept["metadata"]["uid"], set["metadata"]["uid"]);
        assert!(audit.writes().iter().all(|request| request.verb != "delete"), "nothing is deleted");
        assert!(claims(world, "ingester").await.iter().all(|(_, size)| size == "1Gi"));
        eventually("the rest of the change is carried out", async || {
            let querier = cluster.get(DEPLOYMENT, namespace, "fixed-tempo-querier").await;
            if querier["spec"]["replicas"] == 2 { Ok(()) } else { Err(querier["spec"].to_string()) }
        })
        .await;
        // A crash on the way changes nothing: the class lets them grow, and another process goes on.
        operator.kill();
        cluster.merge(CLASS, "", &class, "e2e", json!({"allowVolumeExpansion": true})).await;
        let _operator = world.operator().await;
        world.ready(&stack).await;
        assert!(claims(world, "ingester").await.iter().all(|(_, size)| size == "2Gi"));
        assert_eq!(template(world, "fixed-tempo-ingester").await, "2Gi");
        let after = pods(world, "fixed-tempo-ingester").await;
        assert!(after.iter().all(|pod| before.contains(pod)), "no pod was touched: {before:?} {after:?}");
        cluster.delete(CLASS, "", &class).await;
    })
    .await;
}

#[tokio::test]
async fn what_else_cannot_change_in_place_is_refused_and_nothing_is_deleted() {
    World::run("immutable", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("stiff", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let audit = world.audit.again();
        // Larger claims, and a field that a StatefulSet never changes.
        let patch = json!([{
            "target": {"kind": "StatefulSet", "name": "stiff-tempo-ingester"},
            "operations": [{"op": "replace", "path": "/spec/serviceName", "value": "another"}],
        }]);
        let traces = json!({"patches": patch, "components": {"ingester": {"storage": {"size": "2Gi"}}}});
        world.change("stiff", json!({"spec": {"traces": traces}})).await;
        let now = world.until(&stack, "PlanApplied", "False", "ApplyRejected").await;
        let said = text(condition(&now, "PlanApplied").expect("current"), "/message").to_owned();
        assert!(said.contains("stiff-tempo-ingester") && said.contains("--cascade=orphan"), "{said}");
        assert!(audit.writes().iter().all(|request| request.verb != "delete"));
        assert!(
            claims(world, "ingester").await.iter().all(|(_, size)| size == "1Gi"),
            "no claim grows for nothing"
        );

        world.change("stiff", json!({"spec": {"traces": {"patches": null}}})).await;
        world.ready(&stack).await;
        assert!(claims(world, "ingester").await.iter().all(|(_, size)| size == "2Gi"));
    })
    .await;
}

#[tokio::test]
async fn i3_killed_anywhere_on_the_way_volumes_still_grow() {
    World::run("cut", async |world| {
        // Without election a killed process need not be waited out.
        let flags = Flags { more: vec!["--leader-elect=false".into()], ..Flags::default() };
        let stack = world.stack("cut", &[TEMPO]);
        let first = world.spawn(&flags);
        world.make(&stack).await;
        world.ready(&stack).await;
        first.kill();
        let before = pods(world, "cut-").await;
        // Inventory, two claims, the StatefulSet away and anew, inventory.
        let mut killed = 0;
        for point in 1..=6 {
            let grown = format!("{}Gi", point + 1);
            let audit = world.audit.again();
            world.change("cut", size("traces", "ingester", &grown)).await;
            killed += usize::from(kill_after(world, &flags, &audit, point).await);
            let next = world.spawn(&flags);
            world.ready(&stack).await;
            assert!(claims(world, "ingester").await.iter().all(|(_, size)| *size == grown), "cut at {point}");
            assert_eq!(template(world, "cut-tempo-ingester").await, grown, "cut at {point}");
            next.kill();
        }
        assert!(killed >= 5, "only {killed} processes had anything to do when they were killed");
        assert_eq!(pods(world, "cut-").await, before, "no pod was touched");
        let events = world.cluster.list(EVENT, &world.namespace).await;
        let blamed: Vec<_> = events.iter().filter(|event| text(event, "/reason") == "Drifted").collect();
        assert!(blamed.is_empty(), "nobody else changed anything: {blamed:#?}");
    })
    .await;
}

/// Starts an operator and kills it when it has written so often; whether it came so far.
async fn kill_after(world: &World, flags: &Flags, audit: &Audit, writes: usize) -> bool {
    let said = ["observabilitystacks", "observabilitystacks/status", "events"];
    let operator = world.spawn(flags);
    let end = Instant::now() + Duration::from_secs(10);
    let written =
        || audit.writes().iter().filter(|request| !said.contains(&request.resource.as_str())).count();
    while written() < writes && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    operator.kill();
    Instant::now() < end
}
