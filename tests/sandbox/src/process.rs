//! Starting a part, knowing it again later, and stopping exactly it.
//!
//! A process is known by its id, its start time and the boot it belongs to, so a reused id is never taken for it.
//! Each one also carries a mark in its environment: what was started just before a crash of the starter, and never
//! written down, is found by it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};
use serde::{Deserialize, Serialize};

use crate::errors::{At, Error};

/// The environment variable that marks every process of a sandbox with the id of the sandbox.
const MARK: &str = "OBSTACK_SANDBOX_MARK";

/// How often a state is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(50);

/// How long a killed process may take to disappear.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A process to start.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) port: u16,
    pub(crate) version: String,
}

impl Part {
    /// Its version, and where it listens.
    pub(crate) fn description(&self) -> String {
        match (self.version.as_str(), self.port) {
            ("", _) => "starting".into(),
            (version, 0) => version.into(),
            (version, port) => format!("{version} on 127.0.0.1:{port}"),
        }
    }
}

/// A process that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) id: Identity,
    pub(crate) port: u16,
    pub(crate) version: String,
    pub(crate) log: PathBuf,
}

/// What tells one process from any other that ever had its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    start_time: u64,
    boot: String,
}

impl Identity {
    /// The identity of a process that runs now.
    fn of(pid: u32) -> Option<Self> {
        let (_, start_time) = stat(pid)?;
        Some(Self { pid, start_time, boot: boot_id() })
    }

    /// Whether exactly this process still runs.
    pub(crate) fn alive(&self) -> bool {
        self.reap();
        let same = |(state, start_time)| start_time == self.start_time && !matches!(state, 'Z' | 'X');
        stat(self.pid).is_some_and(same) && boot_id() == self.boot
    }

    /// A child of this very process stays a zombie until it is waited for; any other process is not ours to reap.
    fn reap(&self) {
        if stat(self.pid).is_some_and(|(state, start)| state == 'Z' && start == self.start_time) {
            let _ = waitpid(self.raw(), WaitOptions::NOHANG);
        }
    }

    fn raw(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    /// The handle is opened before the identity is checked, so the signal cannot reach a successor of the process.
    fn signal(&self, signal: Signal) {
        let Some(pid) = self.raw() else { return };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) if self.alive() => {
                let _ = pidfd_send_signal(handle, signal);
            }
            Err(Errno::NOSYS) if self.alive() => {
                let _ = kill_process(pid, signal);
            }
            _ => {}
        }
    }
}

impl Process {
    /// The error for a part that is gone.
    pub(crate) fn died(&self) -> Error {
        Error::PartDied { part: self.name.clone(), log: self.log.clone(), tail: tail(&self.log) }
    }
}

/// Starts a part that outlives its starter: its own process group, no input, output to its log.
pub(crate) fn spawn(part: &Part, sandbox_id: &str) -> Result<Process, Error> {
    let log = OpenOptions::new().create(true).append(true).open(&part.log).at("open", &part.log)?;
    let errors = log.try_clone().at("open", &part.log)?;
    let mut command = Command::new(&part.program);
    command
        .args(&part.args)
        .envs(part.env.iter().map(|(key, value)| (key, value)))
        .env(MARK, sandbox_id)
        .current_dir(&part.dir)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    let child = command.spawn().map_err(|source| Error::Run { program: part.program.clone(), source })?;
    let died = || Error::PartDied { part: part.name.into(), log: part.log.clone(), tail: tail(&part.log) };
    let id = Identity::of(child.id()).ok_or_else(died)?;
    Ok(Process {
        name: part.name.into(),
        id,
        port: part.port,
        version: part.version.clone(),
        log: part.log.clone(),
    })
}

/// Waits until the check passes, the process is gone, or the time is up.
pub(crate) fn wait_ready(
    process: &Process,
    limit: Duration,
    mut check: impl FnMut() -> Result<(), String>,
) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        let last = match check() {
            Ok(()) if process.id.alive() => return Ok(()),
            Ok(()) => return Err(process.died()),
            Err(last) => last,
        };
        if !process.id.alive() {
            return Err(process.died());
        }
        if start.elapsed() >= limit {
            return Err(Error::NotReady {
                part: process.name.clone(),
                seconds: limit.as_secs(),
                last,
                log: process.log.clone(),
                tail: tail(&process.log),
            });
        }
        thread::sleep(POLL);
    }
}

/// Ends the processes and returns once they are gone; those that ignore the request are killed.
/// Returns the ids that had to be killed.
pub(crate) fn stop(processes: &[Identity], grace: Duration) -> Result<Vec<u32>, Error> {
    for process in processes {
        process.signal(Signal::TERM);
    }
    let left = wait_gone(processes, grace);
    for process in &left {
        process.signal(Signal::KILL);
    }
    let killed = left.iter().map(|process| process.pid).collect();
    let left = wait_gone(&left, KILL_LIMIT);
    if left.is_empty() {
        return Ok(killed);
    }
    let pids: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
    Err(Error::NotStopped(pids.join(", ")))
}

fn wait_gone(processes: &[Identity], limit: Duration) -> Vec<Identity> {
    let start = Instant::now();
    loop {
        let left: Vec<Identity> = processes.iter().filter(|process| process.alive()).cloned().collect();
        if left.is_empty() || start.elapsed() >= limit {
            return left;
        }
        thread::sleep(POLL);
    }
}

/// Every running process that carries the mark of the sandbox.
pub(crate) fn marked(sandbox_id: &str) -> Vec<Identity> {
    let mark = format!("{MARK}={sandbox_id}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
        })
        .filter_map(Identity::of)
        .filter(Identity::alive)
        .collect()
}

/// State and start time from `/proc`.
fn stat(pid: u32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of a process may hold spaces and parentheses: what follows the last one is fixed.
fn parse_stat(text: &str) -> Option<(char, u64)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let start_time = fields.nth(18)?.parse().ok()?;
    Some((state, start_time))
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    const WIDTH: usize = 400;
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .take(LINES)
        .map(|line| format!("  {}", line.chars().take(WIDTH).collect::<String>()))
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path, script: &str) -> Part {
        Part {
            name: "sleeper",
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            dir: dir.into(),
            log: dir.join("sleeper.log"),
            port: 0,
            version: String::new(),
        }
    }

    #[test]
    fn stat_survives_odd_names() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_stat(&format!("42 (a) b (c) {tail}")), Some(('S', 4711)));
        assert_eq!(parse_stat("42 (short) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn another_start_time_or_boot_is_another_process() {
        let own = Identity::of(std::process::id()).unwrap();
        assert!(own.alive());
        assert!(!Identity { start_time: own.start_time + 1, ..own.clone() }.alive());
        assert!(!Identity { boot: "another".into(), ..own }.alive());
    }

    #[test]
    fn a_part_is_found_by_its_mark_and_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!("test-{}", std::process::id());
        let process = spawn(&sleeper(dir.path(), "exec sleep 60"), &mark).unwrap();
        wait_ready(&process, Duration::from_secs(5), || {
            marked(&mark).contains(&process.id).then_some(()).ok_or_else(|| "not found".into())
        })
        .unwrap();
        assert_eq!(
            stop(std::slice::from_ref(&process.id), Duration::from_secs(5)).unwrap(),
            Vec::<u32>::new()
        );
        assert!(!process.id.alive());
        assert!(marked(&mark).is_empty());
    }

    #[test]
    fn a_part_that_ignores_the_request_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
        let process = spawn(&sleeper(dir.path(), script), "test-trap").unwrap();
        wait_ready(&process, Duration::from_secs(5), || {
            (tail(&process.log) == "  ready").then_some(()).ok_or_else(|| "no output".into())
        })
        .unwrap();
        let killed = stop(std::slice::from_ref(&process.id), Duration::from_millis(200)).unwrap();
        assert_eq!(killed, [process.id.pid]);
    }

    #[test]
    fn a_part_that_dies_is_named_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let process = spawn(&sleeper(dir.path(), "echo first; echo no luck; exit 1"), "test-dies").unwrap();
        let error = wait_ready(&process, Duration::from_secs(5), || Err("not yet".into())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sleeper ended on its own") && text.contains("no luck"), "{text}");
    }
}
