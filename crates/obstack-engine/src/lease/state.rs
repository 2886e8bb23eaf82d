//! The decisions of leader election, with neither a clock nor a network inside.
//!
//! Time is a [`Duration`] since some start of this process, on its monotonic clock. What other processes wrote into the
//! record is compared for change and never read as a time: a clock that is a day wrong, here or there, changes nothing.
//!
//! Why two leaders cannot write at once: a leader starts its last write before `sent + renew_deadline`, where `sent` is
//! when its last successful renewal *left*. Another candidate saw that renewal at the earliest when it was stored, so
//! after `sent`, and takes over no earlier than `duration` after it saw it. `renew_deadline` is shorter than `duration`.
//! That every write carries the resource version it was decided on closes the gap between looking and writing.

use std::time::Duration;

/// The three times of an election. `retry < renew_deadline < duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a record must stand still before another candidate takes over.
    pub duration: Duration,
    /// How long after its last renewal a leader may still start a write.
    pub renew_deadline: Duration,
    /// Pause between two looks of a candidate, and between two renewals of a leader. Shortened by up to a fifth.
    pub retry: Duration,
}

/// What stands in the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty when it was given back.
    pub holder: String,
    /// When the holder says it renewed. Compared for change only.
    pub renewed: String,
    /// How often leadership has changed hands: the epoch.
    pub transitions: i64,
    /// How long the holder asks others to wait. A longer one than ours is respected, so that a rollout may lengthen it.
    pub duration: Duration,
    /// The version that a write must name.
    pub resource_version: String,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing before this time.
    Wait {
        /// Time to decide again.
        until: Duration,
    },
    /// Read the record.
    Observe,
    /// Create the record; somebody else may be faster.
    Create,
    /// Become the holder of this very version of the record.
    Acquire {
        /// The version that was judged free.
        resource_version: String,
        /// The epoch that begins.
        transitions: i64,
    },
    /// Renew this very version of the record.
    Renew {
        /// The version that we hold.
        resource_version: String,
    },
    /// Leadership is gone for good: the process must end, and never resume.
    Lost,
}

/// A leadership that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leading {
    /// When the last successful renewal left this process.
    pub renewed_at: Duration,
    /// The epoch of this leadership.
    pub epoch: i64,
}

#[derive(Clone, Debug)]
enum Phase {
    Candidate,
    Leading(Leading),
    Lost,
}

#[derive(Clone, Debug)]
struct Seen {
    record: Record,
    /// When this process first saw the record as it is.
    since: Duration,
}

/// One candidate's view of the election.
#[derive(Clone, Debug)]
pub struct Machine {
    me: String,
    timing: Timing,
    phase: Phase,
    seen: Option<Seen>,
    /// The record must be read before anything is written.
    stale: bool,
    /// No request before this time.
    due: Duration,
    /// The last write met a conflict; a second one in a row is paused for.
    conflicted: bool,
    jitter: u64,
}

impl Machine {
    /// A candidate that has seen nothing yet. `me` must be unique to this process; `seed` spreads the pauses.
    pub fn new(me: String, timing: Timing, seed: u64) -> Self {
        Self {
            me,
            timing,
            phase: Phase::Candidate,
            seen: None,
            stale: true,
            due: Duration::ZERO,
            conflicted: false,
            jitter: seed,
        }
    }

    /// What to do at `now`.
    pub fn decide(&self, now: Duration) -> Decision {
        let ends = match &self.phase {
            Phase::Lost => return Decision::Lost,
            Phase::Leading(leading) => self.ends(leading),
            Phase::Candidate => Duration::MAX,
        };
        if now >= ends {
            return Decision::Lost;
        }
        if now < self.due {
            return Decision::Wait { until: self.due.min(ends) };
        }
        if self.stale {
            return Decision::Observe;
        }
        let Some(seen) = &self.seen else { return Decision::Create };
        let resource_version = seen.record.resource_version.clone();
        if seen.record.holder == self.me {
            Decision::Renew { resource_version }
        } else if self.is_free(seen, now) {
            Decision::Acquire { resource_version, transitions: seen.record.transitions.saturating_add(1) }
        } else {
            Decision::Observe
        }
    }

    /// The record was read; the answer arrived at `now`. `None`: there is none.
    pub fn observed(&mut self, now: Duration, record: Option<Record>) {
        let ours = record.as_ref().is_some_and(|r| r.holder == self.me);
        if let Phase::Leading(leading) = &self.phase
            && !(ours && record.as_ref().is_some_and(|r| r.transitions == leading.epoch))
        {
            self.phase = Phase::Lost;
        }
        self.see(now, record);
        let wait = self
            .seen
            .as_ref()
            .filter(|seen| !ours && !self.is_free(seen, now))
            .map(|seen| self.free_at(seen));
        self.stale = wait.is_some();
        self.due = match wait {
            Some(free_at) => free_at.min(now.saturating_add(self.pause())),
            None => now,
        };
    }

    /// A write that left at `sent` succeeded; the answer, the record as stored, arrived at `now`.
    pub fn wrote(&mut self, sent: Duration, now: Duration, record: Record) {
        let leading = Leading { renewed_at: sent, epoch: record.transitions };
        self.see(now, Some(record));
        self.conflicted = false;
        self.due = sent.saturating_add(self.pause());
        self.phase = match &self.phase {
            // An answer that comes after the deadline does not bring back a leadership that lapsed meanwhile.
            Phase::Leading(old) if now >= self.ends(old) || old.epoch != leading.epoch => Phase::Lost,
            Phase::Lost => Phase::Lost,
            // So long on its way that it is worth nothing any more: look again.
            Phase::Candidate if now >= self.ends(&leading) => Phase::Candidate,
            Phase::Candidate | Phase::Leading(_) => Phase::Leading(leading),
        };
        self.stale = matches!(self.phase, Phase::Candidate);
    }

    /// A write was refused at `now` because the record had changed, or was there already, or was gone.
    pub fn conflict(&mut self, now: Duration) {
        self.stale = true;
        // The first look after a conflict is free; what conflicts again and again must not become a busy loop.
        self.due = if self.conflicted { now.saturating_add(self.pause()) } else { now };
        self.conflicted = true;
    }

    /// A request failed at `now`; whether it took effect is unknown.
    pub fn failed(&mut self, now: Duration) {
        // A leader tries the same version again: if the lost request did take effect, that conflicts and is read.
        self.stale |= matches!(self.phase, Phase::Candidate);
        self.due = now.saturating_add(self.pause());
    }

    /// The leadership held, if any. Whether it still lasts is [`Machine::decide`]'s to say.
    pub fn leading(&self) -> Option<Leading> {
        match &self.phase {
            Phase::Leading(leading) => Some(*leading),
            Phase::Candidate | Phase::Lost => None,
        }
    }

    /// The record as last seen.
    pub fn record(&self) -> Option<&Record> {
        self.seen.as_ref().map(|seen| &seen.record)
    }

    /// When a leadership may start no further write.
    fn ends(&self, leading: &Leading) -> Duration {
        leading.renewed_at.saturating_add(self.timing.renew_deadline)
    }

    fn see(&mut self, now: Duration, record: Option<Record>) {
        let since = |record: &Record| match &self.seen {
            Some(seen) if seen.record == *record => seen.since,
            _ => now,
        };
        self.seen = record.map(|record| Seen { since: since(&record), record });
    }

    fn is_free(&self, seen: &Seen, now: Duration) -> bool {
        seen.record.holder.is_empty() || now >= self.free_at(seen)
    }

    fn free_at(&self, seen: &Seen) -> Duration {
        seen.since.saturating_add(self.timing.duration.max(seen.record.duration))
    }

    /// The pause between two requests: `retry`, shortened by up to a fifth so that candidates do not march in step.
    fn pause(&mut self) -> Duration {
        self.jitter =
            self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let shorten = u32::try_from((self.jitter >> 33) % 200).unwrap_or_default();
        self.timing.retry.saturating_sub(self.timing.retry.saturating_mul(shorten) / 1000)
    }
}
