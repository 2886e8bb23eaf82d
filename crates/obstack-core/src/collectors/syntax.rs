//! Text in Alloy's configuration syntax, in the form in which `alloy fmt` leaves it.

use std::fmt::Write;

/// What stands in a block, or in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Words for whoever reads the file, about what follows.
    Comment(&'static str),
    /// `name = value`.
    Attribute(&'static str, Expression),
    /// A block with what is in it.
    Block(Block),
}

/// A block: `name "label" { body }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    name: String,
    label: Option<String>,
    body: Vec<Item>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// A text, which is quoted.
    Text(String),
    /// A whole number.
    Number(u32),
    /// True or false.
    Bool(bool),
    /// What another component exports.
    Export(String),
    /// A list of what other components export.
    Exports(Vec<String>),
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Expression {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Expression {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Expression {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A block without a label.
pub(super) fn block(name: &str, body: Vec<Item>) -> Item {
    Item::Block(Block { name: name.to_owned(), label: None, body })
}

/// A block with a label.
pub(super) fn labelled(name: &str, label: &str, body: Vec<Item>) -> Item {
    Item::Block(Block { name: name.to_owned(), label: Some(label.to_owned()), body })
}

/// An attribute.
pub(super) fn set(name: &'static str, value: impl Into<Expression>) -> Item {
    Item::Attribute(name, value.into())
}

/// A file with these items.
pub(super) fn file(items: &[Item]) -> String {
    let mut text = String::new();
    body(&mut text, items, 0);
    text
}

/// Blocks stand apart from what is around them. Comments belong to what follows, and the `=` of attributes in a row
/// stand in one column: Alloy's printer has it so.
fn body(text: &mut String, items: &[Item], depth: usize) {
    let indent = "\t".repeat(depth);
    let mut rest = items;
    let mut before: Option<&Item> = None;
    while let Some((item, after)) = rest.split_first() {
        let follows_block = matches!(before, Some(Item::Block(_)));
        let begins_block = !matches!(before, None | Some(Item::Comment(_))) && leads_to_block(rest);
        if follows_block || begins_block {
            text.push('\n');
        }
        rest = after;
        match item {
            Item::Comment(words) => {
                for line in words.lines() {
                    let _ = writeln!(text, "{indent}// {line}");
                }
            }
            Item::Block(block) => open_and_close(text, block, &indent, depth),
            Item::Attribute(..) => {
                let others = rest.iter().take_while(|item| matches!(item, Item::Attribute(..))).count();
                let (row, after) = rest.split_at(others);
                attributes(text, std::iter::once(item).chain(row), &indent);
                rest = after;
            }
        }
        before = Some(item);
    }
}

/// Whether these items begin with a block, or with words about one.
fn leads_to_block(items: &[Item]) -> bool {
    let first = items.iter().find(|item| !matches!(item, Item::Comment(_)));
    matches!(first, Some(Item::Block(_)))
}

fn open_and_close(text: &mut String, block: &Block, indent: &str, depth: usize) {
    let label = block.label.as_deref().map(|label| format!(" {}", quoted(label))).unwrap_or_default();
    if block.body.is_empty() {
        let _ = writeln!(text, "{indent}{}{label} {{ }}", block.name);
        return;
    }
    let _ = writeln!(text, "{indent}{}{label} {{", block.name);
    body(text, &block.body, depth + 1);
    let _ = writeln!(text, "{indent}}}");
}

fn attributes<'a>(text: &mut String, row: impl Iterator<Item = &'a Item> + Clone, indent: &str) {
    let named = |item: &'a Item| match item {
        Item::Attribute(name, value) => Some((*name, value)),
        _ => None,
    };
    let width = row.clone().filter_map(named).map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in row.filter_map(named) {
        let _ = writeln!(text, "{indent}{name:<width$} = {}", written(value));
    }
}

fn written(value: &Expression) -> String {
    match value {
        Expression::Text(text) => quoted(text),
        Expression::Number(number) => number.to_string(),
        Expression::Bool(value) => value.to_string(),
        Expression::Export(name) => name.clone(),
        Expression::Exports(names) => format!("[{}]", names.join(", ")),
    }
}

/// A text as a literal of Alloy's, which are those of Go.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_so_that_it_stays_text() {
        for (text, literal) in [
            ("http://a:1/b", r#""http://a:1/b""#),
            (r#"a" b = "c"#, r#""a\" b = \"c""#),
            ("a\\\nb\u{7}", "\"a\\\\\\nb\\u0007\""),
        ] {
            assert_eq!(quoted(text), literal);
        }
    }

    #[test]
    fn the_form_is_that_of_alloys_printer() {
        let items = [
            Item::Comment("first\nsecond"),
            labelled(
                "a.b",
                "x",
                vec![
                    set("long_name", 1),
                    set("short", "v"),
                    block("inner", vec![set("on", true)]),
                    Item::Comment("why"),
                    block("empty", Vec::new()),
                    Item::Comment("attribute"),
                    set("last", Expression::Exports(vec!["a.b.c".into()])),
                ],
            ),
        ];
        let wanted = "// first\n// second\na.b \"x\" {\n\tlong_name = 1\n\tshort     = \"v\"\n\n\tinner {\n\t\ton = true\n\t}\n\n\
                      \t// why\n\tempty { }\n\n\t// attribute\n\tlast = [a.b.c]\n}\n";
        assert_eq!(file(&items), wanted);
    }
}
