//! What is believed of pods: the controller's counts and the view of pods each may be behind, so both must agree.

use crate::{
    assemble::PlannedComponent,
    diagnose::Scene,
    live::{PodFacts, WorkloadFacts},
    objects::Kind,
};

/// How many pods of a component there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// Pods that should run.
    pub(super) desired: i32,
    /// Pods that exist.
    pub(super) created: i32,
    /// Pods at the newest revision, `desired` at most.
    pub(super) updated: i32,
    /// Ready pods of any revision, `desired` at most.
    pub(super) ready: i32,
    /// Every desired pod is ready at the newest revision, and there is no other.
    pub(super) complete: bool,
    /// It serves within its quorum.
    pub(super) available: bool,
}

impl Counts {
    /// Counts the pods of a component.
    pub(super) fn of(scene: &Scene<'_>, pods: &[&PodFacts]) -> Self {
        let Scene { component, workload, .. } = *scene;
        let desired = scene.desired();
        let seen = workload.cloned().unwrap_or_default();
        let count = |newest: bool| {
            let fits = |pod: &&&PodFacts| pod.ready && (!newest || is_newest(component, &seen, pod));
            i32::try_from(pods.iter().filter(fits).count()).unwrap_or(i32::MAX)
        };
        let ready = seen.ready.min(count(false));
        let current =
            workload.is_some() && seen.observed_generation >= seen.generation && seen.replicas == desired;
        let complete = current
            && seen.created == desired
            && seen.updated >= desired
            && seen.ready >= desired
            && count(true) >= desired
            && of_one_revision(pods);
        Self {
            desired,
            created: seen.created,
            updated: seen.updated.min(desired),
            ready: ready.min(desired),
            complete,
            available: desired == 0 || ready >= quorum(component.workload.kind, desired),
        }
    }

    /// How far a rollout is that nothing stops.
    pub(super) fn progress(&self, scene: &Scene<'_>) -> String {
        let name = scene.spoken();
        let Some(seen) = scene.workload else { return format!("{name} is not there yet") };
        let Self { desired, created, updated, ready, .. } = self;
        if seen.observed_generation < seen.generation {
            return format!("{name}: its controller has not looked at its newest spec yet");
        }
        let extra = created - desired;
        let rest = if extra > 0 { format!(", {extra} more still to go") } else { String::new() };
        format!("{name}: {ready} of {desired} pods ready, {updated} at the newest revision{rest}")
    }
}

/// A pod of the newest revision. Only a StatefulSet says which that is: of others its own count has to do.
fn is_newest(component: &PlannedComponent, seen: &WorkloadFacts, pod: &PodFacts) -> bool {
    match component.workload.kind {
        Kind::StatefulSet => !seen.revision.is_empty() && pod.revision == seen.revision,
        _ => true,
    }
}

/// No two ready pods are of different revisions: the view would be behind, whatever the controller counts.
fn of_one_revision(pods: &[&PodFacts]) -> bool {
    let mut revisions = pods.iter().filter(|pod| pod.ready).map(|pod| &pod.revision);
    revisions.next().is_none_or(|first| revisions.all(|revision| revision == first))
}

/// Pods that must be ready for a component to serve, one at least. Of a StatefulSet or `DaemonSet` all but one: a
/// budget lets one go at a time, and so does their rollout. Of a Deployment three quarters, which is what its rollout keeps
/// (`maxUnavailable` is 25 %, rounded down, by default), and all but one at most.
fn quorum(kind: Kind, desired: i32) -> i32 {
    let spare = if kind == Kind::Deployment { (desired / 4).max(1) } else { 1 };
    (desired - spare).max(1)
}
