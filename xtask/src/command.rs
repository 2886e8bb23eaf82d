//! Running programs.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::interrupt;

/// Lines of output that an error shows.
const TAIL_LINES: usize = 30;
const TAIL_WIDTH: usize = 400;

/// Runs it and returns what it prints. `what` is what it is for, as a verb.
pub fn text(what: &str, command: &mut Command) -> Result<String, Error> {
    interrupt::check()?;
    let output = command.stdin(Stdio::null()).output().map_err(|source| cannot_run(command, source))?;
    finish(what, command, &output)
}

/// Runs it with the text as its input.
pub fn feed(what: &str, command: &mut Command, input: &str) -> Result<String, Error> {
    interrupt::check()?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| cannot_run(command, source))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends without reading says why by itself.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|source| cannot_run(command, source))?;
    finish(what, command, &output)
}

/// Runs it and reads the JSON that it prints.
pub fn json(what: &str, command: &mut Command) -> Result<Value, Error> {
    let text = text(what, command)?;
    serde_json::from_str(&text).map_err(|error| Error::Format {
        what: format!("the answer to `{}`", line(command)),
        reason: error.to_string(),
    })
}

fn finish(what: &str, command: &Command, output: &Output) -> Result<String, Error> {
    interrupt::check()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    Err(Error::Failed {
        what: what.into(),
        command: line(command),
        output: tail(&String::from_utf8_lossy(said)),
    })
}

/// The error for a program that cannot be started.
pub fn cannot_run(command: &Command, source: std::io::Error) -> Error {
    Error::Run { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// The command as it is typed.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        let plain =
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c));
        if plain { word.into_owned() } else { format!("'{word}'") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The last lines of a text, set in by two spaces.
pub fn tail(text: &str) -> String {
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .take(TAIL_LINES)
        .map(|line| format!("  {}", line.chars().take(TAIL_WIDTH).collect::<String>()))
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_command_and_what_it_said() {
        let error =
            text("try", Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err().to_string();
        assert!(
            error.contains("cannot try")
                && error.contains("sh -c 'echo no luck")
                && error.ends_with("  no luck"),
            "{error}"
        );
        assert!(text("try", &mut Command::new("/does/not/exist")).is_err());
    }

    #[test]
    fn input_reaches_the_program() {
        assert_eq!(feed("copy", &mut Command::new("cat"), "one\ntwo").unwrap(), "one\ntwo");
    }
}
