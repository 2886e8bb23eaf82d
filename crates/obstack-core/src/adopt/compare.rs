//! What a takeover does to each object: the release's, and those that the operator would apply.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::release::text;
use crate::{
    assemble::Plan,
    objects::{Kind, ObjectId},
};

/// Parts of a `StatefulSet`'s spec that can be changed; every other part needs a new one (`ValidateStatefulSetUpdate`
/// of Kubernetes).
const MUTABLE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// What a takeover does, object by object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Takeover {
    /// Every object of the release and of the plan, by name.
    pub objects: Vec<ObjectTakeover>,
}

/// What a takeover does to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectTakeover {
    /// Which object.
    pub name: ObjectName,
    /// What happens to it.
    pub fate: Fate,
}

/// Which object. Unlike an [`ObjectId`] it may be of a kind that the operator never applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Kind.
    pub kind: String,
    /// Namespace; empty for what has none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectName {
    /// The id of an object of a kind that the operator applies.
    pub fn id(&self) -> Option<ObjectId> {
        let kind: Kind = self.kind.parse().ok()?;
        Some(ObjectId { kind, namespace: self.namespace.clone(), name: self.name.clone() })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// What a takeover does to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is taken over as it is, but for labels and owner.
    Unchanged,
    /// It is taken over, and these fields change.
    Changed(Vec<FieldChange>),
    /// It would have to be made anew, because these fields never change: the takeover is refused.
    Refused(Vec<FieldChange>),
    /// It is made.
    New,
    /// It is of the release and not of the stack: it stays as it is, and nobody manages it.
    LeftAlone,
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path; entries of lists by their name.
    pub path: String,
    /// What the release has; `None` when the field is new.
    pub old: Option<Value>,
    /// What the stack has; `None` when the field goes.
    pub new: Option<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{}: {old} -> {new}", self.path),
            (Some(old), None) => write!(f, "{}: {old} is removed", self.path),
            (None, Some(new)) => write!(f, "{}: {new} is added", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

impl Takeover {
    /// Why it is refused, one line a field.
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.objects.iter().filter_map(|object| match &object.fate {
            Fate::Refused(fields) => Some(fields.iter().map(|field| format!("{}: {field}", object.name))),
            _ => None,
        });
        refused.flatten().collect()
    }

    /// Objects that are of the release and of the stack.
    pub fn taken_over(&self) -> impl Iterator<Item = &ObjectName> {
        let taken = |object: &&ObjectTakeover| matches!(object.fate, Fate::Unchanged | Fate::Changed(_));
        self.objects.iter().filter(taken).map(|object| &object.name)
    }
}

/// Compares what a release has in place with what a stack would apply. `objects` are the release's manifests,
/// `namespace` is where those without one are. Live objects do as well to learn what is refused, but what the API server
/// has completed in them looks changed.
pub fn compare(objects: &[Value], namespace: &str, plan: &Plan) -> Takeover {
    let called = |object: &Value| ObjectName {
        kind: text(object, "/kind").unwrap_or_default().to_owned(),
        namespace: text(object, "/metadata/namespace").unwrap_or(namespace).to_owned(),
        name: text(object, "/metadata/name").unwrap_or_default().to_owned(),
    };
    let old: BTreeMap<_, _> = objects.iter().map(|object| (called(object), object)).collect();
    let new: BTreeMap<_, _> =
        plan.objects.iter().map(|object| (called(&object.body), &object.body)).collect();
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let fate = |name: &ObjectName| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) => of_both(old, new),
        (None, Some(_)) => another_kind(name, &old),
        _ => Fate::LeftAlone,
    };
    let objects = names.into_iter().map(|name| ObjectTakeover { name: name.clone(), fate: fate(name) });
    Takeover { objects: objects.collect() }
}

/// A workload that the release has under another kind would run beside it, behind the same Services.
fn another_kind(name: &ObjectName, old: &BTreeMap<ObjectName, &Value>) -> Fate {
    let is_workload = |kind: &str| kind.parse().is_ok_and(Kind::is_workload);
    let same = |other: &&ObjectName| {
        is_workload(&other.kind) && other.name == name.name && other.namespace == name.namespace
    };
    match old.keys().find(same).filter(|_| is_workload(&name.kind)) {
        Some(other) => Fate::Refused(vec![FieldChange {
            path: "kind".into(),
            old: Some(other.kind.clone().into()),
            new: Some(name.kind.clone().into()),
        }]),
        None => Fate::New,
    }
}

fn of_both(old: &Value, new: &Value) -> Fate {
    let immutable = immutable(old, new);
    if !immutable.is_empty() {
        return Fate::Refused(immutable);
    }
    let mut changes = Vec::new();
    differ("", old, new, &mut changes);
    changes.retain(|change| !is_bookkeeping(&change.path));
    if changes.is_empty() { Fate::Unchanged } else { Fate::Changed(changes) }
}

/// What says whose the object is, and what the API server keeps about it.
fn is_bookkeeping(path: &str) -> bool {
    let kept = [
        "metadata.annotations[meta.helm.sh/release-name]",
        "metadata.annotations[meta.helm.sh/release-namespace]",
        "metadata.namespace",
        "metadata.ownerReferences",
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.creationTimestamp",
        "metadata.managedFields",
        "status",
    ];
    kept.iter().any(|kept| path == *kept || path.starts_with(&format!("{kept}.")))
        || path.starts_with("metadata.labels")
}

/// Fields that differ although they never change.
fn immutable(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    match text(new, "/kind") {
        Some("StatefulSet") => {
            let parts = |object: &Value| {
                let mut spec = object.get("spec").cloned().unwrap_or_default();
                if let Some(spec) = spec.as_object_mut() {
                    spec.retain(|part, _| !MUTABLE.contains(&part.as_str()));
                    // As the API server completes them.
                    let order = spec.entry("podManagementPolicy").or_insert_with(|| "OrderedReady".into());
                    if order.is_null() {
                        *order = "OrderedReady".into();
                    }
                    let claims = spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut);
                    claims.into_iter().flatten().for_each(complete_claim);
                }
                spec
            };
            differ("spec", &parts(old), &parts(new), &mut changes);
        }
        Some("Deployment" | "DaemonSet") => {
            let selector = |object: &Value| object.pointer("/spec/selector").cloned().unwrap_or_default();
            differ("spec.selector", &selector(old), &selector(new), &mut changes);
        }
        Some("Service") => {
            let headless = |object: &Value| text(object, "/spec/clusterIP") == Some("None");
            if headless(old) != headless(new) {
                let value = |object: &Value| object.pointer("/spec/clusterIP").cloned();
                let path = "spec.clusterIP".to_owned();
                changes.push(FieldChange { path, old: value(old), new: value(new) });
            }
        }
        _ => {}
    }
    changes
}

/// A claim template as the API server stores it.
fn complete_claim(claim: &mut Value) {
    let Some(map) = claim.as_object_mut() else { return };
    for given in ["apiVersion", "kind", "status"] {
        map.remove(given);
    }
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
    }
    if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("volumeMode").or_insert_with(|| "Filesystem".into());
    }
}

/// Collects where two values differ. Null and an empty map are as good as nothing.
fn differ(at: &str, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let null = &Value::Null;
                let path = step(at, key);
                differ(&path, old.get(key).unwrap_or(null), new.get(key).unwrap_or(null), changes);
            }
        }
        (Value::Array(before), Value::Array(after)) => match (by_name(before), by_name(after)) {
            (Some(before), Some(after)) => {
                let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
                for name in names {
                    let null = &Value::Null;
                    let of = |list: &BTreeMap<String, &'_ Value>| list.get(name).copied().cloned();
                    let (old, new) = (of(&before), of(&after));
                    let (old, new) = (old.as_ref().unwrap_or(null), new.as_ref().unwrap_or(null));
                    differ(&format!("{at}[{name}]"), old, new, changes);
                }
            }
            _ if before == after => {}
            _ => changes.push(change(at, old, new)),
        },
        _ if is_nothing(old) && is_nothing(new) || same_scalar(at, old, new) => {}
        // Only one of them is there: name its leaves, which people know.
        (Value::Object(map), other) | (other, Value::Object(map)) if is_nothing(other) => {
            let was = old.is_object();
            for (key, child) in map {
                let (old, new) = if was { (child, &Value::Null) } else { (&Value::Null, child) };
                differ(&step(at, key), old, new, changes);
            }
        }
        _ => changes.push(change(at, old, new)),
    }
}

fn change(at: &str, old: &Value, new: &Value) -> FieldChange {
    let there = |value: &Value| (!is_nothing(value)).then(|| value.clone());
    FieldChange { path: at.to_owned(), old: there(old), new: there(new) }
}

/// A key with a dot stands in brackets.
fn step(at: &str, key: &str) -> String {
    match (at.is_empty(), key.contains('.')) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{at}[{key}]"),
        (false, false) => format!("{at}.{key}"),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_nothing),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Charts write amounts and ports as numbers or as text.
fn same_scalar(at: &str, old: &Value, new: &Value) -> bool {
    let plain = |value: &Value| match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let amount = at.contains("resources") && !at.ends_with("name");
    old == new || amount && plain(old).is_some() && plain(old) == plain(new)
}

/// The entries of a list by what names them; `None` where that does not tell them apart.
fn by_name(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let key = ["/mountPath", "/name", "/metadata/name", "/containerPort"]
        .into_iter()
        .find(|key| list.iter().all(|entry| entry.pointer(key).is_some()))?;
    let mut named = BTreeMap::new();
    for entry in list {
        let name =
            entry.pointer(key).map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned))?;
        if named.insert(name, entry).is_some() {
            return None;
        }
    }
    Some(named)
}
