//! Mimir with replication factor 3: one ingester hangs, a node is drained, keys are rotated. Writes and queries go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::{Duration, Instant},
};

use obstack_e2e::{Keys, NODE, World, condition, edited, eventually, text};
use obstack_real::{HA, Install, Telemetry, Traffic, ingesters, law, note, on_real_pods, pods, ran, ready};
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
        let full = ready(&pods(world, stack).await);
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
        let mut least = full.clone();
        while drain.try_wait().expect("kubectl").is_none() {
            for (component, count) in ready(&pods(world, stack).await) {
                let least = least.entry(component).or_default();
                *least = count.min(*least);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let output = drain.wait_with_output().expect("kubectl ends");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        println!("{told}");
        assert!(!output.status.success(), "the budgets kept the drain from its end: {told}");
        assert!(told.contains("disruption budget"), "{told}");
        let away: BTreeMap<_, _> =
            full.iter().map(|(component, all)| (component.as_str(), all - least[component])).collect();
        println!("away at once, at most: {away:?}");
        assert_eq!(away["metrics.ingester"], 1);
        assert!(away.values().all(|count| *count <= 1), "{away:?}");
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
    law("new keys roll the pods that have them, one ingester at a time; writes and queries go on", async {
        let before = staying(world, stack).await;
        let (holders, others): (Vec<_>, Vec<_>) = before
            .iter()
            .partition(|pod| pod["metadata"]["annotations"].get("obstack.dev/credentials-hash").is_some());
        let (holders, others) = (uids(holders), uids(others));
        assert!(!holders.is_empty() && !others.is_empty(), "{holders:?} {others:?}");
        let traffic = Traffic::begin(telemetry, "beside-rotation", ("seed", SEED));
        let s3 = &world.sandbox.s3;
        let keys = Keys { access: s3.spare_access_key.clone(), secret: s3.spare_secret_key.clone() };
        let began = Instant::now();
        world.put_keys(&world.namespace, "s3", &keys).await;
        let mut new = BTreeSet::new();
        let mut order = Vec::new();
        eventually("every pod with the old keys has a successor", async || {
            let now = staying(world, stack).await;
            let there = ready(&now).get("metrics.ingester").copied();
            assert!(there >= Some(2), "ingesters that are ready: {there:?}");
            let (uids, name) = (uids(&now), |pod: &Value| text(pod, "/metadata/name").to_owned());
            assert!(uids.is_superset(&others), "a pod without keys was replaced");
            for pod in &now {
                let uid = text(pod, "/metadata/uid");
                let fresh = !holders.contains(uid) && !others.contains(uid) && new.insert(uid.to_owned());
                if fresh && name(pod).contains("-ingester-") {
                    order.push(name(pod));
                }
            }
            let old = uids.intersection(&holders).count();
            let there = now.len();
            if old == 0 && there == before.len() { Ok(()) } else { Err(format!("{old} old ones of {there}")) }
        })
        .await;
        world.ready(stack).await;
        took("keys rotated to Ready", began);
        nothing_failed(traffic, "a rotation of keys").await;
        assert_eq!(new.len(), holders.len(), "each pod had one successor");
        assert_eq!(uids(&staying(world, stack).await), new.union(&others).cloned().collect());
        assert!(ran(world, stack).await.values().all(|(_, restarts)| *restarts == 0), "nothing restarted");
        assert_eq!(order, ["ha-mimir-ingester-2", "ha-mimir-ingester-1", "ha-mimir-ingester-0"]);
        world.until(stack, "DataPathVerified", "True", "Verified").await;
    })
    .await;
}

/// The pods that are not on their way out: an evicted distributor takes its time.
async fn staying(world: &World, stack: &Value) -> Vec<Value> {
    let mut pods = pods(world, stack).await;
    pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    pods
}

fn uids<'a>(pods: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    pods.into_iter().map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
}
