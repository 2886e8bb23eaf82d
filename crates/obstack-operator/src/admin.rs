//! The HTTP server for probes and metrics. Plain text, read only, no secrets.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::health::Health;

const INDEX: &str = "obstack-operator

/healthz  the process answers
/readyz   it works, or stands by; the reason when it does not
/metrics  OpenMetrics
";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the handlers read.
#[derive(Clone, Debug)]
pub struct Admin {
    /// What the process is doing.
    pub health: Health,
    /// What it counts.
    pub registry: Arc<Registry>,
}

/// Why there is no admin server.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Listens and serves until `stop`.
pub async fn serve(
    admin: Admin,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<JoinHandle<()>, BindError> {
    let refused = |source| BindError { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let chosen = listener.local_addr().map_err(refused)?;
    info!(address = %chosen, "serving /healthz, /readyz and /metrics");
    Ok(tokio::spawn(async move {
        let server = axum::serve(listener, router(admin)).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            error!(%error, "the server for probes and metrics ended");
        }
    }))
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    let stage = admin.health.get();
    let status = if stage.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{stage}\n"))
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("encoding the metrics: {error}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use obstack_engine::{lease::Standing, metrics::Metrics};
    use tower::ServiceExt;

    use super::*;
    use crate::health::Stage;

    async fn ask(stage: Option<Stage>, path: &str) -> (StatusCode, String, String) {
        let health = Health::new();
        if let Some(stage) = stage {
            health.set(stage);
        }
        let mut registry = Registry::default();
        Metrics::new(&mut registry).set_leader(true);
        let router = router(Admin { health, registry: Arc::new(registry) });
        let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_process_that_has_just_started_is_alive_and_not_ready() {
        assert_eq!(ask(None, "/healthz").await.0, StatusCode::OK);
        let (status, _, body) = ask(None, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, "waiting: the process has just started\n");
    }

    #[tokio::test]
    async fn readiness_follows_the_stage_and_says_the_reason() {
        let failing = Standing::Failing { reason: "get of Lease a/b: refused".into() };
        for (stage, status, text) in [
            (Stage::Waiting("the CRD is missing".into()), 503, "waiting: the CRD is missing\n"),
            (Stage::Electing(Standing::Unknown), 503, "waiting: the Lease has not been read yet\n"),
            (Stage::Electing(failing), 503, "waiting: get of Lease a/b: refused\n"),
            (Stage::Electing(Standing::Standby { holder: "pod-1".into() }), 200, "standby: pod-1 leads\n"),
            (Stage::Working { synced: false }, 503, "waiting: the watches are not synced yet\n"),
            (Stage::Working { synced: true }, 200, "working\n"),
            (Stage::Stopping, 503, "stopping\n"),
        ] {
            let (got, _, body) = ask(Some(stage.clone()), "/readyz").await;
            assert_eq!((got.as_u16(), body.as_str()), (status, text), "{stage:?}");
        }
    }

    #[tokio::test]
    async fn metrics_are_open_metrics() {
        let (status, kind, body) = ask(None, "/metrics").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, OPEN_METRICS));
        assert!(body.contains("obstack_leader 1\n") && body.ends_with("# EOF\n"), "{body}");
    }

    #[tokio::test]
    async fn the_index_lists_every_page() {
        let (status, _, body) = ask(None, "/").await;
        assert_eq!(status, StatusCode::OK);
        for page in ["/healthz", "/readyz", "/metrics"] {
            assert!(body.contains(page) && ask(None, page).await.0 != StatusCode::NOT_FOUND, "{page}");
        }
    }

    #[test]
    fn a_process_that_stops_stays_stopping() {
        let health = Health::new();
        health.set(Stage::Stopping);
        health.set(Stage::Working { synced: true });
        assert_eq!(health.get(), Stage::Stopping);
    }
}
