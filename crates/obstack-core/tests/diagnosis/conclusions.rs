//! What conditions and events say of it.

use std::collections::BTreeMap;

use obstack_api::{ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::{
    conclude::{Applied, BucketHealth, EventIntent, Fault, Followed, Situation, conclude},
    design::design,
    diagnose::ComponentHealth,
    names::StackKey,
    violation::Violation,
};

use super::world::{Change, World, waits};
use crate::common;

const NOW: &str = "2026-01-01T00:00:00Z";

fn followed(components: Vec<ComponentHealth>) -> Followed {
    Followed {
        report: design(&common::valid(&common::small_with(""))).report,
        buckets: vec![BucketHealth { name: "b".into(), purpose: "metrics.blocks".into(), fault: None }],
        applied: Applied::All,
        components,
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

fn ready() -> Vec<ComponentHealth> {
    World::ingesters(3).health()
}

#[test]
fn a_stack_with_everything_in_place_is_ready_and_says_so_once() {
    let (status, events) = follow(&StackStatus::default(), followed(ready()));
    assert_eq!(
        is(&status, ConditionType::Ready),
        (ConditionStatus::True, "AllReady", "3 pods ready, 1 buckets reachable")
    );
    assert_eq!(is(&status, ConditionType::Reconciling).1, "Idle");
    assert_eq!(status.summary.as_ref().unwrap().components_ready, "1/1");
    assert!(events.iter().any(|event| event.reason == Reason::AllReady && !event.warning));
    assert_eq!(follow(&status, followed(ready())).1, []);
}

#[test]
fn ready_names_the_first_gate_that_fails() {
    let mut world = World::ingesters(1);
    world.live = obstack_core::live::Live::default();
    let mut nothing = followed(world.health());
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
fn a_cause_is_told_with_its_object_and_its_fix_and_each_of_them_once() {
    let mut world = World::ingesters(3);
    for index in [1, 2] {
        world.unready(index, 10).is(waits("ErrImagePull", "mimir:9: not found"));
    }
    let status = follow(&StackStatus::default(), followed(world.health())).0;
    let fix = Reason::ImagePullFailed.fix().unwrap();
    let what = "pod s-mimir-ingester-1 and 1 more: container ingester cannot have its image mimir:9: mimir:9: not found";
    let message = format!("{what}. {fix}");
    assert_eq!(
        is(&status, ConditionType::WorkloadsReady),
        (ConditionStatus::False, "ImagePullFailed", message.as_str())
    );
    assert_eq!(status.components[0].message.as_deref(), Some(what));
    assert_eq!(is(&status, ConditionType::Available).0, ConditionStatus::False, "one of three");
}

#[test]
fn a_stack_serves_while_what_is_away_stops_neither_writes_nor_queries() {
    let away = |component: &str, kind: &str| {
        let mut world = World::ingesters(3);
        world.add(component, kind, 1);
        world.none_ready(component, |pod| pod.is(waits("CrashLoopBackOff", "back-off")));
        let status = follow(&StackStatus::default(), followed(world.health())).0;
        let available = is(&status, ConditionType::Available);
        assert_eq!(is(&status, ConditionType::Ready).0, ConditionStatus::False, "{component}");
        (available.0, available.2.to_owned())
    };
    let told = "writes and queries have enough ready pods; metrics.compactor has 0 of 1 pods ready, so compaction and \
                retention, and after an hour queries stand still";
    assert_eq!(away("metrics.compactor", "StatefulSet"), (ConditionStatus::True, told.to_owned()));
    assert_eq!(away("metrics.ruler", "Deployment").0, ConditionStatus::True);
    let told = "metrics.distributor has 0 of 1 pods ready";
    assert_eq!(away("metrics.distributor", "Deployment"), (ConditionStatus::False, told.to_owned()));
    assert_eq!(
        away("metrics.unheardOf", "Deployment").0,
        ConditionStatus::False,
        "nobody knows what needs it"
    );
}

#[test]
fn i8_an_invalid_spec_leaves_the_running_stack_and_still_looks_at_it() {
    let (before, _) = follow(&StackStatus::default(), followed(ready()));
    let fault = |field| Violation::new(Reason::InvalidQuantity, field, "is wrong");
    let invalid = Situation::Invalid {
        violations: vec![fault("spec.a"), fault("spec.b")],
        components: ready(),
        aspects: BTreeMap::new(),
    };
    let (status, events) = say(&before, &invalid);
    assert_eq!(
        is(&status, ConditionType::SpecValid),
        (ConditionStatus::False, "InvalidQuantity", "2 faults: spec.a: is wrong; spec.b: is wrong")
    );
    assert_eq!(is(&status, ConditionType::Available).0, ConditionStatus::True, "it goes on serving");
    assert_eq!((&status.components, &status.endpoints), (&before.components, &before.endpoints));
    assert!(events.iter().any(|event| event.warning && event.note.contains("spec.a: is wrong")));
}
