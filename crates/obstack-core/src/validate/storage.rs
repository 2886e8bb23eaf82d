//! The object store: its URL and the Secrets that hold its keys.

use std::collections::BTreeMap;

use obstack_api::{ObjectStorage, Reason};

use crate::{
    facts::SecretFacts,
    valid::{SecretKey, Storage},
    violation::Violation,
};

/// Checks the object store's block. With a fault the result is what was asked for, so that the rest of the spec can
/// be checked.
pub(super) fn validate(
    spec: &ObjectStorage,
    secrets: &BTreeMap<String, SecretFacts>,
    faults: &mut Vec<Violation>,
) -> Storage {
    let (tls, host) = endpoint(&spec.endpoint, faults);
    let reference = &spec.credentials.secret_ref;
    let field = "spec.objectStorage.credentials.secretRef";
    let access_key = secret_key(field, &reference.name, reference.access_key_field(), secrets, faults);
    let secret = secret_key(field, &reference.name, reference.secret_key_field(), secrets, faults);
    let ca = spec
        .ca_secret_ref
        .as_ref()
        .map(|ca| secret_key("spec.objectStorage.caSecretRef", &ca.name, ca.key(), secrets, faults));
    // Credentials and authority together: the pods read both only when they start.
    let hash_of = |name: &str| secrets.get(name).map(|found| found.hash.as_str()).unwrap_or_default();
    let ca_hash = spec.ca_secret_ref.as_ref().map(|ca| hash_of(&ca.name)).unwrap_or_default();
    Storage {
        endpoint: spec.endpoint.trim_end_matches('/').to_owned(),
        host,
        tls,
        region: spec.region.clone().unwrap_or_else(|| "us-east-1".into()),
        path_style: spec.force_path_style.unwrap_or(true),
        ca,
        access_key,
        secret_key: secret,
        credentials_hash: crate::hash::short(&format!("{}{ca_hash}", hash_of(&reference.name)), 16),
        create: spec.buckets.create.unwrap_or(true),
        adopt: spec.buckets.adopt_existing.unwrap_or(true),
    }
}

/// Scheme (`https` or not) and `host:port` of a URL, which must have nothing else.
fn endpoint(url: &str, faults: &mut Vec<Violation>) -> (bool, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let no_port = |(_, port): (&str, &str)| !host.ends_with(']') && !is_port(port);
    let fault = if scheme.is_empty() {
        Some("has no scheme")
    } else if scheme != "http" && scheme != "https" {
        Some("is neither http nor https")
    } else if host.contains('/') {
        Some("has a path, which the S3 API of the backends cannot take")
    } else if host.is_empty() || host.contains(['@', '?', '#', ' ']) || host.starts_with(':') {
        Some("has no plain host")
    } else if host.rsplit_once(':').is_some_and(no_port) {
        Some("has a port that is no number from 1 to 65535")
    } else {
        None
    };
    if let Some(what) = fault {
        let message = format!("`{url}` {what}; write http://host:port or https://host:port");
        faults.push(Violation::new(Reason::InvalidEndpoint, "spec.objectStorage.endpoint", message));
    }
    (scheme == "https", host.to_owned())
}

/// Rust reads `+80` as a number too.
fn is_port(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn secret_key(
    field: &str,
    name: &str,
    key: &str,
    secrets: &BTreeMap<String, SecretFacts>,
    faults: &mut Vec<Violation>,
) -> SecretKey {
    let fault = match secrets.get(name) {
        None => Some((
            Reason::SecretMissing,
            format!(
                "Secret {name} with key {key} does not exist in the stack's namespace; create it, the stack goes on by itself"
            ),
        )),
        Some(found) if !found.keys.iter().any(|present| present == key) => Some((
            Reason::SecretKeyMissing,
            format!("Secret {name} has no key {key}, or it is empty; set it, the stack goes on by itself"),
        )),
        Some(_) => None,
    };
    if let Some((reason, message)) = fault {
        // Two keys of one missing Secret are one fault.
        let said = |before: &Violation| before.reason == Reason::SecretMissing && before.field == field;
        if !faults.iter().any(said) {
            faults.push(Violation::new(reason, field, message));
        }
    }
    SecretKey { name: name.to_owned(), key: key.to_owned() }
}
