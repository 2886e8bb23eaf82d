//! What limit ranges make of pods and claims, and what they refuse, as the API server does.

#![cfg(test)]

mod quota_common;

use obstack_core::{
    limit_range::{apply, refuses_claim},
    live::LimitRangeFacts,
    need::{ClaimNeed, ContainerNeed, PodNeed, Runs},
    quantity::Amount,
};
use quota_common::{amounts, range};

fn container(name: &str, requests: &str, limits: &str) -> ContainerNeed {
    ContainerNeed {
        name: name.into(),
        runs: Runs::Main,
        requests: amounts(requests),
        limits: amounts(limits),
    }
}

/// A pod with one container, and what the ranges make of it: what they set, or why it is refused.
fn check(requests: &str, limits: &str, ranges: &[LimitRangeFacts], expect: &str) {
    let need = PodNeed { containers: vec![container("c", requests, limits)], ..PodNeed::default() };
    check_pod(&need, ranges, expect);
}

fn check_pod(need: &PodNeed, ranges: &[LimitRangeFacts], expect: &str) {
    let admitted = apply(need, ranges);
    let set: Vec<_> = admitted
        .set
        .iter()
        .map(|set| {
            format!("{}: {}={} by {}", set.container, set.what, set.amount.of_resource(&set.what), set.by)
        })
        .collect();
    let said = admitted.refused.unwrap_or_else(|| set.join("; "));
    assert_eq!(said, expect);
}

#[test]
fn what_a_container_does_not_say_is_set() {
    let ranges = [range("r", &["Container default:cpu=250m default:memory=1Gi defaultRequest:cpu=100m"])];
    check(
        "",
        "",
        &ranges,
        "c: limits.cpu=250m by r; c: limits.memory=1Gi by r; c: requests.cpu=100m by r; c: requests.memory=1Gi by r",
    );
    check("cpu=50m memory=1Gi", "memory=2Gi", &ranges, "c: limits.cpu=250m by r");
    check("cpu=50m memory=1Gi", "cpu=1 memory=2Gi", &ranges, "");
}

#[test]
fn a_limit_of_the_containers_own_is_its_request_before_a_default_comes_in() {
    let ranges = [range("r", &["Container defaultRequest:memory=1Gi"])];
    check("", "memory=256Mi", &ranges, "");
    let need = PodNeed { containers: vec![container("c", "", "memory=256Mi")], ..PodNeed::default() };
    assert_eq!(apply(&need, &ranges).need.requests(), amounts("memory=256Mi"));
}

#[test]
fn the_largest_limit_is_the_default_limit_and_the_smallest_request_the_default_request() {
    check(
        "",
        "",
        &[range("r", &["Container max:cpu=2"])],
        "c: limits.cpu=2000m by r; c: requests.cpu=2000m by r",
    );
    check("", "", &[range("r", &["Container min:cpu=10m"])], "c: requests.cpu=10m by r");
    check(
        "",
        "",
        &[range("r", &["Container min:cpu=10m max:cpu=2 default:cpu=1"])],
        "c: limits.cpu=1000m by r; c: requests.cpu=1000m by r",
    );
}

#[test]
fn defaults_are_for_containers_only_and_the_first_name_wins() {
    check("", "", &[range("r", &["Pod default:cpu=1", "PersistentVolumeClaim default:storage=1Gi"])], "");
    let ranges =
        [range("b", &["Container defaultRequest:cpu=2"]), range("a", &["Container defaultRequest:cpu=1"])];
    check("", "", &ranges, "c: requests.cpu=1000m by a");
}

#[test]
fn a_default_limit_below_the_request_makes_no_valid_pod() {
    let ranges = [range("tight", &["Container default:cpu=250m"])];
    check(
        "cpu=300m",
        "",
        &ranges,
        "LimitRange tight: container c requests 300m cpu and gets a limit of 250m",
    );
    check("cpu=250m", "", &ranges, "c: limits.cpu=250m by tight");
}

#[test]
fn each_container_is_held_against_least_and_most() {
    let min = [range("r", &["Container min:cpu=100m"])];
    check("cpu=99m", "", &min, "LimitRange r: container c requests 99m cpu, the least is 100m");
    check("cpu=100m", "", &min, "");
    check("cpu=10m", "cpu=50m", &min, "LimitRange r: container c requests 10m cpu, the least is 100m");
    let max = [range("r", &["Container max:memory=1Gi"])];
    check(
        "memory=2Gi",
        "memory=2Gi",
        &max,
        "LimitRange r: container c has a limit of 2Gi memory, the most is 1Gi",
    );
    check("memory=1Gi", "memory=1Gi", &max, "");
    check("memory=1Gi", "", &max, "c: limits.memory=1Gi by r");
    let init = PodNeed {
        containers: vec![
            ContainerNeed { runs: Runs::Init, ..container("setup", "cpu=10m", "") },
            container("c", "cpu=1", ""),
        ],
        ..PodNeed::default()
    };
    check_pod(&init, &min, "LimitRange r: container setup requests 10m cpu, the least is 100m");
}

#[test]
fn a_ratio_wants_both_and_neither_may_be_nothing() {
    let ranges = [range("r", &["Container ratio:cpu=2.5"])];
    check("cpu=100m", "cpu=250m", &ranges, "");
    check(
        "cpu=100m",
        "cpu=251m",
        &ranges,
        "LimitRange r: container c has a limit of 251m cpu for a request of 100m, at most 2.5 times is allowed",
    );
    check(
        "cpu=100m",
        "",
        &ranges,
        "LimitRange r: container c needs a cpu request and a limit of at most 2.5 times as much",
    );
    check(
        "cpu=0",
        "cpu=1",
        &ranges,
        "LimitRange r: container c needs a cpu request and a limit of at most 2.5 times as much",
    );
}

#[test]
fn a_pod_is_held_against_its_rules_as_a_whole_without_overhead() {
    let pod = |containers: Vec<ContainerNeed>| PodNeed {
        containers,
        overhead: amounts("cpu=9"),
        ..PodNeed::default()
    };
    let two = pod(vec![container("a", "cpu=1", "cpu=1"), container("b", "cpu=1", "cpu=1")]);
    check_pod(&two, &[range("r", &["Pod max:cpu=2"])], "");
    check_pod(
        &two,
        &[range("r", &["Pod max:cpu=1500m"])],
        "LimitRange r: the pod has a limit of 2000m cpu, the most is 1500m",
    );
    // The most of a whole pod is no default for anybody: every pod without a limit is refused.
    check(
        "cpu=1",
        "",
        &[range("r", &["Pod max:cpu=2"])],
        "LimitRange r: the pod has no cpu limit, the most is 2000m",
    );
    check(
        "cpu=1",
        "",
        &[range("r", &["Pod min:cpu=2"])],
        "LimitRange r: the pod requests 1000m cpu, the least is 2000m",
    );
}

#[test]
fn resources_of_the_pod_as_a_whole_are_completed_from_its_containers() {
    let need = PodNeed {
        containers: vec![container("c", "cpu=100m", "")],
        pod_limits: amounts("cpu=1 memory=1Gi"),
        ..PodNeed::default()
    };
    let admitted = apply(&need, &[]);
    assert_eq!(admitted.need.requests(), amounts("cpu=100m memory=1Gi"));
    let most = range("r", &["Pod max:memory=512Mi"]);
    check_pod(&need, &[most], "LimitRange r: the pod has a limit of 1Gi memory, the most is 512Mi");
    let large = range("r", &["Container default:memory=2Gi"]);
    check_pod(
        &need,
        &[large],
        "the containers request 2Gi memory together, the pod as a whole 1Gi; \
         container c has a limit of 2Gi memory, the pod as a whole 1Gi",
    );
}

#[test]
fn every_fault_is_named_with_its_range() {
    let ranges = [
        range("b", &["Container min:cpu=100m max:memory=1Gi"]),
        range("a", &["PersistentVolumeClaim min:storage=1Gi", "Pod min:memory=4Gi"]),
    ];
    check(
        "cpu=10m memory=2Gi",
        "memory=2Gi",
        &ranges,
        "LimitRange a: the pod requests 2Gi memory, the least is 4Gi; \
         LimitRange b: container c requests 10m cpu, the least is 100m; \
         LimitRange b: container c has a limit of 2Gi memory, the most is 1Gi",
    );
}

#[test]
fn a_claim_is_held_against_least_and_most() {
    let check = |size: &str, rule: &str, expect: Option<&str>| {
        let claim =
            ClaimNeed { name: "data".into(), size: Amount::parse(size).unwrap(), ..ClaimNeed::default() };
        assert_eq!(refuses_claim(&claim, &[range("r", &[rule])]).as_deref(), expect, "{size} {rule}");
    };
    check("1Gi", "PersistentVolumeClaim min:storage=1Gi max:storage=2Gi", None);
    check(
        "1Gi",
        "PersistentVolumeClaim min:storage=2Gi",
        Some("LimitRange r: claim data requests 1Gi storage, the least is 2Gi"),
    );
    check(
        "4Gi",
        "PersistentVolumeClaim max:storage=2Gi",
        Some("LimitRange r: claim data requests 4Gi storage, the most is 2Gi"),
    );
    check("4Gi", "Container max:storage=2Gi", None);
}
