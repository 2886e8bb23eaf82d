//! What the answers of the backends mean.

use obstack_api::{Reason, Signal};
use serde_json::Value;

use super::{Mark, Miss, Probe};
use crate::reach::{Door, Reply, Silence};

/// Most characters of a backend's own words.
const WORDS: usize = 300;
/// Parts of the ids and words with which Mimir refuses a sample because of its time (`pkg/util/globalerror` and
/// Prometheus' `storage` errors, v3.0).
const REFUSED_FOR_ITS_TIME: &[&str] = &[
    "too-far-in-future",
    "too-far-in-past",
    "timestamp-too-old",
    "out-of-order",
    "out of order",
    "duplicate-timestamp",
];

/// What was read back so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// What was written.
    Found,
    /// Not yet, and what the backend says instead.
    NotYet(String),
}

/// Whether a write was accepted.
pub fn written(probe: &Probe, answer: &Result<Reply, Silence>) -> Result<(), Miss> {
    let failed = |reached, message| Miss { reason: Reason::WriteFailed, reached, message };
    let what = format!("a write of {} to {}", super::name(probe.signal), place(&probe.write));
    match answer {
        Ok(Reply { status: 200..=299, body }) => match rejected(body) {
            None => Ok(()),
            Some(words) => Err(failed(true, format!("{what} was rejected: {}", hinted(words)))),
        },
        Ok(Reply { status, body }) => {
            Err(failed(true, format!("{what} was answered with {status}: {}", hinted(words(body)))))
        }
        Err(silence) => Err(unreached(&what, silence, "create", &probe.write, failed)),
    }
}

/// Whether what was written stands in an answer.
pub fn read_back(signal: Signal, mark: &Mark, answer: &Result<Reply, Silence>) -> ReadBack {
    let body = match answer {
        Ok(Reply { status: 200, body }) => body,
        Ok(Reply { status: 404, .. }) => return ReadBack::NotYet("not found (404)".to_owned()),
        Ok(Reply { status, body }) => {
            return ReadBack::NotYet(format!("it answered {status}: {}", words(body)));
        }
        Err(silence) => return ReadBack::NotYet(silent(silence)),
    };
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return ReadBack::NotYet("it did not answer with JSON".to_owned());
    };
    let found = match signal {
        Signal::Traces => has_span(&json, mark),
        Signal::Metrics => has_sample(&json, mark),
    };
    if found { ReadBack::Found } else { ReadBack::NotYet("it is not in the answer".to_owned()) }
}

/// What was written did not come back in time. `said` is what the last answer said.
pub fn not_read_back(probe: &Probe, seconds: u64, said: &str) -> Miss {
    let what = match probe.signal {
        Signal::Traces => "a trace",
        Signal::Metrics => "a sample",
    };
    Miss {
        reason: Reason::ReadBackTimeout,
        reached: true,
        message: format!(
            "{what} was accepted and did not come back from {} within {seconds} s: {said}",
            place(&probe.read)
        ),
    }
}

fn place(door: &Door) -> String {
    format!("Service {} port {}", door.service, door.port)
}

fn unreached(
    what: &str,
    silence: &Silence,
    verb: &str,
    door: &Door,
    failed: impl Fn(bool, String) -> Miss,
) -> Miss {
    match silence {
        Silence::Unreachable { cause } => failed(
            false,
            format!(
                "{what} did not arrive ({cause}). Are its pods ready, does a NetworkPolicy let the operator through?"
            ),
        ),
        Silence::Forbidden => failed(
            false,
            format!(
                "{what} is forbidden (403). Allow the operator `{verb}` on services/proxy in namespace {}",
                door.namespace
            ),
        ),
        // Nothing came back, and where it was lost cannot be told.
        Silence::TimedOut => failed(
            false,
            format!(
                "{what} was not answered in time. Do its pods answer, does a NetworkPolicy let the operator through?"
            ),
        ),
        Silence::TooLarge | Silence::Truncated => failed(true, format!("{what}: {}", silent(silence))),
    }
}

fn silent(silence: &Silence) -> String {
    match silence {
        Silence::TimedOut => "it did not answer in time".to_owned(),
        Silence::Unreachable { cause } => format!("it was not reached ({cause})"),
        Silence::Forbidden => {
            "asking is forbidden (403): allow the operator `get` on services/proxy".to_owned()
        }
        Silence::TooLarge => "it answered more than is read".to_owned(),
        Silence::Truncated => "it answered half".to_owned(),
    }
}

/// An answer 200 can still say that nothing of it was taken (OTLP's partial success). OTLP's own JSON has
/// `partialSuccess`, Mimir 3.0 answers with `partial_success`.
fn rejected(body: &[u8]) -> Option<String> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let of = |json: &Value, keys: &[&str]| keys.iter().find_map(|key| json.get(key)).cloned();
    let partial = of(&json, &["partialSuccess", "partial_success"])?;
    let keys = ["rejectedSpans", "rejectedDataPoints", "rejected_spans", "rejected_data_points"];
    let count = of(&partial, &keys)?;
    let none = count.as_str().map_or_else(|| count == 0, |count| count == "0");
    let said = of(&partial, &["errorMessage", "error_message"]);
    (!none).then(|| clean(said.as_ref().and_then(Value::as_str).unwrap_or("no reason given")))
}

/// The words of a refusal, and what they hint at.
fn hinted(words: String) -> String {
    if !REFUSED_FOR_ITS_TIME.iter().any(|part| words.contains(part)) {
        return words;
    }
    let words = words.trim_end_matches('.');
    format!(
        "{words}. It is refused for its time: compare the clock of the operator's node with those of the ingesters"
    )
}

/// The words of a refusal: the message of a JSON answer, or its text. One line, bounded, and without numbers that
/// would be news each time.
fn words(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let said = json
        .as_ref()
        .and_then(|json| ["message", "error"].iter().find_map(|key| json.get(key)).and_then(Value::as_str));
    let text = said.map_or_else(|| String::from_utf8_lossy(body), Into::into);
    let words = clean(&text);
    if words.is_empty() { "no words".to_owned() } else { words }
}

fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Mimir puts the times of the sample and of the head into its words.
    let words = text.split_whitespace().map(|word| if is_clock(word) { "..." } else { word });
    let mut text = words.collect::<Vec<_>>().join(" ");
    text.truncate(text.floor_char_boundary(WORDS));
    text
}

/// A time as RFC 3339 has it, or as many digits as a Unix time has.
fn is_clock(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let rfc3339 = word.len() >= 20 && word.get(4..5) == Some("-") && word.get(10..11) == Some("T");
    rfc3339 || (word.len() >= 10 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn has_span(json: &Value, mark: &Mark) -> bool {
    match json {
        Value::Object(map) => map.iter().any(|(key, value)| {
            (key == "spanId" && value.as_str().is_some_and(|id| mark.is_span(id))) || has_span(value, mark)
        }),
        Value::Array(list) => list.iter().any(|value| has_span(value, mark)),
        _ => false,
    }
}

/// `{"data": {"result": [{"value": [time, "value"]}]}}`, as Prometheus' HTTP API has it.
fn has_sample(json: &Value, mark: &Mark) -> bool {
    let results = json.pointer("/data/result").and_then(Value::as_array);
    results.into_iter().flatten().any(|result| {
        let value =
            result.pointer("/value/1").and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
        // Seconds of the epoch are far below what a double holds exactly.
        value.is_some_and(|value| format!("{value:.0}") == mark.second().to_string())
    })
}
