//! The numbers for the status.

use obstack_api::{QuotaAmounts, QuotaBlocker, QuotaStatus};

use super::{
    Look, Room,
    charge::Charges,
    tally::{Line, Third, tightest},
    usage,
};
use crate::quantity::Amount;

/// Most entries of a list in a status.
const MOST_BLOCKERS: usize = 50;

/// What the whole stack requests.
pub(super) fn required(charges: &Charges<'_>) -> Room {
    let sum = |resource| charges.list.iter().map(|charge| usage::of(&charge.whole, resource)).sum();
    Room { cpu: sum("requests.cpu"), memory: sum("requests.memory"), storage: sum("requests.storage") }
}

/// How the stack fits, in numbers.
pub(super) fn status(look: &Look<'_>) -> QuotaStatus {
    let counted = |third| tightest(&look.lines, third).filter(|line| line.used.is_some());
    let suggestion = |line: &Line<'_>| Some(line.suggestion(look.wish));
    let more_to_ask =
        Third::ALL.into_iter().filter_map(counted).any(|line| line.suggestion(look.wish) > line.hard);
    let written = |room: Room| amounts(|third| Some(third.in_room(room))).unwrap_or_default();
    QuotaStatus {
        required: written(look.required),
        reserved: look.wish.reserved.map(written),
        hard: amounts(|third| counted(third).map(|line| line.hard)),
        used: amounts(|third| counted(third).and_then(|line| line.used)),
        shortfall: amounts(|third| counted(third).map(Line::shortfall).filter(|short| *short > Amount::ZERO)),
        suggested_hard: amounts(|third| counted(third).and_then(suggestion)).filter(|_| more_to_ask),
        blockers: blockers(look),
    }
}

fn amounts(of: impl Fn(Third) -> Option<Amount>) -> Option<QuotaAmounts> {
    let write = |third: Third| of(third).map(|amount| amount.of_resource(third.name()));
    let amounts =
        QuotaAmounts { cpu: write(Third::Cpu), memory: write(Third::Memory), storage: write(Third::Storage) };
    (amounts != QuotaAmounts::default()).then_some(amounts)
}

/// Each quota and resource that something does not fit into, or that containers do not state.
fn blockers(look: &Look<'_>) -> Vec<QuotaBlocker> {
    let unstated = |line: &Line<'_>| {
        let names = Some((line.quota.to_owned(), line.resource.to_owned()));
        look.obstacles.iter().any(|obstacle| obstacle.unstated == names)
    };
    let blocker = |line: &Line<'_>| {
        let needs = if line.is_short() {
            line.needs.of_resource(line.resource)
        } else if unstated(line) {
            "stated by every container".to_owned()
        } else {
            return None;
        };
        let free = line.free().of_resource(line.resource);
        Some(QuotaBlocker { quota: line.quota.to_owned(), resource: line.resource.to_owned(), needs, free })
    };
    look.lines.iter().filter_map(blocker).take(MOST_BLOCKERS).collect()
}
