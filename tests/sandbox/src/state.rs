//! The memory of a sandbox: `sandbox.json` in its folder, and the lock on that folder.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::credentials::write_private;
use crate::errors::{At, Error};
use crate::ports::Ports;
use crate::process::Process;
use crate::progress::{Progress, Report};
use crate::real::Real;
use crate::s3::{self, S3};
use crate::tools::Tools;

const FILE: &str = "sandbox.json";
const UNFINISHED: &str = "sandbox.json.unfinished";
const FORMAT: u32 = 1;

/// How far a sandbox got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Being started, or its starter was killed.
    Starting,
    /// Complete.
    Running,
}

/// What is written down. It is written before the first process starts and after every change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    /// The mark of all its processes.
    pub(crate) id: String,
    pub(crate) phase: Phase,
    pub(crate) nodes: usize,
    pub(crate) ports: Ports,
    pub(crate) tools: Tools,
    pub(crate) s3: S3,
    /// The S3 server was stopped on purpose.
    #[serde(default)]
    pub(crate) s3_stopped: bool,
    pub(crate) parts: Vec<Process>,
    /// Only where pods run.
    #[serde(default)]
    pub(crate) real: Option<Real>,
}

impl State {
    pub(crate) fn new(
        id: String,
        nodes: usize,
        ports: Ports,
        tools: Tools,
        real: Option<Real>,
    ) -> Result<Self, Error> {
        let address = address(real.as_ref());
        Ok(Self {
            format: FORMAT,
            id,
            phase: Phase::Starting,
            nodes,
            s3: S3::new(address, ports.s3, s3::implementation(&tools.s3))?,
            ports,
            tools,
            s3_stopped: false,
            parts: Vec::new(),
            real,
        })
    }

    /// Where the API server and the object store are reached, from this machine and from pods.
    pub(crate) fn address(&self) -> Ipv4Addr {
        address(self.real.as_ref())
    }

    /// Every address that clients may use for the API server.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        let real = self.real.iter().flat_map(|real| [real.network.node(), real.network.apiserver_service()]);
        std::iter::once(Ipv4Addr::LOCALHOST).chain(real).collect()
    }

    /// Where they listen.
    pub(crate) fn listen(&self) -> Ipv4Addr {
        if self.real.is_some() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST }
    }

    /// The state in a folder, if there is one.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.at("read", &path)?,
        };
        let state: Self = serde_json::from_str(&text)
            .map_err(|error| Error::State { path: path.clone(), reason: error.to_string() })?;
        if state.format == FORMAT {
            return Ok(Some(state));
        }
        Err(Error::State { path, reason: format!("it has format {} and not {FORMAT}", state.format) })
    }

    /// Readers see the old state or the new one, never half of it.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::State { path: path.clone(), reason: error.to_string() })?;
        let unfinished = dir.join(UNFINISHED);
        write_private(&unfinished, &text)?;
        fs::rename(&unfinished, &path).at("rename", &unfinished)
    }

    /// Notes a process, in the place of an earlier one of the same name.
    pub(crate) fn note(&mut self, process: Process) {
        self.parts.retain(|part| part.name != process.name);
        self.parts.push(process);
    }

    pub(crate) fn part(&self, name: &str) -> Option<&Process> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The parts that should run and do not; a server that was stopped on purpose should not.
    pub(crate) fn dead(&self) -> Vec<&Process> {
        let expected = |part: &&Process| !(self.s3_stopped && part.name == s3::NAME);
        self.parts.iter().filter(expected).filter(|part| !part.id.alive()).collect()
    }
}

fn address(real: Option<&Real>) -> Ipv4Addr {
    real.map_or(Ipv4Addr::LOCALHOST, |real| real.network.node())
}

/// Whether a folder without a state may become a sandbox, or may be removed: nothing of anyone else is in it.
pub(crate) fn is_vacant(dir: &Path) -> Result<bool, Error> {
    let entries = fs::read_dir(dir).at("read", dir)?;
    Ok(entries.flatten().all(|entry| entry.file_name() == UNFINISHED))
}

/// Whether a file of the folder holds the state.
pub(crate) fn is_memory(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE)
}

/// Creates the folder if needed, and holds it until the returned lock is dropped.
pub(crate) fn lock_new(dir: &Path, report: Report<'_>) -> Result<File, Error> {
    loop {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).at("create", dir)?;
        if let Some(lock) = lock(dir, report)? {
            return Ok(lock);
        }
    }
}

/// Holds an existing folder until the returned lock is dropped. The lock is on the folder itself, so a folder that
/// was removed while waiting is noticed, and no lock file is left behind.
pub(crate) fn lock(dir: &Path, report: Report<'_>) -> Result<Option<File>, Error> {
    let file = match File::open(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.at("open", dir)?,
    };
    if file.try_lock().is_err() {
        report(Progress::step("lock", "another run uses this sandbox; waiting for it"));
        file.lock().at("lock", dir)?;
    }
    let held = file.metadata().at("read", dir)?;
    match fs::metadata(dir) {
        Ok(now) if (now.dev(), now.ino()) == (held.dev(), held.ino()) => Ok(Some(file)),
        Ok(_) => lock(dir, report),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Origin, Tool};

    fn state() -> State {
        let tool = |name: &str| Tool {
            name: name.into(),
            path: format!("/bin/{name}").into(),
            version: "1.2.3".into(),
            origin: Origin::Cache,
        };
        let tools = Tools {
            kubectl: tool("kubectl"),
            helm: tool("helm"),
            etcd: tool("etcd"),
            kube_apiserver: tool("kube-apiserver"),
            kube_controller_manager: tool("kube-controller-manager"),
            kube_scheduler: tool("kube-scheduler"),
            kwok: tool("kwok"),
            s3: tool("versitygw"),
        };
        State::new("id".into(), 3, Ports::choose().unwrap(), tools, None).unwrap()
    }

    #[test]
    fn a_state_comes_back_as_it_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        assert!(State::load(dir.path()).unwrap().is_none());
        let saved = state();
        saved.save(dir.path()).unwrap();
        let loaded = State::load(dir.path()).unwrap().unwrap();
        assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&saved).unwrap());
    }

    #[test]
    fn an_unknown_or_broken_state_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        State { format: 99, ..state() }.save(dir.path()).unwrap();
        assert!(State::load(dir.path()).unwrap_err().to_string().contains("format 99"));
        fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(matches!(State::load(dir.path()), Err(Error::State { .. })));
    }

    #[test]
    fn only_a_folder_without_foreign_files_is_vacant() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_vacant(dir.path()).unwrap());
        fs::write(dir.path().join(UNFINISHED), "").unwrap();
        assert!(is_vacant(dir.path()).unwrap());
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        assert!(!is_vacant(dir.path()).unwrap());
    }

    #[test]
    fn a_folder_is_held_by_one_and_a_missing_one_by_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut waited = false;
        let held = lock_new(&dir.path().join("new"), &mut |_| waited = true).unwrap();
        assert!(!waited);
        let second = File::open(dir.path().join("new")).unwrap();
        assert!(second.try_lock().is_err());
        drop(held);
        second.try_lock().unwrap();
        assert!(lock(&dir.path().join("missing"), &mut |_| {}).unwrap().is_none());
    }
}
