//! A small stack as it is observed, in which all is well until a test changes it.

use std::{collections::BTreeMap, sync::Arc};

use obstack_api::{ComponentState, Reason};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    conclude::{BucketHealth, Fault},
    diagnose::{self, ComponentHealth},
    live::{
        ClaimFacts, ClassFacts, ContainerFacts, EndFacts, LimitRangeFacts, LimitRule, Live, NodeFacts,
        PodFacts, StateFacts, WorkloadFacts,
    },
    need::{ClaimNeed, ContainerNeed, PodNeed},
    quantity::Amount,
};

/// Seconds of the Unix epoch.
pub const NOW: i64 = 1_000_000;
/// What is said of a world's ingesters when one is not ready and nothing is wrong.
pub const ROLLS: &str = "StatefulSet s-mimir-ingester: 2 of 3 pods ready, 3 at the newest revision";
/// How a cause of the world's second ingester begins.
pub const POD: &str = "pod s-mimir-ingester-1: ";

/// A stack with what is observed of it.
#[derive(Clone, Debug)]
pub struct World {
    pub components: Vec<PlannedComponent>,
    pub live: Live,
    pub storage: Vec<BucketHealth>,
    pub now: i64,
}

/// An amount.
pub fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

impl World {
    /// So many ingesters of Mimir, each with a claim, on a node of its own. Its pods are the first ones.
    pub fn ingesters(replicas: u32) -> Self {
        let class = |provisioner: &str, waits_for_consumer| ClassFacts {
            provisioner: provisioner.into(),
            waits_for_consumer,
            ..ClassFacts::default()
        };
        let classes = BTreeMap::from([
            ("csi".to_owned(), class("csi.example", false)),
            ("late".to_owned(), class("csi.example", true)),
            ("manual".to_owned(), class("kubernetes.io/no-provisioner", false)),
        ]);
        let live = Live {
            claims: Some(Vec::new()),
            nodes: Some(Arc::default()),
            classes: Some(Arc::new(classes)),
            limit_ranges: Some(Vec::new()),
            ..Live::default()
        };
        let mut world = Self { components: Vec::new(), live, storage: Vec::new(), now: NOW };
        world.add("metrics.ingester", "StatefulSet", replicas);
        let need = &mut world.components[0].need;
        need.containers[0].limits.insert("memory".into(), amount("4Gi"));
        need.claims.push(ClaimNeed { name: "storage".into(), size: amount("10Gi"), ..ClaimNeed::default() });
        let claim = |index| ClaimFacts {
            name: format!("storage-s-mimir-ingester-{index}"),
            phase: "Bound".into(),
            class: "csi".into(),
            requested: amount("10Gi"),
            capacity: amount("10Gi"),
            ..ClaimFacts::default()
        };
        world.live.claims = Some((0..replicas).map(claim).collect());
        world
    }

    /// Adds a component with its ready pods, on nodes that are ready.
    pub fn add(&mut self, name: &str, kind: &str, replicas: u32) {
        let (signal, role) = name.split_once('.').unwrap();
        let backend = if signal == "metrics" { "mimir" } else { "tempo" };
        let workload = format!("s-{backend}-{}", role.to_lowercase());
        let count = i32::try_from(replicas).unwrap();
        let component = PlannedComponent {
            name: name.into(),
            workload: format!("{kind}/ns/{workload}").parse().unwrap(),
            desired: replicas,
            image: "mimir:9".into(),
            protected: replicas > 1,
            class: match role {
                "ingester" | "singleBinary" => Class::Ingester,
                "storeGateway" => Class::StoreGateway,
                _ => Class::Other,
            },
            need: PodNeed {
                containers: vec![ContainerNeed { name: role.into(), ..ContainerNeed::default() }],
                ..PodNeed::default()
            },
        };
        let stateful = kind == "StatefulSet";
        let facts = WorkloadFacts {
            generation: 2,
            observed_generation: 2,
            replicas: count,
            updated: count,
            ready: count,
            created: count,
            revision: if stateful { "r1".into() } else { String::new() },
            refusal: None,
        };
        self.live.workloads.insert(component.workload.clone(), facts);
        for index in 0..replicas {
            self.node(index, true);
            let suffix = if stateful { index.to_string() } else { format!("6d5b9c7f44-x2x7{index}") };
            self.live.pods.push(PodFacts {
                name: format!("{workload}-{suffix}"),
                component: name.into(),
                revision: if stateful { "r1".into() } else { "6d5b9c7f44".into() },
                node: format!("n{index}"),
                ready: true,
                containers: vec![ContainerFacts { name: role.into(), ..ContainerFacts::default() }],
                ..PodFacts::default()
            });
        }
        self.components.push(component);
    }

    /// A node that is ready, or is not.
    pub fn node(&mut self, index: u32, ready: bool) {
        let nodes = Arc::make_mut(self.live.nodes.as_mut().unwrap());
        nodes.insert(format!("n{index}"), NodeFacts { ready, zone: String::new() });
    }

    /// A limit range with a rule and a default for a resource.
    pub fn limit_range(&mut self, name: &str, kind: &str, resource: &str) {
        let bound = BTreeMap::from([(resource.to_owned(), amount("5Gi"))]);
        let rule =
            LimitRule { kind: kind.into(), max: bound.clone(), default: bound, ..LimitRule::default() };
        let range = LimitRangeFacts { name: name.into(), rules: vec![rule] };
        self.live.limit_ranges.as_mut().unwrap().push(range);
    }

    /// A bucket, with what the operator's own probe found.
    pub fn bucket(&mut self, purpose: &str, fault: Option<(Reason, &str)>) {
        self.storage.retain(|bucket| bucket.purpose != purpose);
        self.storage.push(BucketHealth {
            name: purpose.replace('.', "-"),
            purpose: purpose.into(),
            fault: fault.map(|(reason, message)| Fault { reason, message: message.into() }),
        });
    }

    /// The workload of a component.
    pub fn workload(&mut self, component: &str) -> &mut WorkloadFacts {
        let component = self.components.iter().find(|planned| planned.name == component).unwrap();
        self.live.workloads.get_mut(&component.workload).unwrap()
    }

    /// The claim of an ingester.
    pub fn claim(&mut self, index: usize) -> &mut ClaimFacts {
        &mut self.live.claims.as_mut().unwrap()[index]
    }

    /// A pod, which has not been ready for so many seconds.
    pub fn unready(&mut self, index: usize, seconds: i64) -> &mut PodFacts {
        let pod = &mut self.live.pods[index];
        (pod.ready, pod.not_ready_since) = (false, NOW - seconds);
        self.counted(index)
    }

    /// Every pod of a component, as [`unready`](Self::unready) makes one.
    pub fn none_ready(&mut self, component: &str, change: impl Fn(&mut PodFacts)) {
        for index in 0..self.live.pods.len() {
            if self.live.pods[index].component == component {
                change(self.unready(index, 10));
            }
        }
    }

    /// A pod that is ready.
    pub fn ready(&mut self, index: usize) -> &mut PodFacts {
        let pod = &mut self.live.pods[index];
        (pod.ready, pod.not_ready_since) = (true, 0);
        (pod.unscheduled, pod.failed, pod.deleting) = (None, None, false);
        pod.warnings.clear();
        pod.containers[0].state = None;
        self.counted(index)
    }

    /// A pod, after its controller counted again.
    fn counted(&mut self, index: usize) -> &mut PodFacts {
        let name = self.live.pods[index].component.clone();
        let ready = self.live.pods.iter().filter(|pod| pod.component == name && pod.ready).count();
        self.workload(&name).ready = i32::try_from(ready).unwrap();
        &mut self.live.pods[index]
    }

    /// The last ingester is not there, because it was refused.
    pub fn refuse(&mut self, said: &str) {
        self.live.pods.pop();
        let facts = self.workload("metrics.ingester");
        facts.created -= 1;
        facts.ready -= 1;
        facts.refusal = Some(said.into());
    }

    /// How the components stand.
    pub fn health(&self) -> Vec<ComponentHealth> {
        diagnose::of(&self.components, &self.live, &self.storage, self.now)
    }

    /// How a component stands.
    pub fn of(&self, component: &str) -> ComponentHealth {
        self.health().into_iter().find(|health| health.status.name == component).unwrap()
    }

    /// What keeps a component from being ready.
    pub fn said(&self, component: &str) -> (Reason, String) {
        let cause = self.of(component).cause.unwrap_or_else(|| panic!("nothing is wrong with {component}"));
        (cause.reason, cause.message)
    }

    /// What keeps the stack from being ready.
    pub fn first(&self) -> (Reason, String) {
        let health = self.health();
        let cause = diagnose::first_cause(&health).unwrap();
        (cause.reason, cause.message.clone())
    }
}

/// What a test changes of a pod.
pub trait Change {
    /// How its first container stands.
    fn is(&mut self, state: StateFacts);
    /// How its first container stands, to be changed.
    fn state(&mut self) -> &mut StateFacts;
    /// The live memory limit of its first container.
    fn limit(&mut self, amount: &str);
    /// An event.
    fn warn(&mut self, reason: &str, message: &str);
    /// No node takes it, in the scheduler's words; empty when it says nothing.
    fn unplaced(&mut self, said: &str);
}

impl Change for PodFacts {
    fn is(&mut self, state: StateFacts) {
        self.containers[0].state = Some(Box::new(state));
    }

    fn state(&mut self) -> &mut StateFacts {
        self.containers[0].state.as_mut().unwrap()
    }

    fn limit(&mut self, text: &str) {
        Arc::make_mut(&mut self.containers[0].resources).memory_limit = Some(amount(text));
    }

    fn warn(&mut self, reason: &str, message: &str) {
        self.warnings.push((reason.into(), message.into()));
    }

    fn unplaced(&mut self, said: &str) {
        self.node.clear();
        self.unscheduled = Some(said.to_owned()).filter(|said| !said.is_empty());
    }
}

/// A container that waits.
pub fn waits(why: &str, said: &str) -> StateFacts {
    let waiting = Some((why.into(), said.into()));
    StateFacts { image: "mimir:9".into(), waiting, ..StateFacts::default() }
}

/// A container that waits to be started again.
pub fn loops(end: EndFacts) -> StateFacts {
    let state = waits("CrashLoopBackOff", "back-off 40s restarting failed container=ingester");
    StateFacts { ended: Some(end), restarts: 3, ..state }
}

/// A container that has run since a second, and may have ended before.
pub fn runs(since: i64, ended: Option<EndFacts>) -> StateFacts {
    let restarts = if ended.is_some() { 3 } else { 0 };
    StateFacts {
        image: "mimir:9".into(),
        running: true,
        since,
        started: true,
        restarts,
        ended,
        waiting: None,
    }
}

/// How a container ended.
pub fn end(reason: &str, exit_code: i32, message: &str) -> EndFacts {
    EndFacts { reason: reason.into(), exit_code, at: NOW - 5, message: message.into() }
}

/// What is said of the ingesters of a world after a change.
pub fn check(case: &str, change: impl Fn(&mut World), reason: Reason, message: &str) {
    let mut world = World::ingesters(3);
    change(&mut world);
    let health = world.of("metrics.ingester");
    let told = health.cause.unwrap_or_else(|| panic!("{case}: nothing is wrong"));
    assert_eq!((told.reason, told.message.as_str()), (reason, message), "{case}");
    let progresses = health.status.state == ComponentState::Progressing;
    assert_eq!(progresses, reason == Reason::RolloutInProgress, "{case}");
    assert_eq!(health.status.reason.as_deref(), Some(reason.as_str()), "{case}");
    assert_eq!(health.status.message.as_deref(), Some(message), "{case}");
}

/// The same, where the second ingester has not been ready for ten seconds.
pub fn check_pod(case: &str, change: impl Fn(&mut World, &mut PodFacts), reason: Reason, message: &str) {
    let change = |world: &mut World| {
        let mut pod = world.unready(1, 10).clone();
        change(world, &mut pod);
        world.live.pods[1] = pod;
    };
    let message =
        if reason == Reason::RolloutInProgress { message.into() } else { format!("{POD}{message}") };
    check(case, change, reason, &message);
}
