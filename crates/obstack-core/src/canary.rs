//! The canary: one span and one sample at each interval, written through the doors that applications use, and read
//! back by query. Whether the pods are ready says nothing of it: with the object store gone every pod stays ready and
//! every write is accepted.
//!
//! ```text
//! of(stack, endpoints)          -> Probe: the doors of each signal, and the bucket its blocks must reach
//! Mark::of(uid, time)           -> what one round writes, the same for the same time
//! answer::*                     -> what an answer of a backend means
//! objects::*                    -> what a look into the bucket means
//! History                       -> what `DataPathVerified` says after all rounds
//! ```

pub mod answer;
mod history;
pub mod objects;
mod payload;

use std::time::Duration;

use obstack_api::{Endpoints, Reason, Signal};

pub use self::{history::History, payload::Mark};
use crate::{
    backends::Backend,
    reach::Door,
    valid::{ValidBackend, ValidStack},
};

/// `service.name` of everything that the canary writes; `job` of its series.
pub const SERVICE: &str = "obstack-canary";
/// The one series: its value is the second in which it was written.
pub const METRIC: &str = "obstack_canary_unix_seconds";
/// Rounds in a row that must miss before what was verified is called broken.
pub const MISSES: u32 = 3;

/// What one round of a signal needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is written and read back.
    pub signal: Signal,
    /// The door that takes OTLP over HTTP.
    pub write: Door,
    /// Path to write to.
    pub write_path: String,
    /// The door that answers queries.
    pub read: Door,
    /// What stands before the path of a query.
    pub read_path: String,
    /// Where blocks must appear; `None` when nobody is to look.
    pub blocks: Option<Blocks>,
}

/// Where the blocks of a signal must appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Name of the bucket.
    pub bucket: String,
    /// How long writes must have been accepted before a block must be there; `None` where the user's values change
    /// what decides it.
    pub due: Option<Duration>,
}

/// How a round of one signal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It came back.
    Passed {
        /// From sending it to seeing it in an answer.
        latency: Duration,
        /// What the bucket had.
        objects: Objects,
    },
    /// It did not.
    Missed(Miss),
}

/// What a look into the bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// Nobody was to look.
    Unasked,
    /// The bucket answers, and no block is due yet.
    NotDue,
    /// Blocks are in it that are no older than they may be.
    Seen,
}

/// Why a round missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// In one word: `WriteFailed`, `ReadBackTimeout` or `ObjectNotSeen`.
    pub reason: Reason,
    /// A backend, or the object store, answered or should have. False when the door was not reached at all, which
    /// may be the operator's own network.
    pub reached: bool,
    /// Why, with the door, the backend's words and the fix.
    pub message: String,
}

/// What to probe of a stack: the signals that its spec asks for, at the doors of its status. Empty when it asks for
/// none.
pub fn of(stack: &ValidStack, endpoints: &Endpoints) -> Vec<Probe> {
    let Some(canary) = &stack.canary else { return Vec::new() };
    let probe = |signal: &Signal| {
        let backend = stack.backends.iter().find(|backend| backend.backend == kept_by(*signal))?;
        let (write, read, path) = match signal {
            Signal::Traces => (&endpoints.traces_otlp_http, &endpoints.traces_query, "/v1/traces"),
            Signal::Metrics => (&endpoints.metrics_otlp_http, &endpoints.metrics_query, "/v1/metrics"),
        };
        let (write, before) = Door::of_url(write.as_deref()?)?;
        let (read, read_path) = Door::of_url(read.as_deref()?)?;
        let bucket = backend.buckets.get("blocks").filter(|_| canary.verify_object_storage);
        Some(Probe {
            signal: *signal,
            write,
            write_path: format!("{before}{path}"),
            read,
            read_path,
            blocks: bucket.map(|bucket| Blocks { bucket: bucket.clone(), due: due(backend) }),
        })
    };
    canary.signals.iter().filter_map(probe).collect()
}

/// The backend that keeps a signal.
fn kept_by(signal: Signal) -> Backend {
    match signal {
        Signal::Traces => Backend::Tempo,
        Signal::Metrics => Backend::Mimir,
    }
}

/// The name of a signal in labels and messages.
pub fn name(signal: Signal) -> &'static str {
    kept_by(signal).signal()
}

/// How long writes must have been accepted before a block must be in the bucket.
fn due(backend: &ValidBackend) -> Option<Duration> {
    let (due, decided_by): (_, &[&str]) = match backend.backend {
        Backend::Tempo => (objects::TEMPO_DUE, &["max_block", "blocklist_poll", "idle", "index"]),
        Backend::Mimir => (objects::MIMIR_DUE, &["block_ranges", "head_compaction", "ship_"]),
    };
    let changed = decided_by.iter().any(|word| backend.values_mention(word));
    // Tempo's compactors write the index that is looked for.
    let no_index =
        backend.backend == Backend::Tempo && !backend.monolithic && backend.replicas("compactor") == 0;
    (!changed && !no_index).then_some(due)
}
