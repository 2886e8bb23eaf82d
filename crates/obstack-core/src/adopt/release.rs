//! What is read of a Helm release.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::backends::values::merge;

/// A release of a chart as Helm stored it.
#[derive(Clone, Debug, PartialEq)]
pub struct HelmRelease {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its revision.
    pub revision: u64,
    /// Its state, such as `deployed`.
    pub status: String,
    /// Its chart.
    pub chart: HelmChart,
    /// What its owner configured.
    pub values: Map<String, Value>,
    /// The chart's own values.
    pub chart_values: Map<String, Value>,
    /// What the chart rendered.
    pub objects: Vec<Value>,
}

/// The chart of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmChart {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Version of what it runs.
    pub app_version: Option<String>,
    /// It is the small chart of that name that comes with the operator.
    pub bundled: bool,
}

impl HelmRelease {
    /// The chart's values with the owner's merged over them.
    pub(super) fn merged(&self) -> Value {
        let mut values = Value::Object(self.chart_values.clone());
        merge(&mut values, &Value::Object(self.values.clone()));
        values
    }

    /// A workload by name.
    pub(super) fn workload(&self, name: &str) -> Option<Workload<'_>> {
        self.workloads().find(|workload| workload.name() == name)
    }

    /// Every workload.
    pub(super) fn workloads(&self) -> impl Iterator<Item = Workload<'_>> {
        let is_workload = |object: &&Value| {
            matches!(text(object, "/kind"), Some("Deployment" | "StatefulSet" | "DaemonSet"))
        };
        self.objects.iter().filter(is_workload).map(Workload)
    }

    /// Objects of a kind.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |object| text(object, "/kind") == Some(kind))
    }

    /// The text of a file in a `ConfigMap` or a Secret of the release.
    pub(super) fn file(&self, name: &str) -> Option<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let plain = |object: &Value| {
            let text = object.get("data").and_then(|data| data.get(name));
            text.or_else(|| object.get("stringData")?.get(name)).and_then(Value::as_str).map(str::to_owned)
        };
        let encoded = |object: &Value| {
            let bytes = STANDARD.decode(object.get("data")?.get(name)?.as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        };
        self.of_kind("ConfigMap").find_map(plain).or_else(|| {
            self.of_kind("Secret").find_map(|secret| {
                let said = secret.get("stringData").and_then(|data| data.get(name)).and_then(Value::as_str);
                said.map(str::to_owned).or_else(|| encoded(secret))
            })
        })
    }
}

/// A workload of a release.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload<'a>(pub(super) &'a Value);

impl<'a> Workload<'a> {
    pub(super) fn name(self) -> &'a str {
        text(self.0, "/metadata/name").unwrap_or_default()
    }

    pub(super) fn kind(self) -> &'a str {
        text(self.0, "/kind").unwrap_or_default()
    }

    pub(super) fn replicas(self) -> Option<i32> {
        self.0.pointer("/spec/replicas").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok())
    }

    pub(super) fn pod(self) -> &'a Value {
        self.0.pointer("/spec/template/spec").unwrap_or(&Value::Null)
    }

    /// The container that the component is: the first.
    pub(super) fn main(self) -> &'a Value {
        self.pod().pointer("/containers/0").unwrap_or(&Value::Null)
    }

    /// The first claim template of a `StatefulSet`.
    pub(super) fn claim(self) -> Option<&'a Value> {
        self.0.pointer("/spec/volumeClaimTemplates/0")
    }

    pub(super) fn claims(self) -> usize {
        self.0.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Where each variable of the main container comes from: name to Secret and key. A whole Secret stands under `""`.
    pub(super) fn secrets(self) -> Environment {
        let mut found = Environment::default();
        for entry in list(self.main(), "/envFrom") {
            if let Some(name) = text(entry, "/secretRef/name") {
                let prefix = text(entry, "/prefix").unwrap_or_default();
                found.whole.push((name.to_owned(), prefix.to_owned()));
            }
        }
        for entry in list(self.main(), "/env") {
            let Some(variable) = text(entry, "/name") else { continue };
            let reference = entry.pointer("/valueFrom/secretKeyRef");
            let part = |field: &str| reference?.get(field)?.as_str().map(str::to_owned);
            if let (Some(name), Some(key)) = (part("name"), part("key")) {
                found.single.insert(variable.to_owned(), (name, key));
            } else if entry.get("value").is_some_and(|value| value != "") {
                found.inline.push(variable.to_owned());
            }
        }
        found
    }
}

/// Which Secrets the environment of a container comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// Secrets that are there as a whole, with the prefix of their variables.
    pub(super) whole: Vec<(String, String)>,
    /// Variables from one key: Secret and key by variable.
    pub(super) single: BTreeMap<String, (String, String)>,
    /// Variables whose value is written out.
    pub(super) inline: Vec<String>,
}

/// The text at a pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The list at a pointer.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A scalar at a pointer, as text: charts write amounts as numbers too.
pub(super) fn scalar(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A yes or no at a pointer, which may be written as text.
pub(super) fn flag(value: &Value, pointer: &str) -> Option<bool> {
    match value.pointer(pointer)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
