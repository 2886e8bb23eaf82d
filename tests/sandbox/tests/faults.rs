//! Faults of simulated pods, on a sandbox that runs already: `OBSTACK_SANDBOX` names its folder. Without one the test
//! says so and passes.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::path::Path;
use std::process::Command;

use obstack_sandbox::{FAIL_ANNOTATION, Fault, Sandbox};
use serde_json::{Value, json};

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn name(fault: Fault) -> String {
    format!("fault-{fault}-{}", std::process::id())
}

fn pod(fault: Fault) -> Value {
    let key = json!({ "secretKeyRef": { "name": "s3-keys", "key": "secretKey" } });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name(fault), "annotations": { FAIL_ANNOTATION: fault.as_str() } },
        "spec": {
            "initContainers": [{ "name": "first", "image": "init:1" }],
            "containers": [
                { "name": "main", "image": "main:1", "env": [{ "name": "KEY", "valueFrom": key }] },
                { "name": "side", "image": "side:1" },
            ],
        },
    })
}

/// What the pod says, by a path into its status, and an Event about it.
fn check(sandbox: &Sandbox, fault: Fault, expect: &[(&str, &str)], event: (&str, &str)) {
    let name = name(fault);
    for (path, text) in expect {
        let condition = format!("--for=jsonpath={{.status.{path}}}={text}");
        run(sandbox.kubectl(["wait", "pod", &name, &condition, "--timeout=20s"]));
    }
    if fault == Fault::Evicted {
        return;
    }
    run(sandbox.kubectl(["annotate", "pod", &name, &format!("{FAIL_ANNOTATION}-")]));
    run(sandbox.kubectl(["wait", "pod", &name, "--for=condition=Ready", "--timeout=20s"]));
    let about = format!("involvedObject.name={name},reason={}", event.0);
    let events = run(sandbox.kubectl(["get", "events", "-o", "json", "--field-selector", &about]));
    assert!(events.contains(event.1), "{fault}: {events}");
}

#[test]
fn a_fault_is_told_in_the_words_of_a_kubelet_and_heals() {
    let Some(dir) = std::env::var_os("OBSTACK_SANDBOX") else {
        return println!("not run: OBSTACK_SANDBOX names no sandbox");
    };
    let sandbox = &obstack_sandbox::open(Path::new(&dir)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pods.json");
    let pods: Vec<Value> = Fault::ALL.into_iter().map(pod).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": pods });
    std::fs::write(&file, list.to_string()).unwrap();
    run(sandbox.kubectl(["create", "-f", &file.display().to_string()]));

    let waiting = "containerStatuses[0].state.waiting";
    let (reason, message) = (&*format!("{waiting}.reason"), &*format!("{waiting}.message"));
    let ended = "containerStatuses[0].lastState.terminated.reason";
    let unready = ("conditions[?(@.type==\"Ready\")].message", "containers with unready status: [main]");
    let crash = [("phase", "Running"), (reason, "CrashLoopBackOff"), (ended, "Error"), unready];
    let oom = [("phase", "Running"), (reason, "CrashLoopBackOff"), (ended, "OOMKilled"), unready];
    check(sandbox, Fault::Crash, &crash, ("BackOff", "Back-off restarting failed container main in pod"));
    check(sandbox, Fault::Oom, &oom, ("BackOff", "Back-off restarting failed container main in pod"));
    let image = [("phase", "Pending"), (reason, "ImagePullBackOff"), unready];
    check(sandbox, Fault::Image, &image, ("Failed", "Error: ErrImagePull"));
    let probe = [("phase", "Running"), ("containerStatuses[0].started", "true"), unready];
    check(sandbox, Fault::Probe, &probe, ("Unhealthy", "HTTP probe failed with statuscode: 503"));
    let config = (reason, "CreateContainerConfigError");
    let secret = [config, (message, "secret \"s3-keys\" not found"), unready];
    check(sandbox, Fault::Secret, &secret, ("Failed", "Error: secret"));
    let key = [config, (message, "couldn't find key secretKey in Secret default/s3-keys"), unready];
    check(sandbox, Fault::SecretKey, &key, ("Failed", "Error: couldn't find key"));
    let mount = [("phase", "Pending"), (reason, "PodInitializing")];
    check(sandbox, Fault::Mount, &mount, ("FailedMount", "MountVolume.SetUp failed for volume"));
    check(sandbox, Fault::Evicted, &[("phase", "Failed"), ("reason", "Evicted")], ("", ""));

    run(sandbox.kubectl(["delete", "--wait=false", "-f", &file.display().to_string()]));
}
