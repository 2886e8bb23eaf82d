//! Wiring: client, admin server, the API served, leadership, the controller, and the way out.

use std::{process::ExitCode, sync::Arc, time::Duration};

use kube::{Client, Resource};
use obstack_api::ObservabilityStack;
use obstack_engine::{
    client::{self, ClientError, ClientSettings},
    context::{ClientHandle, Settings},
    lease::{Elector, LeaseConfig, LeaseError, WriteGuard},
    metrics::Metrics,
    operate::{self, OperateError, Parts},
    reach::Way,
};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    admin::{self, Admin, BindError},
    args::{ChartSource, LeaseArgs, ReachWay, RunArgs},
    health::{Health, Stage},
    shutdown, telemetry,
};

/// From the signal to the end of the step in hand. With the release of the Lease it fits into a pod's 30 s.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);
/// For the release of the Lease and open connections.
const LAST_DEADLINE: Duration = Duration::from_secs(4);
/// Threads for everything that waits or reconciles.
const THREADS: usize = 2;
const CRD_POLL: Duration = Duration::from_secs(2);

/// Why the process ends by itself.
#[derive(Debug, Error)]
enum RunError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Admin(#[from] BindError),
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error("signals cannot be handled: {0}")]
    Signals(#[source] std::io::Error),
    #[error("leadership was lost; another process may be leading, so this one ends")]
    LeadershipLost,
    #[error("the controller ended although nobody asked it to")]
    ControllerEnded,
    #[error("the work in hand did not finish within {0:?} of the signal")]
    DrainDeadline(Duration),
    #[error("this is a fault of the operator, please report it with the log: {0}")]
    Panicked(#[source] tokio::task::JoinError),
}

/// What the controller needs of the process.
#[derive(Clone)]
struct Context {
    client: Client,
    metrics: Metrics,
    guard: WriteGuard,
    args: Arc<RunArgs>,
    health: Health,
}

/// Runs the operator to its end.
pub fn start(args: RunArgs) -> ExitCode {
    if let Err(error) = telemetry::init(&args.observe) {
        eprintln!("obstack-operator: {error}");
        return ExitCode::from(2);
    }
    // Not one thread a core: the work is mostly waiting, and each thread has an arena of memory of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    // On those threads too: what this one allocates would be an arena more.
    let ended = runtime.block_on(async { tokio::spawn(run(Arc::new(args))).await });
    let ended = ended.unwrap_or_else(|panicked| Err(RunError::Panicked(panicked)));
    // Tasks that are left (watches, probes) end with the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(error = client::explain(&error), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Arc<RunArgs>) -> Result<(), RunError> {
    info!(version = env!("CARGO_PKG_VERSION"), "obstack-operator starts");
    let stop = shutdown::on_signal().map_err(RunError::Signals)?;
    let (health, mut registry) = (Health::new(), Registry::default());
    let metrics = Metrics::new(&mut registry);
    let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
    let serving = CancellationToken::new();
    let server = admin::serve(admin, args.observe.listen, serving.clone()).await?;

    let stopping = async {
        stop.cancelled().await;
        health.set(Stage::Stopping);
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = work(&args, &health, &metrics, &stop) => ended,
        never = stopping => never,
    };

    health.set(Stage::Stopping);
    serving.cancel();
    if tokio::time::timeout(Duration::from_millis(500), server).await.is_err() {
        warn!("a connection for probes or metrics was still open");
    }
    ended
}

/// From the first request to the API server to the end of the work.
async fn work(
    args: &Arc<RunArgs>,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let counter = metrics.clone();
    let settings = ClientSettings {
        context: args.cluster.context.clone(),
        on_answer: Some(Arc::new(move |verb, code| counter.record_api_request(verb, code))),
        ..ClientSettings::default()
    };
    let client = client::connect(&settings).await?;
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = api_served(&client, health) => {}
    }
    let context = |guard| Context {
        client: client.clone(),
        metrics: metrics.clone(),
        guard,
        args: Arc::clone(args),
        health: health.clone(),
    };
    if !args.lease.leader_elect {
        warn!("leader election is off: never run a second process");
        metrics.set_leader(true);
        return drained(lead(context(WriteGuard::always()), stop), stop).await;
    }

    let lease = lease_config(&args.lease, client.default_namespace());
    let elector = Elector::new(client::connect_for_lease(&settings).await?, &lease)?;
    info!(namespace = lease.namespace, name = lease.name, holder = elector.holder(), "stands for election");
    let leadership = tokio::select! {
        leadership = elector.acquire(stop) => leadership,
        () = follow(&elector, health) => None,
    };
    let Some(leadership) = leadership else { return Ok(()) };
    metrics.set_leader(true);
    let ended = tokio::select! {
        // Leadership first: once it is lost, nothing that the controller says matters.
        biased;
        () = leadership.lost() => Err(RunError::LeadershipLost),
        ended = drained(lead(context(leadership.guard()), stop), stop) => ended,
    };
    metrics.set_leader(false);
    // Work that did not end may still be writing: then the Lease is left to run out.
    if ended.is_ok() {
        let reason = match tokio::time::timeout(LAST_DEADLINE, leadership.release()).await {
            Ok(Ok(())) => return ended,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done within {LAST_DEADLINE:?}"),
        };
        warn!(reason, "the Lease was not released; a standby takes over when it has run out");
    }
    ended
}

/// Leads: runs the controller until it has stopped as asked.
async fn lead(context: Context, stop: &CancellationToken) -> Result<(), RunError> {
    let health = context.health.clone();
    health.set(Stage::Working { synced: false });
    let synced = move || health.set(Stage::Working { synced: true });
    operate::run(parts(context), synced, stop.clone()).await?;
    if stop.is_cancelled() { Ok(()) } else { Err(RunError::ControllerEnded) }
}

fn parts(context: Context) -> Parts {
    let RunArgs { cluster, charts, pace, .. } = context.args.as_ref().clone();
    let reach = match pace.reach {
        ReachWay::Service => Way::Service,
        ReachWay::Proxy => Way::Proxy(ClientHandle(context.client.clone())),
        ReachWay::Off => Way::Off,
    };
    Parts {
        client: context.client,
        metrics: context.metrics,
        guard: context.guard,
        settings: Settings {
            namespaces: cluster.watch_namespaces,
            chart_source: match charts.chart_source {
                ChartSource::Upstream => obstack_api::ChartSource::Upstream,
                ChartSource::Bundled => obstack_api::ChartSource::Bundled,
            },
            probe_interval: pace.probe_interval,
            reconcile_deadline: pace.reconcile_deadline,
            reach,
        },
        helm: charts.helm,
        bundled_charts: charts.bundled_charts,
        charts: charts.charts,
        cache: charts.cache_dir,
    }
}

/// Waits for the work, and after the signal only until the deadline.
async fn drained(
    work: impl Future<Output = Result<(), RunError>>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let too_late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_DEADLINE).await;
    };
    tokio::select! {
        ended = work => ended,
        () = too_late => Err(RunError::DrainDeadline(DRAIN_DEADLINE)),
    }
}

/// Makes readiness follow the election. Never ends.
async fn follow(elector: &Elector, health: &Health) {
    let mut standing = elector.standing();
    loop {
        let now = standing.borrow_and_update().clone();
        health.set(Stage::Electing(now));
        if standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the API server serves `ObservabilityStack`. Discovery tells, which needs no right of its own.
async fn api_served(client: &Client, health: &Health) {
    let (version, plural) = (ObservabilityStack::api_version(&()), ObservabilityStack::plural(&()));
    let mut said = String::new();
    loop {
        let missing = match client.list_api_group_resources(&version).await {
            Ok(served) if served.resources.iter().any(|resource| resource.name == plural) => return,
            Ok(_) => missing_crd(&version, &plural),
            Err(kube::Error::Api(status)) if status.code == 404 => missing_crd(&version, &plural),
            Err(error) => format!("the API server does not say what it serves: {}", client::explain(&error)),
        };
        if said != missing {
            warn!(reason = missing, "waiting for the API");
            said.clone_from(&missing);
        }
        health.set(Stage::Waiting(missing));
        tokio::time::sleep(CRD_POLL).await;
    }
}

fn missing_crd(version: &str, plural: &str) -> String {
    format!(
        "{plural} in {version} are not served; install the CRD with \
         `kubectl apply --server-side -f crds/` or `obstack-operator crd | kubectl apply --server-side -f -`"
    )
}

fn lease_config(args: &LeaseArgs, default_namespace: &str) -> LeaseConfig {
    let namespace =
        args.lease_namespace.as_deref().or(args.pod_namespace.as_deref()).unwrap_or(default_namespace);
    let identity = args
        .identity
        .clone()
        .or_else(|| args.pod_name.clone())
        .or_else(host)
        .unwrap_or_else(|| "obstack".to_owned());
    LeaseConfig::new(namespace.to_owned(), args.lease_name.clone(), identity)
}

fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
