//! The one layer of an image.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::Image;
use crate::errors::{At, Error};

/// The users that images of backends and operators run as, so that a lookup of the own user finds one.
const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\n\
                      backend:x:10001:10001:backend:/tmp:/sbin/nologin\n\
                      nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nbackend:x:10001:\nnonroot:x:65532:\n";
/// Without it glibc and Go may ask DNS ahead of `/etc/hosts`.
const NSSWITCH: &str = "hosts: files dns\n";

/// What one path of the layer is.
enum Content {
    Folder,
    Text(&'static str),
    File(PathBuf),
}

/// The paths of the layer without their leading `/`, in order, each with its mode. A folder stands before what is
/// in it.
type Tree = BTreeMap<String, (u32, Content)>;

fn tree(image: &Image) -> Result<Tree, Error> {
    let mut tree = Tree::new();
    for (path, text) in [("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/nsswitch.conf", NSSWITCH)] {
        put(&mut tree, path, 0o644, Content::Text(text))?;
    }
    put(&mut tree, "/tmp", 0o1777, Content::Folder)?;
    for file in &image.files {
        put_file(&mut tree, &file.from, &file.to, file.mode)?;
    }
    for (path, mode) in &image.folders {
        put(&mut tree, path, *mode, Content::Folder)?;
    }
    Ok(tree)
}

fn put_file(tree: &mut Tree, from: &Path, to: &str, mode: u32) -> Result<(), Error> {
    if !fs::metadata(from).at("read", from)?.is_dir() {
        return put(tree, to, mode, Content::File(from.into()));
    }
    put(tree, to, 0o755, Content::Folder)?;
    for entry in fs::read_dir(from).at("read", from)? {
        let entry = entry.at("read", from)?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| refused(&entry.path(), "its name is not UTF-8"))?;
        put_file(tree, &entry.path(), &format!("{to}/{name}"), mode)?;
    }
    Ok(())
}

fn put(tree: &mut Tree, path: &str, mode: u32, content: Content) -> Result<(), Error> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if !path.starts_with('/') || parts.is_empty() || parts.iter().any(|part| [".", ".."].contains(part)) {
        return Err(refused(Path::new(path), "a path in an image is absolute and has neither `.` nor `..`"));
    }
    let full = parts.join("/");
    for (at, _) in full.match_indices('/') {
        let parent = full.get(..at).unwrap_or_default();
        tree.entry(parent.into()).or_insert((0o755, Content::Folder));
    }
    tree.insert(full, (mode, content));
    Ok(())
}

fn refused(path: &Path, reason: &'static str) -> Error {
    Error::Image { path: path.into(), reason }
}

/// A layer that is written: a file without a name, which is gone when it is closed.
pub(super) struct Layer {
    pub(super) file: File,
    pub(super) digest: String,
    pub(super) size: u64,
}

impl Layer {
    /// A layer may hold hundreds of MB, and its digest is its name in the archive: it is on disk before the archive.
    pub(super) fn write(image: &Image, folder: &Path) -> Result<Layer, Error> {
        let file = tempfile::tempfile_in(folder).at("create a file in", folder)?;
        let mut tar = Builder::new(Summed { inner: file, sum: Sha256::new(), size: 0 });
        for (path, (mode, content)) in tree(image)? {
            match content {
                Content::Folder => append(&mut tar, EntryType::Directory, &path, mode, 0, io::empty()),
                Content::Text(text) => {
                    append(&mut tar, EntryType::Regular, &path, mode, text.len() as u64, text.as_bytes())
                }
                Content::File(from) => {
                    let source = File::open(&from).at("read", &from)?;
                    let meta = source.metadata().at("read", &from)?;
                    if !meta.is_file() {
                        return Err(refused(&from, "it is neither a file nor a folder"));
                    }
                    // A file that grows meanwhile does not shift what comes behind it.
                    append(&mut tar, EntryType::Regular, &path, mode, meta.len(), source.take(meta.len()))
                }
            }
            .at("write the layer of an image to", folder)?;
        }
        let written = tar.into_inner().at("write the layer of an image to", folder)?;
        Ok(Layer { file: written.inner, digest: digest(written.sum), size: written.size })
    }
}

/// Writes what the layer holds below a folder.
pub(super) fn lay_out(image: &Image, root: &Path) -> Result<(), Error> {
    for (path, (mode, content)) in tree(image)? {
        let to = root.join(path);
        match content {
            Content::Folder => fs::create_dir_all(&to).at("create", &to)?,
            Content::Text(text) => fs::write(&to, text).at("write", &to)?,
            Content::File(from) => fs::copy(&from, &to).map(drop).at("write", &to)?,
        }
        fs::set_permissions(&to, Permissions::from_mode(mode)).at("change the mode of", &to)?;
    }
    Ok(())
}

/// One entry without time and owner.
pub(super) fn append(
    tar: &mut Builder<impl Write>,
    kind: EntryType,
    path: &str,
    mode: u32,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    tar.append_data(&mut header, path, content)
}

/// Passes on what is written and sums it up.
struct Summed<W> {
    inner: W,
    sum: Sha256,
    size: u64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// As it stands in a descriptor: `sha256:…`.
pub(super) fn digest(sum: Sha256) -> String {
    sum.finalize().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
