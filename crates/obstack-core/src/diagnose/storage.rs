//! Faults of the object store, which look different on each backend: Tempo ends again and again, Mimir runs and is
//! never ready. The cause is one, and is named once.

use std::collections::BTreeMap;

use obstack_api::Reason;

use super::{Cause, Found, Scene, order, words};
use crate::conclude::Fault;

/// What Mimir's sanity check (`pkg/mimir/sanity_check.go`) and Tempo's client (`tempodb/backend/s3/s3.go`) write in
/// front of an error of the object store.
const ABOUT_STORAGE: &[&str] = &[
    "unable to successfully connect to configured object storage",
    "unable to successfully send a request to object storage",
    "unexpected error from listobjects on",
];

/// What Tempo writes in front of an error of its store (`cmd/tempo/app/modules.go`), which is a bucket and a folder for
/// the write-ahead log (`tempodb/tempodb.go`): alone it accuses neither.
const ABOUT_STORE: &str = "failed to create store";

/// What the object store answers, and what it means; the first that fits counts. `minio-go` writes the text of an S3
/// error, other clients its code.
const ANSWERS: &[(&str, Reason)] = &[
    ("request signature we calculated does not match", Reason::SignatureRejected),
    ("signaturedoesnotmatch", Reason::SignatureRejected),
    ("access key id you provided does not exist", Reason::AccessKeyRejected),
    ("invalidaccesskeyid", Reason::AccessKeyRejected),
    ("specified bucket does not exist", Reason::BucketMissing),
    ("nosuchbucket", Reason::BucketMissing),
    ("access denied", Reason::AccessDenied),
    ("accessdenied", Reason::AccessDenied),
    ("allaccessdisabled", Reason::AccessDenied),
];

/// What the network and TLS say where the object store does not answer, and what it means.
const NO_ANSWER: &[(&str, Reason)] = &[
    ("x509: ", Reason::TLSVerificationFailed),
    ("tls: ", Reason::TLSVerificationFailed),
    ("connection refused", Reason::StorageUnreachable),
    ("connection reset", Reason::StorageUnreachable),
    ("no such host", Reason::StorageUnreachable),
    ("server misbehaving", Reason::StorageUnreachable),
    ("i/o timeout", Reason::StorageUnreachable),
    ("deadline exceeded", Reason::StorageUnreachable),
    ("timeout awaiting", Reason::StorageUnreachable),
    ("no route to host", Reason::StorageUnreachable),
    ("network is unreachable", Reason::StorageUnreachable),
    (": eof", Reason::StorageUnreachable),
    ("unexpected eof", Reason::StorageUnreachable),
];

/// Whether a component starts only when a bucket answers, by what it and the bucket's purpose are called (Mimir's
/// `checkObjectStoresConfig`; every Tempo process but the distributor has a store).
fn needs(component: &str, purpose: &str) -> bool {
    let (Some((signal, role)), Some((of, what))) = (component.split_once('.'), purpose.split_once('.'))
    else {
        return false;
    };
    signal == of
        && match (signal, role) {
            ("metrics", "queryFrontend" | "queryScheduler" | "overridesExporter")
            | (_, "distributor" | "gateway") => false,
            (_, "alertmanager") => what == "alertmanager",
            (_, "ruler") => what != "alertmanager",
            _ => what == "blocks",
        }
}

/// The fault that the operator's own probe found in a bucket that the component needs.
pub(super) fn by_probe(scene: &Scene<'_>) -> Option<Cause> {
    let needed = scene.storage.iter().filter(|bucket| needs(&scene.component.name, &bucket.purpose));
    let (reason, fault) = needed.filter_map(|bucket| bucket.fault.as_ref()).find_map(|fault| {
        let reason = match fault.reason {
            Reason::EndpointUnreachable => Reason::StorageUnreachable,
            Reason::NoSuchBucket => Reason::BucketMissing,
            Reason::TLSVerificationFailed
            | Reason::AccessKeyRejected
            | Reason::SignatureRejected
            | Reason::AccessDenied
            | Reason::StorageFailed => fault.reason,
            // What is left is about making and claiming buckets, which pods do not do.
            _ => return None,
        };
        Some((reason, fault))
    })?;
    let fault = without_fix(reason, fault);
    let message = format!("it waits for the object store: {fault}");
    Some(Cause { fault: Some(fault), ..Cause::new(reason, message) })
}

/// The probe's words without what to do, where the reason says the same.
fn without_fix(reason: Reason, fault: &Fault) -> String {
    let general = !matches!(reason, Reason::AccessDenied | Reason::StorageFailed);
    let text =
        fault.message.split_once("; ").filter(|_| general).map_or(fault.message.as_str(), |(what, _)| what);
    words::quote_endpoint(text)
}

/// The fault of the object store that a container's last words tell of.
pub(super) fn by_words(scene: &Scene<'_>, said: &str) -> Option<Cause> {
    let words = said.lines().rev().find_map(about_storage).filter(|_| !words::is_panic(said))?;
    if let Some(known) = by_probe(scene) {
        return Some(known);
    }
    let lower = words.to_lowercase();
    let meaning = ANSWERS.iter().chain(NO_ANSWER).find(|(mark, _)| lower.contains(mark));
    let reason = meaning.map_or(Reason::StorageFailed, |(_, reason)| *reason);
    let buckets = scene.storage.iter().filter(|bucket| needs(&scene.component.name, &bucket.purpose));
    let faults: Vec<_> = buckets.map(|bucket| &bucket.fault).collect();
    let passes = !faults.is_empty() && faults.iter().all(|fault| fault.is_none());
    let beside = if passes { "; the operator's own probe of its bucket passes" } else { "" };
    let message = format!("its object store does not let it start: {words}{beside}");
    Some(Cause { fault: Some(words), ..Cause::new(reason, message) })
}

/// What a line of a log says of the object store, without what stands around it. A process that is told to stop while
/// it tries says nothing of the object store.
fn about_storage(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    let start = ABOUT_STORAGE.iter().filter_map(|mark| lower.rfind(mark)).max();
    let start = start
        .or_else(|| lower.rfind(ABOUT_STORE).filter(|start| lower.get(*start..).is_some_and(is_of_bucket)))?;
    let words = line.get(start..)?.replace("\\\"", "\"");
    let ended = words.strip_suffix('"').filter(|words| words.matches('"').count() % 2 == 0);
    (!lower.contains("context canceled")).then(|| words::quote_endpoint(ended.unwrap_or(&words)))
}

/// The object store answered, or did not answer a request: nothing else of a store is asked by URL.
fn is_of_bucket(words: &str) -> bool {
    let has = |(mark, _): &(&str, Reason)| words.contains(mark);
    ANSWERS.iter().any(has) || (words.contains("://") && NO_ANSWER.iter().any(has))
}

/// Has one component tell of each fault, the one that most waits for; the others say that they wait with it.
pub(super) fn name_once(found: &mut [Found<'_>]) {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|index| found.get(*index).map(|found| order::importance(found.component)));
    let mut told: BTreeMap<(Reason, String), String> = BTreeMap::new();
    for index in order {
        let Some(Found { component, cause: Some(cause), .. }) = found.get_mut(index) else { continue };
        let Some(fault) = &cause.fault else { continue };
        // A stack has one object store and one pair of keys: what is said of them is the same for each bucket.
        let of_bucket =
            matches!(cause.reason, Reason::BucketMissing | Reason::AccessDenied | Reason::StorageFailed);
        let key = (cause.reason, if of_bucket { fault.clone() } else { String::new() });
        match told.get(&key) {
            Some(first) => cause.what = format!("it waits for the object store, as {first} does"),
            None => _ = told.insert(key, component.name.clone()),
        }
    }
}
