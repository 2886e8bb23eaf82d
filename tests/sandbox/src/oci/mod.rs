//! Container images without Docker: files of this machine become an OCI image layout in a tar, which containerd,
//! podman and skopeo import.
//!
//! An image has one uncompressed layer. The same files give the same bytes, and with them the same digests.

mod layer;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::env::consts;
use std::fs::{File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType};

use crate::errors::{At, Error};
use layer::{Layer, append, digest};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a program is looked for in when a pod names it without its folder.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image holds, beside `/tmp` and the files in `/etc` that name users and the order of host lookups.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// The program and its first arguments; the program with its folder.
    pub entrypoint: Vec<String>,
    /// Who it runs as unless the pod says otherwise: a number, such as `65532`, which a kubelet can tell from root.
    pub user: String,
    /// The environment. `PATH` is set to the usual folders unless it is here.
    pub env: Vec<(String, String)>,
    /// Such as `org.opencontainers.image.version`.
    pub labels: BTreeMap<String, String>,
    /// The files. One that is given takes the place of one that every image has.
    pub files: Vec<ImageFile>,
    /// Folders by absolute path, and their mode. Folders of files need not be here; they are made with 0755.
    pub folders: Vec<(String, u32)>,
}

/// One file in an image, or one folder with all that is below it.
#[derive(Debug, Clone)]
pub struct ImageFile {
    /// The file or folder on this machine. Symbolic links to files are followed.
    pub from: PathBuf,
    /// Its absolute path in the image.
    pub to: String,
    /// The mode of the file, or of every file in the folder.
    pub mode: u32,
}

/// Writes an OCI archive with the image under these names and returns the digest of its manifest, `sha256:…`. A
/// name that leaves out its registry or its tag is completed as a kubelet completes it.
///
/// The archive appears as a whole or not at all.
pub fn write_archive(image: &Image, names: &[String], out: &Path) -> Result<String, Error> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let layer = Layer::write(image, folder)?;
    let config = Blob::of(CONFIG, config(image, &layer.digest).to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size}],
    });
    let manifest = Blob::of(MANIFEST, manifest.to_string());
    // A temporary file is its owner's alone; an image is no secret.
    let readable = Permissions::from_mode(0o644);
    let archive = tempfile::Builder::new().permissions(readable).tempfile_in(folder);
    let archive = archive.at("create a file in", folder)?;
    write_layout(archive.as_file(), &manifest, &config, layer, names).at("write", out)?;
    archive.persist(out).map_err(|error| error.error).at("write", out)?;
    Ok(manifest.digest)
}

/// Writes the image's files below a folder, as another builder of images takes them.
pub fn write_root(image: &Image, root: &Path) -> Result<(), Error> {
    layer::lay_out(image, root)
}

fn config(image: &Image, layer: &str) -> Value {
    let mut env: Vec<String> = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !image.env.iter().any(|(name, _)| name == "PATH") {
        env.push(format!("PATH={PATH}"));
    }
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "User": image.user,
            "Env": env,
            "Entrypoint": image.entrypoint,
            "Labels": image.labels,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    })
}

/// The word of images for the machine that this was built for.
fn architecture() -> &'static str {
    match consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A small piece of an archive, named by its content.
struct Blob {
    kind: &'static str,
    text: String,
    digest: String,
}

impl Blob {
    fn of(kind: &'static str, text: String) -> Self {
        let digest = digest(Sha256::new_with_prefix(&text));
        Self { kind, text, digest }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": self.digest, "size": self.text.len()})
    }
}

fn write_layout(
    archive: &File,
    manifest: &Blob,
    config: &Blob,
    mut layer: Layer,
    names: &[String],
) -> io::Result<()> {
    let manifests: Vec<Value> = names.iter().map(|name| under(name, manifest)).collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
    let mut tar = Builder::new(archive);
    let mut file = |path: &str, text: &str| {
        append(&mut tar, EntryType::Regular, path, 0o644, text.len() as u64, text.as_bytes())
    };
    file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    file("index.json", &index)?;
    for blob in [manifest, config] {
        file(&blob_path(&blob.digest), &blob.text)?;
    }
    layer.file.seek(SeekFrom::Start(0))?;
    append(&mut tar, EntryType::Regular, &blob_path(&layer.digest), 0o644, layer.size, layer.file)?;
    tar.into_inner()?.flush()
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// The manifest under one name. containerd reads the first annotation; the second one holds the tag by itself.
fn under(name: &str, manifest: &Blob) -> Value {
    let name = full_name(name);
    let tag = name.rsplit(':').next();
    json!({
        "mediaType": manifest.kind,
        "digest": manifest.digest,
        "size": manifest.text.len(),
        "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag},
    })
}

/// The name as a kubelet looks for it: with `docker.io`, `library` and `latest` where they are left out.
fn full_name(name: &str) -> String {
    let tagged = match name.rsplit('/').next() {
        Some(last) if !last.contains(':') => format!("{name}:latest"),
        _ => name.to_owned(),
    };
    match tagged.split_once('/') {
        None => format!("docker.io/library/{tagged}"),
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => tagged,
        Some(_) => format!("docker.io/{tagged}"),
    }
}
