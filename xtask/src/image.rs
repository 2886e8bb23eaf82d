//! `cargo xtask image`: the operator's image without Docker. It holds the operator as a static binary, the helm that
//! renders, the bundled charts, and the public certificate authorities.

mod sbom;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use obstack_sandbox::oci::{self, ImageFile};

use crate::args::Image;
use crate::command;
use crate::error::{At, Error};
use crate::show::Show;
use crate::workspace;

/// The list of what is in the image, among what is made on the way.
const SBOM: &str = "sbom.cdx.json";

/// The name in `deploy/operator`. No registry has it: it is imported into nodes, or pushed under another name.
pub const NAME: &str = concat!("localhost/obstack-operator:", env!("CARGO_PKG_VERSION"));

const OPERATOR: &str = "obstack-operator";
/// Where the operator looks for its charts unless it is told otherwise.
const CHARTS: &str = "/usr/share/obstack/charts";
/// Upstream charts, where they are in it.
const UPSTREAM: &str = "/usr/share/obstack/upstream";
/// Where Go and rustls look for authorities on any Linux.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How the operator is built.
#[derive(Debug, Clone, Copy)]
pub enum Build {
    /// As it is shipped: small, with minutes of link-time optimization.
    Release,
    /// A change is in an image in seconds, and the work of an operator is waiting.
    Fast,
}

/// Writes the archive, or the folder, that is asked for.
pub fn run(options: &Image) -> Result<(), Error> {
    let build = if options.fast { Build::Fast } else { Build::Release };
    let image = collect(build, options.charts.as_deref())?;
    if let Some(root) = &options.root {
        fs::create_dir_all(root).at("create", root)?;
        oci::write_root(&image, root)?;
        println!("{}: the files of the image", root.display());
        return Ok(());
    }
    let Some(out) = &options.out else { return Ok(()) };
    let digest = oci::write_archive(&image, std::slice::from_ref(&options.name), out)?;
    let size = fs::metadata(out).at("read", out)?.len();
    println!("{}: {} as {}, {} MB", out.display(), digest, options.name, size / 1_000_000);
    let list = PathBuf::from(format!("{}.cdx.json", out.display()));
    fs::copy(folder()?.join(SBOM), &list).at("write", &list)?;
    println!("{}: what is in it", list.display());
    for file in image.files.iter().filter(|file| file.mode == 0o755) {
        let size = fs::metadata(&file.from).at("read", &file.from)?.len();
        println!("  {} {} MB", file.to, size / 1_000_000);
    }
    Ok(())
}

/// Builds the operator and writes its image under these names, with upstream charts where a folder of them is given.
/// Returns the digest of the manifest.
pub fn write(names: &[&str], charts: Option<&Path>, out: &Path) -> Result<String, Error> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    Ok(oci::write_archive(&collect(Build::Fast, charts)?, &names, out)?)
}

/// What is in the image, built and written where it was not there yet.
fn collect(build: Build, charts: Option<&Path>) -> Result<oci::Image, Error> {
    let profile = match build {
        Build::Release => "release",
        Build::Fast => "image",
    };
    let [operator] = workspace::build_static([OPERATOR], profile)?;
    let show = Show::new("image");
    let helm = obstack_sandbox::built_helm(&mut |progress| show.sandbox(progress))?;
    let made = folder()?;
    let authorities = made.join("ca-certificates.crt");
    fs::write(&authorities, public_authorities()).at("write", &authorities)?;
    let bundled = workspace::root().join("charts/bundled");
    let folders: Vec<&Path> = std::iter::once(bundled.as_path()).chain(charts).collect();
    let list = made.join(SBOM);
    let told = format!("{:#}\n", sbom::of(OPERATOR, &helm, &folders)?);
    fs::write(&list, told).at("write", &list)?;
    let file = |from: PathBuf, to: &str, mode| ImageFile { from, to: to.into(), mode };
    let mut image = oci::Image {
        entrypoint: vec![format!("/usr/bin/{OPERATOR}")],
        user: "65532".into(),
        // The one folder that is written to is the one that a pod makes writable.
        env: vec![("OBSTACK_CACHE_DIR".into(), "/tmp/obstack-cache".into())],
        labels: labels(),
        files: vec![
            file(operator, "/usr/bin/obstack-operator", 0o755),
            file(helm, "/usr/bin/helm", 0o755),
            file(bundled, CHARTS, 0o644),
            file(authorities, AUTHORITIES, 0o644),
            file(list, sbom::PATH, 0o644),
        ],
        folders: Vec::new(),
    };
    if let Some(charts) = charts {
        image.env.push(("OBSTACK_CHARTS".into(), UPSTREAM.into()));
        image.files.push(file(charts.into(), UPSTREAM, 0o644));
    }
    Ok(image)
}

/// For what is made on the way.
fn folder() -> Result<PathBuf, Error> {
    let folder = workspace::root().join("target/xtask-image");
    fs::create_dir_all(&folder).at("create", &folder)?;
    Ok(folder)
}

/// As the OCI image specification names them.
fn labels() -> BTreeMap<String, String> {
    let mut labels = vec![
        ("title", OPERATOR.to_owned()),
        ("description", "Kubernetes operator for environments of Tempo and Mimir".to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("licenses", env!("CARGO_PKG_LICENSE").to_owned()),
    ];
    labels.extend(revision().map(|revision| ("revision", revision)));
    labels.into_iter().map(|(key, value)| (format!("org.opencontainers.image.{key}"), value)).collect()
}

/// The commit, marked when files differ from it. Without git there is none.
fn revision() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*"])
        .current_dir(workspace::root());
    command::text("read the revision", &mut git).ok().map(|revision| revision.trim().to_owned())
}

/// Mozilla's list, as the lock file pins it. The one of this machine may hold authorities that only it trusts.
fn public_authorities() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = BASE64_STANDARD.encode(certificate);
        while !rest.is_empty() {
            let behind = rest.split_off(rest.len().min(64));
            pem.push_str(&rest);
            pem.push('\n');
            rest = behind;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_this_image() {
        let path = workspace::root().join("deploy/operator/deployment.yaml");
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("image: {NAME}\n")), "{text}");
    }

    #[test]
    fn authorities_are_pem_with_short_lines() {
        let pem = public_authorities();
        assert!(pem.matches("-----BEGIN CERTIFICATE-----\nMII").count() > 100);
        assert!(pem.lines().all(|line| !line.is_empty() && line.len() <= 64));
    }
}
