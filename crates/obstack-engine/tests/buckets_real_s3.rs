//! Buckets against a real S3 server: `SeaweedFS`, `VersityGW` or any other.
//!
//! Runs when `OBSTACK_S3_ENDPOINT`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are set, with keys that may make
//! buckets. Leaves its buckets behind, each with a few bytes: nothing here deletes a bucket.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use std::time::{SystemTime, UNIX_EPOCH};

use obstack_api::Reason;
use obstack_engine::buckets::{Access, Client, Ensured, Policy, Secret};

const MAKE: Policy = Policy { create: true, adopt: false };
const ADOPT: Policy = Policy { create: true, adopt: true };

/// The server under test, or why there is none.
fn access() -> Option<Access> {
    let get = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        if value.is_none() {
            println!("not run: {name} is not set");
        }
        value
    };
    Some(Access {
        endpoint: get("OBSTACK_S3_ENDPOINT")?,
        region: "us-east-1".to_owned(),
        force_path_style: true,
        ca_pem: None,
        access_key: get("AWS_ACCESS_KEY_ID")?,
        secret_key: Secret::new(get("AWS_SECRET_ACCESS_KEY")?),
    })
}

/// A name that no earlier run used.
fn fresh(purpose: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("obs-test-{purpose}-{now}")
}

#[tokio::test]
async fn a_bucket_is_made_once_and_found_again_and_kept_from_others() {
    let Some(access) = access() else { return };
    let client = Client::new(&access).unwrap();
    let bucket = fresh("own");
    assert_eq!(client.ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap(), Ensured::Created);
    assert_eq!(client.ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap(), Ensured::Existed);
    client.probe(&bucket, "dev-1").await.unwrap();
    client.probe(&bucket, "dev-1").await.unwrap();
    for policy in [MAKE, ADOPT] {
        let error = client.ensure(&bucket, "cluster-2/a/dev", policy).await.unwrap_err();
        assert_eq!(error.reason(), Reason::BucketOwnedByOther, "{error}");
        assert!(error.to_string().contains("cluster-1/a/dev"), "{error}");
    }
}

#[tokio::test]
async fn of_many_that_want_a_bucket_at_once_one_gets_it() {
    let Some(access) = access() else { return };
    let client = Client::new(&access).unwrap();
    let bucket = fresh("race");
    let owners: Vec<String> = (0..8).map(|n| format!("cluster-{n}/a/dev")).collect();
    let tries = owners.iter().map(|owner| client.ensure(&bucket, owner, ADOPT));
    let results = futures::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.reason(), Reason::BucketOwnedByOther, "{error}");
    }
}

#[tokio::test]
async fn a_bucket_that_nobody_claims_needs_leave_to_be_adopted() {
    let Some(access) = access() else { return };
    let client = Client::new(&access).unwrap();
    let bucket = fresh("found");
    make_by_hand(&access, &bucket).await;
    let error = client.ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap_err();
    assert_eq!(error.reason(), Reason::BucketExists, "{error}");
    assert_eq!(client.ensure(&bucket, "cluster-1/a/dev", ADOPT).await.unwrap(), Ensured::Existed);
    assert_eq!(client.ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap(), Ensured::Existed);
}

#[tokio::test]
async fn a_missing_bucket_is_told() {
    let Some(access) = access() else { return };
    let client = Client::new(&access).unwrap();
    let policy = Policy { create: false, adopt: true };
    let error = client.ensure(&fresh("missing"), "cluster-1/a/dev", policy).await.unwrap_err();
    assert_eq!(error.reason(), Reason::NoSuchBucket, "{error}");
    // No probe without that look first: SeaweedFS makes a missing bucket when an object is put into it.
}

#[tokio::test]
async fn wrong_keys_are_told_apart() {
    let Some(access) = access() else { return };
    let bucket = fresh("keys");
    Client::new(&access).unwrap().ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap();
    let unknown = Access { access_key: "AKIDUNKNOWN".to_owned(), ..access.clone() };
    let wrong = Access { secret_key: Secret::new("not-the-secret"), ..access.clone() };
    for (access, reason) in [(unknown, Reason::AccessKeyRejected), (wrong, Reason::SignatureRejected)] {
        let client = Client::new(&access).unwrap();
        for bucket in [bucket.clone(), fresh("nokeys")] {
            let error = client.ensure(&bucket, "cluster-1/a/dev", MAKE).await.unwrap_err();
            println!("{error}");
            assert_eq!(error.reason(), reason, "{error}");
        }
        assert_eq!(client.probe(&bucket, "dev-1").await.unwrap_err().reason(), reason);
    }
}

#[tokio::test]
async fn a_name_that_only_the_server_refuses_is_told() {
    let Some(access) = access() else { return };
    let client = Client::new(&access).unwrap();
    let error = client.ensure("192.168.5.4", "cluster-1/a/dev", MAKE).await.unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidBucketName, "{error}");
}

#[tokio::test]
async fn https_to_a_plain_server_is_a_tls_failure() {
    let Some(access) = access() else { return };
    let Some(rest) = access.endpoint.strip_prefix("http://") else {
        return println!("not run: the endpoint is not plain HTTP");
    };
    let client = Client::new(&Access { endpoint: format!("https://{rest}"), ..access.clone() }).unwrap();
    let error = client.ensure(&fresh("tls"), "cluster-1/a/dev", MAKE).await.unwrap_err();
    println!("{error}");
    assert_eq!(error.reason(), Reason::TLSVerificationFailed, "{error}");
}

/// A bucket as a person would make it: the plain SDK, no claim. The secret comes from the environment again, because
/// `Secret` does not give it back.
async fn make_by_hand(access: &Access, bucket: &str) {
    let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .endpoint_url(&access.endpoint)
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .force_path_style(true)
        .credentials_provider(aws_credential_types::Credentials::new(
            &access.access_key,
            secret,
            None,
            None,
            "test",
        ))
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                    aws_smithy_http_client::tls::rustls_provider::CryptoMode::AwsLc,
                ))
                .build_https(),
        )
        .build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(bucket).send().await.unwrap();
}
