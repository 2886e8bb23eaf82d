//! Bucket names: allowed by S3, each used once, claimed by nobody else.

use std::collections::BTreeMap;

use obstack_api::{BucketOverride, Reason, StackSpec};

use crate::{
    backends::Backend,
    facts::BucketClaim,
    names::StackKey,
    valid::{Bucket, Storage, ValidBackend},
    violation::Violation,
};

/// The buckets of all backends, checked.
pub(super) fn collect(
    backends: &[ValidBackend],
    storage: &Storage,
    claims: &BTreeMap<BucketClaim, StackKey>,
    faults: &mut Vec<Violation>,
) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for backend in backends {
        let signal = backend.backend.signal();
        for (purpose, name) in &backend.buckets {
            let field = format!("spec.{signal}.buckets.{purpose}.name");
            let purpose = format!("{signal}.{purpose}");
            if let Err(why) = allowed(name) {
                faults.push(Violation::new(Reason::InvalidBucketName, field, format!("`{name}` {why}")));
            } else if let Some(other) = buckets.iter().find(|bucket| bucket.name == *name) {
                let message = format!(
                    "bucket {name} is already used for {}; give each purpose its own bucket",
                    other.purpose
                );
                faults.push(Violation::new(Reason::BucketConflict, field, message));
            } else if let Some(owner) = claimed(name, storage, claims) {
                let message = format!(
                    "bucket {name} belongs to the older stack {owner}; use another environment, prefix or bucket name"
                );
                faults.push(Violation::new(Reason::BucketConflict, field, message));
            } else {
                buckets.push(Bucket {
                    name: name.clone(),
                    purpose,
                    reserved_keys: backend.backend.reserved_keys(),
                });
            }
        }
    }
    buckets
}

fn claimed<'a>(
    bucket: &str,
    storage: &Storage,
    claims: &'a BTreeMap<BucketClaim, StackKey>,
) -> Option<&'a StackKey> {
    claims.get(&BucketClaim { endpoint: storage.endpoint.clone(), bucket: bucket.to_owned() })
}

/// The buckets that a stack claims, whether or not its spec is valid.
pub fn claims(spec: &StackSpec) -> Vec<BucketClaim> {
    let endpoint = spec.object_storage.endpoint.trim_end_matches('/');
    let named = |backend, purpose, over: Option<&BucketOverride>| BucketClaim {
        endpoint: endpoint.to_owned(),
        bucket: name_of(spec, backend, purpose, over),
    };
    let mut claims = Vec::new();
    if let Some(traces) = &spec.traces {
        let buckets = traces.buckets.clone().unwrap_or_default();
        claims.push(named(Backend::Tempo, "blocks", buckets.blocks.as_ref()));
    }
    if let Some(metrics) = &spec.metrics {
        let buckets = metrics.buckets.clone().unwrap_or_default();
        for (purpose, over) in
            [("blocks", buckets.blocks), ("ruler", buckets.ruler), ("alertmanager", buckets.alertmanager)]
        {
            claims.push(named(Backend::Mimir, purpose, over.as_ref()));
        }
    }
    claims
}

/// Name of a bucket: the given one, or `{prefix}-{signal}-{environment}-{purpose}`.
pub(super) fn name_of(
    spec: &StackSpec,
    backend: Backend,
    purpose: &str,
    over: Option<&BucketOverride>,
) -> String {
    over.and_then(|over| over.name.clone()).unwrap_or_else(|| {
        format!("{}-{}-{}-{purpose}", spec.object_storage.buckets.prefix, backend.signal(), spec.environment)
    })
}

/// The rules of S3 for general purpose buckets ("Bucket naming rules" of Amazon's guide), which SeaweedFS keeps too.
fn allowed(name: &str) -> Result<(), &'static str> {
    if !(3..=63).contains(&name.len()) {
        return Err("has not 3 to 63 characters; shorten the prefix or the environment");
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.') {
        return Err("has other characters than a-z, 0-9, - and .");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !name.ends_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err("must begin and end with a letter or a digit");
    }
    if name.contains("..") || name.contains(".-") || name.contains("-.") {
        return Err("has a dot beside another dot or a dash");
    }
    if name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return Err("looks like an IP address");
    }
    if name.starts_with("xn--") || name.ends_with("-s3alias") || name.ends_with("--ol-s3") {
        return Err("has a prefix or suffix that S3 keeps for itself");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for name in ["dts-traces-dev-blocks", "a.b-c", "abc", &"x".repeat(63)] {
            assert!(allowed(name).is_ok(), "{name}");
        }
        for name in ["b2", "Dts", "a_b", "-ab", "ab-", "a..b", "a.-b", "10.0.0.1", "xn--a", &"x".repeat(64)] {
            assert!(allowed(name).is_err(), "{name}");
        }
    }
}
