//! The object store: its URL and the Secrets that hold its keys.

use std::collections::BTreeMap;

use obstack_api::{ObjectStorage, Reason};

use crate::{
    facts::SecretFacts,
    valid::{SecretKey, Storage},
    violation::Violation,
};

/// Checks the object store's block. `None` when a fault leaves nothing to go on with.
pub(super) fn validate(
    spec: &ObjectStorage,
    secrets: &BTreeMap<String, SecretFacts>,
    faults: &mut Vec<Violation>,
) -> Option<Storage> {
    let endpoint = endpoint(&spec.endpoint, faults);
    let reference = &spec.credentials.secret_ref;
    let field = "spec.objectStorage.credentials.secretRef";
    let access_key = secret_key(field, &reference.name, reference.access_key_field(), secrets, faults);
    let secret = secret_key(field, &reference.name, reference.secret_key_field(), secrets, faults);
    let ca = spec.ca_secret_ref.as_ref().map(|ca| {
        secret_key("spec.objectStorage.caSecretRef", &ca.name, ca.key(), secrets, faults)
    });
    let (tls, host) = endpoint?;
    // Credentials and authority together: the pods read both only when they start.
    let hash_of = |name: &str| secrets.get(name).map(|found| found.hash.as_str()).unwrap_or_default();
    let ca_hash = spec.ca_secret_ref.as_ref().map(|ca| hash_of(&ca.name)).unwrap_or_default();
    Some(Storage {
        endpoint: spec.endpoint.trim_end_matches('/').to_owned(),
        host,
        tls,
        region: spec.region.clone().unwrap_or_else(|| "us-east-1".into()),
        path_style: spec.force_path_style.unwrap_or(true),
        ca: ca.flatten(),
        access_key: access_key?,
        secret_key: secret?,
        credentials_hash: crate::hash::short(&format!("{}{ca_hash}", hash_of(&reference.name)), 16),
        create: spec.buckets.create.unwrap_or(true),
        adopt: spec.buckets.adopt_existing.unwrap_or(true),
    })
}

/// Scheme (`https` or not) and `host:port` of a URL that has nothing else.
fn endpoint(url: &str, faults: &mut Vec<Violation>) -> Option<(bool, String)> {
    let field = "spec.objectStorage.endpoint";
    let mut refuse = |what: &str| {
        let message = format!("`{url}` {what}; write http://host:port or https://host:port");
        faults.push(Violation::new(Reason::InvalidEndpoint, field, message));
        None
    };
    let Some((scheme, rest)) = url.split_once("://") else { return refuse("has no scheme") };
    let tls = match scheme {
        "http" => false,
        "https" => true,
        _ => return refuse("is neither http nor https"),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.contains('/') {
        return refuse("has a path, which the S3 API of the backends cannot take");
    }
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) || host.starts_with(':') {
        return refuse("has no plain host");
    }
    match host.rsplit_once(':') {
        Some((_, port)) if !host.ends_with(']') && port.parse::<u16>().is_err() => refuse("has a port that is no number"),
        _ => Some((tls, host.to_owned())),
    }
}

fn secret_key(
    field: &str,
    name: &str,
    key: &str,
    secrets: &BTreeMap<String, SecretFacts>,
    faults: &mut Vec<Violation>,
) -> Option<SecretKey> {
    let Some(found) = secrets.get(name) else {
        let missing = Violation::new(
            Reason::SecretMissing,
            field,
            format!("Secret {name} with key {key} does not exist in the stack's namespace; create it, the stack goes on by itself"),
        );
        // Two keys of one missing Secret are one fault.
        if !faults.iter().any(|fault| fault.reason == Reason::SecretMissing && fault.field == field) {
            faults.push(missing);
        }
        return None;
    };
    if !found.keys.iter().any(|present| present == key) {
        faults.push(Violation::new(
            Reason::SecretKeyMissing,
            field,
            format!("Secret {name} has no key {key}, or it is empty; set it, the stack goes on by itself"),
        ));
        return None;
    }
    Some(SecretKey { name: name.to_owned(), key: key.to_owned() })
}
