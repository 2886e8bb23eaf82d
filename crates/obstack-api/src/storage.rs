//! Where the blocks go: the object store, its credentials and the buckets.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The S3 object store that holds this environment's blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStorage {
    /// What serves the S3 API. Immutable.
    pub provider: Provider,
    /// URL of the S3 API, `http://host:port` or `https://host:port`, without a path.
    #[schemars(length(max = 512), regex(pattern = r"^https?://[^/\s]+/?$"))]
    pub endpoint: String,
    /// Region to sign requests for. `us-east-1` when silent, which SeaweedFS accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Address buckets as `endpoint/bucket` (true, when silent) or as `bucket.endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_path_style: Option<bool>,
    /// Secret with the PEM certificate of the authority that signed the endpoint's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<CaSecretRef>,
    /// The keys that the operator and the pods use.
    pub credentials: Credentials,
    /// How buckets are named and made.
    pub buckets: Buckets,
}

/// What serves the S3 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provider {
    /// SeaweedFS' S3 gateway.
    SeaweedFS,
    /// Any other S3 API.
    S3,
}

/// A Secret that holds a certificate authority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaSecretRef {
    /// Name of the Secret, in the stack's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key of the PEM certificate. `ca.crt` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// The keys that the operator and the pods use to reach the object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// A Secret in the stack's namespace.
    pub secret_ref: CredentialsSecretRef,
}

/// A Secret with an S3 access key and its secret key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSecretRef {
    /// Name of the Secret, in the stack's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Field of the Secret with the access key. `AWS_ACCESS_KEY_ID` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub access_key_field: Option<String>,
    /// Field of the Secret with the secret key. `AWS_SECRET_ACCESS_KEY` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_key_field: Option<String>,
}

impl CredentialsSecretRef {
    /// Field of the Secret with the access key.
    pub fn access_key_field(&self) -> &str {
        self.access_key_field.as_deref().unwrap_or("AWS_ACCESS_KEY_ID")
    }

    /// Field of the Secret with the secret key.
    pub fn secret_key_field(&self) -> &str {
        self.secret_key_field.as_deref().unwrap_or("AWS_SECRET_ACCESS_KEY")
    }
}

impl CaSecretRef {
    /// Key of the PEM certificate in the Secret.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("ca.crt")
    }
}

/// How buckets are named and made: `{prefix}-{traces|metrics}-{environment}-{purpose}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Buckets {
    /// First part of every bucket name. Immutable.
    #[schemars(length(min = 1, max = 20), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub prefix: String,
    /// Make a bucket that does not exist (true, when silent). With false a missing bucket is a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<bool>,
    /// Use a bucket that exists already and is ours to write (true, when silent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt_existing: Option<bool>,
}

/// Replaces the computed name of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketOverride {
    /// The bucket's name. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][-a-z0-9.]*[a-z0-9]$"))]
    pub name: Option<String>,
}
