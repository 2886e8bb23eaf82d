//! Every value that we set is one that the upstream chart of that version knows. Helm takes unknown keys without a
//! word, so a misspelt one would simply do nothing.
//!
//! `testdata/upstream-keys/<chart>-<version>.keys.tsv` lists path, type and default of every key in `values.yaml`.

#![cfg(test)]

mod common;

use std::collections::BTreeMap;

use obstack_core::{
    backends::{Setting, values, values::Values},
    design::design,
    valid::ValidStack,
};
use serde_json::Value;

/// Keys that upstream's templates read and its `values.yaml` does not list, and where that is written. `*` is any one
/// key; what stands below a path is meant too.
const UNLISTED: &[(&str, &str)] = &[
    ("storage.trace.s3", "tempo-distributed values.yaml, `config`: printed as it is"),
    ("tempo.storage.trace.s3", "tempo values.yaml, `config`: tempo.storage is printed as it is"),
    ("persistence.storageClassName", "tempo values.yaml has it as a comment; templates/statefulset.yaml"),
    ("image.tag", "mimir-distributed 6.x templates/_helpers.tpl: the global tag"),
    ("*.persistentVolume.storageClass", "mimir-distributed values.yaml has it as a comment"),
    ("*.resources.limits", "mimir-distributed prints resources as they are"),
];

/// Stacks that together set every key there is, by the charts they use.
const STACKS: &[(&str, &[&str])] = &[
    ("", &["tempo-2.2.4", "mimir-distributed-6.1.0"]),
    (EVERYTHING, &["tempo-distributed-2.26.2", "mimir-distributed-6.1.0"]),
    (EVERYTHING_OLD, &["tempo-2.2.4", "mimir-distributed-5.8.0"]),
    (ALLOY, &["tempo-2.2.4", "mimir-distributed-6.1.0", "alloy-1.11.1"]),
];

const ALLOY: &str = "
spec: {collectors: {alloy: {mode: Managed, kind: DaemonSet, components: {alloy: {resources: {requests: {cpu: 1}}}}}}}
";

const EVERYTHING: &str = "
spec:
  platform: OpenShift
  objectStorage: {endpoint: 'https://s3.example.org', forcePathStyle: false, caSecretRef: {name: ca}}
  traces: {mode: Distributed, metricsGenerator: {}, components: {ingester: {replicas: 3, storage: {className: fast}}}}
  metrics:
    retention: 2160h
    components: {ruler: {replicas: 2}, overridesExporter: {replicas: 1}, gateway: {replicas: 2}}
";

const EVERYTHING_OLD: &str = "
spec:
  platform: OpenShift
  resourcePolicy: {cpuLimits: Allow, memoryLimits: Any}
  traces:
    chart: {source: Upstream}
    metricsGenerator: {processors: [SpanMetrics]}
    components: {singleBinary: {storage: {type: EmptyDir}, resources: {limits: {cpu: 2}}}}
  metrics:
    chart: {version: 5.8.0}
    components: {queryScheduler: {replicas: 0}, gateway: {replicas: 1, resources: {limits: {memory: 1Gi}}}}
";

/// What upstream's `values.yaml` has: type by path.
struct Keys(BTreeMap<String, String>);

impl Keys {
    fn of(chart: &str) -> Self {
        let path = format!("{}/testdata/upstream-keys/{chart}.keys.tsv", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let entry = |line: &str| {
            let mut columns = line.split('\t');
            Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    /// Why a value cannot be right.
    fn fault(&self, path: &[String], value: &Value) -> Option<String> {
        let name = path.join(".");
        if let Some(kind) = self.0.get(&name) {
            let fits = value.is_null() || kind == "null" || kind_of(value) == kind;
            return (!fits).then(|| format!("{name} is a {} and upstream's a {kind}", kind_of(value)));
        }
        // Null removes a whole map; an empty map of upstream's takes what it is given.
        let removes = value.is_null() && self.0.keys().any(|key| key.starts_with(&format!("{name}.")));
        let mut above = (1..path.len()).map(|length| path[..length].join("."));
        let free = above.any(|above| self.0.get(&above).is_some_and(|kind| kind == "map"));
        (!removes && !free).then(|| format!("{name} is no key of upstream's chart"))
    }
}

fn matches(pattern: &str, path: &[String]) -> bool {
    let pattern: Vec<_> = pattern.split('.').collect();
    pattern.len() <= path.len()
        && pattern.iter().zip(path).all(|(wanted, key)| *wanted == "*" || wanted == key)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// Paths and values of a tree; an empty map is a value.
fn leaves(at: &[String], value: &Value) -> Vec<(Vec<String>, Value)> {
    let below = |key: &String| [at, std::slice::from_ref(key)].concat();
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => map.iter().flat_map(|(key, child)| leaves(&below(key), child)).collect(),
        None => vec![(at.to_vec(), value.clone())],
    }
}

/// The values of every release of a stack, by chart.
fn releases_of(stack: &ValidStack) -> Vec<(String, Value)> {
    let releases = design(stack).design.releases.into_iter();
    releases
        .map(|release| (format!("{}-{}", release.chart.name, release.chart.version), release.values))
        .collect()
}

/// The values of every backend of a stack, by chart.
fn values_of(stack: &ValidStack) -> Vec<(String, Values)> {
    let of = |backend| {
        let backend = stack.backends.iter().find(|valid| valid.backend == backend).unwrap();
        let setting = Setting {
            name: &backend.name,
            namespace: &stack.key.namespace,
            storage: &stack.storage,
            openshift: stack.openshift,
            remote_write: Some("http://mimir/api/v1/push"),
        };
        (format!("{}-{}", backend.chart.name, backend.chart.version), values(backend, &setting))
    };
    stack.backends.iter().map(|valid| of(valid.backend)).collect()
}

/// Every value that is not in upstream's `values.yaml`, or is of another type there.
fn faults() -> Vec<(Vec<String>, String)> {
    let mut faults = Vec::new();
    for (overlay, charts) in STACKS {
        let values = releases_of(&common::valid(&common::small_with(overlay)));
        assert_eq!(values.iter().map(|(chart, _)| chart.as_str()).collect::<Vec<_>>(), *charts);
        for (chart, values) in values {
            let keys = Keys::of(&chart);
            let leaves = leaves(&[], &values);
            assert!(leaves.len() > 20, "{chart}");
            for (path, value) in leaves {
                faults.extend(keys.fault(&path, &value).map(|fault| (path, format!("{chart}: {fault}"))));
            }
        }
    }
    faults
}

#[test]
fn every_value_is_one_that_upstream_knows() {
    let mut faults = faults();
    faults.retain(|(path, _)| !UNLISTED.iter().any(|(pattern, _)| matches(pattern, path)));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_exception_is_still_needed() {
    let faults = faults();
    for (pattern, _) in UNLISTED {
        assert!(faults.iter().any(|(path, _)| matches(pattern, path)), "{pattern}");
    }
}

#[test]
fn a_misspelt_key_and_a_value_of_another_type_are_found() {
    let keys = Keys::of("mimir-distributed-6.1.0");
    let fault = |path: &str, value: Value| {
        keys.fault(&path.split('/').map(str::to_owned).collect::<Vec<_>>(), &value).is_some()
    };
    assert!(fault("ingester/replica", 3.into()));
    assert!(fault("query-scheduler/replicas", 3.into()));
    assert!(fault("nginx/enabled", false.into()), "a key of 5.8.0 only");
    assert!(fault("ingester/replicas", "3".into()));
    assert!(!fault("ingester/replicas", 3.into()));
    assert!(!fault("ingester/podDisruptionBudget", Value::Null));
}

#[test]
fn every_owner_is_a_field_of_the_spec_or_a_reason_in_words() {
    for (overlay, _) in STACKS {
        for (_, values) in values_of(&common::valid(&common::small_with(overlay))) {
            for entry in values.entries() {
                let field = entry.owner.starts_with("spec.") && !entry.owner.contains(' ');
                assert!(field || entry.owner.contains(' '), "{entry:?}");
            }
        }
    }
}
