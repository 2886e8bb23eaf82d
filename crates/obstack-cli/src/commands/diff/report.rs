//! What differs, as unified diffs with who changed it. Pure.

use std::fmt::Write;

use obstack_core::{drift::Taken, names::StackKey, objects::ObjectId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    compare::Compared,
    fields::{self, FieldChange},
    output,
    terminal::{Terminal, Tone},
};

/// Lines around a change that are shown.
const CONTEXT: usize = 3;

/// What differs.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Differences {
    /// Object by object.
    pub objects: Vec<Difference>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
}

/// One object that differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Namespace and name of the stack.
    pub stack: String,
    /// Kind, namespace and name of the object.
    #[schemars(with = "String")]
    pub id: ObjectId,
    /// Why it differs: `Missing`, `Unwanted`, `Changes` where the spec says something new, else `Drift`.
    pub because: &'static str,
    /// The field manager that has fields of ours now, where one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The first few of these fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    /// Its fields that differ.
    pub fields: Vec<FieldChange>,
    /// Why the API server would refuse what is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The API server was not asked: fields that would be removed are not known.
    pub guessed: bool,
    #[serde(skip)]
    live: Option<Value>,
    #[serde(skip)]
    wanted: Option<Value>,
}

impl Difference {
    /// What differs of an object; `None` when nothing does. `changing` says that the spec wants something new of it.
    pub fn of(key: &StackKey, id: &ObjectId, object: Compared, changing: bool) -> Option<Self> {
        let Compared { live, wanted, refused, guessed, taken } = object;
        if live == wanted {
            return None;
        }
        let nothing = Value::Null;
        let found = fields::changes(live.as_ref().unwrap_or(&nothing), wanted.as_ref().unwrap_or(&nothing));
        if found.is_empty() {
            return None;
        }
        let because = match (&live, &wanted) {
            (None, _) => "Missing",
            (_, None) => "Unwanted",
            _ if changing => "Changes",
            _ => "Drift",
        };
        // Fields that the spec newly asks for are nobody's yet.
        let taken = if because == "Drift" || taken.manager.is_some() { taken } else { Taken::default() };
        Some(Self {
            stack: key.to_string(),
            because,
            manager: taken.manager,
            taken: taken.fields,
            fields: if live.is_some() && wanted.is_some() { found } else { Vec::new() },
            guessed,
            refused,
            live,
            wanted,
            id: id.clone(),
        })
    }
}

/// The differences as unified diffs.
pub fn text(differences: &Differences, terminal: &Terminal) -> String {
    let mut text = String::new();
    for object in &differences.objects {
        let why = match object.because {
            "Missing" => "it does not exist and would be made",
            "Unwanted" => "nobody wants it any more; it would be deleted",
            "Changes" => "the spec asks for a change",
            _ => "it is not as the operator left it",
        };
        line(
            &mut text,
            &format!(
                "{}  {}",
                terminal.paint(Tone::Strong, &object.id.to_string()),
                terminal.paint(Tone::Dim, why)
            ),
        );
        if let Some(manager) = &object.manager {
            let fields = object.taken.join(", ");
            line(&mut text, &format!("  {} {manager}: {fields}", terminal.paint(Tone::Warn, "taken by")));
        }
        if let Some(refused) = &object.refused {
            line(&mut text, &format!("  {} {refused}", terminal.paint(Tone::Bad, "would be refused:")));
        } else if object.guessed {
            let words = "no right to ask the API server what would come of it: removed fields are not shown";
            line(&mut text, &format!("  {}", terminal.paint(Tone::Dim, words)));
        }
        unified(&mut text, object, terminal);
    }
    text
}

fn unified(text: &mut String, object: &Difference, terminal: &Terminal) {
    let yaml =
        |value: &Option<Value>| value.as_ref().and_then(|value| output::yaml(value).ok()).unwrap_or_default();
    let (live, wanted) = (yaml(&object.live), yaml(&object.wanted));
    let diff = similar::TextDiff::from_lines(&live, &wanted);
    let unified = diff.unified_diff().context_radius(CONTEXT).header("live", "wanted").to_string();
    for words in unified.lines() {
        let tone = match words.chars().next() {
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            Some('@') => Tone::Dim,
            _ => Tone::Plain,
        };
        line(text, &terminal.paint(tone, words));
    }
}

fn line(text: &mut String, words: &str) {
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "{words}");
}

#[cfg(test)]
mod tests {
    use obstack_core::objects::Kind;
    use serde_json::json;

    use super::*;
    use crate::commands::docs::schemas;

    #[test]
    fn programs_get_what_the_schema_says() {
        let key = StackKey { namespace: "ns".into(), name: "dev".into() };
        let id = ObjectId { kind: Kind::Service, namespace: "ns".into(), name: "dev-tempo".into() };
        let of = |live: Option<Value>, refused: Option<String>, taken: Taken| {
            let wanted = Some(json!({"spec": {"replicas": 2, "paused": false}}));
            let compared = Compared { live, wanted, refused, guessed: false, taken };
            Difference::of(&key, &id, compared, false).expect("it differs")
        };
        let taken = Taken { manager: Some("kubectl-edit".into()), fields: vec!["spec.replicas".into()] };
        let changed = of(Some(json!({"spec": {"replicas": 1, "x": null}})), Some("no".into()), taken);
        let missing = of(None, None, Taken::default());
        schemas::hold("Diff", &Differences { objects: vec![changed, missing], assumed: vec!["a".into()] });
    }
}
