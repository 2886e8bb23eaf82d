//! From the text that helm writes to objects, with the meaning that Kubernetes gives to the text.
//!
//! Kubernetes reads YAML as `sigs.k8s.io/yaml` does: unquoted `yes`, `on` and `y` are true, `0644` is octal, the later
//! of two equal keys wins, and a whole number stays one however it is written. A test holds this reader against that
//! library, by way of helm's `fromYaml`.

use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Deepest nesting of a rendered object. The reader is recursive: 100 levels overflow the 2 MiB stack of a thread in a
/// debug build. A pod template in a List needs about 20.
const DEPTH: usize = 48;
/// Most documents of one chart.
const DOCUMENTS: usize = 1000;
/// Whole numbers up to here are exact as a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why text is not objects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotYaml(String),
    NotAnObject { index: usize, detail: String },
}

/// All objects, in the order of the text, `List`s replaced by what they hold and empty documents left out.
pub(crate) fn objects(text: &str) -> Result<Vec<Value>, Unreadable> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_documents: DOCUMENTS,
            // No chart needs them in an object, and with them a small text can be a huge object.
            max_anchors: 0,
            max_aliases: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        // A snippet would carry a line of the object, which may be a Secret, into a message.
        with_snippet: false,
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| Unreadable::NotYaml(one_line(&error.to_string())))?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().filter(|document| !is_empty(document)).enumerate() {
        flatten(index, document, &mut objects)?;
    }
    Ok(objects)
}

fn is_empty(document: &Value) -> bool {
    document.is_null() || document.as_object().is_some_and(serde_json::Map::is_empty)
}

fn flatten(index: usize, mut document: Value, objects: &mut Vec<Value>) -> Result<(), Unreadable> {
    let not = |detail: &str| Unreadable::NotAnObject { index, detail: detail.to_owned() };
    let text = |pointer: &str| {
        let value = document.pointer(pointer).and_then(Value::as_str);
        value.is_some_and(|value| !value.is_empty())
    };
    if !document.is_object() {
        return Err(not("is not a map"));
    }
    for (pointer, detail) in [("/apiVersion", "has no apiVersion"), ("/kind", "has no kind")] {
        if !text(pointer) {
            return Err(not(detail));
        }
    }
    if document.get("kind").and_then(Value::as_str) == Some("List") {
        let items = document.get_mut("items").map(Value::take);
        let Some(Value::Array(items)) = items else { return Err(not("is a List without items")) };
        return items.into_iter().try_for_each(|item| flatten(index, item, objects));
    }
    if !text("/metadata/name") {
        return Err(not("has no metadata.name"));
    }
    whole_numbers(&mut document);
    objects.push(document);
    Ok(())
}

/// Go templates print a whole number of a million and more as `1e+06`, and Kubernetes takes it for the whole number.
/// So do we; kept as a float it would be sent as `1000000.0`, which no integer field takes.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(300).collect()
}
