//! Each bucket, by the operator's own probe with the pods' own keys. Nothing is made and nothing is claimed.

use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use obstack_api::ConditionType;
use obstack_core::valid::Bucket;
use obstack_engine::buckets::{Access, Client, Policy, StorageError};

use super::{
    check::{Check, Id, named},
    scene::Scene,
};
use crate::told::plural;

/// Nothing may be done to get a bucket.
const LOOK_ONLY: Policy = Policy { create: false, adopt: false };

/// The check of every bucket.
pub async fn probe(scene: &Scene) -> Vec<Check> {
    let (valid, _) = match scene.valid(Id::Probe) {
        Ok(valid) => valid,
        Err(check) => return vec![check],
    };
    let access = match &scene.access {
        Ok(access) => access,
        Err(why) => {
            let word = scene.last_word(ConditionType::StorageReady);
            return vec![Id::Probe.unknown(format!("{why}; {word}"))];
        }
    };
    let owner = scene.key.to_string();
    // The operator, and others who verify, may probe at the same time.
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("{}-{at}", scene.key.label());
    let one = async |bucket: &Bucket| (bucket.name.clone(), look(access, bucket, &owner, &name).await);
    let looks = join_all(valid.buckets.iter().map(one)).await;
    judge(looks, &access.endpoint, access.ca_pem.is_some(), &scene.last_word(ConditionType::StorageReady))
}

async fn look(access: &Access, bucket: &Bucket, owner: &str, name: &str) -> Result<(), StorageError> {
    let client = Client::new(access)?.reserving(bucket.reserved_keys);
    // Some object stores make a bucket for the first object that is put there.
    client.ensure(&bucket.name, owner, LOOK_ONLY).await?;
    client.probe(&bucket.name, name).await
}

/// What looks at buckets come to. From a laptop the name of a Service does not resolve, which says nothing of the
/// stack.
fn judge(
    looks: Vec<(String, Result<(), StorageError>)>,
    endpoint: &str,
    own_authority: bool,
    last_word: &str,
) -> Vec<Check> {
    let (mut good, mut bad, mut far) = (Vec::new(), Vec::new(), Vec::new());
    for (bucket, look) in looks {
        match look {
            Ok(()) => good.push(bucket),
            Err(error) if is_far(&error, own_authority) => far.push((bucket, error)),
            Err(error) => bad.push(Id::Probe.failed(said(&bucket, &error)).because(error.reason())),
        }
    }
    let mut checks = Vec::new();
    if !good.is_empty() {
        let verb = if good.len() == 1 { "takes, returns and deletes" } else { "take, return and delete" };
        let count = plural(good.len(), "bucket");
        checks.push(Id::Probe.passed(format!("{count} at {endpoint} {verb} an object: {}", named(good))));
    }
    checks.extend(bad);
    if let Some((_, first)) = far.first() {
        let why = first.to_string();
        let why = why.split_once("; ").map_or(why.as_str(), |(why, _)| why);
        let buckets = named(far.iter().map(|(bucket, _)| bucket.clone()));
        checks.push(
            Id::Probe
                .unknown(format!("{buckets}: not reachable from here ({why}); {last_word}"))
                .fix("run this where the pods' endpoint is reachable, such as in a pod of the cluster"),
        );
    }
    checks
}

/// Whether an error is about the way from here and not about the bucket. Without an authority of the stack's own the
/// roots of this machine decide about TLS, and the pods have others.
fn is_far(error: &StorageError, own_authority: bool) -> bool {
    match error {
        StorageError::EndpointUnreachable { .. } | StorageError::TimedOut { .. } => true,
        StorageError::TlsVerificationFailed { .. } => !own_authority,
        _ => false,
    }
}

/// Many messages name the bucket; of the others it stands before.
fn said(bucket: &str, error: &StorageError) -> String {
    let text = error.to_string();
    if text.contains(bucket) { text } else { format!("bucket {bucket}: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::verify::check::Outcome;

    const AT: &str = "http://s3.store.svc:8333";
    const WORD: &str = "the operator itself last said StorageReady=True: 2 buckets exist";

    fn results(looks: Vec<(&str, Result<(), StorageError>)>, ca: bool) -> Vec<(Outcome, String)> {
        let looks = looks.into_iter().map(|(name, look)| (name.to_owned(), look)).collect();
        judge(looks, AT, ca, WORD).into_iter().map(|check| (check.result, check.message)).collect()
    }

    #[test]
    fn what_cannot_be_reached_from_here_is_not_called_broken() {
        let gone = || StorageError::EndpointUnreachable {
            endpoint: AT.into(),
            operation: "HeadBucket",
            detail: "failed to lookup address information".into(),
        };
        let found = results(vec![("a", Err(gone())), ("b", Err(gone()))], false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Outcome::Unknown);
        assert!(
            found[0].1.starts_with("a, b: not reachable from here (HeadBucket at http://s3"),
            "{found:?}"
        );
        assert!(found[0].1.ends_with(WORD));
        let slow = StorageError::TimedOut { endpoint: AT.into(), operation: "PutObject", milliseconds: 5000 };
        assert_eq!(results(vec![("a", Err(slow))], false)[0].0, Outcome::Unknown);
    }

    #[test]
    fn what_the_store_refuses_fails() {
        let missing = StorageError::NoSuchBucket { endpoint: AT.into(), bucket: "b".into() };
        let found = results(vec![("a", Ok(())), ("b", Err(missing))], false);
        assert_eq!(
            found.iter().map(|(result, _)| *result).collect::<Vec<_>>(),
            [Outcome::Passed, Outcome::Failed]
        );
        let keys = StorageError::SignatureRejected { endpoint: AT.into(), operation: "ListObjectsV2" };
        let found = results(vec![("my-bucket", Err(keys))], false);
        assert!(found[0].1.starts_with("bucket my-bucket: ListObjectsV2"), "{found:?}");
    }

    #[test]
    fn tls_is_judged_only_by_the_stacks_own_authority() {
        let tls = || StorageError::TlsVerificationFailed {
            endpoint: "https://s3".into(),
            operation: "HeadBucket",
            detail: "UnknownIssuer".into(),
        };
        assert_eq!(results(vec![("a", Err(tls()))], false)[0].0, Outcome::Unknown);
        assert_eq!(results(vec![("a", Err(tls()))], true)[0].0, Outcome::Failed);
    }
}
