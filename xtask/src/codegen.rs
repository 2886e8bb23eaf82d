//! Files that are made from the code: the CRD, the rights, parts of the chart and the reference documentation.
//!
//! The pages about flags and metrics come from the binaries, which are built for them: this crate does not depend on
//! the engine, so that it is built in seconds. Tests of the operator and of `kubectl obstack` hold those.
//!
//! Pages written by hand have made parts: the head of a page of the runbook, and output that was recorded.

mod advisories;
mod api;
mod chart;
mod charts;
mod conditions;
mod dashboards;
mod entries;
#[cfg(test)]
mod links;
mod markdown;
mod output;
mod rights;
mod runbook;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use obstack_api::Reason;

use crate::command;
use crate::error::{At, Error};
use crate::workspace;

const HEADER: &str = "# Made by `cargo xtask codegen` from crates/obstack-api. Do not edit.\n";

/// Writes every generated file, or with `check` only looks whether each is as it would be written.
pub fn run(check: bool) -> Result<(), Error> {
    let [operator, cli] = workspace::build_both()?;
    let mut files = own()?;
    let pages = [
        ("cli", &operator, "cli"),
        ("metrics", &operator, "metrics"),
        ("kubectl-obstack", &cli, "markdown"),
        ("kubectl-obstack-output", &cli, "results"),
    ];
    for (page, binary, name) in pages {
        let text = command::text("make a page of the reference", Command::new(binary).args(["docs", name]))?;
        files.push((reference(page), text));
    }
    files.iter().try_for_each(|(path, text)| if check { hold(path, text) } else { write(path, text) })
}

/// The files that need nothing but this crate.
fn own() -> Result<Vec<(PathBuf, String)>, Error> {
    let pages = [
        ("advisories", advisories::page()),
        ("api", api::page()),
        ("charts", charts::page()),
        ("conditions", conditions::page()),
        ("dashboards", dashboards::page()?),
    ];
    let mut files: Vec<_> = pages.into_iter().map(|(page, text)| (reference(page), text)).collect();
    files.extend([crd()?, chart::crd()?, chart::values()?, dashboards::of_the_operator()?]);
    files.extend(rights::files());
    files.push((runbook::folder().join("README.md"), runbook::index()));
    for reason in Reason::ALL {
        let path = runbook::path(*reason);
        files.push((path.clone(), output::fill(&path, &runbook::page(*reason)?)?));
    }
    files.extend(terminal::pictures()?);
    for folder in ["how-to", "explanation"] {
        for path in pages_of(&workspace::root().join("docs").join(folder))? {
            let text = fs::read_to_string(&path).at("read", &path)?;
            files.push((path.clone(), output::fill(&path, &text)?));
        }
    }
    Ok(files)
}

/// The pages of a folder, by name.
fn pages_of(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).at("list", folder)? {
        let path = entry.at("list", folder)?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

fn reference(page: &str) -> PathBuf {
    workspace::root().join(format!("docs/reference/{page}.md"))
}

fn hold(path: &Path, text: &str) -> Result<(), Error> {
    let committed = fs::read_to_string(path).at("read", path)?;
    if committed == text {
        return Ok(());
    }
    let differs = committed.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = differs.map(|line| format!(" (from line {} on)", line + 1)).unwrap_or_default();
    Err(Error::Outdated { path: path.into(), line })
}

/// A file that is as it should be is left alone.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|committed| committed == text) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).at("create", dir)?;
    }
    fs::write(path, text).at("write", path)?;
    println!("wrote {}", path.strip_prefix(workspace::root()).unwrap_or(path).display());
    Ok(())
}

/// The CRD as text. Maps are sorted, so the same code makes the same text.
fn definition() -> Result<String, Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(&obstack_api::schema::crd(), options)
        .map_err(|error| Error::Format { what: "the CRD".into(), reason: error.to_string() })
}

/// Where the CRD is kept, and how it looks.
fn crd() -> Result<(PathBuf, String), Error> {
    let text = definition()?;
    let path = workspace::root().join("crds/obstack.dev_observabilitystacks.yaml");
    Ok((path, format!("{HEADER}{text}")))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_committed_files_are_what_the_code_makes() {
        for (path, text) in own().unwrap() {
            hold(&path, &text).unwrap();
        }
    }

    #[test]
    fn the_crd_reads_back_as_it_was() {
        let (_, text) = crd().unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, obstack_api::schema::crd());
    }
}
