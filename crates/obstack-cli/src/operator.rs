//! What tells of the operator itself: it writes its version on every inventory.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta},
};
use obstack_api::labels;
use obstack_core::names::StackKey;
use obstack_engine::cluster::{ClusterError, bounded};

/// Version of this command, which is built with the operator of the same version.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// Version of the operator that wrote a stack's inventory; `None` before it wrote one.
pub async fn version_for(client: &Client, key: &StackKey) -> Result<Option<String>, ClusterError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let name = key.inventory();
    let what = || format!("get ConfigMap {}/{name}", key.namespace);
    let found = bounded(what, api.get_metadata_opt(&name)).await?;
    Ok(found.as_ref().and_then(|found| version_of(&found.metadata)))
}

/// Versions of the operators that wrote the inventories of a namespace, or of all, and how many each wrote.
pub async fn versions(
    client: &Client,
    namespace: Option<&str>,
) -> Result<BTreeMap<String, usize>, ClusterError> {
    let (api, place): (Api<ConfigMap>, _) = match namespace {
        Some(namespace) => (Api::namespaced(client.clone(), namespace), format!("namespace {namespace}")),
        None => (Api::all(client.clone()), "all namespaces".to_owned()),
    };
    let params = ListParams::default().labels(labels::INVENTORY);
    let found = bounded(|| format!("list ConfigMaps in {place}"), api.list_metadata(&params)).await?;
    let mut versions = BTreeMap::new();
    for version in found.items.iter().filter_map(|one| version_of(&one.metadata)) {
        *versions.entry(version).or_default() += 1;
    }
    Ok(versions)
}

/// Version of the operator that wrote an inventory.
pub fn version_of(inventory: &ObjectMeta) -> Option<String> {
    let tooling = inventory.annotations.as_ref()?.get(labels::APPLYSET_TOOLING)?;
    Some(tooling.strip_prefix("obstack/v")?.to_owned())
}
