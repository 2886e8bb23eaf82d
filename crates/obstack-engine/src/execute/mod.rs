//! Makes the live objects the planned ones, as far as the world and the gates let it.
//!
//! A change is carried out by [`change`]: inventory ahead, apply by waves, prune, inventory. While one waits, or cannot
//! be planned, [`keep`] goes on with putting back what is in place already.

mod change;
mod failure;
mod keep;
mod waves;

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use obstack_api::{PlanState, PlanStatus, Reason};
use obstack_core::{
    assemble::{Plan, PlannedComponent},
    changes::{Changes, changes, releases},
    conclude::{Applied, Fault},
    design::Blueprint,
    drift::{DriftLog, Standing},
    finding::Finding,
    inventory::Inventory,
    names::StackKey,
    objects::ObjectId,
    quantity::Sums,
};

use self::waves::Waves;
use crate::{
    cluster::{
        ClusterError,
        inventory::{self, Stored},
    },
    context::Context,
    drift::Drifts,
    plans::Sourced,
};

/// Plans whose bodies are looked for when an object has to be put back while a change waits: the one that is in place,
/// and one that was begun.
const REMEMBERED: usize = 2;

/// What an execution came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether the objects are in place.
    pub applied: Applied,
    /// Why the datasources are not.
    pub datasources_fault: Option<Fault>,
    /// The components that are applied, or were last.
    pub components: Vec<PlannedComponent>,
    /// What all pods request together.
    pub sums: Sums,
    /// How many objects the stack has.
    pub objects: usize,
    /// The stack's namespace is being deleted.
    pub terminating: bool,
    /// The change that waits, is under way or was carried out last; `None` when nobody knows of one.
    pub plan: Option<PlanStatus>,
    /// What others do to the objects; `None` when nothing was seen in a time too short to say so.
    pub drift: Option<Finding>,
    /// When to look again though nothing happens: a repair is due, or a finding is over.
    pub again: Option<Duration>,
}

impl Outcome {
    fn of(inventory: &Inventory, applied: Applied) -> Self {
        Self {
            applied,
            components: inventory.components.clone(),
            sums: inventory.sums,
            objects: inventory.objects.len(),
            ..Self::default()
        }
    }
}

/// Executes a blueprint as far as the world lets it. `buckets_ready` gates what is new; what is applied already is
/// kept in place without.
///
/// `gate` says why a change may not begin, if it may not. It is asked before the first write of a change that makes,
/// changes or deletes an object, with the plan, what it changes, and what is in place. It is not asked for repairs, and
/// not again for a change that was begun: half of a plan serves nobody.
pub async fn execute(
    ctx: &Context,
    blueprint: &Blueprint,
    buckets_ready: bool,
    gate: impl Fn(&Plan, &Changes, &Inventory) -> Option<Fault> + Send + Sync,
) -> Result<Outcome, ClusterError> {
    let key = &blueprint.key;
    let stored = recall(ctx, key).await?;
    let drifts = Drifts::of(ctx, key, &stored.inventory);
    let next = next(ctx, blueprint, buckets_ready, &stored.inventory, &drifts, gate).await;
    let work = Waves { ctx, key, design: &blueprint.design, drifts };
    match next {
        Next::Keep(held) => keep::keep(work, stored, held).await,
        Next::Change { plan, sourced, changes } => {
            change::change(work, stored, &plan, &sourced, &changes).await
        }
    }
}

/// What there is to do.
enum Next {
    /// Carry out a change.
    Change { plan: Arc<Plan>, sourced: Sourced, changes: Changes },
    /// Keep in place what is there.
    Keep(Held),
}

/// A plan that is in place, or not begun.
struct Held {
    /// Whether the objects are in place, or why not.
    applied: Applied,
    /// Where bodies can be found.
    plan: Option<Arc<Plan>>,
    /// The change, as the status tells it.
    told: Option<PlanStatus>,
}

async fn next(
    ctx: &Context,
    blueprint: &Blueprint,
    buckets_ready: bool,
    inventory: &Inventory,
    drifts: &Drifts,
    gate: impl Fn(&Plan, &Changes, &Inventory) -> Option<Fault> + Send + Sync,
) -> Next {
    let design = &blueprint.design;
    let keep = |applied, plan, told| Next::Keep(Held { applied, plan, told });
    let sourced = match ctx.plans.locate(design).await {
        Ok(sourced) => sourced,
        Err(error) => return keep(Applied::Failed(error.fault()), None, None),
    };
    let is_new = inventory.input != sourced.input;
    let done = || inventory.change.as_ref().map(|change| change.status(PlanState::Applied));
    if drifts.due.is_empty() {
        match (is_new, buckets_ready) {
            (false, _) => return keep(Applied::All, None, done()),
            (true, false) => return keep(Applied::Waiting, None, None),
            (true, true) => {}
        }
    }
    let plan = match ctx.plans.make(design, &sourced).await {
        Ok(plan) => plan,
        Err(error) => {
            ctx.metrics.record_write("none", "plan");
            return keep(Applied::Failed(error.fault()), None, None);
        }
    };
    if !is_new {
        return keep(Applied::All, Some(plan), done());
    }
    if !buckets_ready {
        return keep(Applied::Waiting, Some(plan), None);
    }
    let changes = changes(inventory, &plan, &releases(design));
    let begins = inventory.begun(&changes.digest).is_none() && !changes.is_empty();
    if begins && let Some(fault) = gate(&plan, &changes, inventory) {
        let state = match fault.reason {
            Reason::AwaitingApproval | Reason::ApprovalStale => PlanState::PendingApproval,
            _ => PlanState::Held,
        };
        return keep(Applied::Held(fault), Some(plan), Some(changes.summary().status(state)));
    }
    Next::Change { plan, sourced, changes }
}

/// The inventory as it is remembered, or as it is stored.
pub async fn recall(ctx: &Context, key: &StackKey) -> Result<Arc<Stored>, ClusterError> {
    if let Some(stored) = ctx.memory.recall(key).stored {
        return Ok(stored);
    }
    let mut stored = inventory::load(&ctx.client, key).await?;
    stored.inventory.pack();
    let stored = Arc::new(stored);
    ctx.memory.update(key, |memory| memory.stored = Some(Arc::clone(&stored)));
    Ok(stored)
}

/// Remembers a plan for as long as its bodies are in memory anyway.
fn remember(ctx: &Context, key: &StackKey, plan: &Arc<Plan>) {
    ctx.memory.update(key, |memory| {
        memory
            .plans
            .retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(plan)));
        memory.plans.push(Arc::downgrade(plan));
        if memory.plans.len() > REMEMBERED {
            memory.plans.remove(0);
        }
    });
}

/// Plans that were in place, or begun, and whose bodies are still in memory.
fn remembered(ctx: &Context, key: &StackKey) -> Vec<Arc<Plan>> {
    ctx.memory.recall(key).plans.iter().filter_map(Weak::upgrade).collect()
}

impl Waves<'_> {
    /// Says what an execution came to: takes what was left as it is into the log of drift.
    fn told(&self, outcome: Outcome, left: BTreeMap<ObjectId, Standing>) -> Outcome {
        let now = self.ctx.memory.now();
        let waits = left.iter().any(|(_, standing)| standing.fault.is_none());
        let (mut drift, mut again) = (None, None);
        self.ctx.memory.update(self.key, |memory| {
            let log = memory.drift.get_or_insert_with(|| DriftLog::begin(now));
            log.standing(left, now);
            (drift, again) = (log.finding(now), log.again(now));
        });
        let mut outcome = Outcome { drift, again, ..outcome };
        // An object that waits to be put back is not the planned one.
        if waits
            && outcome.applied == Applied::All
            && let Some(finding) = &outcome.drift
        {
            outcome.applied =
                Applied::Held(Fault { reason: finding.reason, message: finding.message.clone() });
        }
        outcome
    }
}
