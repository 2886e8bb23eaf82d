//! The sandbox's object store, beside the operator.

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
    primitives::ByteStream,
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use crate::wait::eventually;

/// A pair of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The access key.
    pub access: String,
    /// The secret key.
    pub secret: String,
}

/// The sandbox's object store.
#[derive(Clone)]
pub struct ObjectStore {
    client: Client,
}

impl ObjectStore {
    /// The object store with the administrator's keys.
    pub fn open(s3: &obstack_sandbox::S3) -> Self {
        // Plain HTTP needs no roots.
        let context = TlsContext::builder().with_trust_store(TrustStore::empty()).build().expect("no roots");
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context)
            .build_https();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&s3.endpoint)
            .region(Region::new(s3.region.clone()))
            .force_path_style(true)
            .credentials_provider(Credentials::new(&s3.access_key, &s3.secret_key, None, None, "e2e"))
            .http_client(http)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// The buckets whose names begin so, in order.
    pub async fn buckets(&self, prefix: &str) -> Vec<String> {
        let list = self.client.list_buckets().send().await.expect("list the buckets");
        let names = list.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned));
        let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    }

    /// Makes a bucket.
    pub async fn make_bucket(&self, name: &str) {
        self.client.create_bucket().bucket(name).send().await.expect("make a bucket");
    }

    /// Puts an object.
    pub async fn put(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        let body = ByteStream::from_static(bytes);
        self.client.put_object().bucket(bucket).key(key).body(body).send().await.expect("put an object");
    }

    /// The keys of a bucket's objects.
    pub async fn keys(&self, bucket: &str) -> Vec<String> {
        let list = self.client.list_objects_v2().bucket(bucket).send().await.expect("list a bucket");
        list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// Deletes a bucket with all that is in it; somebody may write to it meanwhile.
    pub async fn delete_bucket(&self, name: &str) {
        eventually("the bucket is gone", async || {
            for key in self.keys(name).await {
                let deleted = self.client.delete_object().bucket(name).key(&key).send().await;
                deleted.map_err(|error| format!("{key}: {error:?}"))?;
            }
            let deleted = self.client.delete_bucket().bucket(name).send().await;
            deleted.map(|_| ()).map_err(|error| format!("{error:?}"))
        })
        .await;
    }
}
