//! A plan as people read it.

use std::{collections::BTreeMap, fmt::Write};

use obstack_api::{ConditionStatus, QuotaAmounts, Severity};
use serde_json::Value;

use super::report::{Action, Amounts, Fit, ObjectChange, Part, Report};
use crate::{
    fields::FieldChange,
    table::{Cell, Table, marked, wrap},
    terminal::{Terminal, Tone},
};

/// Fields of one object that are shown unless more are asked for.
const FIELDS: usize = 8;
/// Characters of one value that are shown unless more are asked for.
const LONGEST: usize = 60;

/// Where labels and annotations stand.
const MARKS: [&str; 2] = ["metadata.labels", "metadata.annotations"];

/// One of the three amounts.
type Pick = fn(&QuotaAmounts) -> &Option<String>;

/// A plan as text.
pub fn text(report: &Report, terminal: &Terminal, wide: bool) -> String {
    let mut text = String::new();
    let title = format!("{} ({})", report.stack, report.environment);
    line(&mut text, &format!("{}: {}", terminal.paint(Tone::Strong, &title), headline(report)));
    if report.has_changes() {
        text.push('\n');
        for part in report.components.iter().filter(|part| part.action != Action::Keep || part.restarts) {
            component(&mut text, part, terminal, wide);
        }
    }
    requests(&mut text, report, terminal);
    if let Some(fit) = &report.quota {
        quota(&mut text, fit, terminal);
    }
    let say = |text: &mut String, tone, mark: &str, words: &str| {
        for words in marked(terminal, tone, mark, words) {
            line(text, &words);
        }
    };
    text.push('\n');
    for reason in &report.disruptive {
        say(&mut text, Tone::Warn, "disruptive:", reason);
    }
    if let Some(held) = &report.held {
        say(&mut text, Tone::Warn, "would wait:", held);
    }
    if report.has_changes() || wide {
        advice(report, &mut |tone, mark, words| say(&mut text, tone, mark, words));
    } else if !report.advisories.is_empty() || report.fragile.is_some() {
        let number = report.advisories.len() + usize::from(report.fragile.is_some());
        say(&mut text, Tone::Dim, "advice:", &format!("{number} as before; -o wide shows it"));
    }
    for unknown in &report.unknown {
        say(&mut text, Tone::Dim, "unknown:", unknown);
    }
    for assumed in &report.assumed {
        say(&mut text, Tone::Dim, "assumed:", assumed);
    }
    if report.has_changes() {
        match &report.digest {
            Some(digest) => say(&mut text, Tone::Dim, "plan:", digest),
            None => say(
                &mut text,
                Tone::Dim,
                "plan:",
                "its digest is known once the stack is stored: the uid of the stack is part of what it owns",
            ),
        }
    }
    text
}

/// What the design does not survive, and what will hurt one day.
fn advice(report: &Report, say: &mut dyn FnMut(Tone, &str, &str)) {
    if let Some(fragile) = &report.fragile {
        say(Tone::Warn, "survives no loss:", fragile);
    }
    for advisory in &report.advisories {
        let tone = if advisory.severity == Severity::Warning { Tone::Warn } else { Tone::Dim };
        let words = format!("{}: {}. Fix: {}", advisory.code, advisory.message, advisory.fix);
        say(tone, "advice:", &words);
    }
}

fn headline(report: &Report) -> String {
    if !report.has_changes() {
        return "nothing would change".to_owned();
    }
    let Report { created, changed, deleted, .. } = report;
    let restarts = match report.restarts.len() {
        0 if report.requests.before.pods == 0 => "nothing runs yet".to_owned(),
        0 => "no pod is replaced".to_owned(),
        1 => "the pods of 1 component are replaced".to_owned(),
        number => format!("the pods of {number} components are replaced"),
    };
    let from = if report.against == "Nothing" { " (from nothing: no cluster was asked)" } else { "" };
    format!("{created} to make, {changed} to change, {deleted} to delete; {restarts}{from}")
}

fn component(text: &mut String, part: &Part, terminal: &Terminal, wide: bool) {
    let (before, after) = (&part.requests.before, &part.requests.after);
    let pods = match (before.pods, after.pods) {
        (old, new) if old == new && new > 0 => format!(" x{new}"),
        (0, 0) => String::new(),
        (0, new) => format!(" x{new}"),
        (old, new) => format!(" x{old} -> x{new}"),
    };
    let (mark, tone) = sign(part.action);
    let restarts =
        if part.restarts { terminal.paint(Tone::Warn, ", its pods are replaced") } else { String::new() };
    let name = terminal.paint(tone, &format!("{mark} {}{pods}", part.name));
    line(text, &format!("  {name}{restarts}"));
    let (shown, counted): (Vec<_>, Vec<_>) = part
        .objects
        .iter()
        .partition(|object| wide || object.action == Action::Change || object.refused.is_some());
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for object in counted {
        *kinds.entry((sign(object.action).0, object.id.kind.as_str())).or_default() += 1;
    }
    if !kinds.is_empty() {
        let counts = kinds.iter().map(|((mark, kind), number)| match number {
            1 => format!("{mark} {kind}"),
            _ => format!("{mark} {kind} x{number}"),
        });
        line(text, &format!("      {}", counts.collect::<Vec<_>>().join(", ")));
    }
    for object in shown {
        changed(text, object, terminal, wide);
    }
}

fn sign(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Create => ("+", Tone::Good),
        Action::Change => ("~", Tone::Warn),
        Action::Delete => ("-", Tone::Bad),
        Action::Keep => (" ", Tone::Plain),
    }
}

fn changed(text: &mut String, object: &ObjectChange, terminal: &Terminal, wide: bool) {
    let (mark, tone) = sign(object.action);
    let name = format!("{mark} {} {}", object.id.kind.as_str(), object.id.name);
    let name = terminal.paint(tone, &name);
    // A new version labels every object anew: that is of interest where nothing else is.
    let (marks, fields): (Vec<_>, Vec<_>) = object.fields.iter().partition(|field| !wide && is_mark(field));
    let marks = terminal.paint(Tone::Dim, &counted(&marks));
    if fields.is_empty() && !marks.is_empty() {
        line(text, &format!("      {name}: {marks}"));
    } else {
        line(text, &format!("      {name}"));
        let most = if wide { usize::MAX } else { FIELDS };
        for field in fields.iter().take(most) {
            for words in field_lines(field, terminal, wide) {
                line(text, &format!("          {words}"));
            }
        }
        let more = fields.len().saturating_sub(most);
        if more > 0 {
            let more = format!("and {more} more fields (-o wide)");
            line(text, &format!("          {}", terminal.paint(Tone::Dim, &more)));
        }
        if !marks.is_empty() {
            line(text, &format!("          {}{marks}", terminal.paint(Tone::Dim, "and ")));
        }
    }
    if object.action == Action::Change && object.fields.is_empty() {
        line(text, &format!("          {}", terminal.paint(Tone::Dim, "its fields are there already")));
    }
    if let Some(refused) = &object.refused {
        line(
            text,
            &format!("          {}", terminal.paint(Tone::Bad, &format!("would be refused: {refused}"))),
        );
    } else if object.guessed {
        let words = "no right to ask the API server: fields that would be removed are not shown";
        line(text, &format!("          {}", terminal.paint(Tone::Dim, words)));
    }
}

/// Whether a field is a label or an annotation, of an object or of the pods and claims that it makes.
fn is_mark(field: &FieldChange) -> bool {
    MARKS.iter().any(|of| field.path.starts_with(of) || field.path.contains(&format!(".{of}")))
}

/// How many labels and annotations these are; nothing where they are none.
fn counted(marks: &[&FieldChange]) -> String {
    let of = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let labels = marks.iter().filter(|field| field.path.contains("metadata.labels")).count();
    let parts = [of(labels, "label"), of(marks.len() - labels, "annotation")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{} (-o wide)", parts.join(" and ")) }
}

/// A field in one line, or a text of several lines by the lines that differ.
pub fn field_lines(field: &FieldChange, terminal: &Terminal, wide: bool) -> Vec<String> {
    if let (Some(Value::String(old)), Some(Value::String(new))) = (&field.old, &field.new)
        && old.contains('\n')
    {
        let diff = similar::TextDiff::from_lines(old, new);
        let lines = diff.iter_all_changes().filter_map(|change| match change.tag() {
            similar::ChangeTag::Equal => None,
            similar::ChangeTag::Insert => Some((Tone::Good, "+", change.value().trim_end().to_owned())),
            similar::ChangeTag::Delete => Some((Tone::Bad, "-", change.value().trim_end().to_owned())),
        });
        let lines: Vec<_> = lines
            .map(|(tone, mark, words)| format!("  {}", terminal.paint(tone, &format!("{mark} {words}"))))
            .collect();
        let most = if wide { usize::MAX } else { 2 * FIELDS };
        let more = lines.len().saturating_sub(most);
        let mut shown = vec![format!("{}:", field.path)];
        shown.extend(lines.into_iter().take(most));
        if more > 0 {
            shown.push(terminal.paint(Tone::Dim, &format!("  and {more} more lines (-o wide)")));
        }
        return shown;
    }
    let say = |value: &Option<Value>| value.as_ref().map(|value| short(value, wide));
    vec![match (say(&field.old), say(&field.new)) {
        (Some(old), Some(new)) => format!(
            "{}: {} -> {}",
            field.path,
            terminal.paint(Tone::Bad, &old),
            terminal.paint(Tone::Good, &new)
        ),
        (None, Some(new)) => format!("{}: {}", field.path, terminal.paint(Tone::Good, &format!("+ {new}"))),
        (Some(old), None) => format!("{}: {}", field.path, terminal.paint(Tone::Bad, &format!("- {old}"))),
        (None, None) => field.path.clone(),
    }]
}

fn short(value: &Value, wide: bool) -> String {
    let text = match value {
        Value::String(text) => text.replace('\n', "\\n"),
        other => other.to_string(),
    };
    if wide || text.chars().count() <= LONGEST {
        return text;
    }
    format!("{}...", text.chars().take(LONGEST).collect::<String>())
}

fn requests(text: &mut String, report: &Report, terminal: &Terminal) {
    let (before, after) = (&report.requests.before, &report.requests.after);
    let mut table = Table::new(&["REQUESTS", "PODS", "CPU", "MEMORY", "STORAGE"]);
    let mut row = |name: &str, amounts: &Amounts| {
        let Amounts { pods, cpu, memory, storage } = amounts;
        table
            .row([name.into(), pods.to_string().into(), cpu.into(), memory.into(), storage.into()]
                as [Cell; 5]);
    };
    if before.pods > 0 && before != after {
        row("before", before);
        row("after", after);
    } else {
        row("all pods and claims", after);
    }
    text.push('\n');
    text.push_str(&table.text(terminal, 0));
}

fn quota(text: &mut String, fit: &Fit, terminal: &Terminal) {
    text.push('\n');
    let tone = match fit.fits {
        ConditionStatus::True => Tone::Good,
        ConditionStatus::False => Tone::Bad,
        ConditionStatus::Unknown => Tone::Warn,
    };
    let mark = terminal.paint(tone, &format!("quota: {}", fit.reason));
    let lines = wrap(&fit.message, terminal.width.saturating_sub(4));
    line(text, &mark);
    for words in lines {
        line(text, &format!("  {words}"));
    }
    let Some(numbers) = &fit.numbers else { return };
    if numbers.hard.is_none() {
        return;
    }
    let mut table = Table::new(&["", "NEEDED", "USED", "ALLOWED", "MISSING", "ASK FOR"]);
    let of = |amounts: &Option<QuotaAmounts>, pick: Pick| {
        amounts.as_ref().and_then(|amounts| pick(amounts).clone()).unwrap_or_else(|| "-".to_owned())
    };
    let rows: [(&str, Pick); 3] = [
        ("cpu", |amounts| &amounts.cpu),
        ("memory", |amounts| &amounts.memory),
        ("storage", |amounts| &amounts.storage),
    ];
    for (name, pick) in rows {
        let needed = pick(&numbers.required).clone().unwrap_or_else(|| "-".to_owned());
        let missing = of(&numbers.shortfall, pick);
        // What fits needs no request.
        let ask = if fit.fits == ConditionStatus::True {
            "-".to_owned()
        } else {
            of(&numbers.suggested_hard, pick)
        };
        let tone = if missing == "-" { Tone::Plain } else { Tone::Bad };
        table.row([
            name.into(),
            needed.into(),
            of(&numbers.used, pick).into(),
            of(&numbers.hard, pick).into(),
            Cell::new(tone, missing),
            ask.into(),
        ] as [Cell; 6]);
    }
    text.push_str(&table.text(terminal, 2));
}

fn line(text: &mut String, words: &str) {
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "{}", words.trim_end());
}

#[cfg(test)]
mod tests {
    use obstack_core::objects::{Kind, ObjectId};
    use serde_json::json;

    use super::*;
    use crate::terminal::Colour;

    fn shown(paths: &[&str], wide: bool) -> String {
        let field = |path: &&str| FieldChange {
            path: (*path).to_owned(),
            old: Some(json!("1")),
            new: Some(json!("2")),
        };
        let object = ObjectChange {
            id: ObjectId { kind: Kind::Deployment, namespace: "ns".into(), name: "a".into() },
            action: Action::Change,
            fields: paths.iter().map(field).collect(),
            refused: None,
            guessed: false,
        };
        let mut text = String::new();
        changed(&mut text, &object, &Terminal::new(Colour::Never), wide);
        text
    }

    #[test]
    fn labels_and_annotations_are_counted_unless_all_is_asked_for() {
        let label = "metadata.labels[helm.sh/chart]";
        let pods = "spec.template.metadata.labels[app.kubernetes.io/version]";
        let annotation = "spec.template.metadata.annotations[a]";
        assert_eq!(shown(&[label, pods], false), "      ~ Deployment a: 2 labels (-o wide)\n");
        assert_eq!(
            shown(&["spec.replicas", label, pods, annotation], false),
            "      ~ Deployment a\n          spec.replicas: 1 -> 2\n          and 2 labels and 1 annotation (-o wide)\n"
        );
        let wide = shown(&["spec.replicas", label], true);
        assert!(wide.ends_with("metadata.labels[helm.sh/chart]: 1 -> 2\n"), "{wide}");
        let nothing = shown(&[], false);
        assert!(nothing.ends_with("its fields are there already\n"), "{nothing}");
    }
}
