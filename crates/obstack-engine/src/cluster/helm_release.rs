//! Releases as Helm stores them: a Secret a revision, and the mark that takes one out of Helm's sight.

use std::{collections::BTreeSet, io::Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use obstack_core::{
    adopt::{HelmChart, HelmRelease},
    names::StackKey,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ClusterError, bounded, hand_over::Manager};
use crate::charts::manifest;

/// Label by which Helm finds its Secrets.
const OWNER: &str = "owner";
/// What it has there.
const HELM: &str = "helm";
/// What stands there once a stack has taken the release over. Helm's own queries ask for `owner=helm`.
const TAKEN: &str = "obstack";
/// On a Secret of a release that was taken over: `<namespace>/<name>` of the stack.
const ADOPTED_BY: &str = "obstack.dev/adopted-by";
/// On the newest Secret of a release while its objects are handed over, and after: who had their fields, as
/// `<operation> <manager>`. A later process finds the way back by it.
const HAD_BY: &str = "obstack.dev/had-by";
/// Type of the Secrets.
const TYPE: &str = "helm.sh/release.v1";
/// Longest release, unpacked. A Secret has at most 1 MiB, and charts pack well.
const MAX_BYTES: u64 = 64 << 20;
/// How the small charts that come with the operator describe themselves.
const BUNDLED: &str = "Bundled with obstack";

/// Why a release cannot be read or marked.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// There is none of that name.
    #[error("namespace {namespace} has no release {name}; {}", listed(.there))]
    NotFound {
        /// Namespace.
        namespace: String,
        /// Name that was asked for.
        name: String,
        /// Names of the releases that are there.
        there: Vec<String>,
    },
    /// Secrets may not be listed.
    #[error(
        "not allowed to list Secrets in namespace {namespace}, in which Helm keeps its releases; ask for the verbs list and patch on secrets"
    )]
    Forbidden {
        /// Namespace.
        namespace: String,
    },
    /// The newest revision is not what is in place.
    #[error("revision {revision} of release {name} is {status}; finish it or roll back with helm first")]
    NotDeployed {
        /// Name of the release.
        name: String,
        /// Its newest revision.
        revision: u64,
        /// State of that revision.
        status: String,
    },
    /// The Secret does not hold a release that can be read.
    #[error(
        "Secret {secret} holds no release that can be read: {what}; upgrade the release with helm 3 or newer first"
    )]
    Undecodable {
        /// Name of the Secret.
        secret: String,
        /// What is wrong with it. It quotes nothing of it.
        what: &'static str,
    },
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "it has none that Helm keeps in Secrets".to_owned()
    } else {
        format!("it has {}", names.join(", "))
    }
}

/// A release as JSON, as far as it is of interest.
#[derive(Deserialize)]
struct Stored {
    name: String,
    namespace: String,
    version: u64,
    info: Info,
    chart: Chart,
    #[serde(default)]
    config: Option<Map<String, Value>>,
    #[serde(default)]
    manifest: String,
}

#[derive(Deserialize)]
struct Info {
    status: String,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
    #[serde(default)]
    values: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    version: String,
    #[serde(default)]
    app_version: Option<String>,
    #[serde(default)]
    description: String,
}

/// A release, whether or not a stack has taken it over.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The release.
    pub release: HelmRelease,
    /// The stack that has taken it over, as `<namespace>/<name>`: every revision is marked.
    pub stack: Option<String>,
    /// Who had the fields of its objects before they were handed over, where that was begun.
    pub manager: Option<Manager>,
}

/// A release as its newest revision has it, which must be deployed; whether or not a stack has taken it over. While one
/// of its Secrets is not marked, it is Helm's.
pub async fn see(client: &Client, namespace: &str, name: &str) -> Result<Seen, HelmError> {
    let all = list(client, namespace, &format!("{OWNER} in ({HELM},{TAKEN}),name={name}")).await?;
    let Some(newest) = newest(&all) else {
        return Err(not_found(client, namespace, name).await?);
    };
    let status = label(newest, "status");
    if status != "deployed" {
        let (name, status) = (name.to_owned(), status.to_owned());
        return Err(HelmError::NotDeployed { name, revision: revision(newest), status });
    }
    let taken = label(newest, OWNER) == TAKEN;
    Ok(Seen {
        release: decode(newest)?,
        stack: adopted_by(newest).filter(|_| taken).map(str::to_owned),
        manager: annotation(newest, HAD_BY).and_then(manager),
    })
}

/// Writes down who had the fields of a release's objects, before they are handed over; `None` once they have them
/// again. A release that Helm upgrades meanwhile loses it with the revision.
pub async fn remember(
    client: &Client,
    namespace: &str,
    name: &str,
    manager: Option<&Manager>,
) -> Result<(), HelmError> {
    let all = list(client, namespace, &format!("{OWNER} in ({HELM},{TAKEN}),name={name}")).await?;
    let Some(newest) = newest(&all) else { return Ok(()) };
    let had_by = manager.map(|manager| format!("{} {}", manager.operation, manager.name));
    if annotation(newest, HAD_BY) == had_by.as_deref() {
        return Ok(());
    }
    let secret = newest.metadata.name.as_deref().unwrap_or_default();
    let patch = json!({"metadata": {
        "resourceVersion": newest.metadata.resource_version,
        "annotations": {HAD_BY: had_by},
    }});
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = || format!("annotate Secret {namespace}/{secret}");
    bounded(what, api.patch_metadata(secret, &PatchParams::default(), &Patch::Merge(&patch))).await?;
    Ok(())
}

/// The newest revision that Helm sees; where it sees none, the newest that was taken from its sight.
fn newest(all: &[Secret]) -> Option<&Secret> {
    all.iter().max_by_key(|secret| (label(secret, OWNER) == HELM, revision(secret)))
}

/// A manager as it is written down.
fn manager(text: &str) -> Option<Manager> {
    let (operation, name) = text.split_once(' ')?;
    Some(Manager { name: name.to_owned(), operation: operation.to_owned() })
}

/// Names of the releases of a namespace.
async fn names(client: &Client, namespace: &str) -> Result<Vec<String>, HelmError> {
    let found = list(client, namespace, &format!("{OWNER}={HELM}")).await?;
    let names: BTreeSet<_> = found.iter().map(|secret| label(secret, "name").to_owned()).collect();
    Ok(names.into_iter().filter(|name| !name.is_empty()).collect())
}

/// Takes a release out of Helm's sight: `helm list` and `helm uninstall` do not find it any more, so nobody deletes by
/// them what the stack runs. Every revision is marked, as Helm would act on an older one. [`unmark`] is the way back; by
/// hand it is `kubectl label secret -l owner=obstack,name=NAME owner=helm --overwrite`. Returns how many were marked.
pub async fn mark(client: &Client, key: &StackKey, name: &str) -> Result<usize, HelmError> {
    let secrets = list(client, &key.namespace, &format!("{OWNER}={HELM},name={name}")).await?;
    relabel(client, &key.namespace, &secrets, TAKEN, Some(&key.to_string())).await
}

/// Gives a release back to Helm. Only what this stack has marked is touched. Returns how many Secrets that were.
pub async fn unmark(client: &Client, key: &StackKey, name: &str) -> Result<usize, HelmError> {
    let mut secrets = list(client, &key.namespace, &format!("{OWNER}={TAKEN},name={name}")).await?;
    let stack = key.to_string();
    secrets.retain(|secret| adopted_by(secret) == Some(stack.as_str()));
    relabel(client, &key.namespace, &secrets, HELM, None).await
}

async fn relabel(
    client: &Client,
    namespace: &str,
    secrets: &[Secret],
    owner: &str,
    stack: Option<&str>,
) -> Result<usize, HelmError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    // The newest last: until then a process that ended on the way is found, and goes on.
    let mut ordered: Vec<_> = secrets.iter().collect();
    ordered.sort_by_key(|secret| revision(secret));
    for secret in &ordered {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        let patch = marking(owner, stack, secret.metadata.resource_version.as_deref());
        let what = || format!("label Secret {namespace}/{name}");
        bounded(what, api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch))).await?;
    }
    Ok(ordered.len())
}

/// The patch that says whose a Secret is. The version makes sure that Helm has not written it meanwhile.
fn marking(owner: &str, stack: Option<&str>, version: Option<&str>) -> Value {
    json!({"metadata": {
        "resourceVersion": version,
        "labels": {OWNER: owner},
        "annotations": {ADOPTED_BY: stack},
    }})
}

async fn not_found(client: &Client, namespace: &str, name: &str) -> Result<HelmError, HelmError> {
    let there = names(client, namespace).await?;
    Ok(HelmError::NotFound { namespace: namespace.to_owned(), name: name.to_owned(), there })
}

async fn list(client: &Client, namespace: &str, labels: &str) -> Result<Vec<Secret>, HelmError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(labels).fields(&format!("type={TYPE}"));
    let what = || format!("list the Secrets of releases in {namespace}");
    match bounded(what, api.list(&params)).await {
        Ok(found) => Ok(found.items),
        Err(error) if error.code() == 403 => Err(HelmError::Forbidden { namespace: namespace.to_owned() }),
        Err(error) => Err(error.into()),
    }
}

fn label<'a>(secret: &'a Secret, name: &str) -> &'a str {
    let labels = secret.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(name)).map(String::as_str).unwrap_or_default()
}

fn adopted_by(secret: &Secret) -> Option<&str> {
    annotation(secret, ADOPTED_BY)
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn revision(secret: &Secret) -> u64 {
    label(secret, "version").parse().unwrap_or(0)
}

/// The release in a Secret: base64 of gzip of JSON. Helm before 3.0 wrote it without gzip.
fn decode(secret: &Secret) -> Result<HelmRelease, HelmError> {
    let name = secret.metadata.name.clone().unwrap_or_default();
    let broken = |what| HelmError::Undecodable { secret: name.clone(), what };
    let data = secret.data.as_ref().and_then(|data| data.get("release"));
    let data = data.ok_or_else(|| broken("it has no key release"))?;
    let packed = STANDARD.decode(&data.0).map_err(|_| broken("it is not base64"))?;
    let text = if packed.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        let read = GzDecoder::new(packed.as_slice()).take(MAX_BYTES + 1).read_to_end(&mut text);
        read.map_err(|_| broken("it is not gzip"))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(broken("it is larger than 64 MiB"));
        }
        text
    } else {
        packed
    };
    // An error of the parser may quote a value.
    let stored: Stored = serde_json::from_slice(&text).map_err(|_| broken("it is not a release as JSON"))?;
    let objects =
        manifest::objects(&stored.manifest).map_err(|_| broken("its manifest is not YAML of objects"))?;
    let metadata = stored.chart.metadata;
    Ok(HelmRelease {
        name: stored.name,
        namespace: stored.namespace,
        revision: stored.version,
        status: stored.info.status,
        chart: HelmChart {
            bundled: metadata.description.contains(BUNDLED),
            name: metadata.name,
            version: metadata.version,
            app_version: metadata.app_version.filter(|version| !version.is_empty()),
        },
        values: stored.config.unwrap_or_default(),
        chart_values: stored.chart.values.unwrap_or_default(),
        objects,
    })
}

#[cfg(test)]
mod tests;
