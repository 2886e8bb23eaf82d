//! Faults of the schema in words for people.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::{Fault, Source};
use crate::{cluster::nearest, path::Path};

/// Most characters of a value that a message quotes.
const QUOTED: usize = 60;

/// The field that was meant. Who wrote that one too did not mean it.
pub(super) fn meant<'a>(name: &str, known: &'a [String], around: Option<&Value>) -> Option<&'a str> {
    let written = |field: &str| around.is_some_and(|around| around.get(field).is_some());
    nearest(name, known.iter().map(String::as_str).filter(|field| !written(field)))
}

/// A field that nobody knows.
pub(super) fn unknown(field: &Path, meant: Option<&str>, known: &[String]) -> Fault {
    let message = format!("unknown field \"{field}\"");
    let fault = Fault::new(Source::Schema, "UnknownField", field.clone(), message);
    match meant {
        Some(meant) => fault.fix(format!("did you mean {meant}?")),
        None if known.is_empty() => fault.fix("remove it"),
        None => fault.fix(format!("remove it; known here: {}", known.join(", "))),
    }
}

/// A field that has to be there.
pub(super) fn missing(field: &Path, schema: Option<&Value>) -> Fault {
    let fault = Fault::new(Source::Schema, "Required", field.clone(), "Required value");
    let values = schema.and_then(options);
    match (values, schema.and_then(description)) {
        (Some(values), _) => fault.fix(format!("set it to {}", values.join(", or "))),
        (None, Some(what)) => fault.fix(format!("set it: {what}")),
        (None, None) => fault.fix("set it"),
    }
}

/// One word and a sentence about a value that does not fit.
pub(super) fn value(kind: &Kind, value: &Value, otherwise: impl Fn() -> String) -> (&'static str, String) {
    let count = |value: &Value| match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    let (is, has) = (quoted(value), count(value));
    match kind {
        Kind::Enum { options } => {
            let names: Vec<_> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            ("NotSupported", format!("{is} is not one of {}", names.join(", ")))
        }
        Kind::Pattern { pattern } => ("Invalid", format!("{is} does not match {pattern}")),
        Kind::PropertyNames { error } => {
            ("Invalid", format!("the key {} is not one that Kubernetes takes", quoted(error.instance())))
        }
        Kind::Minimum { limit } => ("Invalid", format!("must be at least {}, is {is}", whole(limit))),
        Kind::Maximum { limit } => ("Invalid", format!("must be at most {}, is {is}", whole(limit))),
        Kind::MinLength { limit: 1 } => ("Invalid", "must not be empty".to_owned()),
        Kind::MinLength { limit } => ("Invalid", format!("must have at least {limit} characters, has {has}")),
        Kind::MaxLength { limit } => ("TooLong", format!("must have at most {limit} characters, has {has}")),
        Kind::MinItems { limit } => ("Invalid", format!("must have at least {limit} items, has {has}")),
        Kind::MaxItems { limit } => ("TooMany", format!("must have at most {limit} items, has {has}")),
        Kind::MinProperties { limit } => ("Invalid", format!("must have at least {limit} keys, has {has}")),
        Kind::MaxProperties { limit } => ("TooMany", format!("must have at most {limit} keys, has {has}")),
        Kind::UniqueItems => ("Duplicate", "has the same value twice".to_owned()),
        Kind::Type { kind } => ("TypeInvalid", format!("must be {}, is {}", wanted(kind), kind_of(value))),
        _ => ("Invalid", otherwise()),
    }
}

/// What to do about a value that does not fit.
pub(super) fn fix(kind: &Kind, value: &Value, schema: Option<&Value>) -> Option<String> {
    match kind {
        Kind::Enum { options } => {
            let names = options.as_array().into_iter().flatten().filter_map(Value::as_str);
            // Upper and lower case are what is mixed up most.
            let written = value.as_str().unwrap_or_default();
            let same = names.clone().find(|name| name.eq_ignore_ascii_case(written));
            same.or_else(|| nearest(written, names)).map(|meant| format!("did you mean {meant}?"))
        }
        Kind::Type { kind: TypeKind::Single(_) | TypeKind::Multiple(_) } => {
            let has = |key: &str, value: Value| schema.is_some_and(|schema| schema.get(key) == Some(&value));
            let wants = |name: &str| {
                has("type", name.into())
                    || (name == "string" && has("x-kubernetes-int-or-string", true.into()))
            };
            let text = value.as_str().map(str::trim);
            match value {
                Value::Number(_) if wants("string") => Some(format!("quote it: \"{value}\"")),
                Value::Bool(_) if has("type", "string".into()) => Some(format!("quote it: \"{value}\"")),
                Value::String(_) if wants("integer") && text?.parse::<i64>().is_ok() => {
                    Some(format!("write it without quotes: {}", text?))
                }
                Value::String(_) if wants("boolean") && text?.parse::<bool>().is_ok() => {
                    Some(format!("write it without quotes: {}", text?))
                }
                _ => schema.and_then(description),
            }
        }
        Kind::Pattern { pattern } if pattern.starts_with(r"^\+?(([0-9]") => {
            Some("write a quantity as Kubernetes does: 200m, 1, 512Mi, 1.5Gi".to_owned())
        }
        Kind::Pattern { .. } | Kind::MinLength { .. } | Kind::MinProperties { .. } => {
            schema.and_then(description)
        }
        _ => None,
    }
}

/// What a field is, in the words of the schema.
fn description(schema: &Value) -> Option<String> {
    let text = schema.get("description").and_then(Value::as_str)?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn options(schema: &Value) -> Option<Vec<String>> {
    let values = schema.get("enum").and_then(Value::as_array)?;
    Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= QUOTED {
        return text;
    }
    text.chars().take(QUOTED).chain("...".chars()).collect()
}

/// A bound without the fraction that the schema's generator writes.
fn whole(limit: &Value) -> String {
    limit.to_string().trim_end_matches(".0").to_owned()
}

fn wanted(kind: &TypeKind) -> String {
    let name = match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(set) => {
            let names = set.iter().map(|one| one.to_string()).filter(|name| name != "null");
            names.collect::<Vec<_>>().join(" or ")
        }
    };
    match name.as_str() {
        "integer or string" | "string or integer" => "a quantity, such as 1 or \"500m\"",
        "object" => "a map of fields",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "boolean" => "true or false",
        other => other,
    }
    .to_owned()
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Object(_) => "a map of fields".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) => format!("the text {}", quoted(value)),
        Value::Number(_) => format!("the number {value}"),
        Value::Bool(_) => format!("{value}"),
    }
}
