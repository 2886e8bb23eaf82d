//! What the pure steps get to know of the world.

use std::collections::BTreeMap;

use obstack_api::ChartSource;
use serde::{Deserialize, Serialize};

use crate::names::StackKey;

/// What was seen of the cluster around a stack. All of it comes from watches; nothing here holds a secret's bytes.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the API server serves.
    pub cluster: Cluster,
    /// Chart source when the spec is silent.
    pub default_chart_source: ChartSource,
    /// The Secrets that the spec names and that exist, by name.
    pub secrets: BTreeMap<String, SecretFacts>,
    /// Buckets that other stacks of this cluster claim, with the oldest stack that does.
    pub claimed_buckets: BTreeMap<BucketClaim, StackKey>,
    /// Names of objects that older stacks claim, as [`names`](crate::validate::names) gives them.
    pub claimed_names: BTreeMap<String, StackKey>,
}

/// What the API server serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Full version, such as `1.36.3`.
    pub version: String,
    /// Minor version of 1.x.
    pub minor: u32,
    /// `security.openshift.io` is served.
    pub openshift: bool,
}

/// What is known of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// Keys whose value is not empty.
    pub keys: Vec<String>,
    /// Keyed hash of the values, which tells a rotation and nothing else.
    pub hash: String,
}

/// A bucket in an object store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketClaim {
    /// Endpoint of the object store, without a trailing slash.
    pub endpoint: String,
    /// Name of the bucket.
    pub bucket: String,
}
