//! The parts that make a real node of this machine: kubelet, kube-proxy and the name server.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::cgroups;
use super::containerd;
use super::network::Network;
use super::tools::RealTools;
use crate::credentials::Files;
use crate::errors::{At, Error};
use crate::ports;
use crate::process::{self, Part, Process};
use crate::tools::Tool;

/// The node on which containers run.
pub const REAL_NODE: &str = "node-real";

const READY_LIMIT: Duration = Duration::from_mins(1);

const KUBELET_HEALTH: u16 = 10248;
const PROXY_HEALTH: u16 = 10256;
const DNS_HEALTH: u16 = 10260;
const DNS_READY: u16 = 10261;

/// Where a kubelet links the logs of containers, whatever it is told.
const LOG_LINKS: &str = "/var/log/containers";
/// Where it waits for drivers of devices, whatever it is told.
const DEVICE_SOCKET: &str = "/var/lib/kubelet/device-plugins/kubelet.sock";

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

fn write(dir: &Path, name: &str, config: &str) -> Result<PathBuf, Error> {
    let path = dir.join(name);
    fs::write(&path, config).at("write", &path)?;
    Ok(path)
}

/// The kubelet. It runs pods below a control group of the sandbox, and keeps its files in the sandbox's folder.
pub(crate) fn kubelet(dir: &Path, id: &str, network: &Network, tools: &RealTools) -> Result<Part, Error> {
    let config = write(dir, "kubelet.json", &kubelet_config(dir, id, network.node()).to_string())?;
    let root = dir.join("kubelet");
    let args = vec![
        format!("--config={}", config.display()),
        format!("--kubeconfig={}", Files::of(dir).kubeconfig.display()),
        format!("--root-dir={}", root.display()),
        format!("--cert-dir={}", root.join("pki").display()),
        format!("--hostname-override={REAL_NODE}"),
        format!("--node-ip={}", network.node()),
        "--node-labels=topology.kubernetes.io/region=sandbox,topology.kubernetes.io/zone=zone-a".into(),
    ];
    Ok(part(dir, "kubelet", &tools.kubelet, KUBELET_HEALTH, args))
}

fn kubelet_config(dir: &Path, id: &str, node: Ipv4Addr) -> Value {
    let files = Files::of(dir);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.to_string(),
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": KUBELET_HEALTH,
        "tlsCertFile": files.certificate,
        "tlsPrivateKeyFile": files.key,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": false },
            "x509": { "clientCAFile": files.ca },
        },
        // Whoever has a certificate of this CA: the API server.
        "authorization": { "mode": "AlwaysAllow" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::root(id),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "clusterDNS": [node.to_string()],
        "clusterDomain": "cluster.local",
        // The machine's own name servers are not reached from inside.
        "resolvConf": "",
        "containerRuntimeEndpoint": format!("unix://{}", containerd::socket(dir).display()),
        "podLogsDir": dir.join("logs/pods"),
        "volumePluginDir": dir.join("volume-plugins"),
        "localStorageCapacityIsolation": false,
        "evictionHard": { "imagefs.available": "1%", "nodefs.available": "1%", "memory.available": "100Mi" },
        // Nobody could pull again what was imported.
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": false,
        "maxPods": 250,
        // A quarter of it passes between two renewals, as for simulated nodes.
        "nodeLeaseDurationSeconds": 16,
        "nodeStatusUpdateFrequency": "4s",
    })
}

/// What makes Service addresses work.
pub(crate) fn proxy(dir: &Path, network: &Network, tools: &RealTools) -> Result<Part, Error> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": network.pods(),
        "clientConnection": { "kubeconfig": Files::of(dir).kubeconfig },
        "hostnameOverride": REAL_NODE,
        "healthzBindAddress": format!("127.0.0.1:{PROXY_HEALTH}"),
        // These belong to the machine and not to the network of the sandbox.
        "conntrack": { "maxPerCore": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s" },
    });
    let config = write(dir, "kube-proxy.json", &config.to_string())?;
    let args = vec![format!("--config={}", config.display())];
    Ok(part(dir, "kube-proxy", &tools.kube_proxy, PROXY_HEALTH, args))
}

/// The name server of the cluster. It knows the names of Services and pods and asks nobody else.
pub(crate) fn dns(dir: &Path, network: &Network, tools: &RealTools) -> Result<Part, Error> {
    let config = format!(
        ".:53 {{
  bind {node}
  errors
  health 127.0.0.1:{DNS_HEALTH}
  ready 127.0.0.1:{DNS_READY}
  kubernetes cluster.local in-addr.arpa {{
    endpoint_pod_names
    pods insecure
    ttl 5
    kubeconfig {kubeconfig} obstack-sandbox
  }}
}}
",
        node = network.node(),
        kubeconfig = Files::of(dir).kubeconfig.display(),
    );
    let config = write(dir, "Corefile", &config)?;
    let args = vec![format!("-conf={}", config.display())];
    Ok(part(dir, "coredns", &tools.coredns, 53, args))
}

/// Waits for the kubelet.
pub(crate) fn wait_kubelet(process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ports::http_ok(KUBELET_HEALTH, "/healthz"))
}

/// Waits until Service addresses are followed.
pub(crate) fn wait_proxy(process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ports::http_ok(PROXY_HEALTH, "/healthz"))
}

/// Waits until names are answered.
pub(crate) fn wait_dns(process: &Process) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ports::http_ok(DNS_READY, "/ready"))
}

/// Removes what a kubelet keeps outside of its folder, once it is gone: the links to the logs of this sandbox, and its
/// socket if no other kubelet of this machine has taken it over.
pub(crate) fn remove_leftovers(dir: &Path) {
    for entry in fs::read_dir(LOG_LINKS).into_iter().flatten().flatten() {
        let path = entry.path();
        if fs::read_link(&path).is_ok_and(|target| target.starts_with(dir)) {
            let _ = fs::remove_file(path);
        }
    }
    if UnixStream::connect(DEVICE_SOCKET).is_err() {
        let _ = fs::remove_file(DEVICE_SOCKET);
    }
    // Each goes away only when it is empty, from the innermost out.
    for folder in [LOG_LINKS, "/var/lib/kubelet/device-plugins", "/var/lib/kubelet"] {
        let _ = fs::remove_dir(folder);
    }
}
