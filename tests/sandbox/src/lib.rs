//! A real Kubernetes control plane on this machine, without Docker: etcd, API server, controllers and scheduler as
//! plain processes, simulated nodes and pods, and an S3 server. For the end-to-end tests and for trying things out.
//!
//! Simulated pods are scheduled, get an address and become ready, and no container runs. The API server, its
//! admission, quotas, volumes, scheduling and garbage collection are the real ones. With [`Pods::Real`] there is also a
//! node that runs containers ([`REAL_NODE`]), in a network of its own.
//!
//! A simulated pod with the annotation [`HOLD_ANNOTATION`]` = "true"` stays unready until the annotation goes away. As long as
//! they have theirs, one with [`FAIL_ANNOTATION`] shows a [`Fault`] and a node with [`LOST_ANNOTATION`] is lost.

mod control_plane;
mod credentials;
mod errors;
mod faults;
mod go_build;
mod kubectl;
mod kwok;
mod lifecycle;
pub mod oci;
mod ports;
mod process;
mod progress;
mod real;
mod recipes;
mod s3;
mod state;
mod tools;
mod versions;
mod volumes;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use errors::Error;
pub use faults::{FAIL_ANNOTATION, FAIL_MESSAGE_ANNOTATION, Fault, LOST_ANNOTATION};
pub use progress::Progress;
pub use real::{Backend, ContainerSignal, How, REAL_NODE};
pub use s3::{S3, S3Implementation};
pub use tools::{Origin, Tool, Tools};

use state::State;

/// While a pod has this annotation with the value `true`, it is scheduled and does not become ready.
pub const HOLD_ANNOTATION: &str = "sandbox.obstack.dev/hold";

/// What happens inside of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pods {
    /// Nothing: they become ready without running.
    #[default]
    Simulated,
    /// Their containers run, for those backends whose images can be had. Needs root.
    Real,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder for everything the sandbox writes: new, empty, or a sandbox already.
    pub dir: PathBuf,
    /// A `weed` binary for the S3 server. Without it `OBSTACK_WEED` is taken, then `weed` on `PATH`, and versitygw
    /// when there is neither.
    pub weed: Option<PathBuf>,
    /// What happens inside of pods.
    pub pods: Pods,
    /// Static binaries for backends by name, such as `tempo`, from which images are made. For pods that run.
    pub binaries: BTreeMap<String, PathBuf>,
    /// The number of simulated nodes, spread over three zones.
    pub nodes: usize,
}

impl Options {
    /// Three nodes, simulated pods, and the S3 server that is there.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), weed: None, pods: Pods::Simulated, binaries: BTreeMap::new(), nodes: 3 }
    }
}

/// A running sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Its folder.
    pub dir: PathBuf,
    /// A kubeconfig for an administrator.
    pub kubeconfig: PathBuf,
    /// The address of the API server.
    pub server: String,
    /// The audit log of the API server: one JSON event per line, written before the answer is sent.
    pub audit_log: PathBuf,
    /// The S3 server.
    pub s3: S3,
    /// The binaries it was made of, and the clients for it.
    pub tools: Tools,
    /// The number of simulated nodes.
    pub nodes: usize,
    /// What happens inside of pods.
    pub pods: Pods,
    /// Which backends are real here, and how; empty where pods are simulated.
    pub backends: Vec<Backend>,
}

/// What was taken down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownReport {
    /// The parts that were running and are gone.
    pub stopped: Vec<String>,
    /// Those among them that did not end when asked to and were killed.
    pub killed: Vec<String>,
    /// Whether there was a folder, which is removed.
    pub removed: bool,
}

/// What is there of a sandbox.
#[derive(Debug, Clone)]
pub struct Status {
    /// The folder.
    pub dir: PathBuf,
    /// Whether it is complete and every part runs, but for an S3 server that was stopped on purpose.
    pub running: bool,
    /// Its parts in the order of their start; empty when there is no sandbox.
    pub parts: Vec<PartStatus>,
    /// Its binaries.
    pub tools: Option<Tools>,
    /// Its S3 server.
    pub s3: Option<S3>,
    /// Which backends are real here, and how; empty where pods are simulated.
    pub backends: Vec<Backend>,
}

/// One part of a sandbox.
#[derive(Debug, Clone)]
pub struct PartStatus {
    /// Such as `kube-apiserver`.
    pub name: String,
    /// The process it was started as.
    pub pid: u32,
    /// Whether that process runs.
    pub alive: bool,
    /// Its port on 127.0.0.1, in the network of the sandbox if it has its own; 0 if it has none.
    pub port: u16,
    /// Its version.
    pub version: String,
    /// Its log.
    pub log: PathBuf,
}

/// Starts a sandbox, or returns the one that runs in the folder. One that is incomplete is replaced by a new one.
pub fn up(options: &Options, report: &mut dyn FnMut(Progress)) -> Result<Sandbox, Error> {
    lifecycle::up(options, report)
}

/// The sandbox that runs in a folder.
pub fn open(dir: &Path) -> Result<Sandbox, Error> {
    let dir = lifecycle::absolute(dir)?;
    match State::load(&dir)? {
        Some(state) => lifecycle::running(&dir, &state),
        None => Err(Error::NotRunning { dir, parts: String::new() }),
    }
}

/// Stops the processes of the sandbox in a folder and removes the folder. Nothing to do is fine.
pub fn down(dir: &Path, report: &mut dyn FnMut(Progress)) -> Result<DownReport, Error> {
    lifecycle::down(dir, report)
}

/// What is there of the sandbox in a folder.
pub fn status(dir: &Path) -> Result<Status, Error> {
    let dir = lifecycle::absolute(dir)?;
    let Some(state) = State::load(&dir)? else {
        return Ok(Status {
            dir,
            running: false,
            parts: Vec::new(),
            tools: None,
            s3: None,
            backends: Vec::new(),
        });
    };
    let running = lifecycle::running(&dir, &state).is_ok();
    let part = |part: process::Process| PartStatus {
        alive: part.id.alive(),
        name: part.name,
        pid: part.id.pid,
        port: part.port,
        version: part.version,
        log: part.log,
    };
    let parts = state.parts.into_iter().map(part).collect();
    let backends = state.real.map(|real| real.backends).unwrap_or_default();
    Ok(Status { dir, running, parts, tools: Some(state.tools), s3: Some(state.s3), backends })
}

/// The helm binary alone, found or built.
pub fn helm(report: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    tools::helm(report).map(|tool| tool.path)
}

/// The helm whose version is fixed here, built: a static binary for an image.
pub fn built_helm(report: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    tools::built_helm(report).map(|tool| tool.path)
}

/// The real Mimir, which no sandbox needs: for tests that ask it something. Building it takes about four minutes.
pub fn mimir(report: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    tools::mimir(report).map(|tool| tool.path)
}

/// The versitygw whose version is fixed here, built: for tests that need an S3 server and no sandbox.
pub fn versitygw(report: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    tools::versitygw(report).map(|tool| tool.path)
}

/// Where a sandbox lies unless something else is asked for: `obstack/sandbox` in the state folder of the user.
pub fn default_dir() -> Result<PathBuf, Error> {
    go_build::user_dir("XDG_STATE_HOME", ".local/state").map(|dir| dir.join("sandbox"))
}

impl Sandbox {
    /// Stops the S3 server and keeps its data.
    pub fn stop_s3(&self) -> Result<(), Error> {
        lifecycle::stop_s3(&self.dir)
    }

    /// Starts the S3 server again, on the same port with the same data and credentials.
    pub fn start_s3(&self) -> Result<(), Error> {
        lifecycle::start_s3(&self.dir)
    }

    /// Whether the containers of a backend, such as `mimir`, run here.
    pub fn is_real(&self, backend: &str) -> bool {
        self.backends.iter().any(|known| known.name == backend && known.is_real())
    }

    /// Brings the images of an OCI archive into the node that runs containers, under the names they have in it.
    pub fn import_image(&self, archive: &Path) -> Result<(), Error> {
        lifecycle::import_image(&self.dir, archive)
    }

    /// Sends a signal to the first process of a container that runs. What Kubernetes does then is up to it.
    pub fn kill_container(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        signal: ContainerSignal,
    ) -> Result<(), Error> {
        lifecycle::kill_container(&self.dir, (namespace, pod, container), signal)
    }

    /// The environment for programs that use the sandbox.
    pub fn env(&self) -> Vec<(String, String)> {
        let s3 = [
            ("OBSTACK_S3_ENDPOINT", &self.s3.endpoint),
            ("AWS_ENDPOINT_URL_S3", &self.s3.endpoint),
            ("AWS_REGION", &self.s3.region),
            ("AWS_ACCESS_KEY_ID", &self.s3.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.s3.secret_key),
        ];
        let s3 = s3.into_iter().map(|(key, value)| (key.to_owned(), value.clone()));
        kubectl::environment(&self.dir).into_iter().chain(s3).collect()
    }

    /// kubectl as the administrator of the sandbox.
    pub fn kubectl<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = kubectl::command(&self.dir, &self.tools);
        command.args(args);
        command
    }
}
