//! Mimir with replication factor 3: one ingester hangs, a node is drained, keys are rotated. Writes and queries go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::{Duration, Instant},
};

use obstack_e2e::{Keys, NODE, World, condition, edited, eventually, holds_for, text};
use obstack_real::{
    HA, Install, Pods, Telemetry, Traffic, away, ingesters, law, note, on_real_pods, pods, ran,
};
use obstack_sandbox::ContainerSignal;
use serde_json::Value;

const SEED: usize = 200;
/// Longer than it takes until a hung ingester is not ready any more.
const HUNG_FOR: Duration = Duration::from_secs(45);

#[tokio::test]
async fn one_of_everything_may_go() {
    on_real_pods("ha", &[], async |world, install| {
        let stack = edited(
            &world.stack("ha", &[HA]),
            &[("/spec/environment", "ha".into()), ("/spec/canary/interval", "15s".into())],
        );
        let began = Instant::now();
        world.make(&stack).await;
        let stack = world.ready(&stack).await;
        took("applied to Ready", began);
        let telemetry = Telemetry::of(&world.cluster, &stack);
        eventually("the first metric is taken", async || telemetry.write("first", 0).await).await;
        for number in 0..SEED {
            telemetry.write("seed", number).await.expect("a series is taken");
        }
        hung(world, &stack, &telemetry).await;
        drained(world, install, &stack, &telemetry).await;
        rotated(world, &stack, &telemetry).await;
        law("i12 the shipped rights are enough", async { assert_eq!(install.refused(), []) }).await;
    })
    .await;
}

fn took(what: &str, began: Instant) {
    note("ha", what, &format!("{:.1} s", began.elapsed().as_secs_f32()));
}

/// Ends the traffic, and holds it against the law that nothing failed.
async fn nothing_failed(traffic: Traffic, beside: &str) {
    let (writes, queries) = traffic.end().await;
    note("ha", &format!("writes beside {beside}"), &writes.told());
    note("ha", &format!("queries beside {beside}"), &queries.told());
    writes.assert_whole("writes");
    queries.assert_whole("queries");
}

async fn hung(world: &World, stack: &Value, telemetry: &Telemetry) {
    let before = ran(world, stack).await;
    let ingester = ingesters(world, stack).await.swap_remove(1);
    let name = text(&ingester, "/metadata/name").to_owned();
    let send = |signal| {
        let sent = world.sandbox.kill_container(&world.namespace, &name, "ingester", signal);
        sent.unwrap_or_else(|error| panic!("{error}"));
    };
    law("with one ingester hung, writes and queries go on without an error", async {
        let traffic = Traffic::begin(telemetry, "beside-hung", ("seed", SEED));
        send(ContainerSignal::Stop);
        let began = Instant::now();
        let said = async {
            world.until(stack, "WorkloadsReady", "False", "ProbeFailing").await;
            took("ingester hung to WorkloadsReady=False", began);
            let now = world.until(stack, "FaultTolerant", "False", "ComponentsNotReady").await;
            for (type_, status) in [("Available", "True"), ("Ready", "False")] {
                let said = condition(&now, type_).expect("current");
                assert_eq!(said["status"], status, "{said:#}");
            }
            assert_eq!(tolerates(&now), 0, "none more may go");
            tokio::time::sleep(HUNG_FOR.saturating_sub(began.elapsed())).await;
        };
        said.await;
        nothing_failed(traffic, "a hung ingester").await;
        send(ContainerSignal::Continue);
        let began = Instant::now();
        let now = world.ready(stack).await;
        took("ingester goes on to Ready", began);
        assert_eq!(tolerates(&now), 1);
        // One pod may go again, and still all of them stand on the only node that runs containers.
        world.until(stack, "FaultTolerant", "False", "ZonesTooFew").await;
        assert_eq!(ran(world, stack).await, before, "nothing restarted");
    })
    .await;
}

/// How many ingesters may be lost at once, as the status has it.
fn tolerates(stack: &Value) -> i64 {
    let components = stack["status"]["components"].as_array().expect("components");
    let ingester = components.iter().find(|one| one["name"] == "metrics.ingester").expect("ingesters");
    ingester["toleratesFailures"].as_i64().expect("a number")
}

async fn drained(world: &World, install: &Install, stack: &Value, telemetry: &Telemetry) {
    law("a drain takes one pod of a component at a time, and writes and queries go on", async {
        world.until(stack, "DisruptionProtected", "True", "Protected").await;
        let traffic = Traffic::begin(telemetry, "beside-drain", ("seed", SEED));
        let selector = format!("--pod-selector=obstack.dev/stack={}.ha", world.namespace);
        // Nothing that is evicted finds a place: it is the only node, so this drain cannot come to its end.
        let mut drain = world
            .sandbox
            .kubectl([
                "drain",
                obstack_sandbox::REAL_NODE,
                &selector,
                "--delete-emptydir-data",
                "--timeout=40s",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        let mut most = BTreeMap::new();
        while drain.try_wait().expect("kubectl").is_none() {
            for (component, count) in away(&pods(world, stack).await) {
                let most: &mut usize = most.entry(component).or_default();
                *most = count.max(*most);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let output = drain.wait_with_output().expect("kubectl ends");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        println!("{told}");
        assert!(!output.status.success(), "the budgets kept the drain from its end: {told}");
        assert!(told.contains("disruption budget"), "{told}");
        assert_eq!(most.get("metrics.ingester"), Some(&1), "{most:?}");
        assert!(most.values().all(|count| *count == 1), "{most:?}");
        holds_for(Duration::from_secs(5), "one ingester is away", async || {
            let away = away(&ingesters(world, stack).await).values().sum::<usize>();
            if away <= 1 { Ok(()) } else { Err(format!("{away} are")) }
        })
        .await;
        install.kubectl(&["uncordon", obstack_sandbox::REAL_NODE]);
        let began = Instant::now();
        world.ready(stack).await;
        took("node taken back to Ready", began);
        nothing_failed(traffic, "a drain").await;
        let node = world.cluster.get(NODE, "", obstack_sandbox::REAL_NODE).await;
        assert!(node["spec"]["unschedulable"].is_null());
    })
    .await;
}

async fn rotated(world: &World, stack: &Value, telemetry: &Telemetry) {
    law("new keys roll every pod once, one of a component at a time, and writes and queries go on", async {
        let before = ran(world, stack).await;
        let traffic = Traffic::begin(telemetry, "beside-rotation", ("seed", SEED));
        let s3 = &world.sandbox.s3;
        let keys = Keys { access: s3.spare_access_key.clone(), secret: s3.spare_secret_key.clone() };
        let began = Instant::now();
        world.put_keys(&world.namespace, "s3", &keys).await;
        world.until(stack, "WorkloadsReady", "False", "RolloutInProgress").await;
        let mut lives: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut order = Vec::new();
        eventually("every pod was replaced", async || {
            let now = pods(world, stack).await;
            let most = away(&ingesters(world, stack).await).values().sum::<usize>();
            assert!(most <= 1, "{most} ingesters are away at once");
            for pod in &now {
                let (name, uid) = (text(pod, "/metadata/name"), text(pod, "/metadata/uid"));
                if lives.entry(name.to_owned()).or_default().insert(uid.to_owned())
                    && name.contains("-ingester-")
                {
                    order.push(name.to_owned());
                }
            }
            let old: Vec<_> = now
                .iter()
                .filter(|pod| before.values().any(|(uid, _)| uid == text(pod, "/metadata/uid")))
                .map(|pod| text(pod, "/metadata/name").to_owned())
                .collect();
            if old.is_empty() { Ok(()) } else { Err(format!("of before: {old:?}")) }
        })
        .await;
        world.ready(stack).await;
        took("keys rotated to Ready", began);
        nothing_failed(traffic, "a rotation of keys").await;
        once(&before, &lives, &ran(world, stack).await);
        // The three of before, then the new ones from the last to the first.
        let places: Vec<_> = order.iter().map(|name| name.rsplit('-').next().unwrap_or_default()).collect();
        assert_eq!(places[3..], ["2", "1", "0"], "{order:?}");
        world.until(stack, "DataPathVerified", "True", "Verified").await;
    })
    .await;
}

/// No pod had more than one successor, and none restarted.
fn once(before: &Pods, lives: &BTreeMap<String, BTreeSet<String>>, after: &Pods) {
    assert_eq!(before.len(), after.len());
    for (name, (_, restarts)) in after {
        assert_eq!(*restarts, 0, "{name} restarted");
        let had = if before.contains_key(name) { 2 } else { 1 };
        assert_eq!(lives[name].len(), had, "{name} was replaced once");
    }
    // Pods of Deployments have new names: as many as before, none of them twice.
    let of_deployments = lives.keys().filter(|name| !before.contains_key(*name)).count();
    assert_eq!(of_deployments, after.keys().filter(|name| !before.contains_key(*name)).count(), "{lives:?}");
}
