//! Where charts are: bundled, in a folder that an administrator filled, or in the cache of pulled archives.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

use super::digest;
use super::pull::Pull;
use super::{ChartError, Source};

/// Which chart is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartRequest {
    /// Name of the chart, such as `tempo`.
    pub name: String,
    /// Exact version; no range.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
    /// URL of the repository, for an upstream chart.
    pub repository: String,
    /// sha256 of the archive: `sha256:<hex>` or the bare hex. Needed for an upstream archive.
    pub digest: Option<String>,
}

/// A chart that is there and is the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Name of the chart.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Absolute path of the archive or of the unpacked chart.
    pub path: PathBuf,
    /// `sha256:<hex>` of a verified archive, or `files-sha256:<hex>` over the files of a folder, which nothing verifies.
    pub digest: String,
}

/// Where charts may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Folder of the charts that come with the operator.
    pub bundled: PathBuf,
    /// Folder of upstream charts (`--charts`). When given, upstream charts are looked up there and nowhere else.
    pub charts: Option<PathBuf>,
    /// Folder that may be written to; pulled archives are kept in `charts/` below it.
    pub cache: PathBuf,
    /// The helm binary, for pulls.
    pub helm: PathBuf,
}

/// Where a bundled chart says which further versions of the upstream chart it stands for: the values of each give the
/// objects that its own version would give.
const ALSO_SERVES: &str = "/annotations/obstack.dev~1also-serves";

type Flight = BoxFuture<'static, Result<Located, ChartError>>;

/// Finds charts. Cheap to clone; clones share their pulls.
#[derive(Clone)]
pub struct Store {
    config: Arc<StoreConfig>,
    /// Pulls that are going on, by what is asked for. Weak, so that a pull that nobody waits for any more ends.
    flights: Arc<Mutex<HashMap<String, WeakShared<Flight>>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Store {
    /// A store over these folders. Touches none of them.
    pub fn new(config: StoreConfig) -> Self {
        Self { config: Arc::new(config), flights: Arc::default() }
    }

    /// Finds a chart where its source says, verifies it, and pulls it if that is where it comes from.
    ///
    /// Nothing stands in for anything: a chart that its source does not have is an error. A pull is tried once, for
    /// all that ask for it at the same time.
    pub async fn locate(&self, request: &ChartRequest) -> Result<Located, ChartError> {
        let wanted = check(request)?;
        let (config, owned) = (Arc::clone(&self.config), request.clone());
        let local = match (request.source, &self.config.charts) {
            (Source::Bundled, _) => blocking(request, move || bundled(&config.bundled, &owned)).await,
            (Source::Upstream, Some(folder)) => {
                let folder = folder.clone();
                blocking(request, move || given(&folder, &owned, wanted.as_deref())).await
            }
            (Source::Upstream, None) => {
                let digest = wanted.ok_or_else(|| unknown(request))?;
                return self.pulled(request, digest).await;
            }
        };
        local?
    }

    /// From the cache, or by a pull that all who ask at the same time share.
    async fn pulled(&self, request: &ChartRequest, digest: String) -> Result<Located, ChartError> {
        let key = format!("{request:?}");
        let flight: Shared<Flight> = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.retain(|_, flight| flight.upgrade().is_some());
            if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
                flight
            } else {
                let pull = Pull { config: Arc::clone(&self.config), request: request.clone(), digest };
                let flight = pull.locate().boxed().shared();
                if let Some(weak) = flight.downgrade() {
                    flights.insert(key, weak);
                }
                flight
            }
        };
        flight.await
    }
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    request: &ChartRequest,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ChartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        unavailable(request, "the operator's disk", format!("reading it broke off: {error}"))
    })
}

/// A bundled chart: `NAME-VERSION`, or `NAME` if that is this version.
fn bundled(folder: &Path, request: &ChartRequest) -> Result<Located, ChartError> {
    let source = format!("the bundled charts in {}", folder.display());
    let exact = folder.join(format!("{}-{}", request.name, request.version));
    let plain = folder.join(&request.name);
    let path = if exact.is_dir() { exact.clone() } else { plain.clone() };
    if !path.is_dir() {
        let detail = format!(
            "neither {} nor {} is a folder; use a chart version that comes with the operator, or source Upstream",
            exact.display(),
            plain.display()
        );
        return Err(unavailable(request, &source, detail));
    }
    let found = versions_of(&path).map_err(|detail| unavailable(request, &source, detail))?;
    if !found.contains(&request.version) {
        let detail = format!(
            "{} stands for version {}; use one of these, or source Upstream",
            path.display(),
            found.join(", ")
        );
        return Err(unavailable(request, &source, detail));
    }
    folder_located(request, &path, &source)
}

/// An upstream chart in the folder of `--charts`.
fn given(folder: &Path, request: &ChartRequest, wanted: Option<&str>) -> Result<Located, ChartError> {
    let source = format!("the charts folder {}", folder.display());
    let stem = folder.join(format!("{}-{}", request.name, request.version));
    let mut archive = stem.clone().into_os_string();
    archive.push(".tgz");
    let archive = PathBuf::from(archive);
    if archive.is_file() {
        let wanted = wanted.ok_or_else(|| unknown(request))?;
        return archive_located(request, &archive, wanted, &source);
    }
    if stem.is_dir() {
        let located = folder_located(request, &stem, &source)?;
        warn_unverified(&stem);
        return Ok(located);
    }
    let detail = format!(
        "neither {} nor {} is there; put the archive into the folder (helm pull {} --repo {} --version {})",
        archive.display(),
        stem.display(),
        request.name,
        request.repository,
        request.version
    );
    Err(unavailable(request, &source, detail))
}

/// Says once per folder that its chart is not verified.
fn warn_unverified(path: &Path) {
    static SAID: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.iter().any(|known| known == path) {
        said.push(path.to_owned());
        tracing::warn!(chart = %path.display(), "an unpacked chart is used; its digest cannot be verified");
    }
}

/// An archive, once its bytes are the ones that were asked for.
pub(super) fn archive_located(
    request: &ChartRequest,
    path: &Path,
    wanted: &str,
    source: &str,
) -> Result<Located, ChartError> {
    let found = digest::archive(path).map_err(|error| {
        unavailable(request, source, format!("{} cannot be used: {error}", path.display()))
    })?;
    if found == wanted {
        return located(request, path, format!("sha256:{found}"), source);
    }
    Err(ChartError::DigestMismatch {
        name: request.name.clone(),
        version: request.version.clone(),
        place: path.display().to_string(),
        found,
        wanted: wanted.to_owned(),
    })
}

fn folder_located(request: &ChartRequest, path: &Path, source: &str) -> Result<Located, ChartError> {
    let hash = digest::folder(path).map_err(|error| {
        unavailable(request, source, format!("{} cannot be used: {error}", path.display()))
    })?;
    located(request, path, format!("files-sha256:{hash}"), source)
}

fn located(request: &ChartRequest, path: &Path, digest: String, source: &str) -> Result<Located, ChartError> {
    // helm takes a relative path that does not exist for the name of a chart in a repository.
    let path = path.canonicalize().map_err(|error| {
        unavailable(request, source, format!("{} cannot be used: {error}", path.display()))
    })?;
    Ok(Located { name: request.name.clone(), version: request.version.clone(), path, digest })
}

/// The versions that the `Chart.yaml` of an unpacked chart stands for: its own first.
fn versions_of(folder: &Path) -> Result<Vec<String>, String> {
    let file = folder.join("Chart.yaml");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let chart: serde_json::Value =
        serde_saphyr::from_str(&text).map_err(|_| format!("{} is not YAML", file.display()))?;
    let version = chart.get("version").and_then(serde_json::Value::as_str);
    let version = version.ok_or_else(|| format!("{} has no version", file.display()))?;
    let also = chart.pointer(ALSO_SERVES).and_then(serde_json::Value::as_str).unwrap_or_default();
    Ok([version]
        .into_iter()
        .chain(also.split(',').map(str::trim).filter(|v| !v.is_empty()))
        .map(str::to_owned)
        .collect())
}

/// Refuses what must not become a path or an argument, and gives the digest as bare hex.
fn check(request: &ChartRequest) -> Result<Option<String>, ChartError> {
    let invalid = |detail: &str| ChartError::Invalid {
        name: request.name.clone(),
        version: request.version.clone(),
        detail: detail.to_owned(),
    };
    let word = |text: &str, also: &[char]| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= 128
            && !text.contains("..")
            && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(&c))
    };
    if !word(&request.name, &['-', '_', '.']) {
        return Err(invalid("a chart's name has letters, digits, dots and hyphens"));
    }
    if !word(&request.version, &['-', '+', '.']) {
        return Err(invalid("give one exact version, such as 2.2.4"));
    }
    let Some(digest) = &request.digest else { return Ok(None) };
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest).to_ascii_lowercase();
    if hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(Some(hex))
    } else {
        Err(invalid("its digest is not sha256: and 64 hex digits"))
    }
}

fn unknown(request: &ChartRequest) -> ChartError {
    ChartError::Unknown { name: request.name.clone(), version: request.version.clone() }
}

pub(super) fn unavailable(request: &ChartRequest, source: &str, detail: String) -> ChartError {
    ChartError::Unavailable {
        name: request.name.clone(),
        version: request.version.clone(),
        source_name: source.to_owned(),
        detail,
    }
}
