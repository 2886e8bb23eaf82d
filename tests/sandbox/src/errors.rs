//! What can go wrong, in words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Why a sandbox could not be started, found, used or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// The state file of a sandbox cannot be understood.
    #[error("{} is not readable as the state of a sandbox: {reason}", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither an option nor the environment says where things belong.
    #[error("no home folder is known: set HOME, or {variable}")]
    NoHome {
        /// The variable that names the base folder directly.
        variable: &'static str,
    },
    /// Pods that really run are asked for.
    #[error("pods that really run are not available yet: use simulated pods")]
    RealPods,
    /// A sandbox needs at least one node.
    #[error("a sandbox needs between 1 and 250 nodes, not {asked}")]
    Nodes {
        /// The number of nodes asked for.
        asked: usize,
    },
    /// A binary has to be built and there is no Go toolchain.
    #[error(
        "`{tool}` has to be built and `go` is not on PATH: install Go 1.26 or newer, or put the binary where it is looked for ({looked})"
    )]
    NoGo {
        /// The tool that is missing.
        tool: String,
        /// The places that were looked at.
        looked: String,
    },
    /// A binary could not be built.
    #[error("building `{tool}` failed; the log is {}\n{tail}", log.display())]
    Build {
        /// The tool.
        tool: String,
        /// The whole output of the build.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A binary that was given does not do what is needed.
    #[error("{} does not work as `{tool}`: {reason}", path.display())]
    Tool {
        /// The tool it should be.
        tool: String,
        /// The binary.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No run of free ports was found.
    #[error("found no free ports on 127.0.0.1 between {from} and {to}")]
    NoPorts {
        /// The first port tried.
        from: u16,
        /// The last port tried.
        to: u16,
    },
    /// A key or a certificate could not be made.
    #[error("cannot make the certificates of the sandbox: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A part ended on its own.
    #[error("{part} ended on its own; the log is {}\n{tail}", log.display())]
    PartDied {
        /// The part.
        part: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A part runs but does not become ready.
    #[error("{part} was not ready after {seconds} s ({last}); the log is {}\n{tail}", log.display())]
    NotReady {
        /// The part.
        part: String,
        /// How long it was waited for.
        seconds: u64,
        /// The answer of the last check.
        last: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A call to the API server failed.
    #[error("cannot {action}: {reason}")]
    Kubectl {
        /// What was tried, as a verb.
        action: &'static str,
        /// What kubectl said.
        reason: String,
    },
    /// There is no running sandbox in the folder.
    #[error("no sandbox runs in {}{}", dir.display(), if parts.is_empty() { String::new() } else { format!(" (not running: {parts})") })]
    NotRunning {
        /// The folder.
        dir: PathBuf,
        /// The parts that should run and do not; empty when there is no sandbox at all.
        parts: String,
    },
    /// The folder holds something else.
    #[error("{} holds files and is not a sandbox: choose another folder", dir.display())]
    NotASandbox {
        /// The folder.
        dir: PathBuf,
    },
    /// The running sandbox is not the one asked for.
    #[error("the sandbox in {} runs with {running}, not with {asked}: take it down first", dir.display())]
    Differs {
        /// The folder.
        dir: PathBuf,
        /// What runs.
        running: String,
        /// What was asked for.
        asked: String,
    },
    /// Processes survived a kill.
    #[error("these processes of the sandbox do not end: {0}")]
    NotStopped(String),
}

/// Names the action and the path of a failed file operation.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.to_path_buf(), source })
    }
}
