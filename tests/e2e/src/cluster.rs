//! The API server as an administrator sees it, with objects as plain JSON.

use std::path::Path;

use kube::{
    Api, Client, Config,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::kinds::Kind;

/// The API server as an administrator sees it.
#[derive(Clone)]
pub struct Cluster {
    /// The client, for what the other methods do not cover.
    pub client: Client,
}

impl Cluster {
    /// The cluster of a kubeconfig.
    pub async fn open(kubeconfig: &Path) -> Self {
        // A second installation in the same process changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the sandbox's kubeconfig");
        let options = KubeConfigOptions::default();
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the sandbox's kubeconfig");
        Self { client: Client::try_from(config).expect("a client of the sandbox") }
    }

    /// The API of a kind; of all namespaces, or of what has none, when the namespace is empty.
    pub fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &kind.resource())
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
        }
    }

    /// An object, if it exists.
    pub async fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        let found = self.api(kind, namespace).get_opt(name).await;
        found.unwrap_or_else(|error| panic!("get {} {namespace}/{name}: {error}", kind.name)).map(plain)
    }

    /// An object that must exist.
    pub async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Value {
        let found = self.find(kind, namespace, name).await;
        found.unwrap_or_else(|| panic!("{} {namespace}/{name} does not exist", kind.name))
    }

    /// The objects of a kind.
    pub async fn list(&self, kind: Kind, namespace: &str) -> Vec<Value> {
        let list = self.api(kind, namespace).list(&ListParams::default()).await;
        let list = list.unwrap_or_else(|error| panic!("list {} in {namespace}: {error}", kind.name));
        let of_kind = |mut object: Value| {
            object["kind"] = kind.name.into();
            object
        };
        list.items.into_iter().map(plain).map(of_kind).collect()
    }

    /// Makes an object, or tries to.
    pub async fn create(&self, kind: Kind, object: &Value, dry_run: bool) -> Result<Value, kube::Error> {
        let params = PostParams { dry_run, field_manager: Some("e2e".to_owned()) };
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        self.api(kind, namespace).create(&params, &dynamic(object)).await.map(plain)
    }

    /// Makes an object, which must be possible.
    pub async fn make(&self, kind: Kind, object: &Value) -> Value {
        let made = self.create(kind, object, false).await;
        made.unwrap_or_else(|error| panic!("create {} {}: {error}", kind.name, object["metadata"]))
    }

    /// Replaces an object, or tries to.
    pub async fn replace(&self, kind: Kind, object: &Value, dry_run: bool) -> Result<Value, kube::Error> {
        let params = PostParams { dry_run, field_manager: Some("e2e".to_owned()) };
        let object = dynamic(object);
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap_or_default();
        self.api(kind, &namespace).replace(&name, &params, &object).await.map(plain)
    }

    /// Changes an object by a merge patch, in the name of a manager.
    pub async fn merge(&self, kind: Kind, namespace: &str, name: &str, manager: &str, patch: Value) -> Value {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let changed = self.api(kind, namespace).patch(name, &params, &Patch::Merge(patch)).await;
        plain(changed.unwrap_or_else(|error| panic!("patch {} {namespace}/{name}: {error}", kind.name)))
    }

    /// Deletes an object, which may be gone already.
    pub async fn delete(&self, kind: Kind, namespace: &str, name: &str) {
        match self.api(kind, namespace).delete(name, &DeleteParams::background()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("delete {} {namespace}/{name}: {error}", kind.name),
        }
    }

    /// Makes a namespace.
    pub async fn make_namespace(&self, name: &str) {
        let labels = json!({"obstack.dev/e2e": "true"});
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.make(crate::NAMESPACE, &object).await;
    }
}

fn plain(object: DynamicObject) -> Value {
    serde_json::to_value(object).expect("an object is JSON")
}

fn dynamic(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("no object: {error}: {object}"))
}
