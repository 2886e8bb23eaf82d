//! From rounds to `DataPathVerified`.
//!
//! What has never passed is not called broken: the stack may be starting, or the operator may not be in its network.
//! So the condition is `Unknown` until the first round passes, and `False` only after [`MISSES`] rounds in a row
//! missed from then on. That makes the gate of `Ready` plain: it falls when the condition is `False`.

use std::time::Duration;

use obstack_api::{ConditionStatus, Reason, Signal};

use super::{MISSES, Miss, Objects, Outcome, name};
use crate::finding::Finding;

/// Latencies are told in these steps of seconds, so that the status does not change with each round.
const STEPS: [u64; 5] = [1, 2, 5, 10, 20];
/// Rounds in a row that must be faster than what is told before less is told.
const CALM: u32 = 30;

/// What is known of a stack's canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What was said before the first round.
    before: Option<Finding>,
    tracks: Vec<Track>,
}

/// What is known of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Track {
    signal: Signal,
    /// It has passed once, in this process or before.
    proved: bool,
    /// What the last round that passed said.
    passed: Option<Told>,
    /// Rounds in a row that missed.
    misses: u32,
    missed: Option<Miss>,
    /// Since when every write was accepted, since the Unix epoch.
    accepted_since: Option<Duration>,
}

/// What is told of rounds that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    /// Seconds, one of [`STEPS`].
    within: u64,
    /// Rounds in a row that were faster.
    faster: u32,
    objects: Objects,
}

impl History {
    /// Of a stack about which `before` was said last, such as by another process; nothing, when it was not looked at.
    pub fn new(signals: &[Signal], before: Option<Finding>) -> Self {
        let proved = before.as_ref().is_some_and(|before| before.status != ConditionStatus::Unknown);
        let broken = before.as_ref().is_some_and(|before| before.status == ConditionStatus::False);
        let misses = if broken { MISSES } else { 0 };
        let track = |signal: &Signal| Track {
            signal: *signal,
            proved,
            passed: None,
            misses,
            missed: None,
            accepted_since: None,
        };
        Self { before, tracks: signals.iter().map(track).collect() }
    }

    /// The same with other signals: of those that stay nothing is forgotten.
    #[must_use]
    pub fn with_signals(&self, signals: &[Signal]) -> Self {
        let mut new = Self::new(signals, None);
        for track in &mut new.tracks {
            if let Some(known) = self.tracks.iter().find(|known| known.signal == track.signal) {
                track.clone_from(known);
            }
        }
        if new.tracks.len() == self.tracks.len() {
            new.before.clone_from(&self.before);
        }
        new
    }

    /// Takes in a round of one signal that began at `at`, since the Unix epoch.
    pub fn record(&mut self, signal: Signal, outcome: Outcome, at: Duration) {
        let Some(track) = self.tracks.iter_mut().find(|track| track.signal == signal) else { return };
        let refused = matches!(&outcome, Outcome::Missed(miss) if miss.reason == Reason::WriteFailed);
        track.accepted_since = if refused { None } else { track.accepted_since.or(Some(at)) };
        match outcome {
            Outcome::Passed { latency, objects } => {
                track.proved = true;
                (track.misses, track.missed) = (0, None);
                track.passed = Some(told(track.passed, latency, objects));
            }
            Outcome::Missed(miss) => {
                track.misses = track.misses.saturating_add(1);
                track.missed = Some(miss);
            }
        }
    }

    /// How long every write of a signal has been accepted.
    pub fn accepted(&self, signal: Signal, now: Duration) -> Duration {
        let track = self.tracks.iter().find(|track| track.signal == signal);
        track.and_then(|track| track.accepted_since).map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Whether something answers that has not passed yet, so that looking again soon may be worth it.
    pub fn is_starting(&self) -> bool {
        self.tracks
            .iter()
            .any(|track| !track.proved && track.missed.as_ref().is_some_and(|miss| miss.reached))
    }

    /// What `DataPathVerified` says.
    pub fn finding(&self) -> Finding {
        let late = |track: &&Track| track.misses >= MISSES && track.missed.is_some();
        let missing: Vec<_> = self.tracks.iter().filter(late).collect();
        let broken = missing.iter().find(|track| track.proved);
        if let Some(track) = broken.or_else(|| missing.first())
            && let Some(miss) = &track.missed
        {
            let others = missing.len() - 1;
            let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
            let message = format!("{}{others}", miss.message);
            return match (track.proved, miss.reached) {
                (true, _) => Finding::fails(miss.reason, message),
                (false, true) => Finding::unknown(miss.reason, message),
                (false, false) => Finding::unknown(Reason::NotYetRun, message),
            };
        }
        let passed: Option<Vec<_>> =
            self.tracks.iter().map(|track| Some((track.signal, track.passed?))).collect();
        let unheard = || {
            let message = "nothing has been written and read back yet";
            self.before.clone().unwrap_or_else(|| Finding::unknown(Reason::NotYetRun, message))
        };
        passed.filter(|passed| !passed.is_empty()).map_or_else(unheard, |passed| {
            let words: Vec<_> = passed.iter().map(|(signal, told)| praise(*signal, *told)).collect();
            Finding::holds(Reason::Verified, words.join("; "))
        })
    }
}

/// A slower round is told at once, a faster one when it is no exception.
fn told(before: Option<Told>, latency: Duration, objects: Objects) -> Told {
    let longest = STEPS.last().copied().unwrap_or_default();
    let within = STEPS.into_iter().find(|step| latency <= Duration::from_secs(*step)).unwrap_or(longest);
    match before {
        Some(before) if within < before.within && before.faster < CALM => {
            Told { within: before.within, faster: before.faster + 1, objects }
        }
        _ => Told { within, faster: 0, objects },
    }
}

fn praise(signal: Signal, told: Told) -> String {
    let objects = match told.objects {
        Objects::Unasked => "",
        Objects::NotDue => ", no block is due in the bucket yet",
        Objects::Seen => ", blocks are in the bucket",
    };
    format!("{} come back within {} s{objects}", name(signal), told.within)
}
