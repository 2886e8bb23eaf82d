//! The folders of provisioned volumes.
//!
//! The provisioner puts every volume into a folder of `/tmp` that all clusters of the machine share, and nothing can
//! tell it another place. Which of them belong to a sandbox is known from its store alone, and it can be read even
//! when nothing runs any more: the names lie in its files as plain text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = "/tmp/hostpath_pv";
const UUID_LENGTH: usize = 36;

/// Removes the volumes whose names are in the store. What cannot be removed is left.
pub(crate) fn remove(store: &Path) {
    for volume in names(store) {
        let path = Path::new(ROOT).join(volume);
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
    // Goes away only when it is empty.
    let _ = fs::remove_dir(ROOT);
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(names(&entry.path())),
            Ok(kind) if kind.is_file() => {
                found.extend(names_in(&fs::read(entry.path()).unwrap_or_default()));
            }
            _ => {}
        }
    }
    found
}

fn names_in(bytes: &[u8]) -> BTreeSet<String> {
    let prefix = format!("{ROOT}/");
    let prefix = prefix.as_bytes();
    let mut found = BTreeSet::new();
    let mut rest = bytes;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
        rest = rest.get(slash..).unwrap_or_default();
        if let Some(name) = rest.strip_prefix(prefix).and_then(|after| after.get(..UUID_LENGTH))
            && let Some(name) = uuid(name)
        {
            found.insert(name);
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    found
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.iter().enumerate().all(fits).then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn names_are_found_in_binary_files_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("member/wal");
        fs::create_dir_all(&folder).unwrap();
        let bytes = [b"\0\x12/tmp/".as_slice(), format!("{ROOT}/{NAME}").as_bytes(), b"\"\0\xff"].concat();
        fs::write(folder.join("0.wal"), bytes).unwrap();
        assert_eq!(names(dir.path()), BTreeSet::from([NAME.to_owned()]));
    }

    #[test]
    fn nothing_but_a_uuid_is_a_name() {
        for text in ["../../etc", &NAME.replace('-', "/"), &NAME.replace('0', "z"), "", &NAME[..35]] {
            assert!(names_in(format!("{ROOT}/{text}").as_bytes()).is_empty(), "{text}");
        }
    }
}
