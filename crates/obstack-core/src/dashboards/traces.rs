//! Traces: who calls whom, what was slow, what failed.

use obstack_api::MetricsProcessor;
use serde_json::{Value, json};

use super::{
    About, Of, makes,
    model::Board,
    panel::Panel,
    query::{Query, Source, quantile, rate},
};
use crate::{backends::Backend, valid::ValidStack};

pub(super) const ABOUT: About = About {
    slug: "trace-explorer",
    title: "Trace explorer",
    purpose: "Single traces: what was slow, what failed, what came last, and who calls whom.",
    of: Of::With(Backend::Tempo),
    needs: "Tempo; for the service map also the service graphs of its metrics-generator in the stack's Mimir",
};

/// Calls to the chosen services and from them.
const CALLED: &str = r#"server=~"$service""#;

pub(super) fn model(stack: &ValidStack) -> Value {
    // Values of a tag, as Grafana's Tempo plugin asks for them.
    let services = json!({"refId": "TempoDatasourceVariableQueryEditor-VariableQuery", "type": 1, "label": "service.name"});
    let mapped = makes(stack, MetricsProcessor::ServiceGraphs);
    let sources: &[Source] = if mapped { &[Source::Prometheus, Source::Tempo] } else { &[Source::Tempo] };
    let board = Board::new(stack, &ABOUT, sources)
        .choice("service", "Service", Source::Tempo, &services, ".+")
        .typed("slow", "Slower than", "500ms");
    let board =
        if mapped { board.part("Who calls whom").panel(12, 12, map()).panel(12, 12, edges()) } else { board };
    board.part("Traces").panel(12, 10, slow()).panel(12, 10, failed()).panel(24, 10, newest()).model()
}

fn map() -> Panel {
    let description = "Services and the calls between them. The red part of a ring is the share of calls that failed. Click a service for its numbers and traces. Empty: the metrics-generator is off, or its metrics do not reach Mimir.";
    Panel::graph("Service map", description)
}

fn edges() -> Panel {
    let description = "Calls between services, the last minutes. The edge with errors that is farthest from the client is where to look.";
    let by = "client, server";
    let total = rate(by, "traces_service_graph_request_total", CALLED);
    let failed = rate(by, "traces_service_graph_request_failed_total", CALLED);
    let share = format!("({failed} or 0 * {total}) / {total}");
    Panel::table("Calls", "none", description)
        .query(Query::table(total))
        .query(Query::table(share))
        .query(Query::table(quantile("0.95", by, "traces_service_graph_request_server_seconds", CALLED)))
        .columns(&[('A', "Calls", "reqps"), ('B', "Errors", "percentunit"), ('C', "Duration, p95", "s")])
}

fn slow() -> Panel {
    let description = "Traces with a span of the service that took longer than the box above says.";
    let query = r#"{ resource.service.name =~ "${service:pipe}" && duration > $slow }"#;
    Panel::traces("Slow traces", description, query)
}

fn failed() -> Panel {
    let description = "Traces with a span of the service that has status error.";
    Panel::traces(
        "Traces with errors",
        description,
        r#"{ resource.service.name =~ "${service:pipe}" && status = error }"#,
    )
}

fn newest() -> Panel {
    let description = "What came last, without the operator's own canary. Empty while applications send: see the dashboard Tempo, first line.";
    let query =
        r#"{ resource.service.name =~ "${service:pipe}" && resource.service.name != "obstack-canary" }"#;
    Panel::traces("Newest traces", description, query)
}
