//! `cargo xtask image`: the operator's image without Docker. It holds the operator as a static binary, the helm that
//! renders, the bundled charts, and the public certificate authorities.

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

/// The name in `deploy/operator`. No registry has it: it is imported into nodes, or pushed under another name.
pub const NAME: &str = concat!("localhost/obstack-operator:", env!("CARGO_PKG_VERSION"));

const OPERATOR: &str = "obstack-operator";
/// Not built for speed: a change is in an image in seconds, and the work of an operator is waiting.
const PROFILE: &str = "image";
/// Where the operator looks for its charts unless it is told otherwise.
const CHARTS: &str = "/usr/share/obstack/charts";
/// Upstream charts, where they are in it.
const UPSTREAM: &str = "/usr/share/obstack/upstream";
/// Where Go and rustls look for authorities on any Linux.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Writes the archive that is asked for.
pub fn run(options: &Image) -> Result<(), Error> {
    let digest = write(&[&options.name], options.charts.as_deref(), &options.out)?;
    let size = fs::metadata(&options.out).at("read", &options.out)?.len();
    println!("{}: {} as {}, {} MB", options.out.display(), digest, options.name, size / 1_000_000);
    Ok(())
}

/// Builds the operator and writes its image under these names, with upstream charts where a folder of them is given.
/// Returns the digest of the manifest.
pub fn write(names: &[&str], charts: Option<&Path>, out: &Path) -> Result<String, Error> {
    let [operator] = workspace::build_static([OPERATOR], PROFILE)?;
    let show = Show::new("image");
    let helm = obstack_sandbox::built_helm(&mut |progress| show.sandbox(progress))?;
    let authorities = folder()?.join("ca-certificates.crt");
    fs::write(&authorities, public_authorities()).at("write", &authorities)?;
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
            file(workspace::root().join("charts/bundled"), CHARTS, 0o644),
            file(authorities, AUTHORITIES, 0o644),
        ],
        folders: Vec::new(),
    };
    if let Some(charts) = charts {
        image.env.push(("OBSTACK_CHARTS".into(), UPSTREAM.into()));
        image.files.push(file(charts.into(), UPSTREAM, 0o644));
    }
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    Ok(oci::write_archive(&image, &names, out)?)
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
