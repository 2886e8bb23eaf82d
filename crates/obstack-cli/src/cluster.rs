//! The cluster, as far as commands ask it.

use kube::{Api, Client, api::ListParams};
use obstack_api::ObservabilityStack;
use obstack_core::{facts, names::StackKey};
use obstack_engine::{
    cluster::{
        ClusterError, bounded,
        snapshot::{self, Snapshot},
    },
    observe,
};

use crate::args::COMMAND;
use crate::error::{Error, is_not_served};

/// A cluster that answered.
#[derive(Clone)]
pub struct Cluster {
    /// The way to it.
    pub client: Client,
    /// What it serves.
    pub facts: facts::Cluster,
}

impl Cluster {
    /// The cluster behind a client.
    pub async fn of(client: Client) -> Result<Self, Error> {
        let facts = observe::cluster(&client).await?;
        Ok(Self { client, facts })
    }

    /// A stack; `None` when there is none of this name. A cluster that does not know stacks at all is an error.
    pub async fn find(&self, key: &StackKey) -> Result<Option<ObservabilityStack>, Error> {
        let api: Api<ObservabilityStack> = Api::namespaced(self.client.clone(), &key.namespace);
        let what = || format!("get ObservabilityStack {key}");
        match bounded(what, api.get(&key.name)).await {
            Ok(stack) => Ok(Some(stack)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A stack that has to be there. Otherwise the error names those that are.
    pub async fn stack(&self, key: &StackKey) -> Result<ObservabilityStack, Error> {
        if let Some(stack) = self.find(key).await? {
            return Ok(stack);
        }
        let others = self.stacks(Some(&key.namespace)).await.unwrap_or_default();
        let names: Vec<_> = others.into_iter().filter_map(|stack| stack.metadata.name).collect();
        let missing = Error::new(format!("there is no ObservabilityStack {key}"));
        Err(match nearest(&key.name, names.iter().map(String::as_str)) {
            Some(meant) => missing.fix(format!("did you mean {meant}?")),
            None if names.is_empty() => missing.fix(format!(
                "namespace {} has none; `{COMMAND} status -A` shows those of all namespaces",
                key.namespace
            )),
            None => missing.fix(format!("namespace {} has {}", key.namespace, names.join(", "))),
        })
    }

    /// The stacks of a namespace, or of all, by namespace and name.
    pub async fn stacks(&self, namespace: Option<&str>) -> Result<Vec<ObservabilityStack>, Error> {
        let api: Api<ObservabilityStack> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let place = || namespace.map(|name| format!(" in namespace {name}")).unwrap_or_default();
        let what = || format!("list ObservabilityStacks{}", place());
        let mut stacks = bounded(what, api.list(&ListParams::default())).await?.items;
        stacks.sort_by(|a, b| {
            let key =
                |stack: &ObservabilityStack| (stack.metadata.namespace.clone(), stack.metadata.name.clone());
            key(a).cmp(&key(b))
        });
        Ok(stacks)
    }

    /// What is seen around the stacks of a namespace at this moment, with the operator's own eyes, and what may not be
    /// seen.
    pub async fn look(&self, key: &StackKey) -> Result<Snapshot, ClusterError> {
        Box::pin(snapshot::take(&self.client, key)).await
    }
}

/// Whether only this one object is not there, and not its kind.
pub fn is_absent(error: &ClusterError) -> bool {
    error.code() == 404 && !error.status().is_some_and(is_not_served)
}

/// Namespace and name of a stack that is stored.
pub fn key_of(stack: &ObservabilityStack) -> StackKey {
    StackKey {
        namespace: stack.metadata.namespace.clone().unwrap_or_default(),
        name: stack.metadata.name.clone().unwrap_or_default(),
    }
}

/// The name that was probably meant, if one is near.
pub fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|name| (strsim::damerau_levenshtein(text, name), name));
    scored.filter(|(distance, name)| *distance <= 1 + name.len() / 4).min().map(|(_, name)| name)
}
