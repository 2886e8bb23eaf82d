//! What carrying out a plan changes, what of it is disruptive, and what waits for a person.

#![cfg(test)]

mod common;

use common::hand::Hand;
use obstack_api::{
    Approval::{self, Automatic, Manual, ManualForDisruptive},
    PlanState,
    Reason::{self, ApprovalStale, AwaitingApproval},
};
use obstack_core::{
    assemble::Plan,
    changes::{ChangeSummary, Changes, approval, changes, releases},
    inventory::{Entry, Inventory},
    objects::ObjectId,
};
use proptest::prelude::*;
use serde_json::json;

const BOTH: &str = "spec: {metrics: {replicationFactor: 3, components: {ingester: {replicas: 3}, distributor: {replicas: 2}}}, traces: {mode: Distributed}}";

fn hand(overlay: &str) -> Hand {
    let both = serde_json::to_value(common::small_with(BOTH)).unwrap();
    Hand::of(&common::with(&both, overlay))
}

/// The inventory after the plan of a stack was carried out.
fn in_place(hand: &Hand) -> Inventory {
    let plan = hand.plan();
    let entry = |hash: &String| Entry { hash: hash.clone(), uid: "u".into(), owned: "o".into() };
    Inventory {
        input: "in place".into(),
        objects: plan.objects.iter().map(|object| (object.id.clone(), entry(&object.hash))).collect(),
        releases: hand.design.releases.iter().map(|release| release.name.clone()).collect(),
        facts: releases(&hand.design),
        components: plan.components,
        ..Inventory::default()
    }
}

fn of(before: &Inventory, hand: &Hand) -> Changes {
    changes(before, &hand.plan(), &releases(&hand.design))
}

fn between(before: &str, after: &str) -> Changes {
    of(&in_place(&hand(before)), &hand(after))
}

fn names(ids: &[ObjectId]) -> Vec<&str> {
    ids.iter().map(|id| id.name.as_str()).collect()
}

#[test]
fn nothing_changes_between_a_plan_and_itself() {
    let changes = between("", "");
    assert!(
        changes.is_empty() && changes.restarts.is_empty() && changes.disruptive.is_empty(),
        "{changes:?}"
    );
}

#[test]
fn what_is_disruptive_is_said_in_words() {
    let check = |before: &str, after: &str, restarts: &[&str], expect: &[&str]| {
        let changes = between(before, after);
        assert_eq!(
            (changes.restarts, changes.disruptive),
            (strings(restarts), strings(expect)),
            "{before} -> {after}"
        );
        assert!(!changes.created.is_empty() || !changes.changed.is_empty() || !changes.deleted.is_empty());
    };
    let metrics = |components: &str| format!("spec: {{metrics: {{components: {components}}}}}");
    // More of anything is harmless.
    check("", &metrics("{distributor: {replicas: 3}}"), &[], &[]);
    check("", &metrics("{ingester: {replicas: 4}}"), &[], &[]);
    check("", &metrics("{ruler: {replicas: 1}}"), &[], &[]);
    // So is less of what holds nothing.
    check("", &metrics("{distributor: {replicas: 1}}"), &[], &[]);
    check(
        &metrics("{ingester: {replicas: 4}, storeGateway: {replicas: 2}}"),
        &metrics("{ingester: {replicas: 3}, storeGateway: {replicas: 1}}"),
        &[],
        &["metrics.ingester goes from 4 to 3 pods", "metrics.storeGateway goes from 2 to 1 pods"],
    );
    check(&metrics("{ruler: {replicas: 1}}"), "", &[], &["metrics.ruler is removed"]);
    check(
        "",
        "spec: {traces: null}",
        &[],
        &["the backend of traces is removed; its claims and buckets stay"],
    );
    check("", &metrics("{ingester: {nodeSelector: {a: b}}}"), &["metrics.ingester"], &[]);
    check("", &metrics("{compactor: {nodeSelector: {a: b}}}"), &["metrics.compactor"], &[]);
    check(
        "",
        &metrics("{querier: {nodeSelector: {a: b}}, storeGateway: {nodeSelector: {a: b}}}"),
        &["metrics.querier", "metrics.storeGateway"],
        &[
            "the only pod of metrics.querier is replaced: reads of metrics may stand still meanwhile",
            "the only pod of metrics.storeGateway is replaced: reads of metrics may stand still meanwhile",
        ],
    );
    check(
        "spec: {traces: {components: {ingester: {replicas: 1}}, replicationFactor: 1}}",
        "spec: {traces: {components: {ingester: {replicas: 2, nodeSelector: {a: b}}}, replicationFactor: 1}}",
        &["traces.ingester"],
        &[
            "the only pod of traces.ingester is replaced: writes and reads of traces may stand still meanwhile",
        ],
    );
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// The replication factor and the chart alone: by hand, no object changes with them.
#[test]
fn another_major_version_or_replication_factor_is_disruptive() {
    let check = |before: &str, after: &str, expect: &[&str]| {
        assert_eq!(between(before, after).disruptive, strings(expect), "{before} -> {after}");
    };
    let of = |version: &str| format!("spec: {{metrics: {{chart: {{version: {version}}}}}}}");
    check(&of("6.0.6"), &of("6.1.0"), &[]);
    check(
        &of("5.8.0"),
        &of("6.1.0"),
        &["release dts-dev-mimir goes from mimir-distributed 5.8.0 to 6.1.0, another major version"],
    );
    check(
        "",
        "spec: {metrics: {replicationFactor: 2}}",
        &["the replication factor of release dts-dev-mimir goes from 3 to 2"],
    );
}

#[test]
fn a_stateful_set_with_larger_claims_is_made_anew() {
    let sized = |size: &str| {
        let mut hand = Hand::tempo("");
        let claim =
            json!([{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}]);
        hand.objects()[1]["spec"]["volumeClaimTemplates"] = claim;
        hand
    };
    let changes = of(&in_place(&sized("1Gi")), &sized("2Gi"));
    assert_eq!(
        changes.disruptive,
        [
            "StatefulSet/ca7f8f-dev/dts-dev-tempo-ingester is made anew, under its running pods, so that its claims data \
          grow from 1Gi to 2Gi"
        ]
    );
    assert_eq!((names(&changes.changed), changes.restarts.len()), (vec!["dts-dev-tempo-ingester"], 0));
}

#[test]
fn the_first_installation_is_never_disruptive() {
    let hand = hand("");
    let first = of(&Inventory::default(), &hand);
    assert_eq!(
        (first.created.len(), first.changed.len(), first.deleted.len()),
        (hand.plan().objects.len(), 0, 0)
    );
    assert!(first.restarts.is_empty() && first.disruptive.is_empty(), "{first:?}");
    // Begun, and with fewer ingesters now.
    let mut begun = ahead(&Inventory::default(), &hand, &first);
    begun.objects.values_mut().for_each(|entry| entry.uid = "u".into());
    let smaller = of(
        &begun,
        &self::hand("spec: {metrics: {replicationFactor: 1, components: {ingester: {replicas: 1}}}}"),
    );
    assert!(smaller.disruptive.is_empty(), "{smaller:?}");
}

/// The inventory that is written before a change is carried out.
fn ahead(before: &Inventory, hand: &Hand, changes: &Changes) -> Inventory {
    before.united(&hand.plan(), &releases(&hand.design).into_keys().collect(), 1, &changes.summary())
}

#[test]
fn a_crash_on_the_way_changes_nothing_of_what_is_told() {
    let before =
        in_place(&hand("spec: {metrics: {components: {ruler: {replicas: 1}, ingester: {replicas: 4}}}}"));
    let after =
        hand("spec: {metrics: {components: {querier: {nodeSelector: {a: b}}}, chart: {version: 5.8.0}}}");
    let told = of(&before, &after);
    assert!(told.disruptive.len() >= 4 && told.restarts == ["metrics.querier"], "{told:?}");
    let begun = ahead(&before, &after, &told);
    assert_eq!(of(&begun, &after), told);
    let read: Inventory = serde_json::from_str(&serde_json::to_string(&begun).unwrap()).unwrap();
    assert_eq!(of(&read, &after), told);
    assert_eq!(begun.begun(&told.digest), Some(&told.summary()));
}

#[test]
fn what_was_begun_counts_until_something_is_in_place() {
    let before = in_place(&hand(""));
    let disruptive = hand("spec: {metrics: {components: {querier: {nodeSelector: {a: b}}}}}");
    let begun = ahead(&before, &disruptive, &of(&before, &disruptive));
    // Taken back: how far it came is not known.
    let back = of(&begun, &hand(""));
    assert_eq!(back.restarts, ["metrics.querier"]);
    assert_eq!(
        back.disruptive,
        ["the only pod of metrics.querier is replaced: reads of metrics may stand still meanwhile"]
    );
    let smaller = hand("spec: {metrics: {components: {ingester: {replicas: 4}, ruler: {replicas: 1}}}}");
    let begun = ahead(&in_place(&smaller), &hand(""), &of(&in_place(&smaller), &hand("")));
    let elsewhere = hand("spec: {metrics: {components: {distributor: {replicas: 4}}}}");
    let reasons =
        ["metrics.ruler is removed", "begun before and not finished: metrics.ingester goes from 4 to 3 pods"];
    let first = of(&begun, &elsewhere);
    assert_eq!(first.disruptive, reasons);
    let twice = ahead(&begun, &elsewhere, &first);
    assert_eq!(of(&twice, &hand("")).disruptive, reasons, "said once, however often");
}

#[test]
fn an_inventory_of_an_earlier_version_overstates_rather_than_hides() {
    let mut before = in_place(&hand("spec: {metrics: {components: {ingester: {replicas: 4}}}}"));
    before.facts.clear();
    for component in &mut before.components {
        component.need = obstack_core::need::PodNeed::default();
        component.class = obstack_core::backends::role::Class::default();
    }
    let changes = of(&before, &hand(""));
    assert_eq!(changes.restarts, ["metrics.ingester"], "its object changes, and nobody knows its template");
    assert_eq!(changes.disruptive, ["metrics.ingester goes from 4 to 3 pods"]);
}

#[test]
fn a_digest_is_of_the_objects_and_of_what_is_deleted() {
    let (plain, more) = (hand(""), hand("spec: {metrics: {components: {ruler: {replicas: 1}}}}"));
    let first = of(&Inventory::default(), &plain);
    assert_eq!(first.digest.len(), 71);
    assert!(first.digest.starts_with("sha256:"));
    assert_eq!(of(&in_place(&plain), &plain).digest, first.digest, "what is in place makes no difference");
    let fewer = of(&in_place(&more), &plain);
    assert_eq!(names(&fewer.deleted), ["dts-dev-mimir-ruler"]);
    assert_ne!(fewer.digest, first.digest, "but what is deleted does");
    assert_ne!(of(&in_place(&plain), &more).digest, first.digest);
}

#[test]
fn a_change_waits_until_its_own_digest_is_approved() {
    let harmless = between("", "spec: {metrics: {components: {distributor: {replicas: 3}}}}");
    let disruptive = between("", "spec: {metrics: {components: {querier: {nodeSelector: {a: b}}}}}");
    let nothing = between("", "");
    let (long, short) = (disruptive.digest.clone(), disruptive.digest[..19].to_owned());
    let too_short = disruptive.digest[..18].to_owned();
    let check = |policy: Approval, approved: Option<&str>, changes: &Changes, expect: Option<Reason>| {
        let policy = obstack_api::Changes { approval: policy, approved_plan: approved.map(str::to_owned) };
        let fault = approval(&policy, changes);
        assert_eq!(fault.as_ref().map(|fault| fault.reason), expect, "{policy:?}");
        fault.map(|fault| fault.message).unwrap_or_default()
    };
    check(Automatic, None, &disruptive, None);
    check(Automatic, Some(&harmless.digest), &disruptive, None);
    check(ManualForDisruptive, None, &harmless, None);
    check(ManualForDisruptive, Some(&long), &harmless, None);
    check(ManualForDisruptive, None, &disruptive, Some(AwaitingApproval));
    check(ManualForDisruptive, Some(&harmless.digest), &disruptive, Some(ApprovalStale));
    check(ManualForDisruptive, Some(&long), &disruptive, None);
    check(ManualForDisruptive, Some(&short), &disruptive, None);
    check(ManualForDisruptive, Some(&too_short), &disruptive, Some(ApprovalStale));
    check(ManualForDisruptive, Some(""), &disruptive, Some(ApprovalStale));
    check(Manual, None, &nothing, None);
    check(Manual, Some(&long), &disruptive, None);
    let message = check(Manual, None, &harmless, Some(AwaitingApproval));
    assert_eq!(
        message,
        format!(
            "plan {} waits: objects made: 0, changed: 1, deleted: 0; set spec.changes.approvedPlan to \
             status.plan.digest",
            &harmless.digest[..19]
        )
    );
    let message = check(Manual, Some(&harmless.digest), &disruptive, Some(ApprovalStale));
    for part in
        [&short, &harmless.digest[..19], "pods of metrics.querier are replaced", "reads of metrics may"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn the_status_tells_a_change_by_its_numbers() {
    let changes =
        between("", "spec: {metrics: {components: {querier: {nodeSelector: {a: b}}, ruler: {replicas: 1}}}}");
    let status = changes.summary().status(PlanState::PendingApproval);
    assert_eq!((status.created, status.changed, status.deleted), (1, 1, 0));
    assert_eq!((status.digest, status.restarts), (changes.digest, strings(&["metrics.querier"])));
    let many =
        ChangeSummary { restarts: vec!["x".into(); 80], created: usize::MAX, ..ChangeSummary::default() };
    let status = many.status(PlanState::Applied);
    assert_eq!((status.restarts.len(), status.created), (50, i32::MAX));
}

/// Overlays that change something each.
fn overlay() -> impl Strategy<Value = String> {
    let part = (
        1..5_u32,
        prop::option::of(1..3_u32),
        prop::bool::ANY,
        prop::sample::select(&["6.1.0", "6.0.6", "5.8.0"][..]),
    );
    part.prop_map(|(ingesters, rulers, moved, version)| {
        let node = if moved { "{a: b}" } else { "{}" };
        format!(
            "spec: {{metrics: {{replicationFactor: 1, chart: {{version: {version}}}, components: {{ingester: {{replicas: {ingesters}}}, \
             ruler: {{replicas: {}}}, querier: {{nodeSelector: {node}}}}}}}}}",
            rulers.unwrap_or(0)
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_changes_nothing(before in overlay(), after in overlay(), turn in 0..40_usize) {
        let (before, hand) = (in_place(&hand(&before)), hand(&after));
        let mut turned: Plan = hand.plan();
        let objects = turned.objects.len();
        turned.objects.rotate_left(turn % objects);
        turned.components.reverse();
        prop_assert_eq!(changes(&before, &turned, &releases(&hand.design)), of(&before, &hand));
    }

    #[test]
    fn a_change_is_nothing_exactly_when_every_object_is_in_place(before in overlay(), after in overlay()) {
        let (one, other) = (hand(&before), hand(&after));
        let changes = of(&in_place(&one), &other);
        let same = one.plan().objects.iter().map(|o| &o.hash).eq(other.plan().objects.iter().map(|o| &o.hash));
        prop_assert_eq!(changes.is_empty(), same);
        let plan = other.plan();
        for id in changes.created.iter().chain(&changes.changed) {
            prop_assert!(plan.objects.iter().any(|object| object.id == *id));
        }
        for id in &changes.deleted {
            prop_assert!(plan.objects.iter().all(|object| object.id != *id));
        }
    }

    #[test]
    fn what_was_begun_tells_the_same_from_any_state_on_the_way(before in overlay(), after in overlay(), applied in prop::collection::vec(any::<bool>(), 60)) {
        let (before, hand) = (in_place(&hand(&before)), hand(&after));
        let told = of(&before, &hand);
        let mut begun = ahead(&before, &hand, &told);
        for (object, applied) in hand.plan().objects.iter().zip(applied) {
            if applied {
                begun.objects.insert(object.id.clone(), Entry { hash: object.hash.clone(), uid: "u".into(), owned: "o".into() });
            }
        }
        let now = of(&begun, &hand);
        prop_assert_eq!((&now.digest, &now.restarts, &now.disruptive), (&told.digest, &told.restarts, &told.disruptive));
    }
}
