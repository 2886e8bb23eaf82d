//! Where a stack's inventory is kept: a ConfigMap in its namespace, which is also the parent of its ApplySet.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use obstack_api::labels;
use obstack_core::{inventory::Inventory, names::StackKey};

use super::{ClusterError, bounded, write};
use crate::lease::WriteGuard;

/// Key of the list in the ConfigMap.
const KEY: &str = "inventory.json";

/// An inventory and the version of the object that holds it.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The inventory.
    pub inventory: Inventory,
    /// Resource version of the ConfigMap; `None` when it does not exist.
    pub version: Option<String>,
}

/// Reads a stack's inventory. One that cannot be parsed is taken for empty: every object is then applied again, and
/// nothing is pruned, because nothing is known to be ours.
pub async fn load(client: &Client, key: &StackKey) -> Result<Stored, ClusterError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let name = key.inventory();
    let Some(found) =
        bounded(|| format!("get ConfigMap {}/{name}", key.namespace), api.get_opt(&name)).await?
    else {
        return Ok(Stored::default());
    };
    Ok(read(found))
}

/// The inventory that a ConfigMap holds; empty when it cannot be parsed.
pub fn read(found: ConfigMap) -> Stored {
    let text = found.data.as_ref().and_then(|data| data.get(KEY)).map(String::as_str).unwrap_or_default();
    let inventory = serde_json::from_str(text).unwrap_or_else(|error| {
        let name = found.metadata.name.as_deref().unwrap_or_default();
        tracing::warn!(configmap = name, %error, "the inventory cannot be read and is taken for empty");
        Inventory::default()
    });
    Stored { inventory, version: found.metadata.resource_version }
}

/// Writes a stack's inventory over the version that was read. Whoever wrote in between makes this fail: a leader that
/// was replaced while it slept cannot go on.
pub async fn store(
    client: &Client,
    guard: &WriteGuard,
    key: &StackKey,
    owner_uid: Option<&str>,
    stored: &Stored,
) -> Result<String, ClusterError> {
    let name = key.inventory();
    let what = || format!("write ConfigMap {}/{name}", key.namespace);
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let mut object = configmap(key, owner_uid, &stored.inventory);
    object.metadata.resource_version.clone_from(&stored.version);
    let params =
        PostParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let written = match stored.version {
        Some(_) => write(guard, what, api.replace(&name, &params, &object)).await?,
        None => write(guard, what, api.create(&params, &object)).await?,
    };
    Ok(written.metadata.resource_version.unwrap_or_default())
}

fn configmap(key: &StackKey, owner_uid: Option<&str>, inventory: &Inventory) -> ConfigMap {
    let kinds: BTreeSet<String> = inventory
        .objects
        .keys()
        .map(|id| match id.kind.group() {
            "" => id.kind.as_str().to_owned(),
            group => format!("{}.{group}", id.kind.as_str()),
        })
        .collect();
    let kinds: Vec<String> = kinds.into_iter().collect();
    let elsewhere: BTreeSet<&str> = inventory.objects.keys().map(|id| id.namespace.as_str()).collect();
    let elsewhere: Vec<&str> =
        elsewhere.into_iter().filter(|namespace| *namespace != key.namespace).collect();
    let text = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let owner = owner_uid.map(|uid| {
        vec![k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
            api_version: "obstack.dev/v1alpha1".into(),
            kind: "ObservabilityStack".into(),
            name: key.name.clone(),
            uid: uid.to_owned(),
            controller: Some(true),
            ..Default::default()
        }]
    });
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(key.inventory()),
            namespace: Some(key.namespace.clone()),
            labels: Some(text(&[
                (labels::INVENTORY, "true"),
                (labels::MANAGED_BY, "obstack"),
                (labels::APPLYSET_ID, &key.applyset_id()),
            ])),
            annotations: Some(text(&[
                (labels::APPLYSET_TOOLING, concat!("obstack/v", env!("CARGO_PKG_VERSION"))),
                (labels::APPLYSET_CONTAINS, &kinds.join(",")),
                (labels::APPLYSET_NAMESPACES, &elsewhere.join(",")),
            ])),
            owner_references: owner,
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), serde_json::to_string(inventory).unwrap_or_default())])),
        ..ConfigMap::default()
    }
}
