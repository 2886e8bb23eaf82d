//! The page of the reference, as Markdown. `cargo xtask codegen` writes it into `docs/reference`.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::schemas::{KINDS, Kind};
use crate::{args::Cli, exit::EXIT_CODES, output::API_VERSION};

/// The page.
pub fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text =
        String::from("<!-- Made by `cargo xtask codegen`. Do not edit. -->\n\n# kubectl obstack\n\n");
    about(&mut text, &root);
    put(
        &mut text,
        "The binary is `kubectl-obstack`: on PATH it is `kubectl obstack`, and under the name `obstack` it stands \
         alone. A flag wins over its variable. Results go to stdout, everything else to stderr.\n\n",
    );
    put(&mut text, "| command | what it does |\n|---|---|\n");
    for command in commands(&root) {
        let name = command.get_name();
        row(&mut text, &[format!("[`{name}`](#{name})"), sentence(&short(command))]);
    }
    put(&mut text, "\n## Flags of every command\n\n");
    let global: Vec<&Arg> =
        root.get_arguments().filter(|arg| arg.is_global_set() && !arg.is_hide_set()).collect();
    flags(&mut text, &global);
    for command in commands(&root) {
        section(&mut text, command, command.get_name(), 2);
    }
    exit_codes(&mut text);
    schema(&mut text);
    text
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn short(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// What a command does, in full.
fn about(text: &mut String, command: &Command) {
    let long = command.get_long_about().map_or_else(|| short(command), ToString::to_string);
    paragraphs(text, &long);
}

/// Paragraphs, where those that are indented stay as they are laid out.
fn paragraphs(text: &mut String, all: &str) {
    for paragraph in all.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        if paragraph.starts_with("  ") {
            put(text, &format!("```\n{}\n```\n\n", unindented(paragraph).trim_end()));
        } else {
            put(text, &format!("{}\n\n", sentence(&paragraph.replace('\n', " "))));
        }
    }
}

fn section(text: &mut String, command: &Command, name: &str, depth: usize) {
    put(text, &format!("\n{} {name}\n\n", "#".repeat(depth)));
    about(text, command);
    let usage = command.clone().render_usage().to_string();
    put(text, &format!("```\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
        .collect();
    if !own.is_empty() {
        put(text, "\n");
        flags(text, &own);
    }
    if let Some(after) = command.get_after_help().map(ToString::to_string) {
        put(text, "\n");
        let (said, examples) = after.split_once("Examples:\n").unwrap_or((&after, ""));
        paragraphs(text, said);
        if examples.is_empty() {
            // The next heading brings its own line.
            text.truncate(text.trim_end().len());
            put(text, "\n");
        } else {
            put(text, &format!("```\n{}\n```\n", unindented(examples)));
        }
    }
    for sub in commands(command).filter(|sub| sub.get_name() != "help") {
        section(text, sub, &format!("{name} {}", sub.get_name()), depth + 1);
    }
}

fn unindented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    lines.join("\n")
}

fn flags(text: &mut String, args: &[&Arg]) {
    put(text, "| flag | environment | default | meaning |\n|---|---|---|---|\n");
    for arg in args {
        row(text, &flag(arg));
    }
}

fn flag(arg: &Arg) -> [String; 4] {
    let values = arg.get_value_names().filter(|_| arg.get_action().takes_values()).unwrap_or_default();
    let values: Vec<_> = values.iter().map(|name| format!(" {name}")).collect();
    let values = values.concat();
    let name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{values}`"),
        (None, Some(long)) => format!("`--{long}{values}`"),
        (Some(short), None) => format!("`-{short}{values}`"),
        (None, None) => format!("`{}`", values.trim()),
    };
    let env = arg.get_env().map(|env| format!("`{}`", env.to_string_lossy())).unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, computed) = match help.split_once(" [default: ") {
        Some((help, computed)) => (help.to_owned(), computed.split(']').next().map(str::to_owned)),
        None => (help, None),
    };
    let fixed = arg.get_default_values().first().filter(|_| arg.get_action().takes_values());
    let fixed = fixed.map(|value| format!("`{}`", value.to_string_lossy()));
    let hidden = arg.is_hide_possible_values_set() || !arg.get_action().takes_values();
    let words = if hidden { Vec::new() } else { arg.get_possible_values() };
    let told = words.iter().filter_map(|word| Some((word.get_name(), word.get_help()?.to_string())));
    let told: Vec<_> = told.map(|(name, help)| format!("`{name}`: {}", sentence(&help))).collect();
    let plain: Vec<_> = words.iter().map(|word| format!("`{}`", word.get_name())).collect();
    let words = match (told.is_empty(), plain.is_empty()) {
        (false, _) => told.join(" "),
        (true, false) => format!("One of {}.", plain.join(", ")),
        (true, true) => String::new(),
    };
    let meaning = format!("{} {words}", sentence(&help));
    [name, env, fixed.or(computed).unwrap_or_default(), meaning.trim().to_owned()]
}

fn exit_codes(text: &mut String) {
    put(text, "\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in EXIT_CODES.lines().skip(1).filter_map(|line| line.trim().split_once("  ")) {
        row(text, &[code.to_owned(), sentence(meaning.trim())]);
    }
}

fn schema(text: &mut String) {
    put(
        text,
        &format!(
            "\n## Results for programs\n\n`-o json` and `-o yaml` print an object with `apiVersion: {API_VERSION}` and \
             a `kind`. Fields are added without a new version, and none is removed or changes its meaning. `render` \
             prints the Kubernetes objects themselves.\n\n| command | kind |\n|---|---|\n"
        ),
    );
    let of = |kind: &'static Kind| kind.commands.iter().map(|command| (*command, kind.name));
    let mut printed: Vec<_> = KINDS.iter().flat_map(of).collect();
    printed.sort_unstable();
    for (command, kind) in printed {
        let fields = format!("[`{kind}`](kubectl-obstack-output.md#{})", kind.to_lowercase());
        row(text, &[format!("[`{command}`](#{command})"), fields]);
    }
}

/// The text with a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', ':']) { text.to_owned() } else { format!("{text}.") }
}

pub(super) fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    put(text, &format!("| {} |\n", cells.join(" | ")));
}

/// Writing into a `String` cannot fail.
pub(super) fn put(text: &mut String, more: &str) {
    let _ = text.write_str(more);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn own() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_committed_page_is_what_the_code_makes() {
        let file = own().join("../../docs/reference/kubectl-obstack.md");
        let committed = fs::read_to_string(file).unwrap_or_default();
        let outdated = "docs/reference/kubectl-obstack.md is outdated; run `cargo xtask codegen`";
        assert!(committed == page(), "{outdated}");
    }

    #[test]
    fn every_command_and_every_flag_has_its_row() {
        let (text, root) = (page(), Cli::command());
        for command in commands(&root) {
            assert!(text.contains(&format!("\n## {}\n", command.get_name())), "{}", command.get_name());
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let Some(long) = arg.get_long() else { continue };
                assert!(text.contains(&format!("`--{long}")), "{} --{long}", command.get_name());
            }
        }
    }

    #[test]
    fn every_kind_that_is_printed_is_told() {
        fn walk(folder: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("docs/markdown.rs")
                {
                    let text = fs::read_to_string(&path).unwrap();
                    let calls = text.split("output::for_programs(").skip(1);
                    found.extend(calls.filter_map(|call| Some(call.split('"').nth(1)?.to_owned())));
                }
            }
        }
        let mut found = Vec::new();
        walk(&own().join("src"), &mut found);
        assert!(found.contains(&"Verification".to_owned()), "{found:?}");
        for kind in found {
            assert!(KINDS.iter().any(|told| told.name == kind), "{kind} is missing in KINDS");
        }
    }
}
