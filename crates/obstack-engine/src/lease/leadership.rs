//! A leadership that is held: renewed in the background until it is released, lost or dropped.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info};

use super::{
    Elector, LeaseError,
    guard::{Clock, WriteGuard},
    state::{Decision, Leading, Machine, Timing},
    store::Refusal,
};

/// This process leads. Dropping it ends the renewals and forbids further writes, without giving the Lease back.
#[derive(Debug)]
pub struct Leadership {
    elector: Elector,
    guard: WriteGuard,
    lost: CancellationToken,
    /// Ends the renewals when dropped.
    renewing: DropGuard,
    /// Ends with the version of the record that is ours, or nothing when leadership was lost.
    renewals: JoinHandle<Option<String>>,
}

impl Leadership {
    pub(super) fn begin(elector: Elector, clock: Clock, machine: Machine, leading: Leading) -> Self {
        let Timing { duration, renew_deadline, .. } = elector.timing;
        // A fifth of what is left after the deadline stays unused, for clocks that do not run at quite the same rate.
        let grace = duration.saturating_sub(renew_deadline).saturating_mul(4) / 5;
        let until = leading.renewed_at.saturating_add(renew_deadline);
        let guard = WriteGuard::new(clock, until, grace, leading.epoch);
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let task = renew(elector.clone(), clock, machine, guard.clone(), stop.clone(), lost.clone());
        Self { elector, guard, lost, renewing: stop.drop_guard(), renewals: tokio::spawn(task) }
    }

    /// The epoch of this leadership: it grows with every change of leader, from 1.
    pub fn epoch(&self) -> i64 {
        self.guard.epoch()
    }

    /// The right to write, to be asked before every write.
    pub fn guard(&self) -> WriteGuard {
        self.guard.clone()
    }

    /// Resolves when leadership is lost: renewals failed until the deadline, or another holder was seen. The process
    /// must end then; it must not stand for election again.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Gives leadership back, so that a standby takes over with its next look. From the call on no write may start;
    /// finish those in flight before. A leadership that was lost is left alone.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.guard.close();
        drop(self.renewing);
        let Ok(Some(resource_version)) = self.renewals.await else { return Ok(()) };
        let store = &self.elector.store;
        match store.release(&resource_version).await {
            Ok(_) => {}
            Err(Refusal::Failed(error)) => return Err(error),
            // A renewal whose answer was lost did take effect: the record is ours under a newer version.
            Err(Refusal::Conflict) => match store.read().await {
                Ok(Some(record)) if record.holder == self.elector.holder => {
                    if let Err(Refusal::Failed(error)) = store.release(&record.resource_version).await {
                        return Err(error);
                    }
                }
                Ok(_) | Err(Refusal::Conflict) => {}
                Err(Refusal::Failed(error)) => return Err(error),
            },
        }
        info!(epoch = self.guard.epoch(), "leadership released");
        Ok(())
    }
}

/// Renews until told to stop or until leadership is lost.
async fn renew(
    elector: Elector,
    clock: Clock,
    mut machine: Machine,
    guard: WriteGuard,
    stop: CancellationToken,
    lost: CancellationToken,
) -> Option<String> {
    loop {
        match machine.decide(clock.now()) {
            Decision::Lost => break,
            Decision::Wait { until } => {
                tokio::select! {
                    () = stop.cancelled() => {
                        guard.close();
                        return machine.record().map(|record| record.resource_version.clone());
                    }
                    () = tokio::time::sleep_until(clock.instant(until)) => {}
                }
            }
            request => {
                let ends = machine.leading().map_or(Duration::ZERO, |leading| ends(&elector, leading));
                // At the deadline the answer no longer matters: the next decision is that leadership is lost.
                tokio::select! {
                    () = elector.act(clock, &mut machine, request) => {}
                    () = tokio::time::sleep_until(clock.instant(ends)) => {}
                }
                if let Some(leading) = machine.leading() {
                    guard.extend(self::ends(&elector, leading));
                }
            }
        }
    }
    guard.close();
    error!(epoch = guard.epoch(), holder = elector.holder, "leadership lost");
    lost.cancel();
    None
}

fn ends(elector: &Elector, leading: Leading) -> Duration {
    leading.renewed_at.saturating_add(elector.timing.renew_deadline)
}
