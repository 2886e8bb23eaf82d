//! The structural schema, held as strictly as `kubectl apply` has the API server hold it: a field that it does not
//! know is a fault.

use jsonschema::{Validator, error::ValidationErrorKind as Kind, paths::LocationSegment};
use serde_json::{Map, Value, json};

use super::{Fault, Source, describe, is_open, schema_of};
use crate::path::{Path, Step};

/// What the schema finds.
pub(super) struct Found {
    /// The faults.
    pub faults: Vec<Fault>,
    /// Rules would read what is not there, is misspelt, or is of another type.
    pub blocking: bool,
    /// The document without the fields that nobody knows.
    pub known: Value,
}

/// A validator that knows no other fields than the schema, and the metadata that every object has.
pub(super) fn strict(schema: &Value) -> Result<Validator, jsonschema::ValidationError<'static>> {
    let mut schema = closed(schema);
    if let Some(fields) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        fields.insert("apiVersion".into(), json!({"type": "string"}));
        fields.insert("kind".into(), json!({"type": "string"}));
        fields.insert("metadata".into(), metadata());
        // Nobody writes it with the spec: the API server does not look at it either.
        fields.remove("status");
    }
    if let Some(root) = schema.as_object_mut() {
        root.insert("required".into(), json!(["apiVersion", "kind", "metadata", "spec"]));
    }
    jsonschema::options().offline().build(&schema)
}

/// What is held of an object's metadata.
fn metadata() -> Value {
    let text = json!({"type": "string"});
    let free = json!({});
    let value = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
    let key = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
    json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
            "namespace": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            "labels": {
                "type": ["object", "null"],
                "propertyNames": {"pattern": key},
                "additionalProperties": {"type": "string", "maxLength": 63, "pattern": value},
            },
            "annotations": {
                "type": ["object", "null"],
                "propertyNames": {"pattern": r"^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"},
                "additionalProperties": {"type": "string"},
            },
            "finalizers": {"type": ["array", "null"], "items": text},
            "generateName": text, "selfLink": text, "uid": text, "resourceVersion": text,
            "creationTimestamp": free, "deletionTimestamp": free, "deletionGracePeriodSeconds": free,
            "generation": free, "managedFields": free, "ownerReferences": free,
        },
    })
}

/// The schema in the words of JSON Schema: closed where it is not open, with null where it is nullable.
fn closed(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in fields {
        let value = match key.as_str() {
            "properties" => {
                let known = value.as_object().into_iter().flatten();
                Value::Object(known.map(|(name, schema)| (name.clone(), closed(schema))).collect())
            }
            "items" | "additionalProperties" => closed(value),
            "x-kubernetes-validations" | "description" | "default" | "title" => continue,
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    let is_object = fields.get("type") == Some(&json!("object"));
    if is_object && !is_open(schema) && !fields.contains_key("additionalProperties") {
        out.insert("additionalProperties".into(), json!(false));
    }
    if fields.get("x-kubernetes-list-type") == Some(&json!("set")) {
        out.insert("uniqueItems".into(), json!(true));
    }
    let mut types: Vec<_> = fields.get("type").cloned().into_iter().collect();
    if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        // The API server takes it as these two types, whatever its anyOf says.
        types = vec![json!("integer"), json!("string")];
        out.remove("anyOf");
    }
    if fields.get("nullable") == Some(&json!(true)) && !types.is_empty() {
        types.push(json!("null"));
        if let Some(values) = out.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
    if !types.is_empty() {
        out.insert("type".into(), Value::Array(types));
    }
    Value::Object(out)
}

/// Holds a document against the schema.
pub(super) fn hold(strict: &Validator, schema: &Value, document: &Value) -> Found {
    let mut found = Found { faults: Vec::new(), blocking: !document.is_object(), known: document.clone() };
    for error in strict.iter_errors(document) {
        let steps = error.instance_path().segments().map(|segment| match segment {
            LocationSegment::Property(name) => Step::Field(name.into_owned()),
            LocationSegment::Index(index) => Step::Index(index),
        });
        let path = Path::new(steps.collect());
        let at = schema_of(schema, &path);
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let known = known_fields(at, &path);
                for name in unexpected {
                    forget(&mut found.known, &path, name);
                    let meant = describe::meant(name, &known, path.get(document));
                    // What is misspelt would be found missing.
                    found.blocking |= meant.is_some();
                    found.faults.push(describe::unknown(&path.field(name), meant, &known));
                }
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                found.blocking = true;
                let field = path.field(name);
                found.faults.push(describe::missing(&field, schema_of(schema, &field)));
            }
            kind => {
                found.blocking |= matches!(
                    kind,
                    Kind::Type { .. }
                        | Kind::MaxLength { .. }
                        | Kind::MaxItems { .. }
                        | Kind::MaxProperties { .. }
                );
                let (reason, message) = describe::value(kind, error.instance(), || error.to_string());
                let mut fault = Fault::new(Source::Schema, reason, path, message);
                fault.fix = describe::fix(kind, error.instance(), at);
                found.faults.push(fault);
            }
        }
    }
    found
}

/// The fields that are known at a place.
fn known_fields(schema: Option<&Value>, path: &Path) -> Vec<String> {
    let metadata = metadata();
    let schema = if path.name() == Some("metadata") { Some(&metadata) } else { schema };
    let fields = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let mut names: Vec<_> = fields.into_iter().flat_map(Map::keys).cloned().collect();
    if path.steps().is_empty() {
        names = ["apiVersion", "kind", "metadata", "spec"].map(str::to_owned).to_vec();
    }
    names
}

/// Drops a field that nobody knows, as the API server does before it holds rules.
fn forget(document: &mut Value, path: &Path, name: &str) {
    if let Some(fields) = document.pointer_mut(&path.pointer()).and_then(Value::as_object_mut) {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_schema_is_understood() {
        assert!(strict(&super::super::SCHEMA).is_ok());
    }
}
