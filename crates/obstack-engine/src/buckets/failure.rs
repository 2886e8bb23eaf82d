//! From what the SDK says to what a person can act on.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::StorageError;

/// What was tried, where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    pub(super) endpoint: &'a str,
    pub(super) bucket: &'a str,
    /// Name of the S3 operation, which is also its permission but for HEAD and the lists.
    pub(super) operation: &'static str,
    pub(super) deadline: Duration,
}

/// An error answer of the server, as far as it can be trusted: nothing of its body but a plain code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) code: Option<String>,
}

/// An operation that failed: an error answer, or no answer.
pub(super) enum Failure {
    Answer(Answer),
    Other(StorageError),
}

impl Attempt<'_> {
    /// Reads an SDK error.
    pub(super) fn failure<E>(&self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(service) => Failure::Answer(Answer {
                status: service.raw().status().as_u16(),
                code: service.err().code().and_then(plain_code),
            }),
            SdkError::ResponseError(response) => {
                Failure::Answer(Answer { status: response.raw().status().as_u16(), code: None })
            }
            SdkError::TimeoutError(_) => Failure::Other(self.timed_out()),
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Failure::Other(self.timed_out()),
            SdkError::DispatchFailure(dispatch) => Failure::Other(
                self.broken(dispatch.as_connector_error().map(|error| error as &(dyn Error + 'static))),
            ),
            _ => Failure::Answer(Answer { status: 0, code: None }),
        }
    }

    /// Reads an SDK error where no answer has a meaning of its own.
    pub(super) fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> StorageError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self.failure(error) {
            Failure::Answer(answer) => self.answered(&answer),
            Failure::Other(error) => error,
        }
    }

    /// What an error answer means.
    pub(super) fn answered(&self, answer: &Answer) -> StorageError {
        let (endpoint, bucket) = (self.endpoint.to_owned(), self.bucket.to_owned());
        let operation = self.operation;
        match (answer.code.as_deref(), answer.status) {
            // The second one is VersityGW's, with 404.
            (Some("InvalidAccessKeyId" | "XAdminUserNotFound"), _) => {
                StorageError::AccessKeyRejected { endpoint, operation }
            }
            (Some("SignatureDoesNotMatch"), _) => StorageError::SignatureRejected { endpoint, operation },
            (Some("NoSuchBucket"), _) => StorageError::NoSuchBucket { endpoint, bucket },
            (Some("InvalidBucketName"), _) => StorageError::InvalidBucketName { endpoint, bucket },
            (Some("BucketAlreadyExists"), _) => {
                StorageError::BucketOwnedByOther { endpoint, bucket, owner: "another account".to_owned() }
            }
            (Some("AccessDenied" | "AllAccessDisabled"), _) | (None, 401 | 403) => {
                StorageError::AccessDenied { permission: self.permission(), endpoint, bucket, operation }
            }
            (code, status) => StorageError::Failed {
                endpoint,
                bucket,
                operation,
                code: code.unwrap_or("none").to_owned(),
                status,
                fix: fix(code, status),
            },
        }
    }

    /// The deadline passed.
    pub(super) fn timed_out(&self) -> StorageError {
        StorageError::TimedOut {
            endpoint: self.endpoint.to_owned(),
            operation: self.operation,
            milliseconds: self.deadline.as_millis(),
        }
    }

    /// The connection could not be made, or broke: by TLS, or by the network.
    pub(super) fn broken(&self, error: Option<&(dyn Error + 'static)>) -> StorageError {
        let (endpoint, operation) = (self.endpoint.to_owned(), self.operation);
        let cause = error.map_or_else(Cause::default, Cause::of);
        if cause.tls {
            StorageError::TlsVerificationFailed { endpoint, operation, detail: cause.text }
        } else {
            StorageError::EndpointUnreachable { endpoint, operation, detail: cause.text }
        }
    }

    /// The permission that a policy has to grant.
    fn permission(&self) -> String {
        let bucket = self.bucket;
        match self.operation {
            "HeadBucket" | "ListObjectsV2" => format!("s3:ListBucket on {bucket}"),
            "CreateBucket" => format!("s3:CreateBucket on {bucket}, or make the bucket beforehand"),
            operation => format!("s3:{operation} on {bucket}/*"),
        }
    }
}

/// The innermost error of a chain, and whether it is TLS that refused.
#[derive(Debug)]
struct Cause {
    tls: bool,
    text: String,
}

impl Default for Cause {
    fn default() -> Self {
        Self { tls: false, text: "the connection failed".to_owned() }
    }
}

impl Cause {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let (mut tls, mut last) = (false, error);
        // `io::Error::source` skips the error it wraps, so step into it by hand. Bounded, in case of a loop.
        for _ in 0..32 {
            tls |= last.to_string().starts_with("TLS handshake failed");
            let next = match last.downcast_ref::<std::io::Error>() {
                Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
                None => last.source(),
            };
            match next {
                Some(next) => last = next,
                None => break,
            }
        }
        // A connection that breaks in the middle of a handshake is the network's fault, not the certificate's.
        let network = last.is::<std::io::Error>();
        let text: String = last.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        // A store that goes away ends connections in several ways, by chance. Told apart, each would be news.
        let text = if is_closed(last, &text) { CLOSED.to_owned() } else { text };
        Self { tls: tls && !network, text }
    }
}

const CLOSED: &str = "the connection was closed before the answer";

/// Whether the other side ended the connection, by the network's word or by hyper's.
fn is_closed(error: &(dyn Error + 'static), text: &str) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let network = matches!(
        kind,
        Some(
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
        )
    );
    network || text.starts_with("connection closed") || text.contains("os error 104")
}

/// A code is shown only if it looks like one: it is the server's text.
fn plain_code(code: &str) -> Option<String> {
    let plain = !code.is_empty() && code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

/// What to do about an answer that has no reason of its own.
fn fix(code: Option<&str>, status: u16) -> &'static str {
    match (code, status) {
        (Some("RequestTimeTooSkewed"), _) => "set the clocks of the operator's node and of the S3 service",
        (
            Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException"),
            _,
        )
        | (_, 301 | 307) => "check spec.objectStorage.region, and that the endpoint serves that region",
        (Some("QuotaExceeded" | "XMinioStorageFull" | "TooManyBuckets"), _) | (_, 507) => {
            "the S3 service is full; make room or raise its limit"
        }
        (Some("NotImplemented"), _) | (_, 405 | 501) => "does the endpoint serve the whole S3 API?",
        (_, 500..) => "the S3 service is in trouble; look at its log, the operator tries again",
        (None, _) => "is the endpoint an S3 API?",
        _ => "look the code up in the S3 service's documentation and log",
    }
}
