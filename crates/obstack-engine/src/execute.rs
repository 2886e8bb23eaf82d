//! Makes the live objects the planned ones: inventory ahead, apply by waves, prune, inventory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use obstack_api::Reason;
use obstack_core::{
    assemble::{Plan, PlannedComponent, PlannedObject},
    conclude::{Applied, Fault, drift_event},
    design::{Blueprint, Design},
    inventory::Inventory,
    names::StackKey,
    objects::ObjectId,
    quantity::Sums,
};

use crate::{
    cluster::{
        ClusterError,
        apply::{self, AppliedObject},
        inventory::{self, Stored},
    },
    context::{Context, Remembered},
    drift::{Drift, drifted},
    plans::{PlanError, Sourced},
};

/// Applies of one stack that run at the same time. More only lengthens each: the API server applies one at a time.
const PARALLEL: usize = 4;

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
pub async fn execute(
    ctx: &Context,
    blueprint: &Blueprint,
    buckets_ready: bool,
) -> Result<Outcome, ClusterError> {
    let key = &blueprint.key;
    let stored = recall(ctx, key).await?;
    let inventory = &stored.inventory;
    let sourced = match ctx.plans.locate(&blueprint.design).await {
        Ok(sourced) => sourced,
        Err(error) => return Ok(Outcome::of(inventory, Applied::Failed(error.fault()))),
    };
    let changed = inventory.input != sourced.input;
    let written = ctx.memory.recall(key).written;
    let drift = drifted(inventory, &ctx.view, &written, &ctx.settings.namespaces);
    if !written.is_empty() {
        ctx.memory
            .update(key, |memory| memory.written.retain(|id, version| !ctx.view.has_seen(id, *version)));
    }
    if !changed && drift.is_empty() {
        return Ok(Outcome::of(inventory, Applied::All));
    }
    if changed && !buckets_ready {
        return Ok(Outcome::of(inventory, Applied::Waiting));
    }
    match ctx.plans.make(&blueprint.design, &sourced).await {
        Ok(plan) => {
            Execution { ctx, key, design: &blueprint.design, sourced: &sourced, plan: &plan, drift }
                .run(stored, changed)
                .await
        }
        Err(error) => Ok(failed(ctx, inventory, &error)),
    }
}

fn failed(ctx: &Context, inventory: &Inventory, error: &PlanError) -> Outcome {
    ctx.metrics.record_write("none", "plan");
    Outcome::of(inventory, Applied::Failed(error.fault()))
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

struct Execution<'a> {
    ctx: &'a Context,
    key: &'a StackKey,
    design: &'a Design,
    sourced: &'a Sourced,
    plan: &'a Plan,
    drift: BTreeMap<ObjectId, Drift>,
}

impl Execution<'_> {
    async fn run(self, stored: Arc<Stored>, changed: bool) -> Result<Outcome, ClusterError> {
        let before = stored.inventory.clone();
        let mut stored = Stored::clone(&stored);
        let epoch = self.ctx.guard.epoch();
        if changed && !self.written_ahead(&stored, epoch) {
            stored.inventory = before.united(self.plan, &self.releases(), epoch);
            self.store(&mut stored).await?;
        }
        let targets = self.targets(&before, changed);
        let failures = self.apply_by_wave(&targets, &mut stored).await;
        let (datasources, failures): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|(id, _)| id.name == self.key.datasources());
        let terminating = failures.iter().any(|(_, error)| error.namespace_terminating());
        let inventory = &mut stored.inventory;
        inventory.sums = self.plan.sums;
        let mut applied = Applied::All;
        if let Some((id, error)) = failures.first() {
            applied = Applied::Failed(fault(id, error, failures.len()));
        } else if datasources.is_empty() {
            if changed {
                applied = self.finish(&before, &mut stored).await?;
            } else if stored.inventory != before {
                self.store(&mut stored).await?;
            }
        }
        let outcome = Outcome {
            datasources_fault: datasources.first().map(|(id, error)| datasource_fault(id, error)),
            terminating,
            ..Outcome::of(&stored.inventory, applied)
        };
        stored.inventory.pack();
        self.ctx.memory.update(self.key, |memory| memory.stored = Some(Arc::new(stored)));
        Ok(outcome)
    }

    fn releases(&self) -> BTreeSet<String> {
        self.design.releases.iter().map(|release| release.name.clone()).collect()
    }

    /// Whether the list that is stored names every object of the plan already, as unfinished and ours.
    fn written_ahead(&self, stored: &Stored, epoch: i64) -> bool {
        let inventory = &stored.inventory;
        inventory.input.is_empty()
            && inventory.epoch == epoch
            && stored.version.is_some()
            && self.plan.objects.iter().all(|object| inventory.objects.contains_key(&object.id))
    }

    /// Objects to apply: what is new or changed, and what somebody else changed.
    fn targets(&self, before: &Inventory, changed: bool) -> Vec<&PlannedObject> {
        let outdated = if changed { before.outdated(self.plan) } else { Vec::new() };
        self.plan
            .objects
            .iter()
            .filter(|object| outdated.contains(&&object.id) || self.drift.contains_key(&object.id))
            .collect()
    }

    /// Applies wave by wave. A wave with a failure is finished, the next one is not begun; datasources, which live
    /// elsewhere, hold nothing up.
    async fn apply_by_wave(
        &self,
        targets: &[&PlannedObject],
        stored: &mut Stored,
    ) -> Vec<(ObjectId, ClusterError)> {
        let mut failures = Vec::new();
        for wave in 0..=3 {
            let of_wave = targets.iter().copied().filter(|object| object.id.kind.wave() == wave);
            let applies = of_wave.map(|object| {
                // Only what is known to be ours is taken back by force.
                let known = stored.inventory.objects.get(&object.id);
                let force = known.is_some_and(|entry| !entry.uid.is_empty());
                async move { (object, apply::apply(&self.ctx.client, &self.ctx.guard, object, force).await) }
            });
            let applies: Vec<_> = applies.collect();
            let results: Vec<_> = stream::iter(applies).buffer_unordered(PARALLEL).collect().await;
            for (object, result) in results {
                match result {
                    Ok(done) => self.record(object, done, stored),
                    Err(error) => {
                        tracing::warn!(object = %object.id, %error, "an object was not applied");
                        failures.push((object.id.clone(), error));
                    }
                }
            }
            if failures.iter().any(|(id, _)| id.name != self.key.datasources()) {
                break;
            }
        }
        failures
    }

    fn record(&self, object: &PlannedObject, applied: AppliedObject, stored: &mut Stored) {
        let kind = object.id.kind.as_str();
        self.ctx.metrics.record_write("apply", kind);
        self.ctx.memory.update(self.key, |memory: &mut Remembered| {
            _ = memory.written.insert(object.id.clone(), applied.version);
        });
        stored.inventory.objects.insert(object.id.clone(), applied.entry);
        if let Some(drift) = self.drift.get(&object.id) {
            let manager = drift.manager.as_deref();
            tracing::info!(object = %object.id, deleted = drift.deleted, manager, "drift was repaired");
            self.ctx.metrics.record_drift_repaired(kind, manager.unwrap_or("unknown"));
            self.ctx.publish_event(self.key, drift_event(&object.id, drift.deleted, manager));
        }
    }

    /// After every object is applied: prune what is no longer wanted, and close the list.
    async fn finish(&self, before: &Inventory, stored: &mut Stored) -> Result<Applied, ClusterError> {
        let releases = self.releases();
        let obsolete = stored.inventory.obsolete(self.plan);
        if !before.may_prune(self.plan, &releases, obsolete.len()) {
            let message = format!(
                "the charts render {} objects less than before although nothing was switched off; nothing is pruned. \
                 Check the chart, or remove the objects by hand if this is meant",
                obsolete.len()
            );
            return Ok(Applied::Failed(Fault { reason: Reason::RenderFailed, message }));
        }
        for id in &obsolete {
            if apply::delete(&self.ctx.client, &self.ctx.guard, self.key, id).await? {
                tracing::info!(object = %id, "an object that is no longer wanted was deleted");
                self.ctx.metrics.record_write("delete", id.kind.as_str());
            }
            stored.inventory.objects.remove(id);
            self.ctx.memory.update(self.key, |memory| _ = memory.written.remove(id));
        }
        stored.inventory.components.clone_from(&self.plan.components);
        stored.inventory.releases = releases;
        stored.inventory.input.clone_from(&self.sourced.input);
        self.store(stored).await?;
        Ok(Applied::All)
    }

    /// Writes the list; a failure makes it be read anew next time.
    async fn store(&self, stored: &mut Stored) -> Result<(), ClusterError> {
        let owner = self.design.owner_uid.as_deref();
        match inventory::store(&self.ctx.client, &self.ctx.guard, self.key, owner, stored).await {
            Ok(version) => {
                self.ctx.metrics.record_write("update", "Inventory");
                stored.version = Some(version);
                Ok(())
            }
            Err(error) => {
                self.ctx.memory.update(self.key, |memory| memory.stored = None);
                Err(error)
            }
        }
    }
}

/// A failed apply as a fault of the stack.
fn fault(id: &ObjectId, error: &ClusterError, failures: usize) -> Fault {
    let more = if failures > 1 { format!(" (and {} more)", failures - 1) } else { String::new() };
    let said = error.status().map_or_else(|| error.to_string(), |status| status.message.clone());
    let (reason, fix) = match error.code() {
        409 => (
            Reason::FieldConflict,
            "; another manager holds the object: delete it or take the field out of its manifest",
        ),
        403 if said.contains("exceeded quota") => {
            (Reason::QuotaExceeded, "; raise the quota or lower what the stack asks for")
        }
        403 => (Reason::ApplyRejected, "; allow the operator's ServiceAccount what the message names"),
        422 if said.contains("updates to statefulset spec") => (
            Reason::ApplyRejected,
            "; a StatefulSet cannot change this in place: delete it with --cascade=orphan, its pods and claims stay",
        ),
        400 | 404 | 413 | 422 => (Reason::ApplyRejected, ""),
        _ => (Reason::ApplyFailed, ""),
    };
    Fault { reason, message: format!("{id}{more}: {said}{fix}") }
}

fn datasource_fault(id: &ObjectId, error: &ClusterError) -> Fault {
    if error.code() == 404 {
        let message = format!(
            "namespace {} for the datasources does not exist; create it or change grafana.datasources.namespace",
            id.namespace
        );
        return Fault { reason: Reason::NamespaceMissing, message };
    }
    fault(id, error, 1)
}
