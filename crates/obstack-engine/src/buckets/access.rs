//! How an object store is reached, and the SDK client made of it.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::StorageError;
use super::authority;

/// Text that must never be shown: its `Debug` form is `<hidden>` and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hidden text, for the one place that signs requests.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// Everything that is needed to speak to one object store. Its `Debug` form shows neither key.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// URL of the S3 API: `http://host:port` or `https://host:port`, without path, query or user.
    pub endpoint: String,
    /// Region that requests are signed for. `SeaweedFS` takes any.
    pub region: String,
    /// Address buckets as `endpoint/bucket` (true) or as `bucket.endpoint` (false).
    pub force_path_style: bool,
    /// PEM certificates of the authority that signed the endpoint's certificate. When given, **only** these are
    /// trusted, as the backends' own `tls_ca_path` settings do: what the operator can reach, the pods can reach too.
    pub ca_pem: Option<Vec<u8>>,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: Secret,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// How long to wait for the object store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For a TCP connection and its TLS handshake.
    pub(super) connect: Duration,
    /// For one operation with its retry, the body of its answer included.
    pub(super) operation: Duration,
}

impl Deadlines {
    /// What production uses.
    pub(super) const DEFAULT: Self =
        Self { connect: Duration::from_secs(3), operation: Duration::from_secs(5) };
}

/// Builds the SDK client. Sends nothing.
pub(super) fn sdk_client(access: &Access, deadlines: Deadlines) -> Result<aws_sdk_s3::Client, StorageError> {
    let https = check_endpoint(&access.endpoint)?;
    check_keys(access)?;
    let http_client = http_client(access, https)?;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&access.endpoint)
        .region(Region::new(access.region.clone()))
        .force_path_style(access.force_path_style)
        .credentials_provider(Credentials::new(
            &access.access_key,
            access.secret_key.expose(),
            None,
            None,
            "obstack-secret",
        ))
        .http_client(http_client)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(deadlines.connect)
                .operation_timeout(deadlines.operation)
                .build(),
        )
        // One retry hides a single lost connection; anything longer belongs to the stack's own backoff.
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(Duration::from_millis(100))
                .with_max_backoff(Duration::from_millis(500)),
        )
        // The operation's deadline is stricter, and this guard gives errors of its own.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // The default adds aws-chunked checksum trailers, which older S3 servers store inside the object.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Ok(aws_sdk_s3::Client::from_conf(config))
}

/// The HTTP client: TLS by rustls with aws-lc, no proxy.
fn http_client(access: &Access, https: bool) -> Result<SharedHttpClient, StorageError> {
    let trust = match &access.ca_pem {
        Some(pem) => TrustStore::empty().with_pem_certificate(authority::checked(&access.endpoint, pem)?),
        None if https => TrustStore::default(),
        // Plain HTTP needs no roots, and loading the machine's takes time and fails in an empty image.
        None => TrustStore::empty(),
    };
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| StorageError::invalid_endpoint(&access.endpoint, &error.to_string()))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

/// Accepts `http(s)://host[:port]`, and says whether it is https.
fn check_endpoint(endpoint: &str) -> Result<bool, StorageError> {
    let invalid = |detail: &str| StorageError::invalid_endpoint(endpoint, detail);
    let (https, rest) = if let Some(rest) = endpoint.strip_prefix("https://") {
        (true, rest)
    } else if let Some(rest) = endpoint.strip_prefix("http://") {
        (false, rest)
    } else {
        return Err(invalid("it does not start with http:// or https://"));
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.contains('@') {
        return Err(invalid("it holds a user or a password"));
    }
    if host.contains(['/', '?', '#', '\\', '%']) || host.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(invalid("it has more than a host and a port"));
    }
    let (name, port) = match host.rsplit_once(':') {
        // A colon inside the brackets of an IPv6 address is not a port's.
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() || (name.contains(':') && !(name.starts_with('[') && name.ends_with(']'))) {
        return Err(invalid("it has no host"));
    }
    if port
        .is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err())
    {
        return Err(invalid("its port is not between 1 and 65535"));
    }
    Ok(https)
}

/// Refuses keys and regions that cannot stand in a header: the SDK panics on them. A line break at the end of a key
/// is what a Secret made with `echo` has, and the pods would meet it too, so it is told and not cut off.
fn check_keys(access: &Access) -> Result<(), StorageError> {
    let endpoint = access.endpoint.clone();
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    if !access.region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        || access.region.is_empty()
    {
        return Err(StorageError::invalid_endpoint(
            &endpoint,
            "its region is not letters, digits and hyphens",
        ));
    }
    if !plain(&access.access_key) {
        return Err(StorageError::AccessKeyUnusable { endpoint });
    }
    if !plain(access.secret_key.expose()) {
        return Err(StorageError::SecretKeyUnusable { endpoint });
    }
    Ok(())
}
