//! Laws of concluding that hold for every history of situations.

#![cfg(test)]

mod common;

use obstack_api::{ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    conclude::{Applied, BucketHealth, Fault, Followed, Situation, Verdict, conclude, holds},
    design::design,
    diagnose,
    live::{Live, PodFacts, WorkloadFacts},
    names::StackKey,
    need::PodNeed,
    violation::Violation,
};
use proptest::prelude::*;

/// Conditions that must all be True before Ready is.
const GATES: &[ConditionType] = &[
    ConditionType::SpecValid,
    ConditionType::StorageReady,
    ConditionType::PlanApplied,
    ConditionType::WorkloadsReady,
    ConditionType::DatasourcesReady,
];

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(Reason::ALL)
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    // Mostly none, or Ready would hardly ever be reached.
    prop::option::weighted(
        0.15,
        reason().prop_map(|reason| Fault { reason, message: format!("because {reason:?}") }),
    )
}

/// One component with what is observed of it: healthy more often than not.
fn component(
    index: usize,
) -> impl Strategy<Value = (PlannedComponent, Option<WorkloadFacts>, Vec<PodFacts>)> {
    let name = format!("metrics.c{index}");
    let workload: obstack_core::objects::ObjectId = format!("Deployment/ns/c{index}").parse().unwrap();
    let behind = || prop_oneof![6 => Just(0_i32), 1 => 1..3_i32];
    (
        0..4_u32,
        prop::option::weighted(0.9, (behind(), behind(), behind(), behind())),
        prop::option::weighted(0.15, reason()),
    )
        .prop_map(move |(desired, seen, trouble)| {
            let count = i32::try_from(desired).unwrap();
            let planned = PlannedComponent {
                name: name.clone(),
                workload: workload.clone(),
                desired,
                image: "i:1".into(),
                protected: desired > 1,
                class: Class::Other,
                need: PodNeed::default(),
            };
            let facts = seen.map(|(generation, updated, ready, created)| WorkloadFacts {
                generation: 5,
                observed_generation: i64::from(5 - generation),
                replicas: count,
                updated: count - updated,
                ready: count - ready,
                created: count - created,
                revision: String::new(),
                refusal: trouble.map(|reason| format!("refused: {reason:?}")),
            });
            let pods = (0..desired).map(|pod| PodFacts {
                name: format!("c{index}-{pod}"),
                component: name.clone(),
                ready: trouble.is_none() || pod > 0,
                unscheduled: trouble.map(|reason| format!("trouble: {reason:?}")),
                ..PodFacts::default()
            });
            (planned, facts, pods.collect())
        })
}

fn followed() -> impl Strategy<Value = Followed> {
    let components = (0..4_usize).prop_flat_map(|count| (0..count).map(component).collect::<Vec<_>>());
    let applied = prop_oneof![
        8 => Just(Applied::All),
        1 => Just(Applied::Waiting),
        1 => reason().prop_map(|reason| Applied::Failed(Fault { reason, message: "not applied".into() })),
    ];
    let buckets = prop::collection::vec(fault(), 0..4);
    let report = design(&common::valid(&common::small_with(""))).report;
    (components, applied, buckets, fault(), prop::option::of(0..3_u32)).prop_map(
        move |(components, applied, buckets, datasources_fault, protected)| {
            let mut live = Live::default();
            let mut planned = Vec::new();
            for (component, facts, pods) in components {
                live.workloads.extend(facts.map(|facts| (component.workload.clone(), facts)));
                live.pods.extend(pods);
                planned.push(component);
            }
            let bucket =
                |(index, fault)| BucketHealth { name: format!("b{index}"), purpose: "x".into(), fault };
            Followed {
                report: report.clone(),
                buckets: buckets.into_iter().enumerate().map(bucket).collect(),
                applied,
                components: diagnose::of(&planned, &live),
                protected,
                objects: planned.len(),
                datasources_fault,
                ..Followed::default()
            }
        },
    )
}

fn situation() -> impl Strategy<Value = Situation> {
    prop_oneof![
        8 => followed().prop_map(|followed| Situation::Followed(Box::new(followed))),
        1 => prop::collection::vec(reason(), 1..3).prop_map(|reasons| {
            let violations = reasons.into_iter().map(|reason| Violation::new(reason, "spec.x", "is wrong")).collect();
            Situation::Invalid { violations, components: Vec::new() }
        }),
        1 => Just(Situation::Suspended { components: Vec::new() }),
        1 => Just(Situation::Terminating),
    ]
}

fn next(previous: &StackStatus, generation: i64, situation: &Situation, now: &str) -> Verdict {
    let key = StackKey { namespace: "ns".into(), name: "s".into() };
    conclude(&key, generation, previous, situation, now)
}

fn status_of(status: &StackStatus, type_: ConditionType) -> Option<ConditionStatus> {
    status.conditions.iter().find(|condition| condition.type_ == type_).map(|condition| condition.status)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn i6_ready_is_true_only_when_every_gate_and_every_component_is(history in prop::collection::vec(situation(), 1..6)) {
        let mut status = StackStatus::default();
        for (step, situation) in history.iter().enumerate() {
            let generation = i64::try_from(step).unwrap() + 1;
            status = next(&status, generation, situation, &format!("2026-01-01T00:00:{step:02}Z")).status;
            prop_assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(generation)));
            let ready = holds(&status, ConditionType::Ready);
            if ready {
                for gate in GATES {
                    prop_assert!(holds(&status, *gate), "{gate}");
                }
                let Situation::Followed(followed) = situation else {
                    return Err(TestCaseError::fail("Ready without having followed the spec"));
                };
                for component in &followed.components {
                    let seen = &component.status;
                    prop_assert!(component.cause.is_none() && seen.ready >= seen.desired && seen.updated >= seen.desired);
                }
                prop_assert!(followed.buckets.iter().all(|bucket| bucket.fault.is_none()));
            }
            let (reconciling, stalled) = (holds(&status, ConditionType::Reconciling), holds(&status, ConditionType::Stalled));
            prop_assert!(!(reconciling && stalled), "both Reconciling and Stalled");
            prop_assert!(!(ready && (reconciling || stalled)), "Ready and something else too");
            for type_ in [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled] {
                prop_assert!(status_of(&status, type_).is_some(), "{type_} is always there");
            }
        }
    }

    #[test]
    fn i2_concluding_the_same_again_changes_nothing_and_says_nothing(history in prop::collection::vec(situation(), 1..4)) {
        let mut status = StackStatus::default();
        for situation in &history {
            status = next(&status, 1, situation, "2026-01-01T00:00:00Z").status;
            let again = next(&status, 1, situation, "2026-01-02T00:00:00Z");
            prop_assert_eq!(&again.status, &status);
            prop_assert_eq!(again.events, Vec::new());
        }
    }

    #[test]
    fn a_transition_time_moves_exactly_with_the_status(history in prop::collection::vec(situation(), 2..6)) {
        let mut before = StackStatus::default();
        for (step, situation) in history.iter().enumerate() {
            let now = format!("2026-01-01T00:00:{step:02}Z");
            let after = next(&before, 1, situation, &now).status;
            for condition in &after.conditions {
                let old = before.conditions.iter().find(|old| old.type_ == condition.type_);
                let expected = match old {
                    Some(old) if old.status == condition.status => &old.last_transition_time,
                    _ => &now,
                };
                prop_assert_eq!(&condition.last_transition_time, expected, "{}", condition.type_);
            }
            before = after;
        }
    }

    #[test]
    fn each_condition_stands_once_and_each_event_has_its_own_reason(history in prop::collection::vec(situation(), 1..4)) {
        let mut status = StackStatus::default();
        for situation in &history {
            let verdict = next(&status, 1, situation, "2026-01-01T00:00:00Z");
            let mut types: Vec<_> = verdict.status.conditions.iter().map(|condition| condition.type_.to_string()).collect();
            let mut reasons: Vec<_> = verdict.events.iter().map(|event| event.reason.as_str()).collect();
            types.sort();
            prop_assert!(types.windows(2).all(|pair| pair[0] != pair[1]), "{types:?}");
            reasons.sort_unstable();
            prop_assert!(reasons.windows(2).all(|pair| pair[0] != pair[1]), "{reasons:?}");
            status = verdict.status;
        }
    }
}
