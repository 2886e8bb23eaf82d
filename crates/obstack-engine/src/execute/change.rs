//! Carrying out a change: inventory ahead, apply by waves, prune, inventory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use obstack_api::{PlanState, Reason};
use obstack_core::{
    assemble::{Plan, PlannedComponent, PlannedObject},
    changes::{Changes, releases},
    conclude::{Applied, Fault},
    inventory::{Inventory, ReleaseFacts},
    objects::{Kind, ObjectId},
};

use super::{
    Outcome, remember,
    waves::{Target, Waves},
};
use crate::{
    cluster::{ClusterError, apply, inventory::Stored},
    plans::Sourced,
};

/// Carries out a change, or goes on with it.
pub(super) async fn change(
    mut work: Waves<'_>,
    stored: Arc<Stored>,
    plan: &Arc<Plan>,
    sourced: &Sourced,
    changes: &Changes,
) -> Result<Outcome, ClusterError> {
    remember(work.ctx, work.key, plan);
    let before = stored.inventory.clone();
    let mut stored = Stored::clone(&stored);
    let facts = releases(work.design);
    let epoch = work.ctx.guard.epoch();
    // A change of nothing leaves the last one to be told.
    let last = before.change.as_ref().filter(|_| changes.is_empty() && !before.input.is_empty());
    let summary = before.begun(&changes.digest).or(last).cloned().unwrap_or_else(|| changes.summary());
    if !written_ahead(&stored, plan, changes, epoch) {
        stored.inventory = before.united(plan, &names(&facts), epoch, &summary);
        work.store(&mut stored).await?;
    }
    let outdated: BTreeSet<&ObjectId> = before.outdated(plan).into_iter().collect();
    if before.input.is_empty() {
        // A process that ended on the way may have applied these already: nobody else need have touched them.
        work.drifts.disregard(|id, _| outdated.contains(id));
    }
    let targets = targets(&before, plan, |id| outdated.contains(id) || work.drifts.due.contains_key(id));
    let failures = work.apply(&targets, &mut stored).await;
    stored.inventory.sums = plan.sums;
    let mut applied = failures.applied().unwrap_or(Applied::All);
    if failures.is_empty() {
        applied = finish(&work, &before, &mut stored, plan, facts, sourced).await?;
    }
    let done = failures.is_empty() && applied == Applied::All;
    let left = work.left(|id| if done { None } else { failures.of(id).or_else(|| unfinished(&applied)) });
    let outcome = Outcome {
        datasources_fault: failures.grafana(work.key),
        terminating: failures.terminating(),
        plan: Some(summary.status(if done { PlanState::Applied } else { PlanState::Held })),
        ..Outcome::of(&stored.inventory, applied)
    };
    work.remember(stored);
    Ok(work.told(outcome, left))
}

fn unfinished(applied: &Applied) -> Option<Fault> {
    match applied {
        Applied::Failed(fault) => Some(fault.clone()),
        _ => None,
    }
}

fn names(facts: &BTreeMap<String, ReleaseFacts>) -> BTreeSet<String> {
    facts.keys().cloned().collect()
}

/// Whether the list that is stored names this change, and every object of its plan, as unfinished and ours.
fn written_ahead(stored: &Stored, plan: &Plan, changes: &Changes, epoch: i64) -> bool {
    let inventory = &stored.inventory;
    inventory.begun(&changes.digest).is_some()
        && inventory.epoch == epoch
        && stored.version.is_some()
        && plan.objects.iter().all(|object| inventory.objects.contains_key(&object.id))
}

fn targets<'p>(before: &Inventory, plan: &'p Plan, wanted: impl Fn(&ObjectId) -> bool) -> Vec<Target<'p>> {
    let objects = plan.objects.iter().filter(|object| wanted(&object.id));
    objects.map(|object| Target { object, may_grow: may_grow(before, plan, object) }).collect()
}

/// Whether the claim templates of an object that may be there already can have grown. Of a change that was begun, and
/// of what an earlier version applied, nobody knows the templates that are in place.
fn may_grow(before: &Inventory, plan: &Plan, object: &PlannedObject) -> bool {
    let need = |components: &[PlannedComponent]| {
        components.iter().find(|component| component.workload == object.id).map(|found| found.need.clone())
    };
    let Some(new) = need(&plan.components).filter(|new| new.claims.iter().any(|claim| !claim.ephemeral))
    else {
        return false;
    };
    let known = need(&before.components).filter(|old| !before.input.is_empty() && !old.template.is_empty());
    object.id.kind == Kind::StatefulSet
        && before.objects.contains_key(&object.id)
        && known.is_none_or(|old| old.claims != new.claims)
}

/// After every object is applied: prune what is no longer wanted, and close the list.
async fn finish(
    work: &Waves<'_>,
    before: &Inventory,
    stored: &mut Stored,
    plan: &Plan,
    facts: BTreeMap<String, ReleaseFacts>,
    sourced: &Sourced,
) -> Result<Applied, ClusterError> {
    let (ctx, releases) = (work.ctx, names(&facts));
    let obsolete = stored.inventory.obsolete(plan);
    // What Grafana gets no chart renders: less of it is what the spec says.
    let rendered = obsolete.iter().filter(|id| !work.key.is_for_grafana(id)).count();
    if !before.may_prune(plan, &releases, rendered) {
        let message = format!(
            "the charts render {rendered} objects less than before although nothing was switched off; nothing is pruned. \
             Check the chart, or remove the objects by hand if this is meant"
        );
        return Ok(Applied::Failed(Fault { reason: Reason::RenderFailed, message }));
    }
    for id in &obsolete {
        if apply::delete(&ctx.client, &ctx.guard, work.key, id).await? {
            tracing::info!(object = %id, "an object that is no longer wanted was deleted");
            ctx.metrics.record_write("delete", id.kind.as_str());
        }
        stored.inventory.objects.remove(id);
        ctx.memory.update(work.key, |memory| _ = memory.written.remove(id));
    }
    stored.inventory.components.clone_from(&plan.components);
    stored.inventory.releases = releases;
    stored.inventory.facts = facts;
    stored.inventory.input.clone_from(&sourced.input);
    work.store(stored).await?;
    Ok(Applied::All)
}
