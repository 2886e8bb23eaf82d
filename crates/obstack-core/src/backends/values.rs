//! Helm values with a record of who decides each of them.

use serde_json::{Map, Value};

/// One value that the operator sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Path of keys.
    pub path: Vec<String>,
    /// The field of the spec that decides it, such as `spec.metrics.components.ingester.replicas`, or why the
    /// operator does.
    pub owner: String,
}

/// Helm values as the operator sets them. What it sets or reserves, users cannot override: there is one source of
/// truth. What it suggests, they can.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    tree: Map<String, Value>,
    entries: Vec<Entry>,
}

impl Values {
    /// Sets the value at a path of keys separated by `/` (keys may contain dots).
    pub fn set(&mut self, path: &str, value: impl Into<Value>, owner: &str) -> &mut Self {
        self.suggest(path, value).reserve(path, owner)
    }

    /// Sets a value that users may override, because it is a matter of taste or of size and not of the design.
    pub fn suggest(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        let keys: Vec<String> = path.split('/').map(str::to_owned).collect();
        insert(&mut self.tree, &keys, value.into());
        self
    }

    /// Keeps users from setting a value that the operator leaves at its default.
    pub fn reserve(&mut self, path: &str, owner: &str) -> &mut Self {
        self.entries
            .push(Entry { path: path.split('/').map(str::to_owned).collect(), owner: owner.to_owned() });
        self
    }

    /// Everything that users cannot set.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry that owns a user's path: the same, one above it or one below it.
    pub fn owner_of(&self, path: &[String]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path.iter().zip(path).all(|(ours, theirs)| ours == theirs))
    }

    /// The values with the user's merged over them.
    pub fn merged(self, user: Option<&Map<String, Value>>) -> Value {
        let mut tree = self.tree;
        for (key, value) in user.into_iter().flatten() {
            merge(tree.entry(key.clone()).or_insert(Value::Null), value);
        }
        Value::Object(tree)
    }
}

fn insert(tree: &mut Map<String, Value>, keys: &[String], value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        tree.insert(first.clone(), value);
        return;
    }
    let child = tree.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    if let Value::Object(child) = child {
        insert(child, rest, value);
    }
}

/// Merges as Helm does: maps by key, everything else is replaced.
pub(crate) fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Paths of all leaves of a user's values; an empty map or a list is a leaf.
pub fn leaves(values: &Map<String, Value>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (key, value) in values {
        match value {
            Value::Object(child) if !child.is_empty() => {
                found.extend(leaves(child).into_iter().map(|mut path| {
                    path.insert(0, key.clone());
                    path
                }));
            }
            _ => found.push(vec![key.clone()]),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_values_are_merged_by_key_and_replace_everything_else() {
        let mut values = Values::default();
        values.set("a/b", json!([1, 2]), "x").set("a/c", "kept", "y");
        let user = json!({"a": {"b": [3]}, "d": {"e": 1}});
        assert_eq!(values.merged(user.as_object()), json!({"a": {"b": [3], "c": "kept"}, "d": {"e": 1}}));
    }

    #[test]
    fn an_entry_owns_its_path_and_what_is_above_and_below_it() {
        let mut values = Values::default();
        values.set("ingester/replicas", 3, "spec.metrics.components.ingester.replicas");
        let owns =
            |path: &str| values.owner_of(&path.split('/').map(str::to_owned).collect::<Vec<_>>()).is_some();
        assert!(owns("ingester/replicas") && owns("ingester") && owns("ingester/replicas/x"));
        assert!(!owns("ingester/podLabels") && !owns("distributor/replicas"));
    }

    #[test]
    fn a_suggestion_can_be_overridden_and_a_reserved_path_cannot_be_set() {
        let mut values = Values::default();
        values.suggest("affinity", "").reserve("s3/access_key", "credentials come from the Secret");
        let owned = |path: &[&str]| {
            values.owner_of(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()).is_some()
        };
        assert!(!owned(&["affinity"]) && owned(&["s3", "access_key"]) && !owned(&["s3", "region"]));
        let user = json!({"affinity": {"podAntiAffinity": {}}});
        assert_eq!(values.merged(user.as_object()), user, "what is reserved has no value");
    }

    #[test]
    fn leaves_are_named_by_their_whole_path() {
        let values = json!({"a": {"b": 1, "c": {}}, "d": [1]});
        assert_eq!(leaves(values.as_object().unwrap()), [vec!["a", "b"], vec!["a", "c"], vec!["d"]]);
    }
}
