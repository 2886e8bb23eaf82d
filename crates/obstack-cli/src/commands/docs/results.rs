//! The page about what programs get, as Markdown. `cargo xtask codegen` writes it into `docs/reference`.

use serde_json::Value;

use super::{
    markdown::{put, row, sentence},
    schemas::{KINDS, Kind},
};
use crate::output::API_VERSION;

/// Fields that every result has: they are told once.
const HEAD: &[&str] = &["apiVersion", "kind"];

/// The page.
pub fn page() -> String {
    let mut text = String::from(
        "<!-- Made by `cargo xtask codegen`. Do not edit. -->\n\n# Results of kubectl obstack for programs\n\n",
    );
    put(
        &mut text,
        &format!(
            "With `-o json` and `-o yaml` a command of [kubectl obstack](kubectl-obstack.md) prints an object with \
             `apiVersion: {API_VERSION}`, a `kind`, and the fields of that kind. Fields and values are added without \
             a new version: a program ignores those that it does not know. None is removed or renamed, and none \
             changes its meaning.\n\nFields that are always there come first. One that is optional is absent where \
             nothing is to be said. What is taken from a stack is told of in [the API](api.md).\n"
        ),
    );
    for kind in KINDS {
        section(&mut text, kind);
    }
    text
}

fn section(text: &mut String, kind: &Kind) {
    let schema = kind.schema();
    put(text, &format!("\n## {}\n\n", kind.name));
    let links: Vec<_> =
        kind.commands.iter().map(|name| format!("[`{name}`](kubectl-obstack.md#{name})")).collect();
    put(text, &format!("{} Printed by {}.\n\n", sentence(about(&schema)), links.join(" and ")));
    put(text, "| path | type | meaning |\n|---|---|---|\n");
    fields(text, &schema, "");
}

/// A row for each field of an object, each followed by those within it.
fn fields(text: &mut String, object: &Value, above: &str) {
    let Some(known) = object.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<_> = list(object, "required").iter().filter_map(Value::as_str).collect();
    let optional = known.keys().map(String::as_str).filter(|name| !required.contains(name));
    // Only the required ones keep the order of the struct.
    for name in required.iter().copied().chain(optional) {
        if above.is_empty() && HEAD.contains(&name) {
            continue;
        }
        let Some(field) = known.get(name) else { continue };
        let path = format!("{above}{name}");
        let absent = if required.contains(&name) { "" } else { ", optional" };
        let meaning = meaning(field);
        row(text, &[format!("`{path}`"), format!("{}{absent}", type_of(field)), meaning]);
        if field.get("x-api").is_some() {
            continue;
        }
        match present(field) {
            item if item.get("items").is_some() => {
                fields(text, item.get("items").unwrap_or(&Value::Null), &format!("{path}[]."));
            }
            object => fields(text, object, &format!("{path}.")),
        }
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn about(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|of| of == "null")
}

/// The schema of a value where it is not null.
fn present(schema: &Value) -> &Value {
    list(schema, "anyOf").iter().find(|one| !is_null(one)).unwrap_or(schema)
}

fn type_of(schema: &Value) -> String {
    let inner = present(schema);
    let null = list(schema, "anyOf").iter().any(is_null) || list(inner, "type").iter().any(|of| of == "null");
    let name = match inner.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ if words(inner).is_empty() => None,
        _ => Some("string"),
    };
    let name = match name {
        Some("array") => format!("list of {}", inner.get("items").map(type_of).unwrap_or_default()),
        Some(name) => name.to_owned(),
        None => "anything".to_owned(),
    };
    if null { format!("{name} or null") } else { name }
}

/// What a field means: its description, the words that it can be, and where the API tells more.
fn meaning(schema: &Value) -> String {
    let inner = present(schema);
    let mut all = vec![sentence(about(schema))];
    all.extend(words(inner.get("items").unwrap_or(inner)));
    if let Some(place) = schema.get("x-api").and_then(Value::as_str) {
        all.push(format!("See [{place}](api.md#{}).", place.replace('.', "")));
    }
    all.join(" ")
}

/// The words that a value can be.
fn words(schema: &Value) -> Vec<String> {
    let plain = list(schema, "enum").iter().filter_map(Value::as_str).map(|word| format!("`{word}`."));
    let told = list(schema, "oneOf").iter().flat_map(|one| match one.get("const").and_then(Value::as_str) {
        Some(word) if about(one).is_empty() => vec![format!("`{word}`.")],
        Some(word) => vec![format!("`{word}`: {}", sentence(about(one)))],
        None => words(one),
    });
    plain.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_committed_page_is_what_the_code_makes() {
        let file = format!("{}/../../docs/reference/kubectl-obstack-output.md", env!("CARGO_MANIFEST_DIR"));
        let committed = fs::read_to_string(file).unwrap_or_default();
        let outdated = "docs/reference/kubectl-obstack-output.md is outdated; run `cargo xtask codegen`";
        assert!(committed == page(), "{outdated}");
    }

    #[test]
    fn every_field_has_a_type_and_a_meaning() {
        let page = page();
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(rows.len() > 100, "{}", rows.len());
        for row in rows {
            let cells: Vec<_> = row.split(" | ").collect();
            assert!(cells.len() == 3 && cells[2].len() > " |".len() + 3, "{row}");
        }
    }
}
