//! Where a stack takes telemetry and answers queries, inside the cluster.

use obstack_api::Endpoints;

use crate::{
    backends::{Backend, mimir, tempo},
    collectors,
    names::StackKey,
    valid::{ValidBackend, ValidStack},
};

/// The endpoints of every backend.
pub(super) fn of(stack: &ValidStack) -> Endpoints {
    let mut endpoints = Endpoints::default();
    for backend in &stack.backends {
        let release = &backend.name.objects;
        match backend.backend {
            Backend::Tempo => tempo(&mut endpoints, backend, release, &stack.key.namespace),
            Backend::Mimir => mimir(&mut endpoints, backend, release, &stack.key.namespace),
        }
    }
    if let Some(alloy) = &stack.alloy {
        collectors::endpoints(&stack.key, alloy, &mut endpoints);
    }
    endpoints
}

/// Where a stack takes metrics by Prometheus' remote write; `None` when it keeps none.
pub(crate) fn remote_write(key: &StackKey, backends: &[ValidBackend]) -> Option<String> {
    let backend = backends.iter().find(|backend| backend.backend == Backend::Mimir)?;
    let mut endpoints = Endpoints::default();
    mimir(&mut endpoints, backend, &backend.name.objects, &key.namespace);
    endpoints.metrics_remote_write
}

/// The Service of the component that answers queries, and its port. A gateway before it takes writes and rules, too.
pub(super) fn reader(backend: &ValidBackend) -> (String, u16) {
    let objects = &backend.name.objects;
    let port = match backend.backend {
        Backend::Tempo => tempo::HTTP_PORT,
        Backend::Mimir => mimir::HTTP_PORT,
    };
    let service = if backend.monolithic { objects.clone() } else { format!("{objects}-query-frontend") };
    (service, port)
}

fn tempo(endpoints: &mut Endpoints, backend: &ValidBackend, release: &str, namespace: &str) {
    let write = if backend.monolithic { release.to_owned() } else { format!("{release}-distributor") };
    let (read, port) = reader(backend);
    endpoints.traces_otlp_grpc = Some(format!("{write}.{namespace}.svc:{}", tempo::OTLP_GRPC_PORT));
    endpoints.traces_otlp_http = Some(format!("http://{write}.{namespace}.svc:{}", tempo::OTLP_HTTP_PORT));
    endpoints.traces_query = Some(format!("http://{read}.{namespace}.svc:{port}"));
}

fn mimir(endpoints: &mut Endpoints, backend: &ValidBackend, release: &str, namespace: &str) {
    let (write, read) = if backend.replicas("gateway") > 0 {
        let gateway = format!("http://{release}-gateway.{namespace}.svc");
        (gateway.clone(), gateway)
    } else {
        let (read, port) = reader(backend);
        (
            format!("http://{release}-distributor.{namespace}.svc:{port}"),
            format!("http://{read}.{namespace}.svc:{port}"),
        )
    };
    endpoints.metrics_remote_write = Some(format!("{write}/api/v1/push"));
    endpoints.metrics_otlp_http = Some(format!("{write}/otlp"));
    endpoints.metrics_query = Some(format!("{read}/prometheus"));
}
