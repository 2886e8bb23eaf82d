//! What is written, as OTLP in JSON. Ids derive from the stack and the time, so nothing here is random.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{METRIC, SERVICE};
use crate::hash;

/// Blocks are looked into that overlap this many seconds before and after.
const BLOCKS_AROUND: u64 = 300;

/// What one round writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Time since the Unix epoch at which it says to be written.
    at: Duration,
    trace: [u8; 16],
    span: [u8; 8],
    stack: String,
}

impl Mark {
    /// The mark of a stack (its uid and its name) at a time since the Unix epoch.
    pub fn of(uid: &str, stack: &str, at: Duration) -> Self {
        let sum = hash::sha256(format!("canary {uid} {}", at.as_nanos()).as_bytes());
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        for (to, from) in trace.iter_mut().chain(&mut span).zip(sum) {
            *to = from;
        }
        Self { at, trace, span, stack: stack.to_owned() }
    }

    /// Second of the Unix epoch, which is the value of the sample.
    pub fn second(&self) -> u64 {
        self.at.as_secs()
    }

    /// One span without children.
    pub fn trace(&self) -> Vec<u8> {
        let end = self.at.as_nanos().saturating_add(1_000_000);
        let span = json!({
            "traceId": hex(&self.trace),
            "spanId": hex(&self.span),
            "name": SERVICE,
            "kind": 1,
            "startTimeUnixNano": self.at.as_nanos().to_string(),
            "endTimeUnixNano": end.to_string(),
            "attributes": [attribute("obstack.stack", &self.stack)],
        });
        let spans = json!([{"resource": resource(), "scopeSpans": [{"spans": [span]}]}]);
        json!({"resourceSpans": spans}).to_string().into_bytes()
    }

    /// One sample of one series.
    pub fn metric(&self) -> Vec<u8> {
        let point = json!({
            "timeUnixNano": (self.at.as_millis().saturating_mul(1_000_000)).to_string(),
            "asInt": self.second().to_string(),
        });
        let metric = json!({"name": METRIC, "gauge": {"dataPoints": [point]}});
        let metrics = json!([{"resource": resource(), "scopeMetrics": [{"metrics": [metric]}]}]);
        json!({"resourceMetrics": metrics}).to_string().into_bytes()
    }

    /// Path at which Tempo has the trace. The times keep it from looking into every block of the bucket; ingesters
    /// look whatever the times.
    pub fn trace_path(&self) -> String {
        let (start, end) =
            (self.second().saturating_sub(BLOCKS_AROUND), self.second().saturating_add(BLOCKS_AROUND));
        format!("/api/traces/{}?start={start}&end={end}", hex(&self.trace))
    }

    /// Path and query at which Mimir has the sample. The time is that of the sample, so that a clock that is off
    /// finds what it wrote.
    pub fn metric_path(&self) -> String {
        let (seconds, millis) = (self.at.as_secs(), self.at.subsec_millis());
        format!("/api/v1/query?query={METRIC}%7Bjob%3D%22{SERVICE}%22%7D&time={seconds}.{millis:03}")
    }

    /// Whether a text is the id of the span, as the ways to write JSON have it.
    pub(super) fn is_span(&self, id: &str) -> bool {
        id == STANDARD.encode(self.span) || id == hex(&self.span)
    }
}

/// The service's name alone: any other attribute would make Mimir keep a second series, `target_info`.
fn resource() -> Value {
    json!({"attributes": [attribute("service.name", SERVICE)]})
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
