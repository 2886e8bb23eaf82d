//! The operator as a process, with the rights that it ships with and no others.

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    cluster,
    error::{Error, Of},
    procfs::{self, Cpu, Memory},
};

/// What the operator is started with.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its binary.
    pub binary: PathBuf,
    /// The helm binary.
    pub helm: PathBuf,
    /// The bundled charts.
    pub charts: PathBuf,
    /// A kubeconfig of its account.
    pub kubeconfig: PathBuf,
    /// Folder for its log and its cache.
    pub dir: PathBuf,
}

/// A running operator. It is ended when it goes out of scope.
#[derive(Debug)]
pub struct Operator {
    child: Child,
    listen: SocketAddr,
    log: PathBuf,
    /// When it was started.
    pub started: Instant,
    /// From its start until it worked.
    pub ready: Duration,
}

impl Operator {
    /// Starts it with an empty cache and waits until it works. `number` tells its files from those of others.
    pub async fn start(launch: &Launch, number: u32) -> Result<Self, Error> {
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let listen = any.of(Path::new("127.0.0.1"))?;
        let log = launch.dir.join(format!("operator-{number}.log"));
        let file = File::create(&log).of(&log)?;
        let cache = launch.dir.join(format!("cache-{number}"));
        if cache.exists() {
            // Of an earlier run on the same sandbox.
            std::fs::remove_dir_all(&cache).of(&cache)?;
        }
        let mut command = Command::new(&launch.binary);
        command
            .arg("--helm")
            .arg(&launch.helm)
            .arg("--bundled-charts")
            .arg(&launch.charts)
            .args(["--chart-source", "bundled", "--lease-namespace", crate::world::SYSTEM])
            .arg("--cache-dir")
            .arg(&cache)
            .args(["--log-format", "json", "--listen", &listen.to_string()])
            .env_clear()
            .env("KUBECONFIG", &launch.kubeconfig)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let started = Instant::now();
        let child = command.spawn().of(&launch.binary)?;
        let mut operator = Self { child, listen, log, started, ready: Duration::ZERO };
        loop {
            let last = match operator.http("/readyz") {
                Ok((200, text)) if text == "working\n" => break,
                Ok((code, text)) => format!("{code} {}", text.trim()),
                Err(error) => error.to_string(),
            };
            if operator.started.elapsed() > Duration::from_mins(2) || operator.ended() {
                let tail = std::fs::read_to_string(&operator.log).unwrap_or_default();
                let tail: Vec<_> = tail.lines().rev().take(3).collect();
                let last = format!("{last}; {}", tail.join("; "));
                return Err(Error::TooLate { what: "the operator works".to_owned(), seconds: 120, last });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        operator.ready = operator.started.elapsed();
        Ok(operator)
    }

    fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn http(&self, name: &str) -> std::io::Result<(u16, String)> {
        page(self.listen, name)
    }

    /// The sum of the series of a metric whose labels contain a text.
    pub fn metric(&self, name: &str, labels: &str) -> Result<f64, Error> {
        let (_, text) = self.http("/metrics").of(Path::new("/metrics"))?;
        Ok(sum(&text, name, labels))
    }

    /// Processor time it has used, with that of the helms it ran.
    pub fn cpu(&self) -> Result<Cpu, Error> {
        procfs::cpu(&self.child.id().to_string())
    }

    /// Its memory.
    pub fn memory(&self) -> Result<Memory, Error> {
        procfs::memory(self.child.id())
    }

    /// Ends it as a kubelet would.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.terminate();
        cluster::wait("the operator ends", Duration::from_secs(30), async || {
            Ok(if self.ended() { Ok(()) } else { Err("it runs".to_owned()) })
        })
        .await
    }

    fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if self.ended() {
            return;
        }
        self.terminate();
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if self.ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page of an operator: status and body.
pub fn page(listen: SocketAddr, page: &str) -> std::io::Result<(u16, String)> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&listen, limit)?;
    stream.set_read_timeout(Some(limit))?;
    let request = format!("GET {page} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Ok((code, body))
}

/// The sum of the series of a metric whose labels contain a text, on a page of metrics.
pub fn sum(metrics: &str, name: &str, labels: &str) -> f64 {
    let of_name = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let own = series.strip_prefix(name)?;
        ((own.is_empty() || own.starts_with('{')) && own.contains(labels))
            .then(|| value.parse::<f64>().ok())?
    });
    of_name.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_a_metric_are_summed() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\na_total_b 9\nb 4\n";
        assert!((sum(text, "a_total", "") - 5.0).abs() < f64::EPSILON);
        assert!((sum(text, "a_total", "x=\"2\"") - 3.0).abs() < f64::EPSILON);
        assert!((sum(text, "b", "") - 4.0).abs() < f64::EPSILON);
    }
}
