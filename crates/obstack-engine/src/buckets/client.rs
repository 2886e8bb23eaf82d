//! The client: makes, claims and proves buckets.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::StorageError;
use super::access::{self, Access, Deadlines};
use super::failure::{Attempt, Failure};
use super::marker::Claim;

/// Beginning of the keys that are the operator's, where the caller names no other.
const RESERVED: &str = "obstack-";

/// What may be done to get a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Make the bucket if it is missing.
    pub create: bool,
    /// Claim a bucket that exists and that nobody has claimed.
    pub adopt: bool,
}

/// How a bucket was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was made just now.
    Created,
    /// It was there.
    Existed,
}

/// Speaks to one object store. Cheap to clone. Its `Debug` form shows neither key.
#[derive(Clone)]
pub struct Client {
    s3: aws_sdk_s3::Client,
    place: Arc<Place>,
    reserved: Arc<str>,
}

#[derive(Debug)]
struct Place {
    endpoint: String,
    region: String,
    operation_deadline: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for `access`. Sends nothing; fails when the endpoint or the certificate authority cannot be used.
    pub fn new(access: &Access) -> Result<Self, StorageError> {
        Self::with_deadlines(access, Deadlines::DEFAULT)
    }

    pub(super) fn with_deadlines(access: &Access, deadlines: Deadlines) -> Result<Self, StorageError> {
        Ok(Self {
            s3: access::sdk_client(access, deadlines)?,
            place: Arc::new(Place {
                endpoint: access.endpoint.clone(),
                region: access.region.clone(),
                operation_deadline: deadlines.operation,
            }),
            reserved: RESERVED.into(),
        })
    }

    /// The same client with another beginning for the keys that are the operator's: where the backend that owns a
    /// bucket takes what stands at its root for tenants, the operator must write where it does not look.
    #[must_use]
    pub fn reserving(&self, keys: &str) -> Self {
        Self { reserved: keys.into(), ..self.clone() }
    }

    /// A key of the operator's.
    pub(super) fn reserved(&self, name: &str) -> String {
        format!("{}{name}", self.reserved)
    }

    /// Sees to it that `bucket` exists and is claimed by `owner`, as far as `policy` allows.
    ///
    /// `owner` names the stack, as `namespace/name`: two clusters that share a store need different prefixes. Safe to repeat at any time, and
    /// after a crash at any point but one: a bucket made but not yet claimed looks like anybody's, and is taken only
    /// with `adopt`.
    pub async fn ensure(&self, bucket: &str, owner: &str, policy: Policy) -> Result<Ensured, StorageError> {
        self.check_name(bucket)?;
        if self.exists(bucket).await? {
            return match self.claim(bucket, owner).await? {
                Claim::Ours => Ok(Ensured::Existed),
                Claim::Other(other) => Err(self.owned_by_other(bucket, other)),
                Claim::None if policy.adopt => {
                    self.make_claim(bucket, owner).await?;
                    tracing::info!(bucket, endpoint = self.endpoint(), "claimed a bucket that existed");
                    Ok(Ensured::Existed)
                }
                Claim::None => Err(StorageError::BucketExists {
                    endpoint: self.endpoint().to_owned(),
                    bucket: bucket.to_owned(),
                }),
            };
        }
        if !policy.create {
            return Err(StorageError::NoSuchBucket {
                endpoint: self.endpoint().to_owned(),
                bucket: bucket.to_owned(),
            });
        }
        self.create(bucket).await?;
        self.make_claim(bucket, owner).await?;
        tracing::info!(bucket, endpoint = self.endpoint(), "made a bucket");
        Ok(Ensured::Created)
    }

    /// Proves that objects can be written, read back and deleted in `bucket`: one small object at
    /// `<reserved>probe-<name>`. `name` must differ between callers that run at the same time.
    pub async fn probe(&self, bucket: &str, name: &str) -> Result<(), StorageError> {
        self.check_name(bucket)?;
        let key = self.reserved(&format!("probe-{name}"));
        let written = format!("obstack probe {name}\n").into_bytes();
        self.s3
            .put_object()
            .bucket(bucket)
            .key(&key)
            .body(ByteStream::from(written.clone()))
            .send()
            .await
            .map_err(|error| self.attempt(bucket, "PutObject").error(&error))?;
        let read = self.read(self.attempt(bucket, "GetObject"), &key, written.len()).await;
        // Whatever the read gave, do not leave the object behind.
        let deleted = self.s3.delete_object().bucket(bucket).key(&key).send().await;
        if read?.as_deref() != Some(written.as_slice()) {
            return Err(StorageError::ProbeMismatch {
                endpoint: self.endpoint().to_owned(),
                bucket: bucket.to_owned(),
            });
        }
        deleted.map_err(|error| self.attempt(bucket, "DeleteObject").error(&error))?;
        Ok(())
    }

    /// Whether the bucket exists, for all that these keys may see.
    async fn exists(&self, bucket: &str) -> Result<bool, StorageError> {
        let attempt = self.attempt(bucket, "HeadBucket");
        let Err(error) = self.s3.head_bucket().bucket(bucket).send().await else { return Ok(true) };
        let missing = match attempt.failure(&error) {
            // An answer to HEAD has no body, so an unknown key, a wrong one and a missing right look the same: 403,
            // and with VersityGW an unknown key looks like a missing bucket. A list of at most one key has a code.
            Failure::Answer(answer) if answer.status < 500 => answer.status == 404,
            Failure::Answer(answer) => return Err(attempt.answered(&answer)),
            Failure::Other(error) => return Err(error),
        };
        let attempt = self.attempt(bucket, "ListObjectsV2");
        match self.s3.list_objects_v2().bucket(bucket).max_keys(1).send().await {
            Ok(_) => Ok(true),
            Err(error) => match attempt.failure(&error) {
                Failure::Answer(answer) => match answer.code.as_deref() {
                    Some("NoSuchBucket") => Ok(false),
                    // These keys may not list, and HEAD was plain enough.
                    Some("AccessDenied") if missing => Ok(false),
                    _ => Err(attempt.answered(&answer)),
                },
                Failure::Other(error) => Err(error),
            },
        }
    }

    /// Makes a bucket that a moment ago did not exist.
    async fn create(&self, bucket: &str) -> Result<(), StorageError> {
        let attempt = self.attempt(bucket, "CreateBucket");
        let mut request = self.s3.create_bucket().bucket(bucket);
        // AWS wants every region named but this one, which it refuses to see named.
        if self.place.region != "us-east-1" {
            request = request.create_bucket_configuration(
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(self.place.region.as_str()))
                    .build(),
            );
        }
        let Err(error) = request.send().await else { return Ok(()) };
        match attempt.failure(&error) {
            // Our own request, sent again after a lost answer, or another operator with the same keys: the bucket
            // is minutes younger than anybody's data, and the claim decides whose it is.
            Failure::Answer(answer) if answer.code.as_deref() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Failure::Answer(answer) => Err(attempt.answered(&answer)),
            Failure::Other(error) => Err(error),
        }
    }

    /// The object's bytes, cut off right after `limit`; `None` when there is no such object.
    pub(super) async fn read(
        &self,
        attempt: Attempt<'_>,
        key: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let mut body = match self.s3.get_object().bucket(attempt.bucket).key(key).send().await {
            Ok(object) => object.body,
            Err(error) => {
                return match attempt.failure(&error) {
                    Failure::Answer(answer) if answer.code.as_deref() == Some("NoSuchKey") => Ok(None),
                    Failure::Answer(answer) => Err(attempt.answered(&answer)),
                    Failure::Other(error) => Err(error),
                };
            }
        };
        // The SDK's deadline ends with the headers.
        let bytes = tokio::time::timeout(attempt.deadline, async {
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() > limit {
                    break;
                }
            }
            Ok::<_, aws_sdk_s3::primitives::ByteStreamError>(bytes)
        })
        .await
        .map_err(|_| attempt.timed_out())?
        .map_err(|error| attempt.broken(Some(&error)))?;
        Ok(Some(bytes))
    }

    /// Refuses what is no bucket name, before it becomes part of a URL. Servers have rules beyond these.
    fn check_name(&self, bucket: &str) -> Result<(), StorageError> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = bucket.as_bytes();
        let valid = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|&b| alphanumeric(b) || b == b'-' || b == b'.')
            && bytes.first().is_some_and(|&b| alphanumeric(b))
            && bytes.last().is_some_and(|&b| alphanumeric(b))
            && !bucket.contains("..")
            // The SDK speaks another protocol to directory buckets.
            && !bucket.ends_with("--x-s3");
        if valid {
            Ok(())
        } else {
            Err(StorageError::InvalidBucketName {
                endpoint: self.endpoint().to_owned(),
                bucket: bucket.chars().take(80).collect(),
            })
        }
    }

    pub(super) fn attempt<'a>(&'a self, bucket: &'a str, operation: &'static str) -> Attempt<'a> {
        Attempt { endpoint: self.endpoint(), bucket, operation, deadline: self.place.operation_deadline }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.place.endpoint
    }

    pub(super) fn s3(&self) -> &aws_sdk_s3::Client {
        &self.s3
    }
}
