//! A telemetry client: OTLP over HTTP in, queries back, through the API server's way to Services. It goes where
//! `status.endpoints` says, as applications do, and shares no code with the operator's canary.

use std::{
    collections::BTreeSet,
    fmt::Write,
    time::{Duration, SystemTime},
};

use http::{Method, Request};
use kube::client::Body;
use obstack_e2e::{Cluster, text};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longer than a query takes that waits for a hung ingester.
const DEADLINE: Duration = Duration::from_secs(20);
/// What the tests write.
const METRIC: &str = "obstack_proof";

/// Where a stack takes telemetry and answers queries.
#[derive(Clone)]
pub struct Telemetry {
    cluster: Cluster,
    endpoints: Value,
}

impl Telemetry {
    /// By what a stack's status says.
    pub fn of(cluster: &Cluster, stack: &Value) -> Self {
        let endpoints = stack["status"]["endpoints"].clone();
        assert!(endpoints.is_object(), "status.endpoints is not there: {:#}", stack["status"]);
        Self { cluster: cluster.clone(), endpoints }
    }

    /// Writes one series of a run, with one sample of now. Acknowledged when it gives `Ok`.
    pub async fn write(&self, run: &str, number: usize) -> Result<(), String> {
        let attributes = [("run", run.to_owned()), ("number", number.to_string())];
        let point = json!({"attributes": strings(&attributes), "timeUnixNano": now(), "asInt": "1"});
        let metric = json!({"name": METRIC, "gauge": {"dataPoints": [point]}});
        let body = json!({"resourceMetrics": [{
            "resource": {"attributes": strings(&[("service.name", "real".to_owned())])},
            "scopeMetrics": [{"metrics": [metric]}],
        }]});
        self.ask(Method::POST, "metricsOtlpHttp", "/v1/metrics", Some(body)).await.map(drop)
    }

    /// The numbers of a run that come back by query.
    pub async fn read(&self, run: &str) -> Result<BTreeSet<usize>, String> {
        let query = format!("last_over_time({METRIC}{{run=\"{run}\"}}[1h])");
        let path = format!("/api/v1/query?query={}", encoded(&query));
        let answer = self.ask(Method::GET, "metricsQuery", &path, None).await?;
        let series = answer.pointer("/data/result").and_then(Value::as_array);
        let series = series.ok_or_else(|| format!("no answer to a query: {answer}"))?;
        let number = |one: &Value| text(one, "/metric/number").parse().ok();
        Ok(series.iter().filter_map(number).collect())
    }

    /// Writes a trace of one span, with an id above 0. Acknowledged when it gives `Ok`.
    pub async fn write_trace(&self, id: u64) -> Result<(), String> {
        let now = now();
        let span = json!({
            "traceId": format!("{id:032x}"), "spanId": format!("{:016x}", id), "name": "proof", "kind": 1,
            "startTimeUnixNano": now, "endTimeUnixNano": now,
        });
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": strings(&[("service.name", "real".to_owned())])},
            "scopeSpans": [{"spans": [span]}],
        }]});
        self.ask(Method::POST, "tracesOtlpHttp", "/v1/traces", Some(body)).await.map(drop)
    }

    /// Whether a trace comes back by its id.
    pub async fn read_trace(&self, id: u64) -> Result<bool, String> {
        match self.ask(Method::GET, "tracesQuery", &format!("/api/traces/{id:032x}"), None).await {
            Ok(answer) => Ok(answer.to_string().contains("proof")),
            Err(error) if error.starts_with("404") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks an endpoint of the status.
    async fn ask(
        &self,
        method: Method,
        endpoint: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let url = text(&self.endpoints, &format!("/{endpoint}"));
        let (host, base) = url.trim_start_matches("http://").split_once('/').unwrap_or((url, ""));
        let host = host.trim_start_matches("http://");
        let (host, port) = host.split_once(':').unwrap_or((host, "80"));
        let [service, namespace] = host.split('.').take(2).collect::<Vec<_>>()[..] else {
            panic!("status.endpoints.{endpoint} is no URL of a Service: {url}")
        };
        let base = if base.is_empty() { String::new() } else { format!("/{base}") };
        let door = format!("namespaces/{namespace}/services/{service}:{port}");
        self.through(method, &door, &format!("{base}{path}"), body).await
    }

    /// Asks one pod, at the port where it shows its state.
    pub async fn ask_pod(&self, method: Method, pod: &Value, port: u16, path: &str) -> Result<Value, String> {
        let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
        self.through(method, &format!("namespaces/{namespace}/pods/{name}:{port}"), path, None).await
    }

    /// Asks through the API server. An answer without a 2xx is an error that begins with its code.
    async fn through(
        &self,
        method: Method,
        door: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{door}/proxy{path}"))
            .header("content-type", "application/json")
            .header("accept", "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string().into_bytes()));
        let request = request.body(body).expect("a request");
        let answer = timeout(DEADLINE, async {
            let response = self.cluster.client.send(request).await.map_err(|error| error.to_string())?;
            let code = response.status();
            let bytes = response.into_body().collect_bytes().await.map_err(|error| error.to_string())?;
            Ok::<_, String>((code, bytes))
        });
        let (code, bytes) = answer.await.map_err(|_| format!("no answer within {DEADLINE:?}"))??;
        let told = String::from_utf8_lossy(&bytes);
        if !code.is_success() {
            return Err(format!("{} {told}", code.as_u16()));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| told.into()))
    }
}

fn strings(attributes: &[(&str, String)]) -> Vec<Value> {
    attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

/// Nanoseconds, as OTLP in JSON has them.
fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    now.as_nanos().to_string()
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(byte.into());
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
