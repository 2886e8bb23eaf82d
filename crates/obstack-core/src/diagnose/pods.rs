//! What keeps pods from becoming ready.

use obstack_api::Reason;

use super::{Cause, DEADLINE_SECONDS, Scene, claims, containers, order, words};
use crate::live::PodFacts;

/// The worst that keeps a pod of a component from being ready, said once for all pods that it is the same for.
pub(super) fn worst(scene: &Scene<'_>, pods: &[&PodFacts]) -> Option<Cause> {
    let alive = pods.iter().filter(|pod| !pod.deleting && !is_over(pod)).count();
    let replaced = alive >= usize::try_from(scene.desired()).unwrap_or(usize::MAX);
    let troubled = pods
        .iter()
        .filter(|pod| !pod.ready)
        // The remains of a pod that was replaced tell nothing of what runs now.
        .filter(|pod| !replaced || !is_over(pod))
        .filter_map(|pod| Some((*pod, cause(scene, pod)?)));
    let troubled: Vec<(&PodFacts, Cause)> = troubled.collect();
    let (first, worst) = troubled.iter().min_by_key(|(_, cause)| order::within(cause.reason))?;
    let same = |(pod, cause): &&(&PodFacts, Cause)| {
        let bare = |pod: &PodFacts, cause: &Cause| cause.what.replace(&pod.name, "");
        cause.reason == worst.reason && bare(pod, cause) == bare(first, worst)
    };
    let who = match troubled.iter().filter(same).count() {
        0 | 1 => format!("pod {}", first.name),
        n => format!("pod {} and {} more", first.name, n - 1),
    };
    Some(Cause { who, ..worst.clone() })
}

/// It ended for good. A pod of a lost node has not: nobody knows of it.
fn is_over(pod: &PodFacts) -> bool {
    pod.failed.as_ref().is_some_and(|(reason, _)| reason != "NodeLost")
}

/// What keeps one pod from being ready.
fn cause(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    if let Some(lost) = lost(scene, pod) {
        return Some(lost);
    }
    if pod.deleting {
        return None;
    }
    if let Some((reason, said)) = &pod.failed {
        return ended(pod, reason, said);
    }
    let found = placed(scene, pod).or_else(|| containers::worst(scene, pod)).or_else(|| unmounted(pod));
    let known = found.as_ref().is_some_and(|cause| cause.reason != Reason::RolloutInProgress);
    if known { found } else { overdue(scene, pod).or(found) }
}

/// Its node no longer answers: by the node itself where nodes may be read, else by what the node controller wrote
/// (`pkg/util/node`, `NodeUnreachablePodReason`) or said.
fn lost(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    let node = scene.live.nodes.as_ref().and_then(|nodes| nodes.get(&pod.node));
    let told = pod.failed.as_ref().is_some_and(|(reason, _)| reason == "NodeLost");
    let heard = scene.live.nodes.is_none() && is_silenced(pod);
    let lost = node.map_or(told || heard, |node| !node.ready);
    (lost && !pod.node.is_empty())
        .then(|| Cause::new(Reason::NodeLost, format!("its node {} no longer answers", pod.node)))
}

/// The node controller took its readiness away, and no kubelet has spoken since (`pkg/controller/util/node`,
/// `MarkPodsNotReady`). It says so of pods that were ready, and leaves their containers as they were: whatever those
/// show now, a kubelet said later.
fn is_silenced(pod: &PodFacts) -> bool {
    pod.warnings.iter().any(|(reason, _)| reason == "NodeNotReady")
        && pod.failed.is_none()
        && pod.containers.iter().all(|container| container.state.is_none())
}

/// It ended as a whole (`pkg/kubelet/eviction`, `pkg/kubelet/lifecycle`).
fn ended(pod: &PodFacts, reason: &str, said: &str) -> Option<Cause> {
    let said = words::quote(said);
    match reason {
        "Evicted" => Some(Cause::new(Reason::Evicted, format!("node {} evicted it: {said}", pod.node))),
        _ if reason.starts_with("OutOf") || reason == "NodeAffinity" => {
            Some(Cause::new(Reason::Unschedulable, format!("node {} refused it: {said}", pod.node)))
        }
        _ => None,
    }
}

/// No node was found for it, or its volumes are not there.
fn placed(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    claims::cause(scene, pod).or_else(|| {
        let said = pod.unscheduled.as_deref().filter(|said| !claims::is_about_claims(said))?;
        Some(Cause::new(Reason::Unschedulable, words::scheduler(said)))
    })
}

/// Its volumes are not mounted yet. Most often the next try mends it, so this is no fault before its time.
fn unmounted(pod: &PodFacts) -> Option<Cause> {
    let starts = !pod.node.is_empty() && pod.containers.iter().all(containers::has_not_begun);
    let (_, said) = pod.warnings.iter().filter(|_| starts).find(|(reason, _)| is_about_volumes(reason))?;
    let message = format!("its volumes are not mounted yet: {}", words::quote(said));
    Some(Cause::new(Reason::RolloutInProgress, message))
}

/// The kubelet or the attach controller speaks of a pod's volumes (`pkg/kubelet/events`).
pub(super) fn is_about_volumes(reason: &str) -> bool {
    matches!(reason, "FailedMount" | "FailedAttachVolume" | "FailedMapVolume")
}

/// It takes longer than anything takes that goes well.
fn overdue(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    let late = pod.not_ready_since > 0 && scene.longer_than(DEADLINE_SECONDS, pod.not_ready_since);
    let failed = pod.warnings.iter().find(|(reason, _)| reason.starts_with("Failed"));
    let said = failed.map(|(reason, said)| format!("; {reason}: {}", words::quote(said)));
    let message = format!("it has not become ready{}", said.unwrap_or_default());
    late.then(|| Cause::new(Reason::DeadlineExceeded, message))
}
