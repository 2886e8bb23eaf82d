//! Leader election on a `coordination.k8s.io/v1` Lease.
//!
//! ```text
//! Elector::acquire ──> Leadership ──> WriteGuard   asked before every write: may it start now?
//!        │                  ├── lost              resolves when leadership is gone: the process ends
//!        │                  └── release           gives it back, so that a standby takes over at once
//!        └── state::Machine: every decision, pure; store::Store: the five requests
//! ```
//!
//! Kubernetes has no fencing token. Three things together stand in for it: no write *starts* after the renew deadline
//! ([`WriteGuard::may_write`]), no write lasts past the lease ([`WriteGuard::time_to_write`]), and the epoch goes into a
//! record of each stack under a `resourceVersion` precondition, so that an older leader's first write of a round fails.

mod guard;
mod leadership;
mod state;
mod store;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    guard::Clock,
    state::{Decision, Machine, Timing},
    store::{Refusal, Store},
};
pub use self::{guard::WriteGuard, leadership::Leadership};
use crate::client::explain;

/// What is elected, who we are, and the times.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// A name for this process that people recognise, such as the pod's. It need not be unique: the holder that is
    /// written is this name and a random suffix.
    pub identity: String,
    /// How long the record must stand still before another candidate takes over. Whole seconds.
    pub duration: Duration,
    /// How long after its last renewal a leader may still start a write.
    pub renew_deadline: Duration,
    /// Pause between two looks, and between two renewals; shortened by up to a fifth.
    pub retry: Duration,
}

impl LeaseConfig {
    /// The usual times: lease 15 s, renew deadline 10 s, retry 2 s.
    pub fn new(namespace: String, name: String, identity: String) -> Self {
        Self {
            namespace,
            name,
            identity,
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Why an election could not be started or a request for its Lease was not answered.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// The times contradict each other.
    #[error(
        "lease times must satisfy 2 * retry ({retry:?}) <= renew deadline ({renew_deadline:?}) < \
         duration ({duration:?}), and the duration must be whole seconds"
    )]
    Times {
        /// Lease duration.
        duration: Duration,
        /// Renew deadline.
        renew_deadline: Duration,
        /// Retry pause.
        retry: Duration,
    },
    /// The API server refused, or could not be reached.
    #[error("{what} of Lease {namespace}/{name}: {}", explain(source))]
    Api {
        /// What was tried.
        what: &'static str,
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
        /// What came back.
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error("{what} of Lease {namespace}/{name}: no answer within {after:?}")]
    Deadline {
        /// What was tried.
        what: &'static str,
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
        /// The deadline that passed.
        after: Duration,
    },
}

/// Where this process stands in the election, for readiness and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The Lease has not been read yet.
    Unknown,
    /// The API server answers and somebody else leads, or nobody does yet.
    Standby {
        /// The holder; empty when nobody is.
        holder: String,
    },
    /// This process leads.
    Leading {
        /// The epoch of the leadership.
        epoch: i64,
    },
    /// The last request for the Lease failed.
    Failing {
        /// What was tried, on which Lease, and what came back.
        reason: String,
    },
}

/// One candidate. Make one for each process run.
#[derive(Clone, Debug)]
pub struct Elector {
    store: Store,
    timing: Timing,
    holder: String,
    seed: u64,
    standing: watch::Sender<Standing>,
}

impl Elector {
    /// A candidate. `client` must be its own, so that renewals never queue behind other requests.
    pub fn new(client: kube::Client, config: &LeaseConfig) -> Result<Self, LeaseError> {
        let LeaseConfig { duration, renew_deadline, retry, .. } = *config;
        let ordered =
            !retry.is_zero() && retry.saturating_mul(2) <= renew_deadline && renew_deadline < duration;
        if !ordered || duration.subsec_nanos() != 0 {
            return Err(LeaseError::Times { duration, renew_deadline, retry });
        }
        // The standard library's hasher is keyed from the system's randomness.
        let seed = RandomState::new().hash_one(&config.identity);
        let holder = format!("{}_{seed:016x}", config.identity);
        Ok(Self {
            store: Store::new(client, config, holder.clone()),
            timing: Timing { duration, renew_deadline, retry },
            holder,
            seed,
            standing: watch::Sender::new(Standing::Unknown),
        })
    }

    /// What this candidate writes as holder: the configured identity and a random suffix.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Follows where this process stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Waits until this process leads; `None` when `stop` came first. A request that fails is tried again for as long
    /// as it takes; [`Elector::standing`] says why nothing happens. A request in hand is finished, so a leadership may
    /// come out even though `stop` was called: release it.
    pub async fn acquire(&self, stop: &CancellationToken) -> Option<Leadership> {
        let clock = Clock::start();
        let mut machine = Machine::new(self.holder.clone(), self.timing, self.seed);
        loop {
            match machine.decide(clock.now()) {
                Decision::Wait { until } => {
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        () = tokio::time::sleep_until(clock.instant(until)) => {}
                    }
                }
                request => {
                    if stop.is_cancelled() {
                        return None;
                    }
                    self.act(clock, &mut machine, request).await;
                }
            }
            if let Some(leading) = machine.leading() {
                return Some(Leadership::begin(self.clone(), clock, machine, leading));
            }
        }
    }

    /// Carries out one decision and tells the machine what came of it.
    async fn act(&self, clock: Clock, machine: &mut Machine, decision: Decision) {
        let sent = clock.now();
        let wrote = match decision {
            Decision::Wait { .. } | Decision::Lost => return,
            Decision::Observe => match self.store.read().await {
                Ok(record) => {
                    machine.observed(clock.now(), record);
                    return self.stands(machine);
                }
                Err(refusal) => Err(refusal),
            },
            Decision::Create => self.store.create().await,
            Decision::Acquire { resource_version, transitions } => {
                self.store.acquire(&resource_version, transitions).await
            }
            Decision::Renew { resource_version } => self.store.renew(&resource_version).await,
        };
        match wrote {
            Ok(record) => machine.wrote(sent, clock.now(), record),
            Err(Refusal::Conflict) => machine.conflict(clock.now()),
            Err(Refusal::Failed(error)) => {
                machine.failed(clock.now());
                return self.fails(&error);
            }
        }
        self.stands(machine);
    }

    fn stands(&self, machine: &Machine) {
        let holder = machine.record().map(|record| record.holder.clone()).unwrap_or_default();
        let standing = match machine.leading() {
            Some(leading) => Standing::Leading { epoch: leading.epoch },
            None => Standing::Standby { holder },
        };
        self.announce(standing);
    }

    fn fails(&self, error: &LeaseError) {
        self.announce(Standing::Failing { reason: error.to_string() });
    }

    /// Publishes and logs a change; an unchanged standing is silent.
    fn announce(&self, standing: Standing) {
        let changed = self.standing.send_if_modified(|old| {
            let changed = *old != standing;
            old.clone_from(&standing);
            changed
        });
        match standing {
            _ if !changed => {}
            Standing::Unknown => {}
            Standing::Standby { holder } if holder.is_empty() => info!("nobody leads yet"),
            Standing::Standby { holder } => info!(holder, "standing by: another process leads"),
            Standing::Leading { epoch } => info!(epoch, holder = self.holder, "this process leads"),
            Standing::Failing { reason } => warn!(reason, "leader election: a request failed, trying again"),
        }
    }
}
