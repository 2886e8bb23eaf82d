//! Runs helm with nothing of ours: an empty environment, a private home, bounded time, output and memory.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Of stderr the end is kept, in bytes.
const STDERR_KEPT: usize = 2048;
/// Memory that helm may write to, in bytes. It needs 50 to 70 MiB; a template can ask for any amount, and without
/// this limit the kernel would end the operator instead.
const MEMORY: u64 = 1024 * 1024 * 1024;
/// Largest file that helm may write, in bytes: an index of a repository has a few MiB.
const FILE: u64 = 64 * 1024 * 1024;

/// One run of helm.
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    /// A private folder: working directory, home, configuration, cache and temporary files.
    pub(super) home: &'a Path,
    /// Names of our own environment's variables to pass on.
    pub(super) inherit: &'a [&'a str],
    pub(super) deadline: Duration,
    /// Of stdout, in bytes.
    pub(super) limit: usize,
}

/// What helm wrote and how it ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// The end of it, at most 2 KiB.
    pub(super) stderr: String,
}

/// Why a run has no result.
#[derive(Debug)]
pub(super) enum Unfinished {
    TimedOut,
    TooBig,
    Io(io::Error),
}

impl From<io::Error> for Unfinished {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A folder that nobody else can look into, removed when dropped.
pub(super) fn private_dir() -> io::Result<TempDir> {
    // tempfile makes folders with mode 0700.
    tempfile::Builder::new().prefix("obstack-helm-").tempdir()
}

impl Run<'_> {
    /// Starts helm and waits for it. Whatever ends the wait, a dropped future included, ends helm's process group.
    pub(super) async fn finish(self) -> Result<Finished, Unfinished> {
        let mut child = self.command().spawn()?;
        let mut group = Group::of(&child);
        group.limit();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async {
            let read = async { bounded(stdout, self.limit).await };
            let (stdout, stderr) = tokio::join!(read, tail(stderr));
            // Too much output: nobody reads the rest, so do not wait for the end.
            let stdout = stdout?;
            Ok(Finished { status: child.wait().await?, stdout, stderr: stderr? })
        };
        let result = match tokio::time::timeout(self.deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(Unfinished::TimedOut),
        };
        if result.is_ok() {
            // It has ended and was waited for: its number may be somebody else's by now.
            group.forget();
        } else {
            group.end();
            let _ = child.wait().await;
        }
        result
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(&self.args)
            .current_dir(self.home)
            .env_clear()
            .env("PATH", "")
            .env("KUBECONFIG", "/dev/null")
            // A render ends before collecting garbage pays: Go's collector starts only where an unusual chart needs
            // this much, well before the hard limit is met.
            .env("GOGC", "off")
            .env("GOMEMLIMIT", "128MiB")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for name in [
            "HOME",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "HELM_CACHE_HOME",
            "HELM_CONFIG_HOME",
            "HELM_DATA_HOME",
            // Plugins are programs; there are none in an empty folder.
            "HELM_PLUGINS",
        ] {
            command.env(name, self.home);
        }
        for name in self.inherit {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

/// The process group of a child: ended when dropped, unless forgotten.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Sets the limits. They come a moment after the start, which is early enough: helm has not read a chart yet.
    fn limit(&self) {
        for (resource, value) in [(Resource::Data, MEMORY), (Resource::Fsize, FILE)] {
            let limit = Rlimit { current: Some(value), maximum: Some(value) };
            if let Err(error) = prlimit(self.0, resource, limit) {
                tracing::debug!(?resource, %error, "helm runs without this limit");
            }
        }
    }

    fn end(&mut self) {
        if let Some(pid) = self.0.take() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// All of a stream, or `TooBig`.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> Result<Vec<u8>, Unfinished> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() > limit { Err(Unfinished::TooBig) } else { Ok(bytes) }
}

/// The end of a stream.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut kept: Vec<u8> = Vec::new();
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            break;
        }
        kept.extend(chunk.iter().take(count));
        let excess = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..excess);
    }
    Ok(String::from_utf8_lossy(&kept).trim().to_owned())
}

/// The line of helm's stderr that says what went wrong.
pub(super) fn first_line(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines
        .clone()
        .find(|line| line.starts_with("Error:"))
        .or_else(|| lines.next())
        .unwrap_or("no message");
    line.trim_start_matches("Error:").trim().chars().filter(|c| !c.is_control()).take(400).collect()
}
