//! Which of several causes is the first.

use obstack_api::Reason;

use super::world::{Change, NOW, World, end, loops, runs, waits};

/// A stack with a component of each rank, the important ones last.
fn stack() -> World {
    let mut world = World::ingesters(1);
    world.add("metrics.compactor", "StatefulSet", 1);
    world.add("metrics.querier", "Deployment", 1);
    world.add("metrics.distributor", "Deployment", 1);
    world.add("metrics.storeGateway", "StatefulSet", 1);
    world.add("traces.singleBinary", "StatefulSet", 1);
    world.components.reverse();
    world
}

#[test]
fn of_the_same_reason_the_component_that_most_waits_for_is_the_first() {
    let mut world = stack();
    let broken = |world: &mut World, name: &str| {
        world.none_ready(name, |pod| pod.is(waits("ErrImagePull", "not found")));
    };
    for (name, workload) in [
        ("metrics.compactor", "mimir-compactor"),
        ("metrics.querier", "mimir-querier"),
        ("metrics.distributor", "mimir-distributor"),
        ("metrics.storeGateway", "mimir-storegateway"),
        ("metrics.ingester", "mimir-ingester"),
        ("traces.singleBinary", "tempo-singlebinary"),
    ] {
        broken(&mut world, name);
        let (reason, message) = world.first();
        assert_eq!(reason, Reason::ImagePullFailed);
        assert!(message.starts_with(&format!("pod s-{workload}-")), "{name}: {message}");
    }
    // Two of one rank keep the order of the plan.
    world.components.reverse();
    assert!(world.first().1.starts_with("pod s-mimir-ingester-"), "{:?}", world.first());
}

#[test]
fn what_others_wait_for_comes_before_those_that_wait() {
    let mut world = stack();
    world.none_ready("metrics.querier", |pod| {
        pod.is(runs(NOW - 600, None));
        pod.warn("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    });
    world.none_ready("metrics.compactor", |pod| pod.is(loops(end("Error", 1, "no ingester"))));
    assert_eq!(world.first().0, Reason::CrashLoop, "what ends, before what waits");
    world.none_ready("metrics.ingester", |pod| pod.is(waits("ImagePullBackOff", "not found")));
    assert_eq!(world.first().0, Reason::ImagePullFailed, "what cannot start, before what ends");
    let facts = world.workload("metrics.distributor");
    (facts.created, facts.ready, facts.refusal) = (0, 0, Some("exceeded quota: compute".into()));
    world.live.pods.retain(|pod| pod.component != "metrics.distributor");
    assert_eq!(world.first().0, Reason::QuotaExceeded, "what is not even made, before what cannot start");
}

#[test]
fn of_what_blocks_alike_the_component_decides_and_not_the_reason() {
    let mut world = stack();
    world.none_ready("metrics.querier", |pod| pod.unplaced("0/3 nodes are available: 3 Insufficient cpu."));
    assert_eq!(world.first().0, Reason::Unschedulable);
    world.none_ready("metrics.ingester", |pod| {
        pod.is(waits("CreateContainerConfigError", "secret \"s\" not found"));
    });
    assert_eq!(world.first().0, Reason::SecretMissing);
}

#[test]
fn within_a_component_what_blocks_most_is_told() {
    let mut world = World::ingesters(4);
    let said = |world: &World| world.said("metrics.ingester").0;
    world.unready(0, 901);
    assert_eq!(said(&world), Reason::DeadlineExceeded);
    world.unready(1, 10).is(runs(0, None));
    world.live.pods[1].warn("Unhealthy", "Readiness probe failed: timeout");
    assert_eq!(said(&world), Reason::ProbeFailing);
    world.unready(2, 10).is(loops(end("Error", 1, "x")));
    assert_eq!(said(&world), Reason::CrashLoop);
    world.unready(3, 10).is(loops(end("OOMKilled", 137, "")));
    assert_eq!(said(&world), Reason::OOMKilled);
    world.live.pods[0].is(waits("CreateContainerConfigError", "secret \"s\" not found"));
    assert_eq!(said(&world), Reason::SecretMissing);
    world.live.pods[1].unplaced("0/3 nodes are available");
    assert_eq!(said(&world), Reason::Unschedulable);
    world.refuse("is forbidden: violates PodSecurity \"restricted:latest\": x");
    assert_eq!(said(&world), Reason::SecurityPolicyDenied);
}

#[test]
fn of_several_containers_of_a_pod_the_worst_is_told() {
    let mut world = World::ingesters(1);
    let pod = world.unready(0, 10);
    let mut sidecar = pod.containers[0].clone();
    pod.is(loops(end("Error", 1, "no sidecar")));
    sidecar.name = "sidecar".into();
    sidecar.state = Some(Box::new(waits("ErrImagePull", "not found")));
    pod.containers.push(sidecar);
    assert_eq!(world.said("metrics.ingester").0, Reason::ImagePullFailed);
}

#[test]
fn a_stack_in_order_has_no_cause() {
    assert_eq!(obstack_core::diagnose::first_cause(&stack().health()), None);
}
