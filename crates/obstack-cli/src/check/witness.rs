//! Which fields a rule refuses. A rule stands on a block and says no to all of it; the fields without which it would
//! say yes are found by leaving out one after another.

use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::{Map, Value, json};

use super::schema_of;
use crate::path::Path;

/// Most faults that one rule makes on one block.
const MOST: usize = 16;

/// One rule on one block, to be asked again and again.
pub(super) struct Trial<'a> {
    validator: &'a Validator,
    compiled: CompiledSchema,
    stored: Option<&'a Value>,
}

/// A field that a rule refuses.
pub(super) struct Culprit {
    /// The field, below the block.
    pub field: Path,
    /// What else the rule needs to say no.
    pub with: Vec<Path>,
}

impl<'a> Trial<'a> {
    /// A rule that said no to the block at a path.
    pub(super) fn new(
        validator: &'a Validator,
        schema: &Value,
        block: &Path,
        stored: Option<&'a Value>,
        error: &ValidationError,
    ) -> Option<Self> {
        let mut schema = without_rules(schema_of(schema, block)?);
        let rule = json!([{"rule": error.rule, "message": error.message}]);
        schema.as_object_mut()?.insert("x-kubernetes-validations".into(), rule);
        let stored = stored.and_then(|stored| block.get(stored));
        Some(Self { validator, compiled: compile_schema(&schema), stored })
    }

    /// Whether the rule says no. That it cannot be asked is no answer.
    fn refuses(&self, block: &Value) -> bool {
        let answer = self.validator.validate_compiled(&self.compiled, block, self.stored);
        answer.is_err_and(|errors| errors.iter().all(|error| error.kind == ErrorKind::ValidationFailure))
    }

    /// The fields that it refuses, one of which is enough each time.
    pub(super) fn culprits(&self, block: &Value, message: &str) -> Vec<Culprit> {
        let mut block = block.clone();
        let mut found = Vec::new();
        while found.len() < MOST && self.refuses(&block) {
            let mut least = block.clone();
            self.shrink(&mut least, &Path::default());
            let fields = leaves(&least, &Path::default());
            let Some(field) = told(&fields, message) else { break };
            let nothing_left = field.steps().is_empty();
            if let (Some(parent), Some(name)) = (field.parent(), field.name())
                && let Some(map) = block.pointer_mut(&parent.pointer()).and_then(Value::as_object_mut)
            {
                map.remove(name);
            }
            found.push(Culprit { field, with: fields });
            if nothing_left {
                break;
            }
        }
        found
    }

    /// Leaves out all that the rule says no without.
    fn shrink(&self, whole: &mut Value, at: &Path) {
        let pointer = at.pointer();
        let fields = |whole: &Value| -> Vec<String> {
            let map = whole.pointer(&pointer).and_then(Value::as_object);
            map.into_iter().flat_map(Map::keys).cloned().collect()
        };
        for name in fields(whole) {
            let Some(map) = whole.pointer_mut(&pointer).and_then(Value::as_object_mut) else { return };
            let Some(left_out) = map.remove(&name) else { continue };
            if self.refuses(whole) {
                continue;
            }
            if let Some(map) = whole.pointer_mut(&pointer).and_then(Value::as_object_mut) {
                map.insert(name.clone(), left_out);
            }
            self.shrink(whole, &at.field(&name));
        }
    }
}

/// The fields of a value that hold no further ones.
fn leaves(value: &Value, at: &Path) -> Vec<Path> {
    match value.as_object() {
        Some(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| leaves(value, &at.field(name))).collect()
        }
        _ => vec![at.clone()],
    }
}

/// The field that a message is about: the deepest, and of several the one that it names first.
fn told(fields: &[Path], message: &str) -> Option<Path> {
    let named = |path: &Path| {
        let text = path.to_string();
        let tails = text.match_indices('.').filter_map(|(at, _)| text.get(at + 1..));
        std::iter::once(text.as_str()).chain(tails).find_map(|tail| message.find(tail)).unwrap_or(usize::MAX)
    };
    let rank = |path: &&Path| (std::cmp::Reverse(path.steps().len()), named(path));
    fields.iter().min_by_key(rank).cloned()
}

/// A schema without the rules on it and below it.
fn without_rules(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(key, _)| *key != "x-kubernetes-validations");
            Value::Object(fields.map(|(key, value)| (key.clone(), without_rules(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_rules).collect()),
        other => other.clone(),
    }
}
