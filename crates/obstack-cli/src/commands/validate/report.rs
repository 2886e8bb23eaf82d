//! What `validate` found, for people and for programs.

use std::fmt::Write as _;

use obstack_core::names::StackKey;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    check::{self, Fault},
    error::Error,
    input::{self, Document, NotYaml, Spot},
    path::Path,
    terminal::{Terminal, Tone},
    told::plural,
};

/// The result of `validate`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Report {
    /// Every stack is valid.
    pub valid: bool,
    /// How many.
    pub summary: Summary,
    /// Each stack, and each file or document that should be one and is not.
    pub stacks: Vec<Subject>,
    /// Documents of another kind, with `--skip-others`.
    pub skipped: Vec<Skipped>,
    /// What they were held against.
    pub held_against: HeldAgainst,
    /// What was not checked.
    pub not_checked: &'static [&'static str],
}

/// How many stacks.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct Summary {
    /// All.
    pub stacks: usize,
    /// Without a fault.
    pub valid: usize,
    /// With one.
    pub invalid: usize,
    /// Documents that were passed over.
    pub skipped: usize,
}

/// A stack, or what should be one.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Subject {
    /// Its file; `-` for stdin.
    pub file: String,
    /// The line it begins in.
    pub line: usize,
    /// Its namespace, where it is one.
    pub namespace: Option<String>,
    /// Its name, where it is one.
    pub name: Option<String>,
    /// It has no fault.
    pub valid: bool,
    /// Admission rules and the operator's checks were held against it: not while the schema says that what they read
    /// is missing, misspelt or of another type.
    pub rules_held: bool,
    /// Its faults, by line.
    pub faults: Vec<Entry>,
    /// Lines of the file, for excerpts.
    #[serde(skip)]
    lines: Vec<String>,
    /// What people tell it by: with its namespace where the manifest names one.
    #[serde(skip)]
    told: Option<String>,
}

/// A fault, and where it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Entry {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The field, as messages write it; empty for the document itself.
    pub path: String,
    /// The field as a JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do, where the message does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Who finds it.
    pub source: check::Source,
    /// Why, in one word.
    pub reason: String,
    #[serde(skip)]
    length: usize,
}

/// A document that was passed over.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct Skipped {
    /// Its file.
    pub file: String,
    /// The line it begins in.
    pub line: usize,
    /// Its kind.
    pub kind: String,
}

/// What stacks were held against.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct HeldAgainst {
    /// Whose schema and rules.
    pub schema: String,
    /// Version of Kubernetes, assumed or of the server.
    pub kubernetes: String,
    /// An API server was asked.
    pub server: bool,
}

impl Report {
    /// The result for these.
    pub(super) fn new(
        stacks: Vec<Subject>,
        skipped: Vec<Skipped>,
        held_against: HeldAgainst,
        not_checked: &'static [&'static str],
    ) -> Self {
        let valid = stacks.iter().filter(|subject| subject.valid).count();
        let summary =
            Summary { stacks: stacks.len(), valid, invalid: stacks.len() - valid, skipped: skipped.len() };
        Self { valid: summary.invalid == 0, summary, stacks, skipped, held_against, not_checked }
    }

    /// Prints it for people.
    pub(super) fn show(&self, terminal: &Terminal) -> Result<(), Error> {
        for skipped in &self.skipped {
            terminal.note(&format!("{}:{} is a {}, passed over", skipped.file, skipped.line, skipped.kind));
        }
        let mut text = String::new();
        for subject in &self.stacks {
            subject.write(&mut text, terminal);
        }
        let Summary { stacks, valid, invalid, .. } = &self.summary;
        let HeldAgainst { kubernetes, server, .. } = &self.held_against;
        let held = if *server {
            format!("schema and rules of this version, API server {kubernetes}")
        } else {
            format!("schema and rules of this version (offline), Kubernetes {kubernetes} assumed")
        };
        let counted = plural(*stacks, "stack");
        // A String takes every write.
        let _ = writeln!(text, "{counted}: {valid} valid, {invalid} invalid; held against: {held}");
        terminal.print(&text)?;
        let more = if *server { "" } else { "; --server asks the API server" };
        terminal.note(&format!("not checked: {}{more}", self.not_checked.join(", ")));
        Ok(())
    }
}

impl Subject {
    /// A document with its faults.
    pub(super) fn new(
        document: &Document,
        key: Option<&StackKey>,
        rules_held: bool,
        faults: Vec<Fault>,
    ) -> Self {
        let at = |path: &Path| {
            document.marks.nearest(path).unwrap_or(Spot { line: document.line, column: 1, length: 1 })
        };
        let mut faults: Vec<_> = faults.into_iter().map(|fault| Entry::new(at(&fault.path), fault)).collect();
        faults.sort_by_key(|fault| (fault.line, fault.column));
        let name = key.map(|key| key.name.clone()).filter(|name| !name.is_empty());
        Self {
            file: document.source.file.clone(),
            line: document.line,
            namespace: key.map(|key| key.namespace.clone()),
            told: name.clone().map(|name| match document.value.pointer("/metadata/namespace") {
                Some(Value::String(namespace)) => format!("{namespace}/{name}"),
                _ => name,
            }),
            name,
            valid: faults.is_empty(),
            rules_held,
            faults,
            lines: lines(&document.source),
        }
    }

    /// A file that is not YAML.
    pub(super) fn not_yaml(source: &input::Source, error: &NotYaml) -> Self {
        let message = format!("a manifest is not YAML: {}", error.why);
        let mut fault = Fault::new(check::Source::Manifest, "NotYaml", Path::default(), message);
        fault.fix = error.fix.map(str::to_owned);
        let spot = error.spot.unwrap_or(Spot { line: 1, column: 1, length: 1 });
        Self {
            file: source.file.clone(),
            line: 1,
            namespace: None,
            name: None,
            valid: false,
            rules_held: false,
            faults: vec![Entry::new(spot, fault)],
            lines: lines(source),
            told: None,
        }
    }

    fn write(&self, text: &mut String, terminal: &Terminal) {
        for fault in &self.faults {
            fault.write(text, &self.file, &self.lines, terminal);
        }
        let name = self.told.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        let verdict = if self.valid {
            terminal.paint(Tone::Good, "valid")
        } else {
            format!("{}, {}", terminal.paint(Tone::Bad, "invalid"), plural(self.faults.len(), "fault"))
        };
        // A String takes every write.
        let _ = writeln!(text, "{}: {name}{verdict}", self.file);
        if !self.rules_held && self.name.is_some() {
            let _ =
                writeln!(text, "  rules and the operator's checks are held against it once these are mended");
        }
    }
}

impl Entry {
    fn new(spot: Spot, fault: Fault) -> Self {
        Self {
            line: spot.line,
            column: spot.column,
            path: fault.path.to_string(),
            pointer: fault.path.pointer(),
            message: fault.message,
            fix: fault.fix,
            source: fault.source,
            reason: fault.reason,
            length: spot.length,
        }
    }

    fn write(&self, text: &mut String, file: &str, lines: &[String], terminal: &Terminal) {
        let Self { line, column, .. } = self;
        let error = terminal.paint(Tone::Bad, "error");
        let said = check::said(&self.path, &self.message);
        // A String takes every write.
        let _ = writeln!(text, "{file}:{line}:{column} {error}: {said}");
        if let Some(shown) = lines.get(line.saturating_sub(1)) {
            let (shown, before) = excerpt(shown, *column, terminal.width);
            let length = self.length.min(shown.chars().count().saturating_sub(before)).max(1);
            let marks = terminal.paint(Tone::Bad, &"^".repeat(length));
            let _ = writeln!(text, "{}", format!("{line:>6} | {shown}").trim_end());
            let _ = writeln!(text, "       | {}{marks}", " ".repeat(before));
        }
        if let Some(fix) = &self.fix {
            let _ = writeln!(text, "  {} {fix}", terminal.paint(Tone::Strong, "fix:"));
        }
    }
}

fn lines(source: &input::Source) -> Vec<String> {
    source.text.lines().map(str::to_owned).collect()
}

/// As much of a line around a column as fits, and how many characters stand before the column then.
fn excerpt(line: &str, column: usize, width: usize) -> (String, usize) {
    const FRAME: usize = 9;
    let room = width.saturating_sub(FRAME).max(20);
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let (all, before) = (line.chars().count(), column.saturating_sub(1));
    if all <= room {
        return (line.chars().map(shown).collect(), before);
    }
    // The column stands in the first third of what is shown, unless the line begins or ends there.
    let start = before.saturating_sub(room / 3).min(all - room);
    let mut part: Vec<char> = line.chars().skip(start).take(room).map(shown).collect();
    if start > 0
        && let Some(first) = part.first_mut()
    {
        *first = '…';
    }
    if start + room < all
        && let Some(last) = part.last_mut()
    {
        *last = '…';
    }
    (part.into_iter().collect(), before - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_shown_around_its_column() {
        let line = format!("{}x{}", "a".repeat(100), "b".repeat(100));
        let (part, before) = excerpt(&line, 101, 60);
        assert_eq!((part.chars().count(), part.chars().nth(before)), (51, Some('x')));
        assert!(part.starts_with('…') && part.ends_with('…'), "{part}");
        assert_eq!(excerpt("short", 2, 60), ("short".to_owned(), 1));
    }
}
