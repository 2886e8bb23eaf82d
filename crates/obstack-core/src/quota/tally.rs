//! What is asked, held against every quota.

use obstack_api::{CpuLimits, MemoryLimits};

use super::{
    QuotaLine, QuotaWish, Room,
    charge::{Charge, Charges, What},
    usage::{self, MUST_BE_STATED, Stated},
};
use crate::{
    limit_range::SetByRange,
    live::QuotaFacts,
    need::{ContainerNeed, PodNeed},
    quantity::Amount,
};

/// One resource of one quota.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Name of the quota.
    pub(super) quota: &'a str,
    /// The resource, as the quota names it.
    pub(super) resource: &'a str,
    /// What it allows.
    pub(super) hard: Amount,
    /// What is used of it; `None` before it was counted for the first time.
    pub(super) used: Option<Amount>,
    /// What is needed for what does not run yet.
    pub(super) needs: Amount,
    /// What the stack holds of it already.
    pub(super) held: Amount,
    /// What the whole stack needs.
    pub(super) whole: Amount,
}

impl Line<'_> {
    /// What is left.
    pub(super) fn free(&self) -> Amount {
        self.used.map_or(Amount::ZERO, |used| self.hard.minus(used))
    }

    /// The stack uses it, now or later.
    pub(super) fn concerns(&self) -> bool {
        self.whole > Amount::ZERO || self.needs > Amount::ZERO
    }

    /// What is missing.
    pub(super) fn shortfall(&self) -> Amount {
        self.needs.minus(self.free())
    }

    /// What does not run yet does not fit.
    pub(super) fn is_short(&self) -> bool {
        self.used.is_some() && self.needs > self.free()
    }

    /// Nobody has counted yet: until then the API server refuses all that falls under it ("status unknown").
    pub(super) fn is_uncounted(&self) -> bool {
        self.used.is_none() && self.needs > Amount::ZERO
    }

    /// The amount to ask for: used, needed and reserved together, with headroom, rounded up; never less than now.
    pub(super) fn suggestion(&self, wish: &QuotaWish) -> Amount {
        let used = self.used.unwrap_or_default();
        let needed = used + self.needs + wish.reserved_of(self.resource);
        wish.to_ask_for(self.resource, needed, self.hard)
    }

    /// As it is told to who writes tables.
    pub(super) fn told(&self) -> QuotaLine {
        QuotaLine {
            quota: self.quota.to_owned(),
            resource: self.resource.to_owned(),
            hard: self.hard,
            used: self.used,
            needs: self.needs,
            whole: self.whole,
        }
    }
}

/// The three that people ask quotas for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Third {
    Cpu,
    Memory,
    Storage,
}

impl Third {
    /// All, in the order in which they are said.
    pub(super) const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Storage];

    /// Which of them a quota's resource is, if it is one.
    pub(super) fn of(resource: &str) -> Option<Self> {
        match resource {
            "cpu" | "requests.cpu" => Some(Self::Cpu),
            "memory" | "requests.memory" => Some(Self::Memory),
            "requests.storage" => Some(Self::Storage),
            _ => None,
        }
    }

    /// As pods and claims name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Storage => "storage",
        }
    }

    /// Its part.
    pub(super) fn in_room(self, room: Room) -> Amount {
        match self {
            Self::Cpu => room.cpu,
            Self::Memory => room.memory,
            Self::Storage => room.storage,
        }
    }
}

/// Every resource of every quota: CPU, memory and storage first, then by name; the quotas by name.
pub(super) fn lines<'a>(quotas: &'a [QuotaFacts], charges: &[Charge]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for quota in quotas {
        let under: Vec<_> = charges.iter().filter(|charge| in_scope(quota, &charge.what)).collect();
        for (resource, hard) in &quota.hard {
            let sum = |part: fn(&Charge) -> &usage::Usage| {
                under.iter().map(|charge| usage::of(part(charge), resource)).sum::<Amount>()
            };
            lines.push(Line {
                quota: &quota.name,
                resource,
                hard: *hard,
                used: quota.used.get(resource).copied(),
                needs: sum(|charge| &charge.needs),
                held: sum(|charge| &charge.held),
                whole: sum(|charge| &charge.whole),
            });
        }
    }
    let rank = |line: &Line<'_>| Third::of(line.resource).map_or(Third::ALL.len(), |third| third as usize);
    lines.sort_by(|a, b| (a.quota, rank(a), a.resource).cmp(&(b.quota, rank(b), b.resource)));
    lines
}

fn in_scope(quota: &QuotaFacts, what: &What) -> bool {
    match what {
        What::Pods(need) => usage::pod_in_scope(&quota.scopes, need),
        What::Claims(attributes_class) => usage::claim_in_scope(&quota.scopes, attributes_class.as_deref()),
        What::Objects => quota.scopes.is_empty(),
    }
}

/// The quota that leaves the least, of those that count one of the three and that the stack falls under.
pub(super) fn tightest<'a, 'b>(lines: &'b [Line<'a>], third: Third) -> Option<&'b Line<'a>> {
    let of_third = lines.iter().filter(|line| Third::of(line.resource) == Some(third) && line.concerns());
    of_third.min_by_key(|line| {
        let short = std::cmp::Reverse(line.needs.minus(line.free()));
        (short, line.free().minus(line.needs), line.quota, line.resource)
    })
}

/// Why pods are refused, or changed, whatever is free.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Obstacle {
    /// What it is.
    pub(super) kind: ObstacleKind,
    /// In words, with the quota or range first.
    pub(super) what: String,
    /// Component and container that it meets.
    pub(super) whom: Vec<String>,
    /// Quota and resource that a container does not state.
    pub(super) unstated: Option<(String, String)>,
}

/// What an obstacle is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ObstacleKind {
    /// A quota counts CPU limits, and a container has none: the pod is refused.
    CpuLimitUnset,
    /// A range refuses a pod or claim.
    Refused,
    /// A quota counts something else that a container does not state: the pod is refused.
    Unset,
    /// A range sets a limit that the policy does not want: the pod is let in.
    Changed,
}

/// Obstacles for all that is to start, the worst first, each once with all whom it meets.
pub(super) fn obstacles(wish: &QuotaWish, quotas: &[QuotaFacts], charges: &Charges<'_>) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for start in &charges.starts {
        let name = &start.component.name;
        let refused = start.admitted.iter().filter_map(|admitted| admitted.refused.as_ref());
        for words in refused.chain(&start.claim_refused) {
            found.push(Obstacle::new(ObstacleKind::Refused, words.clone(), name.clone()));
        }
        let Some(admitted) = &start.admitted else { continue };
        for quota in quotas.iter().filter(|quota| usage::pod_in_scope(&quota.scopes, &admitted.need)) {
            found.extend(unstated(quota, name, &admitted.need));
        }
        let bears_limit = start.component.class.bears_memory_limit();
        found.extend(admitted.set.iter().filter_map(|set| unwanted(wish, bears_limit, name, set)));
    }
    let mut obstacles: Vec<Obstacle> = Vec::new();
    for one in found {
        match obstacles.iter_mut().find(|known| known.kind == one.kind && known.what == one.what) {
            Some(known) => known.whom.extend(one.whom),
            None => obstacles.push(one),
        }
    }
    obstacles.sort();
    obstacles
}

impl Obstacle {
    fn new(kind: ObstacleKind, what: String, whom: String) -> Self {
        Self { kind, what, whom: vec![whom], unstated: None }
    }
}

/// What a quota counts and a container does not state (`enforcePodContainerConstraints`).
fn unstated(quota: &QuotaFacts, component: &str, need: &PodNeed) -> Vec<Obstacle> {
    let mut found = Vec::new();
    // A pod that states something as a whole is not asked for its containers.
    if need.has_pod_resources() {
        return found;
    }
    for (counted, stated, resource) in MUST_BE_STATED {
        if !quota.hard.contains_key(*counted) {
            continue;
        }
        let states = |container: &&ContainerNeed| match stated {
            Stated::Request => container.requests.contains_key(*resource),
            Stated::Limit => container.limits.contains_key(*resource),
        };
        let kind = if *counted == "limits.cpu" { ObstacleKind::CpuLimitUnset } else { ObstacleKind::Unset };
        for container in need.containers.iter().filter(|container| !states(container)) {
            let what = format!(
                "ResourceQuota {} counts {counted}, \
                 so the API server refuses pods with a container that does not state it",
                quota.name
            );
            let whom = format!("{component} (container {})", container.name);
            let unstated = Some((quota.name.clone(), (*counted).to_owned()));
            found.push(Obstacle { unstated, ..Obstacle::new(kind, what, whom) });
        }
    }
    found
}

/// A limit that a range sets and the policy does not want.
fn unwanted(wish: &QuotaWish, bears_limit: bool, component: &str, set: &SetByRange) -> Option<Obstacle> {
    let strict = wish.policy.memory_limits == MemoryLimits::IngestersAndStoreGateways;
    let unwanted = match set.what.as_str() {
        "limits.cpu" => wish.policy.cpu_limits == CpuLimits::Forbid,
        "limits.memory" => strict && !bears_limit,
        _ => false,
    };
    let amount = set.amount.of_resource(&set.what);
    let what = format!("LimitRange {} sets {}={amount}, which the resource policy forbids", set.by, set.what);
    let whom = format!("{component} (container {})", set.container);
    unwanted.then(|| Obstacle::new(ObstacleKind::Changed, what, whom))
}
