//! Reference documentation that is made from the code of this binary: its flags and its metrics, as Markdown.
//!
//! `cargo xtask codegen` writes what this prints into `docs/reference`.

use std::fmt::Write;

use clap::{Arg, CommandFactory, ValueEnum};
use obstack_engine::metrics::{Kind, METRICS};

use crate::args::{Cli, EXIT_CODES};

/// A page of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// The command line.
    Cli,
    /// The metrics.
    Metrics,
}

const MADE: &str = "<!-- Made by `cargo xtask codegen`. Do not edit. -->\n";

/// The page as Markdown.
pub fn page(page: Page) -> String {
    match page {
        Page::Cli => cli(),
        Page::Metrics => metrics(),
    }
}

fn cli() -> String {
    let command = Cli::command();
    let mut text = format!(
        "{MADE}\n# Command line\n\n```\nobstack-operator [OPTIONS] [COMMAND]\n```\n\n\
         Every flag can also be set by the environment variable beside it. A flag wins over its variable. \
         Flags may stand before or after the command.\n\n## Commands\n\n| command | what it does |\n|---|---|\n"
    );
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        row(&mut text, &[format!("`{}`", sub.get_name()), sentence(&about)]);
    }
    let mut heading = None;
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let Some(of) = arg.get_help_heading() else { continue };
        if heading != Some(of) {
            heading = Some(of);
            put(
                &mut text,
                &format!("\n## {of}\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n"),
            );
        }
        row(&mut text, &flag(arg));
    }
    let codes = EXIT_CODES.lines().skip(1).filter_map(|line| line.trim().split_once("  "));
    put(&mut text, "\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in codes {
        row(&mut text, &[code.to_owned(), sentence(meaning.trim())]);
    }
    text
}

fn flag(arg: &Arg) -> [String; 4] {
    let value = arg.get_value_names().unwrap_or_default().iter().map(|name| format!(" {name}"));
    let name = format!("`--{}{}`", arg.get_long().unwrap_or_default(), value.collect::<String>());
    let env = arg.get_env().map(|env| format!("`{}`", env.to_string_lossy())).unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, computed) = match help.split_once(" [default: ") {
        Some((help, computed)) => (help.to_owned(), computed.split(']').next().map(str::to_owned)),
        None => (help, None),
    };
    let fixed = arg.get_default_values().first().map(|value| format!("`{}`", value.to_string_lossy()));
    let words: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter_map(|word| {
            Some(format!("`{}`: {}", word.get_name(), sentence(&word.get_help()?.to_string())))
        })
        .collect();
    let meaning = std::iter::once(sentence(&help)).chain(words).collect::<Vec<_>>().join(" ");
    [name, env, fixed.or(computed).unwrap_or_default(), meaning]
}

fn metrics() -> String {
    let mut text = format!(
        "{MADE}\n# Metrics\n\nServed at `/metrics` of `--listen`, in the OpenMetrics text format. Every family is \
         there from the start; a series with labels appears when it first has a value. The series about a stack \
         (`obstack_condition`, `obstack_component_replicas`, `obstack_policy_violations`, `obstack_canary_*`) go \
         with the stack.\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n"
    );
    for metric in &METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        row(
            &mut text,
            &[format!("`{}`", metric.name), kind.into(), labels.join(", "), sentence(metric.help)],
        );
    }
    text
}

/// The text with a full stop at its end.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    put(text, &format!("| {} |\n", cells.join(" | ")));
}

/// Writing into a `String` cannot fail.
fn put(text: &mut String, more: &str) {
    let _ = text.write_str(more);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_committed_pages_are_what_the_code_makes() {
        for (file, made) in [("cli.md", Page::Cli), ("metrics.md", Page::Metrics)] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == page(made), "docs/reference/{file} is outdated; run `cargo xtask codegen`");
        }
    }

    #[test]
    fn every_flag_and_every_metric_has_its_row() {
        let (flags, metrics) = (cli(), metrics());
        for arg in Cli::command().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().unwrap();
            assert!(flags.contains(&format!("| `--{long}")) || ["help", "version"].contains(&long), "{long}");
        }
        assert!(METRICS.iter().all(|metric| metrics.contains(&format!("| `{}` |", metric.name))));
    }
}
