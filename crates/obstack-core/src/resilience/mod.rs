//! What a stack survives: how many pods of each component may go, and whether a drain leaves enough of them.

mod budgets;
mod duties;
pub(crate) mod quorum;
mod spread;

use std::collections::BTreeMap;

use obstack_api::Reason;

pub use self::budgets::protection;
use self::duties::Duty;
use crate::{
    assemble::PlannedComponent,
    backends::Backend,
    collectors,
    finding::Finding,
    live::{Live, PodFacts},
    objects::Kind,
    valid::{ValidBackend, ValidStack},
};

/// What a stack survives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resilience {
    /// The condition `FaultTolerant`.
    pub finding: Finding,
    /// Pods of each component that may be lost at once, as things stand now, while everything it does goes on.
    /// Components of which nobody knows are left out.
    pub tolerates: BTreeMap<String, i32>,
}

/// One component, what it does and how it stands.
struct Member<'a> {
    /// Its backend; `None` for a collector.
    backend: Option<&'a ValidBackend>,
    component: &'a PlannedComponent,
    duty: &'static Duty,
    /// Pods that may go when all are ready.
    designed: u32,
    /// Pods that may go now.
    present: u32,
    /// Its ready pods.
    ready: Vec<&'a PodFacts>,
}

/// What a stack survives, from the replication factor, the replicas, the backends' own rules, and the live pods.
///
/// Only components whose absence stops writes or queries at once count for the condition. A compactor, a ruler or an
/// alertmanager that runs once is named in its message and no more.
pub fn tolerance(stack: &ValidStack, components: &[PlannedComponent], live: &Live) -> Resilience {
    let members: Vec<_> = components.iter().filter_map(|component| member(stack, component, live)).collect();
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    Resilience {
        tolerates: members
            .iter()
            .map(|member| (member.component.name.clone(), number(member.present)))
            .collect(),
        finding: finding(&members, live),
    }
}

/// Whether writes or queries stop at once while no pod of a role is there.
pub fn is_vital(backend: Backend, role: &str) -> bool {
    duties::of(backend, role).is_some_and(|duty| duty.vital)
}

/// What stands still without a component, such as `metrics.compactor`, while writes and queries go on; `None` when they
/// may not, and of a component that is not known.
pub fn stands_still(component: &str) -> Option<&'static str> {
    let (signal, role) = component.split_once('.')?;
    let backend = Backend::ALL.iter().copied().find(|backend| backend.signal() == signal)?;
    duties::of(backend, role).filter(|duty| !duty.vital).map(|duty| duty.stops)
}

fn member<'a>(stack: &'a ValidStack, component: &'a PlannedComponent, live: &'a Live) -> Option<Member<'a>> {
    let (area, role) = component.name.split_once('.')?;
    let backend = stack.backends.iter().find(|backend| backend.backend.signal() == area);
    let duty = match backend {
        Some(backend) => duties::of(backend.backend, role),
        // One pod a node goes with the node, and so do those that send to it.
        None if area == collectors::AREA && component.workload.kind != Kind::DaemonSet => {
            duties::of_collector(role)
        }
        None => None,
    };
    let duty = duty.filter(|_| component.desired > 0)?;
    let pods = live.pods.iter().filter(|pod| pod.component == component.name);
    let ready: Vec<_> = pods.filter(|pod| pod.ready && !pod.deleting).collect();
    let missing = component.desired.saturating_sub(u32::try_from(ready.len()).unwrap_or(u32::MAX));
    let designed = backend.map_or(component.desired.saturating_sub(1), |backend| {
        duties::tolerates(duty, backend, component.desired)
    });
    Some(Member { backend, component, duty, designed, present: designed.saturating_sub(missing), ready })
}

/// The first thing that keeps the stack from surviving the loss of a pod. What the design itself cannot survive is
/// known before any pod is there.
fn finding(members: &[Member<'_>], live: &Live) -> Finding {
    let vital: Vec<_> = members.iter().filter(|member| member.duty.vital).collect();
    let thin: Vec<_> =
        vital.iter().filter(|m| m.designed == 0 && m.component.desired > 1).map(|m| m.factor()).collect();
    let once: Vec<_> = vital.iter().filter(|m| m.component.desired == 1).map(|m| m.once()).collect();
    let gone: Vec<_> = vital.iter().filter(|m| m.present == 0).map(|m| m.missing()).collect();
    if !thin.is_empty() {
        let mut message = thin.join("; ");
        if !once.is_empty() {
            message = format!("{message}; beside that {}", run_once(&once));
        }
        Finding::fails(Reason::ReplicationFactorTooLow, message)
    } else if !once.is_empty() {
        Finding::fails(Reason::SingleReplica, format!("{}{}", run_once(&once), aside(members)))
    } else if members.iter().all(|member| member.ready.is_empty()) {
        Finding::unknown(Reason::NotVerified, "no pod is ready yet")
    } else if !gone.is_empty() {
        Finding::fails(Reason::ComponentsNotReady, format!("none more may go now: {}", gone.join("; ")))
    } else if let Some(crowded) = vital.iter().find_map(|member| spread::too_few(member, live)) {
        Finding::fails(Reason::ZonesTooFew, crowded)
    } else {
        Finding::holds(Reason::Tolerant, format!("{}{}", goes_on(&vital), aside(members)))
    }
}

fn run_once(once: &[String]) -> String {
    let verb = if once.len() == 1 { "runs" } else { "run" };
    format!("{} {verb} once: while such a pod is gone, what is named stands still", once.join(", "))
}

/// How many pods may be lost at once: the least of all, and where it is more.
fn goes_on(vital: &[&Member<'_>]) -> String {
    let least = vital.iter().map(|member| member.present).min().unwrap_or(0);
    let pods = if least == 1 { "pod" } else { "pods" };
    let more = vital.iter().filter(|member| member.present > least);
    let more: Vec<_> = more.map(|m| format!(", {} with {}", m.component.name, m.present)).collect();
    format!("every component goes on with {least} {pods} lost at once{}", more.concat())
}

/// Components that run once and stop neither writes nor queries at once.
fn aside(members: &[Member<'_>]) -> String {
    let aside = members.iter().filter(|member| !member.duty.vital && member.component.desired == 1);
    let aside: Vec<_> = aside.map(Member::once).collect();
    match aside.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} runs once and stops neither writes nor queries at once"),
        _ => format!("; {} run once and stop neither writes nor queries at once", aside.join(", ")),
    }
}

impl Member<'_> {
    /// The component and what stands still without it.
    fn once(&self) -> String {
        format!("{} ({})", self.component.name, self.duty.stops)
    }

    /// Why its copies are too few, although it has several pods.
    fn factor(&self) -> String {
        let Self { component: PlannedComponent { name, desired, .. }, .. } = self;
        let factor = self.backend.map(|backend| (backend.backend, duties::factor(self.duty, backend)));
        match factor {
            None | Some((_, 0 | 1)) => format!(
                "{name}: each of {desired} pods holds what no other has, so the loss of one stops its share of {}",
                self.duty.stops
            ),
            Some((backend, factor)) => format!(
                "{name}: with replicationFactor {factor} a write needs {} of {factor} copies, so the loss of one of {desired} pods stops writes; queries go on",
                quorum::copies_to_write(backend, factor)
            ),
        }
    }

    /// How many of its pods are ready, and what that leaves.
    fn missing(&self) -> String {
        let Self { component: PlannedComponent { name, desired, .. }, designed, ready, .. } = self;
        format!(
            "{name} has {} of {desired} pods ready, and goes on with {} or more",
            ready.len(),
            desired - designed
        )
    }
}
