//! `helm template` as a function: the same inputs give the same objects, from the cache or anew.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::cache::{self, Cache};
use super::manifest::{self, Unreadable};
use super::process::{self, Finished, Run, Unfinished};
use super::{Helm, Located, RenderError};

/// helm needs 0.1 to 0.4 s of processor time for the largest chart.
const DEADLINE: Duration = Duration::from_secs(20);
/// Of rendered text, in bytes. The largest chart renders 0.3 MiB.
const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;
/// helms that run at the same time, so that a restart with many stacks stays within the operator's memory.
const PARALLEL: usize = 2;

/// What to render.
#[derive(Clone, Copy, Debug)]
pub struct RenderRequest<'a> {
    /// The chart.
    pub chart: &'a Located,
    /// Name of the release, at most 53 characters.
    pub release: &'a str,
    /// Namespace of the release.
    pub namespace: &'a str,
    /// The values. A `null` removes the chart's default.
    pub values: &'a Value,
    /// Version of the cluster, such as `1.36.3`.
    pub kube_version: &'a str,
    /// What the cluster serves, such as `policy/v1`. The order does not matter.
    pub api_versions: &'a [String],
}

/// How often something was rendered, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// helm ran.
    pub renders: u64,
    /// The cache had it.
    pub cache_hits: u64,
}

/// Renders charts. Cheap to clone; clones share limits and counts.
#[derive(Clone, Debug)]
pub struct Renderer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    helm: Helm,
    cache: Cache,
    deadline: Duration,
    running: Semaphore,
    renders: AtomicU64,
    cache_hits: AtomicU64,
}

impl Renderer {
    /// A renderer that keeps its results in `renders/` below `cache`.
    pub fn new(helm: Helm, cache: &Path) -> Self {
        Self::with_deadline(helm, cache, DEADLINE)
    }

    pub(super) fn with_deadline(helm: Helm, cache: &Path, deadline: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                helm,
                cache: Cache::new(cache),
                deadline,
                running: Semaphore::new(PARALLEL),
                renders: AtomicU64::new(0),
                cache_hits: AtomicU64::new(0),
            }),
        }
    }

    /// How often helm ran and how often the cache had the answer, since the start.
    pub fn counts(&self) -> Counts {
        Counts {
            renders: self.inner.renders.load(Ordering::Relaxed),
            cache_hits: self.inner.cache_hits.load(Ordering::Relaxed),
        }
    }

    /// The objects that the chart makes of the values, in helm's order. Hooks, tests and CRDs are left out. Errors are
    /// not kept: the next call runs helm again.
    pub async fn render(&self, request: &RenderRequest<'_>) -> Result<Arc<Vec<Value>>, RenderError> {
        let what = what(request);
        check(request).map_err(|detail| RenderError::Invalid { what: what.clone(), detail })?;
        let key = self.key(request);
        if let Some(objects) = self.hit(&key, &what).await? {
            return Ok(objects);
        }
        let _turn =
            self.inner.running.acquire().await.map_err(|_| broken(&what, "the renderer is closed"))?;
        // Who waited for a turn may have waited for this very render.
        if let Some(objects) = self.hit(&key, &what).await? {
            return Ok(objects);
        }
        let finished = self.run(request, &what).await?;
        let inner = Arc::clone(&self.inner);
        blocking(what, move |what| {
            let text = String::from_utf8(finished.stdout).map_err(|_| RenderError::NotYaml {
                what: what.clone(),
                detail: "it is not UTF-8".to_owned(),
            })?;
            let objects = manifest::objects(&text).map_err(|error| unreadable(&what, error))?;
            if objects.is_empty() {
                return Err(RenderError::Empty { what });
            }
            inner.cache.put(&key, &objects).map(Arc::new).map_err(|error| broken(&what, &error.to_string()))
        })
        .await
    }

    async fn hit(&self, key: &str, what: &str) -> Result<Option<Arc<Vec<Value>>>, RenderError> {
        let (inner, key) = (Arc::clone(&self.inner), key.to_owned());
        let objects = blocking(what.to_owned(), move |_| Ok(inner.cache.get(&key))).await?;
        if objects.is_some() {
            self.inner.cache_hits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(objects.map(Arc::new))
    }

    /// Runs helm on a private copy of the values.
    async fn run(&self, request: &RenderRequest<'_>, what: &str) -> Result<Finished, RenderError> {
        let disk =
            |error: std::io::Error| broken(what, &format!("the private folder cannot be used: {error}"));
        let home = process::private_dir().map_err(disk)?;
        let values = home.path().join("values.json");
        // JSON is YAML.
        tokio::fs::write(&values, request.values.to_string()).await.map_err(disk)?;
        self.inner.renders.fetch_add(1, Ordering::Relaxed);
        let run = Run {
            program: self.inner.helm.path(),
            args: arguments(request, values),
            home: home.path(),
            inherit: &[],
            deadline: self.inner.deadline,
            limit: OUTPUT_LIMIT,
        };
        let finished = run.finish().await.map_err(|error| match error {
            Unfinished::TimedOut => {
                RenderError::TimedOut { what: what.to_owned(), seconds: self.inner.deadline.as_secs() }
            }
            Unfinished::TooBig => RenderError::TooBig { what: what.to_owned(), limit: OUTPUT_LIMIT },
            Unfinished::Io(error) => broken(what, &format!("{}: {error}", self.inner.helm.path().display())),
        })?;
        if finished.status.success() {
            return Ok(finished);
        }
        let message = process::first_line(&finished.stderr);
        Err(if finished.stderr.contains("chart requires kubeVersion") {
            RenderError::Unsupported { what: what.to_owned(), message }
        } else {
            RenderError::Failed { what: what.to_owned(), message, stderr: finished.stderr }
        })
    }

    /// Everything that can change the result.
    fn key(&self, request: &RenderRequest<'_>) -> String {
        let mut api_versions = request.api_versions.to_vec();
        api_versions.sort();
        api_versions.dedup();
        cache::key(&json!({
            "chart": [request.chart.name, request.chart.version, request.chart.digest],
            "helm": self.inner.helm.version(),
            "release": request.release,
            "namespace": request.namespace,
            "values": request.values,
            "kubeVersion": request.kube_version,
            "apiVersions": api_versions,
        }))
    }
}

fn arguments(request: &RenderRequest<'_>, values: PathBuf) -> Vec<OsString> {
    let mut args: Vec<OsString> =
        vec!["template".into(), request.release.into(), request.chart.path.clone().into()];
    args.extend(["--namespace".into(), request.namespace.into(), "--values".into(), values.into()]);
    args.extend(["--kube-version".into(), request.kube_version.into()]);
    args.extend(["--no-hooks".into(), "--skip-tests".into()]);
    if !request.api_versions.is_empty() {
        // Charts may ask for them in order; give them in one.
        let mut versions = request.api_versions.to_vec();
        versions.sort();
        versions.dedup();
        args.extend(["--api-versions".into(), versions.join(",").into()]);
    }
    args
}

/// Refuses what must not become an argument.
fn check(request: &RenderRequest<'_>) -> Result<(), String> {
    let word = |text: &str, also: &[char], longest: usize| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= longest
            && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(&c))
    };
    if !word(request.release, &['-'], 53) {
        return Err(format!(
            "{:?} is no release name; use at most 53 letters, digits and hyphens",
            request.release
        ));
    }
    if !word(request.namespace, &['-'], 63) {
        return Err(format!("{:?} is no namespace", request.namespace));
    }
    if !word(request.kube_version, &['-', '+', '.'], 64) {
        return Err(format!("{:?} is no Kubernetes version; write it as 1.36.3", request.kube_version));
    }
    match request.api_versions.iter().find(|version| !word(version, &['-', '.', '/'], 300)) {
        Some(version) => Err(format!("{version:?} is no API version; write it as policy/v1")),
        None => Ok(()),
    }
}

fn what(request: &RenderRequest<'_>) -> String {
    let Located { name, version, .. } = request.chart;
    format!("chart {name} {version}, release {}", request.release)
}

fn broken(what: &str, detail: &str) -> RenderError {
    RenderError::Broken { what: what.to_owned(), detail: detail.to_owned() }
}

fn unreadable(what: &str, error: Unreadable) -> RenderError {
    let what = what.to_owned();
    match error {
        Unreadable::NotYaml(detail) => RenderError::NotYaml { what, detail },
        Unreadable::NotAnObject { index, detail } => RenderError::NotAnObject { what, index, detail },
    }
}

/// Runs file and parser work where it may block.
async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce(String) -> Result<T, RenderError> + Send + 'static,
) -> Result<T, RenderError> {
    let name = what.clone();
    match tokio::task::spawn_blocking(move || work(what)).await {
        Ok(result) => result,
        Err(error) => Err(broken(&name, &format!("reading the result broke off: {error}"))),
    }
}
