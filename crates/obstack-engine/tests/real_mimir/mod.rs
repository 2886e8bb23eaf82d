//! A real Mimir for tests: one process with every role, in a folder of its own. `OBSTACK_MIMIR` names the binary.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A first start, with a ring for each role, takes some seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// One process with every role. It ends with this.
pub struct Mimir {
    process: Child,
    /// Where it answers.
    pub http: SocketAddr,
}

impl Drop for Mimir {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mimir {
    /// Starts it, with all that it keeps in a folder.
    pub fn start(binary: &Path, folder: &Path) -> Self {
        let [http, grpc, gossip] = free_ports();
        let mut command = Command::new(binary);
        let mut set = |flag: &str, value: &str| _ = command.arg(format!("-{flag}={value}"));
        set("target", "all");
        for (part, port) in
            [("server.http-listen", http), ("server.grpc-listen", grpc), ("memberlist.bind", gossip)]
        {
            set(
                &format!("{part}-{}", if part.starts_with("server") { "address" } else { "addr" }),
                "127.0.0.1",
            );
            set(&format!("{part}-port"), &port.to_string());
        }
        set("memberlist.advertise-addr", "127.0.0.1");
        set("memberlist.advertise-port", &gossip.to_string());
        set("memberlist.nodename", "m-0");
        for ring in [
            "ingester.ring",
            "distributor.ring",
            "compactor.ring",
            "store-gateway.sharding-ring",
            "ruler.ring",
            "alertmanager.sharding-ring",
            "query-scheduler.ring",
            "querier.ring",
            "overrides-exporter.ring",
        ] {
            set(&format!("{ring}.instance-addr"), "127.0.0.1");
            set(&format!("{ring}.instance-id"), "m-0");
        }
        set("query-frontend.instance-addr", "127.0.0.1");
        set("ingester.ring.replication-factor", "1");
        set("store-gateway.sharding-ring.replication-factor", "1");
        set("common.storage.backend", "filesystem");
        for flag in [
            "common.storage.filesystem.dir",
            "blocks-storage.filesystem.dir",
            "blocks-storage.tsdb.dir",
            "blocks-storage.bucket-store.sync-dir",
            "compactor.data-dir",
            "ruler.rule-path",
            "ruler-storage.filesystem.dir",
            "alertmanager.storage.path",
            "alertmanager-storage.filesystem.dir",
            "activity-tracker.filepath",
        ] {
            set(flag, &folder.join(flag).to_string_lossy());
        }
        set("usage-stats.enabled", "false");
        set("log.level", "warn");
        let log = File::create(folder.join("log")).unwrap();
        let process =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { process, http: SocketAddr::from(([127, 0, 0, 1], http)) }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for the page that says so.
    pub fn wait_until_ready(&self) {
        let begin = Instant::now();
        while self.send("GET /ready HTTP/1.0\r\n\r\n").is_none_or(|(status, _)| status != 200) {
            assert!(begin.elapsed() < PATIENCE, "it never came to be ready");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Asks a page of the query API, with parameters.
    pub fn ask(&self, page: &str, parameters: &[(&str, &str)]) -> Value {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let path = format!("/prometheus/api/v1/{page}?{}", parameters.join("&"));
        let request = format!("GET {path} HTTP/1.0\r\nX-Scope-OrgID: test\r\n\r\n");
        let (status, answer) = self.send(&request).unwrap();
        assert_eq!(status, 200, "{page} {parameters:?}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Posts a body; the status and the answer.
    pub fn post(&self, path: &str, kind: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.0\r\nX-Scope-OrgID: test\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.send(&(head + body)).unwrap()
    }

    /// One request. By HTTP/1.0, so that the answer ends with the connection.
    fn send(&self, request: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Three ports that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
