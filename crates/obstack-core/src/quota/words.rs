//! What is said about quotas. The same facts give the same words.

use std::collections::BTreeSet;

use obstack_api::Preflight as Mode;

use super::{
    Look,
    tally::{Line, Obstacle, ObstacleKind, Third, tightest},
};
use crate::{
    live::Live,
    quantity::{Amount, ResourceKind},
};

/// Most entries of a list in a message.
const MOST: usize = 8;

/// All that does not run yet fits.
pub(super) fn fits(look: &Look<'_>) -> String {
    let room = look.required;
    let quotas: BTreeSet<_> =
        look.lines.iter().filter(|line| line.concerns()).map(|line| line.quota).collect();
    if quotas.is_empty() {
        return "no ResourceQuota counts what the stack needs".to_owned();
    }
    format!(
        "the stack requests {} CPU, {} memory and {} of volumes; \
         what of it does not run yet fits into ResourceQuota {}",
        room.cpu.cpu(),
        room.memory.bytes(),
        room.storage.bytes(),
        list(quotas.into_iter().map(str::to_owned).collect())
    )
}

/// Something could not be read, or was not counted yet.
pub(super) fn unseen(look: &Look<'_>) -> String {
    let mut unseen: Vec<_> = look.unseen.iter().map(|what| (*what).to_owned()).collect();
    let uncounted: BTreeSet<_> = look.uncounted().map(|line| line.quota).collect();
    unseen.extend(uncounted.into_iter().map(|quota| format!("ResourceQuota {quota} is not counted yet")));
    format!("nobody knows whether the stack fits: {}", unseen.join("; "))
}

/// Something is refused or changed.
pub(super) fn obstructed(look: &Look<'_>, live: &Live) -> String {
    let mut parts = Vec::new();
    let short: Vec<_> = look.short().collect();
    if !short.is_empty() {
        let needs = |line: &Line<'_>| {
            let say = |amount: Amount| amount.of_resource(line.resource);
            format!("{} needs {}, {} free", line.resource, say(line.needs), say(line.free()))
        };
        parts.push(by_quota(&short, "; ", "; ", needs));
    }
    parts.extend(look.obstacles.iter().take(MOST).map(obstacle));
    if look.obstacles.len() > MOST {
        parts.push(format!("and {} more of this kind", look.obstacles.len() - MOST));
    }
    if live.claims.is_none() && short.iter().any(|line| counts_claims(line.resource)) {
        parts.push(
            "volume claims may not be read, so those of pods that do not exist count as new".to_owned(),
        );
    }
    let kinds: BTreeSet<_> = look.obstacles.iter().map(|obstacle| obstacle.kind).collect();
    parts.extend(kinds.into_iter().map(fix).map(str::to_owned));
    if !short.is_empty() {
        let quotas: BTreeSet<_> = short.iter().map(|line| line.quota).collect();
        let more = |line: &&Line<'_>| line.suggestion(look.wish) > line.hard;
        let asked = |line: &&Line<'_>| line.is_short() || Third::of(line.resource).is_some();
        let lines: Vec<_> =
            look.lines.iter().filter(|line| quotas.contains(line.quota)).filter(asked).filter(more).collect();
        let ask = |line: &Line<'_>| {
            format!("{}={}", line.resource, line.suggestion(look.wish).of_resource(line.resource))
        };
        parts.push(format!("ask for {}", by_quota(&lines, " ", ", ", ask)));
    }
    let parts = parts.join("; ");
    if look.stops() { format!("{}: {parts}", lead(look, live)) } else { parts }
}

/// What follows from a refusal. It must be true whether or not the pods were tried meanwhile.
fn lead(look: &Look<'_>, live: &Live) -> &'static str {
    let runs = !live.pods.is_empty() || !live.workloads.is_empty();
    match look.wish.preflight {
        Mode::Enforce if runs => "nothing was changed",
        Mode::Enforce => "nothing was started",
        Mode::Warn | Mode::Off => "not everything can start",
    }
}

/// Lines quota by quota, each with the quota's name behind its own.
fn by_quota(lines: &[&Line<'_>], within: &str, between: &str, say: impl Fn(&Line<'_>) -> String) -> String {
    let quotas: BTreeSet<_> = lines.iter().map(|line| line.quota).collect();
    let group = |quota: &str| {
        let own: Vec<_> = lines.iter().filter(|line| line.quota == quota).collect();
        let mut said: Vec<_> = own.iter().take(MOST).map(|line| say(line)).collect();
        if own.len() > MOST {
            said.push(format!("and {} more", own.len() - MOST));
        }
        format!("{} (ResourceQuota {quota})", said.join(within))
    };
    let mut groups: Vec<_> = quotas.iter().take(MOST).map(|quota| group(quota)).collect();
    if quotas.len() > MOST {
        groups.push(format!("and {} more quotas", quotas.len() - MOST));
    }
    groups.join(between)
}

fn obstacle(obstacle: &Obstacle) -> String {
    let whom = list(obstacle.whom.clone());
    match obstacle.kind {
        ObstacleKind::Refused => format!("{whom}: {}", obstacle.what),
        _ => format!("{}: {whom}", obstacle.what),
    }
}

fn fix(kind: ObstacleKind) -> &'static str {
    match kind {
        ObstacleKind::CpuLimitUnset => {
            "take limits.cpu out of the quota, or give it a scope that leaves these pods out"
        }
        ObstacleKind::Refused => "change what these components request, or the LimitRange",
        ObstacleKind::Unset => "state it for these components, or take it out of the quota",
        ObstacleKind::Changed => "take the default and the max of that resource out of the LimitRange",
    }
}

/// In a few words, for tables.
pub(super) fn summary(look: &Look<'_>, readable: bool) -> String {
    let label = |line: &Line<'_>| match Third::of(line.resource) {
        Some(third) => third.name().to_owned(),
        None => line.resource.to_owned(),
    };
    // What is asked for most comes first: CPU before memory before the rest, whichever quota counts it.
    let rank = |line: &&Line<'_>| (Third::of(line.resource).is_none(), Third::of(line.resource));
    if look.meets(ObstacleKind::CpuLimitUnset) {
        return "limits.cpu required".to_owned();
    }
    if let Some(line) = look.short().min_by_key(rank) {
        let say = |amount: Amount| amount.of_resource(line.resource);
        return format!("{} {} > {}", label(line), say(line.needs), say(line.free()));
    }
    if look.stops() && !look.obstacles.is_empty() {
        return if look.meets(ObstacleKind::Refused) { "refused by a LimitRange" } else { "not stated" }
            .to_owned();
    }
    if !readable || look.uncounted().next().is_some() {
        return "unknown".to_owned();
    }
    let of_three = Third::ALL.into_iter().find_map(|third| tightest(&look.lines, third));
    let Some(line) = of_three.or_else(|| look.lines.iter().find(|line| line.concerns())) else {
        return "no quota".to_owned();
    };
    // Of what others leave: that stays the same while the stack starts.
    let (whole, left) = (line.whole.max(line.held), line.free() + line.held);
    format!("{} {}/{}", label(line), whole.of_resource(line.resource), left.of_resource(line.resource))
}

/// Whether a resource of a quota counts volume claims.
fn counts_claims(resource: &str) -> bool {
    let storage = ResourceKind::of(resource) == ResourceKind::Storage && !resource.contains("ephemeral");
    storage || resource.ends_with("persistentvolumeclaims")
}

fn list(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
