//! Which fields of an object differ, by path, as people name them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use obstack_core::quantity::Amount;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FieldChange {
    /// Where, such as `spec.template.spec.containers[ingester].resources.requests.memory`.
    pub path: String,
    /// What it was; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it becomes; absent when it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// Fields of metadata that the API server sets, and the status: nobody wants them.
const BOOKKEEPING: &[&str] =
    &["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/// An object without what the API server keeps of it for itself.
pub fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()));
        }
    }
    object
}

/// The same for people: without the bytes of a Secret, too.
pub fn essence(object: &Value) -> Value {
    let is_secret = object.get("kind").is_some_and(|kind| kind == "Secret");
    let mut object = stripped(object);
    // Bytes of a Secret are nobody's to see.
    if is_secret {
        for part in ["data", "stringData"] {
            for value in
                object.get_mut(part).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
            {
                let text = value.as_str().unwrap_or_default();
                *value = format!("<{}>", obstack_core::hash::short(text, 8)).into();
            }
        }
    }
    object
}

/// The fields that differ between two objects, in the order of their paths.
pub fn changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare("", Some(old), Some(new), &mut found);
    found
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut keys: Vec<&String> =
                old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                compare(&below(path, key), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(path, old, new, found),
        (Some(old), Some(new)) if same(old, new) => {}
        _ => found.push(FieldChange { path: path.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}

/// Lists of named entries entry by entry, others by place.
fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<FieldChange>) {
    match (names_of(old), names_of(new)) {
        (Some(before), Some(after)) if !before.is_empty() || !after.is_empty() => {
            let all = before.iter().chain(after.iter().filter(|name| !before.contains(name)));
            for name in all {
                let of = |names: &[&str], list: &[Value]| {
                    names.iter().position(|known| known == name).and_then(|place| list.get(place).cloned())
                };
                let (old, new) = (of(&before, old), of(&after, new));
                compare(&format!("{path}[{name}]"), old.as_ref(), new.as_ref(), found);
            }
        }
        _ => {
            for place in 0..old.len().max(new.len()) {
                compare(&format!("{path}[{place}]"), old.get(place), new.get(place), found);
            }
        }
    }
}

fn names_of(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(name_of).collect()
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}

fn below(path: &str, key: &str) -> String {
    if key.contains(['.', '/']) {
        format!("{path}[{key}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The same value, or the same quantity written in another way.
fn same(old: &Value, new: &Value) -> bool {
    let amount = |value: &Value| match value {
        Value::String(text) => Amount::parse(text).ok(),
        Value::Number(number) => Amount::parse(&number.to_string()).ok(),
        _ => None,
    };
    old == new || amount(old).is_some_and(|old| Some(old) == amount(new))
}

/// What an object would become if a body were laid over it: where the API server may not be asked. What the body does
/// not name stays.
pub fn overlaid(live: &Value, body: &Value) -> Value {
    match (live, body) {
        (Value::Object(live), Value::Object(body)) => {
            let mut merged = live.clone();
            for (key, value) in body {
                let laid = live.get(key).map_or_else(|| value.clone(), |old| overlaid(old, value));
                merged.insert(key.clone(), laid);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(body)) => {
            let known = |entry: &Value| {
                live.iter().find(|old| name_of(old).is_some() && name_of(old) == name_of(entry))
            };
            let by_place = |place: usize| live.get(place).filter(|old| name_of(old).is_none());
            let laid = |(place, entry): (usize, &Value)| match known(entry).or_else(|| by_place(place)) {
                Some(old) => overlaid(old, entry),
                None => entry.clone(),
            };
            Value::Array(body.iter().enumerate().map(laid).collect())
        }
        _ if same(live, body) => live.clone(),
        _ => body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(old: &Value, new: &Value, expect: &[&str]) {
        let said: Vec<_> = changes(old, new)
            .iter()
            .map(|change| {
                let say = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
                format!("{} {} {}", change.path, say(&change.old), say(&change.new))
            })
            .collect();
        assert_eq!(said, expect);
    }

    #[test]
    fn a_field_is_named_by_its_path() {
        check(&json!({"a": {"b": 1}}), &json!({"a": {"b": 2}}), &["a.b 1 2"]);
        check(&json!({"a": {}}), &json!({"a": {"b": 2}}), &["a.b - 2"]);
        check(&json!({"a.b/c": 1}), &json!({}), &["[a.b/c] 1 -"]);
    }

    #[test]
    fn entries_of_lists_are_told_by_their_names_whatever_their_order() {
        let old = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]});
        let new = json!({"containers": [{"name": "b", "image": "z"}, {"name": "a", "image": "x"}]});
        check(&old, &new, &[r#"containers[b].image "y" "z""#]);
        check(&json!({"args": ["x", "y"]}), &json!({"args": ["x"]}), &[r#"args[1] "y" -"#]);
    }

    #[test]
    fn a_quantity_written_in_another_way_is_no_change() {
        check(&json!({"cpu": "1"}), &json!({"cpu": "1000m"}), &[]);
        check(&json!({"memory": "1Gi"}), &json!({"memory": "1024Mi"}), &[]);
        check(&json!({"cpu": "1"}), &json!({"cpu": "2"}), &[r#"cpu "1" "2""#]);
    }

    #[test]
    fn what_a_body_does_not_name_stays() {
        let live = json!({"spec": {"replicas": 3, "containers": [{"name": "a", "image": "x", "tty": true}]}});
        let body = json!({"spec": {"containers": [{"name": "a", "image": "y"}]}});
        check(&live, &overlaid(&live, &body), &[r#"spec.containers[a].image "x" "y""#]);
    }

    #[test]
    fn i9_no_byte_of_a_secret_is_shown() {
        let secret = json!({"kind": "Secret", "data": {"key": "aHVudGVyMg=="}});
        assert!(!essence(&secret).to_string().contains("aHVudGVyMg"));
    }
}
