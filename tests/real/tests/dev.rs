//! One dev stack through its life: telemetry in and back, ingesters that are killed, an operator that comes and goes,
//! an object store that goes away.

// The laws are one future.
#![recursion_limit = "256"]

use std::{
    collections::BTreeSet,
    ops::Range,
    time::{Duration, Instant},
};

use http::Method;
use obstack_e2e::{Follow, POD, STACK, World, condition, edited, eventually, text};
use obstack_real::{
    Install, NEXT_IMAGE, Telemetry, Traffic, dev, ingesters, law, note, on_real_pods, pods, ran, ready,
};
use obstack_sandbox::ContainerSignal;
use serde_json::{Value, json};

const MIMIR_PORT: u16 = 8080;
const TEMPO_PORT: u16 = 3200;
/// What Tempo holds in memory alone: a trace is written to its log when it was idle so long, looked for as often.
const TEMPO_CUTS_AFTER: Duration = Duration::from_secs(30);
/// Traces from the beginning of a stack's life.
const OLD: Range<u64> = 100..150;
/// Traces from right before Tempo is killed.
const FRESH: Range<u64> = 200..250;

#[tokio::test]
async fn a_dev_stack_through_its_life() {
    on_real_pods("dev", &["dev"], async |world, install| {
        let life = begin(world, "dev", dev(world)).await;
        data_path(&life).await;
        verified_from_outside(&life).await;
        policy(&life).await;
        quiet(&life, install).await;
        nothing_restarts_without_need(&life, install).await;
        killed(&life).await;
        deleted(&life).await;
        store_away(&life).await;
        law("i12 the shipped rights are enough", async { assert_eq!(install.refused(), []) }).await;
    })
    .await;
}

#[tokio::test]
async fn the_same_stack_from_upstream_charts() {
    if std::env::var_os("OBSTACK_UPSTREAM_CHARTS").is_none() {
        println!("not run: upstream charts (OBSTACK_UPSTREAM_CHARTS is not set)");
        return;
    }
    on_real_pods("upstream", &["dev"], async |world, _| {
        let upstream = |signal: &str| format!("/spec/{signal}/chart/source");
        let stack = edited(
            &dev(world),
            &[(&upstream("traces"), "Upstream".into()), (&upstream("metrics"), "Upstream".into())],
        );
        let life = begin(world, "upstream", stack).await;
        data_path(&life).await;
        policy(&life).await;
        killed(&life).await;
    })
    .await;
}

/// A stack that is ready, and what speaks to it.
struct Life<'a> {
    /// Which test it is, for the table.
    test: &'a str,
    world: &'a World,
    stack: Value,
    telemetry: Telemetry,
    tempo: bool,
    /// When the traces of [`OLD`] had been written.
    traced: Instant,
}

impl Life<'_> {
    fn note(&self, what: &str, began: Instant) {
        note(self.test, what, &format!("{:.1} s", began.elapsed().as_secs_f32()));
    }

    fn namespace(&self) -> &str {
        text(&self.stack, "/metadata/namespace")
    }

    /// Writes the first numbers of a run. Every one must be acknowledged.
    async fn write(&self, run: &str, count: usize) -> BTreeSet<usize> {
        for number in 0..count {
            self.telemetry.write(run, number).await.unwrap_or_else(|error| panic!("write {number}: {error}"));
        }
        (0..count).collect()
    }

    /// Writes traces. Every one must be acknowledged.
    async fn write_traces(&self, ids: Range<u64>) {
        for id in ids {
            self.telemetry.write_trace(id).await.unwrap_or_else(|error| panic!("trace {id}: {error}"));
        }
    }

    /// Waits until every number of a run comes back.
    async fn whole(&self, run: &str, wanted: &BTreeSet<usize>) {
        eventually(&format!("every series of {run} comes back"), async || {
            let found = self.telemetry.read(run).await?;
            let missing: Vec<_> = wanted.difference(&found).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("missing: {missing:?}")) }
        })
        .await;
    }

    /// The pod of Tempo.
    async fn tempo_pod(&self) -> Value {
        let pods = pods(self.world, &self.stack).await;
        let tempo =
            |pod: &&Value| text(pod, "/metadata/labels/obstack.dev~1component") == "traces.singleBinary";
        pods.iter().find(tempo).cloned().expect("a pod of Tempo")
    }
}

async fn begin<'a>(world: &'a World, test: &'a str, stack: Value) -> Life<'a> {
    world.put_keys(text(&stack, "/metadata/namespace"), "dts-s3-dev", &world.keys()).await;
    let tempo = world.sandbox.is_real("tempo");
    if !tempo {
        println!("not run: everything about traces (Tempo is simulated)");
    }
    let began = Instant::now();
    world.make(&stack).await;
    let (stack, telemetry) = law("a dev stack becomes ready", async {
        let stack = world.ready(&stack).await;
        note(test, "applied to Ready", &format!("{:.1} s", began.elapsed().as_secs_f32()));
        let telemetry = Telemetry::of(&world.cluster, &stack);
        (stack, telemetry)
    })
    .await;
    let mut life = Life { test, world, stack, telemetry, tempo, traced: began };
    eventually("the first metric is taken", async || life.telemetry.write("first", 0).await).await;
    life.whole("first", &BTreeSet::from([0])).await;
    life.note("applied to the first metric read back", began);
    if tempo {
        life.telemetry.write_trace(1).await.expect("the first trace is taken");
        trace_comes_back(&life, 1).await;
        life.note("applied to the first trace read back", began);
        life.write_traces(OLD).await;
        life.traced = Instant::now();
    }
    life
}

async fn trace_comes_back(life: &Life<'_>, id: u64) {
    eventually(&format!("trace {id} comes back"), async || {
        if life.telemetry.read_trace(id).await? { Ok(()) } else { Err("it is not found".to_owned()) }
    })
    .await;
}

async fn data_path(life: &Life<'_>) {
    let (world, began) = (life.world, Instant::now());
    law("what was written is in the right bucket after a flush", async {
        for ingester in ingesters(world, &life.stack).await {
            let flushed =
                life.telemetry.ask_pod(Method::POST, &ingester, MIMIR_PORT, "/ingester/flush").await;
            flushed.expect("Mimir flushes");
        }
        block(life, "metrics-dev-blocks", "anonymous/").await;
        if life.tempo {
            let tempo = life.tempo_pod().await;
            life.telemetry.ask_pod(Method::POST, &tempo, TEMPO_PORT, "/flush").await.expect("Tempo flushes");
            block(life, "traces-dev-blocks", "single-tenant/").await;
        }
        life.note("flush to block in the bucket", began);
    })
    .await;
    law("the canary finds the data path whole", async {
        world.until(&life.stack, "DataPathVerified", "True", "Verified").await;
    })
    .await;
}

/// What a person sees who has a kubeconfig and no way to the pods but through the API server.
async fn verified_from_outside(life: &Life<'_>) {
    law("kubectl obstack verify finds the same through the API server", async {
        rings_are_asked(life).await;
        let name = format!("{}/{}", life.namespace(), text(&life.stack, "/metadata/name"));
        let found = life.world.cli(&["verify", &name, "-o", "json"]).json();
        let checks = found["checks"].as_array().expect("checks");
        let passed =
            |check: &str| checks.iter().any(|one| one["check"] == check && one["result"] == "Passed");
        for check in ["telemetry.metrics", "services.doors", "services.rings", "pods.policy", "objects.drift"]
        {
            assert!(passed(check), "{check}: {found:#}");
        }
        // A Tempo that is simulated answers nobody, and that is said.
        let of_tempo =
            |one: &&Value| one["message"].to_string().contains("tempo") || one["check"] == "telemetry.traces";
        let failed: Vec<_> = checks.iter().filter(|one| one["result"] == "Failed").collect();
        assert!(failed.iter().all(|one| !life.tempo && of_tempo(one)), "{failed:#?}");
        assert_eq!(failed.is_empty(), life.tempo, "{found:#}");
    })
    .await;
}

/// Waits for a whole block of a tenant.
async fn block(life: &Life<'_>, bucket: &str, tenant: &str) {
    eventually(&format!("a block in {bucket}"), async || {
        if blocks(life, bucket, tenant).await > 0 { Ok(()) } else { Err("there is none".to_owned()) }
    })
    .await;
}

/// How many whole blocks of a tenant are in a bucket.
async fn blocks(life: &Life<'_>, bucket: &str, tenant: &str) -> usize {
    let keys = life.world.s3.keys(&format!("{}-{bucket}", life.world.prefix)).await;
    keys.iter().filter(|key| key.starts_with(tenant) && key.ends_with("/meta.json")).count()
}

async fn policy(life: &Life<'_>) {
    law("i7 no live container has a CPU limit, and memory limits are where they belong", async {
        for pod in pods(life.world, &life.stack).await {
            let component = text(&pod, "/metadata/labels/obstack.dev~1component").to_owned();
            for container in pod["spec"]["containers"].as_array().expect("containers") {
                let resources = &container["resources"];
                let limited = ["metrics.ingester", "metrics.storeGateway", "traces.singleBinary"];
                let wanted = limited.contains(&component.as_str());
                assert!(resources["limits"]["cpu"].is_null(), "{component}: {resources}");
                assert_eq!(resources["limits"]["memory"].is_string(), wanted, "{component}: {resources}");
                assert!(resources["requests"]["cpu"].is_string(), "{component}: {resources}");
                assert!(resources["requests"]["memory"].is_string(), "{component}: {resources}");
            }
        }
        life.world.until(&life.stack, "PolicyCompliant", "True", "PolicyKept").await;
    })
    .await;
}

async fn quiet(life: &Life<'_>, install: &Install) {
    law("i2 a converged stack causes no write, with its canary and its probes", async {
        // The rings are asked each half a minute, and were so while nobody was there.
        rings_are_asked(life).await;
        let follow =
            Follow::of(&life.world.cluster, STACK, life.namespace(), text(&life.stack, "/metadata/name"));
        let (from, audit) = (follow.mark(), install.audit());
        // Two rounds of the canary, six of the probe.
        tokio::time::sleep(Duration::from_secs(32)).await;
        let of_stack = |request: &obstack_e2e::Request| request.namespace == life.namespace();
        let writes: Vec<_> = audit.writes().into_iter().filter(of_stack).collect();
        let said = follow.since(from).into_iter().map(|state| conditions(&state.object));
        assert_eq!(writes, [], "the stack's conditions meanwhile: {:#?}", said.collect::<BTreeSet<_>>());
    })
    .await;
}

/// Waits until all rings are known, but for that of a Tempo that is simulated.
async fn rings_are_asked(life: &Life<'_>) {
    if life.tempo {
        life.world.until(&life.stack, "RingsHealthy", "True", "RingsActive").await;
        return;
    }
    eventually("the rings of Mimir are known", async || {
        let name = text(&life.stack, "/metadata/name");
        let now = life.world.cluster.get(STACK, life.namespace(), name).await;
        let said = condition(&now, "RingsHealthy").ok_or("nothing is said of them")?;
        let told = text(said, "/message");
        let known =
            said["reason"] == "RingsUnknown" && !told.contains("metrics.") && !told.contains(" more)");
        if known { Ok(()) } else { Err(said.to_string()) }
    })
    .await;
}

/// What the conditions say, for people.
fn conditions(stack: &Value) -> Vec<String> {
    let conditions = stack["status"]["conditions"].as_array().into_iter().flatten();
    let line = |one: &Value| {
        format!(
            "{} {} {}: {}",
            text(one, "/type"),
            text(one, "/status"),
            text(one, "/reason"),
            text(one, "/message")
        )
    };
    conditions.map(line).collect()
}

async fn nothing_restarts_without_need(life: &Life<'_>, install: &Install) {
    let world = life.world;
    let before = ran(world, &life.stack).await;
    let began = Instant::now();
    law("another leader restarts nothing", async {
        install.change_leader(world).await;
        life.note("leader deleted to another one leading, both ready", began);
        assert_eq!(ran(world, &life.stack).await, before);
    })
    .await;
    let began = Instant::now();
    law("an upgrade of the operator restarts nothing", async {
        install.upgrade(world, NEXT_IMAGE).await;
        life.note("operator upgraded", began);
        // It has looked at the stack when it follows a change.
        churn(life, 25).await;
        assert_eq!(ran(world, &life.stack).await, before);
    })
    .await;
    law("changes that concern no pod restart nothing", async {
        for headroom in [10, 30, 20] {
            churn(life, headroom).await;
        }
        assert_eq!(ran(world, &life.stack).await, before);
    })
    .await;
}

/// Changes what concerns no pod, and waits until the operator has seen it.
async fn churn(life: &Life<'_>, headroom: i64) {
    let annotations = json!({"real.obstack.dev/churn": headroom.to_string()});
    let patch =
        json!({"metadata": {"annotations": annotations}, "spec": {"quota": {"headroomPercent": headroom}}});
    let name = text(&life.stack, "/metadata/name");
    life.world.cluster.merge(STACK, life.namespace(), name, "real", patch).await;
    life.world.ready(&life.stack).await;
}

async fn killed(life: &Life<'_>) {
    let world = life.world;
    law("a7 kill -9 of the ingester loses nothing that was acknowledged", async {
        let written = life.write("killed", 300).await;
        let ingester = ingesters(world, &life.stack).await.pop().expect("an ingester");
        let before = ran(world, &life.stack).await;
        let began = Instant::now();
        kill(world, &ingester, "ingester");
        eventually("the ingester takes writes again", async || life.telemetry.write("after", 0).await).await;
        life.note("metrics: kill -9 of the ingester to the first write taken", began);
        life.whole("killed", &written).await;
        life.note("metrics: kill -9 of the ingester to all 300 series read back", began);
        let name = text(&ingester, "/metadata/name");
        let (was, is) = (&before[name], &ran(world, &life.stack).await[name]);
        assert_eq!((&is.0, is.1), (&was.0, was.1 + 1), "the same pod, its container started anew once");
        world.ready(&life.stack).await;
    })
    .await;
    if !life.tempo {
        return;
    }
    law("a7 kill -9 of Tempo loses no trace that is older than half a minute", async {
        tokio::time::sleep(TEMPO_CUTS_AFTER.saturating_sub(life.traced.elapsed())).await;
        life.write_traces(FRESH).await;
        let began = Instant::now();
        let tempo = life.tempo_pod().await;
        kill(world, &tempo, "tempo");
        eventually("Tempo takes traces again", async || life.telemetry.write_trace(300).await).await;
        life.note("traces: kill -9 of Tempo to the first trace taken", began);
        for id in OLD {
            trace_comes_back(life, id).await;
        }
        life.note("traces: kill -9 of Tempo to 50 older traces read back", began);
        let mut kept = 0;
        for id in FRESH {
            kept += usize::from(life.telemetry.read_trace(id).await.unwrap_or(false));
        }
        note(life.test, "traces: of 50 written right before the kill -9, kept", &kept.to_string());
        world.ready(&life.stack).await;
    })
    .await;
}

fn kill(world: &World, pod: &Value, container: &str) {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let killed = world.sandbox.kill_container(namespace, name, container, ContainerSignal::Kill);
    killed.unwrap_or_else(|error| panic!("{error}"));
}

async fn deleted(life: &Life<'_>) {
    let world = life.world;
    law("a7 deleting the only ingester's pod flushes it and loses nothing that was acknowledged", async {
        let written = life.write("deleted", 100).await;
        let before = blocks(life, "metrics-dev-blocks", "anonymous/").await;
        let ingester = ingesters(world, &life.stack).await.pop().expect("an ingester");
        let traffic = Traffic::begin(&life.telemetry, "beside-delete", ("deleted", written.len()));
        let began = Instant::now();
        world.cluster.delete(POD, life.namespace(), text(&ingester, "/metadata/name")).await;
        world.until(&life.stack, "WorkloadsReady", "False", "RolloutInProgress").await;
        world.ready(&life.stack).await;
        life.note("ingester's pod deleted to Ready", began);
        let (writes, queries) = traffic.end().await;
        note(life.test, "writes beside it", &writes.told());
        note(life.test, "queries beside it", &queries.told());
        life.whole("deleted", &written).await;
        let after = blocks(life, "metrics-dev-blocks", "anonymous/").await;
        assert!(after > before, "it ended without a new block in the bucket: {before} before, {after} after");
    })
    .await;
}

async fn store_away(life: &Life<'_>) {
    let world = life.world;
    let before = ran(world, &life.stack).await;
    world.sandbox.stop_s3().expect("the S3 server stops");
    let began = Instant::now();
    law(
        "while the object store is away pods stay ready and writes are taken, and the status says it",
        async {
            let said = world.until(&life.stack, "StorageReady", "False", "EndpointUnreachable").await;
            life.note("object store stopped to StorageReady=False", began);
            assert_eq!(condition(&said, "Ready").expect("current")["status"], "False", "I6");
            assert_eq!(condition(&said, "Available").expect("current")["status"], "True", "the pods run on");
            let written = life.write("store-away", 50).await;
            life.whole("store-away", &written).await;
            world.until(&life.stack, "DataPathVerified", "False", "ObjectNotSeen").await;
            life.note("object store stopped to DataPathVerified=False/ObjectNotSeen", began);
            let pods = pods(world, &life.stack).await;
            assert_eq!(ready(&pods).values().sum::<usize>(), pods.len(), "every pod is ready");
            assert_eq!(ran(world, &life.stack).await, before, "nothing restarted");
        },
    )
    .await;
    law("a pod that cannot start without the object store is StorageUnreachable, not a crash", async {
        let mut components = vec!["metrics.compactor"];
        let all = pods(world, &life.stack).await;
        let own = |pod: &&Value| text(pod, "/metadata/labels/obstack.dev~1component") == "metrics.compactor";
        let compactor = all.iter().find(own).expect("a compactor");
        world.cluster.delete(POD, life.namespace(), text(compactor, "/metadata/name")).await;
        if life.tempo {
            // A Tempo that is asked to end tries to flush until its grace is over, which is five minutes.
            components.push("traces.singleBinary");
            kill(world, &life.tempo_pod().await, "tempo");
        }
        let began = Instant::now();
        for component in &components {
            said_of_component(life, component, "StorageUnreachable").await;
            life.note(&format!("{component}: started anew to StorageUnreachable"), began);
        }
        world.until(&life.stack, "WorkloadsReady", "False", "StorageUnreachable").await;
    })
    .await;
    law("all of it heals when the object store is back", async {
        world.sandbox.start_s3().expect("the S3 server starts");
        let began = Instant::now();
        world.until(&life.stack, "StorageReady", "True", "BucketsReady").await;
        life.note("object store started to StorageReady=True", began);
        world.ready(&life.stack).await;
        life.note("object store started to Ready", began);
        world.until(&life.stack, "DataPathVerified", "True", "Verified").await;
        life.note("object store started to DataPathVerified=True", began);
    })
    .await;
}

async fn said_of_component(life: &Life<'_>, component: &str, reason: &str) {
    eventually(&format!("{component} is {reason}"), async || {
        let name = text(&life.stack, "/metadata/name");
        let now = life.world.cluster.get(STACK, life.namespace(), name).await;
        let components = now["status"]["components"].as_array().expect("components");
        let own = components.iter().find(|one| one["name"] == component).ok_or("it is not there")?;
        if own["reason"] == reason { Ok(()) } else { Err(format!("{own:#}")) }
    })
    .await;
}
