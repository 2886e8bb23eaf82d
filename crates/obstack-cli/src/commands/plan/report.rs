//! What a plan says, for people and programs. Pure.

use std::collections::BTreeMap;

use obstack_api::{Advisory, ConditionStatus, ObservabilityStack, QuotaStatus};
use obstack_core::{
    assemble::{PlannedComponent, sums_of_pods},
    changes::{Changes, approval},
    inventory::Inventory,
    live::Live,
    objects::ObjectId,
    quantity::Sums,
    quota::Preflight,
    resilience,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    cluster::key_of,
    compare::Compared,
    fields::{self, FieldChange},
    planner::{Planned, World},
};

/// What applying a manifest comes to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Namespace and name of the stack.
    pub stack: String,
    /// Its environment.
    pub environment: String,
    /// What it was held against: `Cluster`, or `Nothing`, from which every object is new.
    pub against: &'static str,
    /// What `spec.changes.approvedPlan` would have to name; absent where nobody can know it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Objects that are made.
    pub created: usize,
    /// Objects that are changed.
    pub changed: usize,
    /// Objects that are deleted.
    pub deleted: usize,
    /// Component by component; what belongs to none is in the last one, `shared`.
    pub components: Vec<Part>,
    /// Components whose pods are replaced.
    pub restarts: Vec<String>,
    /// Why it is disruptive.
    pub disruptive: Vec<String>,
    /// What all pods and claims request, before and after.
    pub requests: Requests,
    /// How that fits into the quotas; absent where none were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Fit>,
    /// Why it would wait before the first write: for room, or for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Why it would not survive the loss of a pod; absent where it would, as far as the design goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragile: Option<String>,
    /// What runs, but will hurt one day.
    #[schemars(extend("x-api" = "status"))]
    pub advisories: Vec<Advisory>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
    /// What could not be looked at, and the right that was missing.
    pub unknown: Vec<String>,
}

/// One component, or what belongs to none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Signal and role, such as `metrics.ingester`; `shared` for what belongs to none.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// Its pods are replaced.
    pub restarts: bool,
    /// What its pods and claims request.
    pub requests: Requests,
    /// Its objects that do not stay as they are.
    pub objects: Vec<ObjectChange>,
}

/// What happens to an object or a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is deleted.
    Delete,
    /// It stays.
    Keep,
}

/// One object that does not stay as it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// Kind, namespace and name.
    #[schemars(with = "String")]
    pub id: ObjectId,
    /// What happens to it.
    pub action: Action,
    /// Its fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Why the API server would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The API server was not asked: fields that would be removed are not among `fields`.
    #[serde(skip_serializing_if = "is_false")]
    pub guessed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What pods and claims request, before and after.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Requests {
    /// As it is.
    pub before: Amounts,
    /// As it would be.
    pub after: Amounts,
}

/// What pods and claims request, as Kubernetes writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Amounts {
    /// Pods.
    pub pods: u32,
    /// CPU, such as `2720m`.
    pub cpu: String,
    /// Memory, such as `12928Mi`.
    pub memory: String,
    /// Volume claims, such as `16Gi`.
    pub storage: String,
}

impl From<Sums> for Amounts {
    fn from(sums: Sums) -> Self {
        Self {
            pods: sums.pods,
            cpu: sums.cpu.cpu(),
            memory: sums.memory.memory(),
            storage: sums.storage.storage(),
        }
    }
}

/// How a change fits into quotas.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// It fits: `True`, `False`, or `Unknown`.
    pub fits: ConditionStatus,
    /// Why, in one word.
    pub reason: String,
    /// Why, with the numbers.
    pub message: String,
    /// The numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-api" = "status.quota"))]
    pub numbers: Option<QuotaStatus>,
}

/// What was seen in the cluster.
pub struct Seen {
    /// Objects that change or go, as they are and as they would be.
    pub compared: BTreeMap<ObjectId, Compared>,
    /// How the change fits into quotas.
    pub preflight: Preflight,
    /// What could not be looked at.
    pub missing: Vec<String>,
}

impl Report {
    /// Whether an object is made, changed or deleted.
    pub fn has_changes(&self) -> bool {
        self.created + self.changed + self.deleted > 0
    }
}

/// What a plan comes to.
pub fn of(
    with_cluster: bool,
    stack: &ObservabilityStack,
    world: &World,
    before: &Inventory,
    planned: &Planned,
    changes: &Changes,
    seen: Seen,
) -> Report {
    let Seen { compared, preflight, missing } = seen;
    let held = preflight.blocked.clone().or_else(|| approval(&stack.spec.changes, changes));
    let fit = preflight.finding.map(|finding| Fit {
        fits: finding.status,
        reason: finding.reason.as_str().to_owned(),
        message: finding.message,
        numbers: preflight.status,
    });
    let tolerance = resilience::tolerance(&planned.valid, &planned.plan.components, &Live::default()).finding;
    let fragile = tolerance.status == ConditionStatus::False;
    // What owns the objects is part of them: before the stack is stored nobody knows its uid.
    let known = with_cluster && (world.uid.is_some() || planned.blueprint.design.owner_uid.is_none());
    Report {
        stack: key_of(stack).to_string(),
        environment: stack.spec.environment.clone(),
        against: if with_cluster { "Cluster" } else { "Nothing" },
        digest: known.then(|| changes.digest.clone()),
        created: changes.created.len(),
        changed: changes.changed.len(),
        deleted: changes.deleted.len(),
        components: parts(before, planned, changes, &compared),
        restarts: changes.restarts.clone(),
        disruptive: changes.disruptive.clone(),
        requests: Requests {
            before: sums(&before.components).into(),
            after: sums(&planned.plan.components).into(),
        },
        quota: fit.filter(|_| with_cluster),
        held: held.map(|fault| format!("{}: {}", fault.reason, fault.message)),
        fragile: fragile.then(|| format!("{}: {}", tolerance.reason, tolerance.message)),
        advisories: planned.blueprint.report.advisories.clone(),
        assumed: world.assumed.clone(),
        unknown: missing,
    }
}

fn sums(components: &[PlannedComponent]) -> Sums {
    components.iter().map(of_component).fold(Sums::default(), |all, one| all + one)
}

fn of_component(component: &PlannedComponent) -> Sums {
    sums_of_pods(&component.need, component.desired)
}

fn parts(
    before: &Inventory,
    planned: &Planned,
    changes: &Changes,
    compared: &BTreeMap<ObjectId, Compared>,
) -> Vec<Part> {
    let (old, new) = (&before.components, &planned.plan.components);
    let gone = old.iter().filter(|old| new.iter().all(|new| new.name != old.name));
    let all: Vec<&PlannedComponent> = new.iter().chain(gone).collect();
    let mut parts: Vec<Part> = all.iter().map(|component| part(&component.name, old, new, changes)).collect();
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let shared = Part {
        name: "shared".to_owned(),
        action: Action::Keep,
        restarts: false,
        requests: Requests { before: Sums::default().into(), after: Sums::default().into() },
        objects: Vec::new(),
    };
    parts.push(shared);
    let lists = [
        (&changes.created, Action::Create),
        (&changes.changed, Action::Change),
        (&changes.deleted, Action::Delete),
    ];
    for (id, action) in lists.iter().flat_map(|(list, action)| list.iter().map(move |id| (id, *action))) {
        let owner = owner(id, &all).unwrap_or("shared");
        if let Some(part) = parts.iter_mut().find(|part| part.name == owner) {
            part.objects.push(object(id, action, compared.get(id)));
        }
    }
    for part in &mut parts {
        if part.action == Action::Keep && !part.objects.is_empty() {
            part.action = Action::Change;
        }
    }
    parts.retain(|part| part.name != "shared" || !part.objects.is_empty());
    parts
}

fn part(name: &str, old: &[PlannedComponent], new: &[PlannedComponent], changes: &Changes) -> Part {
    let find =
        |list: &[PlannedComponent]| list.iter().find(|component| component.name == name).map(of_component);
    let (before, after) = (find(old), find(new));
    Part {
        name: name.to_owned(),
        action: match (before, after) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Keep,
        },
        restarts: changes.restarts.iter().any(|restarted| restarted == name),
        requests: Requests {
            before: before.unwrap_or_default().into(),
            after: after.unwrap_or_default().into(),
        },
        objects: Vec::new(),
    }
}

/// The component that an object belongs to: that of the longest workload's name which the object's name begins with.
fn owner<'a>(id: &ObjectId, components: &[&'a PlannedComponent]) -> Option<&'a str> {
    let begins = |component: &&&PlannedComponent| {
        let workload = &component.workload;
        let rest = id.name.strip_prefix(&workload.name);
        workload.namespace == id.namespace
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let longest = components.iter().filter(begins).max_by_key(|component| component.workload.name.len());
    longest.map(|component| component.name.as_str())
}

fn object(id: &ObjectId, action: Action, compared: Option<&Compared>) -> ObjectChange {
    let mut change =
        ObjectChange { id: id.clone(), action, fields: Vec::new(), refused: None, guessed: false };
    let Some(Compared { live: Some(live), wanted: Some(wanted), refused, guessed, .. }) = compared else {
        return change;
    };
    change.fields = fields::changes(live, wanted);
    change.guessed = *guessed;
    change.refused.clone_from(refused);
    change
}
