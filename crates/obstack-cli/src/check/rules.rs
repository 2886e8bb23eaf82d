//! The admission rules (CEL), evaluated as the API server does: on the object with its defaults, and on the change
//! from what is stored.

use kube_cel::{ErrorKind, RootContext, ValidationError, Validator, apply_defaults, compile_schema};
use serde_json::{Map, Value};

use super::{Fault, Source, nulls, witness};
use crate::{
    args::COMMAND,
    cluster::nearest,
    input::{API_VERSION, KIND},
    path::Path,
};

/// Why a fault is one, where the rule said no.
const REFUSED: &str = "RuleRefused";
/// Where it could not be asked. That is never a yes.
const NOT_EVALUATED: &str = "RuleNotEvaluated";

/// Holds a document against every rule that it meets.
pub(super) fn hold(schema: &Value, document: &Value, stored: Option<&Value>) -> Vec<Fault> {
    // Defaults come first: a field that may be null and is null gets none.
    let without_nulls = |mut document: Value| {
        nulls::drop_all(&mut document);
        document
    };
    let with_defaults = |document: &Value| without_nulls(apply_defaults(schema, document));
    let (defaulted, stored) = (with_defaults(document), stored.map(with_defaults));
    let (document, stored) = (&without_nulls(document.clone()), stored.as_ref());
    // Rules cost most when they are read: those of blocks that are not there, and of changes where nothing is
    // stored, are left out.
    let met = met(schema, &defaulted, stored.is_some());
    let compiled = compile_schema(&met);
    let (group, _) = API_VERSION.split_once('/').unwrap_or_default();
    let root = RootContext {
        api_version: API_VERSION.to_owned(),
        api_group: group.to_owned(),
        kind: KIND.to_owned(),
    };
    let validator = Validator::new();
    let Err(errors) = validator.validate_compiled_with_context(&compiled, &defaulted, stored, Some(&root))
    else {
        return Vec::new();
    };
    let mut faults: Vec<Fault> = Vec::new();
    for error in errors {
        for fault in told(&validator, schema, document, &defaulted, stored, &error) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    faults
}

/// The faults behind one rule that did not pass: one for each field that it refuses.
fn told(
    validator: &Validator,
    schema: &Value,
    document: &Value,
    defaulted: &Value,
    stored: Option<&Value>,
    error: &ValidationError,
) -> Vec<Fault> {
    let node = Path::read(&error.field_path, defaulted);
    if error.kind != ErrorKind::ValidationFailure {
        let message = format!("the rule could not be evaluated here: {} ({})", error.message, error.rule);
        let fault = Fault::new(Source::Rule, NOT_EVALUATED, node, message);
        return vec![fault.fix(format!("let the API server hold it: {COMMAND} validate --server"))];
    }
    let trial = witness::Trial::new(validator, schema, &node, stored, error);
    let found = match (&trial, node.get(document)) {
        (Some(trial), Some(part)) => trial.culprits(part, &error.message),
        _ => Vec::new(),
    };
    if found.is_empty() {
        return vec![Fault::new(Source::Rule, REFUSED, node, error.message.clone())];
    }
    let fault = |culprit: witness::Culprit| Fault {
        fix: meant(&culprit.field, &error.message).map(|meant| format!("did you mean {meant}?")),
        with: culprit.with.iter().map(|path| node.join(path)).chain([node.clone()]).collect(),
        ..Fault::new(Source::Rule, REFUSED, node.join(&culprit.field), error.message.clone())
    };
    found.into_iter().map(fault).collect()
}

/// The name that was probably meant, where the message lists those that are allowed.
fn meant<'a>(field: &Path, message: &'a str) -> Option<&'a str> {
    let (_, allowed) = message.split_once("allowed: ")?;
    nearest(field.name()?, allowed.split(", "))
}

/// The part of a schema that a value meets.
fn met(schema: &Value, value: &Value, changes: bool) -> Value {
    let Some(keywords) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (keyword, content) in keywords {
        let content = match (keyword.as_str(), content) {
            ("properties", Value::Object(fields)) => {
                let fields = fields.iter().filter_map(|(name, schema)| {
                    Some((name.clone(), met(schema, value.get(name)?, changes)))
                });
                Value::Object(fields.collect())
            }
            ("x-kubernetes-validations", Value::Array(rules)) => {
                let text = |rule: &Value| rule.get("rule").and_then(Value::as_str).map(str::to_owned);
                let of_change = |rule: &Value| text(rule).is_some_and(|rule| rule.contains("oldSelf"));
                Value::Array(rules.iter().filter(|rule| changes || !of_change(rule)).cloned().collect())
            }
            // Values of a map, and items, differ in what they have, and their rules are few: all of them stay.
            _ => content.clone(),
        };
        out.insert(keyword.clone(), content);
    }
    Value::Object(out)
}
