//! Laws of the preflight that hold for every namespace.

#![cfg(test)]

mod quota_common;

use std::collections::BTreeSet;

use obstack_api::{ConditionStatus, Preflight as Mode};
use obstack_core::{
    live::{LimitRangeFacts, LimitRule, QuotaFacts, ScopeFacts},
    need::{ClaimNeed, ContainerNeed, PodNeed, Resources, Runs},
    objects::{Kind, ObjectId},
    quantity::Amount,
};
use proptest::prelude::*;
use quota_common::{Place, amounts, classes, component};

const RESOURCES: &[&str] =
    &["cpu", "memory", "ephemeral-storage", "storage", "example.com/gpu", "hugepages-2Mi"];
const COUNTED: &[&str] = &[
    "cpu",
    "requests.cpu",
    "limits.cpu",
    "requests.memory",
    "limits.memory",
    "pods",
    "count/pods",
    "requests.storage",
    "persistentvolumeclaims",
    "gold.storageclass.storage.k8s.io/requests.storage",
    "services",
    "count/deployments.apps",
    "requests.example.com/gpu",
];

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        4 => (0..4000_u32).prop_map(|n| Amount::parse(&format!("{n}m")).unwrap()),
        4 => (0..64_u32).prop_map(|n| Amount::parse(&format!("{n}Gi")).unwrap()),
        1 => Just(Amount::parse("99999999999999999E").unwrap()),
    ]
}

fn some(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Resources> {
    let name = prop::sample::select(of).prop_map(str::to_owned);
    prop::collection::btree_map(name, amount(), 0..=most)
}

fn container() -> impl Strategy<Value = ContainerNeed> {
    let runs = prop::sample::select(&[Runs::Main, Runs::Main, Runs::Init, Runs::Sidecar][..]);
    ("[ab]", runs, some(RESOURCES, 3), some(RESOURCES, 2))
        .prop_map(|(name, runs, requests, limits)| ContainerNeed { name, runs, requests, limits })
}

fn claim() -> impl Strategy<Value = ClaimNeed> {
    let class = prop::option::of(prop::sample::select(&["gold", "slow", ""][..]).prop_map(str::to_owned));
    (class, any::<bool>(), amount()).prop_map(|(class, ephemeral, size)| ClaimNeed {
        name: "data".into(),
        class,
        attributes_class: None,
        ephemeral,
        size,
    })
}

fn need() -> impl Strategy<Value = PodNeed> {
    let class = prop::option::of(Just("high".to_owned()));
    let pod = (some(&["cpu", "memory"], 1), some(&["cpu", "memory"], 1));
    (prop::collection::vec(container(), 0..3), prop::collection::vec(claim(), 0..2), pod, class, 0..3_u32)
        .prop_map(|(containers, claims, (pod_requests, pod_limits), priority_class, surge)| PodNeed {
            containers,
            claims,
            pod_requests,
            pod_limits,
            priority_class,
            surge,
            ..PodNeed::default()
        })
}

fn quota() -> impl Strategy<Value = QuotaFacts> {
    let scopes: &[&str] = &["NotTerminating", "BestEffort", "PriorityClass", "CrossNamespacePodAffinity"];
    let scope = (prop::sample::select(scopes), prop::sample::select(&["Exists", "In", "NotIn", "?"][..]));
    let scope = scope.prop_map(|(name, operator)| ScopeFacts {
        name: name.into(),
        operator: operator.into(),
        values: vec!["high".into()],
    });
    ("[abc]", some(COUNTED, 5), some(COUNTED, 9), prop::collection::vec(scope, 0..2))
        .prop_map(|(name, hard, used, scopes)| QuotaFacts { name, hard, used, scopes })
}

fn range() -> impl Strategy<Value = LimitRangeFacts> {
    let kind = prop::sample::select(&["Container", "Pod", "PersistentVolumeClaim", "Other"][..]);
    let rule = (kind, some(RESOURCES, 2), some(RESOURCES, 1), some(RESOURCES, 1), some(RESOURCES, 1))
        .prop_map(|(kind, default, min, max, max_ratio)| LimitRule {
            kind: kind.into(),
            default,
            min,
            max,
            max_ratio,
            ..LimitRule::default()
        });
    ("[ab]", prop::collection::vec(rule, 0..2)).prop_map(|(name, rules)| LimitRangeFacts { name, rules })
}

fn place() -> impl Strategy<Value = Place> {
    let kind = prop::sample::select(&[Kind::Deployment, Kind::StatefulSet][..]);
    let one = (need(), kind, prop_oneof![9 => 0..4_u32, 1 => Just(u32::MAX)], 0..5_u32, any::<bool>());
    let read = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (
        prop::collection::vec(one, 0..3),
        prop::collection::vec(quota(), 0..3),
        prop::collection::vec(range(), 0..2),
        prop::collection::btree_map(prop::sample::select(Kind::ALL), any::<u32>(), 0..3),
        read,
        (0..=90_u32, any::<bool>()),
    )
        .prop_map(|(ones, quotas, ranges, objects, read, (headroom, enforce))| {
            let mut place = Place::new(Vec::new(), quotas);
            for (index, (need, kind, desired, there, rolls)) in ones.into_iter().enumerate() {
                let name = format!("a.c{index}");
                let mut planned = component(&name, "{}");
                planned.workload = ObjectId { kind, ..planned.workload };
                (planned.need, planned.desired) = (need, desired);
                place.components.push(planned);
                if desired < u32::MAX && there > 0 {
                    place.run(index, there);
                }
                if rolls {
                    place.rolling.insert(name);
                }
            }
            place.objects = objects;
            place.live.limit_ranges = Some(ranges);
            place.live.classes = Some(classes(&["gold"]));
            let (quotas, ranges, claims, classes) = read;
            place.live.quotas = place.live.quotas.filter(|_| quotas);
            place.live.limit_ranges = place.live.limit_ranges.filter(|_| ranges);
            place.live.claims = place.live.claims.filter(|_| claims);
            place.live.classes = place.live.classes.filter(|_| classes);
            place.wish.headroom_percent = headroom;
            place.wish.preflight = if enforce { Mode::Enforce } else { Mode::Warn };
            place
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, max_global_rejects: 65_536, ..ProptestConfig::default() })]

    #[test]
    fn the_same_facts_always_say_the_same_in_bounds(place in place()) {
        let found = place.look();
        prop_assert_eq!(&place.look(), &found);
        let (finding, status) = (found.finding.unwrap(), found.status.unwrap());
        prop_assert!(finding.message.len() < 32_768 && !finding.message.is_empty());
        prop_assert!(status.blockers.len() <= 50);
        prop_assert!(found.blocked.is_none() || place.wish.preflight == Mode::Enforce);
        prop_assert!(found.blocked.is_none() || finding.status != ConditionStatus::True);
    }

    #[test]
    fn the_order_of_quotas_and_ranges_changes_nothing(place in place()) {
        let mut turned = place.clone();
        turned.live.quotas.iter_mut().for_each(|quotas| quotas.sort_by(|a, b| b.name.cmp(&a.name)));
        turned.live.limit_ranges.iter_mut().for_each(|ranges| ranges.reverse());
        let unique = |names: Vec<&String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
        let quotas = place.live.quotas.iter().flatten().map(|quota| &quota.name).collect();
        let ranges = place.live.limit_ranges.iter().flatten().map(|range| &range.name).collect();
        prop_assume!(unique(quotas) && unique(ranges));
        prop_assert_eq!(turned.look(), place.look());
    }

    #[test]
    fn more_room_never_makes_what_fits_unfit(
        place in place(),
        quota in 0..3_usize,
        more in amount(),
        less in any::<bool>(),
    ) {
        prop_assume!(place.fits());
        let mut roomier = place.clone();
        if let Some(quota) = roomier.live.quotas.as_mut().and_then(|quotas| quotas.get_mut(quota)) {
            for hard in quota.hard.values_mut() {
                *hard += more;
            }
            for used in quota.used.values_mut().filter(|_| less) {
                *used = used.minus(more);
            }
        }
        prop_assert!(roomier.fits());
        if let Some(quotas) = roomier.live.quotas.as_mut() {
            quotas.pop();
        }
        prop_assert!(roomier.fits());
    }

    #[test]
    fn fewer_pods_and_objects_never_make_what_fits_unfit(place in place(), one in 0..3_usize) {
        prop_assume!(place.fits());
        let mut smaller = place.clone();
        smaller.objects.clear();
        if one < smaller.components.len() {
            smaller.components.remove(one);
        }
        prop_assert!(smaller.fits());
    }

    #[test]
    fn what_runs_fits_into_any_quota_that_can_be_read(place in place(), used in some(COUNTED, 9)) {
        let mut running = place.clone();
        running.rolling.clear();
        running.objects.clear();
        running.components.retain(|component| component.desired < u32::MAX);
        running.live.pods.clear();
        running.live.claims = Some(Vec::new());
        for index in 0..running.components.len() {
            let desired = running.components[index].desired;
            running.run(index, desired);
        }
        running.live.limit_ranges = Some(running.live.limit_ranges.unwrap_or_default());
        let mut quotas = running.live.quotas.unwrap_or_default();
        for quota in &mut quotas {
            quota.used = used.clone();
        }
        running.live.quotas = Some(quotas);
        prop_assert!(running.fits(), "{}", running.said());
    }

    #[test]
    fn the_quota_that_is_asked_for_is_enough(
        cpu in 1..5000_u32,
        replicas in 1..5_u32,
        hard in 0..9000_u32,
        used in 0..9000_u32,
    ) {
        let web = quota_common::deployment("a.web", replicas, &format!("{cpu}m"), "1Gi");
        let quota = quota_common::quota("q", &format!("requests.cpu={hard}m"), &format!("requests.cpu={used}m"));
        let mut place = Place::new(vec![web], vec![quota]);
        let status = place.look().status.unwrap();
        if let Some(asked) = status.suggested_hard.and_then(|amounts| amounts.cpu) {
            place.live.quotas.as_mut().unwrap()[0].hard = amounts(&format!("requests.cpu={asked}"));
        }
        prop_assert!(place.fits());
        prop_assert_eq!(place.look().status.unwrap().suggested_hard, None, "and asking ends");
    }
}
