//! What is in a bucket, as far as one cheap request tells. For the canary.

use super::{StorageError, client::Client, failure::Failure};

impl Client {
    /// The first key below `prefix` and behind `after`.
    pub async fn first_key(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
    ) -> Result<Option<String>, StorageError> {
        let list = self.s3().list_objects_v2().bucket(bucket).prefix(prefix).start_after(after).max_keys(1);
        let answer =
            list.send().await.map_err(|error| self.attempt(bucket, "ListObjectsV2").error(&error))?;
        Ok(answer.contents().first().and_then(|object| object.key()).map(str::to_owned))
    }

    /// When an object was written, in seconds of the Unix epoch; `None` when there is none.
    pub async fn written_at(&self, bucket: &str, key: &str) -> Result<Option<i64>, StorageError> {
        let attempt = self.attempt(bucket, "HeadObject");
        match self.s3().head_object().bucket(bucket).key(key).send().await {
            Ok(object) => Ok(object.last_modified().map(aws_sdk_s3::primitives::DateTime::secs)),
            Err(error) => match attempt.failure(&error) {
                // An answer to HEAD has no body, so that a missing bucket looks the same.
                Failure::Answer(answer) if answer.status == 404 => Ok(None),
                Failure::Answer(answer) => Err(attempt.answered(&answer)),
                Failure::Other(error) => Err(error),
            },
        }
    }
}
