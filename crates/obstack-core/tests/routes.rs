//! Routes lead to what reads, and to nothing else.

#![cfg(test)]

mod common;

use obstack_core::design::design;
use serde_json::{Value, json};

fn routes(overlay: &str) -> Vec<Value> {
    design(&common::valid(&common::small_with(overlay))).design.routes
}

#[test]
fn a_route_leads_to_queries_over_tls_and_to_nothing_that_writes() {
    let check = |overlay: &str, name: &str, service: &str, port: u16, path: &str| {
        let [route] = routes(overlay).try_into().unwrap();
        assert_eq!(route["metadata"]["name"], name);
        assert_eq!(
            route["spec"],
            json!({
                "path": path, "to": {"kind": "Service", "name": service}, "port": {"targetPort": port},
                "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
            })
        );
    };
    let traces = |mode: &str| format!("spec: {{platform: OpenShift, traces: {{mode: {mode}, route: {{}}}}}}");
    check(&traces("Monolithic"), "dts-dev-tempo-query", "dts-dev-tempo", 3200, "/api");
    check(&traces("Distributed"), "dts-dev-tempo-query", "dts-dev-tempo-query-frontend", 3200, "/api");
    let metrics = "spec: {platform: OpenShift, metrics: {route: {}}}";
    check(metrics, "dts-dev-mimir-query", "dts-dev-mimir-query-frontend", 8080, "/prometheus/api/v1");
    // A gateway takes rules, too.
    let gateway = "spec: {platform: OpenShift, metrics: {route: {}, components: {gateway: {replicas: 1}}}}";
    check(gateway, "dts-dev-mimir-query", "dts-dev-mimir-query-frontend", 8080, "/prometheus/api/v1");
}

#[test]
fn who_may_use_a_route_is_told_as_every_router_reads_it() {
    let overlay = "spec: {platform: OpenShift, metrics: {route: {host: m.example.com, allowFrom: [10.0.0.0/8, 192.0.2.7]}}}";
    let [route] = routes(overlay).try_into().unwrap();
    let annotations = &route["metadata"]["annotations"];
    for name in ["ip_allowlist", "ip_whitelist"] {
        assert_eq!(annotations[format!("haproxy.router.openshift.io/{name}")], "10.0.0.0/8 192.0.2.7");
    }
    assert_eq!(route["spec"]["host"], "m.example.com");
}

#[test]
fn without_a_wish_there_is_no_route() {
    assert_eq!(routes("spec: {platform: OpenShift}"), Vec::<Value>::new());
}
