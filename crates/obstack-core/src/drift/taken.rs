//! Which fields somebody took from us, told from `managedFields`.

use serde_json::Value;

/// Most fields that are named.
const NAMED: usize = 5;
/// Most fields that are looked for: an object that was made anew has lost them all.
const SOUGHT: usize = 200;
/// What stands in a body and is nobody's field.
const IDENTITY: &[&str] = &["apiVersion", "kind", "metadata.name", "metadata.namespace"];

/// Fields that somebody took from us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Who has them now; `None` when they were removed.
    pub manager: Option<String>,
    /// Their paths, the first few.
    pub fields: Vec<String>,
}

/// Fields of a body that `ours`, our part of the live object's `managedFields`, does not hold any more, and which of
/// the other managers has them. Fields that nobody has were removed; they are named when no other manager has one.
pub fn taken(body: &Value, ours: &Value, others: &[(String, Value)]) -> Taken {
    let mut lost = Vec::new();
    descend(body, ours, &mut Vec::new(), &mut lost);
    let text = |path: &Vec<Step<'_>>| path.iter().map(Step::text).collect::<String>();
    let paths = |by: &dyn Fn(&Vec<Step<'_>>) -> bool| -> Vec<String> {
        let texts = lost.iter().filter(|path| by(path)).map(text);
        let texts = texts.map(|text| text.trim_start_matches('.').to_owned());
        texts.filter(|text| !IDENTITY.contains(&text.as_str())).take(NAMED).collect()
    };
    for (manager, tree) in others {
        let fields = paths(&|path| holds(tree, path));
        if !fields.is_empty() {
            return Taken { manager: Some(manager.clone()), fields };
        }
    }
    Taken { manager: None, fields: paths(&|_| true) }
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// A key of a map.
    Field(&'a str),
    /// An entry of a list, and its place.
    Entry(&'a Value, usize),
}

impl Step<'_> {
    fn text(&self) -> String {
        match self {
            Self::Field(key) if key.contains(['.', '/']) => format!("[\"{key}\"]"),
            Self::Field(key) => format!(".{key}"),
            Self::Entry(entry, place) => match (entry["name"].as_str(), entry) {
                (Some(name), _) => format!("[name={name}]"),
                (None, Value::String(text)) => format!("[\"{text}\"]"),
                _ => format!("[{place}]"),
            },
        }
    }

    /// What a set of fields (`FieldsV1`) has below this step.
    fn of<'t>(&self, tree: &'t Value) -> Option<&'t Value> {
        match self {
            Self::Field(key) => tree.get(format!("f:{key}")),
            Self::Entry(entry, place) => {
                let children = tree.as_object()?;
                children.iter().find(|(key, _)| is_entry(key, entry, *place)).map(|(_, child)| child)
            }
        }
    }
}

/// Whether a key of `FieldsV1` means an entry of a list: by the fields that are its key (`k:`), by its value (`v:`) or
/// by its place (`i:`). A key field that the entry lacks has its default.
fn is_entry(key: &str, entry: &Value, place: usize) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match key.split_once(':') {
        Some(("k", keys)) => match parsed(keys) {
            Some(Value::Object(keys)) => {
                let told: Vec<_> =
                    keys.iter().filter_map(|(key, value)| Some(entry.get(key)? == value)).collect();
                !told.is_empty() && told.iter().all(|same| *same)
            }
            _ => false,
        },
        Some(("v", value)) => parsed(value).is_some_and(|value| value == *entry),
        Some(("i", index)) => index.parse() == Ok(place),
        _ => false,
    }
}

/// Whether a set of fields ends here: everything below is one field.
fn is_leaf(tree: &Value) -> bool {
    tree.as_object().is_none_or(|children| children.keys().all(|key| key == "."))
}

/// Whether a set of fields holds a path, something below it, or all of what it is part of.
fn holds(tree: &Value, path: &[Step<'_>]) -> bool {
    let mut at = tree;
    for (depth, step) in path.iter().enumerate() {
        match step.of(at) {
            Some(child) => at = child,
            None => return depth > 0 && is_leaf(at),
        }
    }
    true
}

/// Collects the paths of a body that a set of fields does not have. What is empty is no field that could be taken.
fn descend<'a>(body: &'a Value, tree: &Value, path: &mut Vec<Step<'a>>, lost: &mut Vec<Vec<Step<'a>>>) {
    if lost.len() >= SOUGHT || (!path.is_empty() && is_leaf(tree)) {
        return;
    }
    let steps: Vec<(Step<'a>, &'a Value)> = match body {
        Value::Object(map) => map.iter().map(|(key, value)| (Step::Field(key), value)).collect(),
        Value::Array(entries) => {
            entries.iter().enumerate().map(|(place, entry)| (Step::Entry(entry, place), entry)).collect()
        }
        _ => return,
    };
    for (step, value) in steps.into_iter().filter(|(_, value)| !is_empty(value)) {
        path.push(step);
        match step.of(tree) {
            Some(child) => descend(value, child, path, lost),
            None => lost.push(path.clone()),
        }
        path.pop();
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a", "namespace": "ns", "labels": {"app": "a", "x.y/z": "b"}, "annotations": {}},
            "spec": {"replicas": 1, "template": {"spec": {
                "containers": [{"name": "main", "image": "i:1", "ports": [{"containerPort": 80}]}],
                "nodeSelector": null,
            }}},
        })
    }

    /// What the API server writes down for an apply of the body.
    fn owned() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:app": {}, "f:x.y/z": {}}, "f:annotations": {}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}},
            }}}},
        })
    }

    fn without(mut tree: Value, pointers: &[&str]) -> Value {
        for pointer in pointers {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/");
            tree.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&key).unwrap();
        }
        tree
    }

    fn check(lost: &[&str], others: &[(&str, Value)], manager: Option<&str>, fields: &[&str]) {
        let others: Vec<_> = others.iter().map(|(name, tree)| ((*name).to_owned(), tree.clone())).collect();
        let found = taken(&body(), &without(owned(), lost), &others);
        assert_eq!(
            (found.manager.as_deref(), found.fields),
            (manager, fields.iter().map(ToString::to_string).collect())
        );
    }

    #[test]
    fn a_field_is_told_with_the_manager_that_has_it_now() {
        const MAIN: &str = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"main\"}";
        let scale = json!({"f:spec": {"f:replicas": {}}});
        let label = json!({"f:metadata": {"f:labels": {"f:x.y/z": {}}}});
        let image = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {"f:image": {}}}}}}});
        let all = json!({"f:spec": {}});
        let status = json!({"f:status": {"f:replicas": {}}});
        check(&[], &[("hpa", scale.clone())], None, &[]);
        check(
            &["/f:spec/f:replicas"],
            &[("kcm", status), ("hpa", scale.clone())],
            Some("hpa"),
            &["spec.replicas"],
        );
        check(&["/f:spec/f:replicas"], &[], None, &["spec.replicas"]);
        check(
            &["/f:metadata/f:labels/f:x.y~1z"],
            &[("argo", label)],
            Some("argo"),
            &["metadata.labels[\"x.y/z\"]"],
        );
        check(
            &[&format!("{MAIN}/f:image")],
            &[("hpa", scale.clone()), ("ci", image)],
            Some("ci"),
            &["spec.template.spec.containers[name=main].image"],
        );
        check(&[&format!("{MAIN}/f:ports")], &[], None, &["spec.template.spec.containers[name=main].ports"]);
        check(
            &["/f:spec/f:replicas", &format!("{MAIN}/f:image")],
            &[("hpa", scale)],
            Some("hpa"),
            &["spec.replicas"],
        );
        check(&["/f:spec"], &[("edit", all)], Some("edit"), &["spec"]);
    }

    #[test]
    fn of_many_fields_the_first_few_are_told() {
        let labels: Value =
            (0..50).map(|n| (format!("l{n:02}"), Value::from("x"))).collect::<serde_json::Map<_, _>>().into();
        let found = taken(
            &json!({"metadata": {"name": "a", "labels": labels}}),
            &json!({"f:metadata": {"f:labels": {"f:none": {}}}}),
            &[],
        );
        assert_eq!(
            found.fields,
            ["l00", "l01", "l02", "l03", "l04"].map(|label| format!("metadata.labels.{label}"))
        );
    }

    #[test]
    fn an_object_of_which_nothing_is_ours_is_told_by_its_parts() {
        assert_eq!(taken(&body(), &Value::Null, &[]).fields, ["metadata", "spec"]);
    }
}
