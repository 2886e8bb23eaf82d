//! Pictures of a terminal: `docs/terminal/NAME.svg` shows what `NAME.ansi` recorded, colours included.
//!
//! What a picture shows was really printed: `docs/runbook/output/record` makes the recordings.

use std::fs;
use std::path::PathBuf;

use anstyle_svg::Term;

use crate::error::{At, Error};
use crate::workspace;

/// Where recordings and pictures are kept.
fn folder() -> PathBuf {
    workspace::root().join("docs/terminal")
}

/// Every picture, with its path.
pub fn pictures() -> Result<Vec<(PathBuf, String)>, Error> {
    let folder = folder();
    let mut pictures = Vec::new();
    for entry in fs::read_dir(&folder).at("list", &folder)? {
        let path = entry.at("list", &folder)?.path();
        if path.extension().is_some_and(|extension| extension == "ansi") {
            let recorded = fs::read_to_string(&path).at("read", &path)?;
            pictures.push((path.with_extension("svg"), Term::new().render_svg(recorded.trim_end())));
        }
    }
    pictures.sort();
    Ok(pictures)
}
