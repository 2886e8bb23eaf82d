//! The kinds of results that programs get, and the schema of each.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::super::{
    adopt, approve, diff, plan, quota, reconcile, status, suspend, validate, verify, version,
};
use crate::{output::API_VERSION, story::Story};

/// A kind of result.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What prints it.
    pub commands: &'static [&'static str],
    result: fn(&mut SchemaGenerator) -> Schema,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    kind::<adopt::report::Report>("Adoption", &["adopt"]),
    kind::<approve::Done>("Approval", &["approve"]),
    kind::<quota::report::Capacity>("Capacity", &["quota"]),
    kind::<diff::report::Differences>("Diff", &["diff"]),
    kind::<plan::Plans>("Plan", &["plan"]),
    kind::<reconcile::List>("Reconciliation", &["reconcile"]),
    kind::<status::List>("StackList", &["status"]),
    kind::<status::One<'static>>("StackStatus", &["status"]),
    kind::<Story>("StackStory", &["why"]),
    kind::<suspend::Done>("Suspension", &["resume", "suspend"]),
    kind::<validate::report::Report>("Validation", &["validate"]),
    kind::<verify::check::Verification>("Verification", &["verify"]),
    kind::<version::Versions>("Versions", &["version"]),
];

const fn kind<T: JsonSchema>(name: &'static str, commands: &'static [&'static str]) -> Kind {
    Kind { name, commands, result: T::json_schema }
}

impl Kind {
    /// The schema of what is printed. It knows no fields but those that are documented.
    pub fn schema(&self) -> Value {
        let mut settings = SchemaSettings::draft2020_12().for_serialize();
        // Nothing refers to itself, and a schema that stands in its place is easily walked.
        settings.inline_subschemas = true;
        let mut schema = Value::from((self.result)(&mut settings.into_generator()));
        let head = [("apiVersion", API_VERSION), ("kind", self.name)];
        if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            fields.extend(head.map(|(name, value)| (name.to_owned(), json!({"const": value}))));
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.extend(head.map(|(name, _)| name.into()));
        }
        close(&mut schema);
        schema
    }
}

/// Denies other fields than those that are listed, and null where a field is left out instead.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            let required = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            let Some(fields) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
            let optional = fields.iter_mut().filter(|(name, _)| !required.iter().any(|other| other == *name));
            optional.for_each(|(_, field)| never_null(field));
            object.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

fn never_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|of| of != "null");
    }
    if let Some(all) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        all.retain(|one| one.get("type").is_none_or(|of| of != "null"));
    }
}

/// The schema of every kind, by its name.
pub fn all() -> Value {
    let all: Map<_, _> = KINDS.iter().map(|kind| (kind.name.to_owned(), kind.schema())).collect();
    all.into()
}

/// Holds what programs get of a result against the schema of its kind.
#[cfg(test)]
pub fn hold(kind: &'static str, result: &impl serde::Serialize) {
    use crate::output::{Format, for_programs};

    let printed = for_programs(Format::Json, kind, result).expect("JSON").expect("for programs");
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let known = KINDS.iter().find(|known| known.name == kind).expect("a kind that is known");
    let schema = jsonschema::options().offline().build(&known.schema()).expect("a schema");
    let faults: Vec<_> =
        schema.iter_errors(&printed).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{kind}: {faults:#?}");
}
