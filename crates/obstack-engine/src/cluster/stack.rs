//! Writes on the stack itself: its status and our finalizer. The spec is never written.

use kube::{
    Api, Client,
    api::{PartialObjectMetaExt, Patch, PatchParams},
};
use obstack_api::{ObservabilityStack, StackStatus, labels};
use obstack_core::names::StackKey;
use serde_json::json;

use super::{ClusterError, write};
use crate::lease::WriteGuard;

/// Most of a request that is repeated in a status.
const REQUEST_MAX: usize = 64;

/// Somebody's request to look at a stack at once: the value of the annotation.
pub fn requested(metadata: &kube::api::ObjectMeta) -> Option<String> {
    let value = metadata.annotations.as_ref()?.get(labels::RECONCILE_REQUESTED_AT)?;
    let value: String = value.chars().take(REQUEST_MAX).collect();
    (!value.is_empty()).then_some(value)
}

fn api(client: &Client, key: &StackKey) -> Api<ObservabilityStack> {
    Api::namespaced(client.clone(), &key.namespace)
}

/// Writes the status.
pub async fn write_status(
    client: &Client,
    guard: &WriteGuard,
    key: &StackKey,
    uid: &str,
    status: &StackStatus,
) -> Result<(), ClusterError> {
    let what = || format!("write the status of {key}");
    // The uid makes sure that a stack made anew under the same name does not get the old one's status.
    let body = json!({
        "apiVersion": "obstack.dev/v1alpha1",
        "kind": "ObservabilityStack",
        "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
        "status": status,
    });
    let params = PatchParams::apply(labels::STATUS_FIELD_MANAGER).force();
    let stacks: Api<kube::api::DynamicObject> = dynamic(client, key);
    match write(guard, what, stacks.patch_status(&key.name, &params, &Patch::Apply(&body))).await {
        Ok(_) => Ok(()),
        Err(error) if error.status().is_some_and(|status| status.message.contains(NOT_DECLARED)) => {
            Err(ClusterError::OldDefinition { what: what() })
        }
        Err(error) => Err(error),
    }
}

/// What the API server says of a field that the stored `CustomResourceDefinition` does not know.
const NOT_DECLARED: &str = "field not declared in schema";

/// The API without types: the status of an object that does not parse must be writable too.
fn dynamic(client: &Client, key: &StackKey) -> Api<kube::api::DynamicObject> {
    let resource = kube::api::ApiResource::erase::<ObservabilityStack>(&());
    Api::namespaced_with(client.clone(), &key.namespace, &resource)
}

/// Puts our finalizer on the stack or takes it off, over the version that was seen.
pub async fn set_finalizer(
    client: &Client,
    guard: &WriteGuard,
    key: &StackKey,
    metadata: &kube::api::ObjectMeta,
    wanted: bool,
) -> Result<(), ClusterError> {
    let what = || format!("{} the finalizer of {key}", if wanted { "set" } else { "remove" });
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != labels::FINALIZER);
    if wanted {
        finalizers.push(labels::FINALIZER.to_owned());
    }
    let patch = kube::api::ObjectMeta {
        resource_version: metadata.resource_version.clone(),
        uid: metadata.uid.clone(),
        finalizers: Some(finalizers),
        ..Default::default()
    }
    .into_request_partial::<ObservabilityStack>();
    let outcome = write(
        guard,
        what,
        api(client, key).patch_metadata(&key.name, &PatchParams::default(), &Patch::Merge(&patch)),
    )
    .await;
    match outcome {
        Ok(_) => Ok(()),
        // Gone already: what the finalizer held is done.
        Err(error) if error.code() == 404 && !wanted => Ok(()),
        Err(error) => Err(error),
    }
}
