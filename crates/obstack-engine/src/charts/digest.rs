//! What a chart is, as a hash: of an archive, or of the files of an unpacked one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A larger archive is refused before anything unpacks it, in bytes. The largest chart in the catalog has 0.3 MiB.
pub(super) const ARCHIVE_LIMIT: u64 = 5 * 1024 * 1024;
/// A folder with more files than this is not a chart.
const FILES_LIMIT: usize = 2000;
/// Nor is one with more bytes.
const FOLDER_LIMIT: u64 = 50 * 1024 * 1024;

/// Lower-case hex of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hex sha256 of an archive.
pub(super) fn archive(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > ARCHIVE_LIMIT {
        return Err(io::Error::other(format!("it has {length} bytes, more than {ARCHIVE_LIMIT}")));
    }
    Ok(hex(&Sha256::digest(fs::read(path)?)))
}

/// Hex sha256 over the names and contents of all files of a folder, in the order of their names.
pub(super) fn folder(path: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    list(path, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    let mut total = 0;
    for file in files {
        let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        total += fs::metadata(&file)?.len();
        if total > FOLDER_LIMIT {
            return Err(io::Error::other(format!("it holds more than {FOLDER_LIMIT} bytes")));
        }
        let content = fs::read(&file)?;
        // Lengths first, so that no two folders give the same bytes.
        for part in [name.as_bytes(), &content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    Ok(hex(&hash.finalize()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        } else {
            // A link could show helm a file that is not the chart's.
            return Err(io::Error::other(format!(
                "{} is neither a file nor a folder",
                entry.path().display()
            )));
        }
        if files.len() > FILES_LIMIT {
            return Err(io::Error::other(format!("it holds more than {FILES_LIMIT} files")));
        }
    }
    Ok(())
}
