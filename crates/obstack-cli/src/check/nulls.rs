//! Nulls: the API server drops those of fields that take none, before it looks at anything.

use serde_json::Value;

/// Drops every null: to a rule of the API server a field that is null is not there.
pub(super) fn drop_all(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_all);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_all),
        _ => {}
    }
}

/// Drops the nulls of fields whose schema takes none.
pub(super) fn drop(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let of_field = |name: &str| {
                let known = schema.get("properties").and_then(|known| known.get(name));
                known.or_else(|| schema.get("additionalProperties").filter(|values| values.is_object()))
            };
            let nullable =
                |schema: &Value| schema.get("nullable") == Some(&Value::Bool(true)) || super::is_open(schema);
            fields.retain(|name, value| !value.is_null() || of_field(name).is_none_or(nullable));
            for (name, value) in fields.iter_mut() {
                if let Some(schema) = of_field(name) {
                    drop(schema, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    drop(schema, item);
                }
            }
        }
        _ => {}
    }
}
