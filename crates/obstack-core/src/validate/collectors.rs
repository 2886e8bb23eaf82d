//! Alloy: who runs it, its ports, and the signals it passes on.

use obstack_api::{Alloy, AlloyKind, AlloyMode, Otlp, OtlpSignal, Reason, StackSpec};

use super::{chart, component};
use crate::{
    collectors::{ALLOY, HTTP_PORT, ManagedAlloy, ValidAlloy},
    facts::Facts,
    violation::Violation,
};

/// Where it stands in the spec, below `spec`.
const AREA: &str = "collectors.alloy";

/// Checks `spec.collectors.alloy`.
pub(super) fn alloy(
    spec: &StackSpec,
    alloy: &Alloy,
    facts: &Facts,
    faults: &mut Vec<Violation>,
) -> ValidAlloy {
    let otlp = alloy.otlp.clone().unwrap_or_default();
    let managed = (alloy.mode == AlloyMode::Managed).then(|| managed(spec, alloy, facts, faults));
    if managed.is_none() {
        not_managed(alloy, faults);
    }
    let (grpc_port, http_port) = ports(&otlp, managed.is_some(), faults);
    ValidAlloy { grpc_port, http_port, signals: signals(spec, &otlp, faults), managed }
}

fn fault(field: &str, message: impl Into<String>) -> Violation {
    Violation::new(Reason::InvalidSpec, format!("spec.{AREA}.{field}"), message)
}

fn managed(spec: &StackSpec, alloy: &Alloy, facts: &Facts, faults: &mut Vec<Violation>) -> ManagedAlloy {
    for name in alloy.components.keys().filter(|name| *name != ALLOY.key) {
        let message = format!("unknown component; known here is {}", ALLOY.key);
        faults.push(fault(&format!("components.{name}"), message));
    }
    let kind = alloy.kind.unwrap_or_default();
    let written = alloy.components.get(ALLOY.key);
    let field = format!("spec.{AREA}.components.{}", ALLOY.key);
    let component = component::validate(&field, &ALLOY, written, spec.resource_policy, faults);
    let replicas = format!("components.{}.replicas", ALLOY.key);
    if kind == AlloyKind::DaemonSet && written.is_some_and(|written| written.replicas.is_some()) {
        let message =
            "has no meaning for a DaemonSet, which runs one pod a node; remove it, or set kind: Deployment";
        faults.push(fault(&replicas, message));
    } else if component.replicas == 0 {
        let message =
            "is 0, but nothing takes telemetry without it; set it to 1 or more, or use mode ConfigMapOnly";
        faults.push(fault(&replicas, message));
    }
    let chart = chart::resolve(AREA, "alloy", alloy.chart.as_ref(), facts, faults);
    ManagedAlloy { kind, chart, component }
}

/// What has a meaning in mode Managed only.
fn not_managed(alloy: &Alloy, faults: &mut Vec<Violation>) {
    let given = [
        ("kind", alloy.kind.is_some()),
        ("components", !alloy.components.is_empty()),
        ("chart", alloy.chart.is_some()),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given) {
        let message = "belongs to mode Managed: with ConfigMapOnly the operator runs no Alloy; remove it, or set mode: Managed";
        faults.push(fault(field, message));
    }
}

fn ports(otlp: &Otlp, managed: bool, faults: &mut Vec<Violation>) -> (u16, u16) {
    let mut read = |field: &str, port: i32| {
        let read = u16::try_from(port).ok().filter(|port| *port >= 1024);
        if read.is_none() {
            let message = format!("is {port}; use a port from 1024 to 65535, which needs no rights of root");
            faults.push(fault(&format!("otlp.{field}"), message));
        } else if managed && read == Some(HTTP_PORT) {
            let message =
                format!("is {HTTP_PORT}, which is Alloy's own, for its page and its metrics; use another");
            faults.push(fault(&format!("otlp.{field}"), message));
        }
        read.unwrap_or_default()
    };
    let ports = (read("grpcPort", otlp.grpc_port()), read("httpPort", otlp.http_port()));
    if otlp.grpc_port() == otlp.http_port() {
        let message =
            format!("is {}, as grpcPort is; give each protocol a port of its own", otlp.http_port());
        faults.push(fault("otlp.httpPort", message));
    }
    ports
}

fn signals(spec: &StackSpec, otlp: &Otlp, faults: &mut Vec<Violation>) -> Vec<OtlpSignal> {
    let kept = [
        (OtlpSignal::Traces, "traces", spec.traces.is_some()),
        (OtlpSignal::Metrics, "metrics", spec.metrics.is_some()),
    ];
    let Some(wanted) = &otlp.signals else {
        return kept.into_iter().filter(|(.., kept)| *kept).map(|(signal, ..)| signal).collect();
    };
    if wanted.is_empty() {
        faults.push(fault(
            "otlp.signals",
            "is empty, so nothing would be passed on; name Traces, Metrics or both",
        ));
    }
    if wanted.contains(&OtlpSignal::Logs) {
        let message = "has Logs, but a stack keeps no logs: they go on by the way from the containers' output; remove it";
        faults.push(fault("otlp.signals", message));
    }
    for (signal, block, _) in kept.iter().filter(|(signal, _, kept)| !kept && wanted.contains(signal)) {
        let message =
            format!("has {signal:?}, but the stack has no {block}; add spec.{block}, or remove the signal");
        faults.push(fault("otlp.signals", message));
    }
    kept.into_iter().map(|(signal, ..)| signal).filter(|signal| wanted.contains(signal)).collect()
}
