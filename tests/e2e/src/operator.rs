//! The operator as a process.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wait::eventually;

/// How an operator is started, where a test wants something else than the rest.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Another helm than the sandbox's.
    pub helm: Option<PathBuf>,
    /// A cache folder that outlives the process.
    pub cache: Option<PathBuf>,
    /// Folder of upstream charts, which are the default then.
    pub charts: Option<PathBuf>,
    /// Watch all namespaces: only for a test that is alone, because others' stacks are watched with its own.
    pub everywhere: bool,
    /// More flags.
    pub more: Vec<String>,
}

/// A running operator. It is killed when it goes out of scope.
pub struct Operator {
    child: Child,
    /// Its log, one JSON object a line.
    pub log: PathBuf,
    /// Its cache folder.
    pub cache: PathBuf,
}

/// The binary to test: `OBSTACK_OPERATOR`, or the one beside the test's own.
pub fn binary() -> PathBuf {
    built("OBSTACK_OPERATOR", "obstack-operator")
}

/// The binary that a variable names, or the one of this name beside the test's own.
pub fn built(variable: &str, name: &str) -> PathBuf {
    if let Some(given) = std::env::var_os(variable) {
        return given.into();
    }
    let own = std::env::current_exe().expect("the test's own path");
    let folder = own.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    let binary = folder.join(name);
    assert!(binary.is_file(), "{} is not there: run `cargo xtask test`, or build it first", binary.display());
    binary
}

impl Operator {
    /// Starts the process.
    pub fn spawn(command: &mut Command, log: PathBuf, cache: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        Self { child: child.expect("the operator starts"), log, cache }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it leads and has seen everything.
    pub async fn working(&self) {
        eventually("the operator works", async || {
            let (code, text) = self.http("/readyz")?;
            if code == 200 && text == "working\n" { Ok(()) } else { Err(format!("{code} {text}")) }
        })
        .await;
    }

    /// Asks its server.
    pub fn http(&self, path: &str) -> Result<(u16, String), String> {
        let address = self.address().ok_or_else(|| format!("no address in the log: {}", self.log()))?;
        let mut stream = TcpStream::connect(&address).map_err(|error| error.to_string())?;
        let timeout = Some(Duration::from_secs(5));
        stream.set_read_timeout(timeout).map_err(|error| error.to_string())?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        code.zip(body).ok_or(answer)
    }

    fn address(&self) -> Option<String> {
        self.log().lines().find_map(|line| {
            let event: Value = serde_json::from_str(line).ok()?;
            let fields = event.get("fields").unwrap_or(&event);
            Some(fields.get("address")?.as_str()?.to_owned())
        })
    }

    /// The sum of the series of a metric whose labels contain a text.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, text) = self.http("/metrics").expect("the metrics");
        let of_name = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let own = series.strip_prefix(name)?;
            ((own.is_empty() || own.starts_with('{')) && own.contains(labels))
                .then(|| value.parse::<f64>().ok())?
        });
        of_name.sum()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }

    /// Waits for its end.
    pub fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the operator") {
                return Some(status);
            }
            if Instant::now() > end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it as a kubelet would, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended(Duration::from_secs(25)).and_then(|status| status.code())
    }

    /// Ends it with no chance to do anything.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            if self.ended(Duration::from_secs(3)).is_none() {
                self.signal(Signal::KILL);
                let _ = self.child.wait();
            }
        }
    }
}
