//! What is left of the owner's values: what no field of the spec says and no rule forbids.

use serde_json::{Map, Value};

use super::{Found, chart::Kind, release::HelmRelease};
use crate::backends::values::Values;

/// Blocks of what the operator does not run.
const NOT_RUN: &[&str] =
    &["minio", "rollout_operator", "kafka", "grafana-agent-operator", "continuous_test", "smoke_test"];
/// Where Mimir can be told of the object store once more, for each kind of data.
const STORAGES: &[&str] = &["blocks_storage", "ruler_storage", "alertmanager_storage"];
/// What the operator says for all of them together.
const OF_STORE: &[&str] =
    &["endpoint", "region", "insecure", "bucket_lookup_type", "access_key_id", "secret_access_key"];
/// Keys whose text is a secret.
const SECRETS: &[&str] = &[
    "password",
    "secret_key",
    "secret_access_key",
    "access_key",
    "access_key_id",
    "token",
    "api_key",
    "apikey",
    "bearer_token",
    "credentials",
];

/// What the owner configured, without what scales, what is secret, what the policy forbids, and what the operator does
/// not run.
pub(super) fn safe(values: &Map<String, Value>, found: &mut Found) -> Map<String, Value> {
    keep_each(values, &[], &mut |path, value| safe_leaf(path, value, found), &|path| {
        let last = path.last().map(String::as_str).unwrap_or_default();
        NOT_RUN.contains(&path.join(".").as_str())
            || is_of_store(path)
            || ["autoscaling", "kedaAutoscaling", "hpa"].contains(&last)
    })
}

/// What the owner configured, without what `ours` owns.
pub(super) fn free(values: &Map<String, Value>, ours: &Values, found: &mut Found) -> Map<String, Value> {
    let mut keep = |path: &[String], value: &Value| {
        if ours.owner_of(path).is_none() {
            return Some(value.clone());
        }
        owned(path, value, ours, found);
        None
    };
    keep_each(values, &[], &mut keep, &|_| false)
}

/// Keeps of a tree what `leaf` leaves of each leaf, and nothing below what is `skipped`.
fn keep_each(
    map: &Map<String, Value>,
    above: &[String],
    leaf: &mut dyn FnMut(&[String], &Value) -> Option<Value>,
    skipped: &dyn Fn(&[String]) -> bool,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in map {
        let path = [above, std::slice::from_ref(key)].concat();
        if skipped(&path) {
            continue;
        }
        let left = match value {
            Value::Object(child) if !child.is_empty() => {
                let child = keep_each(child, &path, leaf, skipped);
                (!child.is_empty()).then_some(Value::Object(child))
            }
            other => leaf(&path, other),
        };
        if let Some(left) = left {
            kept.insert(key.clone(), left);
        }
    }
    kept
}

fn safe_leaf(path: &[String], value: &Value, found: &mut Found) -> Option<Value> {
    let field = || format!("values.{}", path.join("."));
    let last = path.last().map(String::as_str).unwrap_or_default();
    let in_limits = path.iter().rev().nth(1).is_some_and(|above| above == "limits");
    if last == "cpu" && in_limits && !value.is_null() {
        found.note(field(), "is a CPU limit, which the resource policy forbids; it is left out");
        return None;
    }
    if is_secret(last, value) {
        found.note(
            field(),
            "is a secret, which a stack never holds; it is left out. Give it to the pods by a Secret",
        );
        return None;
    }
    let Value::Array(entries) = value else { return Some(value.clone()) };
    let mut kept = entries.clone();
    kept.retain(|entry| !holds_secret(entry));
    if kept.len() < entries.len() {
        found.note(
            field(),
            "has entries with a secret, which a stack never holds; they are left out. Give them to the pods by a Secret",
        );
    }
    if kept.iter().any(has_cpu_limit) {
        found.note(
            field(),
            "has containers with a CPU limit, which the resource policy forbids; it is left out",
        );
        kept.iter_mut().for_each(drop_cpu_limit);
    }
    Some(Value::Array(kept))
}

/// Whether a value is Mimir's, and the stack's `objectStorage` or its classic architecture says it.
fn is_of_store(path: &[String]) -> bool {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["mimir", "structuredConfig", "ingest_storage"] => true,
        ["mimir", "structuredConfig", storage, "backend"] => STORAGES.contains(storage),
        ["mimir", "structuredConfig", storage, "s3", key] => {
            STORAGES.contains(storage) && OF_STORE.contains(key)
        }
        _ => false,
    }
}

/// Says what goes with a value that the operator decides, where people would miss it.
fn owned(path: &[String], value: &Value, ours: &Values, found: &mut Found) {
    let last = path.last().map(String::as_str).unwrap_or_default();
    let names: Vec<_> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("name")?.as_str())
        .filter(|name| !name.starts_with("AWS_"))
        .collect();
    let owner = ours.owner_of(path).map(|entry| entry.owner.clone()).unwrap_or_default();
    let field = format!("values.{}", path.join("."));
    if !names.is_empty() && ["env", "extraEnv"].contains(&last) {
        found.note(
            field,
            format!("sets {}; the list is the operator's ({owner}), so they are left out. Give them by extraEnvFrom", names.join(", ")),
        );
    } else if !owner.starts_with("spec.") && !value.is_null() && !is_same(ours, path, value) {
        found.note(field, format!("is decided by the operator ({owner}); it is left out"));
    }
}

/// Whether the operator sets the same.
fn is_same(ours: &Values, path: &[String], value: &Value) -> bool {
    let ours = ours.clone().merged(None);
    path.iter().try_fold(&ours, |at, key| at.get(key)) == Some(value)
}

fn is_secret(key: &str, value: &Value) -> bool {
    let plain = value.as_str().is_some_and(|text| !text.is_empty() && !text.starts_with("${"));
    let key = key.to_ascii_lowercase();
    plain
        && SECRETS
            .iter()
            .any(|secret| key == *secret || key.ends_with(&format!("_{secret}")) || key.ends_with("password"))
}

/// Whether a secret stands anywhere in an entry of a list, as a key or as a variable with its value.
fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
            map.get("value").is_some_and(|value| is_secret(name, value))
                || map.iter().any(|(key, child)| is_secret(key, child) || holds_secret(child))
        }
        Value::Array(list) => list.iter().any(holds_secret),
        _ => false,
    }
}

fn has_cpu_limit(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let here =
                map.get("limits").and_then(|limits| limits.get("cpu")).is_some_and(|cpu| !cpu.is_null());
            here || map.values().any(has_cpu_limit)
        }
        Value::Array(list) => list.iter().any(has_cpu_limit),
        _ => false,
    }
}

fn drop_cpu_limit(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(limits) = map.get_mut("limits").and_then(Value::as_object_mut) {
                limits.remove("cpu");
            }
            map.values_mut().for_each(drop_cpu_limit);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_cpu_limit),
        _ => {}
    }
}

/// What keeps running that the operator would switch off when the values are silent: caches and Tempo's gateway. It
/// returns the last parts of their workloads' names.
pub(super) fn keep_running(
    release: &HelmRelease,
    kind: Kind,
    objects: &str,
    kept: &mut Map<String, Value>,
) -> Vec<&'static str> {
    let runs = |part: &str| release.workload(&format!("{objects}-{part}")).is_some();
    let mut parts = Vec::new();
    match kind {
        Kind::TempoMonolithic => {}
        Kind::TempoDistributed => {
            for part in ["memcached", "gateway"] {
                if runs(part) {
                    parts.push(part);
                    switch_on(kept, part);
                }
            }
            if runs("memcached") {
                // The operator's list is empty, as it runs no memcached unless it is told to.
                if let Some(caches) = release.merged().pointer("/cache/caches") {
                    let cache = kept.entry("cache").or_insert_with(|| Value::Object(Map::new()));
                    if let Some(cache) = cache.as_object_mut() {
                        cache.insert("caches".into(), caches.clone());
                    }
                }
            }
        }
        Kind::Mimir => {
            for part in ["chunks-cache", "index-cache", "metadata-cache", "results-cache"] {
                if runs(part) {
                    parts.push(part);
                    switch_on(kept, part);
                }
            }
        }
    }
    parts
}

fn switch_on(values: &mut Map<String, Value>, block: &str) {
    let block = values.entry(block).or_insert_with(|| Value::Object(Map::new()));
    if let Some(block) = block.as_object_mut() {
        block.insert("enabled".into(), true.into());
    }
}
