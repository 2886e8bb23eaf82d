//! `kubectl obstack adopt`: what Helm runs is taken over by a stack, object by object, and given back.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};

use obstack_e2e::{
    CLAIM, DEPLOYMENT, SECRET, SERVICE, STACK, STATEFUL_SET, Told, World, condition, eventually, text,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The bundled chart.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/bundled/tempo-distributed");

/// What somebody might have written by hand.
fn values(world: &World) -> Value {
    let host = world.sandbox.s3.endpoint.trim_start_matches("http://");
    let small = json!({"requests": {"cpu": "10m", "memory": "64Mi"}});
    json!({
        "traces": {"otlp": {"grpc": {"enabled": true}, "http": {"enabled": true}}},
        "defaults": {"extraEnvFrom": [{"secretRef": {"name": "s3"}}]},
        "storage": {"trace": {"backend": "s3", "s3": {
            "bucket": format!("{}-by-helm", world.prefix), "endpoint": host, "insecure": true, "forcepathstyle": true,
        }}},
        "distributor": {"replicas": 2, "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"},
        }},
        "ingester": {
            "replicas": 2, "persistence": {"enabled": true, "size": "1Gi"}, "config": {"replication_factor": 2},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        },
        "querier": {"resources": small},
        "queryFrontend": {"resources": small},
        "compactor": {"resources": small, "config": {"compaction": {"block_retention": "336h"}}},
    })
}

/// Runs helm in the test's namespace.
fn helm(world: &World, args: &[&str]) -> Result<String, String> {
    let told = world.helm(None).tell(&[&["-n", &world.namespace], args].concat());
    if told.code == 0 { Ok(told.out) } else { Err(told.err) }
}

/// Installs or upgrades the release `prod`.
fn release(world: &World, verb: &str, more: &[&str]) -> Result<String, String> {
    let file = world.dir.path().join("values.json");
    std::fs::write(&file, values(world).to_string()).expect("write values");
    let file = file.to_string_lossy().into_owned();
    helm(world, &[&[verb, "prod", CHART, "-f", &file], more].concat())
}

/// Installs the release, and waits until everything runs.
async fn install(world: &World, more: &[&str]) {
    release(world, "install", more).unwrap();
    eventually("what helm installed runs", async || {
        for kind in [STATEFUL_SET, DEPLOYMENT] {
            for one in world.cluster.list(kind, &world.namespace).await {
                if one["status"]["readyReplicas"] != one["spec"]["replicas"] {
                    return Err(format!("{} is not ready", text(&one, "/metadata/name")));
                }
            }
        }
        Ok(())
    })
    .await;
}

/// Uids of what keeps the data.
async fn uids(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for kind in [STATEFUL_SET, DEPLOYMENT, SERVICE, CLAIM] {
        for one in world.cluster.list(kind, &world.namespace).await {
            all.insert(
                format!("{} {}", kind.name, text(&one, "/metadata/name")),
                text(&one, "/metadata/uid").into(),
            );
        }
    }
    all
}

/// Who has which fields of what helm made, without times.
async fn managed(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for kind in [STATEFUL_SET, DEPLOYMENT, SERVICE] {
        for one in world.cluster.list(kind, &world.namespace).await {
            let entries = one["metadata"]["managedFields"].as_array().into_iter().flatten();
            let whole = entries.filter(|entry| entry["subresource"].is_null());
            let told = whole
                .map(|entry| format!("{} {} {}", entry["manager"], entry["operation"], entry["fieldsV1"]));
            let mut told: Vec<_> = told.collect();
            told.sort();
            all.insert(format!("{} {}", kind.name, text(&one, "/metadata/name")), told);
        }
    }
    all
}

/// How many objects the operator has fields of.
async fn handed(world: &World) -> usize {
    let ours = |told: &&Vec<String>| told.iter().any(|entry| entry.starts_with("\"obstack\""));
    managed(world).await.values().filter(ours).count()
}

async fn cpu_limits(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for kind in [STATEFUL_SET, DEPLOYMENT] {
        for one in world.cluster.list(kind, &world.namespace).await {
            for container in one["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten() {
                if !container["resources"]["limits"]["cpu"].is_null() {
                    found.push(text(&one, "/metadata/name").to_owned());
                }
            }
        }
    }
    found
}

fn adopt_command(world: &World, more: &[&str]) -> Command {
    let all = ["adopt", "--release", "prod", "-n", &world.namespace, "--environment", "e2e"];
    world.cli_command(&[&all, more].concat())
}

fn adopt(world: &World, more: &[&str]) -> Told {
    adopt_command(world, more).output().expect("kubectl-obstack runs").into()
}

fn stack(world: &World) -> Value {
    json!({"metadata": {"name": "prod", "namespace": world.namespace}})
}

/// The labels of the release's Secret.
async fn labels(world: &World) -> Value {
    world.cluster.get(SECRET, &world.namespace, "sh.helm.release.v1.prod.v1").await["metadata"]["labels"]
        .clone()
}

#[tokio::test]
async fn a_release_is_taken_over_with_its_data_and_given_back() {
    World::run("cli-adopt", async |world| {
        let _operator = world.operator().await;
        install(world, &[]).await;
        let before = uids(world).await;
        let (managed_before, namespace) = (managed(world).await, &world.namespace);

        // What it says beforehand, with nothing changed.
        let told = adopt(world, &[]);
        assert_eq!(told.code, 2, "{told:?}");
        for words in [
            "spec.template.spec.containers[ingester].resources.limits.cpu: - 1",
            "PodDisruptionBudget prod-tempo-ingester      made",
            "claims stay: data-prod-tempo-ingester-0, data-prod-tempo-ingester-1",
            "has the CPU limit 500m",
            "--apply takes it over",
        ] {
            assert!(told.out.contains(words), "{words}\n{}", told.out);
        }
        let manifest = adopt(world, &["-o", "yaml"]);
        let manifest: Value = serde_saphyr::from_str(&manifest.out).expect("the stack as YAML");
        assert_eq!(
            (&manifest["kind"], &manifest["spec"]["deletionPolicy"]),
            (&"ObservabilityStack".into(), &"Retain".into())
        );
        let json = adopt(world, &["-o", "json"]).json();
        assert_eq!(
            (&json["kind"], &json["state"], &json["manifest"]),
            (&"Adoption".into(), &"Possible".into(), &manifest)
        );
        assert_eq!(managed(world).await, managed_before);
        let unasked = adopt(world, &["--apply"]);
        assert!(unasked.code == 1 && unasked.err.contains("--yes"), "{unasked:?}");

        let taken = adopt(world, &["--apply", "--yes"]);
        assert_eq!(taken.code, 0, "{taken:?}");
        assert!(
            taken.out.contains(&format!("kubectl delete observabilitystack prod -n {namespace}")),
            "{taken:?}"
        );
        let conflicts = async || {
            let now = world.cluster.get(STACK, namespace, "prod").await;
            let conditions = now["status"]["conditions"].to_string();
            assert!(
                !conditions.contains("FieldConflict") && !conditions.contains("Contested"),
                "{conditions}"
            );
            now
        };
        eventually("the stack is ready, and never in conflict", async || {
            let now = conflicts().await;
            let ready = condition(&now, "Ready").is_some_and(|ready| ready["status"] == "True");
            if ready { Ok(()) } else { Err(format!("{:#}", now["status"]["conditions"])) }
        })
        .await;
        assert_eq!(uids(world).await, before, "nothing was made anew");
        assert_eq!(cpu_limits(world).await, Vec::<String>::new());
        assert_eq!(helm(world, &["list", "-q"]).unwrap(), "");
        let marked = labels(world).await;
        assert_eq!((&marked["owner"], &marked["name"]), (&"obstack".into(), &"prod".into()));
        let again = adopt(world, &[]);
        assert!(again.code == 0 && again.out.contains("taken over already"), "{again:?}");
        assert_eq!(adopt(world, &["--apply", "--yes"]).code, 0);

        // The way back.
        let early = world.cli(&["adopt", "--undo", "prod", "-n", namespace, "--yes"]);
        assert!(early.code == 1 && early.err.contains("kubectl delete observabilitystack prod"), "{early:?}");
        world.cluster.delete(STACK, namespace, "prod").await;
        eventually("the stack is gone", async || match world.cluster.find(STACK, namespace, "prod").await {
            None => Ok(()),
            Some(_) => Err("it is there".to_owned()),
        })
        .await;
        let forsaken = adopt(world, &["--apply", "--yes"]);
        assert!(forsaken.code == 1 && forsaken.err.contains("--undo prod"), "{forsaken:?}");
        let back = world.cli(&["adopt", "--undo", "prod", "-n", namespace, "--yes"]);
        assert_eq!(back.code, 0, "{back:?}");
        assert!(back.out.contains("kubectl delete poddisruptionbudget prod-tempo-ingester"), "{back:?}");
        assert_eq!(helm(world, &["list", "-q"]).unwrap(), "prod\n");
        release(world, "upgrade", &["--set", "distributor.replicas=3"]).unwrap();
        let distributor = world.cluster.get(DEPLOYMENT, namespace, "prod-tempo-distributor").await;
        assert_eq!(distributor["spec"]["replicas"], 3);
        assert_eq!(cpu_limits(world).await.len(), 2, "as helm has it again");
        assert_eq!(uids(world).await, before);
    })
    .await;
}

/// Denies every real write of a Service of the release: the rehearsal, which is a dry run, goes through.
async fn deny(world: &World, name: &str) {
    let rule = format!("request.dryRun || object.metadata.name != '{name}'");
    world.refuse("UPDATE", "services", json!([{"expression": rule, "message": "not now"}])).await;
    eventually("the policy works", async || {
        let params = kube::api::PatchParams {
            field_manager: Some("probe".into()),
            ..kube::api::PatchParams::default()
        };
        let patch = kube::api::Patch::Merge(json!({"metadata": {"annotations": {"e2e/probe": null}}}));
        match world.cluster.api(SERVICE, &world.namespace).patch(name, &params, &patch).await {
            Err(kube::Error::Api(status)) if status.message.contains("not now") => Ok(()),
            other => Err(format!("{:?}", other.map(|_| ()))),
        }
    })
    .await;
}

#[tokio::test]
async fn an_error_on_the_way_hands_everything_back() {
    World::run("cli-adopt-error", async |world| {
        install(world, &[]).await;
        let before = managed(world).await;
        // One of the last Services: much was handed over before it.
        deny(world, "prod-tempo-query-frontend").await;
        let told = adopt(world, &["--apply", "--yes"]);
        world.admit().await;
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.contains("nothing was taken") && told.err.contains("not now"), "{told:?}");
        assert_eq!(managed(world).await, before, "managedFields are as before");
        assert!(world.cluster.find(STACK, &world.namespace, "prod").await.is_none());
        let secret = world.cluster.get(SECRET, &world.namespace, "sh.helm.release.v1.prod.v1").await;
        assert!(
            secret["metadata"]["annotations"].is_null() && secret["metadata"]["labels"]["owner"] == "helm"
        );
        release(world, "upgrade", &["--set", "distributor.replicas=3"]).unwrap();
    })
    .await;
}

/// Begins a takeover and ends it by a signal once so many objects were handed over.
async fn begun(world: &World, signal: Signal) -> Told {
    let mut command = adopt_command(world, &["--apply", "--yes"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("kubectl-obstack runs");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    loop {
        let some = handed(world).await > 0;
        if some {
            kill_process(pid, Signal::STOP).unwrap();
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    kill_process(pid, signal).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    child.wait_with_output().expect("it ends").into()
}

#[tokio::test]
async fn an_interrupt_before_the_stack_is_made_takes_nothing() {
    World::run("cli-adopt-ctrl-c", async |world| {
        install(world, &["--server-side=false"]).await;
        let before = managed(world).await;
        let told = begun(world, Signal::INT).await;
        if world.cluster.find(STACK, &world.namespace, "prod").await.is_some() {
            // The signal came too late on a busy machine: then it is finished.
            assert_eq!(told.code, 0, "{told:?}");
            println!("not proved: the takeover was faster than the signal");
            return;
        }
        assert_eq!(told.code, 130, "{told:?}");
        assert!(told.err.contains("nothing was taken"), "{told:?}");
        assert_eq!(managed(world).await, before);
        release(world, "upgrade", &["--set", "distributor.replicas=3"]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_killed_takeover_leaves_what_helm_and_a_second_run_go_on_with() {
    World::run("cli-adopt-kill", async |world| {
        install(world, &[]).await;
        let uids_before = uids(world).await;
        begun(world, Signal::KILL).await;
        assert!(handed(world).await > 0);
        if world.cluster.find(STACK, &world.namespace, "prod").await.is_none() {
            // Helm goes on: the same release once more, and one that changes something.
            release(world, "upgrade", &[]).unwrap();
            let secret = world.cluster.get(SECRET, &world.namespace, "sh.helm.release.v1.prod.v2").await;
            assert_eq!(secret["metadata"]["labels"]["owner"], "helm");
        }
        let _operator = world.operator().await;
        let again = adopt(world, &["--apply", "--yes"]);
        assert_eq!(again.code, 0, "{again:?}");
        world.ready(&stack_now(world).await).await;
        assert_eq!(uids(world).await, uids_before);
        assert_eq!(cpu_limits(world).await, Vec::<String>::new());
        assert_eq!(helm(world, &["list", "-q"]).unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn a_takeover_that_ended_after_the_stack_was_made_is_finished() {
    World::run("cli-adopt-finish", async |world| {
        let _operator = world.operator().await;
        install(world, &[]).await;
        assert_eq!(adopt(world, &["--apply", "--yes"]).code, 0);
        // As it is when the process ends before the releases are marked.
        let unmarked = json!({"metadata": {"labels": {"owner": "helm"}}});
        world.cluster.merge(SECRET, &world.namespace, "sh.helm.release.v1.prod.v1", "e2e", unmarked).await;
        let told = adopt(world, &[]);
        assert!(told.code == 2 && told.out.contains("finishes what was begun"), "{told:?}");
        world.ready(&stack(world)).await;
        let made = stack_now(world).await;
        assert_eq!(adopt(world, &["--apply", "--yes"]).code, 0);
        assert_eq!(labels(world).await["owner"], "obstack");
        let now = stack_now(world).await;
        assert_eq!((&now["metadata"]["uid"], &now["spec"]), (&made["metadata"]["uid"], &made["spec"]));
    })
    .await;
}

async fn stack_now(world: &World) -> Value {
    world.cluster.get(STACK, &world.namespace, "prod").await
}

#[tokio::test]
async fn what_cannot_be_taken_over_changes_nothing_and_says_why() {
    World::run("cli-adopt-not", async |world| {
        release(world, "install", &["--set", "multitenancyEnabled=true"]).unwrap();
        let told = adopt(world, &["--apply", "--yes"]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.contains("traces are kept by tenant"), "{told:?}");
        release(world, "upgrade", &[]).unwrap();

        // A field that somebody else has, and has otherwise.
        let set = json!({"spec": {"replicas": 5}});
        world.cluster.merge(DEPLOYMENT, &world.namespace, "prod-tempo-querier", "somebody", set).await;
        let told = adopt(world, &["--apply", "--yes"]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.contains("somebody") && told.err.contains("spec.replicas"), "{told:?}");
        assert_eq!(handed(world).await, 0);
        let missing = world.cli(&["adopt", "--release", "prd", "-n", &world.namespace]);
        assert!(missing.code == 1 && missing.err.contains("did you mean prod?"), "{missing:?}");
    })
    .await;
}
