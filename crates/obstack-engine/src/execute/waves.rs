//! Applying objects wave by wave, and writing down what came of it.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use obstack_core::{
    assemble::PlannedObject,
    conclude::{Applied, Fault, drift_event},
    design::Design,
    drift::{Deed, Standing},
    names::StackKey,
    objects::ObjectId,
};

use super::failure::{Failure, fault, grafana_fault};
use crate::{
    cluster::{
        ClusterError,
        apply::{self, AppliedObject},
        inventory::{self, Stored},
    },
    context::{Context, Remembered},
    drift::{self, Drifts},
    expand,
};

/// Applies of one stack that run at the same time. More only lengthens each: the API server applies one at a time.
const PARALLEL: usize = 4;

/// Applies the objects of one stack.
pub(super) struct Waves<'a> {
    pub(super) ctx: &'a Context,
    pub(super) key: &'a StackKey,
    pub(super) design: &'a Design,
    /// What somebody else did to the objects.
    pub(super) drifts: Drifts,
}

/// An object to apply.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) object: &'a PlannedObject,
    /// Its claim templates may have grown.
    pub(super) may_grow: bool,
}

/// What could not be applied.
#[derive(Default)]
pub(super) struct Failures {
    /// The stack's own objects.
    own: Vec<(ObjectId, Failure)>,
    /// What is for Grafana, lives elsewhere and holds nothing up.
    grafana: Vec<(ObjectId, Failure)>,
}

impl Failures {
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.grafana.is_empty()
    }

    /// What it means for the stack's objects, if anything.
    pub(super) fn applied(&self) -> Option<Applied> {
        let (id, failure) = self.own.first()?;
        Some(Applied::Failed(fault(id, failure, self.own.len())))
    }

    /// What it means for Grafana, if anything.
    pub(super) fn grafana(&self, key: &StackKey) -> Option<Fault> {
        let (id, failure) = self.grafana.first()?;
        Some(grafana_fault(key, id, failure, self.grafana.len()))
    }

    pub(super) fn terminating(&self) -> bool {
        self.own.iter().chain(&self.grafana).any(|(_, failure)| failure.namespace_terminating())
    }

    /// Why an object was not applied: its own failure, or the one that ended the wave before.
    pub(super) fn of(&self, id: &ObjectId) -> Option<Fault> {
        let all = || self.own.iter().chain(&self.grafana);
        let (id, failure) = all().find(|(failed, _)| failed == id).or_else(|| all().next())?;
        Some(fault(id, failure, 1))
    }
}

impl Waves<'_> {
    /// Applies wave by wave. A wave with a failure is finished, the next one is not begun; what is for Grafana holds nothing up.
    pub(super) async fn apply(&mut self, targets: &[Target<'_>], stored: &mut Stored) -> Failures {
        let mut failures = Failures::default();
        for wave in 0..=3 {
            let of_wave = targets.iter().copied().filter(|target| target.object.id.kind.wave() == wave);
            let applies: Vec<_> = of_wave
                .map(|target| {
                    let known = stored.inventory.objects.get(&target.object.id);
                    self.bring(target, known.is_some_and(|entry| !entry.uid.is_empty()))
                })
                .collect();
            let results: Vec<_> = stream::iter(applies).buffer_unordered(PARALLEL).collect().await;
            for (object, result) in results {
                match result {
                    Ok((done, deed)) => self.record(object, done, deed, stored),
                    Err(error) => {
                        tracing::warn!(object = %object.id, %error, "an object was not applied");
                        let own = !self.key.is_for_grafana(&object.id);
                        let list = if own { &mut failures.own } else { &mut failures.grafana };
                        list.push((object.id.clone(), error));
                    }
                }
            }
            if !failures.own.is_empty() {
                break;
            }
        }
        failures
    }

    /// Brings one object into place. Only what is `known` to be ours is taken back by force.
    async fn bring<'o>(
        &self,
        target: Target<'o>,
        known: bool,
    ) -> (&'o PlannedObject, Result<(AppliedObject, Option<Deed>), Failure>) {
        let Target { object, may_grow } = target;
        let ctx = self.ctx;
        let deed = match self.drifts.get(&object.id) {
            Some(drift) => Some(drift::deed(&ctx.client, object, drift).await),
            None => None,
        };
        if may_grow && let Err(error) = expand::expand(ctx, self.key, object).await {
            return (object, Err(error.into()));
        }
        let applied = apply::apply(&ctx.client, &ctx.guard, object, known).await;
        (object, applied.map(|applied| (applied, deed)).map_err(Failure::from))
    }

    fn record(
        &mut self,
        object: &PlannedObject,
        applied: AppliedObject,
        deed: Option<Deed>,
        stored: &mut Stored,
    ) {
        let (ctx, id, kind) = (self.ctx, &object.id, object.id.kind.as_str());
        ctx.metrics.record_write("apply", kind);
        let now = ctx.memory.now();
        self.drifts.forget(id);
        ctx.memory.update(self.key, |memory: &mut Remembered| {
            memory.written.insert(id.clone(), applied.version);
            if let (Some(log), Some(deed)) = (&mut memory.drift, &deed) {
                log.repaired(id, deed.clone(), now);
            }
        });
        stored.inventory.objects.insert(id.clone(), applied.entry);
        if let Some(Deed { deleted, manager, fields }) = deed {
            let manager = manager.as_deref();
            tracing::info!(object = %id, deleted, manager, ?fields, "drift was repaired");
            ctx.metrics.record_drift_repaired(kind, manager.unwrap_or("unknown"));
            ctx.publish_event(self.key, drift_event(id, deleted, manager));
        }
    }

    /// Drifted objects that were not put back, with the cause where it is not the log of drift.
    pub(super) fn left(&self, cause: impl Fn(&ObjectId) -> Option<Fault>) -> BTreeMap<ObjectId, Standing> {
        let waiting = self.drifts.waiting.iter().map(|(id, drift)| (id, drift, None));
        let due = self.drifts.due.iter().filter_map(|(id, drift)| Some((id, drift, Some(cause(id)?))));
        let standing = |(id, drift, fault): (&ObjectId, &drift::Drift, Option<Fault>)| {
            (id.clone(), Standing { deed: drift.deed(), fault })
        };
        waiting.chain(due).map(standing).collect()
    }

    /// Writes the list; a failure makes it be read anew next time.
    pub(super) async fn store(&self, stored: &mut Stored) -> Result<(), ClusterError> {
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

    /// Remembers the list as it is now.
    pub(super) fn remember(&self, mut stored: Stored) {
        stored.inventory.pack();
        self.ctx.memory.update(self.key, |memory| memory.stored = Some(std::sync::Arc::new(stored)));
    }
}
