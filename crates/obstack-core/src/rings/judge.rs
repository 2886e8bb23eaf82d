//! From a page to a verdict.

use super::{
    Expected, Gossipers, QuorumRule, RingHealth, RingToAsk, Sick, State, Trouble, Verdict, Why,
    page::{self, Heartbeat, Member, Ring},
};

/// Reads the body of a page and says what follows from it.
pub fn read(asked: &RingToAsk, body: &[u8]) -> RingHealth {
    let verdict = match &asked.expected {
        Expected::Gossip(gossipers) => page::gossip(body).map(|names| gossip(gossipers, &names)),
        Expected::Ring { .. } => page::ring(body).map(|ring| judge(&asked.expected, &ring)),
    };
    RingHealth { asked: asked.clone(), verdict: verdict.unwrap_or_else(Verdict::Unknown) }
}

fn judge(expected: &Expected, ring: &Ring) -> Verdict {
    let &Expected::Ring { members: wanted, replication_factor, rule, heartbeat_timeout } = expected else {
        return Verdict::Unknown(Why::OtherPage);
    };
    let silent = |member: &Member| match (member.heartbeat, ring.now, heartbeat_timeout) {
        _ if member.state == State::Unhealthy => true,
        (Heartbeat::Never, _, Some(_)) => true,
        (Heartbeat::At(last), Some(now), Some(timeout)) => {
            u64::try_from(now.saturating_sub(last)).is_ok_and(|age| age > timeout.as_secs())
        }
        // The page has compared the heartbeat itself and says that all is well.
        _ => false,
    };
    let members: Vec<_> = ring.members.iter().filter(|member| member.state != State::Left).collect();
    let mut sick: Vec<_> = members
        .iter()
        .filter(|member| member.state != State::Active || silent(member))
        .map(|member| Sick {
            member: member.id.clone(),
            state: if silent(member) { State::Unhealthy } else { member.state },
        })
        .collect();
    sick.sort();
    let there = number(members.len());
    let active = there - number(sick.len());
    if sick.is_empty() && there >= wanted {
        return Verdict::Healthy { members: there };
    }
    let trouble = Trouble {
        active,
        members: there.max(wanted),
        sick,
        missing: wanted.saturating_sub(there),
        unheard: Vec::new(),
    };
    // What is sharded by zone loses a quorum by zones, and the page does not say whether it is. An empty ring is what
    // a component sees that has not heard the others yet.
    let Some(first) = members.first() else { return Verdict::Unhealthy(trouble) };
    if members.iter().any(|member| member.zone != first.zone) {
        return Verdict::Unhealthy(trouble);
    }
    let mut set = Set::default();
    for member in members.iter().filter(|member| member.tokens != Some(0) && !member.read_only) {
        match member.state {
            State::Active if !silent(member) => set.good += 1,
            state if rule.finds_substitute(state) => set.replaced += 1,
            _ => set.lost += 1,
        }
    }
    match set.worst(rule, replication_factor) {
        Some((left, needed)) => Verdict::QuorumLost { trouble, left, needed },
        None => Verdict::Unhealthy(trouble),
    }
}

impl QuorumRule {
    /// Whether a replica set takes one more member for one in this state.
    ///
    /// A silent member's last state is hidden. It was ACTIVE: Tempo's members take themselves out of the ring when
    /// they leave (`unregister_on_shutdown`), so one that was leaving is there no more.
    fn finds_substitute(self, state: State) -> bool {
        match self {
            Self::Majority | Self::Nothing => false,
            Self::MajorityWithSubstitutes | Self::OneWithSubstitutes => {
                !matches!(state, State::Active | State::Unhealthy)
            }
            Self::OneToRead => state == State::Joining,
        }
    }

    /// Replicas that an operation on a replica set of this size needs; `None` when nothing is ever refused.
    fn needed(self, size: u32) -> Option<u32> {
        match self {
            Self::Majority | Self::MajorityWithSubstitutes => Some(size / 2 + 1),
            Self::OneWithSubstitutes | Self::OneToRead => Some(1),
            Self::Nothing => None,
        }
    }
}

/// The members that hold keys, by what they are good for.
#[derive(Clone, Copy, Debug, Default)]
struct Set {
    /// They serve.
    good: u32,
    /// They do not, and a replica set takes one more for each.
    replaced: u32,
    /// They do not.
    lost: u32,
}

impl Set {
    /// Usable and needed replicas of the keys that are worst off, if these are too few.
    ///
    /// As `findInstancesForKey` and `Filter` do it in dskit's `ring/ring.go` and `ring/replication_strategy.go`. With
    /// hundreds of tokens a member every combination of members holds some key, so each that is possible is looked at.
    fn worst(self, rule: QuorumRule, replication_factor: u32) -> Option<(u32, u32)> {
        let all = self.good.saturating_add(self.replaced).saturating_add(self.lost);
        let mut worst = None;
        for replaced in 0..=self.replaced {
            let size = all.min(replication_factor.saturating_add(replaced));
            let Some(room) = size.checked_sub(replaced) else { continue };
            let lost = self.lost.min(room);
            let left = room - lost;
            if left > self.good {
                continue;
            }
            let needed = rule.needed(size.max(replication_factor))?;
            if left < needed && worst.is_none_or(|(least, _)| left < least) {
                worst = Some((left, needed));
            }
        }
        worst
    }
}

fn gossip(gossipers: &[Gossipers], names: &[String]) -> Verdict {
    // A name is the pod's, and by default eight digits after it (memberlist's `randomize_node_name`).
    let heard = |workload: &str| {
        let of = |name: &&String| name.strip_prefix(workload).is_some_and(|rest| rest.starts_with('-'));
        number(names.iter().filter(of).count())
    };
    let heard: Vec<_> =
        gossipers.iter().map(|workload| (workload.clone(), heard(&workload.workload))).collect();
    let active =
        heard.iter().fold(0, |sum: u32, (workload, heard)| sum.saturating_add(workload.pods.min(*heard)));
    let members = gossipers.iter().fold(0, |sum: u32, workload| sum.saturating_add(workload.pods));
    if active == members {
        return Verdict::Healthy { members };
    }
    let unheard = heard.into_iter().filter(|(workload, heard)| *heard < workload.pods).collect();
    Verdict::Unhealthy(Trouble { active, members, missing: members - active, unheard, ..Trouble::default() })
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
