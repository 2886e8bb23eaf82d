//! The canaries of all stacks, each in a task of its own beside the reconcile. They ask the API server nothing, unless
//! it is the way to the backends.

mod prober;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use futures::future::join_all;
use obstack_api::Signal;
use obstack_core::{
    canary::{self, History, Mark, Miss, Outcome, Probe},
    finding::Finding,
    hash,
    names::StackKey,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

pub use self::prober::{Prober, READ_DEADLINE, WRITE_DEADLINE};
use crate::{
    buckets::{Access, Client},
    metrics::Metrics,
    reach::Way,
};

/// Rounds of stacks that run at the same time. A round ends within 20 s, so that this many can hang at once and
/// three times as many by turns within a minute before another stack waits for them.
const PARALLEL: usize = 64;
/// The same where they share the client of the reconcile.
const PARALLEL_BY_PROXY: usize = 8;
/// From a miss to the next round of a stack that answers and has never passed: it is most likely starting.
const STARTING_AGAIN: Duration = Duration::from_secs(5);

/// Runs the canaries and knows what they say.
#[derive(Debug)]
pub struct Canaries {
    prober: Option<Prober>,
    metrics: Metrics,
    triggers: mpsc::UnboundedSender<StackKey>,
    stacks: Mutex<HashMap<StackKey, Stack>>,
    turns: Semaphore,
}

/// What the canary of one stack is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Uid of the stack.
    pub uid: String,
    /// From one round to the next.
    pub interval: Duration,
    /// What to write and read back; nothing runs when empty.
    pub probes: Vec<Probe>,
    /// The object store with the pods' own keys.
    pub access: Access,
}

impl Wanted {
    fn signals(&self) -> Vec<Signal> {
        self.probes.iter().map(|probe| probe.signal).collect()
    }
}

#[derive(Debug)]
struct Stack {
    wanted: Wanted,
    history: History,
    /// Ends with the entry.
    _running: AbortOnDropHandle<()>,
}

impl Canaries {
    /// Canaries that go this way. A round with news triggers its stack. Must be called inside a tokio runtime.
    pub fn new(way: Way, metrics: Metrics, triggers: mpsc::UnboundedSender<StackKey>) -> Self {
        let prober = Prober::new(way);
        let by_proxy = prober.as_ref().is_some_and(Prober::is_proxy);
        let turns = Semaphore::new(if by_proxy { PARALLEL_BY_PROXY } else { PARALLEL });
        Self { prober, metrics, triggers, stacks: Mutex::default(), turns }
    }

    fn stacks(&self) -> MutexGuard<'_, HashMap<StackKey, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the canary of a stack says; `None` when none is to run. It begins with the first call at which the stack
    /// is `up`, and goes on until it is forgotten. `before` is what was said last, by another process maybe.
    ///
    /// A door in another namespace than the stack's is not asked.
    pub fn look(
        self: &Arc<Self>,
        key: &StackKey,
        mut wanted: Wanted,
        up: bool,
        before: Option<&Finding>,
    ) -> Option<Finding> {
        wanted.probes.retain(|probe| {
            [&probe.write, &probe.read].into_iter().all(|door| door.namespace == key.namespace)
        });
        if self.prober.is_none() || wanted.probes.is_empty() {
            self.forget_stack(key);
            return None;
        }
        let mut stacks = self.stacks();
        let known = stacks.get(key);
        if let Some(stack) = known.filter(|stack| stack.wanted == wanted) {
            return Some(stack.history.finding());
        }
        let signals = wanted.signals();
        let history = match known {
            Some(stack) => stack.history.with_signals(&signals),
            None => History::new(&signals, before.cloned()),
        };
        let finding = history.finding();
        if known.is_none() && !up {
            return Some(finding);
        }
        // After a restart of the operator all stacks begin at once, and their last word stands.
        let first = match (known, before) {
            (None, None) => Duration::ZERO,
            _ => wanted.interval.mul_f64(hash::spread(&key.label(), 1000) - 0.5),
        };
        let span = tracing::info_span!("canary", stack = %key);
        let running =
            tokio::spawn(run(Arc::downgrade(self), key.clone(), wanted.clone(), first).instrument(span));
        self.metrics.keep_canary(
            &key.namespace,
            &key.name,
            &signals.iter().map(|s| canary::name(*s)).collect::<Vec<_>>(),
        );
        let stack = Stack { wanted, history, _running: AbortOnDropHandle::new(running) };
        stacks.insert(key.clone(), stack);
        Some(finding)
    }

    /// Stops the canary of a stack that is gone, suspended or wants none.
    pub fn forget_stack(&self, key: &StackKey) {
        self.stacks().remove(key);
        self.metrics.keep_canary(&key.namespace, &key.name, &[]);
    }

    /// One round of every signal.
    async fn round(&self, key: &StackKey, wanted: &Wanted) {
        let Some(prober) = &self.prober else { return };
        let _turn = self.turns.acquire().await;
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mark = Mark::of(&wanted.uid, &key.to_string(), at);
        let store = Client::new(&wanted.access).map_err(|error| error.to_string());
        let accepted = |signal| {
            self.stacks().get(key).map_or(Duration::ZERO, |stack| stack.history.accepted(signal, at))
        };
        let rounds = wanted.probes.iter().map(async |probe| {
            let outcome = prober.round(probe, &mark, &store, accepted(probe.signal)).await;
            (probe.signal, outcome)
        });
        let outcomes = join_all(rounds).await;
        for (signal, outcome) in &outcomes {
            self.count(key, *signal, outcome, at);
        }
        let mut stacks = self.stacks();
        let Some(stack) = stacks.get_mut(key).filter(|stack| stack.wanted == *wanted) else { return };
        let before = stack.history.finding();
        for (signal, outcome) in outcomes {
            stack.history.record(signal, outcome, at);
        }
        let news = stack.history.finding() != before;
        drop(stacks);
        if news {
            // The receiver is gone only when the process ends.
            let _ = self.triggers.send(key.clone());
        }
    }

    fn count(&self, key: &StackKey, signal: Signal, outcome: &Outcome, at: Duration) {
        let (namespace, name, signal) = (key.namespace.as_str(), key.name.as_str(), canary::name(signal));
        match outcome {
            Outcome::Passed { latency, .. } => {
                self.metrics.record_canary_success(namespace, name, signal, *latency, at);
            }
            Outcome::Missed(Miss { reason, message, .. }) => {
                tracing::debug!(signal, %reason, message, "the canary missed");
                self.metrics.record_canary_failure(namespace, name, signal, reason.as_str());
            }
        }
    }

    /// From the end of one round to the next: the interval, moved by up to a tenth so that many stacks do not write at
    /// once.
    fn wait(&self, key: &StackKey, wanted: &Wanted) -> Duration {
        let starting = self.stacks().get(key).is_some_and(|stack| stack.history.is_starting());
        let wait = if starting { STARTING_AGAIN } else { wanted.interval };
        wait.mul_f64(hash::spread(&key.label(), 100))
    }
}

async fn run(canaries: Weak<Canaries>, key: StackKey, wanted: Wanted, first: Duration) {
    tokio::time::sleep(first).await;
    while let Some(canaries) = canaries.upgrade() {
        canaries.round(&key, &wanted).await;
        let wait = canaries.wait(&key, &wanted);
        // Nobody waits for the end of this pause before the rest goes.
        drop(canaries);
        tokio::time::sleep(wait).await;
    }
}
