//! What a takeover comes to, for people and programs. Pure.

use std::collections::BTreeMap;

use obstack_core::{
    adopt::{self, Fate, ObjectName, Takeover},
    assemble::Plan,
    objects::{Kind, ObjectId},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::foresee::Foreseen;
use crate::fields::{self, FieldChange};

/// What a takeover comes to.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Namespace and name of the stack.
    pub stack: String,
    /// Its environment.
    pub environment: String,
    /// How far it is.
    pub state: State,
    /// The releases.
    pub releases: Vec<Release>,
    /// What makes it impossible.
    pub obstacles: Vec<Obstacle>,
    /// What people must know.
    pub notes: Vec<Note>,
    /// Object by object: the release's, and those that the operator would apply.
    pub objects: Vec<Object>,
    /// Workloads whose pods are replaced.
    pub restarts: Vec<Restart>,
    /// Volume claims of the StatefulSets. They stay.
    pub claims: Vec<String>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
    /// The stack.
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schemars(extend("type" = "object", "x-api" = "spec"))]
    pub manifest: Value,
}

/// How far a takeover is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub enum State {
    /// Something makes it impossible.
    Blocked,
    /// It can begin.
    #[default]
    Possible,
    /// The stack exists, and Helm still sees the releases.
    Begun,
    /// It is done.
    TakenOver,
}

/// A release.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its chart, with the version.
    pub chart: String,
    /// Its revision.
    pub revision: u64,
}

/// What makes a takeover impossible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Obstacle {
    /// What it is about.
    pub subject: String,
    /// Why it is in the way.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// What people must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Note {
    /// What it is about.
    pub subject: String,
    /// What is so, and why.
    pub message: String,
}

/// What happens to one object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Kind, namespace and name.
    pub id: String,
    /// What happens to it.
    pub action: Action,
    /// Fields that change; labels and annotations of the object itself are not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Why it is refused, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Its pods are replaced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restarts: bool,
    /// What deletes it once nothing needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Action {
    /// The takeover is refused because of it.
    Refused,
    /// It is taken over, and fields of it change.
    Change,
    /// It is taken over as it is, but for labels and annotations.
    Keep,
    /// It is made.
    Create,
    /// It is of the release and not of the stack: it stays, and nobody manages it.
    Leave,
}

/// A workload whose pods are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Restart {
    /// Kind and name.
    pub workload: String,
    /// How many pods it has.
    pub pods: u64,
}

impl Report {
    /// How many objects something happens to.
    pub fn count(&self, action: Action) -> usize {
        self.objects.iter().filter(|object| object.action == action).count()
    }

    /// Takes in notes of the draft.
    pub fn note(&mut self, notes: &[adopt::Note]) {
        let told =
            notes.iter().map(|note| Note { subject: note.subject.clone(), message: note.message.clone() });
        self.notes.extend(told);
    }

    /// Takes in what a draft stumbled over.
    pub fn block(&mut self, obstacles: Vec<adopt::Obstacle>) {
        self.state = State::Blocked;
        let told =
            obstacles.into_iter().map(|adopt::Obstacle { subject, why, fix }| Obstacle { subject, why, fix });
        self.obstacles.extend(told);
    }

    /// Takes in what happens to each object. `gone` are objects of the release that are not there any more.
    pub fn tell(
        &mut self,
        takeover: &Takeover,
        plan: &Plan,
        foreseen: &BTreeMap<ObjectId, Foreseen>,
        gone: &[ObjectName],
    ) {
        for told in &takeover.objects {
            let seen = told.name.id().and_then(|id| foreseen.get(&id));
            let object = match (&told.fate, seen) {
                (Fate::LeftAlone, _) if gone.contains(&told.name) => continue,
                (Fate::LeftAlone, _) | (_, None) => left(&told.name),
                (fate, Some(seen)) => of(&told.name, fate, seen),
            };
            if object.restarts
                && let Some(seen) = seen
            {
                let pods = seen.wanted.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
                self.restarts
                    .push(Restart { workload: format!("{} {}", told.name.kind, told.name.name), pods });
            }
            if object.action == Action::Leave && told.name.kind == Kind::PodDisruptionBudget.as_str() {
                self.notes.extend(second_budget(&told.name, takeover, plan));
            }
            self.objects.push(object);
        }
        self.objects.sort_by(|a, b| (a.action, &a.id).cmp(&(b.action, &b.id)));
        if self.count(Action::Refused) > 0 {
            self.state = State::Blocked;
        }
    }
}

fn left(name: &ObjectName) -> Object {
    let place = if name.namespace.is_empty() { String::new() } else { format!(" -n {}", name.namespace) };
    Object {
        id: name.to_string(),
        action: Action::Leave,
        fields: Vec::new(),
        refused: Vec::new(),
        restarts: false,
        delete: Some(format!("kubectl delete {} {}{place}", name.kind.to_lowercase(), name.name)),
    }
}

fn of(name: &ObjectName, fate: &Fate, seen: &Foreseen) -> Object {
    let fields = seen.live.as_ref().map(|live| fields::changes(live, &seen.wanted)).unwrap_or_default();
    let template = |object: &Value| object.pointer("/spec/template").cloned();
    let is_workload = name.kind.parse().is_ok_and(Kind::is_workload);
    let replaced = seen.live.as_ref().is_some_and(|live| template(live) != template(&seen.wanted));
    let mut refused = Vec::new();
    if let Fate::Refused(fields) = fate {
        refused.extend(fields.iter().map(|field| format!("{field}, and it never changes")));
    }
    refused.extend(seen.refused.clone().filter(|_| refused.is_empty()));
    refused.extend(seen.contested.iter().cloned());
    let fields: Vec<_> = fields.into_iter().filter(|field| !is_bookkeeping(&field.path)).collect();
    let action = match (&seen.live, fields.is_empty()) {
        _ if !refused.is_empty() => Action::Refused,
        (None, _) => Action::Create,
        (Some(_), true) => Action::Keep,
        (Some(_), false) => Action::Change,
    };
    let restarts = is_workload && replaced && action == Action::Change;
    Object { id: name.to_string(), action, fields, refused, restarts, delete: None }
}

/// What says whose an object is.
fn is_bookkeeping(path: &str) -> bool {
    ["metadata.labels", "metadata.annotations", "metadata.ownerReferences"]
        .iter()
        .any(|kept| path.starts_with(kept))
}

/// A budget of the release over pods that the operator has a budget for, too: the eviction API refuses such pods.
fn second_budget(name: &ObjectName, takeover: &Takeover, plan: &Plan) -> Option<Note> {
    let ours = plan.objects.iter().any(|object| object.id.kind == Kind::PodDisruptionBudget);
    let kept = takeover.objects.iter().any(|object| object.name == *name && object.fate != Fate::LeftAlone);
    (ours && !kept).then(|| Note {
        subject: format!("PodDisruptionBudget {}", name.name),
        message: format!(
            "stays, and the operator makes its own: a pod that two budgets cover is never evicted. Once the stack is ready: kubectl delete poddisruptionbudget {} -n {}",
            name.name, name.namespace
        ),
    })
}

/// The manifest of a stack as people keep it: without what is empty, and without blocks that say what silence says.
pub fn manifest(stack: &Value) -> Value {
    const SILENT: &[(&str, &[&str])] = &[
        ("suspend", &["false"]),
        ("platform", &["\"Auto\""]),
        ("resourcePolicy", &[]),
        ("disruption", &[]),
        ("quota", &[]),
        ("changes", &[]),
    ];
    let mut stack = pruned(stack);
    if let Some(metadata) = stack.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| ["name", "namespace"].contains(&key.as_str()));
    }
    if let Some(map) = stack.as_object_mut() {
        map.remove("status");
    }
    let defaults = defaults();
    if let Some(spec) = stack.get_mut("spec").and_then(Value::as_object_mut) {
        for (key, plain) in SILENT {
            let silent = spec.get(*key).is_some_and(|value| {
                plain.contains(&value.to_string().as_str()) || defaults.get(*key) == Some(value)
            });
            if silent {
                spec.remove(*key);
            }
        }
    }
    stack
}

/// What blocks say when nobody says anything.
fn defaults() -> BTreeMap<&'static str, Value> {
    let of = |value: serde_json::Result<Value>| pruned(&value.unwrap_or_default());
    BTreeMap::from([
        ("resourcePolicy", of(serde_json::to_value(obstack_api::ResourcePolicy::default()))),
        ("disruption", of(serde_json::to_value(obstack_api::Disruption::default()))),
        ("quota", of(serde_json::to_value(obstack_api::Quota::default()))),
        ("changes", of(serde_json::to_value(obstack_api::Changes::default()))),
    ])
}

fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), pruned(value)));
            let kept = kept
                .filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use obstack_core::adopt::ObjectTakeover;
    use serde_json::json;

    use super::*;

    fn name(kind: &str, name: &str) -> ObjectName {
        ObjectName { kind: kind.into(), namespace: "ns".into(), name: name.into() }
    }

    fn told(fates: &[(ObjectName, Fate)], foreseen: &[(ObjectName, Foreseen)]) -> Report {
        let objects =
            fates.iter().map(|(name, fate)| ObjectTakeover { name: name.clone(), fate: fate.clone() });
        let takeover = Takeover { objects: objects.collect() };
        let foreseen = foreseen.iter().map(|(name, seen)| (name.id().unwrap(), seen.clone())).collect();
        let plan = Plan {
            objects: Vec::new(),
            components: Vec::new(),
            sums: obstack_core::quantity::Sums::default(),
        };
        let mut report = Report::default();
        report.tell(&takeover, &plan, &foreseen, &[name("Secret", "gone")]);
        report
    }

    fn seen(live: Value, wanted: Value) -> Foreseen {
        Foreseen { live: Some(live), wanted, ..Foreseen::default() }
    }

    fn set(image: &str, label: &str) -> Value {
        json!({"metadata": {"labels": {"a": label}}, "spec": {"replicas": 2, "template": {"image": image}}})
    }

    #[test]
    fn each_object_is_told_by_what_really_changes() {
        let names = [
            name("StatefulSet", "a"),
            name("StatefulSet", "b"),
            name("Deployment", "c"),
            name("Service", "d"),
        ];
        let mut contested = seen(set("x", "1"), set("x", "1"));
        contested.contested.push("spec.replicas: conflict with \"kubectl\"".into());
        let foreseen = [
            (names[0].clone(), seen(set("x", "1"), set("y", "1"))),
            (names[1].clone(), seen(set("x", "1"), set("x", "2"))),
            (names[2].clone(), contested),
            (names[3].clone(), Foreseen { wanted: json!({}), ..Foreseen::default() }),
        ];
        let mut fates: Vec<_> = names.iter().map(|name| (name.clone(), Fate::Unchanged)).collect();
        fates.push((name("Job", "e"), Fate::LeftAlone));
        fates.push((name("Secret", "gone"), Fate::LeftAlone));
        let report = told(&fates, &foreseen);
        let said: Vec<_> =
            report.objects.iter().map(|object| format!("{:?} {}", object.action, object.id)).collect();
        assert_eq!(
            said,
            [
                "Refused Deployment/ns/c",
                "Change StatefulSet/ns/a",
                "Keep StatefulSet/ns/b",
                "Create Service/ns/d",
                "Leave Job/ns/e"
            ]
        );
        assert_eq!(report.restarts, [Restart { workload: "StatefulSet a".into(), pods: 2 }]);
        assert_eq!(report.state, State::Blocked);
        assert_eq!(report.objects[4].delete.as_deref(), Some("kubectl delete job e -n ns"));
    }

    #[test]
    fn what_never_changes_is_refused_by_field_and_by_the_api_servers_word() {
        let field = adopt::FieldChange {
            path: "spec.serviceName".into(),
            old: Some("a".into()),
            new: Some("b".into()),
        };
        let set_of = name("StatefulSet", "a");
        let both = Foreseen { refused: Some("is invalid".into()), ..seen(json!({}), json!({})) };
        let report = told(&[(set_of.clone(), Fate::Refused(vec![field]))], &[(set_of.clone(), both.clone())]);
        assert_eq!(report.objects[0].refused, [r#"spec.serviceName: "a" -> "b", and it never changes"#]);
        let report = told(&[(set_of.clone(), Fate::Unchanged)], &[(set_of, both)]);
        assert_eq!(report.objects[0].refused, ["is invalid"]);
    }

    #[test]
    fn a_manifest_says_nothing_that_silence_says() {
        let spec = json!({
            "environment": "e", "suspend": false, "platform": "Auto", "quota": {"preflight": "Warn"},
            "deletionPolicy": "Retain", "traces": {"components": {"querier": {"replicas": 0}}, "values": {}, "retention": null},
        });
        let stack = json!({"kind": "ObservabilityStack", "metadata": {"name": "a", "uid": "u"}, "spec": spec, "status": {}});
        let wanted = json!({"kind": "ObservabilityStack", "metadata": {"name": "a"}, "spec": {
            "environment": "e", "deletionPolicy": "Retain", "traces": {"components": {"querier": {"replicas": 0}}},
        }});
        assert_eq!(manifest(&stack), wanted);
    }
}
