//! What a stack survives: the replicas, the live pods, the nodes, and drains. The rules of the rings are tested beside
//! them.

#![cfg(test)]

mod common;
#[path = "common/living.rs"]
mod living;

use std::sync::Arc;

use obstack_api::{
    ConditionStatus::{self, False, True, Unknown},
    Reason,
};
use obstack_core::{
    assemble::Plan,
    finding::Finding,
    live::{BudgetFacts, Live, NodeFacts},
    resilience::{self, Resilience},
    valid::ValidStack,
};
use proptest::prelude::*;

use self::{
    common::{
        hand::Hand,
        helm::{Charts, helm, plan_of},
    },
    living::{as_planned, component, pods_of},
};

const METRICS: &str = "metrics.ingester";
const TRACES: &str = "traces.ingester";

/// Three ingesters and two of everything else that writes and queries need. Overlays go over it.
const SOLID: &str = "
spec:
  environment: prod
  traces:
    mode: Distributed
    components: {distributor: {replicas: 2}, ingester: {replicas: 3}, querier: {replicas: 2}, queryFrontend: {replicas: 2}}
  metrics:
    components:
      distributor: {replicas: 2}
      ingester: {replicas: 3}
      querier: {replicas: 2}
      queryFrontend: {replicas: 2}
      queryScheduler: {replicas: 2}
      storeGateway: {replicas: 2}
      gateway: {replicas: 2}
";

struct Scene {
    stack: ValidStack,
    plan: Plan,
    live: Live,
}

impl Scene {
    fn of(base: &str, overlay: &str) -> Self {
        let base = serde_json::to_value(common::small_with(base)).unwrap();
        let stack = common::with(&base, overlay);
        let plan = Hand::of(&stack).plan();
        Self { stack: common::valid(&stack), live: as_planned(&plan), plan }
    }

    fn solid(overlay: &str) -> Self {
        Self::of(SOLID, overlay)
    }

    fn look(&self) -> Resilience {
        resilience::tolerance(&self.stack, &self.plan.components, &self.live)
    }

    fn drain(&self) -> Finding {
        resilience::protection(true, &self.plan.components, &self.live, true)
    }

    /// So many pods of a component are not ready any more.
    fn lose(&mut self, of: &str, pods: usize) {
        pods_of(&mut self.live, of).take(pods).for_each(|pod| pod.ready = false);
    }

    /// The pods of a component stand on these nodes, one after the other.
    fn place(&mut self, of: &str, nodes: &[&str]) {
        pods_of(&mut self.live, of).zip(nodes).for_each(|(pod, node)| pod.node = (*node).to_owned());
    }
}

fn said(finding: &Finding) -> (ConditionStatus, Reason) {
    (finding.status, finding.reason)
}

#[test]
fn each_component_says_how_many_of_it_may_go() {
    let check = |overlay: &str, component: &str, expect: Option<i32>| {
        let tolerates = Scene::solid(overlay).look().tolerates;
        assert_eq!(tolerates.get(component).copied(), expect, "{component} with {overlay}");
    };
    check("", METRICS, Some(1));
    check("", TRACES, Some(1));
    check("", "metrics.distributor", Some(1));
    check("", "metrics.compactor", Some(0));
    check("", "metrics.storeGateway", Some(1));
    check("spec: {metrics: {replicationFactor: 2}}", METRICS, Some(0));
    check("spec: {traces: {replicationFactor: 1}}", TRACES, Some(0));
    check("spec: {metrics: {components: {querier: {replicas: 5}}}}", "metrics.querier", Some(4));
    check("spec: {metrics: {components: {storeGateway: {replicas: 6}}}}", "metrics.storeGateway", Some(2));
    check("spec: {metrics: {components: {alertmanager: {replicas: 2}}}}", "metrics.alertmanager", Some(1));
    check("spec: {metrics: {components: {ruler: {replicas: 2}}}}", "metrics.ruler", Some(1));
    let one_copy = "spec: {metrics: {values: {mimir: {structuredConfig: {store_gateway: {sharding_ring: {replication_factor: 1}}}}}}}";
    check(one_copy, "metrics.storeGateway", Some(0));
    let mut scene = Scene::solid("");
    component(&mut scene.plan, "metrics.compactor").name = "metrics.chunks-cache".into();
    assert_eq!(scene.look().tolerates.get("metrics.chunks-cache"), None, "nobody knows");
}

#[test]
fn a_stack_of_several_everywhere_survives_the_loss_of_a_pod() {
    let seen = Scene::solid("").look();
    assert_eq!(said(&seen.finding), (True, Reason::Tolerant));
    assert_eq!(
        seen.finding.message,
        "every component goes on with 1 pod lost at once; metrics.alertmanager (notifications), metrics.compactor (compaction and retention, and after an hour queries), traces.compactor (compaction and retention) run once and stop neither writes nor queries at once"
    );
    let more = Scene::solid("spec: {metrics: {components: {querier: {replicas: 4}}}}").look().finding.message;
    assert!(
        more.starts_with("every component goes on with 1 pod lost at once, metrics.querier with 3;"),
        "{more}"
    );
}

#[test]
fn what_the_design_cannot_survive_is_said_before_a_pod_is_there() {
    let check = |overlay: &str, reason: Reason, expect: &[&str]| {
        let mut scene = Scene::solid(overlay);
        for pods in [std::mem::take(&mut scene.live.pods), Vec::new()] {
            scene.live.pods = pods;
            let finding = scene.look().finding;
            assert_eq!(said(&finding), (False, reason), "{overlay}");
            assert!(expect.iter().all(|part| finding.message.contains(part)), "{}", finding.message);
        }
    };
    check(
        "spec: {metrics: {replicationFactor: 2}}",
        Reason::ReplicationFactorTooLow,
        &[
            "metrics.ingester: with replicationFactor 2 a write needs 2 of 2 copies, so the loss of one of 3 pods stops writes",
        ],
    );
    check(
        "spec: {metrics: {replicationFactor: 1}}",
        Reason::ReplicationFactorTooLow,
        &["metrics.ingester: each of 3 pods holds what no other has"],
    );
    check(
        "spec: {traces: {replicationFactor: 1}, metrics: {components: {distributor: {replicas: 1}}}}",
        Reason::ReplicationFactorTooLow,
        &["traces.ingester: each of 3", "; beside that metrics.distributor (writes) runs once"],
    );
    check(
        "spec: {metrics: {components: {queryScheduler: {replicas: 1}}}}",
        Reason::SingleReplica,
        &["metrics.queryScheduler (queries) runs once"],
    );
    check(
        "spec: {metrics: null, traces: {mode: Monolithic, components: {distributor: null, ingester: null, querier: null, queryFrontend: null}}}",
        Reason::SingleReplica,
        &["traces.singleBinary (writes and queries) runs once"],
    );
}

#[test]
fn the_samples_say_what_they_survive() {
    let check = |name: &str, expect: Reason, says: &str| {
        let Some(helm) = helm() else { return };
        let stack = common::with(&common::sample(name), "");
        let (plan, _) = plan_of(&helm, &Charts::Bundled, stack.clone());
        let scene = Scene { stack: common::valid(&stack), live: as_planned(&plan), plan };
        let seen = scene.look();
        assert_eq!(said(&seen.finding), (False, expect), "{name}");
        assert!(seen.finding.message.starts_with(says), "{}", seen.finding.message);
        assert_eq!(seen.tolerates.len(), scene.plan.components.len(), "every role is known");
    };
    check(
        "dev",
        Reason::SingleReplica,
        "metrics.ingester (writes and queries of fresh series), metrics.storeGateway",
    );
    check(
        "prod",
        Reason::ReplicationFactorTooLow,
        "metrics.ingester: with replicationFactor 2 a write needs 2 of 2",
    );
}

#[test]
fn components_that_run_once_beside_writes_and_queries_do_not_count() {
    for role in ["compactor", "ruler", "alertmanager", "overridesExporter"] {
        let overlay = format!("spec: {{metrics: {{components: {{{role}: {{replicas: 1}}}}}}}}");
        let finding = Scene::solid(&overlay).look().finding;
        assert_eq!(said(&finding), (True, Reason::Tolerant), "{role}");
        assert!(finding.message.contains(&format!("metrics.{role} (")), "{role}: {}", finding.message);
    }
}

#[test]
fn a_small_stack_says_that_it_runs_once_and_what_stands_still() {
    let finding = Scene::of("", "").look().finding;
    assert_eq!(said(&finding), (False, Reason::SingleReplica));
    for part in
        ["traces.singleBinary (writes and queries)", "metrics.storeGateway (queries of", " run once: while"]
    {
        assert!(finding.message.contains(part), "{}", finding.message);
    }
}

#[test]
fn a_pod_that_is_gone_already_counts() {
    let check = |of: &str, gone: usize, tolerates: i32, expect: (ConditionStatus, Reason)| {
        let mut scene = Scene::solid("spec: {metrics: {components: {querier: {replicas: 4}}}}");
        scene.lose(of, gone);
        let seen = scene.look();
        assert_eq!((seen.tolerates[of], said(&seen.finding)), (tolerates, expect), "{of} without {gone}");
        if expect.0 == False {
            let message = &seen.finding.message;
            assert!(message.contains(&format!("{of} has ")) && message.contains("pods ready"), "{message}");
        }
    };
    check(METRICS, 0, 1, (True, Reason::Tolerant));
    check(METRICS, 1, 0, (False, Reason::ComponentsNotReady));
    check(METRICS, 3, 0, (False, Reason::ComponentsNotReady));
    check("metrics.querier", 2, 1, (True, Reason::Tolerant));
    check("metrics.querier", 3, 0, (False, Reason::ComponentsNotReady));
    let mut scene = Scene::solid("");
    scene.lose("metrics.compactor", 1);
    assert_eq!(said(&scene.look().finding), (True, Reason::Tolerant), "it stops neither");
    scene.live.pods.clear();
    assert_eq!(said(&scene.look().finding), (Unknown, Reason::NotVerified));
}

#[test]
fn a_pod_that_is_being_deleted_is_gone() {
    let mut scene = Scene::solid("");
    pods_of(&mut scene.live, METRICS).next().unwrap().deleting = true;
    assert_eq!(scene.look().tolerates[METRICS], 0);
}

/// A cluster of these nodes, with their zones.
fn nodes(live: &mut Live, zones: &[(&str, &str)]) {
    let node = |zone: &str| NodeFacts { ready: true, zone: zone.into() };
    live.nodes = Some(Arc::new(zones.iter().map(|(name, zone)| ((*name).to_owned(), node(zone))).collect()));
}

#[test]
fn no_place_may_hold_more_pods_than_may_be_lost() {
    const ZONES: &[(&str, &str)] = &[("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "c")];
    let check = |zones: &[(&str, &str)], of: &str, at: &[&str], expect: Option<&str>| {
        let mut scene = Scene::solid("");
        let all: Vec<_> = scene.plan.components.iter().map(|component| component.name.clone()).collect();
        nodes(&mut scene.live, zones);
        for name in &all {
            scene.place(name, &["n1", "n3", "n4"]);
        }
        scene.place(of, at);
        let finding = scene.look().finding;
        let expected = if expect.is_some() { (False, Reason::ZonesTooFew) } else { (True, Reason::Tolerant) };
        assert_eq!(said(&finding), expected, "{of} on {at:?}: {}", finding.message);
        assert!(finding.message.contains(expect.unwrap_or_default()), "{}", finding.message);
    };
    check(ZONES, METRICS, &["n1", "n3", "n4"], None);
    check(
        ZONES,
        METRICS,
        &["n3", "n3", "n4"],
        Some("2 of 3 pods of metrics.ingester stand on node n3, and 1 may"),
    );
    check(
        ZONES,
        METRICS,
        &["n1", "n2", "n4"],
        Some("2 of 3 pods of metrics.ingester stand on zone a, and 1 may"),
    );
    check(ZONES, "metrics.querier", &["n1", "n1"], Some("2 of 2 pods of metrics.querier stand on node n1"));
    check(ZONES, "metrics.querier", &["n1", "n2"], Some("stand on zone a"));
    check(ZONES, "metrics.querier", &["n1", "n9"], None);
    check(ZONES, "metrics.compactor", &["n1"], None);
    // Zones count where there are several, nodes always.
    let one_zone = [("n1", "a"), ("n2", "a"), ("n3", "a"), ("n4", "a")];
    check(&one_zone, METRICS, &["n1", "n2", "n4"], None);
    let no_zone = [("n1", ""), ("n2", ""), ("n3", ""), ("n4", "")];
    check(&no_zone, METRICS, &["n1", "n2", "n4"], None);
    check(&no_zone, METRICS, &["n1", "n1", "n1"], Some("3 of 3 pods of metrics.ingester stand on node n1"));
}

#[test]
fn places_are_not_judged_where_nodes_may_not_be_read() {
    let mut scene = Scene::solid("");
    scene.live.pods.iter_mut().for_each(|pod| pod.node = "n1".into());
    nodes(&mut scene.live, &[("n1", "a")]);
    assert_eq!(said(&scene.look().finding), (False, Reason::ZonesTooFew), "one node is one node");
    scene.live.nodes = None;
    assert_eq!(said(&scene.look().finding), (True, Reason::Tolerant));
}

#[test]
fn a_drain_takes_one_pod_at_a_time_where_budgets_have_slack() {
    let scene = Scene::solid("");
    let finding = scene.drain();
    assert_eq!(said(&finding), (True, Reason::Protected));
    assert_eq!(finding.message, "11 components have a disruption budget of one pod");
    let components = &scene.plan.components;
    let without = |wanted, applied| said(&resilience::protection(wanted, components, &scene.live, applied));
    assert_eq!(without(false, true), (False, Reason::Disabled));
    assert_eq!(without(true, false), (Unknown, Reason::Applying));
    assert_eq!(said(&Scene::of("", "").drain()), (True, Reason::NothingToProtect));
}

/// The budget of Mimir's ingesters.
fn budget(scene: &mut Scene) -> &mut BudgetFacts {
    let name = &component(&mut scene.plan, METRICS).workload.name;
    scene.live.budgets.get_mut(name).unwrap()
}

#[test]
fn a_budget_is_believed_as_far_as_the_pods_bear_it_out() {
    let check = |change: fn(&mut Scene), expect: (ConditionStatus, Reason), says: &str| {
        let mut scene = Scene::solid("");
        change(&mut scene);
        let finding = scene.drain();
        assert_eq!(said(&finding), expect, "{}", finding.message);
        assert!(finding.message.contains(says), "{}", finding.message);
    };
    let blocked = (False, Reason::NoSlack);
    check(
        |scene| {
            scene.lose(METRICS, 1);
            (budget(scene).healthy, budget(scene).allowed) = (2, 0);
        },
        blocked,
        "metrics.ingester has 2 of 3 pods ready: a drain waits",
    );
    check(|scene| scene.lose(METRICS, 1), blocked, "metrics.ingester has 2 of 3");
    check(
        |scene| {
            scene.lose(METRICS, 3);
            (budget(scene).healthy, budget(scene).allowed) = (0, 0);
        },
        (True, Reason::Protected),
        "",
    );
    check(
        |scene| scene.live.budgets.clear(),
        (False, Reason::Unprotected),
        "no disruption budget covers metrics.ingester, metrics.storeGateway,",
    );
    check(
        |scene| budget(scene).current = false,
        (Unknown, Reason::Applying),
        "the pods of metrics.ingester are not counted",
    );
    check(
        |scene| (budget(scene).expected, budget(scene).allowed) = (0, 0),
        (Unknown, Reason::Applying),
        "metrics.ingester",
    );
    check(
        |scene| {
            scene.live.pods.clear();
            (budget(scene).expected, budget(scene).healthy, budget(scene).allowed) = (0, 0, 0);
        },
        (True, Reason::Protected),
        "",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn losing_another_pod_never_makes_a_stack_more_tolerant(
        ingesters in 1..6_u32,
        factor in 1..6_u32,
        others in 1..4_u32,
        order in any::<prop::sample::Index>(),
    ) {
        let factor = factor.min(ingesters);
        let mut scene = Scene::solid(&format!(
            "spec: {{metrics: {{replicationFactor: {factor}, components: {{ingester: {{replicas: {ingesters}}}, querier: {{replicas: {others}}}}}}}}}"
        ));
        let mut before = scene.look();
        for component in &scene.plan.components {
            let tolerates = before.tolerates[&component.name];
            prop_assert!(tolerates >= 0 && tolerates < i32::try_from(component.desired).unwrap(), "{}", component.name);
        }
        let count = scene.live.pods.len();
        for step in 0..count {
            scene.live.pods[(order.index(count) + step) % count].ready = false;
            let after = scene.look();
            for (name, tolerates) in &after.tolerates {
                prop_assert!(*tolerates <= before.tolerates[name], "{}", name);
            }
            prop_assert!(before.finding.status == True || after.finding.status != True);
            let vital = ["metrics.ingester", "metrics.querier", "traces.ingester", "traces.distributor"];
            let spare = vital.iter().all(|name| after.tolerates[*name] > 0);
            prop_assert!(after.finding.status != True || spare, "{}", after.finding.message);
            before = after;
        }
        prop_assert_ne!(before.finding.status, True, "nothing is left");
    }
}
