//! Laws of concluding that hold for every history of situations.

#![cfg(test)]

mod common;
#[path = "diagnosis/observed.rs"]
mod observed;

use obstack_api::{ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::{
    conclude::{
        Applied, Aspects, BucketHealth, Fault, Followed, Situation, Verdict, conclude, fallen_with, holds,
    },
    design::design,
    finding::Finding,
    names::StackKey,
    objects::Kind,
    violation::Violation,
};
use proptest::prelude::*;

use observed::{Observed, as_planned, is_whole, live, look, observed};

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

/// Aspects beside the gates, mostly good ones.
fn aspects() -> impl Strategy<Value = Aspects> {
    let types = [
        ConditionType::PolicyCompliant,
        ConditionType::RingsHealthy,
        ConditionType::DataPathVerified,
        ConditionType::QuotaSatisfied,
    ];
    let finding = prop::option::weighted(
        0.3,
        prop_oneof![
            5 => Just(Finding::holds(Reason::AllReady, "as it should be")),
            1 => Just(Finding::fails(Reason::RingUnhealthy, "not as it should be")),
            1 => Just(Finding::unknown(Reason::NotVerified, "nobody knows")),
        ],
    );
    prop::collection::vec(finding, types.len()).prop_map(move |found| {
        types.iter().zip(found).filter_map(|(type_, finding)| Some((*type_, finding?))).collect()
    })
}

/// A situation with what was observed in it.
#[derive(Clone, Debug)]
struct Seen {
    situation: Situation,
    observed: Vec<Observed>,
}

fn followed() -> impl Strategy<Value = Seen> {
    let applied = prop_oneof![
        8 => Just(Applied::All),
        1 => Just(Applied::Waiting),
        1 => reason().prop_map(|reason| Applied::Failed(Fault { reason, message: "not applied".into() })),
        1 => reason().prop_map(|reason| Applied::Held(Fault { reason, message: "held".into() })),
    ];
    let buckets = prop::collection::vec(fault(), 0..4);
    let report = design(&common::valid(&common::small_with(""))).report;
    (observed(), applied, buckets, fault(), aspects()).prop_map(
        move |(observed, applied, buckets, datasources_fault, aspects)| {
            let bucket = |(index, fault)| BucketHealth {
                name: format!("b{index}"),
                purpose: "metrics.blocks".into(),
                fault,
            };
            let buckets: Vec<_> = buckets.into_iter().enumerate().map(bucket).collect();
            let followed = Followed {
                report: report.clone(),
                components: look(&observed, &live(&observed), &buckets),
                buckets,
                applied,
                aspects,
                objects: observed.len(),
                datasources_fault,
                ..Followed::default()
            };
            Seen { situation: Situation::Followed(Box::new(followed)), observed }
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    let invalid = (prop::collection::vec(reason(), 1..3), observed()).prop_map(|(reasons, observed)| {
        let fault = |reason| Violation::new(reason, "spec.x", "is wrong");
        let components = look(&observed, &live(&observed), &[]);
        let violations = reasons.into_iter().map(fault).collect();
        Seen { situation: Situation::Invalid { violations, components, aspects: Aspects::new() }, observed }
    });
    let suspended = observed().prop_map(|observed| {
        let components = look(&observed, &live(&observed), &[]);
        Seen { situation: Situation::Suspended { components, aspects: Aspects::new() }, observed }
    });
    let terminating = Just(Seen { situation: Situation::Terminating, observed: Vec::new() });
    prop_oneof![8 => followed(), 1 => invalid, 1 => suspended, 1 => terminating]
}

fn situation() -> impl Strategy<Value = Situation> {
    seen().prop_map(|seen| seen.situation)
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
    fn i6_ready_means_that_every_desired_pod_was_seen_ready_at_the_newest_revision(
        history in prop::collection::vec(seen(), 1..4),
    ) {
        let mut status = StackStatus::default();
        for (step, seen) in history.iter().enumerate() {
            let generation = i64::try_from(step).unwrap() + 1;
            status = next(&status, generation, &seen.situation, "2026-01-01T00:00:00Z").status;
            if !holds(&status, ConditionType::Ready) {
                continue;
            }
            prop_assert_eq!(status.observed_generation, Some(generation));
            let of_it = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready);
            prop_assert_eq!(of_it.and_then(|condition| condition.observed_generation), Some(generation));
            for observed in &seen.observed {
                prop_assert!(is_whole(observed), "{observed:?}");
            }
            let Situation::Followed(followed) = &seen.situation else {
                return Err(TestCaseError::fail("Ready without having followed the spec"));
            };
            prop_assert!(followed.buckets.iter().all(|bucket| bucket.fault.is_none()));
            prop_assert_eq!(&followed.applied, &Applied::All);
        }
    }

    #[test]
    fn what_is_as_planned_is_ready_and_what_is_not_has_a_cause(observed in observed()) {
        let live = live(&observed);
        for (index, (health, observed)) in look(&observed, &live, &[]).iter().zip(&observed).enumerate() {
            let Observed { planned, workload, pods } = as_planned(
                index,
                observed.planned.desired,
                observed.planned.workload.kind == Kind::StatefulSet,
            );
            prop_assert_eq!(&planned, &observed.planned);
            let flawless = workload == observed.workload && pods == observed.pods;
            prop_assert!(!flawless || health.cause.is_none(), "{:?}", health.cause);
            prop_assert!(health.cause.is_some() || is_whole(observed));
            prop_assert!(health.cause.as_ref().is_none_or(|cause| !cause.message.is_empty()));
        }
    }

    #[test]
    fn a_cause_is_the_same_in_whatever_order_pods_are_seen(observed in observed(), turn in 0..8_usize) {
        let (ordered, mut other) = (live(&observed), live(&observed));
        let turn = turn.min(other.pods.len());
        other.pods.rotate_left(turn);
        other.pods.reverse();
        prop_assert_eq!(look(&observed, &ordered, &[]), look(&observed, &other, &[]));
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
    fn the_condition_that_ready_has_fallen_with_says_why(history in prop::collection::vec(situation(), 1..4)) {
        let mut status = StackStatus::default();
        for situation in &history {
            status = next(&status, 1, situation, "2026-01-01T00:00:00Z").status;
            let ready = status.conditions.iter().find(|said| said.type_ == ConditionType::Ready).unwrap();
            let gate = fallen_with(&status);
            let whole = ["Suspended", "Terminating", "Pending"].contains(&ready.reason.as_str());
            prop_assert_eq!(gate.is_some(), ready.status == ConditionStatus::False && !whole);
            if let Some(gate) = gate {
                prop_assert!(ready.message.ends_with(&gate.message), "{ready:?} {gate:?}");
            }
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
