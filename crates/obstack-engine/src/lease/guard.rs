//! May a write start now? Asked before every write, from any task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// No leadership, and none will come.
const CLOSED: u64 = 0;
/// No election: writes may always start.
const ALWAYS: u64 = u64::MAX;

/// The monotonic clock of this process, as time since a start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn now(self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn instant(self, at: Duration) -> Instant {
        self.start.checked_add(at).unwrap_or(self.start)
    }
}

/// The right to write, as long as the leadership that it came from lasts. Cheap to clone and to ask.
///
/// It is judged on the monotonic clock at the moment of asking, not by a task that could be late: a process that was
/// stopped for a minute gets the right answer with its first question.
#[derive(Clone, Debug)]
pub struct WriteGuard {
    clock: Clock,
    /// Nanoseconds on `clock` before which a write may start.
    until: Arc<AtomicU64>,
    /// How long after `until` a write that did start may still take.
    grace: Duration,
    epoch: i64,
}

impl WriteGuard {
    pub(super) fn new(clock: Clock, until: Duration, grace: Duration, epoch: i64) -> Self {
        Self { clock, until: Arc::new(AtomicU64::new(nanos(until))), grace, epoch }
    }

    /// The guard of a process that takes part in no election. Its epoch is 0, which no elected leader has.
    pub fn always() -> Self {
        Self {
            clock: Clock::start(),
            until: Arc::new(AtomicU64::new(ALWAYS)),
            grace: Duration::from_hours(24),
            epoch: 0,
        }
    }

    /// Whether a write may start now.
    pub fn may_write(&self) -> bool {
        self.time_to_write().is_some()
    }

    /// How long a write that starts now may take, at most, before another leader could begin; `None` when no write may
    /// start. Bound each write by the smaller of this and its own deadline.
    pub fn time_to_write(&self) -> Option<Duration> {
        let until = self.until.load(Ordering::Acquire);
        if until == ALWAYS {
            return Some(self.grace);
        }
        let left =
            Duration::from_nanos(until).checked_sub(self.clock.now()).filter(|left| !left.is_zero())?;
        Some(left.saturating_add(self.grace))
    }

    /// The epoch of the leadership: it grows with every change of leader.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Writes may start until `until`. A closed guard stays closed.
    pub(super) fn extend(&self, until: Duration) {
        let open = |old| (old != CLOSED).then(|| nanos(until));
        // The only refusal is that it is closed, which is what is wanted then.
        let _ = self.until.fetch_update(Ordering::AcqRel, Ordering::Acquire, open);
    }

    /// No write may start any more.
    pub(super) fn close(&self) {
        self.until.store(CLOSED, Ordering::Release);
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(ALWAYS - 1).clamp(CLOSED + 1, ALWAYS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(until: Duration) -> WriteGuard {
        WriteGuard::new(Clock::start(), until, Duration::from_secs(4), 7)
    }

    #[test]
    fn a_write_may_start_only_before_the_deadline() {
        assert!(guard(Duration::from_mins(1)).may_write());
        assert!(!guard(Duration::ZERO).may_write());
    }

    #[test]
    fn a_write_that_starts_at_the_last_moment_still_has_the_grace() {
        let left = guard(Duration::from_mins(1)).time_to_write().unwrap();
        assert!(left > Duration::from_secs(63) && left <= Duration::from_secs(64), "{left:?}");
    }

    #[test]
    fn a_closed_guard_never_opens_again_for_any_clone() {
        let guard = guard(Duration::from_mins(1));
        let clone = guard.clone();
        guard.close();
        clone.extend(Duration::from_mins(2));
        assert!(!guard.may_write() && !clone.may_write());
    }

    #[test]
    fn without_an_election_writes_may_always_start() {
        assert!(WriteGuard::always().may_write());
        assert_eq!(WriteGuard::always().epoch(), 0);
    }
}
