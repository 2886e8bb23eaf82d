//! What can go wrong with an object store, and what to do about it.

use obstack_api::Reason;
use thiserror::Error;

/// Why a bucket is not usable. Every message names the place, the operation and what to do; none holds a key or
/// anything the server wrote but a plain error code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StorageError {
    /// Nothing answered, or the connection broke.
    #[error(
        "{operation} at {endpoint}: no answer ({detail}); is the S3 service up, and may the operator reach it?"
    )]
    EndpointUnreachable {
        /// URL of the S3 API.
        endpoint: String,
        /// The S3 operation that was tried.
        operation: &'static str,
        /// What the network said.
        detail: String,
    },
    /// The answer took longer than the deadline.
    #[error(
        "{operation} at {endpoint}: no answer in {milliseconds} ms; is the S3 service overloaded, or does a firewall \
         drop the packets?"
    )]
    TimedOut {
        /// URL of the S3 API.
        endpoint: String,
        /// The S3 operation that was tried.
        operation: &'static str,
        /// The deadline, in milliseconds.
        milliseconds: u128,
    },
    /// The TLS handshake failed.
    #[error(
        "{operation} at {endpoint}: TLS failed ({detail}); put the PEM certificate of the authority that signed the \
         endpoint's certificate into the Secret of spec.objectStorage.caSecretRef, and check the endpoint's host name"
    )]
    TlsVerificationFailed {
        /// URL of the S3 API.
        endpoint: String,
        /// The S3 operation that was tried.
        operation: &'static str,
        /// What the TLS library said.
        detail: String,
    },
    /// The certificate authority that was given cannot be read.
    #[error(
        "the certificate authority for {endpoint} cannot be used: {detail}; check the Secret of \
         spec.objectStorage.caSecretRef, it must hold PEM certificates"
    )]
    InvalidAuthority {
        /// URL of the S3 API.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The server does not know the access key.
    #[error(
        "{operation} at {endpoint}: the access key is not known there; check the access key in the Secret of \
         spec.objectStorage.credentials"
    )]
    AccessKeyRejected {
        /// URL of the S3 API.
        endpoint: String,
        /// The S3 operation that was tried.
        operation: &'static str,
    },
    /// The server knows the access key, and the signature is wrong.
    #[error(
        "{operation} at {endpoint}: the access key is known but the signature is wrong; check the secret key in the \
         Secret of spec.objectStorage.credentials"
    )]
    SignatureRejected {
        /// URL of the S3 API.
        endpoint: String,
        /// The S3 operation that was tried.
        operation: &'static str,
    },
    /// The access key cannot be one.
    #[error(
        "the access key for {endpoint} is empty or holds a space or a line break; write the access key in the Secret of \
         spec.objectStorage.credentials again (`echo` adds a line break, `printf %s` does not)"
    )]
    AccessKeyUnusable {
        /// URL of the S3 API.
        endpoint: String,
    },
    /// The secret key cannot be one.
    #[error(
        "the secret key for {endpoint} is empty or holds a space or a line break; write the secret key in the Secret of \
         spec.objectStorage.credentials again (`echo` adds a line break, `printf %s` does not)"
    )]
    SecretKeyUnusable {
        /// URL of the S3 API.
        endpoint: String,
    },
    /// The keys are good, and may not do this.
    #[error(
        "{operation} on bucket {bucket} at {endpoint} is not allowed to this access key; allow {permission}"
    )]
    AccessDenied {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The S3 operation that was tried.
        operation: &'static str,
        /// The S3 permission that is missing, as a policy would write it.
        permission: String,
    },
    /// The bucket is not there, and may not be made.
    #[error(
        "bucket {bucket} does not exist at {endpoint}; make it, or set spec.objectStorage.buckets.create to true"
    )]
    NoSuchBucket {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// The bucket was there before us, and may not be adopted.
    #[error(
        "bucket {bucket} exists at {endpoint} and was not made by this stack; set \
         spec.objectStorage.buckets.adoptExisting to true to use it, or choose another prefix"
    )]
    BucketExists {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// The bucket belongs to somebody else: another account, or another stack.
    #[error("bucket {bucket} at {endpoint} belongs to {owner}; choose another prefix or environment name")]
    BucketOwnedByOther {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// Who has it: `another account`, or what the claim in the bucket says.
        owner: String,
    },
    /// The bucket's name is against the rules.
    #[error(
        "{bucket:?} is not a bucket name that {endpoint} takes; use 3 to 63 lower-case letters, digits, dots and hyphens"
    )]
    InvalidBucketName {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// The endpoint is not a usable URL.
    #[error("the endpoint {endpoint} cannot be used: {detail}; write http://host:port or https://host:port")]
    InvalidEndpoint {
        /// The URL, or `<hidden>` when it holds a password.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The probe read other bytes than it wrote.
    #[error(
        "GetObject on bucket {bucket} at {endpoint} gave other bytes than PutObject wrote; is there a cache or a second \
         store behind the endpoint?"
    )]
    ProbeMismatch {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// Any other error answer.
    #[error("{operation} on bucket {bucket} at {endpoint} failed: HTTP {status}, code {code}; {fix}")]
    Failed {
        /// URL of the S3 API.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The S3 operation that was tried.
        operation: &'static str,
        /// The S3 error code, `none` when the answer had none.
        code: String,
        /// HTTP status of the answer, 0 when it had none.
        status: u16,
        /// What to do.
        fix: &'static str,
    },
}

impl StorageError {
    /// The one reason for a condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::EndpointUnreachable { .. } | Self::TimedOut { .. } => Reason::EndpointUnreachable,
            Self::TlsVerificationFailed { .. } | Self::InvalidAuthority { .. } => {
                Reason::TLSVerificationFailed
            }
            Self::AccessKeyRejected { .. } | Self::AccessKeyUnusable { .. } => Reason::AccessKeyRejected,
            Self::SignatureRejected { .. } | Self::SecretKeyUnusable { .. } => Reason::SignatureRejected,
            Self::AccessDenied { .. } => Reason::AccessDenied,
            Self::NoSuchBucket { .. } => Reason::NoSuchBucket,
            Self::BucketExists { .. } => Reason::BucketExists,
            Self::BucketOwnedByOther { .. } => Reason::BucketOwnedByOther,
            Self::InvalidBucketName { .. } => Reason::InvalidBucketName,
            Self::InvalidEndpoint { .. } => Reason::InvalidEndpoint,
            Self::ProbeMismatch { .. } | Self::Failed { .. } => Reason::StorageFailed,
        }
    }

    /// The endpoint with what is wrong about it, hidden when it may hold a password.
    pub(super) fn invalid_endpoint(endpoint: &str, detail: &str) -> Self {
        let shown = if endpoint.contains('@') { "<hidden>" } else { endpoint };
        Self::InvalidEndpoint { endpoint: shown.to_owned(), detail: detail.to_owned() }
    }
}
