//! Where each field of a manifest stands in its file.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use crate::path::Path;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Characters of the key or the value.
    pub length: usize,
}

/// Where the fields of a document stand: at their keys; items of lists, and the document itself, at their values.
#[derive(Clone, Debug, Default)]
pub struct Marks(BTreeMap<String, Spot>);

impl Marks {
    /// Where a field stands, or, if it is missing, what is nearest around it.
    pub fn nearest(&self, path: &Path) -> Option<Spot> {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if let Some(spot) = self.0.get(&path.pointer()) {
                return Some(*spot);
            }
            at = path.parent();
        }
        None
    }

    /// The marks of one part of a document.
    pub fn below(&self, path: &Path) -> Self {
        let pointer = path.pointer();
        let part =
            self.0.iter().filter_map(|(key, spot)| Some((key.strip_prefix(&pointer)?.to_owned(), *spot)));
        Self(part.filter(|(key, _)| key.is_empty() || key.starts_with('/')).collect())
    }
}

/// The documents of a text, each with its marks. Empty ones are left out.
pub fn read(text: &str) -> Result<Vec<(Value, Marks)>, serde_saphyr::Error> {
    let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple(text)?;
    let marked = nodes.into_iter().map(|node| {
        let mut marks = Marks::default();
        marks.0.insert(String::new(), spot(&node.referenced));
        let value = marks.take(&Path::default(), node.value);
        (value, marks)
    });
    Ok(marked.filter(|(value, _)| !value.is_null()).collect())
}

impl Marks {
    /// Enters what lies below a path, and gives the plain value.
    fn take(&mut self, path: &Path, node: Node) -> Value {
        match node {
            Node::Scalar(value) => value,
            Node::List(items) => {
                let items = items.into_iter().enumerate().map(|(number, item)| {
                    let path = path.index(number);
                    self.0.insert(path.pointer(), spot(&item.referenced));
                    self.take(&path, item.value)
                });
                Value::Array(items.collect())
            }
            Node::Map(fields) => {
                let fields = fields.into_iter().map(|(key, value)| {
                    let path = path.field(&key.value);
                    self.0.insert(path.pointer(), spot(&key.referenced));
                    (key.value, self.take(&path, value.value))
                });
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

fn spot(at: &Location) -> Spot {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Spot {
        line: number(at.line()).max(1),
        column: number(at.column()).max(1),
        length: usize::try_from(at.span().len()).unwrap_or(1).max(1),
    }
}

/// A value that knows where its parts stand.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(|number| Node::Scalar(number.into())).ok_or_else(|| E::custom("JSON has no such number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &[&str]) -> (usize, usize, usize) {
        let documents = read(text).unwrap();
        let spot = documents.last().unwrap().1.nearest(&Path::of(path)).unwrap();
        (spot.line, spot.column, spot.length)
    }

    #[test]
    fn a_field_stands_at_its_key_and_a_missing_one_at_its_parent() {
        let text = "# comment\na:\n  b: [1, 2]\n  c: {d: 1}\n---\nkey:\n  'quoted': é\n";
        assert_eq!(at(text, &["key"]), (6, 1, 3));
        assert_eq!(at(text, &["key", "quoted"]), (7, 3, 8));
        assert_eq!(at(text, &["key", "missing", "too"]), (6, 1, 3));
        assert_eq!(at(text, &[]), (6, 1, 1));
        let first = &read(text).unwrap()[0].1;
        let item = Path::of(&["a", "b"]).index(1);
        assert_eq!(first.nearest(&item).unwrap(), Spot { line: 3, column: 10, length: 1 });
        let below = first.below(&Path::of(&["a"]));
        assert_eq!(below.nearest(&Path::of(&["c", "d"])).unwrap(), Spot { line: 4, column: 7, length: 1 });
    }

    #[test]
    fn an_alias_counts_where_it_is_used() {
        assert_eq!(at("a: &x {b: 1}\nc:\n  <<: *x\n  e: 2\n", &["c", "b"]), (3, 7, 2));
    }

    #[test]
    fn json_with_tabs_is_read() {
        assert_eq!(at("{\n\t\"a\": {\n\t\t\"b\": 1}}\n", &["a", "b"]), (3, 3, 3));
    }
}
