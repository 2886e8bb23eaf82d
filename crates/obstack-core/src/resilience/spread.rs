//! Where the pods of a component stand: whether a node, or a zone, can go.

use std::collections::{BTreeMap, BTreeSet};

use super::Member;
use crate::live::{Live, NodeFacts};

/// Where more pods stand together than may be lost at once; `None` where that is so nowhere, or nobody knows.
///
/// Nodes count in every cluster, zones in one that has several: elsewhere there is no other zone to go to.
pub(super) fn too_few(member: &Member<'_>, live: &Live) -> Option<String> {
    let nodes = live.nodes.as_deref()?;
    let zone = |node: &NodeFacts| Some(node.zone.clone()).filter(|zone| !zone.is_empty());
    let by_node = crowd(member, |node| Some(node.to_owned()));
    let zones: BTreeSet<_> = nodes.values().filter_map(zone).collect();
    let by_zone = if zones.len() > 1 { crowd(member, |node| zone(nodes.get(node)?)) } else { None };
    let (what, (place, count)) =
        by_node.map(|crowd| ("node", crowd)).or_else(|| by_zone.map(|crowd| ("zone", crowd)))?;
    Some(format!(
        "{count} of {} pods of {} stand on {what} {place}, and {} may be lost at once",
        member.component.desired, member.component.name, member.present
    ))
}

/// The fullest place that holds more ready pods than may be lost, and how many.
fn crowd(member: &Member<'_>, place: impl Fn(&str) -> Option<String>) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for pod in &member.ready {
        if let Some(place) = place(&pod.node) {
            *counts.entry(place).or_default() += 1;
        }
    }
    let may = usize::try_from(member.present).unwrap_or(usize::MAX);
    counts.into_iter().filter(|(_, count)| *count > may).max_by_key(|(_, count)| *count)
}
