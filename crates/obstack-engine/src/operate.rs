//! Puts the parts together and runs them until told to stop.

use std::{path::PathBuf, sync::Arc};

use kube::Client;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    canary::Canaries,
    charts::{Helm, HelmError, Renderer, Store, StoreConfig},
    cluster::{
        ClusterError,
        events::EventSink,
        live::LiveView,
        secrets::Secrets,
        watches::{Synced, Watches},
    },
    context::{ClientHandle, Context, Memory, Settings},
    controller,
    lease::WriteGuard,
    metrics::Metrics,
    observe,
    plans::Plans,
    probes::Probes,
    rings::{self, Rings},
    roster::Roster,
};

/// Minor version of the first Kubernetes 1.x that streams lists unless told otherwise.
const STREAMING: u32 = 34;

/// What the process hands over.
pub struct Parts {
    /// Client for reads and writes.
    pub client: Client,
    /// Counts and measures.
    pub metrics: Metrics,
    /// Whether writes may start.
    pub guard: WriteGuard,
    /// What the operator was told.
    pub settings: Settings,
    /// The helm binary; `helm` on the path when `None`.
    pub helm: Option<PathBuf>,
    /// Charts that come with the operator.
    pub bundled_charts: PathBuf,
    /// Folder of upstream charts, when they are given rather than pulled.
    pub charts: Option<PathBuf>,
    /// Folder for charts and rendered objects.
    pub cache: PathBuf,
}

/// Why the operator cannot work.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no usable helm.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// The API server did not say what it serves.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Watches, reconciles, and ends when `stop` says so and the work in hand is done. Calls `synced` once every watch has
/// its first list.
pub async fn run(
    parts: Parts,
    synced: impl FnOnce() + Send,
    stop: CancellationToken,
) -> Result<(), OperateError> {
    let helm = Helm::find(parts.helm).await?;
    tracing::info!(helm = helm.version(), path = %helm.path().display(), "charts are rendered by helm");
    let charts = Store::new(StoreConfig {
        bundled: parts.bundled_charts,
        charts: parts.charts,
        cache: parts.cache.clone(),
        helm: helm.path().to_path_buf(),
    });
    let renderer = Renderer::new(helm, &parts.cache);
    let cluster = observe::cluster(&parts.client).await?;
    let (triggers, triggered) = mpsc::unbounded_channel();
    let (view, secrets) = (Arc::new(LiveView::default()), Arc::new(Secrets::default()));
    let watches = Watches {
        client: parts.client.clone(),
        namespaces: parts.settings.namespaces.clone(),
        view: Arc::clone(&view),
        secrets: Arc::clone(&secrets),
        triggers: triggers.clone(),
        metrics: parts.metrics.clone(),
        stop: stop.clone(),
        synced: Arc::new(Synced::default()),
        streaming: cluster.minor >= STREAMING,
    };
    watches.start();
    tracing::info!(kubernetes = cluster.version, openshift = cluster.openshift, "the API server answers");
    // Before every list is there, an object that is not seen yet would look deleted.
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = watches.synced.wait() => synced(),
    }
    let ctx = Context {
        rings: Arc::new(Rings::new(parts.settings.reach.clone(), rings::INTERVAL, triggers.clone())),
        canaries: Arc::new(Canaries::new(
            parts.settings.reach.clone(),
            parts.metrics.clone(),
            triggers.clone(),
        )),
        probes: Arc::new(Probes::new(parts.settings.probe_interval, parts.metrics.clone(), triggers)),
        settings: parts.settings,
        cluster,
        view,
        roster: Roster::default(),
        secrets,
        plans: Plans::new(charts, renderer, parts.metrics.clone()),
        events: EventSink::start(parts.client.clone(), parts.guard.clone()),
        metrics: parts.metrics,
        guard: parts.guard,
        memory: Memory::default(),
        client: ClientHandle(parts.client),
    };
    controller::run(Arc::new(ctx), triggered, stop).await;
    Ok(())
}
