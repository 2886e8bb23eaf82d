//! Files that are made from the code: the CRD.

use std::fs;
use std::path::PathBuf;

use crate::error::{At, Error};
use crate::workspace;

const HEADER: &str = "# Made by `cargo xtask codegen` from crates/obstack-api. Do not edit.\n";

/// Writes every generated file, or with `check` only looks whether each is as it would be written.
pub fn run(check: bool) -> Result<(), Error> {
    let (path, text) = crd()?;
    if check {
        let committed = fs::read_to_string(&path).at("read", &path)?;
        if committed == text {
            return Ok(());
        }
        let differs = committed.lines().zip(text.lines()).position(|(old, new)| old != new);
        let line = differs.map(|line| format!(" (from line {} on)", line + 1)).unwrap_or_default();
        return Err(Error::Outdated { path, line });
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).at("create", dir)?;
    }
    fs::write(&path, text).at("write", &path)?;
    println!("wrote {}", path.strip_prefix(workspace::root()).unwrap_or(&path).display());
    Ok(())
}

/// Where the CRD is kept, and how it looks. Maps are sorted, so the same code makes the same text.
fn crd() -> Result<(PathBuf, String), Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(&obstack_api::schema::crd(), options)
        .map_err(|error| Error::Format { what: "the CRD".into(), reason: error.to_string() })?;
    let path = workspace::root().join("crds/obstack.dev_observabilitystacks.yaml");
    Ok((path, format!("{HEADER}{text}")))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_committed_crd_is_what_the_code_makes() {
        run(true).unwrap();
    }

    #[test]
    fn the_crd_reads_back_as_it_was() {
        let (_, text) = crd().unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, obstack_api::schema::crd());
    }
}
