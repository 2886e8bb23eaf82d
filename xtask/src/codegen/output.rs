//! Output that pages show: `<!-- output: NAME -->` and a code block, filled from `docs/runbook/output/NAME.txt`.
//!
//! What a page shows was really printed: `docs/runbook/output/record` makes the files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{At, Error};
use crate::workspace;

/// How the line above a block begins.
const MARK: &str = "<!-- output: ";

/// Where recorded output is kept.
pub fn folder() -> PathBuf {
    workspace::root().join("docs/runbook/output")
}

/// Fills every marked block of a page with its recording, and makes the block where there is none.
pub fn fill(page: &Path, text: &str) -> Result<String, Error> {
    let mut filled = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        filled.push_str(line);
        filled.push('\n');
        let Some(name) = marked(line) else { continue };
        let recording = folder().join(format!("{name}.txt"));
        let printed = fs::read_to_string(&recording).at("read", &recording)?;
        if lines.next_if(|next| next.starts_with("```")).is_some() && !lines.by_ref().any(|end| end == "```")
        {
            let reason = format!("the block of output {name} does not end");
            return Err(Error::Format { what: page.display().to_string(), reason });
        }
        filled.push_str("```\n");
        filled.push_str(printed.trim_end());
        filled.push_str("\n```\n");
    }
    Ok(filled)
}

/// The name of the recording that a line asks for.
fn marked(line: &str) -> Option<&str> {
    Some(line.strip_prefix(MARK)?.strip_suffix("-->")?.trim())
}

#[cfg(test)]
mod tests {
    use super::super::{pages_of, runbook};
    use super::*;

    /// The names of the recordings that a page asks for.
    fn asked(text: &str) -> impl Iterator<Item = &str> {
        text.lines().filter_map(marked)
    }

    #[test]
    fn every_recording_stands_in_a_page_and_names_nothing_of_the_machine() {
        let docs = workspace::root().join("docs");
        let folders = [runbook::folder(), docs.join("how-to"), docs.join("explanation")];
        let pages = folders.iter().flat_map(|folder| pages_of(folder).unwrap());
        let pages: Vec<_> = pages.map(|page| fs::read_to_string(page).unwrap()).collect();
        let asked: Vec<_> = pages.iter().flat_map(|page| asked(page)).collect();
        for entry in fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(asked.contains(&name), "no page shows {}", path.display());
            let text = fs::read_to_string(&path).unwrap();
            for folder in ["tmp", "home", "root", "work"] {
                assert!(!text.contains(&format!("/{folder}/")), "{} names {folder}", path.display());
            }
        }
    }

    #[test]
    fn a_block_is_made_kept_or_replaced_and_the_rest_stays() {
        let Some(name) = fs::read_dir(folder()).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            path.extension().is_some_and(|x| x == "txt").then(|| path.file_stem().unwrap().to_owned())
        }) else {
            return;
        };
        let name = name.to_str().unwrap();
        let bare = format!("# A\n\n<!-- output: {name} -->\n\nb\n");
        let once = fill(Path::new("a.md"), &bare).unwrap();
        assert!(once.starts_with("# A\n\n<!-- output") && once.ends_with("\n```\n\nb\n"), "{once}");
        assert_eq!(fill(Path::new("a.md"), &once).unwrap(), once);
        let old = format!("# A\n\n<!-- output: {name} -->\n```\nold\n```\n\nb\n");
        assert_eq!(fill(Path::new("a.md"), &old).unwrap(), once);
    }

    #[test]
    fn a_recording_that_is_not_there_is_an_error() {
        assert!(fill(Path::new("a.md"), "<!-- output: nothing-of-this-name -->\n").is_err());
        assert_eq!(fill(Path::new("a.md"), "plain\n").unwrap(), "plain\n");
    }
}
