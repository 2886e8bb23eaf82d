//! What is read from the backends' rings. The recorded pages are Mimir's own (one process a member, `-target=all`),
//! with three tokens a member left.

#![cfg(test)]

use std::time::Duration;

use obstack_api::Reason;
use obstack_core::rings::{
    self, Expected, Gossipers, QuorumRule, RingHealth, RingToAsk, State, Verdict, Why,
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../testdata/rings/mimir-3.0.5-", $name))
    };
}

fn ask(members: u32, replication_factor: u32, rule: QuorumRule, timeout: Option<Duration>) -> RingToAsk {
    RingToAsk {
        component: "metrics.ingester".into(),
        service: "dts-dev-mimir-distributor".into(),
        namespace: "ca7f8f-dev".into(),
        port: 8080,
        path: "/ingester/ring".into(),
        expected: Expected::Ring { members, replication_factor, rule, heartbeat_timeout: timeout },
    }
}

fn mimir(members: u32, replication_factor: u32) -> RingToAsk {
    ask(members, replication_factor, QuorumRule::Majority, Some(HOUR))
}

/// A page with a member for each state; every member has reported just now.
fn page(states: &[&str]) -> Vec<u8> {
    let member = |(index, state): (usize, &&str)| {
        json!({"id": format!("m-{index}"), "state": state, "address": "10.0.0.1:9095",
            "timestamp": "2026-11-20T16:00:00Z", "zone": "zone-default", "tokens": [1, 2]})
    };
    let shards: Vec<_> = states.iter().enumerate().map(member).collect();
    json!({"shards": shards, "now": "2026-11-20T16:00:01.5Z"}).to_string().into_bytes()
}

/// `1 ok`, `2 lost 1/2` (usable of needed), `3 sick`, `? NotJson`: the verdict in short.
fn short(health: &RingHealth) -> String {
    match &health.verdict {
        Verdict::Healthy { members } => format!("{members} ok"),
        Verdict::Unhealthy(trouble) => format!("{} sick, {} missing", trouble.sick.len(), trouble.missing),
        Verdict::QuorumLost { trouble, left, needed } => {
            format!("{} sick, {} missing, lost {left}/{needed}", trouble.sick.len(), trouble.missing)
        }
        Verdict::Unknown(why) => format!("? {why:?}"),
    }
}

#[test]
fn a_recorded_page_is_read_as_it_was_meant() {
    let check = |members, rf, body: &[u8], expect| {
        let health = rings::read(&mimir(members, rf), body);
        assert_eq!(short(&health), expect, "{}", health.message());
    };
    let active = recorded!("ingester-active.json");
    check(3, 3, active, "3 ok");
    check(2, 3, active, "3 ok");
    check(4, 3, active, "0 sick, 1 missing");
    check(3, 3, recorded!("ingester-leaving.json"), "1 sick, 0 missing");
    check(3, 3, recorded!("ingester-two-stopped.json"), "2 sick, 0 missing, lost 1/2");
    check(3, 3, recorded!("store-gateway.json"), "3 ok");
    check(3, 3, recorded!("compactor.json"), "3 ok");
    check(3, 3, recorded!("ingester.html"), "? NotJson");
    check(3, 3, recorded!("compactor-starting.html"), "? NotJson");
    check(3, 3, recorded!("memberlist.json"), "? OtherPage");
    let half = active.len() / 2;
    check(3, 3, active.get(..half).unwrap(), "? Truncated");
}

/// Both were seen on Mimir 3.0.5: 34 of 40 writes refused with one of three stopped, 27 of 40 with one leaving, "at
/// least 2 live replicas required, could only find 1"; with replication factor 3 none.
#[test]
fn mimir_with_replication_factor_2_refuses_writes_with_one_member_gone_or_leaving() {
    let check = |rf, states: &[&str], expect| {
        assert_eq!(short(&rings::read(&mimir(3, rf), &page(states))), expect, "{rf} {states:?}");
    };
    check(2, &["ACTIVE", "ACTIVE", "UNHEALTHY"], "1 sick, 0 missing, lost 1/2");
    check(2, &["ACTIVE", "ACTIVE", "LEAVING"], "1 sick, 0 missing, lost 1/2");
    check(3, &["ACTIVE", "ACTIVE", "UNHEALTHY"], "1 sick, 0 missing");
    check(3, &["ACTIVE", "ACTIVE", "LEAVING"], "1 sick, 0 missing");
    check(3, &["ACTIVE", "JOINING", "LEAVING"], "2 sick, 0 missing, lost 1/2");
    check(3, &["ACTIVE"], "0 sick, 2 missing, lost 1/2");
    check(1, &["ACTIVE", "ACTIVE", "UNHEALTHY"], "1 sick, 0 missing, lost 0/1");
}

#[test]
fn each_rule_counts_as_its_backend_does() {
    use QuorumRule::{Majority, MajorityWithSubstitutes, Nothing, OneToRead, OneWithSubstitutes};
    let check = |rule, rf, states: &[&str], expect| {
        let members = u32::try_from(states.len()).unwrap();
        let health = rings::read(&ask(members, rf, rule, Some(HOUR)), &page(states));
        assert_eq!(short(&health), expect, "{rule:?} {rf} {states:?}");
    };
    let (ok, gone, leaving, joining) = ("ACTIVE", "UNHEALTHY", "LEAVING", "JOINING");
    // Tempo with replication factor 2 goes on with one gone of three (60 of 60 writes), and not with two.
    check(OneWithSubstitutes, 2, &[ok, ok, gone], "1 sick, 0 missing");
    check(OneWithSubstitutes, 2, &[ok, gone, gone], "2 sick, 0 missing, lost 0/1");
    check(OneWithSubstitutes, 2, &[ok, leaving, leaving], "2 sick, 0 missing");
    // With a factor of 1 a substitute makes the set 2, and dskit wants both of them.
    check(MajorityWithSubstitutes, 1, &[ok, ok, leaving], "1 sick, 0 missing, lost 1/2");
    check(MajorityWithSubstitutes, 1, &[ok, ok, gone], "1 sick, 0 missing, lost 0/1");
    check(MajorityWithSubstitutes, 3, &[ok, ok, ok, gone], "1 sick, 0 missing");
    check(MajorityWithSubstitutes, 3, &[ok, ok, ok, leaving, leaving], "2 sick, 0 missing");
    check(MajorityWithSubstitutes, 3, &[ok, ok, ok, gone, leaving], "2 sick, 0 missing, lost 2/3");
    check(Majority, 3, &[ok, ok, ok, leaving, leaving], "2 sick, 0 missing, lost 1/2");
    // A block lies on three store-gateways, or on all there are.
    check(OneToRead, 3, &[ok, gone], "1 sick, 0 missing");
    check(OneToRead, 3, &[gone, leaving], "2 sick, 0 missing, lost 0/1");
    check(OneToRead, 3, &[ok, gone, gone, gone], "3 sick, 0 missing, lost 0/1");
    check(OneToRead, 3, &[ok, joining, joining, joining], "3 sick, 0 missing");
    check(Nothing, 1, &[gone, leaving], "2 sick, 0 missing");
}

#[test]
fn a_member_is_silent_when_the_page_says_so_or_its_heartbeat_is_old_by_the_pages_own_clock() {
    let check = |timeout: Option<u64>, timestamp: Value, now: Value, expect| {
        let page = json!({"now": now, "shards": [{"id": "a", "state": "ACTIVE", "timestamp": timestamp, "tokens": [1]}]});
        let asked = ask(1, 1, QuorumRule::Nothing, timeout.map(Duration::from_secs));
        assert_eq!(short(&rings::read(&asked, page.to_string().as_bytes())), expect, "{page}");
    };
    let now = || json!("2026-11-20T16:10:00.9Z");
    check(Some(600), json!("2026-11-20T16:00:00Z"), now(), "1 ok");
    check(Some(600), json!("2026-11-20T15:59:59Z"), now(), "1 sick, 0 missing");
    check(Some(600), json!("2026-11-20T16:10:30Z"), now(), "1 ok");
    check(Some(600), json!("Never"), now(), "1 sick, 0 missing");
    check(Some(600), json!("0001-01-01T00:00:00Z"), now(), "1 sick, 0 missing");
    // Nothing is guessed: without both times the page's word stands.
    check(Some(600), json!("2026-11-20T15:00:00Z"), Value::Null, "1 ok");
    check(Some(600), json!("an hour ago"), now(), "1 ok");
    check(None, json!("2026-11-20T15:00:00Z"), now(), "1 ok");
}

#[test]
fn what_is_no_ring_is_unknown_and_never_healthy_or_unhealthy() {
    let check = |body: &[u8], expect| assert_eq!(short(&rings::read(&mimir(3, 3), body)), expect);
    check(b"", "? Truncated");
    check(b"{\"shards\":", "? Truncated");
    check(b"<html>", "? NotJson");
    check(b"not found", "? NotJson");
    check(b"{\"shards\":[]} trailing", "? NotJson");
    check(b"\xff\xfe", "? NotJson");
    check(b"[]", "? OtherPage");
    check(b"{}", "? OtherPage");
    check(b"{\"kind\":\"Status\",\"code\":503}", "? OtherPage");
    check(b"{\"shards\":[{\"id\":\"a\"}]}", "? OtherPage");
    check(b"{\"shards\":[{\"state\":\"ACTIVE\"}]}", "? OtherPage");
    check(b"{\"shards\":{\"a\":1}}", "? OtherPage");
    check("[".repeat(100_000).as_bytes(), "? OtherPage");
}

#[test]
fn an_empty_ring_is_unhealthy_where_members_are_expected() {
    for body in ["{\"shards\":null,\"now\":\"2026-11-20T16:00:00Z\"}", "{\"shards\":[]}"] {
        assert_eq!(short(&rings::read(&mimir(3, 3), body.as_bytes())), "0 sick, 3 missing");
    }
}

#[test]
fn members_that_hold_no_keys_have_no_part_in_a_quorum() {
    let check = |change: Value, expect| {
        let mut page: Value =
            serde_json::from_slice(&page(&["ACTIVE", "ACTIVE", "ACTIVE", "PENDING"])).unwrap();
        json_patch::merge(page.pointer_mut("/shards/3").unwrap(), &change);
        assert_eq!(short(&rings::read(&mimir(4, 2), page.to_string().as_bytes())), expect, "{page}");
    };
    check(json!({}), "1 sick, 0 missing, lost 1/2");
    check(json!({"tokens": []}), "1 sick, 0 missing");
    check(json!({"read_only": true}), "1 sick, 0 missing");
    check(json!({"state": "ACTIVE", "read_only": true}), "4 ok");
    check(json!({"state": "LEFT"}), "0 sick, 1 missing");
    check(json!({"state": "SLEEPING"}), "1 sick, 0 missing, lost 1/2");
    check(json!({"state": "active"}), "4 ok");
    // With zones a quorum is one of zones, and whether it is, the page does not say.
    check(json!({"zone": "b"}), "1 sick, 0 missing");
    let mut null: Value = serde_json::from_slice(&page(&["ACTIVE", "ACTIVE", "PENDING"])).unwrap();
    *null.pointer_mut("/shards/2/tokens").unwrap() = Value::Null;
    assert_eq!(short(&rings::read(&mimir(3, 2), null.to_string().as_bytes())), "1 sick, 0 missing");
}

#[test]
fn a_huge_page_is_judged_at_once() {
    let states: Vec<_> = (0..20_000).map(|n| ["ACTIVE", "LEAVING", "UNHEALTHY"][n % 3]).collect();
    let body = page(&states);
    for rule in [QuorumRule::Majority, QuorumRule::MajorityWithSubstitutes, QuorumRule::OneToRead] {
        let health = rings::read(&ask(20_000, 3, rule, Some(HOUR)), &body);
        assert_eq!(health.reason(), Reason::QuorumLost);
        assert!(health.message().len() < 500, "{}", health.message());
    }
}

#[test]
fn the_gossip_must_have_every_pod_that_must_be_in_it() {
    let gossip = |pods: &[(&str, u32)]| {
        let gossiper =
            |(workload, pods): &(&str, u32)| Gossipers { workload: (*workload).to_owned(), pods: *pods };
        RingToAsk {
            component: "metrics.memberlist".into(),
            path: "/memberlist".into(),
            expected: Expected::Gossip(pods.iter().map(gossiper).collect()),
            ..mimir(0, 1)
        }
    };
    let check = |pods: &[(&str, u32)], body: &[u8], expect| {
        assert_eq!(short(&rings::read(&gossip(pods), body)), expect, "{pods:?}");
    };
    let recorded = recorded!("memberlist.json");
    check(&[("m-1", 1), ("m-2", 1)], recorded, "2 ok");
    check(&[("m", 3)], recorded, "3 ok");
    check(&[("m", 4), ("n", 1)], recorded, "0 sick, 2 missing");
    check(&[("m", 1)], b"This instance doesn't use memberlist.", "? NotJson");
    check(&[("m", 1)], recorded!("ingester-active.json"), "? OtherPage");
    check(&[("m", 1)], b"{\"SortedMembers\":null}", "0 sick, 1 missing");
    // Pods of another workload whose name goes on do not stand in for those that lack.
    let names = json!({"SortedMembers": [{"Name": "m-query-frontend-0"}, {"Name": "mm-0"}]}).to_string();
    check(&[("m-query", 1), ("m-querier", 1)], names.as_bytes(), "0 sick, 1 missing");
    let message = rings::read(&gossip(&[("m", 4), ("n", 1)]), recorded).message();
    assert_eq!(
        message,
        "gossip of metrics.memberlist: 3 of 5 members are active: m has 3 of 4 pods in it, n has 0 of 1 pods in it. \
         The others do not hear its pods: see whether they answer, and whether pods of the namespace reach each other \
         on port 7946"
    );
}

#[test]
fn a_message_names_ring_member_number_and_fix() {
    let check = |asked: &RingToAsk, body: &[u8], reason, expect: &str| {
        let health = rings::read(asked, body);
        assert_eq!((health.reason(), health.message().as_str()), (reason, expect));
    };
    let ten = ask(3, 3, QuorumRule::Majority, Some(Duration::from_mins(10)));
    check(
        &ten,
        recorded!("ingester-active.json"),
        Reason::RingsActive,
        "ring of metrics.ingester: 3 members are active",
    );
    check(
        &ten,
        recorded!("ingester-leaving.json"),
        Reason::RingUnhealthy,
        "ring of metrics.ingester: 2 of 3 members are active: m-ingester-3 is LEAVING. Bring the pods back. A member \
         that is gone for good is forgotten on the page /ingester/ring of Service dts-dev-mimir-distributor",
    );
    check(
        &ten,
        recorded!("ingester-two-stopped.json"),
        Reason::QuorumLost,
        "ring of metrics.ingester: 1 of 3 members are active: m-ingester-2 is silent for longer than 10 min, \
         m-ingester-3 is silent for longer than 10 min, so writes are refused where 1 of 2 needed replicas are left. \
         Bring the pods back. A member that is gone for good is forgotten on the page /ingester/ring of Service \
         dts-dev-mimir-distributor",
    );
    check(
        &ten,
        &page(&["ACTIVE", "ACTIVE", "JOINING"]),
        Reason::RingUnhealthy,
        "ring of metrics.ingester: 2 of 3 members are active: m-2 is JOINING. A member becomes active when its pod \
         has started: see the pod's log if it does not",
    );
    check(
        &ten,
        &page(&["ACTIVE", "ACTIVE"]),
        Reason::RingUnhealthy,
        "ring of metrics.ingester: 2 of 3 members are active: 1 of the expected are not in it. See whether their pods \
         run, and whether pods of the namespace reach each other on port 7946",
    );
    check(
        &ten,
        recorded!("compactor-starting.html"),
        Reason::RingsUnknown,
        "ring of metrics.ingester is not known: Service dts-dev-mimir-distributor port 8080 did not answer GET \
         /ingester/ring with JSON, as a component does that is starting",
    );
}

#[test]
fn a_message_repeats_nothing_of_a_page_but_names_that_pods_can_have() {
    let evil = "x\nReady=True <script>";
    let body = json!({"shards": [{"id": evil, "state": evil, "timestamp": evil, "zone": evil, "tokens": [1]}], "now": evil});
    let message = rings::read(&mimir(1, 1), body.to_string().as_bytes()).message();
    assert!(message.contains("(not a name) is in a state that is not known here"), "{message}");
    assert!(!message.contains("script") && !message.contains('\n'), "{message}");
    for body in [evil, "{\"shards\": [{\"id\": \"a\", \"state\": \"script\""] {
        assert!(!rings::read(&mimir(1, 1), body.as_bytes()).message().contains("script"));
    }
}

#[test]
fn a_message_is_the_same_as_long_as_the_ring_is() {
    let mut page: Value = serde_json::from_slice(recorded!("ingester-two-stopped.json")).unwrap();
    let first = rings::read(&mimir(3, 3), page.to_string().as_bytes());
    page["now"] = json!("2026-11-20T16:22:59Z");
    page["shards"][0]["timestamp"] = json!("2026-11-20T16:22:58Z");
    page["shards"].as_array_mut().unwrap().reverse();
    assert_eq!(rings::read(&mimir(3, 3), page.to_string().as_bytes()), first);
}

#[test]
fn why_a_page_was_not_read_is_said_with_what_to_do() {
    let check = |why: Why, expect: &str| {
        let health = RingHealth { asked: mimir(3, 3), verdict: Verdict::Unknown(why) };
        assert_eq!(health.reason(), Reason::RingsUnknown);
        assert!(health.message().contains(expect), "{}", health.message());
    };
    check(Why::TimedOut, "Service dts-dev-mimir-distributor port 8080 did not answer in time");
    check(Why::Unreachable { cause: "connection refused".into() }, "was not reached (connection refused)");
    check(Why::Forbidden, "Allow the operator `get` on services/proxy in namespace ca7f8f-dev");
    check(Why::Answered { status: 503 }, "answered 503 to GET /ingester/ring");
    check(Why::TooLarge, "answered more than is read");
}

#[test]
fn a_silent_member_keeps_its_name_and_no_other_state() {
    let health = rings::read(&mimir(3, 3), recorded!("ingester-two-stopped.json"));
    let Verdict::QuorumLost { trouble, .. } = health.verdict else { panic!("{health:?}") };
    let sick: Vec<_> = trouble.sick.iter().map(|sick| (sick.member.as_str(), sick.state)).collect();
    assert_eq!(sick, [("m-ingester-2", State::Unhealthy), ("m-ingester-3", State::Unhealthy)]);
}
