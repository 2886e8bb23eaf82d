//! When a component is ready, and when it serves.

use obstack_api::{ComponentState, Reason};

use super::world::{Change, World, waits};

const INGESTER: &str = "metrics.ingester";
const QUERIER: &str = "metrics.querier";

fn queriers(replicas: u32) -> World {
    let mut world = World::ingesters(1);
    world.add(QUERIER, "Deployment", replicas);
    world
}

#[test]
fn a_component_is_ready_when_its_newest_pods_all_are() {
    for (world, name) in [(World::ingesters(3), INGESTER), (queriers(3), QUERIER)] {
        let health = world.of(name);
        assert_eq!(
            (health.status.state, health.available, health.cause),
            (ComponentState::Ready, true, None)
        );
    }
    let mut none = World::ingesters(3);
    none.add(QUERIER, "Deployment", 0);
    assert_eq!(
        none.of(QUERIER).status.state,
        ComponentState::Ready,
        "nothing is wanted and nothing is there"
    );
    none.workload(QUERIER).created = 1;
    assert_eq!(none.of(QUERIER).status.state, ComponentState::Progressing, "a pod is still to go");
}

#[test]
fn i6_a_count_that_may_be_behind_is_not_believed() {
    let unready = |case: &str, name: &str, change: fn(&mut World)| {
        let mut world = World::ingesters(3);
        world.add(QUERIER, "Deployment", 3);
        change(&mut world);
        assert_eq!(world.of(name).status.state, ComponentState::Progressing, "{case}");
        assert_eq!(world.said(name).0, Reason::RolloutInProgress, "{case}");
    };
    unready("of an older spec", INGESTER, |world| world.workload(INGESTER).observed_generation = 1);
    unready("told to run others", INGESTER, |world| world.workload(INGESTER).replicas = 2);
    unready("one pod is old", INGESTER, |world| world.workload(INGESTER).updated = 2);
    unready("one is not ready", INGESTER, |world| world.workload(INGESTER).ready = 2);
    unready("the pods say otherwise", INGESTER, |world| world.live.pods[1].ready = false);
    unready("a pod is gone", INGESTER, |world| _ = world.live.pods.remove(1));
    unready("a pod of an older revision", INGESTER, |world| world.live.pods[1].revision = "r0".into());
    unready("no revision is known", INGESTER, |world| world.workload(INGESTER).revision.clear());
    unready("a pod is too many", INGESTER, |world| world.workload(INGESTER).created = 4);
    unready("an old pod is still there", QUERIER, |world| world.workload(QUERIER).created = 4);
    unready("two revisions are ready", QUERIER, |world| world.live.pods[4].revision = "old".into());
    unready("the workload is gone", QUERIER, |world| {
        let id = world.components[1].workload.clone();
        world.live.workloads.remove(&id);
    });
}

#[test]
fn progress_is_told_in_numbers() {
    let says = |message: &str, change: fn(&mut World)| {
        let mut world = queriers(3);
        change(&mut world);
        assert_eq!(world.said(QUERIER), (Reason::RolloutInProgress, message.into()));
    };
    says("Deployment s-mimir-querier: 2 of 3 pods ready, 3 at the newest revision", |world| {
        world.unready(2, 10);
    });
    says(
        "Deployment s-mimir-querier: 3 of 3 pods ready, 1 at the newest revision, 1 more still to go",
        |world| {
            let facts = world.workload(QUERIER);
            (facts.updated, facts.created) = (1, 4);
        },
    );
    says("Deployment s-mimir-querier: its controller has not looked at its newest spec yet", |world| {
        world.workload(QUERIER).generation = 3;
    });
    says("Deployment s-mimir-querier is not there yet", |world| world.live.workloads.clear());
}

#[test]
fn a_component_serves_with_what_its_rollout_and_its_budget_leave_it() {
    let serves = |kind: &str, desired: u32, ready: usize| {
        let mut world = World::ingesters(0);
        world.add(QUERIER, kind, desired);
        (ready..usize::try_from(desired).unwrap()).for_each(|index| _ = world.unready(index, 10));
        world.of(QUERIER).available
    };
    for (kind, desired, least) in [
        ("StatefulSet", 1, 1),
        ("StatefulSet", 2, 1),
        ("StatefulSet", 3, 2),
        ("StatefulSet", 9, 8),
        ("Deployment", 1, 1),
        ("Deployment", 2, 1),
        ("Deployment", 3, 2),
        ("Deployment", 8, 6),
        ("Deployment", 9, 7),
    ] {
        assert!(serves(kind, desired, least), "{kind}: {least} of {desired}");
        assert!(!serves(kind, desired, least - 1), "{kind}: {} of {desired}", least - 1);
    }
    assert!(serves("Deployment", 0, 0));
}

#[test]
fn a_bad_new_pod_beside_an_old_one_that_serves_is_not_ready_and_is_available() {
    let mut world = queriers(1);
    let mut new = world.live.pods[1].clone();
    (new.name, new.revision) = ("s-mimir-querier-77f8c5d9b6-abcde".into(), "77f8c5d9b6".into());
    (new.ready, new.not_ready_since) = (false, 1);
    new.is(waits("ImagePullBackOff", "Back-off pulling image \"mimir:9\": ErrImagePull: not found"));
    world.live.pods.push(new);
    let facts = world.workload(QUERIER);
    (facts.created, facts.updated, facts.ready) = (2, 1, 1);
    let health = world.of(QUERIER);
    assert_eq!((health.available, health.status.state), (true, ComponentState::Blocked));
    assert_eq!(world.said(QUERIER).0, Reason::ImagePullFailed);
    assert_eq!((health.status.ready, health.status.updated, health.status.created), (1, 1, 2));
}
