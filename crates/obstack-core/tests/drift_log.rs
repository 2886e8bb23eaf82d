//! Repairs: what is said of them, and how a fight over an object is slowed down.

#![cfg(test)]

use std::{collections::BTreeMap, time::Duration};

use obstack_api::{Condition, ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::{
    conclude::Fault,
    drift::{Deed, DriftLog, Standing, WINDOW, before},
    objects::ObjectId,
};
use proptest::prelude::*;

fn id(name: &str) -> ObjectId {
    format!("ConfigMap/ns/{name}").parse().unwrap()
}

fn changed(manager: &str, field: &str) -> Deed {
    Deed { deleted: false, manager: Some(manager.into()), fields: vec![field.into()] }
}

fn by_argo() -> Deed {
    changed("argo", "data.a")
}

/// What the log says: reason and message; empty when it keeps silent.
fn said(log: &DriftLog, now: u64) -> (String, String) {
    log.finding(now)
        .map(|finding| {
            assert_eq!(finding.status == ConditionStatus::True, finding.reason == Reason::NoDrift);
            (finding.reason.to_string(), finding.message)
        })
        .unwrap_or_default()
}

fn reason(log: &DriftLog, now: u64) -> String {
    said(log, now).0
}

/// Takes in that one object is drifted and waits.
fn stands(log: &mut DriftLog, name: &str, fault: Option<Fault>, now: u64) {
    log.standing([(id(name), Standing { deed: by_argo(), fault })].into(), now);
}

#[test]
fn a_young_log_without_repairs_says_nothing_an_old_one_that_there_are_none() {
    let log = DriftLog::begin(100);
    assert_eq!(said(&log, 100), Default::default());
    assert_eq!(log.again(100), Some(Duration::from_secs(WINDOW)));
    assert_eq!(reason(&log, 100 + WINDOW), "NoDrift");
    assert_eq!(log.again(100 + WINDOW), None);
}

#[test]
fn a_repair_is_told_for_ten_minutes() {
    let mut log = DriftLog::begin(0);
    log.repaired(&id("a"), changed("kubectl-scale", "spec.replicas"), 700);
    let expect = "ConfigMap/ns/a (spec.replicas) was changed by kubectl-scale and was put back";
    assert_eq!(said(&log, 700), ("Repaired".into(), expect.into()));
    assert_eq!(said(&log, 700 + WINDOW - 1), ("Repaired".into(), expect.into()), "no ticking numbers");
    assert_eq!(log.again(800), Some(Duration::from_secs(500)));
    assert_eq!(reason(&log, 700 + WINDOW), "NoDrift");
}

#[test]
fn of_several_objects_the_last_one_is_named() {
    let mut log = DriftLog::begin(0);
    log.repaired(&id("a"), by_argo(), 10);
    log.repaired(&id("b"), Deed { deleted: true, ..Deed::default() }, 20);
    assert_eq!(said(&log, 20).1, "ConfigMap/ns/b was deleted and was put back (and 1 more object)");
    log.repaired(&id("c"), by_argo(), 20);
    assert_eq!(said(&log, 20).1, "ConfigMap/ns/b was deleted and was put back (and 2 more objects)");
    assert_eq!(said(&log, 10 + WINDOW).1, "ConfigMap/ns/b was deleted and was put back (and 1 more object)");
}

#[test]
fn three_repairs_are_free_then_the_waits_double() {
    let mut log = DriftLog::begin(0);
    let mut now = 1000;
    let mut waits = Vec::new();
    for _ in 0..12 {
        if let Err(wait) = log.may_repair(&id("a"), now) {
            stands(&mut log, "a", None, now);
            assert_eq!(log.again(now), Some(wait), "it is looked at again when the wait is over");
            now += wait.as_secs();
            assert_eq!(log.may_repair(&id("a"), now), Ok(()));
            waits.push(wait.as_secs());
        } else {
            waits.push(0);
        }
        log.repaired(&id("a"), by_argo(), now);
    }
    assert_eq!(waits, [0, 0, 0, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
    assert_eq!(log.may_repair(&id("b"), now), Ok(()), "other objects do not wait");
}

#[test]
fn what_happens_slowly_never_waits() {
    let mut log = DriftLog::begin(0);
    for round in 0..20 {
        let now = round * 61;
        assert_eq!(log.may_repair(&id("a"), now), Ok(()));
        log.repaired(&id("a"), by_argo(), now);
        assert_eq!(reason(&log, now), "Repaired");
    }
}

#[test]
fn a_contest_names_both_managers_and_the_field() {
    let mut log = DriftLog::begin(0);
    for _ in 0..3 {
        log.repaired(&id("a"), by_argo(), 50);
        assert_eq!(reason(&log, 50), "Repaired");
    }
    stands(&mut log, "a", None, 51);
    let expect = "ConfigMap/ns/a: argo and obstack both set data.a, again and again; it is put back less and less often. \
                  Leave it out of the other manager's manifest";
    assert_eq!(said(&log, 51), ("Contested".into(), expect.into()));
    log.repaired(&id("a"), by_argo(), 60);
    assert_eq!(said(&log, 60), ("Contested".into(), expect.into()), "the same before and after a repair");
    assert_eq!(reason(&log, 60 + WINDOW - 1), "Contested");
    assert_eq!(reason(&log, 60 + WINDOW), "NoDrift");
}

#[test]
fn a_contest_by_deletion_is_told_as_such() {
    let mut log = DriftLog::begin(0);
    for now in 0..4 {
        log.repaired(&id("a"), Deed { deleted: true, ..Deed::default() }, now);
    }
    let (reason, message) = said(&log, 4);
    assert_eq!(reason, "Contested");
    assert!(
        message.starts_with("ConfigMap/ns/a: somebody deletes it and obstack makes it, again and again;"),
        "{message}"
    );
}

#[test]
fn a_quiet_window_forgets_and_one_of_waiting_does_not() {
    let mut log = DriftLog::begin(0);
    for _ in 0..4 {
        log.repaired(&id("a"), by_argo(), 100);
    }
    let quiet = log.clone();
    assert_eq!(quiet.may_repair(&id("a"), 100 + WINDOW), Ok(()));
    stands(&mut log, "a", None, 101);
    assert!(log.may_repair(&id("a"), 119).is_err());
    assert_eq!(log.may_repair(&id("a"), 120), Ok(()));
    // It was drifted all the time, and nobody came to put it back.
    log.repaired(&id("a"), by_argo(), 101 + 2 * WINDOW);
    assert_eq!(log.may_repair(&id("a"), 101 + 2 * WINDOW), Err(Duration::from_secs(40)), "the waits go on");
    log.repaired(&id("a"), by_argo(), 101 + 5 * WINDOW);
    assert_eq!(log.may_repair(&id("a"), 101 + 5 * WINDOW), Ok(()), "quiet in between");
}

#[test]
fn what_is_not_put_back_is_told_with_its_cause() {
    let mut log = DriftLog::begin(0);
    let fault = Fault { reason: Reason::AwaitingApproval, message: "plan x waits".into() };
    stands(&mut log, "a", Some(fault), 5);
    let expect = "ConfigMap/ns/a (data.a) was changed by argo and is not put back yet: plan x waits";
    assert_eq!(said(&log, 5), ("AwaitingApproval".into(), expect.into()));
    assert_eq!(said(&log, 5 + 3 * WINDOW).1, expect, "as long as it stands");
    log.standing(BTreeMap::new(), 2000);
    assert_eq!(reason(&log, 2000), "NoDrift", "the change has overwritten it");
}

#[test]
fn what_was_said_before_stands_while_the_log_is_silent() {
    let condition = |type_: ConditionType, reason: &str| Condition {
        type_,
        status: ConditionStatus::False,
        observed_generation: Some(1),
        last_transition_time: String::new(),
        reason: reason.into(),
        message: "by argo".into(),
    };
    let check = |conditions: Vec<Condition>, expect: (Reason, &str)| {
        let status = StackStatus { conditions, ..StackStatus::default() };
        let finding = before(Some(&status));
        assert_eq!((finding.reason, finding.message.as_str()), expect);
    };
    let nothing = "nobody else changed an object of the stack";
    check(vec![condition(ConditionType::DriftFree, "Repaired")], (Reason::Repaired, "by argo"));
    check(vec![condition(ConditionType::DriftFree, "Unheard")], (Reason::NoDrift, nothing));
    check(vec![condition(ConditionType::Ready, "Repaired")], (Reason::NoDrift, nothing));
    assert_eq!(before(None).status, ConditionStatus::True);
}

#[test]
fn a_guess_from_afar_does_not_replace_what_was_seen() {
    let mut log = DriftLog::begin(0);
    for _ in 0..3 {
        log.repaired(&id("a"), by_argo(), 5);
    }
    let guess = Deed { manager: Some("kube-controller-manager".into()), ..Deed::default() };
    log.standing([(id("a"), Standing { deed: guess, fault: None })].into(), 6);
    assert!(said(&log, 6).1.starts_with("ConfigMap/ns/a: argo and obstack both set data.a,"));
}

proptest! {
    #[test]
    fn nobody_makes_it_write_more_than_it_may(gaps in prop::collection::vec(0..40_u64, 1..400)) {
        let mut log = DriftLog::begin(0);
        let (mut now, mut writes) = (0, Vec::new());
        for gap in gaps {
            now += gap;
            match log.may_repair(&id("a"), now) {
                Ok(()) => {
                    log.repaired(&id("a"), by_argo(), now);
                    writes.push(now);
                }
                Err(wait) => {
                    prop_assert!(wait <= Duration::from_mins(10));
                    stands(&mut log, "a", None, now);
                }
            }
            for start in &writes {
                let minute = writes.iter().filter(|at| (*start..start + 60).contains(at)).count();
                prop_assert!(minute <= 6, "{minute} writes within a minute: {writes:?}");
            }
        }
    }

    #[test]
    fn a_finding_changes_only_with_a_repair_or_when_it_was_announced(repairs in prop::collection::vec((0..3_u8, 1..400_u64), 1..12)) {
        let mut log = DriftLog::begin(0);
        let mut now = 0;
        for (object, gap) in repairs {
            log.repaired(&id(&object.to_string()), by_argo(), now);
            let (said, again) = (said(&log, now), log.again(now).unwrap());
            for later in now..(now + gap).min(now + again.as_secs()) {
                prop_assert_eq!(&self::said(&log, later), &said);
            }
            now += gap;
        }
    }
}
