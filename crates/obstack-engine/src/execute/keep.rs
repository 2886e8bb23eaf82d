//! Keeping in place what is there: putting back what somebody changed or deleted, and nothing of a change that waits.
//!
//! An object is put back with the body that was applied last, known by its hash. It is found in the plan that is in
//! place; while a change waits, in the plan that waits, where the change leaves the object as it is; and otherwise in
//! the plan from before the change, for as long as it is in memory. The spec that this plan came from is gone, so after
//! a restart of the operator it cannot be made again: such an object stays as it is, and `DriftFree` says so, until the
//! change is carried out.

use std::{collections::BTreeSet, sync::Arc};

use obstack_api::Reason;
use obstack_core::{
    assemble::{Plan, PlannedObject},
    conclude::{Applied, Fault},
    inventory::Inventory,
    objects::ObjectId,
};

use super::{
    Held, Outcome, remember, remembered,
    waves::{Target, Waves},
};
use crate::cluster::{ClusterError, inventory::Stored};

/// Keeps in place what is there.
pub(super) async fn keep(
    mut work: Waves<'_>,
    stored: Arc<Stored>,
    held: Held,
) -> Result<Outcome, ClusterError> {
    let Held { applied, plan, told } = held;
    let inventory = &stored.inventory;
    let in_place = applied == Applied::All;
    let known = if work.drifts.due.is_empty() { Vec::new() } else { remembered(work.ctx, work.key) };
    let sources = Sources { plan: plan.as_deref(), in_place, known: &known };
    if inventory.input.is_empty() {
        // A change was begun: what is not as the list has it may be of our own making.
        work.drifts.disregard(|id, _| sources.body(inventory, id).is_none());
    }
    if work.drifts.due.is_empty() {
        let left = work.left(|_| None);
        return Ok(work.told(Outcome { plan: told, ..Outcome::of(inventory, applied) }, left));
    }
    let targets: Vec<Target<'_>> = work
        .drifts
        .due
        .keys()
        .filter_map(|id| sources.body(inventory, id))
        .map(|object| Target { object, may_grow: false })
        .collect();
    let tried: BTreeSet<&ObjectId> = targets.iter().map(|target| &target.object.id).collect();
    let mut kept = Stored::clone(&stored);
    let failures = work.apply(&targets, &mut kept).await;
    if kept.inventory != stored.inventory {
        work.store(&mut kept).await?;
    }
    if let Some(plan) = plan.as_ref().filter(|_| in_place) {
        remember(work.ctx, work.key, plan);
    }
    let left = work.left(|id| if tried.contains(id) { failures.of(id) } else { Some(bodiless(&applied)) });
    let outcome = Outcome {
        datasources_fault: failures.grafana(work.key),
        terminating: failures.terminating(),
        plan: told,
        ..Outcome::of(&kept.inventory, failures.applied().filter(|_| in_place).unwrap_or(applied))
    };
    work.remember(kept);
    Ok(work.told(outcome, left))
}

/// Where bodies can be found.
struct Sources<'a> {
    plan: Option<&'a Plan>,
    /// The plan is the one that is in place.
    in_place: bool,
    known: &'a [Arc<Plan>],
}

impl<'a> Sources<'a> {
    /// The body that was applied last.
    fn body(&self, inventory: &Inventory, id: &ObjectId) -> Option<&'a PlannedObject> {
        let hash = inventory.objects.get(id).map(|entry| entry.hash.as_str());
        let of = |plan: &'a Plan| plan.objects.iter().find(|object| object.id == *id);
        let same = |object: &&PlannedObject| Some(object.hash.as_str()) == hash;
        let planned = self.plan.and_then(of).filter(|object| self.in_place || same(object));
        planned.or_else(|| self.known.iter().filter_map(|plan| of(plan)).find(same))
    }
}

/// Why an object is not put back whose body nobody knows.
fn bodiless(applied: &Applied) -> Fault {
    let reason = match applied {
        Applied::Held(fault) | Applied::Failed(fault) => fault.reason,
        Applied::Waiting | Applied::All => Reason::StorageNotReady,
    };
    let message = "what it was is not known any more, because the spec has changed; it comes with the change that waits";
    Fault { reason, message: message.to_owned() }
}
