//! The images of the real node: pulled, or put together from a binary and imported.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::backends::{Backend, How, Known, Shape, Source};
use super::containerd;
use crate::errors::{At, Error};
use crate::oci::{Image, ImageFile, write_archive};
use crate::progress::{Progress, Report};

const PAUSE_SOURCE: &str = include_str!("../../pause.c");

/// Brings every image into the node that can be had, and says of each backend how that went.
pub(crate) fn provide(
    dir: &Path,
    ctr: &Path,
    sources: &[(&'static Known, Source)],
    report: Report<'_>,
) -> Result<Vec<Backend>, Error> {
    let folder = dir.join("images");
    fs::create_dir_all(&folder).at("create", &folder)?;
    provide_pause(dir, ctr, &folder)?;
    let mut backends = Vec::with_capacity(sources.len());
    for (known, source) in sources {
        let (images, how) = match (source, &known.shape) {
            (Source::Registry, _) => match pull(dir, ctr, known, report) {
                Ok(()) => (known.images(), How::Pulled),
                Err(why) => (Vec::new(), How::Simulated { why }),
            },
            (Source::Binary(path, how), Some(shape)) => {
                report(Progress::step("images", format!("{} from {}", known.name, path.display())));
                let archive = folder.join(format!("{}.tar", known.name));
                write_archive(&image(shape, path), &known.images(), &archive)?;
                import_and_remove(dir, ctr, &archive)?;
                (known.images(), how.clone())
            }
            (Source::Binary(..), None) => {
                (Vec::new(), How::Simulated { why: "it is more than one program".into() })
            }
            (Source::Nowhere(why), _) => (Vec::new(), How::Simulated { why: why.clone() }),
        };
        backends.push(Backend { name: known.name.into(), images, how });
    }
    Ok(backends)
}

fn image(shape: &Shape, binary: &Path) -> Image {
    Image {
        entrypoint: vec![shape.entrypoint.into()],
        user: shape.user.into(),
        env: Vec::new(),
        labels: BTreeMap::new(),
        files: vec![ImageFile { from: binary.into(), to: shape.entrypoint.into(), mode: 0o755 }],
        folders: shape.writable.iter().map(|path| ((*path).to_owned(), 0o777)).collect(),
    }
}

/// A program of a few lines, so it is compiled each time.
fn provide_pause(dir: &Path, ctr: &Path, folder: &Path) -> Result<(), Error> {
    let (source, binary) = (folder.join("pause.c"), folder.join("pause"));
    fs::write(&source, PAUSE_SOURCE).at("write", &source)?;
    let output = Command::new("cc")
        .args(["-static", "-Os", "-o"])
        .arg(&binary)
        .arg(&source)
        .output()
        .map_err(|source| Error::Run { program: "cc".into(), source })?;
    if !output.status.success() {
        let log = folder.join("pause.log");
        fs::write(&log, &output.stderr).at("write", &log)?;
        return Err(Error::Build { tool: "pause".into(), tail: crate::process::tail(&log), log });
    }
    let archive = folder.join("pause.tar");
    let shape = Shape { entrypoint: "/pause", user: "65535", writable: &[] };
    write_archive(&image(&shape, &binary), &[containerd::PAUSE.to_owned()], &archive)?;
    import_and_remove(dir, ctr, &archive)
}

/// By the client itself, on the machine's side of the network.
fn pull(dir: &Path, ctr: &Path, known: &Known, report: Report<'_>) -> Result<(), String> {
    for image in known.images() {
        report(Progress::step("images", format!("pulling {image}")));
        containerd::ctr(dir, ctr, &["images", "pull", "--local", &image])
            .map_err(|error| format!("{image}: {error}"))?;
    }
    Ok(())
}

fn import_and_remove(dir: &Path, ctr: &Path, archive: &Path) -> Result<(), Error> {
    import(dir, ctr, archive)?;
    fs::remove_file(archive).at("remove", archive)
}

/// Brings the images of an OCI archive into the node, under the names that it has for them.
pub(crate) fn import(dir: &Path, ctr: &Path, archive: &Path) -> Result<(), Error> {
    containerd::ctr(dir, ctr, &["images", "import", &archive.display().to_string()])
        .map(drop)
        .map_err(|reason| Error::Containers { action: format!("import {}", archive.display()), reason })
}
