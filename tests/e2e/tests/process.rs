//! The process: its pages, how it ends, how it is replaced, how it survives being killed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use obstack_e2e::{
    CLAIM, CONFIG_MAP, DEPLOYMENT, Flags, LEASE, MADE, MIMIR, POD, SERVICE, STACK, TEMPO, TEMPO_SINGLE,
    World, edited, eventually, text,
};
use serde_json::{Value, json};

#[tokio::test]
async fn the_pages_answer() {
    World::run("pages", async |world| {
        let operator = world.operator().await;
        world.make(&world.stack("pages", &[TEMPO_SINGLE])).await;
        world.ready(&world.stack("pages", &[TEMPO_SINGLE])).await;
        assert_eq!(operator.http("/healthz"), Ok((200, "ok\n".to_owned())));
        assert_eq!(operator.http("/readyz"), Ok((200, "working\n".to_owned())));
        assert_eq!(operator.http("/nothing").map(|answer| answer.0), Ok(404));
        let (code, metrics) = operator.http("/metrics").expect("metrics");
        assert!(code == 200 && metrics.ends_with("# EOF\n"), "{metrics}");
        assert!((operator.metric("obstack_leader", "") - 1.0).abs() < 0.1);
        for name in [
            "obstack_reconcile_duration_seconds_count",
            "obstack_writes_total",
            "obstack_api_requests_total",
            "obstack_renders_total",
        ] {
            assert!(operator.metric(name, "") > 0.5, "{name}\n{metrics}");
        }
        let ready = |line: &str| {
            line.starts_with("obstack_condition{")
                && line.contains("type=\"Ready\"")
                && line.contains("status=\"True\"")
                && line.ends_with(" 1")
        };
        assert!(metrics.lines().any(ready), "{metrics}");
        assert!(operator.metric("obstack_reconcile_total", "result=\"error\"") < 0.5, "{}", operator.log());

        // Every line about the stack names it.
        let log = operator.log();
        let about = log.lines().filter(|line| line.contains("obstack_engine::execute"));
        assert!(about.into_iter().all(|line| line.contains(&format!("{}/pages", world.namespace))), "{log}");
        world.cluster.delete(STACK, &world.namespace, "pages").await;
        eventually("the metrics forget the stack", async || {
            let (_, metrics) = operator.http("/metrics")?;
            if metrics.contains("name=\"pages\"") { Err(metrics) } else { Ok(()) }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn i11_a_standby_takes_over_when_the_leader_is_told_to_stop() {
    World::run("lease", async |world| {
        let leader = world.operator().await;
        let stack = world.stack("lease", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let standby = world.spawn(&Flags::default());
        eventually("the second one stands by", async || {
            let (code, text) = standby.http("/readyz")?;
            if code == 200 && text.starts_with("standby: ") { Ok(()) } else { Err(format!("{code} {text}")) }
        })
        .await;
        let began = Instant::now();
        assert_eq!(leader.stop(), Some(0));
        let stopped = began.elapsed();
        assert!(stopped < Duration::from_secs(3), "it took {stopped:?} to stop");
        let lease = world.cluster.get(LEASE, world.home(), "obstack").await;
        println!("stopped after {stopped:?}; the Lease then: {}", lease["spec"]);
        standby.working().await;
        println!("taken over after {:?}", began.elapsed());
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "a released Lease is not waited out: {:?}",
            began.elapsed()
        );
        world.cluster.delete(SERVICE, &world.namespace, "lease-tempo").await;
        eventually("the new leader repairs", async || {
            let found = world.cluster.find(SERVICE, &world.namespace, "lease-tempo").await;
            found.map(|_| ()).ok_or_else(|| "the Service is gone".to_owned())
        })
        .await;
    })
    .await;
}

/// The objects of a stack without what differs from one creation to the next.
async fn objects(world: &World) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for kind in MADE {
        for mut object in world.cluster.list(kind, &world.namespace).await {
            let name = text(&object, "/metadata/name").to_owned();
            if ["default", "kube-root-ca.crt", "s3"].contains(&name.as_str()) {
                continue;
            }
            if name.ends_with("-inventory") {
                object = inventory(&object);
            }
            for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
                object["metadata"].as_object_mut().expect("metadata").remove(field);
            }
            for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
                owner["uid"] = "masked".into();
            }
            object.as_object_mut().expect("an object").remove("status");
            let masked = [
                "/spec/clusterIP",
                "/spec/clusterIPs",
                // It is keyed by the stack's uid.
                "/spec/template/metadata/annotations/obstack.dev~1credentials-hash",
                "/metadata/annotations/deployment.kubernetes.io~1revision",
            ];
            for pointer in masked {
                if let Some(value) = object.pointer_mut(pointer)
                    && *value != json!("None")
                    && *value != json!(["None"])
                {
                    *value = "masked".into();
                }
            }
            all.insert(format!("{}/{name}", kind.name), object);
        }
    }
    all
}

/// Of an inventory, which objects it names and what it says of the rest of the stack.
fn inventory(object: &Value) -> Value {
    let mut list: Value = serde_json::from_str(text(object, "/data/inventory.json")).expect("an inventory");
    for field in ["input", "epoch"] {
        list[field] = (list[field] != "").into();
    }
    for entry in list["objects"].as_object_mut().expect("objects").values_mut() {
        let complete =
            ["hash", "uid", "owned"].iter().all(|field| !text(entry, &format!("/{field}")).is_empty());
        *entry = complete.into();
    }
    // Both are of the pod templates and objects, which name the stack's uid.
    list["change"]["digest"] = "of this stack".into();
    for component in list["components"].as_array_mut().expect("components") {
        component["need"]["template"] = "of this stack".into();
    }
    let mut object = object.clone();
    object["data"] = list;
    object
}

#[tokio::test]
async fn i3_killed_after_any_write_the_end_is_the_same() {
    World::run("killed", async |world| {
        // Without election a killed process need not be waited out.
        let flags = Flags { more: vec!["--leader-elect=false".into()], ..Flags::default() };
        let stack = world.stack("killed", &[TEMPO]);
        let change = |stack: &Value| {
            edited(
                stack,
                &[
                    ("/spec/traces/components/compactor/replicas", 0.into()),
                    ("/spec/traces/components/querier/replicas", 2.into()),
                ],
            )
        };
        let calm = world.spawn(&flags);
        calm.working().await;
        let audit = world.audit.again();
        world.make(&stack).await;
        world.ready(&stack).await;
        let writes = audit.writes().len();
        let undisturbed = objects(world).await;
        world.change("killed", json!({"spec": {"traces": change(&stack)["spec"]["traces"]}})).await;
        world.ready(&stack).await;
        let changed = objects(world).await;
        let compactor = "Deployment/killed-tempo-compactor";
        assert!(
            undisturbed.contains_key(compactor) && !changed.contains_key(compactor),
            "{:?}",
            changed.keys()
        );
        gone(world, "killed").await;
        assert_eq!(calm.stop(), Some(0));

        let mut killed = 0;
        let points: Vec<usize> = (0..7).map(|n| 1 + n * writes / 7).collect();
        let audit = world.audit.again();
        world.make(&stack).await;
        for point in &points {
            killed += usize::from(kill_after(world, &flags, &audit, *point).await);
        }
        let last = world.spawn(&flags);
        last.working().await;
        world.ready(&stack).await;
        same(&undisturbed, &objects(world).await);
        assert_eq!(last.stop(), Some(0));

        world.change("killed", json!({"spec": {"traces": change(&stack)["spec"]["traces"]}})).await;
        let audit = world.audit.again();
        for point in [1, 2, 3] {
            killed += usize::from(kill_after(world, &flags, &audit, point).await);
        }
        let last = world.spawn(&flags);
        last.working().await;
        world.ready(&stack).await;
        same(&changed, &objects(world).await);
        println!("{writes} writes undisturbed, killed {killed} times at {points:?}");
        assert!(killed >= 5, "only {killed} processes had anything to do when they were killed");
    })
    .await;
}

#[tokio::test]
async fn i5_what_a_killed_process_made_is_known_to_the_next() {
    World::run("leak", async |world| {
        let flags = Flags { more: vec!["--leader-elect=false".into()], ..Flags::default() };
        let stack = world.stack("leak", &[TEMPO_SINGLE, MIMIR]);
        let mimir = async || {
            let made = world.snapshot().await;
            made.into_keys().filter(|id| id.contains("/leak-mimir")).collect::<Vec<_>>()
        };
        let audit = world.audit.again();
        world.make(&stack).await;
        assert!(kill_after(world, &flags, &audit, 15).await, "it makes objects");
        assert!(!mimir().await.is_empty(), "it was killed after it had made some");
        // What was half made is not wanted any more.
        world.change("leak", json!({"spec": {"metrics": null}})).await;
        let operator = world.spawn(&flags);
        operator.working().await;
        world.ready(&stack).await;
        assert_eq!(mimir().await, Vec::<String>::new(), "all of it is pruned");
    })
    .await;
}

/// Starts a process and kills it once so many writes were made; says whether they were.
async fn kill_after(world: &World, flags: &Flags, audit: &obstack_e2e::Audit, writes: usize) -> bool {
    let operator = world.spawn(flags);
    let end = Instant::now() + Duration::from_secs(6);
    while audit.writes().len() < writes && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    operator.kill();
    Instant::now() < end
}

fn same(wanted: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) {
    assert_eq!(wanted.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "I3: the same objects");
    for (id, object) in wanted {
        assert_eq!(object, &found[id], "I3: {id}");
    }
}

async fn gone(world: &World, name: &str) {
    world.cluster.delete(STACK, &world.namespace, name).await;
    eventually("the stack and its objects are gone", async || {
        let mut left = world.cluster.list(POD, &world.namespace).await.len();
        for kind in [DEPLOYMENT, CONFIG_MAP, SERVICE] {
            let all = world.cluster.list(kind, &world.namespace).await;
            left += all.iter().filter(|object| text(object, "/metadata/name").starts_with(name)).count();
        }
        if left == 0 && world.cluster.find(STACK, &world.namespace, name).await.is_none() {
            Ok(())
        } else {
            Err(format!("{left} objects"))
        }
    })
    .await;
    assert!(!world.cluster.list(CLAIM, &world.namespace).await.is_empty(), "I4");
}
