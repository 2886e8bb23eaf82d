//! The operator as a process beside the cluster, with the rights of its ServiceAccount and no others.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

use crate::args::Demo;
use crate::command;
use crate::demo::http;
use crate::demo::place::Place;
use crate::error::{At, Error};
use crate::install::SYSTEM;
use crate::interrupt;
use crate::show::Show;
use crate::workspace;

const NAME: &str = "obstack-operator";
const KUBECONFIG: &str = "operator.kubeconfig";
const READY_LIMIT: Duration = Duration::from_mins(1);
/// The operator finishes the step in hand and gives its Lease back.
const GRACE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// What a sandbox marks its processes with: it takes down whatever carries its mark.
const MARK: &str = "OBSTACK_SANDBOX_MARK=";

/// A running operator.
pub struct Operator {
    child: Child,
    listen: SocketAddr,
    /// Its log.
    pub log: PathBuf,
}

impl Operator {
    /// Starts it. In a sandbox it carries the sandbox's mark, so that `sandbox down` ends it too.
    pub fn start(place: &Place, options: &Demo, binary: &Path) -> Result<Self, Error> {
        let kubeconfig = write_kubeconfig(place)?;
        let listen = free_address()?;
        let log = place.files.join("operator.log");
        let output = OpenOptions::new().create(true).append(true).open(&log).at("open", &log)?;
        let errors = output.try_clone().at("open", &log)?;
        let mut command = Command::new(binary);
        command
            .arg("--helm")
            .arg(place.helm())
            .arg("--bundled-charts")
            .arg(workspace::root().join("charts/bundled"))
            .arg("--cache-dir")
            .arg(place.files.join("cache"))
            .args(["--lease-namespace", SYSTEM, "--log-format", "text", "--listen", &listen.to_string()]);
        match &options.charts {
            Some(dir) => {
                let dir = std::path::absolute(dir).at("find", dir)?;
                command.args(["--chart-source", "upstream", "--charts"]).arg(dir)
            }
            None => command.args(["--chart-source", "bundled"]),
        };
        // Nothing of the caller's environment: no other cluster, no cloud account, no flag in a variable.
        command.env_clear().env("KUBECONFIG", &kubeconfig).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        for name in ["HOME", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        if let Some((key, value)) = mark(place).as_deref().and_then(|mark| mark.split_once('=')) {
            command.env(key, value);
        }
        command.current_dir(&place.files).process_group(0).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(|source| command::cannot_run(&command, source))?;
        Ok(Self { child, listen, log })
    }

    /// Waits until it works.
    pub fn wait_ready(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        let show = Show::new("operator");
        loop {
            self.check()?;
            let last = match ask(self.listen, "/readyz") {
                Ok(()) => return Ok(()),
                Err(last) => last,
            };
            if begin.elapsed() >= READY_LIMIT {
                return Err(Error::OperatorNotReady {
                    seconds: READY_LIMIT.as_secs(),
                    last,
                    tail: self.tail(),
                });
            }
            show.now_quietly(format!("operator: {last}"));
            interrupt::sleep(POLL)?;
        }
    }

    /// An error if it ended.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(Error::OperatorDied { status: status.to_string(), tail: self.tail() }),
            _ => Ok(()),
        }
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        command::tail(&String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it and all that it started.
    pub fn stop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            if let Some(group) = group {
                let _ = kill_process_group(group, signal);
            }
            let begin = Instant::now();
            while begin.elapsed() < patience && !matches!(self.child.try_wait(), Ok(Some(_))) {
                thread::sleep(POLL);
            }
        }
    }
}

/// Ends the operator that an earlier demo left in the same sandbox.
pub fn end_earlier(place: &Place) -> Result<(), Error> {
    let Some(mark) = mark(place) else { return Ok(()) };
    let entries = fs::read_dir("/proc").at("read", Path::new("/proc"))?;
    for pid in entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
    {
        // The handle is opened before the look, so the signal cannot reach a successor of the process.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        if !is_operator(pid, &mark) {
            continue;
        }
        let _ = pidfd_send_signal(&handle, Signal::TERM);
        let begin = Instant::now();
        while is_operator(pid, &mark) {
            if begin.elapsed() >= GRACE {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            }
            interrupt::sleep(POLL)?;
        }
        println!("The operator of an earlier demo was ended.");
    }
    Ok(())
}

fn is_operator(pid: Pid, mark: &str) -> bool {
    let file = |name: &str| format!("/proc/{}/{name}", pid.as_raw_pid());
    let program = fs::read_link(file("exe")).unwrap_or_default();
    // A binary that was built anew since has " (deleted)" behind its name.
    let named = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME));
    named && entry(&fs::read(file("environ")).unwrap_or_default(), mark).is_some()
}

/// The mark of the sandbox's processes, from one of them.
fn mark(place: &Place) -> Option<String> {
    let status = obstack_sandbox::status(&place.as_sandbox()?.dir).ok()?;
    let mut alive = status.parts.iter().filter(|part| part.alive);
    alive.find_map(|part| entry(&fs::read(format!("/proc/{}/environ", part.pid)).ok()?, MARK))
}

/// The entry of an environment that begins so.
fn entry(environ: &[u8], begin: &str) -> Option<String> {
    let mut entries = environ.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    entries.find(|entry| entry.starts_with(begin)).map(str::to_owned)
}

/// A kubeconfig with a token of the operator's ServiceAccount.
fn write_kubeconfig(place: &Place) -> Result<PathBuf, Error> {
    let token = command::text(
        "get a token for the operator",
        &mut place.kubectl(&["create", "token", "obstack", "--namespace", SYSTEM, "--duration", "24h"]),
    )?;
    let view = ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"];
    let own = command::json("read the kubeconfig", &mut place.kubectl(&view))?;
    let cluster = own.pointer("/clusters/0/cluster").cloned().unwrap_or(Value::Null);
    // JSON is YAML.
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "operator",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "operator", "user": {"token": token.trim()}}],
        "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": "operator", "namespace": SYSTEM}}],
    });
    let path = place.files.join(KUBECONFIG);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .at("open", &path)?;
    file.write_all(config.to_string().as_bytes()).at("write", &path)?;
    Ok(path)
}

/// Its token is good for a day: it does not stay longer than the operator.
pub fn remove_kubeconfig(place: &Place) {
    let _ = fs::remove_file(place.files.join(KUBECONFIG));
}

fn free_address() -> Result<SocketAddr, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .at("find a free port on", Path::new("127.0.0.1"))
}

/// Fine when the page answers 200; otherwise what it says.
fn ask(address: SocketAddr, page: &str) -> Result<(), String> {
    match http::get(address, page, &[]) {
        Ok((200, _)) => Ok(()),
        Ok((_, said)) => Err(said.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_whole() {
        let environ = b"A=1\0OBSTACK_SANDBOX_MARK=abc\0B=2\0";
        assert_eq!(entry(environ, MARK).as_deref(), Some("OBSTACK_SANDBOX_MARK=abc"));
        assert_eq!(entry(b"A=1\0", MARK), None);
    }
}
