//! The first cause: how every component stands, and what keeps it from being ready.
//!
//! Nothing is said that was not seen. Counts of controllers and the view of pods must agree before a component is
//! called ready; a cause is what a controller, the scheduler, a kubelet, a container's last words or the operator's own
//! probe of the buckets said. Messages name an object and hold no clock, no restart count and no address of a pod, or
//! they would be news each time. What to do stands with each [`Reason`]; whoever shows a message adds it.

mod claims;
mod containers;
mod counts;
mod order;
mod pods;
mod refused;
mod storage;
mod words;

use obstack_api::{ComponentState, ComponentStatus, Reason};

use self::counts::Counts;
use crate::{
    assemble::PlannedComponent,
    conclude::BucketHealth,
    live::{Live, PodFacts, WorkloadFacts},
};

/// Seconds after its start in which a container's failing probe is part of the start: Mimir's ingesters and
/// store-gateways need up to 60 until their rings let them in.
const START_SECONDS: i64 = 90;
/// Seconds that a provisioner gets to make a volume.
const VOLUME_SECONDS: i64 = 60;
/// Seconds after which a pod that is not ready for no known cause is a fault.
const DEADLINE_SECONDS: i64 = 15 * 60;

/// Something that keeps a component from becoming ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why, in one word.
    pub reason: Reason,
    /// Which object, and why in the words of who saw it; without the fix of the reason.
    pub message: String,
}

/// How one component stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentHealth {
    /// What the status says of it.
    pub status: ComponentStatus,
    /// It serves within its quorum.
    pub available: bool,
    /// Why it is not ready; `None` when it is.
    pub cause: Option<Trouble>,
    /// How much waits for it: 0 for what holds data, up to 4 for what nothing waits for.
    pub importance: u8,
}

/// A trouble on its way into a message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    reason: Reason,
    /// Which pods; empty when it is about the workload.
    who: String,
    /// What is said of them.
    what: String,
    /// Which fault of the object store it is, if one: the same for everything that waits for the same.
    fault: Option<String>,
}

impl Cause {
    fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, who: String::new(), what: what.into(), fault: None }
    }

    fn message(&self) -> String {
        if self.who.is_empty() { self.what.clone() } else { format!("{}: {}", self.who, self.what) }
    }
}

/// What a component is judged by.
#[derive(Clone, Copy, Debug)]
struct Scene<'a> {
    component: &'a PlannedComponent,
    workload: Option<&'a WorkloadFacts>,
    live: &'a Live,
    storage: &'a [BucketHealth],
    now: i64,
}

impl Scene<'_> {
    /// Kind and name of the workload, as people say them.
    fn spoken(&self) -> String {
        format!("{} {}", self.component.workload.kind.as_str(), self.component.workload.name)
    }

    /// Pods that should run.
    fn desired(&self) -> i32 {
        i32::try_from(self.component.desired_in(self.live)).unwrap_or(i32::MAX)
    }

    /// More than `seconds` have passed since `since`, or nobody knows when that was.
    fn longer_than(&self, seconds: i64, since: i64) -> bool {
        since == 0 || self.now.saturating_sub(since) > seconds
    }
}

/// A component with what was found out.
#[derive(Debug)]
struct Found<'a> {
    component: &'a PlannedComponent,
    counts: Counts,
    cause: Option<Cause>,
}

/// How every component stands, in the order of `components`. `storage` is what the operator's own probe of the buckets
/// says, empty when nobody has looked; `now` is in seconds of the Unix epoch.
pub fn of(
    components: &[PlannedComponent],
    live: &Live,
    storage: &[BucketHealth],
    now: i64,
) -> Vec<ComponentHealth> {
    let scenes = components.iter().map(|component| {
        let workload = live.workloads.get(&component.workload);
        Scene { component, workload, live, storage, now }
    });
    let mut found: Vec<Found<'_>> = scenes.map(find).collect();
    storage::name_once(&mut found);
    found.into_iter().map(health).collect()
}

/// The component that explains the rest: what blocks most, then what most waits for, then the order of the plan.
pub fn first_cause(components: &[ComponentHealth]) -> Option<&Trouble> {
    let causes =
        components.iter().filter_map(|component| Some((component.importance, component.cause.as_ref()?)));
    causes.min_by_key(|(importance, cause)| order::between(cause.reason, *importance)).map(|(_, cause)| cause)
}

/// The next second of the Unix epoch at which [`of`] may say something else though nothing is observed meanwhile:
/// whoever follows a stack has to look again then.
pub fn changes_at(live: &Live, now: i64) -> Option<i64> {
    let waiting = live.pods.iter().filter(|pod| !pod.ready && pod.not_ready_since > 0);
    let deadlines = waiting.flat_map(|pod| {
        [VOLUME_SECONDS, DEADLINE_SECONDS].map(|seconds| pod.not_ready_since.saturating_add(seconds))
    });
    let states = live.pods.iter().flat_map(|pod| &pod.containers).filter_map(|c| c.state.as_deref());
    let starts =
        states.filter(|state| state.since > 0).map(|state| state.since.saturating_add(START_SECONDS));
    deadlines.chain(starts).map(|second| second.saturating_add(1)).filter(|second| *second > now).min()
}

fn find(scene: Scene<'_>) -> Found<'_> {
    let mut pods: Vec<&PodFacts> =
        scene.live.pods.iter().filter(|pod| pod.component == scene.component.name).collect();
    // Pod 10 comes after pod 9.
    pods.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    let counts = Counts::of(&scene, &pods);
    let cause = (!counts.complete).then(|| {
        let worst = refused::cause(&scene).into_iter().chain(pods::worst(&scene, &pods));
        let worst = worst.min_by_key(|cause| order::within(cause.reason));
        worst.unwrap_or_else(|| Cause::new(Reason::RolloutInProgress, counts.progress(&scene)))
    });
    Found { component: scene.component, counts, cause }
}

fn health(found: Found<'_>) -> ComponentHealth {
    let Found { component, counts, cause } = found;
    let cause = cause.map(|cause| Trouble { reason: cause.reason, message: cause.message() });
    let state = match &cause {
        None => ComponentState::Ready,
        Some(cause) if cause.reason == Reason::RolloutInProgress => ComponentState::Progressing,
        Some(_) => ComponentState::Blocked,
    };
    ComponentHealth {
        status: ComponentStatus {
            name: component.name.clone(),
            kind: Some(component.workload.kind.as_str().to_owned()),
            workload: Some(component.workload.name.clone()),
            desired: counts.desired,
            created: counts.created,
            updated: counts.updated,
            ready: counts.ready,
            tolerates_failures: None,
            image: Some(component.image.clone()),
            state,
            reason: cause.as_ref().map(|cause| cause.reason.as_str().to_owned()),
            message: cause.as_ref().map(|cause| cause.message.clone()),
        },
        available: counts.available,
        cause,
        importance: order::importance(component),
    }
}
