//! Routes of OpenShift to where backends are queried.

use obstack_api::Route;
use serde_json::{Map, Value, json};

use super::endpoints::reader;
use crate::{
    backends::Backend,
    objects::Kind,
    valid::{ValidBackend, ValidStack},
};

/// Mimir's queriers give up after two minutes; the router would do so after 30 seconds.
const TIMEOUT: &str = "2m";
/// Who may use a Route. Routers before `OpenShift` 4.16 know the older name alone.
const ALLOW: [&str; 2] =
    ["haproxy.router.openshift.io/ip_allowlist", "haproxy.router.openshift.io/ip_whitelist"];

/// A Route for each backend that has one.
pub(super) fn of(stack: &ValidStack) -> Vec<Value> {
    let with = |backend: &ValidBackend| Some(route(stack, backend, backend.route.as_ref()?));
    stack.backends.iter().filter_map(with).collect()
}

fn route(stack: &ValidStack, backend: &ValidBackend, wanted: &Route) -> Value {
    let objects = &backend.name.objects;
    let (service, port) = reader(backend);
    // Only what reads: the same port takes a flush or a shutdown of a single process.
    let path = match backend.backend {
        Backend::Tempo => "/api",
        Backend::Mimir => "/prometheus/api/v1",
    };
    let mut annotations =
        Map::from_iter([("haproxy.router.openshift.io/timeout".to_owned(), json!(TIMEOUT))]);
    if !wanted.allow_from.is_empty() {
        // Anything else than a space between them, and the router lets everybody in without a word.
        let list = wanted.allow_from.join(" ");
        annotations.extend(ALLOW.map(|name| (name.to_owned(), json!(list))));
    }
    let mut spec = json!({
        "path": path,
        "to": {"kind": "Service", "name": service},
        "port": {"targetPort": port},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
    });
    if let (Some(host), Some(spec)) = (&wanted.host, spec.as_object_mut()) {
        spec.insert("host".to_owned(), json!(host));
    }
    json!({
        "apiVersion": Kind::Route.api_version(),
        "kind": Kind::Route.as_str(),
        "metadata": {
            "name": format!("{objects}-query"),
            "namespace": stack.key.namespace,
            "annotations": annotations,
        },
        "spec": spec,
    })
}
