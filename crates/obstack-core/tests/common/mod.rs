//! What the tests share: stacks from YAML, the facts around them, and real renders.

#![allow(dead_code, reason = "every test binary uses its own part")]

pub mod hand;
pub mod helm;

use std::collections::BTreeMap;

use obstack_api::{ChartSource, ObservabilityStack};
use obstack_core::{
    facts::{Cluster, Facts, SecretFacts},
    valid::ValidStack,
    validate::validate,
};
use serde_json::Value;

/// A stack with both backends that says as little as it may.
pub const SMALL: &str = "
apiVersion: obstack.dev/v1alpha1
kind: ObservabilityStack
metadata: {name: dts-dev, namespace: ca7f8f-dev, uid: 0b5e}
spec:
  environment: dev
  objectStorage:
    provider: SeaweedFS
    endpoint: http://seaweedfs-dev-s3.ca7f8f-dev.svc:8333
    credentials: {secretRef: {name: dts-s3-dev}}
    buckets: {prefix: dts}
  traces: {mode: Monolithic}
  metrics: {}
";

/// YAML as JSON.
pub fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// [`SMALL`] with an overlay: maps are merged by key, null removes one (RFC 7396).
pub fn small_with(overlay: &str) -> ObservabilityStack {
    with(&yaml(SMALL), overlay)
}

/// A stack with an overlay.
pub fn with(stack: &Value, overlay: &str) -> ObservabilityStack {
    let mut merged = stack.clone();
    if !overlay.trim().is_empty() {
        json_patch::merge(&mut merged, &yaml(overlay));
    }
    serde_json::from_value(merged).unwrap_or_else(|error| panic!("{error}\n{overlay}"))
}

/// A sample as it is shipped.
pub fn sample(environment: &str) -> Value {
    let path = format!("{}/../../deploy/samples/{environment}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    yaml(&text)
}

/// A cluster in which all is well: every Secret that the stack names exists.
pub fn facts(stack: &ObservabilityStack) -> Facts {
    let storage = &stack.spec.object_storage;
    let reference = &storage.credentials.secret_ref;
    let keys = [reference.access_key_field(), reference.secret_key_field()].map(str::to_owned).to_vec();
    let mut secrets = BTreeMap::from([(reference.name.clone(), SecretFacts { keys, hash: "h1".into() })]);
    if let Some(ca) = &storage.ca_secret_ref {
        let entry = secrets.entry(ca.name.clone()).or_default();
        entry.keys.push(ca.key().to_owned());
    }
    Facts {
        cluster: Cluster { version: "1.36.3".into(), minor: 36, openshift: false },
        default_chart_source: ChartSource::Bundled,
        secrets,
        claimed_buckets: BTreeMap::new(),
        claimed_names: BTreeMap::new(),
    }
}

/// The stack, which must be valid.
pub fn valid(stack: &ObservabilityStack) -> ValidStack {
    valid_with(stack, &facts(stack))
}

/// The stack, which must be valid with these facts.
pub fn valid_with(stack: &ObservabilityStack, facts: &Facts) -> ValidStack {
    validate(stack, facts).unwrap_or_else(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("the stack is refused:\n{}", faults.join("\n"))
    })
}
