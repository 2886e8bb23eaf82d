//! Whether a manifest is a valid stack: by the schema and the admission rules that the API server holds, from the
//! `CustomResourceDefinition` itself, and by the checks of the operator. Nothing here reads or writes.

mod describe;
mod nulls;
mod operator;
mod rules;
mod schema;
mod witness;

use std::{fmt, sync::LazyLock};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub use self::operator::hold as hold_by_operator;
use crate::{error::Error, path::Path};

/// The schema of a stack as the `CustomResourceDefinition` has it.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut crd = obstack_api::schema::crd();
    crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").map(Value::take).unwrap_or_default()
});

/// Who finds a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Source {
    /// The file: it is not YAML, or says something else than a stack.
    Manifest,
    /// The schema.
    Schema,
    /// An admission rule.
    Rule,
    /// The operator, beyond what the API server checks.
    Operator,
    /// The API server that was asked.
    Server,
}

/// A fault of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What to do, where the message does not say it.
    pub fix: Option<String>,
    /// Who finds it.
    pub source: Source,
    /// Why, in one word.
    pub reason: String,
    /// More fields that it is about.
    pub with: Vec<Path>,
}

impl Fault {
    /// A fault of a field.
    pub fn new(source: Source, reason: impl Into<String>, path: Path, message: impl Into<String>) -> Self {
        Self { path, message: message.into(), fix: None, source, reason: reason.into(), with: Vec::new() }
    }

    /// What to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&said(&self.path.to_string(), &self.message))
    }
}

/// A message with its field, unless it names that itself.
pub fn said(path: &str, message: &str) -> String {
    if path.is_empty() || message.contains(&format!("\"{path}\"")) {
        return message.to_owned();
    }
    format!("{path}: {message}")
}

/// What the API server would say.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// The faults.
    pub faults: Vec<Fault>,
    /// The admission rules were held against it, and the operator's checks may be. As in the API server they are not
    /// while a field is missing, misspelt, too long or of another type: what they read would not be there.
    pub ruled: bool,
}

/// Holds documents against schema and rules. Making it is half of the work on a document, so there is one.
static CHECKER: LazyLock<Result<Checker, Error>> = LazyLock::new(Checker::new);

/// The checker of this process.
pub fn checker() -> Result<&'static Checker, Error> {
    CHECKER.as_ref().map_err(Clone::clone)
}

/// Holds documents against schema and rules.
pub struct Checker {
    strict: jsonschema::Validator,
}

impl Checker {
    /// Makes the schema ready.
    fn new() -> Result<Self, Error> {
        let strict = schema::strict(&SCHEMA).map_err(|error| {
            Error::new("the schema of this version cannot be used").because(error).fix("report this as a bug")
        })?;
        Ok(Self { strict })
    }

    /// What the API server would say of a document, and of the change from what is stored.
    pub fn admit(&self, document: &Value, stored: Option<&Value>) -> Admitted {
        let document = prepared(document);
        let found = schema::hold(&self.strict, &SCHEMA, &document);
        let (mut faults, ruled) = (found.faults, !found.blocking);
        if ruled {
            let known = found.known;
            faults.extend(rules::hold(&SCHEMA, &known, stored.map(prepared).as_ref()));
        }
        Admitted { faults, ruled }
    }
}

/// Without the nulls that the API server drops.
pub fn without_nulls(document: &Value) -> Value {
    let mut document = document.clone();
    nulls::drop(&SCHEMA, &mut document);
    document
}

/// A document as the API server has it before it looks: it takes no status with the spec.
fn prepared(document: &Value) -> Value {
    let mut document = without_nulls(document);
    if let Some(fields) = document.as_object_mut() {
        fields.remove("status");
    }
    document
}

/// The schema of a place.
fn schema_of<'a>(root: &'a Value, path: &Path) -> Option<&'a Value> {
    use crate::path::Step;
    path.steps().iter().try_fold(root, |schema, step| match step {
        Step::Index(_) => schema.get("items"),
        Step::Field(name) => {
            let field = schema.get("properties").and_then(|fields| fields.get(name));
            field.or_else(|| schema.get("additionalProperties").filter(|values| values.is_object()))
        }
    })
}

/// Whether a schema keeps fields that it does not list.
fn is_open(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;
