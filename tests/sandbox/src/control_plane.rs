//! The parts of the control plane, and the objects a fresh cluster needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::credentials::Files;
use crate::errors::{At, Error};
use crate::kubectl;
use crate::ports;
use crate::process::{self, Part, Process};
use crate::real::{self, SIMULATED};
use crate::state::State;
use crate::tools::Tool;

const AUDIT_POLICY: &str = include_str!("../audit-policy.yaml");
const READY_LIMIT: Duration = Duration::from_secs(90);

/// The audit log, one JSON event per line.
pub(crate) const AUDIT_LOG: &str = "logs/audit.log";

pub(crate) const ETCD: &str = "etcd";
pub(crate) const APISERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";
pub(crate) const SCHEDULER: &str = "kube-scheduler";

/// The address of the API server.
pub(crate) fn server(state: &State) -> String {
    format!("https://{}:{}", state.address(), state.ports.apiserver)
}

fn part(dir: &Path, name: &'static str, tool: &Tool, port: u16, args: Vec<String>) -> Part {
    Part {
        name,
        program: tool.path.clone(),
        args,
        env: Vec::new(),
        dir: dir.into(),
        log: dir.join("logs").join(format!("{name}.log")),
        port,
        version: tool.version.clone(),
    }
}

/// The store. Its data is thrown away with the sandbox, so it need not reach the disk.
pub(crate) fn etcd(dir: &Path, state: &State) -> Part {
    let client = format!("http://127.0.0.1:{}", state.ports.etcd);
    let peer = format!("http://127.0.0.1:{}", state.ports.etcd_peer);
    let args = vec![
        "--name=sandbox".into(),
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=sandbox={peer}"),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ];
    part(dir, ETCD, &state.tools.etcd, state.ports.etcd, args)
}

/// The API server, with every default admission plugin, RBAC, and the audit log.
pub(crate) fn apiserver(dir: &Path, state: &State) -> Result<Part, Error> {
    let files = Files::of(dir);
    let policy = dir.join("audit-policy.yaml");
    fs::write(&policy, AUDIT_POLICY).at("write", &policy)?;
    let mut args = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", state.ports.etcd),
        format!("--bind-address={}", state.listen()),
        format!("--secure-port={}", state.ports.apiserver),
        format!("--advertise-address={}", state.address()),
        "--allow-privileged=true".into(),
        "--authorization-mode=Node,RBAC".into(),
        format!("--tls-cert-file={}", files.certificate.display()),
        format!("--tls-private-key-file={}", files.key.display()),
        format!("--token-auth-file={}", files.tokens.display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", files.accounts_public_key.display()),
        format!("--service-account-signing-key-file={}", files.accounts_key.display()),
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", dir.join(AUDIT_LOG).display()),
        // One file for the life of a sandbox, so that a reader misses nothing.
        "--audit-log-maxsize=2000".into(),
        "--profiling=false".into(),
    ];
    match &state.real {
        Some(real) => args.extend([
            format!("--service-cluster-ip-range={}", real.network.services()),
            format!("--kubelet-certificate-authority={}", files.ca.display()),
            format!("--kubelet-client-certificate={}", files.client_certificate.display()),
            format!("--kubelet-client-key={}", files.client_key.display()),
            // A node's name is known to nobody.
            "--kubelet-preferred-address-types=InternalIP".into(),
        ]),
        None => args.extend([
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            // A loopback address is not a valid endpoint, and no simulated pod would use it.
            "--endpoint-reconciler-type=none".into(),
        ]),
    }
    Ok(part(dir, APISERVER, &state.tools.kube_apiserver, state.ports.apiserver, args))
}

fn controller_args(dir: &Path, port: u16) -> Vec<String> {
    let files = Files::of(dir);
    vec![
        format!("--kubeconfig={}", files.kubeconfig.display()),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", files.certificate.display()),
        format!("--tls-private-key-file={}", files.key.display()),
        "--leader-elect=false".into(),
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
    ]
}

/// The controllers, each with its own account as in a real cluster.
pub(crate) fn controller_manager(dir: &Path, state: &State) -> Part {
    let files = Files::of(dir);
    let port = state.ports.controller_manager;
    // Sooner than after the default of 50 s, for tests of lost nodes. Leases are renewed every 4 s (`kwok.yaml`): a
    // simulation that has no CPU for a while is not taken for lost. A real node on a busy machine may have none for
    // longer.
    let grace = if state.real.is_some() { 40 } else { 16 };
    let mut args = controller_args(dir, port);
    args.extend([
        "--use-service-account-credentials=true".into(),
        format!("--service-account-private-key-file={}", files.accounts_key.display()),
        format!("--root-ca-file={}", files.ca.display()),
        "--enable-hostpath-provisioner=true".into(),
        format!("--node-monitor-grace-period={grace}s"),
        "--node-monitor-period=1s".into(),
        // It creates this folder, by default one of the system.
        format!("--flex-volume-plugin-dir={}", dir.join("volume-plugins").display()),
    ]);
    part(dir, CONTROLLER_MANAGER, &state.tools.kube_controller_manager, port, args)
}

/// The scheduler.
pub(crate) fn scheduler(dir: &Path, state: &State) -> Part {
    let port = state.ports.scheduler;
    part(dir, SCHEDULER, &state.tools.kube_scheduler, port, controller_args(dir, port))
}

/// Waits for etcd.
pub(crate) fn wait_etcd(process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ports::http_ok(process.port, "/health"))
}

/// Waits for the API server, the controller manager or the scheduler.
pub(crate) fn wait_serving(
    dir: &Path,
    state: &State,
    process: &Process,
    path: &'static str,
) -> Result<(), Error> {
    let server = format!("--server=https://127.0.0.1:{}", process.port);
    process::wait_ready(process, READY_LIMIT, || {
        ports::accepts(process.port)?;
        kubectl::run(dir, &state.tools, &[&server, "get", "--raw", path], "").map(drop)
    })
}

/// Waits for the simulation.
pub(crate) fn wait_kwok(process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ports::http_ok(process.port, "/healthz"))
}

/// Creates the simulated nodes, the `StorageClass`es, and what pods that run need.
pub(crate) fn create_objects(dir: &Path, state: &State) -> Result<(), Error> {
    let mut items: Vec<Value> = (0..state.nodes).map(|index| node(index, state)).collect();
    items.extend(storage_classes());
    items.extend(real::objects(state));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    kubectl::run(dir, &state.tools, &["create", "-f", "-"], &list.to_string())
        .map(drop)
        .map_err(|reason| Error::Kubectl { action: "create the nodes and the StorageClasses", reason })
}

/// The zone of a node: they take turns, so that the first three are each in their own.
fn zone(index: usize) -> &'static str {
    match index % 3 {
        0 => "zone-a",
        1 => "zone-b",
        _ => "zone-c",
    }
}

fn node(index: usize, state: &State) -> Value {
    let name = format!("node-{}", index + 1);
    let size = json!({ "cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti" });
    let pods = format!("10.244.{index}.0/24");
    let version = format!("v{}", state.tools.kube_apiserver.version);
    let taints = match state.real {
        Some(_) => json!([{ "key": SIMULATED, "effect": "NoSchedule" }]),
        None => json!([]),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "sandbox",
                "topology.kubernetes.io/zone": zone(index),
                SIMULATED: "true",
            },
        },
        // The addresses of its pods.
        "spec": { "podCIDR": pods, "podCIDRs": [pods], "taints": taints },
        "status": {
            "capacity": size,
            "allocatable": size,
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "simulated",
                "kernelVersion": "",
                "kubeletVersion": version,
                "kubeProxyVersion": "",
                "containerRuntimeVersion": format!("kwok://{}", state.tools.kwok.version),
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    })
}

/// `standard` is the default. Volumes of `late` are made when their first pod has a node, and those of `fixed` do not
/// grow.
fn storage_classes() -> [Value; 3] {
    let class = |name: &str, default: bool, binding: &str, grows: bool| {
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": name,
                "annotations": { "storageclass.kubernetes.io/is-default-class": default.to_string() },
            },
            "provisioner": "kubernetes.io/host-path",
            "volumeBindingMode": binding,
            "allowVolumeExpansion": grows,
        })
    };
    [
        class("standard", true, "Immediate", true),
        class("late", false, "WaitForFirstConsumer", true),
        class("fixed", false, "Immediate", false),
    ]
}

/// Waits until pods can be created and scheduled: every node is ready and without a taint of others, and the default
/// account of the default namespace is there.
pub(crate) fn wait_cluster(dir: &Path, state: &State, process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || {
        let nodes = kubectl::run(dir, &state.tools, &["get", "nodes", "-o", "json"], "")?;
        let nodes: Value = serde_json::from_str(&nodes).map_err(|error| error.to_string())?;
        let ready = nodes
            .pointer("/items")
            .and_then(Value::as_array)
            .map_or(0, |nodes| nodes.iter().filter(|node| is_usable(node)).count());
        let expected = state.nodes + usize::from(state.real.is_some());
        if ready < expected {
            return Err(format!("{ready} of {expected} nodes are ready"));
        }
        let account = ["get", "serviceaccount", "default", "--namespace=default", "-o", "name"];
        kubectl::run(dir, &state.tools, &account, "").map(drop)
    })
}

fn is_usable(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| {
            condition.get("type").is_some_and(|kind| kind == "Ready")
                && condition.get("status").is_some_and(|status| status == "True")
        })
    });
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    let own = |taint: &Value| taint.get("key").is_some_and(|key| key == SIMULATED);
    ready && taints.is_none_or(|taints| taints.iter().all(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_nodes_are_in_three_zones() {
        assert_eq!([0, 1, 2, 3].map(zone), ["zone-a", "zone-b", "zone-c", "zone-a"]);
    }

    #[test]
    fn a_node_is_usable_when_ready_and_without_taints_of_others() {
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        assert!(is_usable(&json!({ "spec": {}, "status": { "conditions": ready } })));
        let own = json!({ "taints": [{ "key": SIMULATED }] });
        assert!(is_usable(&json!({ "spec": own, "status": { "conditions": ready } })));
        assert!(!is_usable(&json!({ "spec": { "taints": [{}] }, "status": { "conditions": ready } })));
        assert!(!is_usable(&json!({ "status": { "conditions": [{ "type": "Ready", "status": "False" }] } })));
        assert!(!is_usable(&json!({})));
    }
}
