//! The quota preflight: whether what does not run yet fits into the namespace's `ResourceQuota`s, and what its
//! `LimitRange`s make of it. Looked at before anything starts, because a refusal at admission shows in no object of
//! the user's, and half a stack may run by then.
//!
//! Counted: pods, volume claims, the kinds that the operator applies, and the revisions that controllers keep of
//! workloads. Not counted: `Endpoints`, `EndpointSlice`s, events, and what other controllers make.
//!
//! What already runs asks for nothing, so the finding of a stack that runs does not move.

mod charge;
mod report;
mod tally;
mod usage;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::{Preflight as Mode, QuotaStatus, Reason, ResourcePolicy};

use self::{
    charge::Charges,
    tally::{Line, Obstacle, ObstacleKind},
};
use crate::{
    assemble::{Plan, PlannedComponent},
    changes::Changes,
    conclude::Fault,
    finding::Finding,
    live::Live,
    objects::Kind,
    quantity::{Amount, ResourceKind},
};

/// `spec.quota`, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaWish {
    /// What happens when the stack does not fit.
    pub preflight: Mode,
    /// Share of the quota asked for that stays free, in percent, 0 to 90.
    pub headroom_percent: u32,
    /// What the quota asked for is rounded up to.
    pub round_up_to: Room,
    /// What is to come besides this stack; `None` when nothing is.
    pub reserved: Option<Room>,
    /// Which limits the stack's pods may have, whoever sets them.
    pub policy: ResourcePolicy,
}

/// CPU, memory and storage that pods and claims request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// CPU.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
    /// Volume claims.
    pub storage: Amount,
}

/// What the preflight found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preflight {
    /// The condition `QuotaSatisfied`; `None` when nobody is to look.
    pub finding: Option<Finding>,
    /// Why nothing may be started or changed: only under `Enforce`, and only when something of the stack would be
    /// refused. What cannot be read stops nobody.
    pub blocked: Option<Fault>,
    /// The numbers; `None` when nobody is to look.
    pub status: Option<QuotaStatus>,
    /// In a few words, such as `cpu 2720m > 1370m`; empty when nobody is to look.
    pub summary: String,
    /// Every resource of every quota: CPU, memory and storage first; the quotas by name.
    pub lines: Vec<QuotaLine>,
}

/// What is asked of one resource of one quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaLine {
    /// Name of the quota.
    pub quota: String,
    /// The resource, as the quota names it.
    pub resource: String,
    /// What it allows.
    pub hard: Amount,
    /// What is used of it; `None` before it was counted for the first time.
    pub used: Option<Amount>,
    /// What is needed for what does not run yet.
    pub needs: Amount,
    /// What the whole stack needs.
    pub whole: Amount,
}

impl QuotaWish {
    /// What is reserved of a resource, as quotas name it.
    pub fn reserved_of(&self, resource: &str) -> Amount {
        let reserved = self.reserved.unwrap_or_default();
        tally::Third::of(resource).map_or(Amount::ZERO, |third| third.in_room(reserved))
    }

    /// The amount to ask for where so much is needed in all, what is reserved included: with headroom, rounded up;
    /// never less than is allowed now.
    pub fn to_ask_for(&self, resource: &str, needed: Amount, hard: Amount) -> Amount {
        let step = match ResourceKind::of(resource) {
            ResourceKind::Cpu => self.round_up_to.cpu,
            ResourceKind::Memory => self.round_up_to.memory,
            ResourceKind::Storage => self.round_up_to.storage,
            ResourceKind::Count => Amount::count(1),
        };
        needed.with_headroom(self.headroom_percent).round_up_to(step).max(hard)
    }
}

/// Holds what does not run yet against the quotas and limit ranges of the namespace.
///
/// `rolling` names the components whose pods are about to be replaced because their template changes: they need room
/// for their surge and for what the new pods request more. `new_objects` counts the objects that do not exist yet,
/// by kind.
///
/// The reason is the worst: `QuotaRequiresCPULimits`, then `LimitRangeConflict` for a refusal, `InsufficientQuota`
/// (also for `limits.memory` and requests that a quota wants stated and a container does not), `LimitRangeConflict`
/// for limits that a range adds against the policy, which stops nothing, and `QuotaUnreadable`.
pub fn preflight(
    wish: &QuotaWish,
    components: &[PlannedComponent],
    rolling: &BTreeSet<String>,
    new_objects: &BTreeMap<Kind, u32>,
    live: &Live,
) -> Preflight {
    if wish.preflight == Mode::Off {
        return Preflight::default();
    }
    let charges = Charges::of(components, rolling, new_objects, live);
    let quotas = live.quotas.as_deref().unwrap_or_default();
    let lines = tally::lines(quotas, &charges.list);
    let obstacles = tally::obstacles(wish, quotas, &charges);
    let look =
        Look { wish, lines, obstacles, unseen: unseen(&charges, live), required: report::required(&charges) };
    let finding = look.finding(live);
    let blocked = look.stops() && wish.preflight == Mode::Enforce;
    Preflight {
        blocked: blocked.then(|| Fault { reason: Reason::QuotaExceeded, message: finding.message.clone() }),
        status: Some(report::status(&look)),
        summary: words::summary(&look, live.quotas.is_some()),
        lines: look.lines.iter().map(Line::told).collect(),
        finding: Some(finding),
    }
}

/// Holds what a change of what is in place needs against the quotas and limit ranges of the namespace.
pub fn preflight_of(wish: &QuotaWish, plan: &Plan, changes: &Changes, live: &Live) -> Preflight {
    let mut new_objects = BTreeMap::new();
    for object in &changes.created {
        *new_objects.entry(object.kind).or_insert(0) += 1;
    }
    let rolling = changes.restarts.iter().cloned().collect();
    preflight(wish, &plan.components, &rolling, &new_objects, live)
}

/// All that was seen.
struct Look<'a> {
    wish: &'a QuotaWish,
    lines: Vec<Line<'a>>,
    obstacles: Vec<Obstacle>,
    /// What could not be read, in words.
    unseen: Vec<&'static str>,
    required: Room,
}

impl<'a> Look<'a> {
    fn short(&self) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(|line| line.is_short())
    }

    fn uncounted(&self) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(|line| line.is_uncounted())
    }

    fn meets(&self, kind: ObstacleKind) -> bool {
        self.obstacles.iter().any(|obstacle| obstacle.kind == kind)
    }

    /// The API server would refuse something.
    fn stops(&self) -> bool {
        let refused = self.obstacles.iter().any(|obstacle| obstacle.kind != ObstacleKind::Changed);
        refused || self.short().next().is_some() || self.uncounted().next().is_some()
    }

    fn finding(&self, live: &Live) -> Finding {
        let insufficient = self.short().next().is_some() || self.meets(ObstacleKind::Unset);
        let reason = if self.meets(ObstacleKind::CpuLimitUnset) {
            Reason::QuotaRequiresCPULimits
        } else if self.meets(ObstacleKind::Refused) {
            Reason::LimitRangeConflict
        } else if insufficient {
            Reason::InsufficientQuota
        } else if self.meets(ObstacleKind::Changed) {
            Reason::LimitRangeConflict
        } else if !self.unseen.is_empty() || self.uncounted().next().is_some() {
            return Finding::unknown(Reason::QuotaUnreadable, words::unseen(self));
        } else {
            return Finding::holds(Reason::QuotaFits, words::fits(self));
        };
        Finding::fails(reason, words::obstructed(self, live))
    }
}

/// What could not be read and could change the answer.
fn unseen(charges: &Charges<'_>, live: &Live) -> Vec<&'static str> {
    let by_class = |quota: &crate::live::QuotaFacts| {
        quota.hard.keys().any(|resource| resource.contains(".storageclass.storage.k8s.io/"))
    };
    let mut unseen = Vec::new();
    if live.quotas.is_none() {
        unseen.push("the operator may not read ResourceQuotas");
    }
    if live.limit_ranges.is_none() {
        unseen.push("the operator may not read LimitRanges");
    }
    if charges.class_unknown && live.quotas.as_deref().unwrap_or_default().iter().any(by_class) {
        unseen.push(if live.classes.is_none() {
            "a ResourceQuota counts by storage class, and the operator may not read which is the default"
        } else {
            "a ResourceQuota counts by storage class, and several classes are the default"
        });
    }
    unseen
}
