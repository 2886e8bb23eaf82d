//! Telemetry in, and back by query, through the API server's way to Services.

use std::time::{Duration, Instant, SystemTime};

use http::{Method, Request};
use kube::{Client, client::Body};
use obstack_core::{
    canary::{Mark, Probe, answer},
    reach::{Door, Reply, Silence},
};

use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The doors of one signal of a stack.
#[derive(Clone)]
pub struct DataPath {
    client: Client,
    probe: Probe,
}

impl DataPath {
    /// Through the API server to the doors that a canary takes.
    pub fn new(client: &Client, probe: Probe) -> Self {
        Self { client: client.clone(), probe }
    }

    /// The signal, in one word.
    pub fn signal(&self) -> &'static str {
        obstack_core::canary::name(self.probe.signal)
    }

    /// Something to write that nobody wrote before.
    pub fn mark() -> Mark {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Mark::of("bench", "bench", now)
    }

    /// Whether a write was accepted.
    pub async fn write(&self, mark: &Mark) -> bool {
        let body = match self.probe.signal {
            obstack_api::Signal::Traces => mark.trace(),
            obstack_api::Signal::Metrics => mark.metric(),
        };
        let answer = self.ask(Method::POST, &self.probe.write, &self.probe.write_path, body).await;
        answer::written(&self.probe, &answer).is_ok()
    }

    /// Whether what was written stands in an answer.
    pub async fn reads(&self, mark: &Mark) -> bool {
        let path = match self.probe.signal {
            obstack_api::Signal::Traces => mark.trace_path(),
            obstack_api::Signal::Metrics => mark.metric_path(),
        };
        let path = format!("{}{path}", self.probe.read_path);
        let answer = self.ask(Method::GET, &self.probe.read, &path, Vec::new()).await;
        answer::read_back(self.probe.signal, mark, &answer) == answer::ReadBack::Found
    }

    /// Writes until a write is accepted and comes back.
    pub async fn until_back(&self, limit: Duration) -> Result<(), Error> {
        let end = Instant::now() + limit;
        let mut written: Option<Mark> = None;
        loop {
            match &written {
                Some(mark) if self.reads(mark).await => return Ok(()),
                Some(_) => {}
                None => {
                    let mark = Self::mark();
                    written = self.write(&mark).await.then_some(mark);
                }
            }
            if Instant::now() >= end {
                let what = format!("{} come back", self.signal());
                let last = if written.is_some() { "a write was accepted" } else { "no write was accepted" };
                return Err(Error::TooLate { what, seconds: limit.as_secs(), last: last.to_owned() });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ask(&self, method: Method, door: &Door, path: &str, body: Vec<u8>) -> Result<Reply, Silence> {
        let Door { service, namespace, port } = door;
        let page = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}");
        let unreachable = |cause: String| Silence::Unreachable { cause };
        let request = Request::builder()
            .method(method)
            .uri(page)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(Body::from(body))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = async {
            let response = self.client.send(request).await.map_err(|error| unreachable(error.to_string()))?;
            let status = response.status().as_u16();
            let body = response.into_body().collect_bytes().await.map_err(|_| Silence::Truncated)?;
            Ok(Reply { status, body: body.to_vec() })
        };
        tokio::time::timeout(DEADLINE, answer).await.unwrap_or(Err(Silence::TimedOut))
    }
}
