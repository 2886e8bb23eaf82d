//! What may interrupt reads or writes, or takes a component away.

use std::collections::{BTreeMap, BTreeSet};

use super::growth;
use crate::{
    assemble::{Plan, PlannedComponent},
    backends::{
        mimir,
        role::{Class, Role},
        tempo,
    },
    inventory::{Inventory, ReleaseFacts},
};

/// Why a change of what is in place is disruptive, in words, in a stable order.
pub(super) fn of(
    before: &Inventory,
    plan: &Plan,
    releases: &BTreeMap<String, ReleaseFacts>,
    restarts: &[String],
) -> Vec<String> {
    let mut reasons = Vec::new();
    for (name, new) in releases {
        if let Some(old) = before.facts.get(name) {
            reasons.extend(of_release(name, old, new));
        }
    }
    let mut planned: Vec<_> = plan.components.iter().collect();
    planned.sort_by(|a, b| a.name.cmp(&b.name));
    reasons.extend(removed(before, &planned));
    for new in planned {
        if let Some(old) = before.components.iter().find(|old| old.name == new.name) {
            reasons.extend(of_component(old, new, restarts.contains(&new.name)));
        }
    }
    reasons
}

fn of_release(name: &str, old: &ReleaseFacts, new: &ReleaseFacts) -> Vec<String> {
    let mut reasons = Vec::new();
    if major(&old.version) != major(&new.version) {
        let (chart, from, to) = (&new.chart, &old.version, &new.version);
        reasons.push(format!("release {name} goes from {chart} {from} to {to}, another major version"));
    }
    if let (Some(from), Some(to)) = (old.replication_factor, new.replication_factor)
        && from != to
    {
        reasons.push(format!("the replication factor of release {name} goes from {from} to {to}"));
    }
    reasons
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

/// Components that go, a backend that goes as a whole in one line.
fn removed(before: &Inventory, planned: &[&PlannedComponent]) -> Vec<String> {
    let stays = |signal: &str| planned.iter().any(|new| signal_of(&new.name) == signal);
    let gone: BTreeSet<&str> = before
        .components
        .iter()
        .map(|old| old.name.as_str())
        .filter(|name| planned.iter().all(|new| new.name != *name))
        .collect();
    let signals: BTreeSet<&str> =
        gone.iter().map(|name| signal_of(name)).filter(|signal| !stays(signal)).collect();
    let backends = signals
        .iter()
        .map(|signal| format!("the backend of {signal} is removed; its claims and buckets stay"));
    let single = gone.iter().filter(|name| stays(signal_of(name)));
    backends.chain(single.map(|name| format!("{name} is removed"))).collect()
}

fn of_component(old: &PlannedComponent, new: &PlannedComponent, restarted: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    let name = &new.name;
    if class(new).bears_memory_limit() && new.desired < old.desired {
        reasons.push(format!("{name} goes from {} to {} pods", old.desired, new.desired));
    }
    if restarted && (old.desired == 1 || new.desired == 1) {
        let served = serves(name).map(|what| {
            let signal = signal_of(name);
            format!("the only pod of {name} is replaced: {what} of {signal} may stand still meanwhile")
        });
        reasons.extend(served);
    }
    for grown in growth(&old.need.claims, &new.need.claims) {
        reasons.push(format!(
            "{} is made anew, under its running pods, so that its claims {} grow from {} to {}",
            new.workload,
            grown.template,
            grown.from.storage(),
            grown.to.storage()
        ));
    }
    reasons
}

fn signal_of(component: &str) -> &str {
    component.split('.').next().unwrap_or_default()
}

/// How the resource policy treats a component. Inventories of earlier versions do not say it, the role does.
fn class(component: &PlannedComponent) -> Class {
    if component.class.bears_memory_limit() {
        return component.class;
    }
    role(&component.name).map_or(component.class, |role| role.class)
}

fn role(component: &str) -> Option<&'static Role> {
    let (_, key) = component.split_once('.')?;
    [tempo::MONOLITHIC, tempo::DISTRIBUTED, mimir::ROLES].into_iter().flatten().find(|role| role.key == key)
}

/// What stands still while a component has no pod; `None` for one that works in the background.
fn serves(component: &str) -> Option<&'static str> {
    match component.split_once('.')?.1 {
        "singleBinary" | "ingester" | "gateway" => Some("writes and reads"),
        "distributor" => Some("writes"),
        "querier" | "queryFrontend" | "queryScheduler" | "storeGateway" => Some("reads"),
        _ => None,
    }
}
