//! Pods that run, and that nothing is left of them. Each test makes its own sandbox, which takes root and about fifteen
//! seconds, and several minutes when the tools have to be built: they run with `OBSTACK_TEST_REAL=1` and say so
//! otherwise.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test may panic as the test itself may"
)]

mod traces;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use obstack_sandbox::oci::{Image, ImageFile, write_archive};
use obstack_sandbox::{ContainerSignal, Options, Pods, REAL_NODE, Sandbox, down, open, up};
use serde_json::{Value, json};
use tempfile::TempDir;

use traces::Traces;

const PAUSE: &str = "sandbox.obstack.dev/pause:1";

/// The variable with the folder in which a child of a test starts a sandbox, and is killed.
const CHILD: &str = "OBSTACK_TEST_REAL_CHILD";

/// One at a time: each is a whole cluster.
fn turn() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    if std::env::var_os("OBSTACK_TEST_REAL").is_none() || std::env::var_os(CHILD).is_some() {
        println!("not run: it makes a cluster with real pods as root; OBSTACK_TEST_REAL=1 asks for it");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Where a sandbox lies. A test that fails leaves none behind either: without its folder nobody could take it down.
struct Place {
    dir: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { dir: folder.path().join("sandbox"), _folder: folder }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = down(&self.dir, &mut |_| {}) {
            println!("{error}");
        }
    }
}

fn options(dir: &Path) -> Options {
    Options { pods: Pods::Real, nodes: 1, ..Options::new(dir) }
}

fn start(dir: &Path) -> Sandbox {
    up(&options(dir), &mut |_| {}).unwrap()
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn create(sandbox: &Sandbox, objects: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.json");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    fs::write(&file, list.to_string()).unwrap();
    run(sandbox.kubectl(["create", "-f", &file.display().to_string()]));
}

fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "containers": [{ "name": "main", "image": image }] },
    })
}

/// A pod of another user than root that may write to its volume.
fn pod_with_volume(name: &str) -> Value {
    let mut pod = pod(name, PAUSE);
    let spec = pod.get_mut("spec").unwrap();
    spec["securityContext"] = json!({ "runAsUser": 10001, "fsGroup": 10001 });
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
    spec["volumes"] = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": name } }]);
    pod
}

fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
    })
}

fn wait(sandbox: &Sandbox, pod: &str, condition: &str) {
    run(sandbox.kubectl(["wait", "pod", pod, &format!("--for={condition}"), "--timeout=60s"]));
}

fn field(sandbox: &Sandbox, pod: &str, path: &str) -> String {
    run(sandbox.kubectl(["get", "pod", pod, "-o", &format!("jsonpath={{{path}}}")]))
}

#[test]
fn a_pod_runs_where_its_image_is_and_the_machine_reaches_it() {
    let Some(_turn) = turn() else { return };
    let place = Place::new();
    let sandbox = start(&place.dir);
    assert!(sandbox.is_real("mimir") && !sandbox.is_real("tempo"), "{:?}", sandbox.backends);

    // An archive with the pause program under a name of its own, imported by hand.
    let archive = place.dir.join("own.tar");
    let image = Image {
        entrypoint: vec!["/own".into()],
        user: "10001".into(),
        files: vec![ImageFile { from: place.dir.join("images/pause"), to: "/own".into(), mode: 0o755 }],
        ..Image::default()
    };
    write_archive(&image, &["sandbox.obstack.dev/own:1".to_owned()], &archive).unwrap();
    sandbox.import_image(&archive).unwrap();

    create(
        &sandbox,
        &json!([
            claim("volume"),
            pod_with_volume("volume"),
            pod("own", "sandbox.obstack.dev/own:1"),
            pod("simulated", "grafana/tempo:2.10.8"),
            pod("unknown", "docker.io/grafana/mimir:0.0.0"),
        ]),
    );
    wait(&sandbox, "own", "condition=Ready");
    wait(&sandbox, "simulated", "condition=Ready");
    wait(&sandbox, "volume", "condition=Ready");
    assert_eq!(field(&sandbox, "own", ".spec.nodeName"), REAL_NODE);
    assert_eq!(field(&sandbox, "simulated", ".spec.nodeName"), "node-1");
    let waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff";
    wait(&sandbox, "unknown", waiting);
    assert_eq!(field(&sandbox, "unknown", ".spec.nodeName"), REAL_NODE);

    // The volume belongs to the group of its pod.
    let volumes = run(sandbox.kubectl(["get", "pv", "-o", "jsonpath={.items[0].spec.local.path}"]));
    let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(&volumes).unwrap());
    assert_eq!(group, 10001);

    // The API server's own Service, from outside, by its address.
    let service = run(sandbox.kubectl(["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]));
    let address = format!("{service}:443").parse().unwrap();
    TcpStream::connect_timeout(&address, Duration::from_secs(3)).unwrap();

    sandbox.kill_container("default", "own", "main", ContainerSignal::Kill).unwrap();
    wait(&sandbox, "own", "jsonpath={.status.containerStatuses[0].restartCount}=1");
    assert_eq!(field(&sandbox, "own", ".status.containerStatuses[0].lastState.terminated.exitCode"), "137");
    wait(&sandbox, "own", "condition=Ready");
    for signal in [ContainerSignal::Stop, ContainerSignal::Continue] {
        sandbox.kill_container("default", "own", "main", signal).unwrap();
    }
    sandbox.kill_container("default", "simulated", "main", ContainerSignal::Kill).unwrap_err();

    sandbox.stop_s3().unwrap();
    let s3 = sandbox.s3.endpoint.trim_start_matches("http://").parse().unwrap();
    TcpStream::connect_timeout(&s3, Duration::from_secs(3)).unwrap_err();
    sandbox.start_s3().unwrap();
    TcpStream::connect_timeout(&s3, Duration::from_secs(3)).unwrap();
}

/// A sandbox with a pod that has a volume; its traces, of every kind.
fn start_with_pod(dir: &Path) -> Traces {
    let sandbox = start(dir);
    create(&sandbox, &json!([claim("volume"), pod_with_volume("volume")]));
    wait(&sandbox, "volume", "condition=Ready");
    let traces = Traces::of(&sandbox);
    traces.assert_of_every_kind();
    traces
}

#[test]
fn down_leaves_nothing_and_neither_does_a_second_sandbox_beside_it() {
    let Some(_turn) = turn() else { return };
    let (first, second) = (Place::new(), Place::new());
    let one = start_with_pod(&first.dir);
    let two = start_with_pod(&second.dir);
    down(&first.dir, &mut |_| {}).unwrap();
    one.assert_gone();
    two.assert_of_every_kind();
    let other = open(&second.dir).unwrap();
    run(other.kubectl(["delete", "pod", "volume", "--grace-period=1", "--timeout=30s"]));
    down(&second.dir, &mut |_| {}).unwrap();
    two.assert_gone();
}

#[test]
fn up_replaces_and_down_removes_what_is_left_when_every_part_is_killed() {
    let Some(_turn) = turn() else { return };
    let place = Place::new();
    let first = start_with_pod(&place.dir);
    first.kill_parts();
    let second = start_with_pod(&place.dir);
    first.assert_replaced();
    second.kill_parts();
    down(&place.dir, &mut |_| {}).unwrap();
    second.assert_gone();
}

#[test]
fn nothing_is_left_of_a_start_that_was_killed() {
    let Some(_turn) = turn() else { return };
    for part in ["network", "containerd", "etcd", "kubelet", "coredns"] {
        let place = Place::new();
        let mut child = start_in_child(&place.dir);
        let traces = Traces::once_started(&place.dir, part);
        child.kill().unwrap();
        child.wait().unwrap();
        down(&place.dir, &mut |_| {}).unwrap();
        traces.assert_gone();
        assert!(!place.dir.exists());
    }
}

fn start_in_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_starts_a_sandbox"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: the process that the test above kills.
#[test]
fn a_child_starts_a_sandbox() {
    if let Some(dir) = std::env::var_os(CHILD) {
        start(Path::new(&dir));
        thread::sleep(Duration::from_mins(1));
    }
}

/// Waits for something that becomes true.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "{what} did not happen in 60 s");
        thread::sleep(Duration::from_millis(2));
    }
}
