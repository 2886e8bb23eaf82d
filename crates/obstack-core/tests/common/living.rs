//! What is observed of a plan that runs exactly as it was planned, to be changed by a test.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::{collections::BTreeMap, sync::Arc};

use obstack_core::{
    assemble::{Plan, PlannedComponent},
    live::{BudgetFacts, ContainerFacts, Live, NodeFacts, PodFacts, ResourceFacts, WorkloadFacts},
    need::{ContainerNeed, Runs},
    quantity::Amount,
};

/// An amount.
pub fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

/// Every pod of the plan, ready, each of a component on a node of its own, and every node in a zone of its own.
pub fn as_planned(plan: &Plan) -> Live {
    let mut live = Live::default();
    let mut nodes = BTreeMap::new();
    for component in &plan.components {
        let desired = i32::try_from(component.desired).unwrap();
        let id = component.workload.clone();
        live.workloads.insert(id.clone(), workload(desired));
        if component.protected {
            let budget = BudgetFacts { current: true, allowed: 1, expected: desired, healthy: desired };
            live.budgets.insert(id.name.clone(), budget);
        }
        for index in 0..component.desired {
            let pod = pod(component, index);
            let zone = format!("zone-{index}");
            nodes.insert(pod.node.clone(), NodeFacts { ready: true, zone });
            live.pods.push(pod);
        }
    }
    live.nodes = Some(Arc::new(nodes));
    live
}

fn workload(desired: i32) -> WorkloadFacts {
    WorkloadFacts {
        generation: 1,
        observed_generation: 1,
        replicas: desired,
        updated: desired,
        ready: desired,
        created: desired,
        ..WorkloadFacts::default()
    }
}

fn pod(component: &PlannedComponent, index: u32) -> PodFacts {
    PodFacts {
        name: format!("{}-{index}", component.workload.name),
        component: component.name.clone(),
        node: format!("node-{index}"),
        ready: true,
        containers: component.need.containers.iter().map(container).collect(),
        ..PodFacts::default()
    }
}

fn container(need: &ContainerNeed) -> ContainerFacts {
    let of = |amounts: &BTreeMap<String, Amount>, resource: &str| amounts.get(resource).copied();
    let resources = ResourceFacts {
        cpu_request: of(&need.requests, "cpu"),
        memory_request: of(&need.requests, "memory"),
        cpu_limit: of(&need.limits, "cpu"),
        memory_limit: of(&need.limits, "memory"),
    };
    ContainerFacts {
        name: need.name.clone(),
        init: need.runs == Runs::Init,
        resources: Arc::new(resources),
        state: None,
    }
}

/// The pods of a component.
pub fn pods_of<'a>(live: &'a mut Live, component: &'a str) -> impl Iterator<Item = &'a mut PodFacts> {
    live.pods.iter_mut().filter(move |pod| pod.component == component)
}

/// The component of a plan.
pub fn component<'a>(plan: &'a mut Plan, name: &str) -> &'a mut PlannedComponent {
    plan.components.iter_mut().find(|component| component.name == name).unwrap()
}

/// Changes the resources of a container of every pod of a component.
pub fn resize(live: &mut Live, of: &str, container: &str, change: impl Fn(&mut ResourceFacts)) {
    for pod in pods_of(live, of) {
        let found = pod.containers.iter_mut().find(|known| known.name == container).unwrap();
        change(Arc::make_mut(&mut found.resources));
    }
}
