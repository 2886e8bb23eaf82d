//! Stacks for the tests: their statuses are those of docs/runbook/output.

use std::collections::BTreeMap;

use obstack_api::{ComponentState, ObservabilityStack};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    live::{ContainerFacts, EndFacts, Live, PodFacts, QuotaFacts, StateFacts, WorkloadFacts},
    need::PodNeed,
    objects::{Kind, ObjectId},
    quantity::Amount,
};

use crate::{cluster::key_of, sight::Sight, told};

/// Second of the Unix epoch at which the tests look: 2026-11-30 10:00.
pub const NOW: i64 = 1_796_032_800;

/// Every stack that is here.
pub const STACKS: &[&str] =
    &["awaiting-approval", "crash-loop", "quota-exceeded", "ready", "signature-rejected", "suspended"];

/// A stack as it is stored.
pub fn stack(name: &str) -> ObservabilityStack {
    let file = format!("{}/tests/fixtures/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).expect("a fixture");
    serde_saphyr::from_str(&text).expect("a stack")
}

/// A stack as it is seen: its components, one pod for each replica that is ready, and what ails the rest.
pub fn sight(name: &str) -> Sight {
    let stack = stack(name);
    let (components, live) = around(&stack);
    Sight::stored(stack, NOW).with(&components, live, &[])
}

/// What is around a stack.
pub fn around(stack: &ObservabilityStack) -> (Vec<PlannedComponent>, Live) {
    let key = key_of(stack);
    let (mut components, mut live) = (Vec::new(), Live::default());
    for component in told::status(stack).components {
        if component.state == ComponentState::NotProvidedByBackend {
            continue;
        }
        let kind = if component.kind.as_deref() == Some("Deployment") {
            Kind::Deployment
        } else {
            Kind::StatefulSet
        };
        let workload = ObjectId {
            kind,
            namespace: key.namespace.clone(),
            name: component.workload.clone().unwrap_or_default(),
        };
        let refusal = (component.created < component.desired).then(|| {
            "create Claim storage-dts-prod-mimir-ingester-1 for Pod dts-prod-mimir-ingester-1 in StatefulSet \
             dts-prod-mimir-ingester failed error: persistentvolumeclaims \"storage-dts-prod-mimir-ingester-1\" is forbidden: \
             exceeded quota: compute-long-running-quota, requested: requests.storage=2Gi, used: requests.storage=63Gi, \
             limited: requests.storage=64Gi"
                .to_owned()
        });
        let facts = WorkloadFacts {
            generation: 1,
            observed_generation: 1,
            replicas: component.desired,
            updated: component.updated,
            ready: component.ready,
            created: component.created,
            revision: "r1".to_owned(),
            refusal,
        };
        for number in 0..component.created {
            live.pods.push(pod(&workload, &component.name, number, number < component.ready));
        }
        live.workloads.insert(workload.clone(), facts);
        components.push(PlannedComponent {
            name: component.name.clone(),
            workload,
            desired: u32::try_from(component.desired).unwrap_or(0),
            image: component.image.clone().unwrap_or_default(),
            protected: false,
            class: Class::default(),
            need: PodNeed::default(),
        });
    }
    let amount = |text: &str| Amount::parse(text).expect("a quantity");
    let of = |text: &str| BTreeMap::from([("requests.storage".to_owned(), amount(text))]);
    let quota = QuotaFacts {
        name: "compute-long-running-quota".to_owned(),
        hard: of("64Gi"),
        used: of("63Gi"),
        scopes: Vec::new(),
    };
    live.quotas = Some(vec![quota]);
    (components, live)
}

/// A pod. One that is not ready ends again and again.
fn pod(workload: &ObjectId, component: &str, number: i32, ready: bool) -> PodFacts {
    let words = "msg=\"error running application\" err=\"error initialising module: compactor: mkdir /data/compactor: \
                 permission denied\"";
    let container = component.rsplit('.').next().unwrap_or_default().to_owned();
    let state = StateFacts {
        image: "docker.io/grafana/mimir:3.1.2".to_owned(),
        restarts: 7,
        waiting: Some((
            "CrashLoopBackOff".to_owned(),
            "back-off 5m0s restarting failed container".to_owned(),
        )),
        ended: Some(EndFacts {
            reason: "Error".to_owned(),
            exit_code: 1,
            at: NOW - 30,
            message: words.to_owned(),
        }),
        ..StateFacts::default()
    };
    PodFacts {
        name: format!("{}-{number}", workload.name),
        component: component.to_owned(),
        revision: "r1".to_owned(),
        node: "node-2".to_owned(),
        ready,
        not_ready_since: if ready { 0 } else { NOW - 120 },
        containers: vec![ContainerFacts {
            name: container,
            state: (!ready).then(|| Box::new(state)),
            ..ContainerFacts::default()
        }],
        ..PodFacts::default()
    }
}
