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
        Self { dir: dir.into(), id, volumes: Vec::new(), sockets: Vec::new() }
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
        self.assert_none(self.look());
    }

    /// After another sandbox took its place: what is told from the other one's.
    pub fn assert_replaced(&self) {
        self.assert_none(self.look_by_id());
    }

    fn assert_none(&self, mut left: Found) {
        left.retain(|_, found| !found.is_empty());
        assert!(left.is_empty(), "left of {}: {left:#?}", self.dir.display());
    }

    fn look(&self) -> Found {
        let dir = self.dir.display().to_string();
        let mut found = self.look_by_id();
        found.insert("mount", lines("/proc/self/mounts", &dir));
        found.insert("log", log_links(&self.dir));
        let commands = processes(|pid| holds(pid, "cmdline", &dir));
        found.entry("process").or_default().extend(commands);
        found
    }

    fn look_by_id(&self) -> Found {
        let short: String = self.id.chars().take(8).collect();
        let group = format!("obstack-{}", self.id);
        let existing = |paths: &[PathBuf]| -> BTreeSet<String> {
            paths.iter().filter(|path| path.exists()).map(|path| path.display().to_string()).collect()
        };
        let own = processes(|pid| holds(pid, "environ", &self.id) || holds(pid, "cgroup", &group));
        BTreeMap::from([
            ("link", entries("/sys/class/net", |name| name.contains(&short))),
            ("route", lines("/proc/net/route", &short)),
            ("control group", groups(Path::new("/sys/fs/cgroup"), &group, 2)),
            ("process", own),
            ("volume", existing(&self.volumes)),
            ("socket", existing(&self.sockets)),
            ("interface", entries("/var/lib/cni/results", |name| name.contains(&self.id))),
        ])
    }
}

/// Of all but this one; each with its command, for the message.
fn processes(mut wanted: impl FnMut(&str) -> bool) -> BTreeSet<String> {
    let own = std::process::id().to_string();
    // One that has ended is there until its parent has looked, and holds nothing any more.
    let ended =
        |pid: &str| file(pid, "stat").rsplit(") ").next().is_none_or(|rest| rest.starts_with(['Z', 'X']));
    let other = |pid: &str| pid != own && pid.chars().all(|c| c.is_ascii_digit()) && !ended(pid);
    let found = entries("/proc", |pid| other(pid) && wanted(pid));
    found.into_iter().map(|pid| format!("{pid} {}", file(&pid, "cmdline"))).collect()
}

fn file(pid: &str, name: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn holds(pid: &str, name: &str, text: &str) -> bool {
    file(pid, name).contains(text)
}

fn pid(state: &Value, part: &str) -> Option<i64> {
    let parts = state.get("parts")?.as_array()?;
    parts.iter().find(|found| found["name"] == part)?["id"]["pid"].as_i64()
}

fn lines(path: &str, word: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
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
