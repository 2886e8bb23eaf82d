//! What the preflight says: reasons, words, numbers, and what it stops.

#![cfg(test)]

mod quota_common;

use obstack_api::{CpuLimits, Preflight as Mode};
use quota_common::*;

#[test]
fn a_namespace_without_quotas_limits_nothing() {
    check(two(), Vec::new(), FITS, &["no ResourceQuota"]);
    assert_eq!(Place::new(two(), Vec::new()).look().summary, "no quota");
}

#[test]
fn switched_off_nobody_looks() {
    let mut place = Place::new(two(), vec![quota("q", "pods=0", "")]);
    place.wish.preflight = Mode::Off;
    assert_eq!(place.look(), obstack_core::quota::Preflight::default());
}

#[test]
fn every_quota_must_have_room_and_each_is_named() {
    let quotas = vec![
        quota("b", "requests.cpu=700m pods=9", ""),
        quota("a", "requests.cpu=9 requests.memory=1Gi", "requests.cpu=1"),
        quota("c", "requests.cpu=9", ""),
    ];
    let place = Place::new(two(), quotas);
    said(
        &place,
        SHORT,
        &["nothing was started: requests.memory needs 8Gi, 1Gi free (ResourceQuota a); \
         requests.cpu needs 800m, 700m free (ResourceQuota b); \
         ask for requests.memory=10Gi (ResourceQuota a), requests.cpu=1000m (ResourceQuota b)"],
    );
    assert_eq!(place.look().summary, "cpu 800m > 700m");
}

#[test]
fn warning_says_the_same_and_stops_nothing() {
    let mut place = Place::new(two(), vec![quota("q", "pods=4", "")]);
    assert!(place.look().blocked.is_some());
    place.wish.preflight = Mode::Warn;
    said(
        &place,
        SHORT,
        &["not everything can start: pods needs 5, 4 free (ResourceQuota q); ask for pods=7"],
    );
    assert_eq!(place.look().blocked, None);
}

#[test]
fn a_quota_on_limits_refuses_containers_without() {
    let place = Place::new(two(), vec![quota("q", "limits.cpu=100", "")]);
    said(
        &place,
        "False QuotaRequiresCPULimits",
        &[
            "nothing was started: ResourceQuota q counts limits.cpu",
            "a.web (container main), a.store (container main)",
            "take limits.cpu out of the quota",
        ],
    );
    let found = place.look();
    assert_eq!(found.summary, "limits.cpu required");
    let [blocker] = &*found.status.unwrap().blockers else { panic!() };
    assert_eq!((&*blocker.resource, &*blocker.needs), ("limits.cpu", "stated by every container"));
    check(two(), vec![quota("q", "limits.memory=100Gi", "")], SHORT, &["counts limits.memory", "state it"]);
    // Once it runs, nothing is made that could be refused.
    let mut runs = place.clone();
    runs.run(0, 2);
    runs.run(1, 3);
    said(&runs, FITS, &[]);
}

#[test]
fn a_quota_whose_scope_leaves_the_pods_out_asks_for_no_limits() {
    check(two(), scoped(&["Terminating"], "limits.cpu=1"), FITS, &[]);
}

#[test]
fn limits_from_a_range_satisfy_the_quota_and_are_counted() {
    let mut place = Place::new(two(), vec![quota("q", "limits.cpu=1249m", "")]);
    place.wish.policy.cpu_limits = CpuLimits::Allow;
    place.live.limit_ranges = Some(vec![range("r", &["Container default:cpu=250m"])]);
    said(&place, SHORT, &["limits.cpu needs 1250m, 1249m free"]);
    place.live.quotas = Some(vec![quota("q", "limits.cpu=1250m", "")]);
    said(&place, FITS, &[]);
}

#[test]
fn a_range_that_adds_limits_against_the_policy_is_foretold_and_stops_nothing() {
    let mut place = Place::new(two(), vec![quota("q", "pods=5", "")]);
    place.live.limit_ranges = Some(vec![range("r", &["Container default:cpu=250m"])]);
    said(
        &place,
        "False LimitRangeConflict",
        &[
            "LimitRange r sets limits.cpu=250m, which the resource policy forbids: a.web (container main), a.store",
            "out of the LimitRange",
        ],
    );
    let found = place.look();
    assert_eq!((found.blocked, found.summary.as_str()), (None, "pods 5/5"));
    place.wish.policy.cpu_limits = CpuLimits::Allow;
    said(&place, FITS, &[]);
    place.live.limit_ranges = Some(vec![range("r", &["Container default:memory=4Gi"])]);
    said(&place, "False LimitRangeConflict", &["sets limits.memory=4Gi", "a.web", "a.store"]);
    // An ingester may have one.
    place.components[1].class = obstack_core::backends::role::Class::Ingester;
    assert!(!place.said().contains("a.store"), "{}", place.said());
}

#[test]
fn a_range_that_refuses_pods_or_claims_stops_everything() {
    let mut place = Place::new(two(), Vec::new());
    place.live.limit_ranges =
        Some(vec![range("r", &["Container min:cpu=150m", "PersistentVolumeClaim max:storage=5Gi"])]);
    said(
        &place,
        "False LimitRangeConflict",
        &["nothing was started: a.store: LimitRange r: claim data requests 10Gi storage, the most is 5Gi; \
         a.web: LimitRange r: container main requests 100m cpu, the least is 150m; \
         change what these components request, or the LimitRange"],
    );
    let found = place.look();
    assert_eq!(found.summary, "refused by a LimitRange");
    assert!(found.blocked.is_some());
    place.run(0, 2);
    place.run(1, 3);
    said(&place, FITS, &[]);
}

#[test]
fn the_worst_reason_is_said_and_all_of_it_is_in_the_message() {
    let mut place = Place::new(two(), vec![quota("q", "limits.cpu=1 limits.memory=1Gi pods=1", "")]);
    place.live.limit_ranges = Some(vec![range("r", &["Container min:cpu=150m"])]);
    let all = [
        "pods needs 5, 1 free",
        "counts limits.cpu",
        "counts limits.memory",
        "the least is 150m",
        "ask for pods=7",
    ];
    said(&place, "False QuotaRequiresCPULimits", &all);
}

#[test]
fn what_cannot_be_read_is_unknown_and_stops_nobody() {
    let place = Place::new(two(), vec![quota("q", "pods=5", "")]);
    let mut no_quotas = place.clone();
    no_quotas.live.quotas = None;
    said(&no_quotas, "Unknown QuotaUnreadable", &["the operator may not read ResourceQuotas"]);
    let found = no_quotas.look();
    assert_eq!((found.blocked, found.summary.as_str()), (None, "unknown"));
    assert_eq!(found.status.unwrap().required.cpu.as_deref(), Some("800m"));
    let mut no_ranges = place.clone();
    no_ranges.live.limit_ranges = None;
    said(&no_ranges, "Unknown QuotaUnreadable", &["the operator may not read LimitRanges"]);
    // A range can only ask for more: what is short without it is short.
    no_ranges.live.quotas = Some(vec![quota("q", "pods=4", "")]);
    said(&no_ranges, SHORT, &[]);
}

#[test]
fn a_quota_that_is_not_counted_yet_holds_what_is_to_start() {
    let mut place = Place::new(two(), vec![quota("q", "pods=5", "")]);
    place.live.quotas.as_mut().unwrap()[0].used.clear();
    said(&place, "Unknown QuotaUnreadable", &["ResourceQuota q is not counted yet"]);
    assert!(place.look().blocked.is_some());
    place.run(0, 2);
    place.run(1, 3);
    said(&place, FITS, &[]);
}

#[test]
fn the_numbers_are_those_of_the_tightest_quota_that_the_stack_falls_under() {
    let mut quotas = vec![
        quota("a", "requests.cpu=10 requests.memory=100Gi", "requests.cpu=3"),
        quota("b", "cpu=5", "cpu=1"),
        quota("c", "requests.cpu=1m", "requests.cpu=1m"),
    ];
    quotas[2].scopes = vec![scope("Terminating")];
    let mut place = Place::new(two(), quotas);
    let status = place.look().status.unwrap();
    let numbers = |of: Option<obstack_api::QuotaAmounts>| {
        of.map(|of| (of.cpu.unwrap_or_default(), of.memory.unwrap_or_default()))
    };
    assert_eq!(numbers(status.hard), Some(("5000m".into(), "100Gi".into())));
    assert_eq!(numbers(status.used), Some(("1000m".into(), "0Gi".into())));
    assert_eq!((status.shortfall, status.suggested_hard, status.blockers.len()), (None, None, 0));
    assert_eq!(place.look().summary, "cpu 800m/4000m");
    // While the stack starts the same is left for it, whatever it holds already.
    place.run(0, 2);
    place.live.quotas.as_mut().unwrap()[1].used = amounts("cpu=1200m");
    assert_eq!(place.look().summary, "cpu 800m/4000m");
}

#[test]
fn the_quota_to_ask_for_has_headroom_and_never_shrinks() {
    let check = |hard: &str, used: &str, headroom: u32, expect: Option<&str>| {
        let mut place = Place::new(
            two(),
            vec![quota("q", &format!("requests.cpu={hard}"), &format!("requests.cpu={used}"))],
        );
        place.wish.headroom_percent = headroom;
        let suggested = place.look().status.unwrap().suggested_hard.and_then(|amounts| amounts.cpu);
        assert_eq!(suggested.as_deref(), expect, "{hard} {used} {headroom}");
    };
    check("1", "1", 20, Some("3000m"));
    check("1", "1", 0, Some("2000m"));
    check("1", "1", 90, Some("18000m"));
    check("3", "1", 20, None);
    check("2900m", "1500m", 20, Some("3000m"));
    check("9", "9", 0, Some("10000m"));
}

#[test]
fn lists_end_somewhere() {
    let many = (0..300).map(|n| deployment(&format!("a.c{n}"), 1, "1", "1Gi")).collect();
    let quotas =
        (0..100).map(|n| quota(&format!("q{n}"), "limits.cpu=1 requests.cpu=1 pods=1", "")).collect();
    let place = Place::new(many, quotas);
    assert_eq!(place.look().status.unwrap().blockers.len(), 50);
    let said = place.said();
    for more in ["and 92 more quotas", "and 292 more", "and 92 more of this kind"] {
        assert!(said.contains(more), "{more}: {said}");
    }
    assert!(said.len() < 16_000, "{} characters", said.len());
}
