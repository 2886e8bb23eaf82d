//! What the canary's tests against real processes share: processes that end with the test, an S3 server, and what
//! stands for the API server's proxy.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use obstack_api::{Reason, Signal};
use obstack_core::{
    canary::{Blocks, Mark, Objects, Outcome, Probe},
    reach::Door,
};
use obstack_engine::{
    buckets::{Access, Client, Policy, Secret},
    canary::Prober,
    context::ClientHandle,
    reach::Way,
};
use rustix::process::{Pid, Signal as Kill, kill_process};

/// A first start, with a ring for each role, takes some seconds.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The path that a variable holds; says that the test is not run when it is not set.
pub fn given(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        println!("not run: the canary for real ({variable} is not set)");
    }
    path
}

/// A process that is killed with the test.
pub struct Running(Child);

impl Running {
    pub fn start(mut command: Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    pub fn signal(&self, signal: Kill) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that were free a moment ago.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// An S3 server with a bucket in it.
pub struct Store {
    binary: PathBuf,
    data: PathBuf,
    port: u16,
    running: Option<Running>,
}

pub const KEYS: (&str, &str) = ("canary", "canary-secret");
pub const BUCKET: &str = "canary-blocks";

impl Store {
    pub async fn start(binary: &Path, folder: &Path) -> Self {
        let [port] = free_ports();
        let data = folder.join("s3");
        std::fs::create_dir_all(&data).unwrap();
        let mut store = Self { binary: binary.to_owned(), data, port, running: None };
        store.begin();
        let policy = Policy { create: true, adopt: true };
        let made = async {
            while let Err(error) = store.client().ensure(BUCKET, "a/b", policy).await {
                println!("{error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, made).await.unwrap();
        store
    }

    pub fn begin(&mut self) {
        let mut command = Command::new(&self.binary);
        command
            .args(["--port", &self.address(), "--region", "us-east-1", "--quiet", "posix"])
            .arg(&self.data);
        command.env("ROOT_ACCESS_KEY", KEYS.0).env("ROOT_SECRET_KEY", KEYS.1);
        self.running = Some(Running::start(command, &self.data.with_extension("log")));
    }

    pub fn end(&mut self) {
        self.running = None;
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        let access = Access {
            endpoint: format!("http://{}", self.address()),
            region: "us-east-1".to_owned(),
            force_path_style: true,
            ca_pem: None,
            access_key: KEYS.0.to_owned(),
            secret_key: Secret::new(KEYS.1),
        };
        Client::new(&access).unwrap()
    }
}

/// What stands for the API server: it passes requests to `services/NAME:PORT/proxy/PATH` on to that port of this
/// machine, and says in an API server's words when nobody is there.
pub fn proxy() -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || pass_on(stream.unwrap()));
        }
    });
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    Way::Proxy(ClientHandle(kube::Client::try_from(config).unwrap()))
}

fn pass_on(mut from: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(from.try_clone().ok()?);
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (service, path) = head.first()?.split_once("/services/")?.1.split_once("/proxy")?;
    let port: u16 = service.split_once(':')?.1.parse().ok()?;
    let Ok(mut to) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) else {
        let said = format!(
            r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"error trying to reach service: dial tcp 127.0.0.1:{port}: connect: connection refused","reason":"ServiceUnavailable","code":503}}"#
        );
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
            said.len()
        );
        return from.write_all(answer.as_bytes()).ok();
    };
    let method = head.first()?.split(' ').next()?;
    let mut request = format!("{method} {path}");
    for line in head.iter().skip(1).filter(|line| !line.to_lowercase().starts_with("connection:")) {
        request.push_str(line);
    }
    request.push_str("connection: close\r\n\r\n");
    to.write_all(request.as_bytes()).and_then(|()| to.write_all(&body)).ok()?;
    std::io::copy(&mut to, &mut from).ok().map(drop)
}

/// A probe of a signal, with its doors at two ports of this machine.
pub fn probe(signal: Signal, write: (u16, &str), read: (u16, &str), due: Duration) -> Probe {
    let door = |port| Door { service: format!("port-{port}"), namespace: "a".into(), port };
    Probe {
        signal,
        write: door(write.0),
        write_path: write.1.to_owned(),
        read: door(read.0),
        read_path: read.1.to_owned(),
        blocks: Some(Blocks { bucket: BUCKET.into(), due: Some(due) }),
    }
}

/// What a port of this machine answers, head and body.
pub fn http(port: u16, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Time since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// One round at a time of the operator's clock; it is printed.
pub async fn round(
    prober: &Prober,
    probe: &Probe,
    store: &Store,
    clock: Duration,
    accepted: Duration,
) -> Outcome {
    let mark = Mark::of("a-uid", "a/b", clock);
    let outcome = prober.round(probe, &mark, &Ok(store.client()), accepted).await;
    println!("{outcome:?}");
    outcome
}

/// Rounds until one is as it should be.
pub async fn until(
    prober: &Prober,
    probe: &Probe,
    store: &Store,
    good: impl Fn(&Outcome) -> bool,
) -> Outcome {
    let wait = async {
        loop {
            let outcome = round(prober, probe, store, now(), Duration::ZERO).await;
            if good(&outcome) {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never came to be")
}

/// It missed, with this word, and the message has these.
pub fn missed(outcome: &Outcome, reason: Reason, reached: bool, words: &[&str]) {
    let Outcome::Missed(miss) = outcome else { panic!("it passed: {outcome:?}") };
    assert_eq!((miss.reason, miss.reached), (reason, reached), "{miss:?}");
    for word in words {
        assert!(miss.message.contains(word), "{word:?} is not in {}", miss.message);
    }
}

/// It passed, with this seen in the bucket.
pub fn passed(outcome: &Outcome, objects: Objects) -> bool {
    matches!(outcome, Outcome::Passed { objects: seen, .. } if *seen == objects)
}
