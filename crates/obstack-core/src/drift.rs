//! The log of a stack's repairs: who changes what, and when an object that somebody keeps changing may be put back.
//!
//! Time is an argument: seconds since any fixed moment, never going back.

mod taken;

use std::{collections::BTreeMap, time::Duration};

use obstack_api::{ConditionType, Reason, StackStatus, labels};

pub use self::taken::{Taken, taken};
use crate::{conclude::Fault, finding::Finding, objects::ObjectId};

/// For how long a repair is spoken of, in seconds. An object that nobody touches for as long starts anew.
pub const WINDOW: u64 = 600;
/// Repairs of one object within [`BURST`] that are made at once.
const FREE: u32 = 3;
/// See [`FREE`], in seconds.
const BURST: u64 = 120;
/// Wait before the first repair after those, in seconds; it doubles with each up to [`LONGEST`].
const FIRST: u64 = 10;
/// Longest wait before a repair, in seconds.
const LONGEST: u64 = 600;

/// What somebody did to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// It was deleted.
    pub deleted: bool,
    /// Who did it, where the API server tells.
    pub manager: Option<String>,
    /// Paths of the fields that were changed, where the API server tells; the first few.
    pub fields: Vec<String>,
}

/// An object that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What somebody did to it.
    pub deed: Deed,
    /// Why it was not put back; `None` when [`DriftLog::may_repair`] makes it wait.
    pub fault: Option<Fault>,
}

/// The repairs of a stack's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftLog {
    /// Since when the log is kept.
    since: u64,
    objects: BTreeMap<ObjectId, History>,
}

/// The repairs of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct History {
    /// What was done to it last.
    deed: Deed,
    /// When it was put back: the last [`FREE`] times, oldest first.
    times: Vec<u64>,
    /// How often repairs were put off already: the wait doubles with it.
    slowed: u32,
    /// How it stands.
    state: State,
}

/// How an object stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// It is as it should be.
    #[default]
    InPlace,
    /// It is not, and is put back when its wait is over.
    Waits,
    /// It is not, and something else than the log keeps it so.
    Left(Fault),
}

impl DriftLog {
    /// An empty log.
    pub fn begin(now: u64) -> Self {
        Self { since: now, objects: BTreeMap::new() }
    }

    /// Whether a drifted object may be put back now, or after which time.
    pub fn may_repair(&self, object: &ObjectId, now: u64) -> Result<(), Duration> {
        let wait = self.objects.get(object).map_or(0, |history| history.wait(now));
        if wait == 0 { Ok(()) } else { Err(Duration::from_secs(wait)) }
    }

    /// Takes in that an object was put back.
    pub fn repaired(&mut self, object: &ObjectId, deed: Deed, now: u64) {
        let history = self.objects.entry(object.clone()).or_default();
        if history.is_quiet(now) {
            *history = History::default();
        }
        history.repaired(deed, now);
    }

    /// Takes in which objects are not as they should be and were not put back: these, and no others.
    pub fn standing(&mut self, standing: BTreeMap<ObjectId, Standing>, now: u64) {
        for (object, history) in &mut self.objects {
            if !standing.contains_key(object) {
                history.state = State::InPlace;
            }
        }
        for (object, Standing { deed, fault }) in standing {
            let history = self.objects.entry(object).or_default();
            // Who took which field was seen at the last repair; from afar it is only a guess who wrote last.
            let seen = !history.deed.fields.is_empty() && !history.deed.deleted && !deed.deleted;
            if !seen {
                history.deed = deed;
            }
            history.state = fault.map_or(State::Waits, State::Left);
        }
        self.objects.retain(|_, history| !history.is_quiet(now));
    }

    /// What `DriftFree` says. `None` when nothing was seen and the log is younger than its window: what an earlier
    /// operator said may be true still.
    pub fn finding(&self, now: u64) -> Option<Finding> {
        let seen: Vec<_> = self.objects.iter().filter(|(_, history)| !history.is_quiet(now)).collect();
        let contested: Vec<_> = seen.iter().copied().filter(|(_, history)| history.is_contested()).collect();
        if let Some((object, history)) = newest(&contested) {
            return Some(contest(object, history, contested.len()));
        }
        let open: Vec<_> =
            seen.iter().copied().filter(|(_, history)| history.state != State::InPlace).collect();
        if let Some((object, history)) = newest(&open) {
            return Some(left(object, history, open.len()));
        }
        if let Some((object, history)) = newest(&seen) {
            let message = format!("{} and was put back{}", told(object, &history.deed), others(seen.len()));
            return Some(Finding::fails(Reason::Repaired, message));
        }
        (now >= self.since + WINDOW).then(undisturbed)
    }

    /// When the finding changes, or a repair is due, though nothing happens.
    pub fn again(&self, now: u64) -> Option<Duration> {
        let of_object = |history: &History| match &history.state {
            State::Waits => history.wait(now),
            // What keeps it so tells when it is over.
            State::Left(_) => 0,
            State::InPlace => history.last().saturating_add(WINDOW).saturating_sub(now),
        };
        let young = if self.objects.is_empty() { (self.since + WINDOW).saturating_sub(now) } else { 0 };
        let ends = self.objects.values().map(of_object).chain([young]).filter(|seconds| *seconds > 0);
        ends.min().map(Duration::from_secs)
    }
}

/// What `DriftFree` says when the log keeps silent: what it said before, or that nothing was ever seen.
pub fn before(status: Option<&StackStatus>) -> Finding {
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let said = conditions.iter().find(|condition| condition.type_ == ConditionType::DriftFree);
    said.and_then(Finding::said).unwrap_or_else(undisturbed)
}

fn undisturbed() -> Finding {
    Finding::holds(Reason::NoDrift, "nobody else changed an object of the stack")
}

impl History {
    fn last(&self) -> u64 {
        self.times.last().copied().unwrap_or(0)
    }

    /// Nothing was done to it for a whole window.
    fn is_quiet(&self, now: u64) -> bool {
        let over = self.times.last().is_none_or(|last| now >= last.saturating_add(WINDOW));
        self.state == State::InPlace && over
    }

    /// Seconds until it may be put back.
    fn wait(&self, now: u64) -> u64 {
        if self.slowed == 0 || self.is_quiet(now) {
            return 0;
        }
        let wait = FIRST.saturating_mul(1 << (self.slowed - 1).min(20)).min(LONGEST);
        self.last().saturating_add(wait).saturating_sub(now)
    }

    fn repaired(&mut self, deed: Deed, now: u64) {
        self.deed = deed;
        self.state = State::InPlace;
        self.times.push(now);
        let free = FREE as usize;
        if self.times.len() > free {
            self.times.remove(0);
        }
        let burst = self.times.len() == free && self.times.iter().all(|time| time + BURST >= now);
        if self.slowed > 0 || burst {
            self.slowed = self.slowed.saturating_add(1);
        }
    }

    /// Somebody went on after the free repairs.
    fn is_contested(&self) -> bool {
        self.slowed > 1 || (self.slowed == 1 && self.state == State::Waits)
    }
}

/// The object that was put back last; of several at the same time the first by name.
fn newest<'a>(objects: &[(&'a ObjectId, &'a History)]) -> Option<(&'a ObjectId, &'a History)> {
    objects.iter().rev().copied().max_by_key(|(_, history)| history.last())
}

fn contest(object: &ObjectId, history: &History, objects: usize) -> Finding {
    let (ours, deed) = (labels::FIELD_MANAGER, &history.deed);
    let other = deed.manager.as_deref().unwrap_or("somebody");
    let what = if deed.deleted {
        format!("{object}: {other} deletes it and {ours} makes it, again and again")
    } else {
        let fields = if deed.fields.is_empty() { "its fields".to_owned() } else { deed.fields.join(", ") };
        format!("{object}: {other} and {ours} both set {fields}, again and again")
    };
    let message = format!(
        "{what}{}; it is put back less and less often. Leave it out of the other manager's manifest",
        others(objects)
    );
    Finding::fails(Reason::Contested, message)
}

fn left(object: &ObjectId, history: &History, objects: usize) -> Finding {
    let said = format!("{}{} and is not put back yet", told(object, &history.deed), others(objects));
    match &history.state {
        State::Left(fault) => Finding::fails(fault.reason, format!("{said}: {}", fault.message)),
        State::Waits | State::InPlace => Finding::fails(Reason::Contested, said),
    }
}

fn told(object: &ObjectId, deed: &Deed) -> String {
    let what = if deed.deleted { "was deleted" } else { "was changed" };
    let who = deed.manager.as_ref().map(|manager| format!(" by {manager}")).unwrap_or_default();
    let fields =
        if deed.fields.is_empty() { String::new() } else { format!(" ({})", deed.fields.join(", ")) };
    format!("{object}{fields} {what}{who}")
}

fn others(objects: usize) -> String {
    match objects.saturating_sub(1) {
        0 => String::new(),
        1 => " (and 1 more object)".to_owned(),
        more => format!(" (and {more} more objects)"),
    }
}
