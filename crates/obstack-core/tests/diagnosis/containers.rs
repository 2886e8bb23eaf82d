//! Containers that do not start, do not stay, or are not ready.

use std::sync::Arc;

use obstack_api::Reason;
use obstack_core::live::PodFacts;

use super::world::{Change, NOW, ROLLS, World, check_pod, end, loops, runs, waits};

#[test]
fn an_image_is_told_of_in_the_same_words_in_every_phase_of_pulling() {
    let words = "failed to resolve reference \"mimir:9\": mimir:9: not found";
    let story = format!("rpc error: code = NotFound desc = {words}");
    let message = format!("container ingester cannot have its image mimir:9: {words}");
    let back_off = "Back-off pulling image \"mimir:9\"".to_owned();
    let event = ("Failed", format!("Failed to pull image \"mimir:9\": {story}"));
    let phases = [
        ("ErrImagePull", story.clone(), None),
        ("ImagePullBackOff", format!("{back_off}: ErrImagePull: {story}"), None),
        // The first minute, before the registry has answered for the status.
        ("ContainerCreating", String::new(), Some(&event)),
        // An older kubelet tells the story in events alone.
        ("ImagePullBackOff", back_off, Some(&event)),
    ];
    for (why, said, event) in phases {
        let change = |_: &mut World, pod: &mut PodFacts| {
            pod.is(waits(why, &said));
            if let Some((reason, said)) = event {
                pod.warn(reason, said);
            }
        };
        check_pod(why, change, Reason::ImagePullFailed, &message);
    }
}

#[test]
fn an_image_is_not_accused_by_events_of_something_else() {
    let creating = |reason: &'static str, said: &'static str| {
        move |_: &mut World, pod: &mut PodFacts| {
            pod.is(waits("ContainerCreating", ""));
            pod.warn(reason, said);
        }
    };
    let bare = "container ingester cannot have its image mimir:9";
    for said in ["Error: ErrImagePull", "Error: ImagePullBackOff"] {
        check_pod(said, creating("Failed", said), Reason::ImagePullFailed, bare);
    }
    check_pod(
        "backs off",
        creating("BackOff", "Back-off pulling image \"mimir:9\""),
        Reason::ImagePullFailed,
        bare,
    );
    for (reason, said) in [
        ("Failed", "Error: failed to start container"),
        ("BackOff", "Back-off restarting failed container ingester in pod x"),
        ("Failed", "Failed to pull image \"sidecar:1\": not found"),
        ("Pulling", "Pulling image \"mimir:9\""),
    ] {
        check_pod(said, creating(reason, said), Reason::RolloutInProgress, ROLLS);
    }
    let said = "couldn't parse image name \"mimir:9\": invalid reference format";
    let wrong = |_: &mut World, pod: &mut PodFacts| pod.is(waits("InvalidImageName", said));
    check_pod("wrong name", wrong, Reason::ImagePullFailed, &format!("{bare}: {said}"));
}

#[test]
fn a_secret_is_told_of_by_name_and_key() {
    let created = |said: &str, reason, message: &str| {
        let change = |_: &mut World, pod: &mut PodFacts| pod.is(waits("CreateContainerConfigError", said));
        check_pod(said, change, reason, &format!("container ingester {message}"));
    };
    let missing = "needs Secret dts-s3, which does not exist";
    created("secret \"dts-s3\" not found", Reason::SecretMissing, missing);
    created(
        "couldn't find key secret_key in Secret ns/dts-s3",
        Reason::SecretKeyMissing,
        "needs key secret_key of Secret dts-s3, which is not there",
    );
    let root = "container has runAsNonRoot and image will run as root";
    let other = format!("cannot be created (CreateContainerConfigError): {root}");
    created(root, Reason::ContainerNotCreated, &other);
    let mounted = |why: &str, reason, message: &str| {
        let change = |_: &mut World, pod: &mut PodFacts| {
            pod.is(waits("ContainerCreating", ""));
            pod.warn("FailedMount", &format!("MountVolume.SetUp failed for volume \"ca\" : {why}"));
        };
        check_pod(why, change, reason, &format!("volume ca {message}"));
    };
    mounted("secret \"dts-s3\" not found", Reason::SecretMissing, missing);
    mounted(
        "references non-existent secret key: ca.crt",
        Reason::SecretKeyMissing,
        "needs key ca.crt of its Secret, which is not there",
    );
}

#[test]
fn a_crash_is_told_by_its_last_words_and_not_by_its_back_off() {
    let crash = |words: &str, message: &str| {
        let change = |_: &mut World, pod: &mut PodFacts| pod.is(loops(end("Error", 1, words)));
        let message = format!("container ingester ended (exit code 1): {message}");
        check_pod(words, change, Reason::CrashLoop, &message);
    };
    crash(
        "ts=2026-01-01T00:00:00.1Z caller=main.go:110 level=error msg=\"error running Mimir\" err=\"bad config\"\n",
        "msg=\"error running Mimir\" err=\"bad config\"",
    );
    crash(
        "flag provided but not defined: -no.such.flag\nRun with -help to get a list of available parameters\n",
        "flag provided but not defined: -no.such.flag",
    );
    crash("panic: nil map\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/error.go:1 +0x1d", "panic: nil map");
    crash("open /data/wal: permission denied", "open /data/wal: permission denied");
    for newest in
        ["field no_such_key not found in type app.Config", "field no_error not found in type app.Config"]
    {
        let parsing = "failed parsing config: /conf/tempo.yaml: yaml: unmarshal errors:";
        crash(&format!("{parsing}\n  line 21: {newest}\n"), &format!("{parsing} line 21: {newest}"));
    }
    crash("", "without a word");
    let bare = "container ingester ends again and again";
    check_pod("bare", |_, pod| pod.is(waits("CrashLoopBackOff", "back-off 10s")), Reason::CrashLoop, bare);
    let cannot = |_: &mut World, pod: &mut PodFacts| {
        pod.is(loops(end("ContainerCannotRun", 127, "exec: \"mimir\": executable file not found in $PATH")));
    };
    let message = "container ingester ended (exit code 127, ContainerCannotRun): exec: \"mimir\": executable file not \
                   found in $PATH";
    check_pod("cannot run", cannot, Reason::CrashLoop, message);
    let init = |_: &mut World, pod: &mut PodFacts| {
        pod.is(loops(end("Error", 1, "no room")));
        pod.containers[0].init = true;
    };
    check_pod("init", init, Reason::CrashLoop, "init container ingester ended (exit code 1): no room");
}

#[test]
fn between_two_ends_the_cause_stays_and_an_end_of_long_ago_is_none() {
    let running = |restarts: i32, at: i64| {
        move |_: &mut World, pod: &mut PodFacts| {
            pod.is(runs(NOW - 1, Some(end("Error", 2, "bad config"))));
            pod.state().restarts = restarts;
            pod.state().ended.as_mut().unwrap().at = at;
        }
    };
    let message = "container ingester ended (exit code 2): bad config";
    check_pod("runs for a moment", running(2, NOW - 5), Reason::CrashLoop, message);
    check_pod("once is no loop", running(1, NOW - 5), Reason::RolloutInProgress, ROLLS);
    check_pod("ready since then", running(7, NOW - 500), Reason::RolloutInProgress, ROLLS);
}

#[test]
fn out_of_memory_names_the_limit_and_who_set_it() {
    let killed = |case: &str, change: fn(&mut World, &mut PodFacts), message: &str| {
        let change = |world: &mut World, pod: &mut PodFacts| {
            pod.is(loops(end("OOMKilled", 137, "")));
            pod.limit("4Gi");
            change(world, pod);
        };
        let message = format!("container ingester was killed because {message}");
        check_pod(case, change, Reason::OOMKilled, &message);
    };
    let limit = |limit: &str, origin: &str| {
        format!("it used more than its memory limit {limit} of metrics.ingester{origin}")
    };
    let spec = limit("4Gi", " (`resources.limits.memory`)");
    killed("the spec", |_, _| {}, &spec);
    killed("it runs again", |_, pod| pod.is(runs(NOW - 1, Some(end("OOMKilled", 137, "")))), &spec);
    let by_range: fn(&mut World, &mut PodFacts) = |world, pod| {
        world.components[0].need.containers[0].limits.clear();
        world.limit_range("sizes", "Container", "cpu");
        world.limit_range("defaults", "Container", "memory");
        pod.limit("512Mi");
        let set = "cpu request for container ingester; cpu, memory limit for container ingester";
        pod.limit_ranger = Some(format!("LimitRanger plugin set: {set}"));
    };
    killed("a range", by_range, &limit("512Mi", ", which LimitRange defaults set, as the plan has none"));
    killed(
        "a webhook",
        |world, pod| {
            world.components[0].need.containers[0].limits.clear();
            pod.limit_ranger = Some("LimitRanger plugin set: memory limit for container other".into());
        },
        &limit("4Gi", ", set at admission, as the plan has none"),
    );
    killed("changed", |_, pod| pod.limit("1Gi"), &limit("1Gi", ", changed at admission from 4Gi"));
    killed(
        "resized",
        |_, pod| {
            pod.limit("1Gi");
            pod.resized_by = Some("vpa".into());
        },
        &limit("1Gi", ", which vpa set in place"),
    );
    let none = "its node ran out of memory; it has no limit of its own";
    killed("no limit", |_, pod| pod.containers[0].resources = Arc::default(), none);
}

#[test]
fn a_failing_probe_is_part_of_the_start_and_then_a_fault() {
    let refused =
        "Get \"http://10.244.0.15:8080/ready\": dial tcp 10.244.0.15:8080: connect: connection refused";
    let shown = "Get \"http://<ip>:8080/ready\": dial tcp <ip>:8080: connect: connection refused";
    let probe = |since: i64, said: &'static str| {
        move |_: &mut World, pod: &mut PodFacts| {
            pod.is(runs(since, None));
            pod.warn("Unhealthy", &format!("{said}{refused}"));
        }
    };
    for said in ["Readiness probe failed: ", "Startup probe failed: "] {
        let message = format!("container ingester runs and is not ready: {said}{shown}");
        check_pod("it starts", probe(NOW - 90, said), Reason::RolloutInProgress, ROLLS);
        check_pod("it has started", probe(NOW - 91, said), Reason::ProbeFailing, &message);
        check_pod("nobody knows when", probe(0, said), Reason::ProbeFailing, &message);
    }
}
