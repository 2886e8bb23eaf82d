//! Components with what is observed of them: as planned, or with flaws.

use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    conclude::BucketHealth,
    diagnose::{self, ComponentHealth},
    live::{ContainerFacts, EndFacts, Live, PodFacts, StateFacts, WorkloadFacts},
    need::PodNeed,
};
use proptest::prelude::*;

/// A planned component with what is observed of it.
#[derive(Clone, Debug)]
pub struct Observed {
    pub planned: PlannedComponent,
    pub workload: Option<WorkloadFacts>,
    pub pods: Vec<PodFacts>,
}

/// What may be otherwise than it should.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Gone,
    Stale,
    Replicas,
    Updated,
    Ready,
    Created,
    Revision,
    Refused,
    Pod(usize, PodFlaw),
}

/// What may be otherwise about a pod.
#[derive(Clone, Copy, Debug)]
enum PodFlaw {
    Missing,
    Unready,
    Old,
    Deleted,
    Elsewhere,
    Unplaced,
    Evicted,
    Doubled,
    State(bool, bool),
}

fn flaw() -> impl Strategy<Value = Flaw> {
    use Flaw::{Created, Gone, Ready, Refused, Replicas, Revision, Stale, Updated};
    use PodFlaw::{Deleted, Doubled, Elsewhere, Evicted, Missing, Old, State, Unplaced, Unready};
    let of_pod = prop::sample::select(vec![
        Missing,
        Unready,
        Old,
        Deleted,
        Elsewhere,
        Unplaced,
        Evicted,
        Doubled,
        State(true, false),
        State(false, true),
        State(false, false),
    ]);
    prop_oneof![
        prop::sample::select(vec![Gone, Stale, Replicas, Updated, Ready, Created, Revision, Refused]),
        (0..4_usize, of_pod).prop_map(|(index, flaw)| Flaw::Pod(index, flaw)),
    ]
}

/// A component as it should be, with as many flaws as there are; half of all have none.
fn component(index: usize) -> impl Strategy<Value = Observed> {
    let flaws = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec((flaw(), -1..2_i32), 1..4)];
    (0..4_u32, any::<bool>(), flaws).prop_map(move |(desired, stateful, flaws)| {
        let mut observed = as_planned(index, desired, stateful);
        for (flaw, change) in flaws {
            spoil(&mut observed, flaw, change);
        }
        observed
    })
}

/// A component of which everything observed is as it should be.
pub fn as_planned(index: usize, desired: u32, stateful: bool) -> Observed {
    let (name, count) = (format!("metrics.c{index}"), i32::try_from(desired).unwrap());
    let kind = if stateful { "StatefulSet" } else { "Deployment" };
    let pod = |pod| PodFacts {
        name: format!("c{index}-{pod}"),
        component: name.clone(),
        revision: "new".into(),
        node: "n".into(),
        ready: true,
        containers: vec![ContainerFacts { name: "main".into(), ..ContainerFacts::default() }],
        ..PodFacts::default()
    };
    Observed {
        pods: (0..desired).map(pod).collect(),
        planned: PlannedComponent {
            name: name.clone(),
            workload: format!("{kind}/ns/c{index}").parse().unwrap(),
            desired,
            image: "i:1".into(),
            protected: desired > 1,
            class: Class::Other,
            need: PodNeed::default(),
        },
        workload: Some(WorkloadFacts {
            generation: 5,
            observed_generation: 5,
            replicas: count,
            updated: count,
            ready: count,
            created: count,
            revision: if stateful { "new".into() } else { String::new() },
            refusal: None,
        }),
    }
}

fn spoil(observed: &mut Observed, flaw: Flaw, change: i32) {
    if let Flaw::Pod(index, flaw) = flaw {
        if index < observed.pods.len() {
            spoil_pod(&mut observed.pods, index, flaw);
        }
        return;
    }
    let Some(facts) = &mut observed.workload else { return };
    match flaw {
        Flaw::Gone => observed.workload = None,
        Flaw::Stale => facts.observed_generation -= i64::from(change.abs()),
        Flaw::Replicas => facts.replicas += change,
        Flaw::Updated => facts.updated += change,
        Flaw::Ready => facts.ready += change,
        Flaw::Created => facts.created += change,
        Flaw::Revision if facts.revision.is_empty() => {}
        Flaw::Revision => facts.revision = "newer".into(),
        Flaw::Refused => facts.refusal = Some("exceeded quota: compute".into()),
        Flaw::Pod(..) => {}
    }
}

fn spoil_pod(pods: &mut Vec<PodFacts>, index: usize, flaw: PodFlaw) {
    let pod = &mut pods[index];
    match flaw {
        PodFlaw::Missing => _ = pods.remove(index),
        PodFlaw::Unready => (pod.ready, pod.not_ready_since) = (false, 7),
        PodFlaw::Old => pod.revision = "old".into(),
        PodFlaw::Deleted => (pod.ready, pod.deleting) = (false, true),
        PodFlaw::Elsewhere => pod.component = "traces.other".into(),
        PodFlaw::Unplaced => {
            (pod.ready, pod.unscheduled) = (false, Some("0/1 nodes are available".into()));
            pod.node.clear();
        }
        PodFlaw::Evicted => (pod.ready, pod.failed) = (false, Some(("Evicted".into(), "low".into()))),
        PodFlaw::Doubled => {
            let twin = PodFacts { name: format!("{}-twin", pod.name), revision: "old".into(), ..pod.clone() };
            pods.push(twin);
        }
        PodFlaw::State(running, memory) => {
            pod.ready = false;
            let end = EndFacts {
                reason: if memory { "OOMKilled".into() } else { "Error".into() },
                exit_code: 1,
                ..EndFacts::default()
            };
            let waiting = (!running).then(|| ("CrashLoopBackOff".to_owned(), "back-off 10s".to_owned()));
            let state =
                StateFacts { running, waiting, restarts: 2, ended: Some(end), ..StateFacts::default() };
            pod.containers[0].state = Some(Box::new(state));
        }
    }
}

/// What is observed of components.
pub fn live(observed: &[Observed]) -> Live {
    Live {
        workloads: observed
            .iter()
            .filter_map(|one| Some((one.planned.workload.clone(), one.workload.clone()?)))
            .collect(),
        pods: observed.iter().flat_map(|one| one.pods.clone()).collect(),
        ..Live::default()
    }
}

/// How components stand.
pub fn look(observed: &[Observed], live: &Live, buckets: &[BucketHealth]) -> Vec<ComponentHealth> {
    let planned: Vec<_> = observed.iter().map(|one| one.planned.clone()).collect();
    diagnose::of(&planned, live, buckets, 1_000)
}

/// Up to three components.
pub fn observed() -> impl Strategy<Value = Vec<Observed>> {
    (0..4_usize).prop_flat_map(|count| (0..count).map(component).collect::<Vec<_>>())
}

/// Every desired pod of a component was seen ready at the newest revision, and its controller counts the same. Told
/// anew from what is observed, and not by asking the code. Which revision of a Deployment is the newest only its
/// controller knows, but there is one among its pods.
pub fn is_whole(observed: &Observed) -> bool {
    let Some(facts) = &observed.workload else { return false };
    let desired = usize::try_from(observed.planned.desired).unwrap();
    let count = i32::try_from(desired).unwrap();
    let mine = observed.pods.iter().filter(|pod| pod.component == observed.planned.name);
    let mut ready: Vec<_> = mine.filter(|pod| pod.ready && !pod.deleting).map(|pod| &pod.revision).collect();
    let at_newest = if facts.revision.is_empty() {
        ready.dedup();
        if ready.len() > 1 { 0 } else { observed.pods.iter().filter(|pod| pod.ready).count() }
    } else {
        ready.iter().filter(|revision| ***revision == facts.revision).count()
    };
    facts.observed_generation == facts.generation
        && [facts.replicas, facts.created] == [count, count]
        && facts.updated.min(facts.ready) >= count
        && at_newest >= desired
}
