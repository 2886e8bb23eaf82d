//! `docs/runbook`: a page a reason. What the code knows of a reason stands at its head and is made from the code; the
//! steps below are written by hand.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use obstack_api::{ConditionType, Reason};

use super::entries::{ENTRIES, conditions_of};
use super::markdown::{MADE, anchor, code};
use crate::error::{At, Error};
use crate::workspace;

/// Ends the head of a page.
const HEAD_ENDS: &str = "<!-- Above: made by `cargo xtask codegen`. Below: by hand. -->";

const INDEX: &str = "
# Runbook

One page a reason: what it means, how to see it, what to do, when it is over. Start here:

```
kubectl get obstack -A -o wide
```

`REASON` is the page to open, and `MESSAGE` names the object, the number and the fix. Where `REASON` points at another condition (`StorageNotReady`, `ComponentsNotReady`, `PolicyViolation`, `DatasourcesNotReady`), the message has the reason itself. Every condition, one a line:

```
kubectl get obstack NAME -n NS -o jsonpath='{range .status.conditions[*]}{.type}{\"\\t\"}{.status}{\"\\t\"}{.reason}{\"\\t\"}{.message}{\"\\n\"}{end}'
```

In the pages `NAME` and `NS` are the stack and its namespace. A reason stands below every condition that can carry it, and the bold ones need a person. [Symptoms](../how-to/troubleshooting.md) lead here too, and [the reference](../reference/conditions.md) has all of it in one page.

Output in these pages was printed by a real operator on [the sandbox](../../tests/sandbox/README.md); [record](output/record) prints it anew.
";

/// The folder of the pages.
pub fn folder() -> PathBuf {
    workspace::root().join("docs/runbook")
}

/// The page of a reason.
pub fn path(reason: Reason) -> PathBuf {
    folder().join(format!("{reason}.md"))
}

/// The page of a reason with its head as the code has it.
pub fn page(reason: Reason) -> Result<String, Error> {
    let path = path(reason);
    let text = fs::read_to_string(&path).at("read", &path)?;
    let Some((_, by_hand)) = text.split_once(HEAD_ENDS) else {
        let reason = format!("it has no line `{HEAD_ENDS}`");
        return Err(Error::Format { what: path.display().to_string(), reason });
    };
    Ok(format!("{}{HEAD_ENDS}{by_hand}", head(reason)))
}

fn head(reason: Reason) -> String {
    let on: Vec<_> = conditions_of(reason).iter().map(|condition| code(condition.as_str())).collect();
    let on = if on.is_empty() { "an event".to_owned() } else { on.join(", ") };
    let fix = reason.fix().map(|fix| format!("In short: {fix}\n\n")).unwrap_or_default();
    format!(
        "# {reason}\n\n> {}\n\n{fix}On {on}. [Reference](../reference/conditions.md#{}).\n\n",
        reason.meaning(),
        anchor(reason.as_str())
    )
}

/// The list of all pages, by condition.
pub fn index() -> String {
    let mut text = format!("{MADE}{INDEX}");
    for condition in ConditionType::ALL {
        let of_it = |reason: Reason| conditions_of(reason).contains(condition);
        section(&mut text, condition.as_str(), condition.meaning(), of_it);
    }
    section(&mut text, "Events only", "On no condition.", |reason| conditions_of(reason).is_empty());
    text
}

fn section(text: &mut String, title: &str, meaning: &str, holds: impl Fn(Reason) -> bool) {
    let links: Vec<_> =
        ENTRIES.iter().map(|(reason, ..)| *reason).filter(|reason| holds(*reason)).map(link).collect();
    if !links.is_empty() {
        let _ = write!(text, "\n## {title}\n\n{meaning}\n\n{}\n", links.join(" · "));
    }
}

fn link(reason: Reason) -> String {
    let link = format!("[{reason}]({reason}.md)");
    if reason.fix().is_some() { format!("**{link}**") } else { link }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_page_and_every_page_its_reason() {
        for reason in Reason::ALL {
            assert!(path(*reason).is_file(), "write {}", path(*reason).display());
        }
        for entry in fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let page = path.extension().is_some_and(|extension| extension == "md");
            let known = name == "README" || Reason::ALL.iter().any(|reason| reason.as_str() == name);
            assert!(!page || known, "{} is of no reason", path.display());
        }
    }

    #[test]
    fn a_page_begins_with_its_reason_and_the_meaning_from_the_code() {
        for reason in Reason::ALL {
            let text = fs::read_to_string(path(*reason)).unwrap();
            let begins = format!("# {reason}\n\n> {}\n", reason.meaning());
            assert!(text.starts_with(&begins), "{reason}: run `cargo xtask codegen`");
        }
    }

    #[test]
    fn what_needs_a_person_says_how_to_see_it_what_to_do_and_when_it_is_over() {
        for reason in Reason::ALL.iter().filter(|reason| reason.fix().is_some()) {
            let text = fs::read_to_string(path(*reason)).unwrap();
            for title in ["## See it", "## Do", "## Over when", "## Not this"] {
                assert!(text.contains(&format!("\n{title}\n")), "{reason} has no `{title}`");
            }
            assert!(text.contains("kubectl "), "{reason} shows no command");
        }
    }

    #[test]
    fn a_page_is_one_idea() {
        for reason in Reason::ALL {
            let text = fs::read_to_string(path(*reason)).unwrap();
            // What was printed is as long as it is.
            let mut printed = false;
            let lines = text.lines().filter(|line| {
                printed ^= line.starts_with("```");
                !printed
            });
            let lines = lines.count();
            assert!(lines <= 45, "{reason} has {lines} lines");
        }
    }
}
