//! What the last of some words can become, by the tree of commands alone.

use std::collections::BTreeMap;

use clap::{Arg, Command, ValueHint};

/// cobra's directive: the shell may add names of files.
pub const FILES: u8 = 0;
/// cobra's directive: the shell adds nothing of its own.
pub const NO_FILES: u8 = 4;

/// A word that can stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    word: String,
    about: String,
}

impl Candidate {
    fn new(word: impl Into<String>, about: Option<String>) -> Self {
        let about = about.unwrap_or_default();
        // One line, or it would be a candidate of its own.
        Self { word: word.into(), about: about.lines().next().unwrap_or_default().to_owned() }
    }

    /// As cobra has it: the word, a tab, what it means.
    pub fn line(&self) -> String {
        if self.about.is_empty() { self.word.clone() } else { format!("{}\t{}", self.word, self.about) }
    }
}

/// What is wanted beside candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    #[default]
    Nothing,
    /// Names of files.
    Files,
    /// Names of stacks.
    Stacks,
}

/// What the last word can become.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The last word.
    pub word: String,
    /// What it can become.
    pub candidates: Vec<Candidate>,
    /// What is wanted beside them.
    pub wanted: Wanted,
    /// Values of the flags before it, by the flag's long name.
    pub flags: BTreeMap<String, String>,
}

/// Looks where the words lead. `root` has to be built, so that every command has the global flags.
pub fn look(root: &Command, words: &[String]) -> Asked {
    let (word, before) = match words.split_last() {
        Some((word, before)) => (word.as_str(), before),
        None => ("", words),
    };
    let mut place = Place { command: root, pending: None, positionals: 0, flags: BTreeMap::new() };
    for word in before {
        place.pass(word);
    }
    let mut asked = Asked { word: word.to_owned(), ..Asked::default() };
    match (place.pending, word.split_once('=')) {
        (Some(arg), _) => asked.value_of(arg, "", word),
        (None, Some((flag, value))) if flag.starts_with("--") => {
            if let Some(arg) = place.flag(flag) {
                asked.value_of(arg, &format!("{flag}="), value);
            }
        }
        (None, _) if word.starts_with('-') => asked.flags_of(place.command),
        _ => asked.words_of(&place),
    }
    let begin = asked.word.clone();
    asked.candidates.retain(|candidate| candidate.word.starts_with(&begin));
    asked.flags = place.flags;
    asked
}

/// Where the words so far have led.
struct Place<'a> {
    command: &'a Command,
    /// A flag that waits for its value.
    pending: Option<&'a Arg>,
    positionals: usize,
    flags: BTreeMap<String, String>,
}

impl<'a> Place<'a> {
    fn pass(&mut self, word: &str) {
        if let Some(arg) = self.pending.take() {
            self.keep(arg, word);
        } else if let Some((flag, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            if let Some(arg) = self.flag(flag) {
                self.keep(arg, value);
            }
        } else if word.starts_with('-') && word.len() > 1 {
            self.pending = self.flag(word).filter(|arg| arg.get_action().takes_values());
        } else if let Some(next) = self.command.find_subcommand(word).filter(|_| self.positionals == 0) {
            self.command = next;
        } else {
            self.positionals += 1;
        }
    }

    fn keep(&mut self, arg: &Arg, value: &str) {
        if let Some(long) = arg.get_long() {
            self.flags.insert(long.to_owned(), value.to_owned());
        }
    }

    /// `--long`, or `-s` alone.
    fn flag(&self, word: &str) -> Option<&'a Arg> {
        let mut all = self.command.get_arguments();
        if let Some(long) = word.strip_prefix("--") {
            return all.find(|arg| arg.get_long() == Some(long));
        }
        let mut chars = word.strip_prefix('-')?.chars();
        let short = chars.next().filter(|_| chars.next().is_none())?;
        all.find(|arg| arg.get_short() == Some(short))
    }
}

impl Asked {
    fn value_of(&mut self, arg: &Arg, before: &str, begin: &str) {
        for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
            if value.get_name().starts_with(begin) {
                let about = value.get_help().map(ToString::to_string);
                self.candidates.push(Candidate::new(format!("{before}{}", value.get_name()), about));
            }
        }
        let path = matches!(
            arg.get_value_hint(),
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath | ValueHint::ExecutablePath
        );
        if path {
            self.wanted = Wanted::Files;
        } else if arg.get_long().is_none() && is_stack(arg) {
            self.wanted = Wanted::Stacks;
        }
    }

    fn flags_of(&mut self, command: &Command) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                let about = arg.get_help().map(ToString::to_string);
                self.candidates.push(Candidate::new(format!("--{long}"), about));
            }
        }
    }

    fn words_of(&mut self, place: &Place<'_>) {
        if place.positionals == 0 {
            for command in place.command.get_subcommands().filter(|command| !command.is_hide_set()) {
                let about = command.get_about().map(ToString::to_string);
                self.candidates.push(Candidate::new(command.get_name(), about));
            }
        }
        let positionals: Vec<&Arg> = place.command.get_positionals().collect();
        // The last one may take several.
        let last =
            positionals.last().filter(|arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1));
        if let Some(arg) = positionals.get(place.positionals).or(last) {
            let begin = self.word.clone();
            self.value_of(arg, "", &begin);
        }
    }
}

/// Whether an argument is the name of a stack: every command calls it so.
fn is_stack(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "name" | "names" | "stack" | "stacks")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn asked(line: &str) -> Asked {
        let mut command = Cli::command();
        command.build();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        look(&command, &words)
    }

    fn words(line: &str) -> Vec<String> {
        asked(line).candidates.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn commands_flags_and_values_are_offered() {
        assert_eq!(words("veri"), ["verify"]);
        assert!(words("").contains(&"render".to_owned()));
        assert!(!words("").iter().any(|word| word.starts_with("__")));
        assert_eq!(words("verify dev --no-"), ["--no-telemetry"]);
        assert_eq!(words("verify --name"), ["--namespace"]);
        assert_eq!(words("verify -o j"), ["json"]);
        assert_eq!(words("verify --output=j"), ["--output=json"]);
        assert_eq!(words("verify --only telemetry."), ["telemetry.traces", "telemetry.metrics"]);
        assert_eq!(words("completion zs"), ["zsh"]);
        assert_eq!(asked("veri").candidates[0].line().split('\t').count(), 2);
    }

    #[test]
    fn names_of_stacks_and_files_are_told_apart() {
        assert_eq!(asked("verify ").wanted, Wanted::Stacks);
        assert_eq!(asked("verify -n team de").wanted, Wanted::Stacks);
        assert_eq!(asked("verify -n team de").flags.get("namespace").map(String::as_str), Some("team"));
        assert_eq!(
            asked("verify --namespace=team de").flags.get("namespace").map(String::as_str),
            Some("team")
        );
        assert_eq!(asked("verify dev ").wanted, Wanted::Nothing);
        assert_eq!(asked("verify -n ").wanted, Wanted::Nothing);
        assert_eq!(asked("render -f ").wanted, Wanted::Files);
        assert_eq!(asked("nonsense ").candidates, []);
    }
}
