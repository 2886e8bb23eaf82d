//! Pods that were made and do not get as far as their containers.

use std::sync::Arc;

use obstack_api::Reason;
use obstack_core::{diagnose, live::PodFacts};

use super::world::{Change, NOW, POD, ROLLS, World, check_pod, end, loops, runs};

const INGESTER: &str = "metrics.ingester";

#[test]
fn a_pod_without_a_node_is_told_in_the_schedulers_words() {
    let said = "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available.";
    let message = "0/3 nodes are available: 3 Insufficient memory";
    check_pod("no room", |_, pod| pod.unplaced(said), Reason::Unschedulable, message);
    let refused = |_: &mut World, pod: &mut PodFacts| {
        pod.failed = Some(("OutOfcpu".into(), "Node didn't have enough resource: cpu".into()));
    };
    let message = "node n1 refused it: Node didn't have enough resource: cpu";
    check_pod("turned away", refused, Reason::Unschedulable, message);
}

#[test]
fn a_lost_node_is_told_by_the_node_or_by_the_pod() {
    let lost = |case: &str, change: fn(&mut World, &mut PodFacts)| {
        check_pod(case, change, Reason::NodeLost, "its node n1 no longer answers");
    };
    lost("the node", |world, _| world.node(1, false));
    lost("the node, while the pod is deleted", |world, pod| {
        world.node(1, false);
        pod.deleting = true;
    });
    lost("the pod alone", |world, pod| {
        world.live.nodes = None;
        pod.failed = Some(("NodeLost".into(), "Node n1 which was running pod x is unresponsive".into()));
    });
    let back = |_: &mut World, pod: &mut PodFacts| {
        pod.failed = Some(("NodeLost".into(), "Node n1 which was running pod x is unresponsive".into()));
    };
    check_pod("the node is back", back, Reason::RolloutInProgress, ROLLS);
}

#[test]
fn a_node_that_may_not_be_read_is_lost_by_the_word_of_the_node_controller_alone() {
    let heard = |case: &str, change: fn(&mut World, &mut PodFacts), reason, message: &str| {
        let change = |world: &mut World, pod: &mut PodFacts| {
            world.live.nodes = None;
            pod.warn("NodeNotReady", "Node is not ready");
            change(world, pod);
        };
        check_pod(case, change, reason, message);
    };
    let lost = "its node n1 no longer answers";
    heard("nothing else is said", |_, _| {}, Reason::NodeLost, lost);
    heard("it is deleted", |_, pod| pod.deleting = true, Reason::NodeLost, lost);
    let not = |case: &str, change| heard(case, change, Reason::RolloutInProgress, ROLLS);
    not("the node answers", |world, _| world.live.nodes = World::ingesters(3).live.nodes);
    not("the node is gone", |world, _| world.live.nodes = Some(Arc::default()));
    not("a kubelet said more", |_, pod| pod.is(runs(NOW - 10, None)));
    not("it has no node", |_, pod| pod.unplaced(""));
    not("nothing was said", |_, pod| pod.warnings.clear());
    let ends: fn(&mut World, &mut PodFacts) = |_, pod| pod.is(loops(end("Error", 1, "bad config")));
    heard("it ends", ends, Reason::CrashLoop, "container ingester ended (exit code 1): bad config");
    let evicted: fn(&mut World, &mut PodFacts) =
        |_, pod| pod.failed = Some(("Evicted".into(), "low on memory".into()));
    heard("it was thrown out", evicted, Reason::Evicted, "node n1 evicted it: low on memory");
}

#[test]
fn an_eviction_is_told_until_the_pod_is_replaced() {
    let low = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 93184Ki.";
    let mut world = World::ingesters(1);
    world.add("metrics.querier", "Deployment", 1);
    let evicted = world.unready(1, 10);
    evicted.failed = Some(("Evicted".into(), format!("{low} ")));
    let name = evicted.name.clone();
    let message = format!("pod {name}: node n0 evicted it: {low}");
    assert_eq!(world.said("metrics.querier"), (Reason::Evicted, message));
    let mut next = world.live.pods[1].clone();
    (next.name, next.failed) = ("s-mimir-querier-6d5b9c7f44-z9z9z".into(), None);
    world.live.pods.push(next);
    assert_eq!(world.said("metrics.querier").0, Reason::RolloutInProgress, "another starts in its place");
    world.ready(2);
    assert_eq!(world.of("metrics.querier").cause, None, "its remains keep nothing from being ready");
}

#[test]
fn what_nothing_explains_is_a_fault_after_fifteen_minutes_and_never_earlier() {
    let mount = "MountVolume.SetUp failed for volume \"data\" : mount failed: exit status 32";
    let unmounted = |since: i64| {
        move |_: &mut World, pod: &mut PodFacts| {
            pod.not_ready_since = since;
            pod.warn("FailedMount", mount);
        }
    };
    let early = format!("{POD}its volumes are not mounted yet: {mount}");
    check_pod("not mounted", unmounted(NOW - 900), Reason::RolloutInProgress, &early);
    let late = format!("it has not become ready; FailedMount: {mount}");
    check_pod("never mounted", unmounted(NOW - 901), Reason::DeadlineExceeded, &late);
    let silent = |case: &str, since: i64, reason, message: &str| {
        check_pod(case, |_, pod| pod.not_ready_since = since, reason, message);
    };
    silent("in time", NOW - 900, Reason::RolloutInProgress, ROLLS);
    silent("late", NOW - 901, Reason::DeadlineExceeded, "it has not become ready");
    silent("since a time nobody knows", 0, Reason::RolloutInProgress, ROLLS);
    let deleted = |_: &mut World, pod: &mut PodFacts| {
        (pod.deleting, pod.not_ready_since) = (true, NOW - 90_000);
    };
    check_pod("it is being deleted", deleted, Reason::RolloutInProgress, ROLLS);
}

#[test]
fn equal_pods_are_told_of_once_with_their_number() {
    let mut world = World::ingesters(12);
    for index in [9, 10, 2] {
        world.unready(index, 10).is(loops(end("Error", 1, "bad config")));
    }
    world.unready(0, 10).is(loops(end("Error", 1, "another")));
    let ended = |who: &str, words: &str| {
        (Reason::CrashLoop, format!("{who}: container ingester ended (exit code 1): {words}"))
    };
    assert_eq!(world.said(INGESTER), ended("pod s-mimir-ingester-0", "another"));
    world.ready(0);
    assert_eq!(world.said(INGESTER), ended("pod s-mimir-ingester-2 and 2 more", "bad config"));
    world.live.pods.reverse();
    assert_eq!(
        world.said(INGESTER),
        ended("pod s-mimir-ingester-2 and 2 more", "bad config"),
        "in any order"
    );
}

#[test]
fn a_message_does_not_change_while_the_cause_is_the_same() {
    let said = |restarts: i32, since: i64, now: i64| {
        let mut world = World::ingesters(3);
        let pod = world.unready(1, since);
        pod.is(loops(end("Error", 1, "bad config")));
        pod.state().restarts = restarts;
        pod.state().waiting = Some(("CrashLoopBackOff".into(), format!("back-off {now}s")));
        world.now = now;
        world.said(INGESTER)
    };
    assert_eq!(said(1, 10, NOW), said(99, 1, NOW + 50_000));
}

#[test]
fn what_time_alone_changes_is_known_beforehand() {
    let mut world = World::ingesters(3);
    assert_eq!(diagnose::changes_at(&world.live, NOW), None);
    let pod = world.unready(1, 100);
    pod.is(runs(NOW - 50, None));
    pod.warn("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    let mut told = Vec::new();
    while let Some(next) = diagnose::changes_at(&world.live, world.now) {
        world.now = next - 1;
        let before = world.said(INGESTER).0;
        world.now = next;
        told.push((next - NOW, before, world.said(INGESTER).0));
    }
    assert_eq!(
        told,
        [
            (41, Reason::RolloutInProgress, Reason::ProbeFailing),
            (801, Reason::ProbeFailing, Reason::ProbeFailing)
        ]
    );
}
