//! Volumes that grow under running pods.
//!
//! Kubernetes lets a claim grow and nothing of a StatefulSet's claim templates change. So each existing claim is told
//! to grow, the StatefulSet is deleted without its pods, and the apply that follows makes it anew: it takes the pods
//! back by its selector, and their claims by name.
//!
//! It can end anywhere and be begun again. What is in place is read each time, never remembered: a claim that has grown
//! is left as it is; while templates and claims differ nothing is lost but the growth; and once the StatefulSet is gone
//! the pods run on, and the apply of a StatefulSet that is not there makes it. The inventory was written ahead, so the
//! StatefulSet stays known as ours. Nothing is deleted before the API server has said, in a rehearsal, that the size of
//! the claims is all that is in the way, and before every claim was allowed to grow.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    core::{Expression, Selector},
    runtime::wait::await_condition,
};
use obstack_api::{Reason, labels};
use obstack_core::{
    assemble::PlannedObject,
    changes::{Growth, growth},
    names::StackKey,
    need::{ClaimNeed, PodNeed},
    quantity::Amount,
};
use serde_json::{Value, json};

use crate::{
    cluster::{ClusterError, api_of, apply, bounded, write},
    context::Context,
};

/// How often a StatefulSet is read again that changed between reading and deleting it.
const TRIES: usize = 5;
/// Longest time for which one that is being deleted is waited for. Its own deletion wakes the stack later.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why claims did not grow.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API server lets a claim not grow.
    #[error(
        "claim {claim} cannot grow from {from} to {to}: {said}; set allowVolumeExpansion: true on storage class {class}"
    )]
    Unsupported {
        /// Name of the claim.
        claim: String,
        /// Its storage class.
        class: String,
        /// Size that it has.
        from: String,
        /// Size that it should have.
        to: String,
        /// The API server's words.
        said: String,
    },
    /// A claim has no volume yet.
    #[error("claim {claim} cannot grow to {to} before it is bound; it is tried again")]
    Unbound {
        /// Name of the claim.
        claim: String,
        /// Size that it should have.
        to: String,
    },
    /// The StatefulSet changed each time before it could be deleted.
    #[error(
        "it has to be made anew for larger claims, and changes too often to be deleted safely; it is tried again"
    )]
    Restless,
    /// The StatefulSet is still being deleted.
    #[error("it is made anew for larger claims, as soon as the old one is gone; its pods run on meanwhile")]
    Leaving,
}

impl ExpandError {
    /// Why, in one word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unsupported { .. } => Reason::VolumeExpansionUnsupported,
            Self::Cluster(_) | Self::Unbound { .. } | Self::Restless | Self::Leaving => Reason::ApplyFailed,
        }
    }

    /// The failed request, if it is one.
    pub fn cluster(&self) -> Option<&ClusterError> {
        match self {
            Self::Cluster(error) => Some(error),
            _ => None,
        }
    }
}

/// Makes way for a StatefulSet whose claim templates have grown: afterwards its claims have grown, and a StatefulSet
/// with the old templates is gone. Does nothing where they have not, or where something else about it cannot be
/// changed: the apply that follows says so.
pub async fn expand(ctx: &Context, key: &StackKey, object: &PlannedObject) -> Result<(), ExpandError> {
    let (id, api) = (&object.id, api_of(&ctx.client, &object.id));
    let mut wanted = PodNeed::of(&object.body).claims;
    wanted.retain(|claim| !claim.ephemeral);
    for _ in 0..TRIES {
        let live = bounded(|| format!("get {id}"), api.get_opt(&id.name)).await?;
        // It may have gone on an earlier way through here, or by hand.
        let Some(live) = live else { return grow(ctx, object, &wanted).await };
        if live.metadata.deletion_timestamp.is_some() {
            grow(ctx, object, &wanted).await?;
            return gone(&api, &id.name).await;
        }
        let grown = growth(&PodNeed::of(&live.data).claims, &wanted);
        if grown.is_empty() || !apply::is_of(key, &live.metadata) {
            return Ok(());
        }
        apply::rehearse(&ctx.client, id, &with_old_sizes(&object.body, &grown)).await?;
        grow(ctx, object, &wanted).await?;
        match apply::orphan(&ctx.client, &ctx.guard, id, &live.metadata).await {
            Ok(_) => {
                tracing::info!(object = %id, "it is made anew, so that its claims can grow");
                ctx.metrics.record_write("delete", id.kind.as_str());
                return gone(&api, &id.name).await;
            }
            // Its controller counted meanwhile.
            Err(error) if error.code() == 409 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ExpandError::Restless)
}

/// The planned body with the claim sizes that are in place.
fn with_old_sizes(body: &Value, grown: &[Growth]) -> Value {
    let mut body = body.clone();
    let templates = body.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
    for template in templates.into_iter().flatten() {
        let name = template.pointer("/metadata/name").and_then(Value::as_str);
        let Some(from) = grown.iter().find(|grown| Some(grown.template.as_str()) == name) else { continue };
        if let Some(size) = template.pointer_mut("/spec/resources/requests/storage") {
            *size = from.from.storage().into();
        }
    }
    body
}

/// Tells the claims of a StatefulSet that exist to grow, also those of pods that are gone: they come back with them.
async fn grow(ctx: &Context, object: &PlannedObject, wanted: &[ClaimNeed]) -> Result<(), ExpandError> {
    let id = &object.id;
    let api: Api<PersistentVolumeClaim> = Api::namespaced(ctx.client.0.clone(), &id.namespace);
    let labels = object.body.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?)));
    let selector: Selector = labels.map(|(key, value)| Expression::Equal(key, value.to_owned())).collect();
    let ours = ListParams::default().labels_from(&selector);
    let claims = bounded(|| format!("list the claims of {id}"), api.list(&ours)).await?;
    for claim in claims {
        let name = claim.name_any();
        let Some(want) = wanted.iter().find(|want| is_claim_of(&name, &want.name, &id.name)) else {
            continue;
        };
        let has = requested(&claim);
        if has < want.size {
            grow_one(ctx, &api, &claim, has, want.size).await?;
        }
    }
    Ok(())
}

/// Whether a claim is named `TEMPLATE-WORKLOAD-ORDINAL`.
fn is_claim_of(claim: &str, template: &str, workload: &str) -> bool {
    let rest = claim.strip_prefix(template).and_then(|rest| rest.strip_prefix('-'));
    let ordinal = rest.and_then(|rest| rest.strip_prefix(workload)).and_then(|rest| rest.strip_prefix('-'));
    ordinal.is_some_and(|ordinal| !ordinal.is_empty() && ordinal.bytes().all(|byte| byte.is_ascii_digit()))
}

fn requested(claim: &PersistentVolumeClaim) -> Amount {
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let size = resources.and_then(|resources| resources.requests.as_ref()?.get("storage"));
    size.and_then(|size| Amount::parse(&size.0).ok()).unwrap_or_default()
}

async fn grow_one(
    ctx: &Context,
    api: &Api<PersistentVolumeClaim>,
    claim: &PersistentVolumeClaim,
    has: Amount,
    wanted: Amount,
) -> Result<(), ExpandError> {
    let (name, to) = (claim.name_any(), wanted.storage());
    let params =
        PatchParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": to}}}}));
    let what = || format!("patch PersistentVolumeClaim/{}/{name}", claim.namespace().unwrap_or_default());
    match write(&ctx.guard, what, api.patch(&name, &params, &patch)).await {
        Ok(_) => {
            tracing::info!(claim = name, from = has.storage(), to, "a claim grows");
            ctx.metrics.record_write("patch", "PersistentVolumeClaim");
            Ok(())
        }
        Err(error) => Err(refused(error, claim, has, wanted)),
    }
}

/// What the API server's refusal means (`plugin/pkg/admission/storage/persistentvolume/resize`).
fn refused(error: ClusterError, claim: &PersistentVolumeClaim, has: Amount, wanted: Amount) -> ExpandError {
    let said = error.status().map(|status| status.message.clone()).unwrap_or_default();
    let (name, to) = (claim.name_any(), wanted.storage());
    if said.contains("must support resize") {
        let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone()).unwrap_or_default();
        return ExpandError::Unsupported { claim: name, class, from: has.storage(), to, said };
    }
    if said.contains("nly bound persistent volume claims") || said.contains("for bound claims") {
        return ExpandError::Unbound { claim: name, to };
    }
    error.into()
}

/// Waits until a StatefulSet that is being deleted is gone: an apply before would change the old one.
async fn gone(api: &Api<DynamicObject>, name: &str) -> Result<(), ExpandError> {
    let is_gone = |found: Option<&DynamicObject>| found.is_none();
    match tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, is_gone)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(ExpandError::Leaving),
    }
}
