//! Places in a document: `spec.traces.components.ingester.replicas`.

use std::fmt;

use serde_json::Value;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a field, or a key of a map.
    Field(String),
    /// Into an item of a list.
    Index(usize),
}

/// A place in a document, from its root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// A place by its steps.
    pub fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// A place by the names of fields.
    pub fn of(fields: &[&str]) -> Self {
        Self(fields.iter().map(|field| Step::Field((*field).to_owned())).collect())
    }

    /// A place as messages write it: `spec.quota.reserve[0].cpu`, `spec.labels[a.b/c]`. A key may have dots of its
    /// own: the value says where it ends.
    pub fn read(text: &str, value: &Value) -> Self {
        let mut steps = Vec::new();
        let (mut rest, mut at) = (text, Some(value));
        while !rest.is_empty() {
            let (step, left) = first(rest, at);
            at = at.and_then(|value| step.of(value));
            steps.push(step);
            rest = left.strip_prefix('.').unwrap_or(left);
        }
        Self(steps)
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// One step further, into a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.then(Step::Field(name.to_owned()))
    }

    /// One step further, into an item.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The place around it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, before)| Self(before.to_vec()))
    }

    /// The place below another one.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        Self(self.0.iter().chain(&below.0).cloned().collect())
    }

    /// Whether it lies inside another place, or is that.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The name of its last field.
    pub fn name(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }

    /// What stands there.
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| step.of(value))
    }

    /// As a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Field(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("/{index}"),
        };
        self.0.iter().map(step).collect()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if name.contains(['.', '/', '[']) => write!(f, "[{name}]")?,
                Step::Field(name) if number == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Field(name) => value.get(name),
            Self::Index(index) => value.get(index),
        }
    }
}

/// The first step of a text, and what is left of it.
fn first<'a>(text: &'a str, value: Option<&Value>) -> (Step, &'a str) {
    if let Some((inner, left)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        let index = inner.parse().ok().filter(|_| !value.is_some_and(Value::is_object));
        return (index.map_or_else(|| Step::Field(inner.to_owned()), Step::Index), left);
    }
    let ends = |left: &str| left.is_empty() || left.starts_with(['.', '[']);
    let keys = value.and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
    let fits = keys.filter_map(|key| Some((key, text.strip_prefix(key.as_str())?)));
    let longest = fits.filter(|(_, left)| ends(left)).max_by_key(|(key, _)| key.len());
    let (name, left) = match longest {
        Some((key, left)) => (key.as_str(), left),
        None => text.split_at(text.find(['.', '[']).filter(|at| *at > 0).unwrap_or(text.len())),
    };
    (Step::Field(name.to_owned()), left)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_is_written() {
        let value = json!({"spec": {"list": [{"a": 1}], "map": {"a.b/c": {"d": 1}}}});
        for (text, pointer) in [
            ("", ""),
            ("spec.list[0].a", "/spec/list/0/a"),
            ("spec.map[a.b/c].d", "/spec/map/a.b~1c/d"),
            ("spec.missing.x", "/spec/missing/x"),
        ] {
            let path = Path::read(text, &value);
            assert_eq!((path.to_string().as_str(), path.pointer().as_str()), (text, pointer));
        }
        assert_eq!(Path::read("spec.map.a.b/c.d", &value).pointer(), "/spec/map/a.b~1c/d");
        assert_eq!(Path::read("[", &value).pointer(), "/[");
    }
}
