//! The control groups of real pods: all below one folder per hierarchy, named after the sandbox. So whatever runs in a
//! container of the sandbox is found there, whoever started it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::errors::{At, Error};

const LIMIT: Duration = Duration::from_secs(20);

/// The controllers without which a kubelet runs no pod.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];

/// The name of the folder, as a kubelet takes it.
pub(crate) fn root(id: &str) -> String {
    format!("/obstack-{id}")
}

/// Creates the folder in every hierarchy of this machine.
pub(crate) fn create(id: &str) -> Result<(), Error> {
    for path in folders(id) {
        fs::create_dir_all(&path).at("create", &path)?;
    }
    Ok(())
}

/// Kills what runs in the containers. Returns how many processes that were.
pub(crate) fn kill(id: &str) -> Result<usize, Error> {
    let mut killed = BTreeSet::new();
    let start = Instant::now();
    loop {
        let left: BTreeSet<i32> = folders(id).iter().flat_map(|path| processes(path)).collect();
        if left.is_empty() {
            return Ok(killed.len());
        }
        if start.elapsed() >= LIMIT {
            let pids: Vec<String> = left.iter().map(i32::to_string).collect();
            return Err(Error::NotStopped(pids.join(", ")));
        }
        for pid in &left {
            if let Some(pid) = Pid::from_raw(*pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        killed.extend(left);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the folders, which have no processes any more.
pub(crate) fn remove(id: &str) -> Result<(), Error> {
    let start = Instant::now();
    for path in folders(id) {
        // A group is busy for a moment after its last process.
        while let Err(error) = remove_tree(&path) {
            if start.elapsed() >= LIMIT {
                return Err(error).at("remove", &path);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// The controllers that a kubelet needs and this machine does not give.
pub(crate) fn missing() -> Vec<&'static str> {
    let table = fs::read_to_string("/proc/cgroups").unwrap_or_default();
    let on = |name: &str| {
        table.lines().any(|line| {
            let mut fields = line.split_whitespace();
            fields.next() == Some(name) && fields.nth(2) == Some("1")
        })
    };
    let unified = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let has = |name: &&str| on(name) || unified.split_whitespace().any(|controller| controller == *name);
    NEEDED.into_iter().filter(|name| !has(name)).collect()
}

/// Whether a group can be made in every hierarchy.
pub(crate) fn writable() -> bool {
    let id = format!("try-{}", std::process::id());
    folders(&id).iter().all(|path| {
        let made = fs::create_dir_all(path).is_ok();
        made && fs::remove_dir(path).is_ok()
    })
}

fn folders(id: &str) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    hierarchies(&table).into_iter().map(|path| path.join(root(id).trim_start_matches('/'))).collect()
}

fn hierarchies(table: &str) -> BTreeSet<PathBuf> {
    let hierarchy = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let path = fields.next()?;
        matches!(fields.next()?, "cgroup" | "cgroup2").then(|| path.into())
    };
    table.lines().filter_map(hierarchy).collect()
}

fn children(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|e| e.path())
        .collect()
}

fn processes(path: &Path) -> Vec<i32> {
    let own = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let own: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    children(path).iter().flat_map(|child| processes(child)).chain(own).collect()
}

/// The files in it are not files that could be removed: folders go from the innermost out.
fn remove_tree(path: &Path) -> std::io::Result<()> {
    for child in children(path) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_control_groups_are_found() {
        let table = "sysfs /sys sysfs rw 0 0\n\
                     cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                     cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
                     tmpfs /cgroup tmpfs rw 0 0\n";
        let expect: [PathBuf; 2] = ["/sys/fs/cgroup/memory".into(), "/sys/fs/cgroup/unified".into()];
        assert_eq!(hierarchies(table), expect.into());
    }

    #[test]
    fn folders_go_from_the_innermost_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("pods/one/two")).unwrap();
        remove_tree(&root).unwrap();
        assert!(!root.exists());
        remove_tree(&root).unwrap();
    }
}
