//! How the components stand, from what is observed of workloads and pods.

use obstack_api::{ComponentState, ComponentStatus, Reason};

use crate::{
    assemble::PlannedComponent,
    live::{Live, PodFacts, StateFacts, WorkloadFacts},
};

/// Something that keeps a pod from becoming ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why, in one word.
    pub reason: Reason,
    /// In the words of the scheduler or the kubelet.
    pub message: String,
}

/// How one component stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentHealth {
    /// What the status says of it.
    pub status: ComponentStatus,
    /// It serves within its quorum.
    pub available: bool,
    /// Why it is not ready.
    pub cause: Option<Trouble>,
}

/// How every component stands.
pub fn of(components: &[PlannedComponent], live: &Live) -> Vec<ComponentHealth> {
    components.iter().map(|component| of_component(component, live)).collect()
}

fn of_component(component: &PlannedComponent, live: &Live) -> ComponentHealth {
    let desired = i32::try_from(component.desired).unwrap_or(i32::MAX);
    let workload = live.workloads.get(&component.workload);
    let pods: Vec<_> = live.pods.iter().filter(|pod| pod.component == component.name).collect();
    let ready_pods = i32::try_from(pods.iter().filter(|pod| pod.ready).count()).unwrap_or(i32::MAX);
    let seen = workload.cloned().unwrap_or_default();
    // The controller's count and our own view of the pods must agree: either may be behind.
    let ready = seen.ready.min(ready_pods);
    let current =
        workload.is_some() && seen.observed_generation >= seen.generation && seen.replicas == desired;
    let complete = current && seen.updated >= desired && ready >= desired;
    let cause = if complete { None } else { Some(cause(component, workload, &seen, &pods, desired)) };
    let state = match &cause {
        None => ComponentState::Ready,
        Some(cause) if cause.reason == Reason::RolloutInProgress => ComponentState::Progressing,
        Some(_) => ComponentState::Blocked,
    };
    ComponentHealth {
        status: ComponentStatus {
            name: component.name.clone(),
            kind: Some(component.workload.kind.as_str().to_owned()),
            workload: Some(component.workload.name.clone()),
            desired,
            created: seen.created,
            updated: seen.updated.min(desired),
            ready: ready.min(desired),
            image: Some(component.image.clone()),
            tolerates_failures: None,
            state,
            reason: cause.as_ref().map(|cause| cause.reason.as_str().to_owned()),
            message: cause.as_ref().map(|cause| cause.message.clone()),
        },
        available: desired == 0 || ready >= quorum(desired),
        cause,
    }
}

/// Pods that must be ready for a component to serve: all but one, and at least one. A budget lets one go at a time,
/// and one pod less must not look like an outage.
fn quorum(desired: i32) -> i32 {
    (desired - 1).max(1)
}

/// The first thing that keeps a component from being ready, worst first.
fn cause(
    component: &PlannedComponent,
    workload: Option<&WorkloadFacts>,
    seen: &WorkloadFacts,
    pods: &[&PodFacts],
    desired: i32,
) -> Trouble {
    let name = format!("{} {}", component.workload.kind.as_str(), component.workload.name);
    if workload.is_none() {
        return progressing(format!("{name} is not there yet"));
    }
    if seen.created < desired
        && let Some(refusal) = &seen.refusal
    {
        let reason =
            if refusal.contains("exceeded quota") { Reason::QuotaExceeded } else { Reason::PodsRefused };
        return Trouble {
            reason,
            message: format!("{name}: {} of {desired} pods exist: {refusal}", seen.created),
        };
    }
    let troubled =
        pods.iter().filter_map(|pod| trouble_of(pod).map(|trouble| (severity(trouble.reason), pod, trouble)));
    if let Some((_, pod, trouble)) = troubled.min_by_key(|(severity, pod, _)| (*severity, pod.name.clone())) {
        return Trouble { reason: trouble.reason, message: format!("pod {}: {}", pod.name, trouble.message) };
    }
    let ready_pods = i32::try_from(pods.iter().filter(|pod| pod.ready).count()).unwrap_or(i32::MAX);
    let ready = seen.ready.min(ready_pods);
    progressing(format!(
        "{name}: {ready} of {desired} pods ready, {} at the newest revision",
        seen.updated.min(desired)
    ))
}

/// The worst thing that a pod's status says, if anything.
fn trouble_of(pod: &PodFacts) -> Option<Trouble> {
    if let Some(message) = &pod.unscheduled {
        // Every pod with a claim is unschedulable for a moment, until the claim is bound.
        let binding = message.contains("unbound immediate PersistentVolumeClaims");
        let reason = if binding { Reason::RolloutInProgress } else { Reason::Unschedulable };
        return Some(Trouble { reason, message: message.clone() });
    }
    let states = pod.containers.iter().filter_map(|container| Some((container, container.state.as_deref()?)));
    states.into_iter().find_map(|(container, state)| container_trouble(&container.name, state))
}

fn container_trouble(name: &str, state: &StateFacts) -> Option<Trouble> {
    let (why, said) = state.waiting.as_ref()?;
    match why.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => Some(Trouble {
            reason: Reason::ImagePullFailed,
            message: format!("image {}: {said}", state.image),
        }),
        "CrashLoopBackOff" => {
            let how = state.ended.as_ref().map_or_else(
                || said.clone(),
                |ended| {
                    let last_line = ended.message.trim().lines().last().unwrap_or_default();
                    format!("{} (exit code {}) {last_line}", ended.reason, ended.exit_code)
                },
            );
            let message = format!("container {name} ended: {}", how.trim());
            Some(Trouble { reason: Reason::CrashLoop, message })
        }
        _ => None,
    }
}

fn progressing(message: String) -> Trouble {
    Trouble { reason: Reason::RolloutInProgress, message }
}

/// What blocks more comes first.
fn severity(reason: Reason) -> u8 {
    match reason {
        Reason::QuotaExceeded => 0,
        Reason::PodsRefused => 1,
        Reason::Unschedulable => 2,
        Reason::ImagePullFailed => 3,
        Reason::CrashLoop => 4,
        _ => 5,
    }
}

/// The component that explains the rest: what blocks most, then the order of the plan.
pub fn first_cause(components: &[ComponentHealth]) -> Option<&Trouble> {
    components
        .iter()
        .filter_map(|component| component.cause.as_ref())
        .min_by_key(|cause| severity(cause.reason))
}
