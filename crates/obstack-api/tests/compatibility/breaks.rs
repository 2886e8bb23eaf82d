//! What a new schema takes away from an old one: fields, values, and what silence means. A stored object that the old one
//! took must be taken by the new one, and must mean the same.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Bounds from below: a higher one takes values away.
const LOWER: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
/// Bounds from above: a lower one takes values away.
const UPPER: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];
/// What must stay as it is: forms of values, and what lists and maps are to server-side apply.
const SAME: [&str; 10] = [
    "type",
    "format",
    "pattern",
    "anyOf",
    "allOf",
    "oneOf",
    "not",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
];
/// What allows more, and may come but not go.
const MORE: [&str; 3] = ["nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"];

/// What the new `CustomResourceDefinition` breaks, each with where.
pub fn of_definitions(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["/spec/group", "/spec/scope", "/spec/names"] {
        if old.pointer(field) != new.pointer(field) {
            found.push(format!("{field}: is not the same"));
        }
    }
    for version in versions(old).filter(|version| version["served"] == true) {
        let name = &version["name"];
        let Some(now) = versions(new).find(|now| now["name"] == *name && now["served"] == true) else {
            found.push(format!("version {name}: is not served"));
            continue;
        };
        if version["subresources"] != now["subresources"] {
            found.push(format!("version {name}: subresources are not the same"));
        }
        of_schemas("", schema(version), schema(now), &mut found);
    }
    found
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition["spec"]["versions"].as_array().into_iter().flatten()
}

fn schema(version: &Value) -> &Value {
    &version["schema"]["openAPIV3Schema"]
}

/// What the new schema of a field breaks, with what is below it.
pub fn of_schemas(at: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let mut say = |what: String| found.push(format!("{}: {what}", if at.is_empty() { "." } else { at }));
    for key in SAME {
        match (&old[key], &new[key]) {
            (before, after) if before == after => {}
            // A form that is not asked for any more takes every value.
            (_, Value::Null) if ["pattern", "format"].contains(&key) => {}
            (before, after) => say(format!("{key} was {before} and is {after}")),
        }
    }
    for key in MORE {
        if old[key] == true && new[key] != true {
            say(format!("{key} is gone"));
        }
    }
    let number = |schema: &Value, key: &str| schema[key].as_f64();
    for key in LOWER {
        let (before, after) = (number(old, key).unwrap_or(f64::MIN), number(new, key));
        // None is fewer than nothing.
        if after.is_some_and(|after| after > before && !(key != "minimum" && after <= 0.0)) {
            say(format!("{key} is higher"));
        }
    }
    for key in UPPER {
        let (before, after) = (number(old, key).unwrap_or(f64::MAX), number(new, key));
        if after.is_some_and(|after| after < before) {
            say(format!("{key} is lower"));
        }
    }
    match (old["enum"].as_array(), new["enum"].as_array()) {
        (None, Some(_)) => say("has values to choose from".to_owned()),
        (Some(before), Some(after)) => {
            let gone: Vec<_> = before.iter().filter(|value| !after.contains(value)).collect();
            if !gone.is_empty() {
                say(format!("values are gone: {gone:?}"));
            }
        }
        _ => {}
    }
    if old["default"] != new["default"] {
        say(format!("silence meant {} and means {}", old["default"], new["default"]));
    }
    for rule in rules(new).difference(&rules(old)) {
        say(format!("a rule is new: {rule}"));
    }
    for name in required(new).difference(&required(old)) {
        say(format!("{name} is required"));
    }
    let nothing = Map::new();
    let (before, after) = (
        old["properties"].as_object().unwrap_or(&nothing),
        new["properties"].as_object().unwrap_or(&nothing),
    );
    for (name, before) in before {
        match after.get(name) {
            Some(after) => of_schemas(&format!("{at}.{name}"), before, after, found),
            None => found.push(format!("{at}.{name}: is gone")),
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        match (&old[key], &new[key]) {
            (Value::Null, Value::Null) => {}
            (before @ Value::Object(_), after @ Value::Object(_)) => {
                of_schemas(&format!("{at}{mark}"), before, after, found);
            }
            (before, after) if before == after => {}
            (before, after) => found.push(format!("{at}{mark}: was {before} and is {after}")),
        }
    }
}

fn rules(schema: &Value) -> BTreeSet<&str> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["rule"].as_str()).collect()
}

/// Names that must be written. One with a default is filled in.
fn required(schema: &Value) -> BTreeSet<&str> {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| schema["properties"][name]["default"].is_null()).collect()
}
