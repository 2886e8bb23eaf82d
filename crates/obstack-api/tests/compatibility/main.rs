//! The API of each release stays: `released/VERSION` holds its `CustomResourceDefinition` and stacks that were stored
//! under it. A release adds a folder (`crds/*.yaml` as `crd.yaml`); no file there is ever changed.

#![cfg(test)]

mod breaks;

use std::{fs, path::Path};

use obstack_api::{ObservabilityStack, schema::crd};
use serde_json::{Value, json};

/// What a later release breaks all the same, with the reason. The message is that of [`breaks`].
const ACCEPTED: &[(&str, &str)] = &[];

/// What a release left.
struct Release {
    version: String,
    definition: Value,
    /// By the names of their files.
    stacks: Vec<(String, Value)>,
}

fn released() -> Vec<Release> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let read = |path: &Path| -> Value { serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let mut all = Vec::new();
    for release in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let files = fs::read_dir(&release).unwrap().map(|entry| entry.unwrap().path());
        let (definition, stacks): (Vec<_>, Vec<_>) = files.partition(|path| name(path) == "crd.yaml");
        let stacks = stacks.iter().map(|path| (name(path), read(path))).collect();
        let definition = read(definition.first().expect("crd.yaml"));
        all.push(Release { version: name(&release), definition, stacks });
    }
    all
}

#[test]
fn nothing_that_a_release_took_is_refused_or_means_something_else() {
    let all = released();
    assert!(!all.is_empty());
    for Release { version, definition, .. } in all {
        let mut found = breaks::of_definitions(&definition, &crd());
        found.retain(|message| !ACCEPTED.iter().any(|(accepted, _)| accepted == message));
        assert_eq!(found, Vec::<String>::new(), "against {version}");
    }
}

#[test]
fn a_stack_that_a_release_stored_is_read_and_nothing_of_it_is_lost() {
    for Release { version, stacks, .. } in released() {
        assert!(!stacks.is_empty());
        for (file, stored) in stacks {
            let stack: ObservabilityStack = serde_json::from_value(stored.clone())
                .unwrap_or_else(|error| panic!("{version}/{file} is not read: {error}"));
            let written = serde_json::to_value(&stack).unwrap();
            let mut lost = Vec::new();
            missing("", &stored, &written, &mut lost);
            assert_eq!(lost, Vec::<String>::new(), "{version}/{file}");
            let again: ObservabilityStack = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), written, "{version}/{file}");
        }
    }
}

/// Paths of `stored` that are not in `written`, or otherwise.
fn missing(at: &str, stored: &Value, written: &Value, lost: &mut Vec<String>) {
    match (stored, written) {
        (Value::Object(stored), Value::Object(written)) => {
            for (key, value) in stored {
                match written.get(key) {
                    Some(now) => missing(&format!("{at}.{key}"), value, now, lost),
                    None => lost.push(format!("{at}.{key}")),
                }
            }
        }
        (Value::Array(stored), Value::Array(written)) if stored.len() == written.len() => {
            for (number, (stored, written)) in stored.iter().zip(written).enumerate() {
                missing(&format!("{at}[{number}]"), stored, written, lost);
            }
        }
        (stored, written) if stored == written => {}
        (stored, written) => lost.push(format!("{at}: {stored} -> {written}")),
    }
}

#[test]
fn what_takes_something_away_is_found() {
    let check = |old: Value, new: Value, wanted: &[&str]| {
        let mut found = Vec::new();
        breaks::of_schemas("", &old, &new, &mut found);
        assert_eq!(found, wanted, "{old} -> {new}");
    };
    let field = |field: Value| json!({"type": "object", "properties": {"a": field}});
    let text = json!({"type": "string"});
    // More is no break.
    check(field(text.clone()), json!({"type": "object", "properties": {"a": text, "b": text}}), &[]);
    check(field(json!({"enum": ["x"]})), field(json!({"enum": ["x", "y"]})), &[]);
    check(field(json!({"enum": ["x"]})), field(json!({})), &[]);
    check(
        field(json!({"maxLength": 3, "minLength": 1})),
        field(json!({"maxLength": 4, "minLength": 0})),
        &[],
    );
    check(field(json!({"pattern": "^a$"})), field(json!({})), &[]);
    let filled = json!({"type": "object", "required": ["a"], "properties": {"a": {"default": 1}}});
    check(field(json!({"default": 1})), filled, &[]);
    check(field(json!({})), field(json!({"nullable": true})), &[]);
    // Less is.
    check(field(text.clone()), json!({"type": "object"}), &[".a: is gone"]);
    check(
        field(text.clone()),
        field(json!({"type": "integer"})),
        &[r#".a: type was "string" and is "integer""#],
    );
    check(
        field(json!({"enum": ["x", "y"]})),
        field(json!({"enum": ["y"]})),
        &[r#".a: values are gone: [String("x")]"#],
    );
    check(field(json!({})), field(json!({"enum": ["y"]})), &[".a: has values to choose from"]);
    check(field(json!({})), field(json!({"maxLength": 4})), &[".a: maxLength is lower"]);
    check(field(json!({"minimum": 1})), field(json!({"minimum": 2})), &[".a: minimum is higher"]);
    check(field(json!({})), field(json!({"pattern": "^a$"})), &[r#".a: pattern was null and is "^a$""#]);
    check(field(json!({"nullable": true})), field(json!({})), &[".a: nullable is gone"]);
    check(field(json!({"default": 1})), field(json!({"default": 2})), &[".a: silence meant 1 and means 2"]);
    let required = json!({"type": "object", "required": ["a"], "properties": {"a": text}});
    check(field(text.clone()), required, &[".: a is required"]);
    let ruled = json!({"x-kubernetes-validations": [{"rule": "self > 1"}]});
    check(field(json!({})), field(ruled), &[".a: a rule is new: self > 1"]);
    let list = |items: Value| json!({"items": items, "x-kubernetes-list-type": "map"});
    check(
        field(list(json!({"maximum": 3}))),
        field(list(json!({"maximum": 2}))),
        &[".a[]: maximum is lower"],
    );
    let atomic = json!({"items": {}, "x-kubernetes-list-type": "atomic"});
    check(
        field(list(json!({}))),
        field(atomic),
        &[r#".a: x-kubernetes-list-type was "map" and is "atomic""#],
    );
    let map = |of: Value| json!({"additionalProperties": of});
    check(
        field(map(text.clone())),
        field(map(json!({"type": "integer"}))),
        &[r#".a.*: type was "string" and is "integer""#],
    );
}

#[test]
fn a_definition_keeps_its_names_and_what_it_serves() {
    let old = crd();
    let check = |path: &str, value: Value, wanted: &str| {
        let mut new = old.clone();
        *new.pointer_mut(path).unwrap() = value;
        assert_eq!(breaks::of_definitions(&old, &new), [wanted]);
    };
    check("/spec/scope", "Cluster".into(), "/spec/scope: is not the same");
    check("/spec/names/shortNames", json!([]), "/spec/names: is not the same");
    check("/spec/versions/0/served", false.into(), r#"version "v1alpha1": is not served"#);
    check("/spec/versions/0/subresources", json!({}), r#"version "v1alpha1": subresources are not the same"#);
}
