//! What carrying out a plan changes: which objects, whose pods, and what may stand still meanwhile. A person approves
//! it by its digest.

mod disruption;
mod growth;

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::{Approval, PlanState, PlanStatus, Reason};
use serde::{Deserialize, Serialize};

pub use self::growth::{Growth, growth};
use crate::{
    assemble::{Plan, PlannedComponent},
    backends::Backend,
    conclude::Fault,
    design::{Design, Release},
    hash,
    inventory::{Inventory, ReleaseFacts},
    objects::ObjectId,
};

/// Digits of a digest in a message; `approvedPlan` may be shortened to as many.
const SHORT: usize = 12;
/// Most entries of a list in a message.
const LISTED: usize = 5;
/// How a reason begins that comes from another change than the one at hand.
const UNFINISHED: &str = "begun before and not finished: ";
/// Most entries of a list in the status, as the schema has it.
const STATUS_LIST: usize = 50;

/// What carrying out a plan changes. Every list is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// `sha256:` and 64 hexadecimal digits over what the plan comes to: every object with its hash, and what is
    /// deleted. It is the same before and after a crash on the way.
    pub digest: String,
    /// Objects that are made.
    pub created: Vec<ObjectId>,
    /// Objects that are changed.
    pub changed: Vec<ObjectId>,
    /// Objects that are deleted.
    pub deleted: Vec<ObjectId>,
    /// Components whose pods are replaced.
    pub restarts: Vec<String>,
    /// Why it is disruptive, in words; empty when it is not.
    pub disruptive: Vec<String>,
}

/// A change in short, as it is kept with the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeSummary {
    /// Digest of the change.
    pub digest: String,
    /// How many objects are made.
    pub created: usize,
    /// How many objects are changed.
    pub changed: usize,
    /// How many objects are deleted.
    pub deleted: usize,
    /// Components whose pods are replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<String>,
    /// Why it is disruptive, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disruptive: Vec<String>,
}

/// What there is to know of the releases of a design, by name.
pub fn releases(design: &Design) -> BTreeMap<String, ReleaseFacts> {
    let facts = |release: &Release| ReleaseFacts {
        chart: release.chart.name.clone(),
        version: release.chart.version.clone(),
        replication_factor: replication_factor(release),
    };
    design.releases.iter().map(|release| (release.name.clone(), facts(release))).collect()
}

/// Where the values of the charts have it; nobody but the operator sets it. Tempo as one process has none.
fn replication_factor(release: &Release) -> Option<u64> {
    let path = match release.backend? {
        Backend::Tempo => "/ingester/config/replication_factor",
        Backend::Mimir => "/mimir/structuredConfig/ingester/ring/replication_factor",
    };
    release.values.pointer(path)?.as_u64()
}

/// What carrying out a plan changes of what is in place. `before` may be an inventory that was written ahead: of a
/// change that was begun and is not finished, it says the same again.
pub fn changes(before: &Inventory, plan: &Plan, releases: &BTreeMap<String, ReleaseFacts>) -> Changes {
    let deleted = before.obsolete(plan);
    let digest = digest(plan, &deleted);
    let is_made = |id: &ObjectId| before.objects.get(id).is_none_or(|entry| entry.uid.is_empty());
    let (mut created, mut changed): (Vec<_>, Vec<_>) =
        before.outdated(plan).into_iter().cloned().partition(|id| is_made(id));
    created.sort();
    changed.sort();
    let (restarts, disruptive) = match before.begun(&digest) {
        Some(begun) => (begun.restarts.clone(), begun.disruptive.clone()),
        None => pods(before, plan, releases),
    };
    Changes { digest, created, changed, deleted, restarts, disruptive }
}

/// What happens to the pods. Of a change that was begun, and is taken back or goes elsewhere now, nobody knows how far
/// it came: what it restarted and disrupted counts again.
fn pods(
    before: &Inventory,
    plan: &Plan,
    releases: &BTreeMap<String, ReleaseFacts>,
) -> (Vec<String>, Vec<String>) {
    let begun = before.change.as_ref().filter(|_| before.input.is_empty());
    let undone =
        |component: &&PlannedComponent| begun.is_some_and(|begun| begun.restarts.contains(&component.name));
    let restarts: BTreeSet<String> = plan
        .components
        .iter()
        .filter(|component| is_restarted(before, plan, component) || undone(component))
        .map(|component| component.name.clone())
        .collect();
    let restarts: Vec<String> = restarts.into_iter().collect();
    if before.is_first() {
        return (restarts, Vec::new());
    }
    let mut disruptive = disruption::of(before, plan, releases, &restarts);
    for reason in begun.into_iter().flat_map(|begun| &begun.disruptive) {
        let text = reason.strip_prefix(UNFINISHED).unwrap_or(reason);
        if disruptive.iter().all(|known| known != text) {
            disruptive.push(format!("{UNFINISHED}{text}"));
        }
    }
    (restarts, disruptive)
}

/// Whether the pods of a component are there and are replaced. An inventory of an earlier version does not know the
/// pod template: there, every change of the workload may be one.
fn is_restarted(before: &Inventory, plan: &Plan, component: &PlannedComponent) -> bool {
    let Some(entry) = before.objects.get(&component.workload).filter(|entry| !entry.uid.is_empty()) else {
        return false;
    };
    let known = before.components.iter().find(|old| old.workload == component.workload);
    match known.map(|old| old.need.template.as_str()) {
        None | Some("") => {
            plan.objects.iter().any(|object| object.id == component.workload && object.hash != entry.hash)
        }
        Some(template) => template != component.need.template,
    }
}

fn digest(plan: &Plan, deleted: &[ObjectId]) -> String {
    let kept = plan.objects.iter().map(|object| format!("{} {}\n", object.id, object.hash));
    let gone = deleted.iter().map(|id| format!("{id} deleted\n"));
    let lines: BTreeSet<String> = kept.chain(gone).collect();
    format!("sha256:{}", hash::of_bytes(lines.into_iter().collect::<String>().as_bytes()))
}

/// Why a change has to wait for a person; `None` when it need not. A change of nothing never waits.
pub fn approval(policy: &obstack_api::Changes, changes: &Changes) -> Option<Fault> {
    let waits = match policy.approval {
        Approval::Automatic => false,
        Approval::ManualForDisruptive => !changes.disruptive.is_empty(),
        Approval::Manual => true,
    };
    if !waits || changes.is_empty() {
        return None;
    }
    let waiting = short(&changes.digest);
    match policy.approved_plan.as_deref() {
        Some(approved) if names(approved, &changes.digest) => None,
        Some(approved) => Some(Fault {
            reason: Reason::ApprovalStale,
            message: format!(
                "plan {waiting} waits, but spec.changes.approvedPlan names {}: {changes}; read status.plan and \
                 approve its digest",
                short(approved)
            ),
        }),
        None => Some(Fault {
            reason: Reason::AwaitingApproval,
            message: format!(
                "plan {waiting} waits: {changes}; set spec.changes.approvedPlan to status.plan.digest"
            ),
        }),
    }
}

/// Whether an approval names a digest: all of it, or as much of its beginning as the schema demands at least.
fn names(approved: &str, digest: &str) -> bool {
    approved.len() >= short(digest).len() && digest.starts_with(approved)
}

/// The beginning of a digest, for messages.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + SHORT).collect()
}

impl Changes {
    /// Whether no object is made, changed or deleted.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.deleted.is_empty()
    }

    /// The change in short.
    pub fn summary(&self) -> ChangeSummary {
        ChangeSummary {
            digest: self.digest.clone(),
            created: self.created.len(),
            changed: self.changed.len(),
            deleted: self.deleted.len(),
            restarts: self.restarts.clone(),
            disruptive: self.disruptive.clone(),
        }
    }
}

/// What is changed, in words.
impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (created, changed, deleted) = (self.created.len(), self.changed.len(), self.deleted.len());
        write!(f, "objects made: {created}, changed: {changed}, deleted: {deleted}")?;
        if !self.restarts.is_empty() {
            write!(f, "; pods of {} are replaced", listed(&self.restarts, ", "))?;
        }
        if !self.disruptive.is_empty() {
            write!(f, "; disruptive: {}", listed(&self.disruptive, "; "))?;
        }
        Ok(())
    }
}

/// The first entries of a list, and how many more there are.
fn listed(entries: &[String], separator: &str) -> String {
    let text = entries.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(separator);
    match entries.len().saturating_sub(LISTED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

impl ChangeSummary {
    /// As the status says it.
    pub fn status(&self, state: PlanState) -> PlanStatus {
        let count = |objects: usize| i32::try_from(objects).unwrap_or(i32::MAX);
        let list = |entries: &[String]| entries.iter().take(STATUS_LIST).cloned().collect();
        PlanStatus {
            digest: self.digest.clone(),
            state,
            created: count(self.created),
            changed: count(self.changed),
            deleted: count(self.deleted),
            restarts: list(&self.restarts),
            disruptive: list(&self.disruptive),
        }
    }
}
