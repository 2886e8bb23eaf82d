//! The tutorial as it is written: every command of it in one shell, on a sandbox that it starts and ends itself. What the
//! commands print is not compared; that they work is.

use std::env;
use std::fs;
use std::process::Command;

use super::steps::Steps;
use crate::error::{At, Error, gone};
use crate::sandbox;
use crate::workspace;

/// Name of the step.
pub const STEP: &str = "the tutorial as it is written";

const PAGE: &str = "docs/tutorial.md";
/// The heading before the first command that is run; what stands before it is the demo, which has tests of its own.
const FIRST: &str = "## 2. ";
/// The folder in the page. A run has another one.
const FOLDER: &str = "/tmp/tutorial";
/// Ends with 2 where there are changes, which is no failure.
const PLAN: &str = "kubectl obstack plan";

/// Runs it.
pub fn run(steps: &mut Steps) -> Result<(), Error> {
    let page = workspace::root().join(PAGE);
    let written = fs::read_to_string(&page).at("read", &page)?;
    let folder = env::temp_dir().join(format!("obstack-tutorial-{}", std::process::id()));
    let mut shell = Command::new("bash");
    shell.current_dir(workspace::root()).args(["-c", &script(&written)]);
    shell.env("DIR", &folder).env_remove("KUBECONFIG");
    let alone = format!("the commands of {PAGE}, from \"{}\" on", FIRST.trim());
    let ran = steps.run_with(STEP, shell, &alone);
    // One that failed half way leaves its sandbox.
    let place = folder.join("sandbox");
    let ended = if place.exists() { sandbox::down(&place) } else { Ok(()) };
    gone(fs::remove_dir_all(&folder)).at("remove", &folder)?;
    ran?;
    ended
}

/// A script that ends at the first command which fails, and says which.
fn script(page: &str) -> String {
    let mut script = String::from("set -o pipefail\ntrap 'kill $(jobs -p) 2> /dev/null' EXIT\n");
    for command in commands(page) {
        let command = command.replace(FOLDER, "$DIR");
        let fine = if command.starts_with(PLAN) { "[ $code = 0 ] || [ $code = 2 ]" } else { "[ $code = 0 ]" };
        let shown = format!("cat <<'SHOWN'\n+ {command}\nSHOWN\n");
        let ended = format!("code=$?\n{fine} || {{ echo \"it ended with $code\" >&2; exit 1; }}\n");
        script.extend([shown, command, "\n".to_owned(), ended]);
    }
    script
}

/// The commands in the blocks of a page: lines behind a `$ `, or every line of a block that has none.
fn commands(page: &str) -> Vec<String> {
    let page = page.find(FIRST).and_then(|at| page.get(at..)).unwrap_or_default();
    let blocks = page.split("\n```\n").skip(1).step_by(2);
    let mut found = Vec::new();
    for block in blocks {
        let prompts = block.lines().any(|line| line.starts_with("$ "));
        let mut goes_on = false;
        for line in block.lines() {
            let line = if goes_on {
                line
            } else {
                match (prompts, line.strip_prefix("$ ")) {
                    (true, None) => continue,
                    (_, shown) => shown.unwrap_or(line),
                }
            };
            match found.last_mut() {
                Some(last) if goes_on => *last = format!("{last}\n{line}"),
                _ => found.push(line.to_owned()),
            }
            goes_on = line.ends_with('\\');
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_what_they_print() {
        let page = "## 1. No\n\n```\nnot this\n```\n\n## 2. Yes\n\n```\none\ntwo \\\n  more &\n```\n\ntext\n\n\
                    ```\n$ three /tmp/tutorial/x\nprinted\n$ four\nprinted\n```\n";
        assert_eq!(commands(page), ["one", "two \\\n  more &", "three /tmp/tutorial/x", "four"]);
        assert!(script(page).contains("\nthree $DIR/x\n"), "{}", script(page));
    }

    #[test]
    fn the_page_has_commands_from_the_first_to_the_last() {
        let page = fs::read_to_string(workspace::root().join(PAGE)).unwrap();
        let found = commands(&page);
        assert_eq!(found.first().map(String::as_str), Some("cargo build -p obstack-operator -p obstack-cli"));
        assert_eq!(found.last().map(String::as_str), Some("rm -r /tmp/tutorial"));
        assert!(found.len() > 30 && found.iter().any(|command| command.contains("approve")), "{found:#?}");
    }
}
