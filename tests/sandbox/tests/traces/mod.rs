//! What a sandbox with real pods leaves on a machine while it runs, found without its own code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use obstack_sandbox::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::eventually;

/// What it is looked for by.
pub struct Traces {
    dir: PathBuf,
    id: String,
    /// Its network, as the kernel names it.
    namespace: PathBuf,
    volumes: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
}

type Found = BTreeMap<&'static str, BTreeSet<String>>;

impl Traces {
    /// Those of a running sandbox.
    pub fn of(sandbox: &Sandbox) -> Self {
        let dir = &sandbox.dir;
        let paths = super::run(sandbox.kubectl(["get", "pv", "-o", "jsonpath={.items[*].spec.local.path}"]));
        let volumes = paths.split_whitespace().map(PathBuf::from).collect();
        Self { volumes, sockets: sockets(dir), ..Self::once_started(dir, "coredns") }
    }

    /// Those of a sandbox of which this part was started.
    pub fn once_started(dir: &Path, part: &str) -> Self {
        let state = eventually(part, || {
            let text = fs::read_to_string(dir.join("sandbox.json")).ok()?;
            let state: Value = serde_json::from_str(&text).ok()?;
            pid(&state, part).map(|_| state)
        });
        let id = state["id"].as_str().unwrap().to_owned();
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        let keeper = pid(&state, "network").unwrap();
        let namespace = eventually("a namespace", || {
            fs::read_link(format!("/proc/{keeper}/ns/net")).ok().filter(|namespace| *namespace != own)
        });
        Self { dir: dir.into(), id, namespace, volumes: Vec::new(), sockets: Vec::new() }
    }

    /// Kills every part, so that none can clean up behind itself. Containers run on.
    pub fn kill_parts(&self) {
        let text = fs::read_to_string(self.dir.join("sandbox.json")).unwrap();
        let state: Value = serde_json::from_str(&text).unwrap();
        for part in state["parts"].as_array().unwrap() {
            let pid = i32::try_from(part["id"]["pid"].as_i64().unwrap()).unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
    }

    /// A look that finds nothing must be able to find something.
    pub fn assert_of_every_kind(&self) {
        for (kind, found) in self.look() {
            assert!(!found.is_empty(), "no {kind} of {} found", self.dir.display());
        }
    }

    pub fn assert_gone(&self) {
        // A namespace ends a moment after its last process.
        let none: Found = self.look().into_iter().filter(|(_, found)| !found.is_empty()).collect();
        assert!(none.is_empty(), "left of {}: {none:#?}", self.dir.display());
    }

    fn look(&self) -> Found {
        let short: String = self.id.chars().take(8).collect();
        let dir = self.dir.display().to_string();
        let group = format!("obstack-{}", self.id);
        let existing = |paths: &[PathBuf]| -> BTreeSet<String> {
            paths.iter().filter(|path| path.exists()).map(|path| path.display().to_string()).collect()
        };
        BTreeMap::from([
            ("mount", lines("/proc/self/mounts", &[&dir])),
            ("link", entries("/sys/class/net", |name| name.contains(&short))),
            ("route", lines("/proc/net/route", &[&short])),
            ("control group", groups(Path::new("/sys/fs/cgroup"), &group, 2)),
            ("process", self.processes(&group, &dir)),
            ("volume", existing(&self.volumes)),
            ("socket", existing(&self.sockets)),
            ("interface", entries("/var/lib/cni/results", |name| name.contains(&self.id))),
            ("log", log_links(&self.dir)),
        ])
    }

    /// By their environment, their control group, their network, or a path of the sandbox in their command.
    fn processes(&self, group: &str, dir: &str) -> BTreeSet<String> {
        let own = std::process::id().to_string();
        entries("/proc", |pid| {
            let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let has = |name: &str, text: &str| String::from_utf8_lossy(&file(name)).contains(text);
            pid != own
                && pid.chars().all(|c| c.is_ascii_digit())
                && (has("environ", &self.id)
                    || has("cgroup", group)
                    || has("cmdline", dir)
                    || fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|net| net == self.namespace))
        })
    }
}

fn pid(state: &Value, part: &str) -> Option<i64> {
    let parts = state.get("parts")?.as_array()?;
    parts.iter().find(|found| found["name"] == part)?["id"]["pid"].as_i64()
}

fn lines(path: &str, words: &[&str]) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
}

fn entries(folder: &str, mut wanted: impl FnMut(&str) -> bool) -> BTreeSet<String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| wanted(name)).collect()
}

/// Folders of that name, this deep: hierarchies are mounted at most one below the root of them all.
fn groups(folder: &Path, name: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy() == name {
            found.insert(path.display().to_string());
        } else if depth > 1 && path.is_dir() {
            found.extend(groups(&path, name, depth - 1));
        }
    }
    found
}

fn log_links(dir: &Path) -> BTreeSet<String> {
    let links = fs::read_dir("/var/log/containers").into_iter().flatten().flatten();
    let own = links.filter(|link| fs::read_link(link.path()).is_ok_and(|target| target.starts_with(dir)));
    own.map(|link| link.path().display().to_string()).collect()
}

/// The addresses of the processes that look after pods.
fn sockets(dir: &Path) -> Vec<PathBuf> {
    let pods = dir.join("containerd/state/io.containerd.runtime.v2.task/k8s.io");
    fs::read_dir(pods)
        .unwrap()
        .flatten()
        .filter_map(|pod| fs::read_to_string(pod.path().join("bootstrap.json")).ok())
        .filter_map(|text| {
            let pod: Value = serde_json::from_str(&text).ok()?;
            Some(PathBuf::from(pod["address"].as_str()?.trim_start_matches("unix://")))
        })
        .collect()
}
