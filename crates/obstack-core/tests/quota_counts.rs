//! What is counted against which quota: pods, claims, objects, scopes, and what a replacement needs.

#![cfg(test)]

mod quota_common;

use obstack_core::{objects::Kind, quantity::Amount};
use quota_common::*;

#[test]
fn every_resource_is_counted_as_kubernetes_does() {
    // 2 x 100m/1Gi and 3 x 200m/2Gi with 3 claims of 10Gi.
    let exact = |resource: &str, amount: &str, less: &str| {
        check(two(), vec![quota("q", &format!("{resource}={amount}"), "")], FITS, &["ResourceQuota q"]);
        check(
            two(),
            vec![quota("q", &format!("{resource}={less}"), "")],
            SHORT,
            &[resource, "(ResourceQuota q)"],
        );
    };
    exact("requests.cpu", "800m", "799m");
    exact("cpu", "800m", "799m");
    exact("requests.memory", "8Gi", "8191Mi");
    exact("memory", "8Gi", "8191Mi");
    exact("pods", "5", "4");
    exact("count/pods", "5", "4");
    exact("requests.storage", "30Gi", "29Gi");
    exact("persistentvolumeclaims", "3", "2");
    exact("count/persistentvolumeclaims", "3", "2");
    exact("count/replicasets.apps", "1", "0");
    exact("count/controllerrevisions.apps", "1", "0");
}

#[test]
fn disks_pages_and_devices_are_counted_by_their_own_names() {
    let pod = "{spec: {replicas: 2, template: {spec: {containers: [{name: c, resources: {\
        requests: {ephemeral-storage: 1Gi, hugepages-2Mi: 4Mi, example.com/gpu: 1}, \
        limits: {ephemeral-storage: 2Gi, hugepages-2Mi: 4Mi, example.com/gpu: 1}}}]}}}}";
    let exact = |resource: &str, amount: &str, less: &str| {
        for (amount, expect) in [(amount, FITS), (less, SHORT)] {
            check(
                vec![component("a.b", pod)],
                vec![quota("q", &format!("{resource}={amount}"), "")],
                expect,
                &[],
            );
        }
    };
    exact("requests.ephemeral-storage", "2Gi", "2047Mi");
    exact("ephemeral-storage", "2Gi", "2047Mi");
    exact("limits.ephemeral-storage", "4Gi", "4095Mi");
    exact("requests.hugepages-2Mi", "8Mi", "7Mi");
    exact("hugepages-2Mi", "8Mi", "7Mi");
    exact("requests.example.com/gpu", "2", "1");
}

#[test]
fn new_objects_are_counted_by_both_of_their_names() {
    let mut place = Place::new(Vec::new(), Vec::new());
    place.objects = Kind::ALL.iter().map(|kind| (*kind, 2)).collect();
    for resource in [
        "configmaps",
        "count/configmaps",
        "secrets",
        "count/secrets",
        "services",
        "count/services",
        "count/serviceaccounts",
        "count/deployments.apps",
        "count/statefulsets.apps",
        "count/poddisruptionbudgets.policy",
    ] {
        for (hard, used, expect) in [(7, 5, FITS), (7, 6, SHORT)] {
            let hard = format!("{resource}={hard}");
            place.live.quotas = Some(vec![quota("q", &hard, &format!("{resource}={used}"))]);
            said(&place, expect, &[]);
        }
    }
    let ask = place.said();
    assert!(ask.contains("count/poddisruptionbudgets.policy needs 2, 1 free (ResourceQuota q)"), "{ask}");
    assert!(ask.contains("ask for count/poddisruptionbudgets.policy=10 (ResourceQuota q)"), "{ask}");
}

#[test]
fn a_quota_with_scopes_counts_what_all_of_them_hold_for() {
    let important = "{spec: {template: {spec: {priorityClassName: high, containers: [\
        {name: c, resources: {requests: {cpu: 1, memory: 1Gi}}}]}}}}";
    let nothing = "{spec: {template: {spec: {containers: [{name: c}]}}}}";
    let cases: &[(&str, &[&str], bool)] = &[
        (important, &["NotTerminating"], true),
        (important, &["Terminating"], false),
        (important, &["NotBestEffort"], true),
        (important, &["BestEffort"], false),
        (nothing, &["BestEffort"], true),
        (nothing, &["NotBestEffort"], false),
        (important, &["PriorityClass Exists"], true),
        (nothing, &["PriorityClass Exists"], false),
        (important, &["PriorityClass In low,high"], true),
        (important, &["PriorityClass In low"], false),
        (important, &["PriorityClass NotIn low"], true),
        (nothing, &["PriorityClass NotIn low"], true),
        (nothing, &["PriorityClass In low"], false),
        (nothing, &["PriorityClass DoesNotExist"], true),
        (important, &["NotTerminating", "PriorityClass In low"], false),
        (important, &["CrossNamespacePodAffinity"], false),
        (important, &["VolumeAttributesClass Exists"], false),
        (important, &["SomethingNew"], false),
    ];
    for (pod, scopes, counted) in cases {
        let expect = if *counted { SHORT } else { FITS };
        check(vec![component("a.b", pod)], scoped(scopes, "pods=0"), expect, &[]);
    }
    // Claims and other objects have no such scopes.
    let mut place = Place::new(two(), scoped(&["NotTerminating"], "requests.storage=0 count/services=0"));
    place.objects.insert(Kind::Service, 1);
    said(&place, FITS, &[]);
}

#[test]
fn claims_count_for_their_class_which_may_be_the_default() {
    let by_class = |class: &str| {
        vec![quota("q", &format!("{class}.storageclass.storage.k8s.io/requests.storage=29Gi"), "")]
    };
    let mut place = Place::new(two(), by_class("gold"));
    said(&place, FITS, &[]);
    place.live.classes = Some(classes(&["gold", "slow"]));
    said(&place, SHORT, &["gold.storageclass.storage.k8s.io/requests.storage needs 30Gi, 29Gi free"]);
    place.live.quotas = Some(by_class("slow"));
    said(&place, FITS, &[]);
    place.components[1].need.claims[0].class = Some("slow".into());
    said(&place, SHORT, &[]);
    place.components[1].need.claims[0].class = Some(String::new());
    said(&place, FITS, &[]);
}

#[test]
fn which_class_is_the_default_must_be_known_where_it_matters() {
    let mut place =
        Place::new(two(), vec![quota("q", "gold.storageclass.storage.k8s.io/requests.storage=900Gi", "")]);
    place.live.classes = None;
    said(&place, "Unknown QuotaUnreadable", &["by storage class", "may not read"]);
    assert_eq!(place.look().blocked, None, "what cannot be read stops nobody");
    place.live.quotas = Some(vec![quota("q", "requests.storage=900Gi", "")]);
    said(&place, FITS, &[]);
}

#[test]
fn what_runs_needs_nothing_and_says_the_same_while_others_come_and_go() {
    let mut place = Place::new(two(), vec![quota("q", "requests.cpu=800m requests.storage=30Gi pods=5", "")]);
    said(&place, FITS, &[]);
    let before = place.said();
    place.run(0, 2);
    place.run(1, 3);
    for used in
        ["requests.cpu=800m requests.storage=30Gi pods=5", "requests.cpu=3 requests.storage=90Gi pods=50"]
    {
        place.live.quotas.as_mut().unwrap()[0].used = amounts(used);
        assert_eq!(place.said(), before);
    }
}

#[test]
fn only_what_is_missing_is_needed() {
    let mut place =
        Place::new(two(), vec![quota("q", "requests.cpu=800m pods=5 persistentvolumeclaims=3", "")]);
    place.run(1, 1);
    let needs = |place: &Place, used: &str, expect: &str, words: &[&str]| {
        let mut place = place.clone();
        place.live.quotas.as_mut().unwrap()[0].used = amounts(used);
        said(&place, expect, words);
    };
    // 2 pods of 100m, 2 of 200m, 2 claims.
    needs(&place, "requests.cpu=200m pods=1 persistentvolumeclaims=1", FITS, &[]);
    needs(
        &place,
        "requests.cpu=201m pods=2 persistentvolumeclaims=2",
        SHORT,
        &[
            "nothing was changed",
            "requests.cpu needs 600m, 599m free; persistentvolumeclaims needs 2, 1 free; pods needs 4, 3 free",
        ],
    );
    // A pod that is being deleted holds its successor's place; one that failed holds none.
    place.live.pods[0].deleting = true;
    needs(&place, "requests.cpu=200m pods=1 persistentvolumeclaims=1", FITS, &[]);
    place.live.pods[0].failed = Some(("Evicted".into(), String::new()));
    needs(
        &place,
        "requests.cpu=1m pods=0 persistentvolumeclaims=1",
        SHORT,
        &["requests.cpu needs 800m, 799m free"],
    );
}

#[test]
fn claims_that_outlived_their_pods_are_not_needed_again_but_may_grow() {
    let mut place = Place::new(two(), vec![quota("q", "requests.storage=30Gi persistentvolumeclaims=3", "")]);
    place.run(1, 3);
    place.live.pods.clear();
    let full = amounts("requests.storage=30Gi persistentvolumeclaims=3");
    place.live.quotas.as_mut().unwrap()[0].used = full;
    said(&place, FITS, &[]);
    for claim in place.live.claims.iter_mut().flatten() {
        claim.requested = Amount::parse("8Gi").unwrap();
        claim.class = "slow".into();
    }
    said(&place, SHORT, &["requests.storage needs 6Gi, 0Gi free"]);
    place.live.quotas = Some(vec![quota("q", "slow.storageclass.storage.k8s.io/requests.storage=5Gi", "")]);
    said(&place, SHORT, &["needs 6Gi, 5Gi free"]);
}

#[test]
fn claims_that_may_not_be_read_are_those_of_pods_that_exist() {
    let mut place = Place::new(two(), vec![quota("q", "persistentvolumeclaims=2", "")]);
    place.run(1, 1);
    place.live.claims = None;
    said(&place, FITS, &[]);
    place.live.quotas = Some(vec![quota("q", "persistentvolumeclaims=1", "")]);
    said(&place, SHORT, &["persistentvolumeclaims needs 2, 1 free", "volume claims may not be read"]);
}

#[test]
fn ephemeral_claims_come_with_each_pod() {
    let pod = "{spec: {replicas: 3, template: {spec: {containers: [{name: c}], volumes: [{name: cache, ephemeral: \
        {volumeClaimTemplate: {spec: {resources: {requests: {storage: 1Gi}}}}}}]}}}}";
    let mut place = Place::new(vec![component("a.b", pod)], vec![quota("q", "requests.storage=2Gi", "")]);
    said(&place, SHORT, &["requests.storage needs 3Gi, 2Gi free"]);
    place.run(0, 1);
    said(&place, FITS, &[]);
}

#[test]
fn a_replacement_needs_its_surge_and_what_new_pods_ask_more() {
    // Two pods of 100m run, and one may be there beside them.
    let replace = |free: &str, cpu: &str, more: &dyn Fn(&mut Place)| {
        let mut place = Place::new(two(), vec![quota("q", &format!("requests.cpu={free}"), "")]);
        place.run(0, 2);
        place.run(1, 3);
        more(&mut place);
        for index in [0, 1] {
            let requests = &mut place.components[index].need.containers[0].requests;
            requests.insert("cpu".into(), Amount::parse(cpu).unwrap());
        }
        place.said()
    };
    let roll = |name: &'static str| move |place: &mut Place| place.rolling = [name.to_owned()].into();
    assert!(replace("0", "900m", &|_| {}).starts_with(FITS), "nothing rolls");
    assert!(replace("99m", "100m", &roll("a.web")).contains("requests.cpu needs 100m, 99m free"));
    assert!(replace("100m", "100m", &roll("a.web")).starts_with(FITS));
    // 2 x 50m more, and an old one beside them at the end.
    assert!(replace("199m", "150m", &roll("a.web")).contains("requests.cpu needs 200m, 199m free"));
    // Smaller ones: the first new one beside two old ones.
    assert!(replace("49m", "50m", &roll("a.web")).contains("requests.cpu needs 50m, 49m free"));
    // A StatefulSet has no surge: 3 x 200m become 3 x 300m.
    assert!(replace("0", "200m", &roll("a.store")).starts_with(FITS));
    assert!(replace("299m", "300m", &roll("a.store")).contains("requests.cpu needs 300m, 299m free"));
}

#[test]
fn a_replacement_on_its_way_needs_what_is_left_of_it() {
    let mut place =
        Place::new(vec![deployment("a.web", 2, "300m", "1Gi")], vec![quota("q", "requests.cpu=1", "")]);
    place.run(0, 3);
    for pod in &mut place.live.pods[1..] {
        *pod = pod_of("100m", &pod.name);
    }
    let seen = place.live.workloads.values_mut().next().unwrap();
    (seen.created, seen.updated) = (3, 1);
    // 300m and 2 x 100m run; at the end 2 x 300m and for a moment an old one of them.
    place.live.quotas.as_mut().unwrap()[0].used = amounts("requests.cpu=801m");
    assert!(place.said().contains("requests.cpu needs 400m, 199m free"), "{}", place.said());
}

fn pod_of(cpu: &str, name: &str) -> obstack_core::live::PodFacts {
    pod(&deployment("a.web", 2, cpu, "1Gi"), name)
}
