//! What is said of a ring. No ages and no times: an unchanged ring says the same again.

use std::time::Duration;

use super::{Expected, QuorumRule, RingHealth, RingToAsk, Sick, State, Trouble, Verdict, Why};

/// Names that a message lists; the rest is counted.
const LISTED: usize = 3;

pub(super) fn message(health: &RingHealth) -> String {
    let asked = &health.asked;
    let what = match asked.expected {
        Expected::Ring { .. } => format!("ring of {}", asked.component),
        Expected::Gossip(_) => format!("gossip of {}", asked.component),
    };
    match &health.verdict {
        Verdict::Healthy { members: 1 } => format!("{what}: its one member is active"),
        Verdict::Healthy { members } => format!("{what}: {members} members are active"),
        Verdict::Unhealthy(trouble) => {
            format!("{what}: {}. {}", members(asked, trouble), fix(asked, trouble))
        }
        Verdict::QuorumLost { trouble, left, needed } => format!(
            "{what}: {}, so {}. {}",
            members(asked, trouble),
            refused(asked, *left, *needed),
            fix(asked, trouble)
        ),
        Verdict::Unknown(why) => format!("{what} is not known: {}", unread(asked, why)),
    }
}

fn members(asked: &RingToAsk, trouble: &Trouble) -> String {
    let mut parts: Vec<_> = trouble
        .sick
        .iter()
        .take(LISTED)
        .map(|sick| format!("{} {}", sick.member, state(asked, sick)))
        .collect();
    let workload = |(workload, heard): &(super::Gossipers, u32)| {
        format!("{} has {heard} of {} pods in it", workload.workload, workload.pods)
    };
    parts.extend(trouble.unheard.iter().map(workload));
    if trouble.sick.len() > LISTED {
        parts.push(format!("{} more are not active", trouble.sick.len() - LISTED));
    }
    if trouble.unheard.is_empty() && trouble.missing > 0 {
        parts.push(format!("{} of the expected are not in it", trouble.missing));
    }
    format!("{} of {} members are active: {}", trouble.active, trouble.members, parts.join(", "))
}

fn state(asked: &RingToAsk, sick: &Sick) -> String {
    match (sick.state, &asked.expected) {
        (State::Unhealthy, Expected::Ring { heartbeat_timeout: Some(timeout), .. }) => {
            format!("is silent for longer than {}", duration(*timeout))
        }
        (State::Unhealthy, _) => "is silent for longer than the heartbeat timeout".to_owned(),
        (State::Active, _) => "is ACTIVE".to_owned(),
        (State::Leaving, _) => "is LEAVING".to_owned(),
        (State::Pending, _) => "is PENDING".to_owned(),
        (State::Joining, _) => "is JOINING".to_owned(),
        (State::Left, _) => "has LEFT".to_owned(),
        (State::Other, _) => "is in a state that is not known here".to_owned(),
    }
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds > 0 && seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}

fn refused(asked: &RingToAsk, left: u32, needed: u32) -> String {
    let operation = match asked.expected {
        Expected::Ring { rule: QuorumRule::OneToRead, .. } => "queries of older data",
        _ => "writes",
    };
    format!("{operation} are refused where {left} of {needed} needed replicas are left")
}

fn fix(asked: &RingToAsk, trouble: &Trouble) -> String {
    let stays = |sick: &Sick| !matches!(sick.state, State::Joining | State::Pending);
    if !trouble.unheard.is_empty() {
        return "The others do not hear its pods: see whether they answer, and whether pods of the namespace reach \
                each other on port 7946"
            .to_owned();
    }
    if trouble.sick.iter().any(stays) {
        return format!(
            "Bring the pods back. A member that is gone for good is forgotten on the page {} of Service {}",
            asked.path, asked.service
        );
    }
    if trouble.sick.is_empty() {
        return "See whether their pods run, and whether pods of the namespace reach each other on port 7946"
            .to_owned();
    }
    "A member becomes active when its pod has started: see the pod's log if it does not".to_owned()
}

fn unread(asked: &RingToAsk, why: &Why) -> String {
    let service = format!("Service {} port {}", asked.service, asked.port);
    match why {
        Why::TimedOut => format!(
            "{service} did not answer in time. Do its pods answer, does a NetworkPolicy let the operator through?"
        ),
        Why::Unreachable { cause } => format!(
            "{service} was not reached ({cause}). Are its pods ready, does a NetworkPolicy let the operator through?"
        ),
        Why::Forbidden => format!(
            "asking {service} is forbidden (403). Allow the operator `get` on services/proxy in namespace {}",
            asked.namespace
        ),
        Why::Answered { status } => {
            format!("{service} answered {status} to GET {}. Are its pods ready?", asked.path)
        }
        Why::TooLarge => format!("{service} answered more than is read of GET {}", asked.path),
        Why::Truncated => format!("{service} answered GET {} with half a page", asked.path),
        Why::NotJson => format!(
            "{service} did not answer GET {} with JSON, as a component does that is starting",
            asked.path
        ),
        Why::OtherPage => format!("{service} answered GET {} with another page than expected", asked.path),
    }
}
