//! What every reconcile has at hand.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use kube::Client;
use obstack_api::{ChartSource, StackStatus};
use obstack_core::{assemble::Plan, drift::DriftLog, facts::Cluster, names::StackKey, objects::ObjectId};

use crate::{
    canary::Canaries,
    cluster::{events::EventSink, inventory::Stored, live::LiveView, secrets::Secrets},
    lease::WriteGuard,
    metrics::Metrics,
    plans::Plans,
    probes::Probes,
    reach::Way,
    rings::Rings,
    roster::Roster,
};

/// What the operator was told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces to watch; all when empty.
    pub namespaces: Vec<String>,
    /// Chart source of stacks that name none.
    pub chart_source: ChartSource,
    /// Time between two probes of a bucket.
    pub probe_interval: Duration,
    /// Longest time that one reconcile may take.
    pub reconcile_deadline: Duration,
    /// How the backends are reached.
    pub reach: Way,
}

/// What every reconcile has at hand.
#[derive(Debug)]
pub struct Context {
    /// Client for reads and writes.
    pub client: ClientHandle,
    /// What the operator was told at its start.
    pub settings: Settings,
    /// What the API server serves.
    pub cluster: Cluster,
    /// What the watches have told.
    pub view: Arc<LiveView>,
    /// Every stack there is.
    pub roster: Roster,
    /// Secrets that stacks name.
    pub secrets: Arc<Secrets>,
    /// How the buckets stand.
    pub probes: Arc<Probes>,
    /// How the backends' rings stand.
    pub rings: Arc<Rings>,
    /// What the canaries say.
    pub canaries: Arc<Canaries>,
    /// Rendered and assembled plans.
    pub plans: Plans,
    /// Takes events.
    pub events: EventSink,
    /// Counts and measures.
    pub metrics: Metrics,
    /// Whether writes may start.
    pub guard: WriteGuard,
    /// What is remembered of each stack between two reconciles.
    pub memory: Memory,
}

/// A client that can stand in a `Debug` struct.
#[derive(Clone)]
pub struct ClientHandle(pub Client);

impl std::fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl std::ops::Deref for ClientHandle {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

/// What somebody wants of a stack: what changes it is tried at once, whatever failed before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// The request to look at once, see [`requested`](crate::cluster::stack::requested).
    pub request: Option<String>,
}

/// What is remembered of each stack between two reconciles. All of it can be lost: a restart starts without.
#[derive(Debug)]
pub struct Memory {
    began: Instant,
    stacks: Mutex<HashMap<StackKey, Remembered>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { began: Instant::now(), stacks: Mutex::default() }
    }
}

/// What is remembered of a stack.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Its inventory as it was read or written last.
    pub stored: Option<Arc<Stored>>,
    /// Versions of our own writes that the watches may not have told of yet.
    pub written: BTreeMap<ObjectId, u64>,
    /// Repairs of its objects.
    pub drift: Option<DriftLog>,
    /// Plans that were in place or begun, for as long as somebody else keeps their bodies.
    pub plans: Vec<Weak<Plan>>,
    /// The status as it was written last, and when; only until the watch has told of it.
    pub status: Option<(StackStatus, Instant)>,
    /// Failed reconciles in a row.
    pub failures: u32,
    /// Before when, and for whom, no reconcile starts.
    pub not_before: Option<(Instant, Asked)>,
}

impl Memory {
    fn stacks(&self) -> MutexGuard<'_, HashMap<StackKey, Remembered>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the operator started. They never go back.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// What is remembered of a stack.
    pub fn recall(&self, key: &StackKey) -> Remembered {
        self.stacks().get(key).cloned().unwrap_or_default()
    }

    /// Changes what is remembered of a stack.
    pub fn update(&self, key: &StackKey, change: impl FnOnce(&mut Remembered)) {
        change(self.stacks().entry(key.clone()).or_default());
    }

    /// Forgets a stack.
    pub fn forget(&self, key: &StackKey) {
        self.stacks().remove(key);
    }
}
