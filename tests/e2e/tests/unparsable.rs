//! I10: a stack that no longer parses stalls nobody. Alone in its process, because it changes the CRD for a moment.

use kube::api::ListParams;
use obstack_e2e::{SERVICE, STACK, TEMPO_SINGLE, World, condition, edited, eventually, set, text};
use serde_json::{Value, json};

/// The stored schema as an older, looser operator left it, for as long as it takes to store one object.
async fn store_loosely(world: &World, object: &Value) {
    let crds = obstack_e2e::CRD;
    let name = "observabilitystacks.obstack.dev";
    let shipped = world.cluster.get(crds, "", name).await;
    let mut loose = shipped.clone();
    let at = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deletionPolicy/enum";
    let mut words =
        shipped.pointer(at).expect("the words of deletionPolicy").as_array().expect("a list").clone();
    words.push("Whatever".into());
    set(&mut loose, at, words.into());
    world.cluster.replace(crds, &loose, false).await.expect("a looser CRD");
    let stored = eventually("the looser schema is served", async || {
        world.cluster.create(STACK, object, false).await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(stored["spec"]["deletionPolicy"], "Whatever");
    let mut again = world.cluster.get(crds, "", name).await;
    again["spec"] = shipped["spec"].clone();
    world.cluster.replace(crds, &again, false).await.expect("the shipped CRD");
}

#[tokio::test]
async fn i10_a_stack_that_no_longer_parses_stalls_nobody() {
    World::run("unparsable", async |world| {
        let operator = world.operator().await;
        let good = world.stack("good", &[TEMPO_SINGLE]);
        world.make(&good).await;
        world.ready(&good).await;
        let bad = edited(
            &world.stack("bad", &[TEMPO_SINGLE]),
            &[("/spec/deletionPolicy", "Whatever".into()), ("/spec/environment", "bad".into())],
        );
        store_loosely(world, &bad).await;

        let now = world.until(&bad, "SpecValid", "False", "InvalidSpec").await;
        let message = text(condition(&now, "SpecValid").expect("current"), "/message");
        assert!(message.contains("Whatever"), "{message}");
        alive(world, "good").await;
        let late = edited(&world.stack("late", &[TEMPO_SINGLE]), &[("/spec/environment", "late".into())]);
        world.make(&late).await;
        world.ready(&late).await;

        // Nor does it a fresh process, whose first list has it.
        assert_eq!(operator.stop(), Some(0));
        let _operator = world.operator().await;
        alive(world, "good").await;
        world.cluster.delete(STACK, &world.namespace, "bad").await;
        eventually("the bad stack can be deleted", async || {
            let left = world
                .cluster
                .api(STACK, &world.namespace)
                .list(&ListParams::default())
                .await
                .expect("stacks");
            if left.items.len() == 2 { Ok(()) } else { Err(format!("{} stacks", left.items.len())) }
        })
        .await;
        // One that is corrected goes on.
        store_loosely(world, &bad).await;
        world.until(&bad, "SpecValid", "False", "InvalidSpec").await;
        world.change("bad", json!({"spec": {"deletionPolicy": "DeleteWorkloads"}})).await;
        world.ready(&bad).await;
    })
    .await;
}

/// A stack is looked after: its Service comes back.
async fn alive(world: &World, name: &str) {
    let service = format!("{name}-tempo");
    world.cluster.delete(SERVICE, &world.namespace, &service).await;
    eventually(&format!("{service} is back"), async || {
        let found = world.cluster.find(SERVICE, &world.namespace, &service).await;
        found.map(|_| ()).ok_or_else(|| "it is gone".to_owned())
    })
    .await;
}
