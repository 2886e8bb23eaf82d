//! The claim of a stack on a bucket: an object that names it.

use aws_sdk_s3::primitives::ByteStream;

use super::StorageError;
use super::client::Client;
use super::failure::Failure;

/// A longer object is not a claim of ours, in bytes.
const OWNER_LIMIT: usize = 1024;

/// Who has a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody says so.
    None,
    /// This stack.
    Ours,
    /// Somebody else, in words fit for a message.
    Other(String),
}

impl Client {
    /// Who has the bucket.
    pub(super) async fn claim(&self, bucket: &str, owner: &str) -> Result<Claim, StorageError> {
        let attempt = self.attempt(bucket, "GetObject");
        Ok(match self.read(attempt, &self.reserved("owner"), OWNER_LIMIT).await? {
            None => Claim::None,
            Some(bytes) if bytes.trim_ascii() == owner.trim().as_bytes() => Claim::Ours,
            Some(bytes) => Claim::Other(readable(&bytes)),
        })
    }

    /// Claims a bucket that nobody claims. Of two stacks that try at once, one gets an error.
    pub(super) async fn make_claim(&self, bucket: &str, owner: &str) -> Result<(), StorageError> {
        let attempt = self.attempt(bucket, "PutObject");
        let put = || {
            let body = ByteStream::from(owner.trim().as_bytes().to_vec());
            self.s3()
                .put_object()
                .bucket(bucket)
                .key(self.reserved("owner"))
                .content_type("text/plain")
                .body(body)
        };
        let Err(error) = put().if_none_match("*").send().await else { return Ok(()) };
        match attempt.failure(&error) {
            // 412: there is a claim by now. 409: another one is being written at this moment.
            // Our own put, sent again after a lost answer, ends here too.
            Failure::Answer(answer) if matches!(answer.status, 409 | 412) => {
                self.confirm(bucket, owner).await
            }
            // No conditional writes there: look, write, and look again. Two that try at the same moment may both
            // pass, and the one that was overwritten learns it at its next look.
            Failure::Answer(answer) if answer.status == 501 => {
                if self.claim(bucket, owner).await? == Claim::None {
                    put().send().await.map_err(|error| attempt.error(&error))?;
                }
                self.confirm(bucket, owner).await
            }
            Failure::Answer(answer) => Err(attempt.answered(&answer)),
            Failure::Other(error) => Err(error),
        }
    }

    /// The claim must be ours.
    async fn confirm(&self, bucket: &str, owner: &str) -> Result<(), StorageError> {
        match self.claim(bucket, owner).await? {
            Claim::Ours => Ok(()),
            Claim::Other(other) => Err(self.owned_by_other(bucket, other)),
            Claim::None => {
                Err(self.owned_by_other(bucket, "a stack that is claiming it at this moment".to_owned()))
            }
        }
    }

    /// The error for a bucket of somebody else.
    pub(super) fn owned_by_other(&self, bucket: &str, owner: String) -> StorageError {
        StorageError::BucketOwnedByOther {
            endpoint: self.endpoint().to_owned(),
            bucket: bucket.to_owned(),
            owner,
        }
    }
}

/// A claim as text for a message. Others may have written it, so only what an identity is made of is shown.
fn readable(bytes: &[u8]) -> String {
    let bytes = bytes.trim_ascii();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./: ".contains(b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.len() <= 300 && bytes.iter().all(plain) => {
            format!("stack {text}")
        }
        _ => "somebody whose claim cannot be read".to_owned(),
    }
}
