//! `kubectl obstack` on stacks that are there: how they stand, why, and what a person lets the operator do.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use obstack_e2e::{Door, Keys, STACK, TEMPO_SINGLE, World, edited, eventually, holds_for, text};
use serde_json::{Value, json};

/// What a command printed; it has to have ended well.
fn done(world: &World, args: &[&str]) -> String {
    let told = world.cli(args);
    assert_eq!(told.code, 0, "{args:?}: {told:?}");
    told.out
}

fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[tokio::test]
async fn a_stack_is_followed_until_it_is_ready_and_then_shown() {
    World::run("status", async |world| {
        let operator = world.operator().await;
        let namespace = world.namespace.as_str();
        let stack = world.stack("shown", &[TEMPO_SINGLE]);
        world.make(&stack).await;

        let out = done(world, &["status", "shown", "-n", namespace, "--until", "Ready", "--timeout", "90s"]);
        has(&out, &["Ready=True  reached after "]);
        world.ready(&stack).await;

        let out = done(world, &["status", "-n", namespace]);
        has(&out, &["NAMESPACE", "shown", "True", "AllReady", "1/1"]);
        let out = done(world, &["status", "-A", "-o", "wide"]);
        has(&out, &["DATAPATH", "VERSIONS", namespace]);
        let out = done(world, &["status", &format!("{namespace}/shown")]);
        has(
            &out,
            &["Ready True", "Components  1/1 ready", "traces.singleBinary", "Buckets", "Endpoints", "tempo"],
        );
        assert!(!out.contains("as the status has it") && !out.contains("Not known"), "{out}");
        let told = world.cli(&["status", "obstack/shown", "-n", namespace, "-o", "json"]).json();
        assert_eq!(
            (&told["kind"], &told["ready"], &told["current"]),
            (&json!("StackStatus"), &json!("True"), &json!(true))
        );
        let out = done(world, &["why", "-n", namespace]);
        has(&out, &["is ready", "FaultTolerant"]);

        assert_eq!(operator.stop(), Some(0));
        let generation =
            world.cluster.get(STACK, namespace, "shown").await["metadata"]["generation"].as_i64();
        world.change("shown", json!({"spec": {"disruption": {"podDisruptionBudgets": "Disabled"}}})).await;
        let told = world.cli(&["status", "shown", "-n", namespace, "--until", "Ready", "--timeout", "3s"]);
        assert_eq!(told.code, 1, "{told:?}");
        let seen = generation.unwrap_or_default();
        let caveat = format!("has not seen the newest spec (generation {}, seen {seen})", seen + 1);
        has(&told.err, &["has not got Ready=True within 3s", &caveat]);
        has(&done(world, &["status", "-n", namespace]), &["Unknown", "Pending"]);
        has(&done(world, &["status", "shown", "-n", namespace]), &[&caveat]);
        has(&done(world, &["why", "shown", "-n", namespace]), &[&caveat]);
        let told = world.cli(&["reconcile", "shown", "-n", namespace, "--timeout", "2s"]);
        assert_eq!(told.code, 1, "nobody looks: {told:?}");
        has(&told.err, &["has not finished looking"]);

        // A stack that goes while it is followed.
        let mut follower = world.cli_command(&["status", "shown", "-n", namespace, "--watch"]);
        let mut follower = follower.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
        let first = lines.next().expect("a line").expect("text");
        has(&first, &["status", "has not seen the newest spec"]);
        let gone = json!({"metadata": {"finalizers": null}});
        world.change("shown", gone).await;
        world.cluster.delete(STACK, namespace, "shown").await;
        let ended = follower.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(1));
        has(&String::from_utf8_lossy(&ended.stderr), &["shown is gone"]);
        let told = world.cli(&["status", "shown", "-n", namespace]);
        assert_eq!(told.code, 1);
        has(&told.err, &["there is no ObservabilityStack"]);
    })
    .await;
}

#[tokio::test]
async fn why_goes_down_to_the_secret_and_a_request_heals_at_once() {
    World::run("why", async |world| {
        let _operator = world.operator().await;
        let namespace = world.namespace.as_str();
        let door = Door::to(&world.sandbox.s3.endpoint);
        let good = world.keys();
        let wrong = Keys { access: good.access.clone(), secret: "not-the-secret-key".to_owned() };
        world.put_keys(namespace, "s3", &wrong).await;
        let stack = edited(
            &world.stack("asked", &[TEMPO_SINGLE]),
            &[("/spec/objectStorage/endpoint", door.endpoint().into())],
        );
        world.make(&stack).await;
        world.until(&stack, "Stalled", "True", "SignatureRejected").await;

        let out = done(world, &["why", "asked", "-n", namespace]);
        has(
            &out,
            &[
                "is not ready: SignatureRejected",
                "Secret s3",
                "status.conditions[StorageReady]",
                "Correct the secret key",
            ],
        );
        let told = world.cli(&["why", "asked", "-n", namespace, "-o", "json"]).json();
        assert_eq!(text(&told, "/cause/reason"), "SignatureRejected", "{told:#}");
        assert_eq!(text(&told, "/cause/runbook"), "docs/runbook/SignatureRejected.md");
        assert_eq!(text(&told, "/chain/0/field"), "status.conditions[Ready]");
        let before = Instant::now();
        let told = world.cli(&["status", "asked", "-n", namespace, "--until", "Ready", "--timeout", "60s"]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(before.elapsed() < Duration::from_secs(20), "a person has to act: it does not wait");
        has(&told.err, &["SignatureRejected", "fix"]);

        world.put_keys(namespace, "s3", &good).await;
        world.ready(&stack).await;

        // The next probe of a bucket that passed is minutes away; nothing else tells that the store is gone.
        door.set_open(false);
        let out = done(world, &["reconcile", "asked", "-n", namespace]);
        has(&out, &["looked", "False", "StorageNotReady"]);
        let now = world.until(&stack, "StorageReady", "False", "EndpointUnreachable").await;
        let handled = text(&now, "/status/lastHandledReconcileAt").to_owned();
        assert_eq!(handled, text(&now["metadata"]["annotations"], "/obstack.dev~1reconcile-requested-at"));
        // It fails again and again meanwhile, so the next try is some time away.
        tokio::time::sleep(Duration::from_secs(5)).await;
        door.set_open(true);
        let out = done(world, &["reconcile", "--all", "-n", namespace]);
        has(&out, &["looked", "True", "AllReady"]);

        // Nobody asked: nothing is written.
        let version = async || {
            let now = world.cluster.get(STACK, namespace, "asked").await;
            text(&now, "/metadata/resourceVersion").to_owned()
        };
        let before = version().await;
        holds_for(Duration::from_secs(3), "a converged stack is left alone", async || {
            let now = version().await;
            if now == before { Ok(()) } else { Err(now) }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_approved_and_what_is_suspended_is_left_alone() {
    World::run("approve", async |world| {
        let _operator = world.operator().await;
        let namespace = world.namespace.as_str();
        let stack = edited(
            &world.stack("calm", &[TEMPO_SINGLE]),
            &[("/spec/changes/approval", "ManualForDisruptive".into())],
        );
        world.make(&stack).await;
        world.ready(&stack).await;
        has(&done(world, &["approve", "calm", "-n", namespace]), &["nothing waits for approval"]);

        let single = json!({"resources": {"requests": {"memory": "65Mi"}}});
        world.change("calm", json!({"spec": {"traces": {"components": {"singleBinary": single}}}})).await;
        let now = world.until(&stack, "PlanApplied", "False", "AwaitingApproval").await;
        let digest = text(&now, "/status/plan/digest").to_owned();
        has(
            &done(world, &["status", "calm", "-n", namespace]),
            &["waits for approval", &digest, "obstack approve calm"],
        );
        has(
            &done(world, &["why", "calm", "-n", namespace]),
            &["is not ready: AwaitingApproval", "obstack approve calm"],
        );

        // A pipeline is not held up by what only a person can let through.
        let began = Instant::now();
        let told = world.cli(&["status", "calm", "-n", namespace, "--until", "Ready", "--timeout", "60s"]);
        assert!(told.code == 1 && began.elapsed() < Duration::from_secs(20), "{told:?}");
        has(&told.err, &["AwaitingApproval", &format!("kubectl obstack approve calm -n {namespace}")]);

        let told = world.cli(&["approve", "calm", "-n", namespace]);
        assert_eq!(told.code, 1, "nobody can be asked: {told:?}");
        has(&told.err, &["--plan", "--yes"]);
        let told = world.cli(&["approve", "calm", "-n", namespace, "--plan", "sha256:0123456789ab"]);
        assert_eq!(told.code, 1);
        has(&told.err, &[&digest, "0123456789ab"]);
        let told = world.cli(&["approve", "calm", "-n", namespace, "--plan", &digest[..21]]);
        assert_eq!(told.code, 0, "{told:?}");
        has(&told.out, &["traces.singleBinary", "is approved", "obstack status calm"]);
        let ready = world.ready(&stack).await;
        assert_eq!(text(&ready, "/status/plan/state"), "Applied");
        assert_eq!(text(&ready, "/spec/changes/approvedPlan"), digest);
        assert!(wrote(&ready, "kubectl-obstack"), "{:#}", ready["metadata"]["managedFields"]);

        has(&done(world, &["suspend", "calm", "-n", namespace]), &["is suspended", "obstack resume calm"]);
        world.until(&stack, "Ready", "False", "Suspended").await;
        has(
            &done(world, &["suspend", "calm", "-n", namespace]),
            &["is suspended already (by kubectl-obstack)"],
        );
        has(
            &done(world, &["why", "calm", "-n", namespace]),
            &["set by kubectl-obstack", "obstack resume calm"],
        );
        let told = world.cli(&["status", "calm", "-n", namespace, "--until", "Ready", "--timeout", "30s"]);
        assert_eq!(told.code, 1, "{told:?}");
        has(&told.err, &["obstack resume"]);
        has(&done(world, &["reconcile", "calm", "-n", namespace]), &["looked", "Suspended"]);
        has(&done(world, &["resume", "calm", "-n", namespace]), &["is resumed"]);
        world.ready(&stack).await;
        has(&done(world, &["resume", "calm", "-n", namespace]), &["is not suspended"]);

        // Somebody applies it from git: what is changed by hand is taken back, and that is said.
        let flux = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}});
        world.change("calm", flux).await;
        let told = world.cli(&["suspend", "calm", "-n", namespace]);
        assert_eq!(told.code, 0);
        has(&told.err, &["Flux applies this stack from git", "suspend: true"]);

        // Without rights the right that is missing is named.
        let told = world.cli(&["status", "calm", "-n", namespace, "--as", "nobody"]);
        assert_eq!(told.code, 1);
        has(&told.err, &["cannot get ObservabilityStack", "observabilitystacks", "ask for that right"]);
        eventually("the stack is left as it is", async || {
            let now = world.cluster.get(STACK, namespace, "calm").await;
            if now["spec"]["suspend"] == true { Ok(()) } else { Err(now["spec"]["suspend"].to_string()) }
        })
        .await;
    })
    .await;
}

/// Whether somebody wrote fields of an object.
fn wrote(object: &Value, manager: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.is_some_and(|entries| entries.iter().any(|entry| entry["manager"] == manager))
}
