//! The API server as an administrator sees it.

use std::{path::Path, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Namespace, Pod, Secret},
};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use obstack_api::ObservabilityStack;
use obstack_core::assemble::PlannedObject;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::error::{Doing, Error};

/// Name of the Secret with the object store's keys, in every namespace.
pub const SECRET: &str = "s3";
const STEP: Duration = Duration::from_millis(200);

/// The API server as an administrator sees it.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
}

impl Cluster {
    /// The cluster of a kubeconfig.
    pub async fn open(kubeconfig: &Path) -> Result<Self, Error> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self { client: Client::try_from(config).doing(|| "make a client".to_owned())? })
    }

    /// The stacks of a namespace.
    pub fn stacks(&self, namespace: &str) -> Api<ObservabilityStack> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes a namespace with the keys of the object store in it.
    pub async fn make_namespace(&self, name: &str, keys: (&str, &str)) -> Result<(), Error> {
        let make = |what: &'static str| move || format!("create {what} in {name}");
        let object = of(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        new(namespaces.create(&PostParams::default(), &object).await).doing(make("a namespace"))?;
        let object = of(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET},
            "stringData": {"AWS_ACCESS_KEY_ID": keys.0, "AWS_SECRET_ACCESS_KEY": keys.1},
        }))?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), name);
        new(secrets.create(&PostParams::default(), &object).await).doing(make("a Secret"))
    }

    /// A stack as it is.
    pub async fn stack(&self, namespace: &str, name: &str) -> Result<ObservabilityStack, Error> {
        self.stacks(namespace).get(name).await.doing(|| format!("get the stack in {namespace}"))
    }

    /// Makes a stack.
    pub async fn make_stack(&self, stack: &ObservabilityStack) -> Result<(), Error> {
        let namespace = stack.metadata.namespace.clone().unwrap_or_default();
        let created = self.stacks(&namespace).create(&PostParams::default(), stack).await;
        new(created).doing(|| format!("create the stack in {namespace}"))
    }

    /// Applies objects, so many at a time.
    pub async fn apply(&self, objects: &[PlannedObject], parallel: usize) -> Result<(), Error> {
        let params = PatchParams::apply("bench").force();
        stream::iter(objects)
            .map(|object| {
                let resource = ApiResource {
                    group: object.id.kind.group().to_owned(),
                    version: "v1".to_owned(),
                    api_version: object.id.kind.api_version(),
                    kind: object.id.kind.as_str().to_owned(),
                    plural: object.id.kind.plural().to_owned(),
                };
                let api: Api<DynamicObject> =
                    Api::namespaced_with(self.client.clone(), &object.id.namespace, &resource);
                let params = &params;
                async move {
                    let applied = api.patch(&object.id.name, params, &Patch::Apply(&object.body)).await;
                    applied.doing(|| format!("apply {}", object.id)).map(drop)
                }
            })
            .buffer_unordered(parallel)
            .try_collect()
            .await
    }

    /// Opens so many connections, so that none is opened while something is measured.
    pub async fn warm(&self, connections: usize) -> Result<(), Error> {
        let version = async |_: usize| self.client.apiserver_version().await.map(drop);
        let all: Result<Vec<()>, _> =
            stream::iter(0..connections).map(version).buffer_unordered(connections).try_collect().await;
        all.doing(|| "get the version".to_owned()).map(drop)
    }

    /// Removes a namespace and waits until it is gone. Workloads go first: a namespace with pods takes 16 s.
    pub async fn remove_namespace(&self, name: &str) -> Result<(), Error> {
        let (all, now) = (ListParams::default(), DeleteParams::background());
        let what = || format!("delete what is in {name}");
        let stacks = self.stacks(name);
        stacks.delete_collection(&now, &all).await.doing(what)?;
        wait(&format!("{name} has no stack"), Duration::from_mins(2), async || {
            let left = stacks.list_metadata(&all).await.doing(what)?.items.len();
            Ok(if left == 0 { Ok(()) } else { Err(format!("{left} stacks")) })
        })
        .await?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), name);
        deployments.delete_collection(&now, &all).await.doing(what)?;
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), name);
        sets.delete_collection(&now, &all).await.doing(what)?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), name);
        wait(&format!("{name} has no pod"), Duration::from_mins(2), async || {
            let left = pods.list_metadata(&all).await.doing(what)?.items.len();
            Ok(if left == 0 { Ok(()) } else { Err(format!("{left} pods")) })
        })
        .await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(name, &now).await.doing(what)?;
        wait(&format!("{name} is gone"), Duration::from_mins(2), async || {
            let left = namespaces.get_metadata_opt(name).await.doing(what)?;
            Ok(left.map_or(Ok(()), |_| Err("it is there".to_owned())))
        })
        .await
    }
}

/// What is there from an earlier run is taken as it is.
fn new<T>(created: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match created {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop),
    }
}

/// An object of a type from JSON.
pub fn of<T: serde::de::DeserializeOwned>(object: Value) -> Result<T, Error> {
    let format = |error: serde_json::Error| Error::Format {
        what: "an object of the bench".to_owned(),
        reason: error.to_string(),
    };
    serde_json::from_value(object).map_err(format)
}

/// Waits until a look says so; until then it says what is there instead.
pub async fn wait<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>, Error>,
) -> Result<T, Error> {
    let end = Instant::now() + limit;
    loop {
        match look().await? {
            Ok(value) => return Ok(value),
            Err(last) if Instant::now() >= end => {
                return Err(Error::TooLate { what: what.to_owned(), seconds: limit.as_secs(), last });
            }
            Err(_) => sleep(STEP).await,
        }
    }
}
