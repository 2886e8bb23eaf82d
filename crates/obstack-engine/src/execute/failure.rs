//! What could not be applied, as faults of the stack.

use obstack_api::Reason;
use obstack_core::{
    conclude::Fault,
    names::StackKey,
    objects::{Kind, ObjectId},
};

use crate::{cluster::ClusterError, expand::ExpandError};

/// Why an object was not applied.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused it, or could not be reached.
    #[error(transparent)]
    Apply(#[from] ClusterError),
    /// Its claims could not grow.
    #[error(transparent)]
    Expand(#[from] ExpandError),
}

impl Failure {
    /// The namespace of the object is being deleted.
    pub(super) fn namespace_terminating(&self) -> bool {
        matches!(self, Self::Apply(error) if error.namespace_terminating())
    }
}

/// A failed apply as a fault of the stack; `failures` objects failed in all.
pub(super) fn fault(id: &ObjectId, failure: &Failure, failures: usize) -> Fault {
    let more = if failures > 1 { format!(" (and {} more)", failures - 1) } else { String::new() };
    let error = match failure {
        Failure::Expand(error) => match error.cluster() {
            Some(error) => error,
            None => return Fault { reason: error.reason(), message: format!("{id}{more}: {error}") },
        },
        Failure::Apply(error) => error,
    };
    let said = error.status().map_or_else(|| error.to_string(), |status| status.message.clone());
    let (reason, fix) = match error.code() {
        409 => (
            Reason::FieldConflict,
            "; another manager holds the object: delete it or take the field out of its manifest",
        ),
        403 if said.contains("exceeded quota") => {
            (Reason::QuotaExceeded, "; raise the quota or lower what the stack asks for")
        }
        403 => (Reason::ApplyRejected, "; allow the operator's ServiceAccount what the message names"),
        422 if said.contains("updates to statefulset spec") => (
            Reason::ApplyRejected,
            "; a StatefulSet cannot change this in place: delete it with --cascade=orphan, its pods and claims stay",
        ),
        404 if id.kind == Kind::Route && !misses_namespace(error) => (
            Reason::ApplyRejected,
            "; the cluster does not serve route.openshift.io/v1: take the route out of the spec",
        ),
        400 | 404 | 413 | 422 => (Reason::ApplyRejected, ""),
        _ => (Reason::ApplyFailed, ""),
    };
    Fault { reason, message: format!("{id}{more}: {said}{fix}") }
}

/// Whether it is the namespace that is not there. The API server names it; of a kind that it does not serve it names
/// nothing.
fn misses_namespace(error: &ClusterError) -> bool {
    let details = error.status().and_then(|status| status.details.as_ref());
    error.code() == 404 && details.is_some_and(|details| details.kind == "namespaces")
}

/// The same for what Grafana gets, which lives elsewhere.
pub(super) fn grafana_fault(key: &StackKey, id: &ObjectId, failure: &Failure, failures: usize) -> Fault {
    let error = match failure {
        Failure::Apply(error) if error.code() == 404 => error,
        _ => return fault(id, failure, failures),
    };
    if id.kind.is_optional() && !misses_namespace(error) {
        let message = format!(
            "{}: the cluster does not serve {}; install the grafana-operator, or choose a sidecar in spec.grafana",
            id.kind.as_str(),
            id.kind.api_version()
        );
        return Fault { reason: Reason::GrafanaOperatorMissing, message };
    }
    let what = if key.is_dashboard(id) { "dashboards" } else { "datasources" };
    let message = format!(
        "namespace {} for the {what} does not exist; create it or change grafana.{what}.namespace",
        id.namespace
    );
    Fault { reason: Reason::NamespaceMissing, message }
}
