//! Which changes wait for a person, and what the status says of them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which changes wait for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Which changes wait until `approvedPlan` names them. Repairs of drift never wait.
    #[serde(default)]
    pub approval: Approval,
    /// Digest of the plan that may be carried out: copy it from `status.plan.digest`. One of another plan is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{12,64}$"))]
    pub approved_plan: Option<String>,
}

/// Which changes wait for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Approval {
    /// None.
    #[default]
    Automatic,
    /// Those that may interrupt reads or writes, lose redundancy for a while, or delete a component.
    ManualForDisruptive,
    /// All, the first installation too.
    Manual,
}

/// What carrying out the spec changes, or changed last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Digest of the plan: what `spec.changes.approvedPlan` has to name.
    pub digest: String,
    /// How far it is.
    pub state: PlanState,
    /// Objects that are made.
    #[serde(default)]
    pub created: i32,
    /// Objects that are changed.
    #[serde(default)]
    pub changed: i32,
    /// Objects that are deleted.
    #[serde(default)]
    pub deleted: i32,
    /// Components whose pods are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub restarts: Vec<String>,
    /// Why it is disruptive, one reason a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub disruptive: Vec<String>,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlanState {
    /// Its objects are in place.
    Applied,
    /// A person has to approve it.
    PendingApproval,
    /// It is held by something else, such as a quota.
    #[default]
    Held,
}
