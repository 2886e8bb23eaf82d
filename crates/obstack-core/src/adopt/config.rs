//! What Tempo and Mimir are told: the object store, the buckets, retention and replication.

use serde_json::Value;

use super::{
    Found, Store,
    chart::Kind,
    release::{HelmRelease, flag, scalar, text},
};
use crate::backends::values::merge;

/// Longest retention that is read as one, in hours: a hundred years.
const LONGEST: f64 = 876_000.0;

/// What is read of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    /// The store, without its certificate authority.
    pub(super) store: Option<Store>,
    /// Path of the certificate authority in the containers.
    pub(super) ca_path: Option<String>,
    /// Buckets by purpose.
    pub(super) buckets: Vec<(&'static str, String)>,
    /// What stands in place of the access key and of the secret key.
    pub(super) keys: (Option<String>, Option<String>),
    /// Retention in whole hours.
    pub(super) retention: Option<u32>,
    /// How many ingesters hold each series or trace.
    pub(super) replication_factor: Option<u32>,
}

/// The configuration as the pods have it; null, and an obstacle, when it cannot be read.
pub(super) fn effective(release: &HelmRelease, kind: Kind, found: &mut Found) -> Value {
    let file = kind.file();
    let text = release.file(file);
    let config = text.as_deref().map(serde_saphyr::from_str::<Value>);
    match config {
        Some(Ok(config)) if config.is_object() => config,
        other => {
            let why = match other {
                None => format!("no ConfigMap or Secret of the release has {file}"),
                Some(Ok(_)) => format!("{file} is no map"),
                // The error may quote a line with a key in it.
                Some(Err(_)) => format!("{file} is not readable as YAML"),
            };
            found.obstacle(
                format!("release {}", release.name),
                why,
                "upgrade it with helm first, so that its configuration is part of it",
            );
            Value::Null
        }
    }
}

/// Reads what the typed API says of it.
pub(super) fn read(config: &Value, kind: Kind, found: &mut Found) -> Config {
    match kind {
        Kind::TempoMonolithic | Kind::TempoDistributed => tempo(config, kind, found),
        Kind::Mimir => mimir(config, found),
    }
}

fn tempo(config: &Value, kind: Kind, found: &mut Found) -> Config {
    let trace = config.pointer("/storage/trace").unwrap_or(&Value::Null);
    let s3 = trace.get("s3").unwrap_or(&Value::Null);
    is_s3("storage.trace.backend", text(trace, "/backend"), found);
    let bucket = text(s3, "/bucket").map(str::to_owned);
    if bucket.is_none() && text(trace, "/backend") == Some("s3") {
        found.obstacle("storage.trace.s3.bucket", "names no bucket", "name it and upgrade the release first");
    }
    if text(s3, "/prefix").is_some() {
        found.obstacle(
            "storage.trace.s3.prefix",
            "keeps blocks below a prefix; the operator looks for them at the root of the bucket",
            "leave this release to Helm, or start a stack beside it",
        );
    }
    let style = flag(s3, "/forcepathstyle").unwrap_or(false);
    let factor = config.pointer("/ingester/lifecycler/ring/replication_factor").and_then(Value::as_u64);
    Config {
        store: store(s3, style, found),
        ca_path: text(s3, "/tls_ca_path").map(str::to_owned),
        buckets: bucket.into_iter().map(|name| ("blocks", name)).collect(),
        keys: (scalar(s3, "/access_key"), scalar(s3, "/secret_key")),
        retention: retention(config, "/compactor/compaction/block_retention", found),
        replication_factor: factor
            .and_then(|factor| u32::try_from(factor).ok())
            .filter(|_| kind == Kind::TempoDistributed),
    }
}

fn mimir(config: &Value, found: &mut Found) -> Config {
    let common = config.pointer("/common/storage").unwrap_or(&Value::Null);
    let mut read = Config {
        retention: retention(config, "/limits/compactor_blocks_retention_period", found),
        // Mimir's own default.
        replication_factor: Some(
            config
                .pointer("/ingester/ring/replication_factor")
                .and_then(Value::as_u64)
                .and_then(|factor| u32::try_from(factor).ok())
                .unwrap_or(3),
        ),
        ..Config::default()
    };
    for purpose in ["blocks", "ruler", "alertmanager"] {
        let own = config.get(format!("{purpose}_storage")).cloned().unwrap_or_default();
        let of = |pointer: &str| scalar(&own, pointer).or_else(|| scalar(common, pointer));
        let Some(bucket) = of("/s3/bucket_name") else {
            if purpose == "blocks" {
                is_s3("blocks_storage.backend", of("/backend").as_deref(), found);
                found.obstacle(
                    "blocks_storage.s3.bucket_name",
                    "names no bucket",
                    "name it and upgrade the release first",
                );
            } else {
                found.note(
                    format!("{purpose}_storage"),
                    format!(
                        "the release has no bucket for it; the stack makes one, and {purpose} starts empty"
                    ),
                );
            }
            continue;
        };
        is_s3(&format!("{purpose}_storage.backend"), of("/backend").as_deref(), found);
        if let Some(taken) = read.buckets.iter().find(|(_, name)| *name == bucket) {
            let why = format!("is {bucket}, as for {}; the operator gives each purpose its own", taken.0);
            let fix = "move the rules or the alertmanagers' state into a bucket of their own and upgrade the release first";
            found.obstacle(format!("{purpose}_storage.s3.bucket_name"), why, fix);
        }
        read.buckets.push((purpose, bucket));
        let mut s3 = common.get("s3").cloned().unwrap_or_default();
        if let Some(own) = own.get("s3").filter(|own| own.is_object()) {
            merge(&mut s3, own);
        }
        let lookup = text(&s3, "/bucket_lookup_type").unwrap_or("auto") == "path";
        let used = store(&s3, lookup, found);
        match (&read.store, used) {
            (None, used) => {
                read.store = used;
                read.keys = (scalar(&s3, "/access_key_id"), scalar(&s3, "/secret_access_key"));
                read.ca_path = text(&s3, "/http/tls_ca_path").map(str::to_owned);
            }
            (Some(before), Some(used)) if *before != used => found.obstacle(
                format!("{purpose}_storage.s3"),
                format!(
                    "is at {}, and blocks are at {}; a stack has one object store",
                    used.endpoint, before.endpoint
                ),
                "bring them into one store first, or leave this release to Helm",
            ),
            _ => {}
        }
    }
    read
}

fn is_s3(field: &str, backend: Option<&str>, found: &mut Found) {
    if backend != Some("s3") {
        let backend = backend.unwrap_or("filesystem");
        let why = format!("is {backend}; the operator keeps data on S3");
        found.obstacle(field, why, "leave this release to Helm, or start a stack beside it");
    }
}

fn store(s3: &Value, path_style: bool, found: &mut Found) -> Option<Store> {
    let Some(host) = text(s3, "/endpoint") else {
        if !s3.is_null() {
            found.obstacle("s3.endpoint", "is missing", "name it and upgrade the release first");
        }
        return None;
    };
    let host = host.trim_end_matches('/');
    let plain = host.trim_start_matches("https://").trim_start_matches("http://");
    let insecure = flag(s3, "/insecure").unwrap_or(false) || host.starts_with("http://");
    let scheme = if insecure { "http" } else { "https" };
    // The client addresses by path by itself unless it knows the store as one that does not want it (minio-go's
    // `BucketLookupAuto`).
    let by_host =
        ["amazonaws.com", "googleapis.com", "aliyuncs.com"].iter().any(|known| plain.contains(known));
    Some(Store {
        endpoint: format!("{scheme}://{plain}"),
        region: scalar(s3, "/region"),
        path_style: path_style || !by_host,
        ca: None,
    })
}

fn retention(config: &Value, at: &str, found: &mut Found) -> Option<u32> {
    let written = scalar(config, at)?;
    let field = at.trim_start_matches('/').replace('/', ".");
    match hours(&written) {
        Some(hours) if hours <= 0.0 => None,
        Some(hours) if hours <= LONGEST => {
            let whole = hours.ceil();
            if (whole - hours).abs() > f64::EPSILON {
                found.note(
                    &field,
                    format!("{written} is rounded up to {whole}h: retention is in whole hours"),
                );
            }
            // Between 0 and LONGEST.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
            let whole = whole as u32;
            Some(whole)
        }
        _ => {
            found.obstacle(
                &field,
                format!("{written} is no retention that can be read"),
                "write it in hours, such as 336h, and upgrade the release first",
            );
            None
        }
    }
}

/// A duration of Go or of Prometheus, in hours.
fn hours(text: &str) -> Option<f64> {
    if text == "0" {
        return Some(0.0);
    }
    let mut hours = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(letters)?;
        let factor = match unit {
            "ms" => 1.0 / 3_600_000.0,
            "s" => 1.0 / 3600.0,
            "m" => 1.0 / 60.0,
            "h" => 1.0,
            "d" => 24.0,
            "w" => 24.0 * 7.0,
            "y" => 24.0 * 365.0,
            _ => return None,
        };
        hours += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    Some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_and_of_prometheus_are_read() {
        let check = |text: &str, wanted: Option<f64>| assert_eq!(hours(text), wanted, "{text}");
        check("336h", Some(336.0));
        check("336h0m0s", Some(336.0));
        check("30d", Some(720.0));
        check("1y", Some(8760.0));
        check("1w", Some(168.0));
        check("90m", Some(1.5));
        check("0", Some(0.0));
        check("0s", Some(0.0));
        check("h", None);
        check("12", None);
        check("1 h", None);
    }
}
