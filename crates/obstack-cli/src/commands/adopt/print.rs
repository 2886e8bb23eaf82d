//! A takeover as people read it.

use std::fmt::Write;

use super::report::{Action, Object, Report, State};
use crate::{
    commands::plan::print::field_lines,
    fields::FieldChange,
    table::{Cell, Table, marked},
    terminal::{Terminal, Tone},
};

/// Fields of one object that are shown unless more are asked for.
const FIELDS: usize = 8;

/// A takeover as text. `applies` says that it is carried out next.
pub fn text(report: &Report, terminal: &Terminal, wide: bool, applies: bool) -> String {
    let mut text = String::new();
    let releases: Vec<_> = report
        .releases
        .iter()
        .map(|release| format!("{} ({}, revision {})", release.name, release.chart, release.revision))
        .collect();
    let environment = match report.environment.as_str() {
        "" => String::new(),
        name => format!(", environment {name}"),
    };
    let title = format!("{} -> ObservabilityStack {}{environment}", releases.join(" and "), report.stack);
    line(&mut text, &terminal.paint(Tone::Strong, &title));
    if report.state == State::TakenOver {
        line(&mut text, "taken over already");
        return text;
    }
    if !report.objects.is_empty() {
        line(&mut text, &headline(report));
        text.push('\n');
        objects(&mut text, report, terminal, wide);
    }
    let mut say = |tone, mark: &str, words: &str| {
        for words in marked(terminal, tone, mark, words) {
            line(&mut text, &words);
        }
    };
    if !report.claims.is_empty() {
        say(Tone::Good, "claims stay:", &report.claims.join(", "));
    }
    if !report.restarts.is_empty() {
        let names: Vec<_> =
            report.restarts.iter().map(|one| format!("{} x{}", one.workload, one.pods)).collect();
        say(
            Tone::Warn,
            "pods replaced:",
            &format!("{} (one after the other in a StatefulSet)", names.join(", ")),
        );
    }
    for note in &report.notes {
        say(Tone::Warn, "note:", &format!("{}: {}", note.subject, note.message));
    }
    for assumed in &report.assumed {
        say(Tone::Dim, "assumed:", assumed);
    }
    if applies {
        return text;
    }
    match report.state {
        State::Possible => say(
            Tone::Strong,
            "next:",
            "--apply takes it over; -o yaml prints the stack, for a look or for git",
        ),
        State::Begun => say(
            Tone::Strong,
            "next:",
            "the stack is there, and Helm still sees the release: --apply finishes what was begun",
        ),
        State::Blocked | State::TakenOver => {}
    }
    text
}

fn headline(report: &Report) -> String {
    let count = |action| report.count(action);
    let (changed, kept) = (count(Action::Change), count(Action::Keep));
    let mut parts = vec![format!("{} objects are taken over, {changed} of them changed", changed + kept)];
    for (action, words) in
        [(Action::Create, "made"), (Action::Leave, "left as they are"), (Action::Refused, "REFUSED")]
    {
        if count(action) > 0 {
            parts.push(format!("{} {words}", count(action)));
        }
    }
    let pods: u64 = report.restarts.iter().map(|one| one.pods).sum();
    parts.push(match pods {
        0 => "no pod is replaced".to_owned(),
        pods => format!("{pods} pods are replaced"),
    });
    parts.join("; ")
}

fn objects(text: &mut String, report: &Report, terminal: &Terminal, wide: bool) {
    let mut table = Table::new(&["OBJECT", "WHAT HAPPENS"]);
    for object in &report.objects {
        let (tone, words) = fate(object);
        table.row([name(object).into(), Cell::new(tone, words)]);
    }
    // The fields stand below their object: the table is laid out as a whole, then taken apart.
    let rows = table.text(terminal, 0);
    let mut below = report.objects.iter().map(|object| details(object, terminal, wide));
    let mut open = String::new();
    for (number, row) in rows.lines().enumerate() {
        // A line that begins with a space goes on with the row above.
        if number > 0 && !row.starts_with(' ') {
            text.push_str(&open);
            open = below.next().unwrap_or_default();
        }
        line(text, row);
    }
    text.push_str(&open);
    text.push('\n');
}

fn name(object: &Object) -> String {
    let mut parts = object.id.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(_), Some(name)) => format!("{kind} {name}"),
        _ => object.id.clone(),
    }
}

fn fate(object: &Object) -> (Tone, String) {
    match object.action {
        Action::Refused => (Tone::Bad, "REFUSED".to_owned()),
        Action::Change if object.restarts => (Tone::Warn, "taken over, and its pods are replaced".to_owned()),
        Action::Change => (Tone::Warn, "taken over, and changed".to_owned()),
        Action::Keep => (Tone::Good, "taken over as it is".to_owned()),
        Action::Create => (Tone::Good, "made".to_owned()),
        Action::Leave => {
            let delete = object.delete.as_deref().unwrap_or_default();
            (Tone::Dim, format!("left as it is; once nothing needs it: {delete}"))
        }
    }
}

fn details(object: &Object, terminal: &Terminal, wide: bool) -> String {
    let mut text = String::new();
    for words in &object.refused {
        line(&mut text, &format!("    {}", terminal.paint(Tone::Bad, words)));
    }
    if object.action != Action::Change {
        return text;
    }
    // What a pod is labelled with explains why it is replaced, and interests nobody else.
    let (labels, others): (Vec<_>, Vec<_>) = object.fields.iter().partition(|field| is_label(field));
    let most = if wide { usize::MAX } else { FIELDS };
    let shown: Vec<_> = if wide { others.iter().chain(&labels).collect() } else { others.iter().collect() };
    for field in shown.iter().take(most) {
        for words in field_lines(field, terminal, wide) {
            line(&mut text, &format!("    {words}"));
        }
    }
    let hidden = object.fields.len().saturating_sub(shown.len().min(most));
    if hidden > 0 {
        let what = if others.len() > most { "more fields" } else { "labels and annotations of its pods" };
        let more = if others.is_empty() { "" } else { "and " };
        line(
            &mut text,
            &format!("    {}", terminal.paint(Tone::Dim, &format!("{more}{hidden} {what} (-o wide)"))),
        );
    }
    text
}

fn is_label(field: &FieldChange) -> bool {
    ["spec.template.metadata.labels", "spec.template.metadata.annotations"]
        .iter()
        .any(|path| field.path.starts_with(path))
}

fn line(text: &mut String, words: &str) {
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "{}", words.trim_end());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        commands::adopt::report::{Note, Release, Restart},
        commands::docs::schemas,
        terminal::Colour,
    };

    fn object(id: &str, action: Action) -> Object {
        Object {
            id: id.into(),
            action,
            fields: Vec::new(),
            refused: Vec::new(),
            restarts: false,
            delete: None,
        }
    }

    #[test]
    fn a_takeover_is_told_object_by_object() {
        let change = |path: &str, old, new| FieldChange { path: path.into(), old, new };
        let mut set = object("StatefulSet/ns/mimir-ingester", Action::Change);
        set.restarts = true;
        set.fields = vec![
            change("spec.template.spec.containers[ingester].resources.limits.cpu", Some(json!("1")), None),
            change("spec.template.metadata.labels.a", None, Some(json!("b"))),
        ];
        let mut refused = object("Service/ns/mimir-query", Action::Refused);
        refused.refused = vec!["spec.clusterIP: \"None\" is removed, and it never changes".into()];
        let mut left = object("Deployment/ns/mimir-nginx", Action::Leave);
        left.delete = Some("kubectl delete deployment mimir-nginx -n ns".into());
        let report = Report {
            stack: "ns/mimir".into(),
            environment: "prod".into(),
            releases: vec![Release {
                name: "mimir".into(),
                chart: "mimir-distributed 6.1.0".into(),
                revision: 3,
            }],
            notes: vec![Note {
                subject: "StatefulSet mimir-ingester".into(),
                message: "has the CPU limit 1".into(),
            }],
            objects: vec![refused, set, object("ConfigMap/ns/mimir", Action::Keep), left],
            restarts: vec![Restart { workload: "StatefulSet mimir-ingester".into(), pods: 3 }],
            claims: vec!["storage-mimir-ingester-0".into()],
            ..Report::default()
        };
        let mut terminal = Terminal::new(Colour::Never);
        terminal.width = 100;
        insta::assert_snapshot!(text(&report, &terminal, false, false));
        let report = Report { manifest: json!({"kind": "ObservabilityStack"}), ..report };
        schemas::hold("Adoption", &report);
        schemas::hold("Adoption", &Report::default());
    }
}
