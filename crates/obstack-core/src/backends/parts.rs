//! What the values of every backend have in common: a component's size and volume, and the object store's keys.

use serde_json::{Map, Value, json};

use super::{Backend, values::Values};
use crate::valid::{Storage, ValidComponent, Volume};

/// Why users cannot set what holds, or would replace, the object store's keys.
pub(super) const FROM_SECRET: &str = "credentials come from the Secret";
/// Why users cannot set what objects are called.
pub(super) const NAMES: &str = "names of objects";
/// Why users cannot set a chart's disruption budgets: the operator's own replace them.
pub(super) const BUDGETS: &str = "spec.disruption.podDisruptionBudgets";

/// Where a component's block stands in a chart's values, and what decides it.
pub(super) struct Block<'a> {
    /// Path of the block.
    pub(super) at: String,
    /// Backend of the component.
    pub(super) backend: Backend,
    /// The component.
    pub(super) component: &'a ValidComponent,
}

impl Block<'_> {
    /// A field of the component in the spec.
    pub(super) fn field(&self, name: &str) -> String {
        format!("spec.{}.components.{}.{name}", self.backend.signal(), self.component.role.key)
    }

    /// Sets how many and how big. Limits are here and not only in the resource policy, because the charts derive
    /// `GOMEMLIMIT` from them.
    pub(super) fn size(&self, values: &mut Values) {
        values.set(&format!("{}/replicas", self.at), self.component.replicas, &self.field("replicas"));
        values.set(&format!("{}/resources", self.at), resources(self.component), &self.field("resources"));
    }

    /// Sets the data volume at `key`, which charts call different things, as they do its class.
    pub(super) fn volume(&self, values: &mut Values, key: &str, class_key: &str) {
        let owner = self.field("storage");
        let (size, class) = match &self.component.volume {
            Volume::None => return,
            Volume::EmptyDir => (None, None),
            Volume::Claim { size, class, .. } => (Some(size), class.clone()),
        };
        values.set(&format!("{key}/enabled"), size.is_some(), &owner);
        values.set(&format!("{key}/{class_key}"), class.map_or(Value::Null, Value::from), &owner);
        match size {
            Some(size) => values.set(&format!("{key}/size"), size.as_str(), &owner),
            None => values.reserve(&format!("{key}/size"), &owner),
        };
    }
}

/// Requests and limits as a container has them.
pub(crate) fn resources(component: &ValidComponent) -> Value {
    let limits = [("cpu", &component.cpu_limit), ("memory", &component.memory_limit)];
    let limits = limits
        .into_iter()
        .filter_map(|(resource, limit)| Some((resource.to_owned(), json!(limit.as_ref()?))));
    let limits: Map<String, Value> = limits.collect();
    let requests = json!({"cpu": component.cpu, "memory": component.memory});
    if limits.is_empty() {
        json!({"requests": requests})
    } else {
        json!({"requests": requests, "limits": limits})
    }
}

/// The environment from which the S3 clients of Tempo and Mimir (minio-go's `EnvAWS`) take their keys, so that no
/// key stands in a ConfigMap, a value or an argument.
pub(super) fn credentials(storage: &Storage) -> Value {
    let names = [("AWS_ACCESS_KEY_ID", &storage.access_key), ("AWS_SECRET_ACCESS_KEY", &storage.secret_key)];
    let variable = |(name, source): (&str, &crate::valid::SecretKey)| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}});
    names.map(variable).to_vec().into()
}

/// A number of hours as Go reads durations.
pub(super) fn hours(hours: u32) -> String {
    format!("{hours}h")
}
