//! The laws of the machine, one by one.

use std::time::Duration;

use super::state::{Decision, Machine, Record, Timing};

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn record(holder: &str, renewed: &str, transitions: i64, version: &str) -> Record {
    Record {
        holder: holder.into(),
        renewed: renewed.into(),
        transitions,
        duration: TIMING.duration,
        resource_version: version.into(),
    }
}

fn machine() -> Machine {
    Machine::new("me".into(), TIMING, 1)
}

/// A machine that leads since `at`.
fn leader(at: Duration) -> Machine {
    let mut machine = machine();
    machine.observed(at, None);
    assert_eq!(machine.decide(at), Decision::Create);
    machine.wrote(at, at, record("me", "t0", 1, "1"));
    assert!(machine.leading().is_some());
    machine
}

fn renew(version: &str) -> Decision {
    Decision::Renew { resource_version: version.into() }
}

fn acquire(version: &str, transitions: i64) -> Decision {
    Decision::Acquire { resource_version: version.into(), transitions }
}

/// When a candidate that sees `record` at 100 s and then sees it unchanged, every second, first wants to take it.
fn takes_after(record: &Record) -> Option<u64> {
    let mut machine = machine();
    (0..120).find(|second| {
        let now = s(100 + second);
        if machine.decide(now) == Decision::Observe {
            machine.observed(now, Some(record.clone()));
        }
        matches!(machine.decide(now), Decision::Acquire { .. })
    })
}

#[test]
fn nothing_is_written_before_the_record_was_read() {
    assert_eq!(machine().decide(s(0)), Decision::Observe);
}

#[test]
fn a_missing_record_is_created() {
    let mut machine = machine();
    machine.observed(s(1), None);
    assert_eq!(machine.decide(s(1)), Decision::Create);
}

#[test]
fn the_clock_of_the_holder_changes_nothing() {
    for renewed in
        ["1990-01-01T00:00:00Z", "2026-11-19T00:00:00Z", "2026-11-21T00:00:00Z", "2099-01-01T00:00:00Z", ""]
    {
        assert_eq!(takes_after(&record("other", renewed, 3, "7")), Some(15), "{renewed}");
    }
}

#[test]
fn a_longer_lease_of_the_holder_is_respected_and_a_shorter_one_is_not() {
    let with = |seconds| Record { duration: s(seconds), ..record("other", "t", 3, "7") };
    assert_eq!(takes_after(&with(60)), Some(60));
    assert_eq!(takes_after(&with(1)), Some(15));
}

#[test]
fn any_change_of_the_record_starts_the_wait_again() {
    let first = record("other", "t0", 3, "7");
    for changed in [
        record("third", "t0", 3, "7"),
        record("other", "t1", 3, "7"),
        record("other", "t0", 4, "7"),
        record("other", "t0", 3, "8"),
    ] {
        let mut machine = machine();
        machine.observed(s(0), Some(first.clone()));
        machine.observed(s(14), Some(changed.clone()));
        machine.observed(s(28), Some(changed.clone()));
        assert!(matches!(machine.decide(s(28)), Decision::Wait { .. }), "{changed:?}");
        machine.observed(s(29), Some(changed.clone()));
        assert!(matches!(machine.decide(s(29)), Decision::Acquire { .. }), "{changed:?}");
    }
}

#[test]
fn a_takeover_names_the_version_seen_and_the_next_epoch() {
    let mut machine = machine();
    let stood_still = record("other", "t0", 3, "7");
    machine.observed(s(0), Some(stood_still.clone()));
    machine.observed(s(15), Some(stood_still));
    assert_eq!(machine.decide(s(15)), acquire("7", 4));
}

#[test]
fn a_candidate_wakes_when_the_lease_runs_out() {
    let mut machine = machine();
    let stood_still = record("other", "t0", 3, "7");
    machine.observed(s(0), Some(stood_still.clone()));
    machine.observed(s(14), Some(stood_still));
    assert_eq!(machine.decide(s(14)), Decision::Wait { until: s(15) });
}

#[test]
fn a_released_record_is_taken_at_once() {
    assert_eq!(takes_after(&record("", "t0", 3, "7")), Some(0));
}

#[test]
fn a_candidate_looks_again_within_the_retry_pause() {
    let mut machine = machine();
    machine.observed(s(50), Some(record("other", "t0", 3, "7")));
    let Decision::Wait { until } = machine.decide(s(50)) else { panic!("{machine:?}") };
    assert!(until > Duration::from_millis(51_500) && until <= s(52), "{until:?}");
    assert_eq!(machine.decide(until), Decision::Observe);
}

#[test]
fn a_conflict_means_read_again() {
    let mut candidate = machine();
    candidate.observed(s(0), None);
    candidate.conflict(s(1));
    assert_eq!(candidate.decide(s(1)), Decision::Observe);
    assert!(candidate.leading().is_none());

    let mut leader = leader(s(0));
    leader.conflict(s(2));
    assert_eq!(leader.decide(s(2)), Decision::Observe);
}

#[test]
fn conflicts_in_a_row_are_paused_for() {
    let mut machine = machine();
    machine.conflict(s(1));
    machine.observed(s(1), None);
    machine.conflict(s(1));
    assert!(matches!(machine.decide(s(1)), Decision::Wait { .. }));
    assert_eq!(machine.decide(s(3)), Decision::Observe);
}

#[test]
fn an_acquisition_whose_answer_was_lost_is_confirmed_by_a_renewal() {
    let mut machine = machine();
    machine.observed(s(0), Some(record("", "t0", 3, "7")));
    machine.failed(s(4));
    machine.observed(s(6), Some(record("me", "t1", 4, "8")));
    assert!(machine.leading().is_none(), "leads only by an answered write");
    assert_eq!(machine.decide(s(6)), renew("8"));
    machine.wrote(s(6), s(6), record("me", "t2", 4, "9"));
    assert_eq!(machine.leading().map(|l| (l.renewed_at, l.epoch)), Some((s(6), 4)));
}

#[test]
fn a_renewal_whose_answer_was_lost_does_not_cost_the_leadership() {
    let mut machine = leader(s(0));
    machine.failed(s(4));
    assert_eq!(machine.decide(s(6)), renew("1"));
    machine.conflict(s(6));
    machine.observed(s(6), Some(record("me", "t1", 1, "2")));
    assert_eq!(machine.decide(s(6)), renew("2"));
    assert_eq!(
        machine.leading().unwrap().renewed_at,
        s(0),
        "what was read does not prolong, what was answered does"
    );
}

#[test]
fn a_leadership_counts_from_when_its_renewal_left() {
    let mut machine = leader(s(0));
    machine.wrote(s(2), s(6), record("me", "t1", 1, "2"));
    assert_eq!(machine.leading().unwrap().renewed_at, s(2));
    machine.failed(s(11));
    assert_eq!(machine.decide(s(11)), Decision::Wait { until: s(12) });
    assert_eq!(machine.decide(s(12)), Decision::Lost);
}

#[test]
fn a_leader_that_was_paused_past_the_deadline_is_lost_and_no_late_answer_brings_it_back() {
    let mut machine = leader(s(0));
    assert_eq!(machine.decide(s(10)), Decision::Lost);
    machine.wrote(s(9), s(12), record("me", "t1", 1, "2"));
    assert_eq!(machine.decide(s(12)), Decision::Lost);
    machine.wrote(s(20), s(20), record("me", "t2", 1, "3"));
    machine.observed(s(21), Some(record("", "t2", 1, "4")));
    assert_eq!(machine.decide(s(21)), Decision::Lost);
}

#[test]
fn a_paused_leader_stops_writing_long_before_a_standby_may_begin() {
    let mut standby = Machine::new("standby".into(), TIMING, 2);
    let held = record("me", "t0", 1, "1");
    // The standby cannot see the renewal before it was sent, so at 0 s at the earliest.
    standby.observed(s(0), Some(held.clone()));
    let taken = (0..60_000).map(Duration::from_millis).find(|now| {
        if standby.decide(*now) == Decision::Observe {
            standby.observed(*now, Some(held.clone()));
        }
        matches!(standby.decide(*now), Decision::Acquire { .. })
    });
    assert_eq!(leader(s(0)).decide(TIMING.renew_deadline), Decision::Lost);
    assert_eq!(taken, Some(TIMING.duration));
}

#[test]
fn an_acquisition_that_was_too_long_on_its_way_is_not_a_leadership() {
    let mut machine = machine();
    machine.observed(s(0), None);
    machine.wrote(s(0), s(60), record("me", "t0", 1, "1"));
    assert!(machine.leading().is_none());
    assert_eq!(machine.decide(s(62)), Decision::Observe);
}

#[test]
fn another_holder_or_another_epoch_or_a_deleted_record_ends_the_leadership() {
    for seen in [
        Some(record("other", "t1", 2, "2")),
        Some(record("me", "t1", 2, "2")),
        Some(record("", "t1", 1, "2")),
        None,
    ] {
        let mut machine = leader(s(0));
        machine.conflict(s(1));
        machine.observed(s(1), seen.clone());
        assert_eq!(machine.decide(s(1)), Decision::Lost, "{seen:?}");
        assert!(machine.leading().is_none());
    }
}

#[test]
fn a_candidate_reads_again_after_a_request_that_failed() {
    let mut machine = machine();
    machine.observed(s(0), None);
    machine.failed(s(4));
    assert!(matches!(machine.decide(s(4)), Decision::Wait { .. }));
    assert_eq!(machine.decide(s(6)), Decision::Observe);
}
