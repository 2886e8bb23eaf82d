//! Whether a binary runs where there is nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::errors::{At, Error};

/// Enough for the header and all program headers of any linker.
const HEAD: u64 = 64 * 1024;
/// The kind of the program header that names a loader.
const INTERPRETER: u32 = 3;

/// Refuses what is not a program of this kind of machine, and what needs a loader and libraries.
pub(crate) fn check_static(path: &Path) -> Result<(), Error> {
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).at("read", path)?;
    let refused = |reason| Error::Image { path: path.into(), reason };
    match needs_loader(&head) {
        None => Err(refused("it is not a 64-bit ELF program")),
        Some(true) => Err(refused(
            "it needs libraries of the system it was built on; build it static, with CGO_ENABLED=0 for Go",
        )),
        Some(false) => Ok(()),
    }
}

fn needs_loader(head: &[u8]) -> Option<bool> {
    // 64 bits, little endian.
    if head.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let start = usize::try_from(u64::from_le_bytes(array(head, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(array(head, 54)?));
    let count = usize::from(u16::from_le_bytes(array(head, 56)?));
    let kinds = (0..count).filter_map(|index| array(head, start + index * size).map(u32::from_le_bytes));
    Some(kinds.into_iter().any(|kind| kind == INTERPRETER))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with program headers of these kinds.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).unwrap();
        for kind in kinds {
            let mut header = kind.to_le_bytes().to_vec();
            header.resize(56, 0);
            bytes.extend(header);
        }
        bytes
    }

    #[test]
    fn a_loader_is_found_in_the_program_headers() {
        assert_eq!(needs_loader(&elf(&[1, 1, 4])), Some(false));
        assert_eq!(needs_loader(&elf(&[6, INTERPRETER, 1])), Some(true));
        assert_eq!(needs_loader(&elf(&[])), Some(false));
        assert_eq!(needs_loader(b"#!/bin/sh\n"), None);
        assert_eq!(needs_loader(b"\x7fELF\x02\x01"), None);
    }

    #[test]
    fn a_shell_script_and_a_program_with_libraries_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(check_static(&script).unwrap_err().to_string().contains("not a 64-bit ELF program"));
        let own = std::env::current_exe().unwrap();
        assert!(check_static(&own).unwrap_err().to_string().contains("CGO_ENABLED=0"));
    }
}
