//! `docs/reference/api.md`: every field of the CRD and every admission rule.

use std::fmt::Write;

use obstack_api::rules::{COMPONENT_RULES, RULES, Rule};
use obstack_core::backends::role::{DataVolume, Role};
use obstack_core::backends::{mimir, tempo};
use obstack_core::collectors;
use serde_json::Value;

use super::markdown::{MADE, code, head, row};

const INTRO: &str = "
# API reference: ObservabilityStack

`obstack.dev/v1alpha1`, namespaced, short name `obstack`, category `observability`. `kubectl explain obstack.spec --recursive` shows the same fields.

A field without a default that is left out stays out of the stored object. Where its description says \"when silent\", the operator decides as it says there, and `status` shows the outcome. `*` stands for any key of a map, `[]` for any entry of a list.
";

const RULES_INTRO: &str = "
## Admission rules

The API server checks these before it stores an object, beside types, patterns and bounds. They see the object alone. What needs the cluster, such as a Secret or a bucket, is a [condition](conditions.md) instead. \"on update\" marks a rule that compares with the stored object.
";

const DEFAULTS_INTRO: &str = "
## Components when the spec is silent

A component that the spec does not name runs as listed here, per replica. With 0 replicas it is left out. `ingester`, `singleBinary` and `storeGateway` get their memory limit only while the component has no `resources` at all: with `resources`, the limit has to be written.
";

/// The page.
pub fn page() -> String {
    let crd = obstack_api::schema::crd();
    let root = crd.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default();
    let mut text = format!("{MADE}{INTRO}");
    for block in ["spec", "status"] {
        let Some(schema) = root.pointer(&format!("/properties/{block}")) else { continue };
        section(&mut text, block, schema);
    }
    text.push_str(DEFAULTS_INTRO);
    text.push('\n');
    defaults(&mut text);
    text.push_str(RULES_INTRO);
    text.push('\n');
    rules(&mut text);
    text
}

/// One table for the plain fields of a block, and one for each field of it that has fields of its own.
fn section(text: &mut String, block: &str, schema: &Value) {
    let fields = fields(schema);
    let (nested, plain): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, field)| has_fields(field));
    let _ = write!(text, "\n## {block}\n\n{}", head(&["field", "type", "default", "bounds", "meaning"]));
    let required = required(schema);
    for (name, field) in plain {
        text.push_str(&line(&format!("{block}.{name}"), field, required.contains(&name)));
        below(text, &format!("{block}.{name}"), field);
    }
    for (name, field) in nested {
        let path = format!("{block}.{name}");
        let needed = if required.contains(&name) { " Required." } else { "" };
        let meaning = field["description"].as_str().unwrap_or_default();
        let _ = write!(
            text,
            "\n### {path}\n\n{}{needed}\n\n{}",
            one_line(meaning),
            head(&["field", "type", "default", "bounds", "meaning"])
        );
        below(text, &path, field);
    }
}

/// The rows of everything below a field.
fn below(text: &mut String, path: &str, field: &Value) {
    if let Some(items) = field.get("items").filter(|items| has_fields(items)) {
        return below(text, &format!("{path}[]"), items);
    }
    if let Some(values) = field.get("additionalProperties").filter(|values| has_fields(values)) {
        return below(text, &format!("{path}.*"), values);
    }
    let required = required(field);
    for (name, child) in fields(field) {
        let path = format!("{path}.{name}");
        text.push_str(&line(&path, child, required.contains(&name)));
        below(text, &path, child);
    }
}

fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let fields = schema.get("properties").and_then(Value::as_object);
    fields.into_iter().flatten().map(|(name, field)| (name.as_str(), field)).collect()
}

fn has_fields(schema: &Value) -> bool {
    schema.get("properties").is_some()
}

fn required(schema: &Value) -> Vec<&str> {
    let list = schema.get("required").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn line(path: &str, field: &Value, required: bool) -> String {
    let default = match field.get("default") {
        _ if required => "required".to_owned(),
        Some(Value::String(word)) => code(word),
        Some(value) => code(&value.to_string()),
        None => String::new(),
    };
    let meaning = one_line(field["description"].as_str().unwrap_or_default());
    row(&[&code(path), &kind(field), &default, &bounds(field), &meaning])
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(field: &Value) -> String {
    if field["x-kubernetes-int-or-string"] == true {
        return "quantity".into();
    }
    match (field["type"].as_str(), field.get("items"), field.get("additionalProperties")) {
        (_, Some(items), _) => format!("list of {}", kind(items)),
        (_, _, Some(values)) if values.is_object() => format!("map of {}", kind(values)),
        (Some(_), ..) if field["format"] == "date-time" => "time".into(),
        (Some(plain), ..) => plain.into(),
        (None, ..) => "anything".into(),
    }
}

fn bounds(field: &Value) -> String {
    let mut said: Vec<String> = Vec::new();
    if let Some(words) = field.get("enum").and_then(Value::as_array) {
        said.push(words.iter().filter_map(Value::as_str).map(code).collect::<Vec<_>>().join(", "));
    }
    let number = |key: &str| field.get(key).and_then(Value::as_f64).map(|number| format!("{number}"));
    for (low, high, of) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " entries"),
    ] {
        match (number(low), number(high)) {
            (Some(low), Some(high)) => said.push(format!("{low} to {high}{of}")),
            (Some(low), None) => said.push(format!("at least {low}{of}")),
            (None, Some(high)) => said.push(format!("at most {high}{of}")),
            (None, None) => {}
        }
    }
    // A quantity's pattern says nothing that the word does not.
    let quantity = field["x-kubernetes-int-or-string"] == true;
    if let Some(pattern) = field.get("pattern").and_then(Value::as_str).filter(|_| !quantity) {
        said.push(code(pattern));
    }
    said.join("; ")
}

fn defaults(text: &mut String) {
    text.push_str(&head(&["component", "replicas", "CPU", "memory", "memory limit", "volume"]));
    for (place, roles) in [
        ("traces (Monolithic)", tempo::MONOLITHIC),
        ("traces (Distributed)", tempo::DISTRIBUTED),
        ("metrics", mimir::ROLES),
        ("collectors.alloy (Managed)", &[collectors::ALLOY]),
    ] {
        for Role { key, replicas, cpu, memory, memory_limit, data, .. } in roles {
            let volume = match data {
                DataVolume::None => "",
                DataVolume::EmptyDir => "EmptyDir",
                DataVolume::Claim(size) => size,
            };
            let name = format!("{place}: `{key}`");
            text.push_str(&row(&[
                &name,
                &replicas.to_string(),
                cpu,
                memory,
                memory_limit.unwrap_or_default(),
                volume,
            ]));
        }
    }
}

fn rules(text: &mut String) {
    text.push_str(&head(&["at", "", "message"]));
    for rule in RULES {
        text.push_str(&rule_row(&rule.at.join("."), rule));
    }
    for rule in COMPONENT_RULES {
        text.push_str(&rule_row(
            &format!("spec.{{traces,metrics}}.components.*.{}", rule.at.join(".")),
            rule,
        ));
    }
}

fn rule_row(at: &str, rule: &Rule) -> String {
    let at = if at.is_empty() { "the object".to_owned() } else { code(at) };
    let update = if rule.rule.contains("oldSelf") { "on update" } else { "" };
    row(&[&at, update, rule.message])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `visit` with the path of every named field below a schema.
    fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str)) {
        for (name, field) in fields(schema) {
            let path = format!("{path}.{name}");
            visit(&path);
            walk(&path, field, visit);
        }
        for (step, child) in [(".*", "additionalProperties"), ("[]", "items")] {
            if let Some(child) = schema.get(child).filter(|child| child.is_object()) {
                walk(&format!("{path}{step}"), child, visit);
            }
        }
    }

    #[test]
    fn every_field_and_every_rule_is_on_the_page() {
        let page = page();
        let crd = obstack_api::schema::crd();
        for block in ["spec", "status"] {
            let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][block];
            walk(block, schema, &mut |path| {
                let there =
                    page.contains(&format!("| `{path}` |")) || page.contains(&format!("### {path}\n"));
                assert!(there, "{path}");
            });
        }
        for rule in RULES.iter().chain(COMPONENT_RULES) {
            assert!(page.contains(rule.message), "{}", rule.message);
        }
    }
}
