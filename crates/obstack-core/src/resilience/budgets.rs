//! Whether a drain takes one pod of a component at a time.

use obstack_api::Reason;

use crate::{
    assemble::PlannedComponent,
    finding::Finding,
    live::{BudgetFacts, Live},
};

/// The condition `DisruptionProtected`. `wanted` says whether the spec asks for budgets, `applied` whether they are in
/// place.
///
/// Our budgets allow one unavailable pod and the eviction of any pod that is not ready. So what a budget without slack
/// holds back is the pods that are ready, and where none is ready nothing is held back.
pub fn protection(wanted: bool, components: &[PlannedComponent], live: &Live, applied: bool) -> Finding {
    if !wanted {
        return Finding::fails(Reason::Disabled, "spec.disruption.podDisruptionBudgets is Disabled");
    }
    if !applied {
        return Finding::unknown(Reason::Applying, "the budgets are applied with the rest");
    }
    let several: Vec<_> = components.iter().filter(|component| component.desired > 1).collect();
    if several.is_empty() {
        return Finding::holds(Reason::NothingToProtect, "no component has more than one replica");
    }
    let stands: Vec<_> =
        several.iter().map(|component| (component.name.as_str(), of(component, live))).collect();
    let bare = names(&stands, |stand| matches!(stand, Stand::Bare));
    let uncounted = names(&stands, |stand| matches!(stand, Stand::Uncounted));
    let blocked: Vec<_> = stands
        .iter()
        .filter_map(|(name, stand)| match stand {
            Stand::Blocked { ready, expected } => {
                Some(format!("{name} has {ready} of {expected} pods ready"))
            }
            _ => None,
        })
        .collect();
    if !bare.is_empty() {
        let message = format!("no disruption budget covers {bare}: a drain may take all pods at once");
        Finding::fails(Reason::Unprotected, message)
    } else if !blocked.is_empty() {
        let message = format!("{}: a drain waits before it takes a ready one", blocked.join(", "));
        Finding::fails(Reason::NoSlack, message)
    } else if !uncounted.is_empty() {
        let message = format!("the pods of {uncounted} are not counted by their budget yet");
        Finding::unknown(Reason::Applying, message)
    } else {
        let message = format!("{} components have a disruption budget of one pod", several.len());
        Finding::holds(Reason::Protected, message)
    }
}

/// How a component with several replicas stands under a drain.
enum Stand {
    /// A pod may be taken, or none is there to be held back.
    Covered,
    /// No budget.
    Bare,
    /// The budget's numbers are not about its spec or its pods yet.
    Uncounted,
    /// No ready pod may be taken.
    Blocked { ready: i32, expected: i32 },
}

fn of(component: &PlannedComponent, live: &Live) -> Stand {
    let pods = live.pods.iter().filter(|pod| pod.component == component.name);
    let pods: Vec<_> = pods.filter(|pod| !pod.deleting).collect();
    let ready = i32::try_from(pods.iter().filter(|pod| pod.ready).count()).unwrap_or(i32::MAX);
    match live.budgets.get(&component.workload.name) {
        None => Stand::Bare,
        Some(budget) if !budget.current || (budget.expected == 0 && !pods.is_empty()) => Stand::Uncounted,
        Some(BudgetFacts { expected, .. }) if ready == 0 || *expected == 0 => Stand::Covered,
        Some(BudgetFacts { allowed, expected, healthy, .. }) => {
            // The budget's controller and our own view of the pods must agree: either may be behind.
            let unseen = (healthy - ready).max(0);
            if *allowed > unseen { Stand::Covered } else { Stand::Blocked { ready, expected: *expected } }
        }
    }
}

fn names(stands: &[(&str, Stand)], keep: impl Fn(&Stand) -> bool) -> String {
    let names: Vec<_> = stands.iter().filter(|(_, stand)| keep(stand)).map(|(name, _)| *name).collect();
    names.join(", ")
}
