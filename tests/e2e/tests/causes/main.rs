//! Every cause is injected into a stack that is ready, is named with its object and its number, and heals without
//! anything being restarted. How many seconds that takes is a table, not an assertion.

mod drill;
mod expect;
mod inject;
mod record;
mod simulated;
mod table;

use std::{fs, os::unix::fs::symlink};

use obstack_e2e::{
    Door, Flags, MIMIR, NODE, POD, STACK, STORAGE_CLASS, TEMPO_SINGLE, World, eventually, set,
};
use serde_json::json;

use drill::{Cause, Scene, drill, passed};

#[tokio::test]
async fn what_quotas_and_bounds_refuse_is_named_and_heals() {
    World::run("refused", async |world| {
        let _operator = world.operator().await;
        let scene = Scene::around(world, "1 refused", &[TEMPO_SINGLE]).ready().await;
        passed(&drill(&scene, expect::REFUSED).await);
    })
    .await;
}

#[tokio::test]
async fn what_admission_denies_or_changes_is_named_and_heals() {
    World::run("admission", async |world| {
        let _operator = world.operator().await;
        let scene = Scene::around(world, "2 admission", &[TEMPO_SINGLE]).ready().await;
        passed(&drill(&scene, expect::ADMISSION).await);
    })
    .await;
}

#[tokio::test]
async fn what_a_kubelet_shows_is_named_and_heals() {
    World::run("pods", async |world| {
        let _operator = world.operator().await;
        let scene = Scene::around(world, "3 pods", &[TEMPO_SINGLE]).ready().await;
        passed(&drill(&scene, expect::PODS).await);
    })
    .await;
}

#[tokio::test]
async fn what_the_spec_asks_for_and_is_not_there_is_named_and_heals() {
    World::run("spec", async |world| {
        let charts = world.dir.path().join("charts");
        fs::create_dir(&charts).expect("a folder for charts");
        let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/bundled/tempo");
        symlink(bundled, charts.join("tempo-2.2.4")).expect("a link to a chart");
        let operator = world.spawn(&Flags { charts: Some(charts), ..Flags::default() });
        operator.working().await;
        let scene = Scene::around(world, "4 spec", &[TEMPO_SINGLE]).ready().await;
        passed(&drill(&scene, expect::SPEC).await);
    })
    .await;
}

#[tokio::test]
async fn what_the_object_store_refuses_is_named_once_and_heals() {
    World::run("store", async |world| {
        let flags = Flags { more: vec!["--probe-interval".into(), "2".into()], ..Flags::default() };
        let operator = world.spawn(&flags);
        operator.working().await;
        let door = Door::to(&world.sandbox.s3.endpoint);
        let mut scene = Scene::around(world, "5 storage", &[TEMPO_SINGLE, MIMIR]);
        set(&mut scene.stack, "/spec/objectStorage/endpoint", door.endpoint().into());
        set(&mut scene.stack, "/spec/objectStorage/buckets/create", false.into());
        scene.door = Some(door);
        for bucket in
            ["traces-dev-blocks", "metrics-dev-blocks", "metrics-dev-ruler", "metrics-dev-alertmanager"]
        {
            world.s3.make_bucket(&format!("{}-{bucket}", world.prefix)).await;
        }
        let scene = scene.ready().await;
        passed(&drill(&scene, expect::STORAGE).await);
    })
    .await;
}

#[tokio::test]
async fn a_claim_without_its_class_is_named_by_an_operator_that_may_read_classes() {
    claims("claims", "6 claims", true, expect::CLAIM).await;
}

#[tokio::test]
async fn a_claim_without_its_class_is_named_by_an_operator_that_may_not() {
    claims("few", "6 claims of few rights", false, expect::CLAIM_OF_FEW_RIGHTS).await;
}

async fn claims(name: &str, part: &'static str, everywhere: bool, causes: &[Cause]) {
    World::run(name, async |world| {
        if everywhere {
            world.grant_everywhere().await;
        }
        let _operator = world.operator().await;
        let scene = Scene::around(world, part, &[TEMPO_SINGLE]);
        let wrong = drill(&scene, causes).await;
        world.cluster.delete(STORAGE_CLASS, "", &inject::class_name(&scene)).await;
        passed(&wrong);
    })
    .await;
}

#[tokio::test]
async fn a_lost_node_is_named_and_heals() {
    World::run("node", async |world| {
        world.grant_everywhere().await;
        let _operator = world.operator().await;
        let mut scene = Scene::around(world, "7 node", &[TEMPO_SINGLE]);
        let node = simulated::node(&scene);
        let own = json!({"e2e.obstack.dev/own": node});
        let size = json!({"cpu": "4", "memory": "16Gi", "pods": "10"});
        let object = json!({
            "metadata": {"name": node, "labels": own},
            "spec": {"taints": [{"key": "e2e.obstack.dev/own", "value": node, "effect": "NoSchedule"}]},
            "status": {"capacity": size, "allocatable": size},
        });
        world.cluster.make(NODE, &object).await;
        let component = "/spec/traces/components/singleBinary";
        set(&mut scene.stack, &format!("{component}/nodeSelector"), own);
        let tolerations = json!([{"key": "e2e.obstack.dev/own", "operator": "Exists"}]);
        set(&mut scene.stack, &format!("{component}/tolerations"), tolerations);
        let scene = scene.ready().await;
        let wrong = drill(&scene, expect::NODE).await;
        // A node that goes before its pods leaves them to nobody.
        world.cluster.delete(STACK, &world.namespace, scene.name()).await;
        eventually("the pods are gone", async || {
            let left = world.cluster.list(POD, &world.namespace).await.len();
            if left == 0 { Ok(()) } else { Err(format!("{left} pods")) }
        })
        .await;
        world.cluster.delete(NODE, "", &node).await;
        passed(&wrong);
    })
    .await;
}
