//! From a design and what its charts rendered to a [`Plan`]: the objects exactly as they are applied.
//!
//! The order is fixed and each step may rely on the ones before it: accept what was rendered, the user's patches, the
//! contract with the design, the resource policy, the platform's security rules, scheduling, labels and ownership.

mod accept;
mod budgets;
mod contract;
mod labels;
mod patches;
mod pods;
mod policy;
mod restricted;
mod security;
mod sums;

use obstack_api::Reason;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::pods::CA_FILE;
pub use self::sums::{sums_of, sums_of_pods};
use crate::{
    backends::role::Class,
    design::Design,
    hash,
    live::Live,
    need::PodNeed,
    objects::{Kind, ObjectId},
    quantity::Sums,
};

/// The objects of a stack exactly as they are applied, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The objects, ordered by wave and then by id.
    pub objects: Vec<PlannedObject>,
    /// The components and their workloads.
    pub components: Vec<PlannedComponent>,
    /// What all pods request together.
    pub sums: Sums,
}

/// One object exactly as it is applied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedObject {
    /// Which object.
    pub id: ObjectId,
    /// Hash of the body.
    pub hash: String,
    /// The body.
    pub body: Value,
}

/// One component and its workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedComponent {
    /// Signal and role, such as `metrics.ingester`.
    pub name: String,
    /// The workload.
    pub workload: ObjectId,
    /// Pods that should run; of a `DaemonSet` 1, see [`desired_in`](Self::desired_in).
    pub desired: u32,
    /// Image of the main container.
    pub image: String,
    /// A disruption budget covers it.
    pub protected: bool,
    /// How the resource policy treats it.
    #[serde(default)]
    pub class: Class,
    /// What each of its pods needs.
    #[serde(default)]
    pub need: PodNeed,
}

impl PlannedComponent {
    /// Pods that should run. Those of a `DaemonSet` follow the nodes: as many as its controller says, or one a node
    /// that answers before it has said anything, or one where nodes may not be read.
    pub fn desired_in(&self, live: &Live) -> u32 {
        if self.workload.kind != Kind::DaemonSet {
            return self.desired;
        }
        let said = live.workloads.get(&self.workload).filter(|seen| seen.observed_generation > 0);
        let nodes = || live.nodes.as_deref().map(|nodes| nodes.values().filter(|node| node.ready).count());
        match said {
            Some(seen) => u32::try_from(seen.replicas).unwrap_or(0),
            None => nodes().map_or(self.desired, |nodes| u32::try_from(nodes).unwrap_or(u32::MAX)),
        }
    }
}

/// Why rendered objects cannot become a plan. Each is mended in the spec or in the chart, not by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// The chart rendered something that the operator never applies.
    #[error("release {release}: {what}")]
    Rendered {
        /// Name of the release.
        release: String,
        /// What, and what to do.
        what: String,
    },
    /// A patch of the spec cannot be carried out.
    #[error("{field}: {what}")]
    Patch {
        /// The patch in the spec.
        field: String,
        /// Why, and what to do.
        what: String,
    },
    /// A patch breaks the resource policy.
    #[error("{field}: {what}")]
    Policy {
        /// The patch or value in the spec.
        field: String,
        /// Why, and what to do.
        what: String,
    },
}

impl AssembleError {
    /// Why, in one word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Rendered { .. } => Reason::RenderFailed,
            Self::Patch { .. } => Reason::InvalidPatch,
            Self::Policy { .. } => Reason::OverrideViolatesPolicy,
        }
    }
}

/// A rendered object on its way into the plan.
#[derive(Clone, Debug)]
struct Manifest {
    id: ObjectId,
    body: Value,
    /// The component whose workload this is.
    component: Option<String>,
}

/// Assembles the plan. `rendered` holds what each release of the design rendered, in the design's order.
pub fn assemble(design: &Design, rendered: &[impl AsRef<[Value]>]) -> Result<Plan, AssembleError> {
    let mut manifests: Vec<Manifest> = Vec::new();
    // What is not rendered would be pruned.
    if let Some(missing) = design.releases.get(rendered.len()) {
        return Err(self::rendered(&missing.name, "was not rendered"));
    }
    for (release, objects) in design.releases.iter().zip(rendered) {
        let mut accepted = accept::accept(design, release, objects.as_ref())?;
        patches::apply(release, &mut accepted, design.resource_policy)?;
        contract::hold(release, &mut accepted)?;
        for manifest in &mut accepted {
            policy::enforce(design.resource_policy, release, manifest)?;
            security::enforce(design.openshift, manifest);
            restricted::hold(release, manifest)?;
            pods::complete(design, release, manifest);
        }
        manifests.extend(accepted);
    }
    accept::each_once(&manifests)?;
    if design.budgets {
        let budgets: Vec<_> = manifests.iter().filter_map(budgets::of).collect();
        manifests.extend(budgets);
    }
    manifests.extend(design.alloy_config.iter().chain(&design.routes).filter_map(accept::own));
    manifests.extend(design.for_grafana().filter_map(accept::own));
    for manifest in &mut manifests {
        labels::set(design, manifest);
    }
    manifests.sort_by(|a, b| (a.id.kind.wave(), &a.id).cmp(&(b.id.kind.wave(), &b.id)));
    Ok(Plan {
        sums: manifests.iter().fold(Sums::default(), |sums, manifest| sums + sums_of(&manifest.body)),
        components: manifests.iter().filter_map(|manifest| component(manifest, design)).collect(),
        objects: manifests
            .into_iter()
            .map(|manifest| PlannedObject {
                hash: hash::of_json(&manifest.body),
                id: manifest.id,
                body: manifest.body,
            })
            .collect(),
    })
}

fn component(manifest: &Manifest, design: &Design) -> Option<PlannedComponent> {
    let name = manifest.component.clone()?;
    let desired = replicas(&manifest.body);
    let image = manifest.body.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    let mut workloads = design.releases.iter().flat_map(|release| &release.workloads);
    let class = workloads.find(|workload| workload.component == name).map(|workload| workload.class);
    Some(PlannedComponent {
        class: class.unwrap_or_default(),
        need: PodNeed::of(&manifest.body),
        name,
        workload: manifest.id.clone(),
        desired,
        image: image.unwrap_or_default().to_owned(),
        protected: design.budgets && desired > 1,
    })
}

/// Replicas of a workload; 1 when it does not say, as the API server has it.
fn replicas(workload: &Value) -> u32 {
    workload
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX))
}

/// The pod template of a workload.
fn template_mut(manifest: &mut Manifest) -> Option<&mut Value> {
    if !manifest.id.kind.is_workload() {
        return None;
    }
    manifest.body.pointer_mut("/spec/template")
}

/// Every container of a pod spec, init containers and sidecars too.
fn containers_mut(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let Value::Object(pod) = pod else { return Vec::new().into_iter() };
    let lists = pod.iter_mut().filter(|(key, _)| *key == "containers" || *key == "initContainers");
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten().collect::<Vec<_>>().into_iter()
}

/// The object at a key, made when it is missing or something else.
fn object_at<'a>(parent: &'a mut Value, key: &str) -> &'a mut Value {
    if !parent.is_object() {
        *parent = Value::Object(serde_json::Map::new());
    }
    let child = &mut parent[key];
    if !child.is_object() {
        *child = Value::Object(serde_json::Map::new());
    }
    child
}

/// An error about what a chart rendered.
fn rendered(release: &str, what: impl Into<String>) -> AssembleError {
    AssembleError::Rendered { release: release.to_owned(), what: what.into() }
}

/// Kind and name, as people say them.
fn spoken(kind: Kind, name: &str) -> String {
    format!("{} {name}", kind.as_str())
}
