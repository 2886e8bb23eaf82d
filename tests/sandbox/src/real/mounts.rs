//! What the kubelet and containerd mount: all of it below the folder of the sandbox.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

use crate::errors::{At, Error};

/// Unmounts everything below the folder. Its files may be removed only when this succeeded: below a mount that is
/// left lie files of somebody else.
pub(crate) fn remove(dir: &Path) -> Result<(), Error> {
    // What is mounted on a mount is listed after it. A mount can also become visible when another one goes.
    for _ in 0..8 {
        let left = below(dir)?;
        if left.is_empty() {
            return Ok(());
        }
        for path in left.iter().rev() {
            let _ = unmount(path.as_path(), UnmountFlags::DETACH);
        }
    }
    match below(dir)?.first() {
        Some(path) => Err(Error::StillMounted { path: path.clone() }),
        None => Ok(()),
    }
}

fn below(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let table = Path::new("/proc/self/mounts");
    let text = fs::read(table).at("read", table)?;
    // A folder can be named by another path than the kernel's.
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_path_buf());
    Ok(points(&text).filter(|path| path.starts_with(&dir) && *path != dir).collect())
}

fn points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    let point = |line: &[u8]| line.split(|byte| *byte == b' ').nth(1).map(unescaped);
    table.split(|byte| *byte == b'\n').filter_map(point)
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(OsString::from_vec(digits.to_vec()).to_str()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are() {
        let table = b"tmpfs /tmp/a\\040b/c tmpfs rw 0 0\noverlay /x\\134y overlay rw 0 0\n";
        let found: Vec<PathBuf> = points(table).collect();
        assert_eq!(found, [PathBuf::from("/tmp/a b/c"), PathBuf::from("/x\\y")]);
    }

    #[test]
    fn a_folder_without_mounts_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        remove(dir.path()).unwrap();
        assert!(dir.path().exists());
    }
}
