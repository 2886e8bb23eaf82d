//! Gathers what the pure steps need to know of the world around a stack.

use std::{collections::BTreeMap, sync::Arc};

use obstack_api::{BucketState, ChartSource, ObservabilityStack};
use obstack_core::{
    facts::{Cluster, Facts},
    names::StackKey,
    valid::ValidStack,
};

use crate::{
    buckets::Access,
    cluster::{
        ClusterError, bounded,
        secrets::{SecretData, Secrets},
    },
    context::Context,
    probes::{self, Credentials, Look},
    roster::Roster,
};

/// The facts, and the bytes of the Secrets that only the probes get to see.
#[derive(Debug)]
pub struct Observed {
    /// What the pure steps get to know.
    pub facts: Facts,
    secrets: BTreeMap<String, Arc<SecretData>>,
}

/// What is asked about the world around a stack.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The API server.
    pub client: &'a kube::Client,
    /// Secrets that were read before.
    pub secrets: &'a Secrets,
    /// Every stack there is, this one too.
    pub roster: &'a Roster,
    /// What the API server serves.
    pub cluster: &'a Cluster,
    /// Chart source of stacks that name none.
    pub chart_source: ChartSource,
}

/// Gathers the facts of a stack.
pub async fn observe(
    around: Around<'_>,
    key: &StackKey,
    stack: &ObservabilityStack,
) -> Result<Observed, ClusterError> {
    let storage = &stack.spec.object_storage;
    let named = [
        Some(storage.credentials.secret_ref.name.as_str()),
        storage.ca_secret_ref.as_ref().map(|ca| ca.name.as_str()),
    ];
    let uid = stack.metadata.uid.as_deref().unwrap_or_default();
    let mut secrets = BTreeMap::new();
    for name in named.into_iter().flatten() {
        if let Some(found) = around.secrets.get(around.client, key, name).await? {
            secrets.insert(name.to_owned(), found);
        }
    }
    // Two stacks made in the same second have no elder: the one whose probes passed holds the claim in the bucket.
    let held = stack.status.as_ref().map(|status| status.buckets.as_slice()).unwrap_or_default();
    let holds =
        |name: &str| held.iter().any(|bucket| bucket.name == name && bucket.state == BucketState::Ready);
    let mut claimed_buckets = around.roster.claimed_before(key);
    claimed_buckets.retain(|claim, _| !holds(&claim.bucket));
    Ok(Observed {
        facts: Facts {
            cluster: around.cluster.clone(),
            default_chart_source: around.chart_source,
            secrets: secrets.iter().map(|(name, data)| (name.clone(), data.facts(uid))).collect(),
            claimed_buckets,
            claimed_names: around.roster.names_before(key),
        },
        secrets,
    })
}

impl Context {
    /// What is asked about the world around stacks.
    pub fn around(&self) -> Around<'_> {
        Around {
            client: &self.client,
            secrets: &self.secrets,
            roster: &self.roster,
            cluster: &self.cluster,
            chart_source: self.settings.chart_source,
        }
    }
}

impl Observed {
    /// How the buckets stand; starts a probe when one is due, and when `request` is new.
    pub fn look(&self, ctx: &Context, key: &StackKey, valid: &ValidStack, request: Option<String>) -> Look {
        ctx.probes.look(key, &valid.storage, &valid.buckets, &self.credentials(valid), request)
    }

    /// How the object store is reached, with the keys that the pods have.
    pub fn access(&self, valid: &ValidStack) -> Access {
        probes::access(&valid.storage, &self.credentials(valid))
    }

    fn credentials(&self, valid: &ValidStack) -> Credentials {
        let data = |name: &str| self.secrets.get(name).cloned();
        Credentials {
            keys: data(&valid.storage.access_key.name).unwrap_or_default(),
            ca: valid.storage.ca.as_ref().and_then(|ca| data(&ca.name)),
        }
    }
}

/// What the API server serves, read once at the start.
pub async fn cluster(client: &kube::Client) -> Result<Cluster, ClusterError> {
    let version =
        bounded(|| "get the version of the API server".to_owned(), client.apiserver_version()).await?;
    let groups = bounded(|| "list the API groups".to_owned(), client.list_api_groups()).await?;
    let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
    let git_version = version.git_version.trim_start_matches('v');
    Ok(Cluster {
        version: git_version.split(['-', '+']).next().unwrap_or(git_version).to_owned(),
        minor: minor.parse().unwrap_or(0),
        openshift: groups.groups.iter().any(|group| group.name == "security.openshift.io"),
    })
}
