//! Changes of a stack: small merge patches under one name, so that everybody can see who made them.

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use obstack_api::ObservabilityStack;
use obstack_engine::cluster::bounded;
use serde_json::Value;

use crate::{
    args::COMMAND,
    cluster::{Cluster, key_of},
    error::Error,
};

/// Name under which commands write.
pub const FIELD_MANAGER: &str = "kubectl-obstack";

/// Changes a stack. With a resource version in the patch nothing is written over what somebody else wrote meanwhile.
pub async fn merge(
    cluster: &Cluster,
    stack: &ObservabilityStack,
    patch: &Value,
) -> Result<ObservabilityStack, Error> {
    let key = key_of(stack);
    let api: Api<ObservabilityStack> = Api::namespaced(cluster.client.clone(), &key.namespace);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let what = || format!("patch ObservabilityStack {key}");
    let patched = bounded(what, api.patch(&key.name, &params, &Patch::Merge(patch))).await;
    patched.map_err(|error| {
        let code = error.code();
        let error = Error::from(error);
        match code {
            404 => error.fix(format!("it was deleted meanwhile; `{COMMAND} status` shows what is there")),
            409 => error.fix("somebody changed it meanwhile: run the command again"),
            _ => error,
        }
    })
}
