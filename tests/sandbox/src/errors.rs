//! What can go wrong, in words that say what to do next.

use std::io;
use std::net::Ipv4Addr;
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
    /// Pods that run are asked for by somebody who may not make networks and mounts.
    #[error(
        "pods that run need root, for networks, mounts and control groups: run it with sudo, or with --pods simulated"
    )]
    NotRoot,
    /// The kernel of this machine does not do what pods need.
    #[error("pods that run need {missing} of the kernel: use another machine, or --pods simulated")]
    Kernel {
        /// What is missing.
        missing: String,
    },
    /// Programs that every system has are not there.
    #[error("pods that run need these programs on PATH: {missing}; install them, or use --pods simulated")]
    Programs {
        /// The programs.
        missing: String,
    },
    /// Packages are missing and cannot be installed from here.
    #[error(
        "pods that run need the packages {names} ({reason}): install them with `apt-get install {names}` or what your system has for it, or use --pods simulated"
    )]
    Packages {
        /// The names that Debian has for them.
        names: String,
        /// Why they were not installed.
        reason: String,
    },
    /// No block of addresses is free.
    #[error(
        "no block of addresses is free: this machine has routes into all {blocks} blocks of 8192 from {from} on; take another sandbox down"
    )]
    NoAddresses {
        /// The first address of the first block.
        from: Ipv4Addr,
        /// The number of blocks.
        blocks: u8,
    },
    /// The network of the sandbox could not be made or removed.
    #[error("`{command}` failed: {reason}")]
    Network {
        /// The command.
        command: String,
        /// What it complained about.
        reason: String,
    },
    /// The folder's path is too long for sockets in it.
    #[error("the path {} has {length} characters; with pods that run it may have {limit}", dir.display())]
    LongPath {
        /// The folder.
        dir: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest that works.
        limit: usize,
    },
    /// A binary is given for a backend that cannot have one.
    #[error("--binary {name}: there is no such backend; known are {known}")]
    UnknownBinary {
        /// The name as given.
        name: String,
        /// The names that can be given.
        known: String,
    },
    /// Binaries are given, and no pod would run them.
    #[error("--binary is for pods that run: add --pods real")]
    BinariesOfSimulatedPods,
    /// Something needs containers and there are none.
    #[error("the pods of this sandbox are simulated: there is no container and no image in it")]
    NoRealPods,
    /// Containers could not be reached.
    #[error("cannot {action}: {reason}")]
    Containers {
        /// What was tried, as a verb with its object.
        action: String,
        /// What containerd or the API server said.
        reason: String,
    },
    /// A mount did not go away, so nothing below the folder may be removed.
    #[error("{} is still mounted: `umount {}` shows why, then try again", path.display(), path.display())]
    StillMounted {
        /// The mount point.
        path: PathBuf,
    },
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
    /// Something cannot be put into an image.
    #[error("{} cannot be in an image: {reason}", path.display())]
    Image {
        /// What should be in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
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
