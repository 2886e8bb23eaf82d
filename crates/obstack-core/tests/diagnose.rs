//! How components stand, and what is said of it: the cases that people meet.

#![cfg(test)]

mod common;

use obstack_api::{ComponentState, ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    conclude::{Applied, BucketHealth, EventIntent, Fault, Followed, Situation, conclude},
    design::design,
    diagnose::{self, ComponentHealth},
    live::{ContainerFacts, Live, PodFacts, StateFacts, WorkloadFacts},
    names::StackKey,
    need::PodNeed,
    violation::Violation,
};

const NOW: &str = "2026-01-01T00:00:00Z";

fn component(desired: u32) -> PlannedComponent {
    PlannedComponent {
        name: "metrics.ingester".into(),
        workload: "StatefulSet/ns/s-mimir-ingester".parse().unwrap(),
        desired,
        image: "mimir:3".into(),
        protected: desired > 1,
        class: Class::Ingester,
        need: PodNeed::default(),
    }
}

/// A workload with everything in place, and its ready pods.
fn healthy(desired: i32) -> (WorkloadFacts, Vec<PodFacts>) {
    let facts = WorkloadFacts {
        generation: 2,
        observed_generation: 2,
        replicas: desired,
        updated: desired,
        ready: desired,
        created: desired,
        revision: "r1".into(),
        refusal: None,
    };
    let pod = |index| PodFacts {
        name: format!("s-mimir-ingester-{index}"),
        component: "metrics.ingester".into(),
        ready: true,
        revision: "r1".into(),
        ..PodFacts::default()
    };
    (facts, (0..desired).map(pod).collect())
}

fn judge(desired: u32, facts: Option<WorkloadFacts>, pods: Vec<PodFacts>) -> ComponentHealth {
    let component = component(desired);
    let workloads = facts.into_iter().map(|facts| (component.workload.clone(), facts)).collect();
    diagnose::of(&[component], &Live { workloads, pods, ..Live::default() }).remove(0)
}

fn waiting(reason: &str, message: &str) -> ContainerFacts {
    let state = StateFacts { waiting: Some((reason.into(), message.into())), ..StateFacts::default() };
    ContainerFacts { name: "ingester".into(), state: Some(Box::new(state)), ..ContainerFacts::default() }
}

#[test]
fn a_component_is_ready_when_its_newest_pods_all_are() {
    let (facts, pods) = healthy(3);
    let health = judge(3, Some(facts), pods);
    assert_eq!((health.status.state, health.available, health.cause), (ComponentState::Ready, true, None));
}

#[test]
fn i6_a_count_that_may_be_behind_is_not_believed() {
    let changed = |change: fn(&mut WorkloadFacts)| {
        let (mut facts, pods) = healthy(3);
        change(&mut facts);
        judge(3, Some(facts), pods).status.state
    };
    assert_eq!(
        changed(|facts| facts.observed_generation = 1),
        ComponentState::Progressing,
        "of an older spec"
    );
    assert_eq!(changed(|facts| facts.replicas = 2), ComponentState::Progressing, "told to run others");
    assert_eq!(changed(|facts| facts.updated = 2), ComponentState::Progressing, "one pod is old");
    assert_eq!(changed(|facts| facts.ready = 2), ComponentState::Progressing);
    let (facts, mut pods) = healthy(3);
    pods[1].ready = false;
    let health = judge(3, Some(facts), pods);
    assert_eq!(
        (health.status.ready, health.status.state),
        (2, ComponentState::Progressing),
        "the pods say otherwise"
    );
    assert!(health.cause.unwrap().message.contains("2 of 3 pods ready"));
}

#[test]
fn one_pod_less_still_serves_and_two_less_do_not() {
    for (desired, ready, available) in [(3, 2, true), (3, 1, false), (2, 1, true), (1, 0, false)] {
        let (mut facts, pods) = healthy(desired);
        facts.ready = ready;
        let health = judge(u32::try_from(desired).unwrap(), Some(facts), pods);
        assert_eq!(health.available, available, "{ready} of {desired}");
    }
}

#[test]
fn a_workload_that_is_not_there_is_progress_and_no_fault() {
    let health = judge(1, None, Vec::new());
    assert_eq!(health.status.state, ComponentState::Progressing);
    assert!(health.cause.unwrap().message.contains("StatefulSet s-mimir-ingester is not there yet"));
}

#[test]
fn the_cause_is_what_blocks_most_in_the_words_of_the_cluster() {
    let (mut facts, mut pods) = healthy(3);
    (facts.ready, facts.created) = (1, 3);
    pods[1].ready = false;
    pods[1].containers = vec![waiting("CrashLoopBackOff", "back-off 5m0s restarting")];
    pods[2].ready = false;
    pods[2].unscheduled = Some("0/3 nodes are available".into());
    let health = judge(3, Some(facts.clone()), pods.clone());
    assert_eq!(health.status.state, ComponentState::Blocked);
    let cause = health.cause.unwrap();
    assert_eq!(
        (cause.reason, cause.message.as_str()),
        (Reason::Unschedulable, "pod s-mimir-ingester-2: 0/3 nodes are available")
    );

    facts.created = 2;
    facts.refusal = Some("pods \"x\" is forbidden: exceeded quota: compute".into());
    let cause = judge(3, Some(facts), pods).cause.unwrap();
    assert_eq!(cause.reason, Reason::QuotaExceeded);
    assert!(cause.message.contains("2 of 3 pods exist") && cause.message.contains("exceeded quota: compute"));
}

fn followed(components: Vec<ComponentHealth>) -> Followed {
    Followed {
        report: design(&common::valid(&common::small_with(""))).report,
        buckets: vec![BucketHealth { name: "b".into(), purpose: "metrics.blocks".into(), fault: None }],
        applied: Applied::All,
        components,
        protected: Some(1),
        objects: 30,
        ..Followed::default()
    }
}

fn say(previous: &StackStatus, situation: &Situation) -> (StackStatus, Vec<EventIntent>) {
    let key = StackKey { namespace: "ns".into(), name: "s".into() };
    let verdict = conclude(&key, 1, previous, situation, NOW);
    (verdict.status, verdict.events)
}

fn follow(previous: &StackStatus, followed: Followed) -> (StackStatus, Vec<EventIntent>) {
    say(previous, &Situation::Followed(Box::new(followed)))
}

fn is(status: &StackStatus, type_: ConditionType) -> (ConditionStatus, &str, &str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    (found.status, &found.reason, &found.message)
}

fn ready() -> ComponentHealth {
    let (facts, pods) = healthy(3);
    judge(3, Some(facts), pods)
}

#[test]
fn a_stack_with_everything_in_place_is_ready_and_says_so_once() {
    let (status, events) = follow(&StackStatus::default(), followed(vec![ready()]));
    assert_eq!(
        is(&status, ConditionType::Ready),
        (ConditionStatus::True, "AllReady", "3 pods ready, 1 buckets reachable")
    );
    assert_eq!(is(&status, ConditionType::Reconciling).1, "Idle");
    assert_eq!(status.summary.as_ref().unwrap().components_ready, "1/1");
    assert!(events.iter().any(|event| event.reason == Reason::AllReady && !event.warning));
    assert_eq!(follow(&status, followed(vec![ready()])).1, []);
}

#[test]
fn ready_names_the_first_gate_that_fails() {
    let mut nothing = followed(vec![judge(1, None, Vec::new())]);
    assert_eq!(
        is(&follow(&StackStatus::default(), nothing.clone()).0, ConditionType::Ready).1,
        "RolloutInProgress"
    );
    nothing.buckets[0].fault =
        Some(Fault { reason: Reason::AccessDenied, message: "bucket b: Access Denied".into() });
    nothing.applied = Applied::Waiting;
    let status = follow(&StackStatus::default(), nothing).0;
    assert_eq!(
        is(&status, ConditionType::Ready),
        (ConditionStatus::False, "StorageNotReady", "bucket b: Access Denied")
    );
    assert_eq!(is(&status, ConditionType::StorageReady).1, "AccessDenied");
    assert_eq!(is(&status, ConditionType::Stalled).1, "AccessDenied", "no waiting mends it");
    assert_eq!(
        is(&status, ConditionType::Reconciling),
        (ConditionStatus::False, "Blocked", "bucket b: Access Denied")
    );
}

#[test]
fn i8_an_invalid_spec_leaves_the_running_stack_and_still_looks_at_it() {
    let (before, _) = follow(&StackStatus::default(), followed(vec![ready()]));
    let fault = |field| Violation::new(Reason::InvalidQuantity, field, "is wrong");
    let (status, events) = say(
        &before,
        &Situation::Invalid { violations: vec![fault("spec.a"), fault("spec.b")], components: vec![ready()] },
    );
    assert_eq!(
        is(&status, ConditionType::SpecValid),
        (ConditionStatus::False, "InvalidQuantity", "2 faults: spec.a: is wrong; spec.b: is wrong")
    );
    assert_eq!(is(&status, ConditionType::Available).0, ConditionStatus::True, "it goes on serving");
    assert_eq!((&status.components, &status.endpoints), (&before.components, &before.endpoints));
    assert!(events.iter().any(|event| event.warning && event.note.contains("spec.a: is wrong")));
}
