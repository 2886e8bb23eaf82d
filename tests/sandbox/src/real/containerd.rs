//! containerd: what runs containers, all of it below the folder of the sandbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::network::Network;
use super::tools::RealTools;
use crate::errors::{At, Error};
use crate::process::{self, Part, Process};

/// The name of the part.
pub(crate) const NAME: &str = "containerd";

/// The image of the process that holds the namespaces of a pod.
pub(crate) const PAUSE: &str = "sandbox.obstack.dev/pause:1";

const READY_LIMIT: Duration = Duration::from_secs(30);

/// Where it keeps its addresses; nothing else of containerd lies outside of the folder.
const SHIM_SOCKETS: &str = "/run/containerd/s";
/// Where its network library remembers the interfaces it made.
const NETWORK_RESULTS: &str = "/var/lib/cni/results";

pub(crate) fn home(dir: &Path) -> PathBuf {
    dir.join("containerd")
}

pub(crate) fn socket(dir: &Path) -> PathBuf {
    home(dir).join("containerd.sock")
}

/// The part, with its configuration written.
pub(crate) fn part(dir: &Path, id: &str, network: &Network, tools: &RealTools) -> Result<Part, Error> {
    let home = home(dir);
    let net = home.join("net.d");
    fs::create_dir_all(&net).at("create", &net)?;
    let conflist = net.join("10-sandbox.conflist");
    fs::write(&conflist, pod_network(&home, id, network)).at("write", &conflist)?;
    let config = home.join("config.toml");
    fs::write(&config, configuration(&home, tools)).at("write", &config)?;
    Ok(Part {
        name: NAME,
        program: tools.containerd.path.clone(),
        args: vec![format!("--config={}", config.display())],
        env: Vec::new(),
        dir: home,
        log: dir.join("logs/containerd.log"),
        port: 0,
        version: tools.containerd.version.clone(),
    })
}

/// Every pod gets a link of its own and no bridge: traffic between two pods is routed, so that Service addresses work
/// whatever the kernel filters on bridges.
fn pod_network(home: &Path, id: &str, network: &Network) -> String {
    let ipam = json!({
        "type": "host-local",
        "dataDir": home.join("addresses"),
        "ranges": [[{ "subnet": network.pods() }]],
        "routes": [{ "dst": "0.0.0.0/0" }],
    });
    json!({
        "cniVersion": "1.0.0",
        "name": pod_network_name(id),
        "plugins": [{ "type": "ptp", "ipMasq": false, "ipam": ipam }],
    })
    .to_string()
}

fn pod_network_name(id: &str) -> String {
    format!("obstack-{id}")
}

/// A TOML string.
fn quoted(path: &Path) -> String {
    json!(path.display().to_string()).to_string()
}

fn configuration(home: &Path, tools: &RealTools) -> String {
    let plugins =
        [&tools.ptp, &tools.host_local].map(|tool| tool.path.parent().map(quoted).unwrap_or_default());
    format!(
        "version = 3
root = {root}
state = {state}
temp = {temp}

[grpc]
  address = {socket}

[plugins.'io.containerd.internal.v1.opt']
  path = {opt}

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{PAUSE}'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE nobody may lower the score of a process.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [{plugins}]
    conf_dir = {net}
    use_internal_loopback = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      runtime_path = {shim}
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = {runc}
        Root = {runc_root}
        SystemdCgroup = false
",
        root = quoted(&home.join("root")),
        state = quoted(&home.join("state")),
        temp = quoted(&home.join("temp")),
        opt = quoted(&home.join("opt")),
        socket = quoted(&home.join("containerd.sock")),
        plugins = plugins.join(", "),
        net = quoted(&home.join("net.d")),
        shim = quoted(&tools.containerd_shim.path),
        runc = quoted(&tools.runc.path),
        runc_root = quoted(&home.join("runc")),
    )
}

/// Waits until it takes orders.
pub(crate) fn wait(dir: &Path, process: &Process, tools: &RealTools) -> Result<(), Error> {
    process::wait_ready(process, READY_LIMIT, || ctr(dir, &tools.ctr.path, &["version"]).map(drop))
}

/// Its own client, in the namespace of the kubelet. Returns what it prints, or its complaint.
pub(crate) fn ctr(dir: &Path, ctr: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(ctr)
        .arg("--address")
        .arg(socket(dir))
        .args(["--namespace", "k8s.io"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", ctr.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("no output").trim().to_owned())
}

/// Removes what it keeps outside of its folder, once nothing runs.
pub(crate) fn remove_leftovers(dir: &Path, id: &str) {
    for socket in shim_sockets(dir) {
        let _ = fs::remove_file(socket);
    }
    let prefix = pod_network_name(id);
    for entry in fs::read_dir(NETWORK_RESULTS).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Each goes away only when it is empty, from the innermost out.
    for folder in [SHIM_SOCKETS, "/run/containerd", NETWORK_RESULTS, "/var/lib/cni"] {
        let _ = fs::remove_dir(folder);
    }
}

/// Each process that looks after a pod has its address written down next to the pod.
fn shim_sockets(dir: &Path) -> Vec<PathBuf> {
    let pods = home(dir).join("state/io.containerd.runtime.v2.task/k8s.io");
    let entries = fs::read_dir(pods).into_iter().flatten().flatten();
    let socket = |text: String| {
        let start = text.find(SHIM_SOCKETS)?;
        let path = text.get(start..)?.split(['"', '\n']).next()?;
        Some(PathBuf::from(path))
    };
    entries
        .flat_map(|entry| ["bootstrap.json", "address"].map(|name| entry.path().join(name)))
        .filter_map(|file| socket(fs::read_to_string(file).ok()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_shim_is_found_whichever_way_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let pods = home(dir.path()).join("state/io.containerd.runtime.v2.task/k8s.io");
        for (pod, file, text) in [
            (
                "a",
                "bootstrap.json",
                r#"{"version":3,"address":"unix:///run/containerd/s/aa","protocol":"ttrpc"}"#,
            ),
            ("b", "address", "unix:///run/containerd/s/bb"),
            ("c", "config.json", "unix:///run/containerd/s/cc"),
        ] {
            fs::create_dir_all(pods.join(pod)).unwrap();
            fs::write(pods.join(pod).join(file), text).unwrap();
        }
        let mut found = shim_sockets(dir.path());
        found.sort();
        assert_eq!(found, ["/run/containerd/s/aa", "/run/containerd/s/bb"].map(PathBuf::from));
    }
}
