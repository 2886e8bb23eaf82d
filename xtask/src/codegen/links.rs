//! Links of the documentation: every relative one leads to a file, and every anchor to a heading of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use obstack_api::Reason;

use super::markdown::anchor;
use crate::workspace;

/// Every page: those of `docs`, those at the root, and the READMEs beside the code.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["docs", "deploy", "tests", "charts"].iter().map(|folder| workspace::root().join(folder)).collect();
    let root = fs::read_dir(workspace::root()).unwrap().map(|entry| entry.unwrap().path());
    found.extend(root.filter(|path| path.is_file() && is_page(path)));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a page. A heading that stands twice gets a number.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let plain = anchor(&line.trim_start_matches('#').replace('`', ""));
            let times = seen.entry(plain.clone()).or_default();
            *times += 1;
            if *times == 1 { plain } else { format!("{plain}-{}", *times - 1) }
        })
        .collect()
}

/// The targets of the links in a line, those in code left out.
fn links(line: &str) -> Vec<String> {
    let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
    outside
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.starts_with("http://") && !target.starts_with("https://"))
        .map(str::to_owned)
        .collect()
}

/// The path without its `..`, so that a message names it plainly.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
        plain
    })
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in prose(&text).flat_map(links) {
            let (file, part) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { page.clone() } else { plain(&page.parent().unwrap().join(file)) };
            let there = target.exists()
                && (part.is_empty()
                    || fs::read_to_string(&target)
                        .is_ok_and(|text| anchors(&text).iter().any(|a| a == part)));
            if !there {
                broken.push(format!("{}: {link}", page.strip_prefix(workspace::root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_of_docs_is_reached_from_its_index() {
    let docs = workspace::root().join("docs");
    let runbook = docs.join("runbook");
    for folder in [&docs, &runbook] {
        let index = fs::read_to_string(folder.join("README.md")).unwrap();
        // The runbook has an index of its own.
        let own =
            |page: &&Path| *page != Path::new("README.md") && page.parent() != Some(Path::new("runbook"));
        for page in pages().iter().filter_map(|page| page.strip_prefix(folder).ok()).filter(own) {
            assert!(index.contains(&format!("({})", page.display())), "{} is in no index", page.display());
        }
        assert!(folder == &runbook || index.contains("(runbook/README.md)"));
    }
}

#[test]
fn every_reason_has_its_anchor() {
    let page = fs::read_to_string(workspace::root().join("docs/reference/conditions.md")).unwrap();
    let anchors = anchors(&page);
    for reason in Reason::ALL {
        assert!(anchors.contains(&anchor(reason.as_str())), "{reason}");
    }
}

/// The source of every test that may hold an invariant.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let page = fs::read_to_string(workspace::root().join("ARCHITECTURE.md")).unwrap();
    let mut code = String::new();
    for folder in ["crates", "tests", "xtask/src"] {
        sources(&workspace::root().join(folder), &mut code);
    }
    let rows = page.lines().filter(|line| line.starts_with("| I"));
    let names = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|name| name.contains('_'));
    let gone: Vec<_> = names.filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names tests that are not there: {gone:?}");
}

#[test]
fn a_link_in_code_is_none_and_anchors_are_told_as_renderers_do() {
    assert_eq!(links("see [a](b.md#c), `[x](y)` and [d](https://e)"), ["b.md#c"]);
    assert_eq!(
        anchors("# What it's\n```\n# no\n```\n## `Ready` now\n## `Ready` now\n"),
        ["what-its", "ready-now", "ready-now-1"]
    );
}
