//! Upstream archives: from the cache, or by `helm pull`, and never used before their digest is verified.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ChartError;
use super::process::{self, Run, Unfinished};
use super::store::{ChartRequest, Located, StoreConfig, archive_located, blocking, unavailable};

/// For one pull, the index of the repository included.
const DEADLINE: Duration = Duration::from_mins(1);

/// How a company's network is crossed. A pull is the only run of helm that needs a network, so only it gets these.
const NETWORK: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// One chart to have.
pub(super) struct Pull {
    pub(super) config: Arc<StoreConfig>,
    pub(super) request: ChartRequest,
    /// Bare hex sha256 of the archive.
    pub(super) digest: String,
}

impl Pull {
    /// The archive in the cache, put there first if need be.
    pub(super) async fn locate(self) -> Result<Located, ChartError> {
        let cached = self.cached();
        let (request, digest, path) = (self.request.clone(), self.digest.clone(), cached.clone());
        let hit = blocking(&self.request, move || {
            path.is_file().then(|| archive_located(&request, &path, &digest, "the cache"))
        });
        match hit.await? {
            Some(Ok(located)) => return Ok(located),
            // A cache is only a cache: what is damaged is had again from the source.
            Some(Err(error)) => tracing::warn!(%error, "a cached chart is damaged and is pulled again"),
            None => {}
        }
        self.pull(&cached).await
    }

    /// File name of the archive in the cache; the digest is part of it, so that two charts of one version do not
    /// take each other's place.
    fn cached(&self) -> PathBuf {
        let ChartRequest { name, version, .. } = &self.request;
        let short: String = self.digest.chars().take(12).collect();
        self.config.cache.join("charts").join(format!("{name}-{version}-{short}.tgz"))
    }

    async fn pull(&self, cached: &Path) -> Result<Located, ChartError> {
        let request = &self.request;
        let repository = &request.repository;
        if !(repository.starts_with("https://") || repository.starts_with("http://"))
            || repository.contains('@')
        {
            return Err(ChartError::Invalid {
                name: request.name.clone(),
                version: request.version.clone(),
                detail: "its repository is not an http(s):// URL without user and password".to_owned(),
            });
        }
        let broken = |detail: String| unavailable(request, repository, detail);
        let disk =
            |error: io::Error| broken(format!("the cache {} cannot be used: {error}", cached.display()));
        let home = process::private_dir().map_err(disk)?;
        let finished = Run {
            program: &self.config.helm,
            args: self.arguments(home.path()),
            home: home.path(),
            inherit: &NETWORK,
            deadline: DEADLINE,
            limit: 64 * 1024,
        }
        .finish()
        .await
        .map_err(|error| match error {
            Unfinished::TimedOut => {
                broken(format!("helm pull did not end in {} s; {FIX}", DEADLINE.as_secs()))
            }
            Unfinished::TooBig => broken("helm pull wrote more than 64 KiB of messages".to_owned()),
            Unfinished::Io(error) => broken(format!("{}: {error}", self.config.helm.display())),
        })?;
        if !finished.status.success() {
            return Err(broken(format!(
                "helm pull failed: {}; {FIX}",
                process::first_line(&finished.stderr)
            )));
        }
        let archive =
            single_archive(home.path()).map_err(|error| broken(format!("helm pull left {error}")))?;
        let (owned, digest, cached) = (request.clone(), self.digest.clone(), cached.to_owned());
        blocking(request, move || keep(&owned, &archive, &digest, &cached)).await?
    }

    fn arguments(&self, home: &Path) -> Vec<OsString> {
        let ChartRequest { name, version, repository, .. } = &self.request;
        let args = ["pull", name, "--repo", repository, "--version", version, "--destination"];
        args.into_iter().map(OsString::from).chain([home.as_os_str().to_owned()]).collect()
    }
}

const FIX: &str =
    "can the operator reach the repository, and has it this version? Without a network use --charts DIR";

/// The one `.tgz` that helm left. Its name is the repository's choice.
fn single_archive(folder: &Path) -> io::Result<PathBuf> {
    let mut found = None;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") && found.replace(path).is_some() {
            return Err(io::Error::other("more than one archive"));
        }
    }
    found.ok_or_else(|| io::Error::other("no archive"))
}

/// Verifies an archive and moves it into the cache, in one step for whoever looks there.
fn keep(request: &ChartRequest, archive: &Path, digest: &str, cached: &Path) -> Result<Located, ChartError> {
    if let Err(error) = archive_located(request, archive, digest, &request.repository) {
        return Err(match error {
            // The file is gone in a moment; what the reader needs is where it came from.
            ChartError::DigestMismatch { name, version, found, wanted, .. } => {
                let place = request.repository.clone();
                ChartError::DigestMismatch { name, version, place, found, wanted }
            }
            other => other,
        });
    }
    copy(archive, cached).map_err(|error| {
        unavailable(
            request,
            &request.repository,
            format!("the cache {} cannot be used: {error}", cached.display()),
        )
    })?;
    archive_located(request, cached, digest, "the cache")
}

/// Copies by a temporary file in the same folder: the private folder may be on another disk.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut fs::File::open(from)?, &mut file)?;
    file.as_file().sync_all()?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}
