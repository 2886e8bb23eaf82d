//! Puts the small charts of `charts/bundled` into the binary, so that it renders with nothing beside it but helm.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let charts = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../charts/bundled");
    println!("cargo::rerun-if-changed={}", charts.display());
    let mut files = Vec::new();
    walk(&charts, &mut files)?;
    files.sort();
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("charts.rs");
    let mut list = fs::File::create(out)?;
    writeln!(list, "&[")?;
    for file in files {
        let name = file.strip_prefix(&charts).unwrap_or(&file).display().to_string();
        writeln!(list, "({name:?}, include_bytes!({:?}).as_slice()),", file.display().to_string())?;
    }
    writeln!(list, "]")
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
