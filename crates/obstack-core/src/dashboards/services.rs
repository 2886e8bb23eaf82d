//! Rate, errors and duration of every service, from the metrics that Tempo makes of spans.

use serde_json::{Value, json};

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, Source, quantile, rate},
    traces, uid,
};
use crate::valid::ValidStack;

pub(super) const ABOUT: About = About {
    slug: "service-overview",
    title: "Service overview",
    purpose: "Which service is slow or fails, and since when: rate, errors and duration of what services answer.",
    of: Of::SpanMetrics,
    needs: "span metrics of Tempo's metrics-generator in the stack's Mimir",
};

/// What a service answers. What it asks of others is counted where it is answered.
const ANSWERS: &str = r#"span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER",service=~"$service""#;

const CALLS: &str = "traces_spanmetrics_calls_total";
const LATENCY: &str = "traces_spanmetrics_latency";

pub(super) fn model(stack: &ValidStack) -> Value {
    let service = json!("label_values(traces_spanmetrics_calls_total, service)");
    Board::new(stack, &ABOUT, &[Source::Prometheus])
        .choice("service", "Service", Source::Prometheus, &service, ".+")
        .panel(8, 4, requests_now())
        .panel(8, 4, errors_now())
        .panel(8, 4, latency_now())
        .part("By service")
        .panel(8, 9, requests())
        .panel(8, 9, errors())
        .panel(8, 9, latency())
        .part("All answers")
        .panel(24, 9, heatmap())
        .part("By operation")
        .panel(24, 12, operations(stack))
        .model()
}

/// Share of answers with an error, by some labels: 0 where there is none.
fn error_share(by: &str) -> String {
    let failed = rate(by, CALLS, &format!(r#"{ANSWERS},status_code="STATUS_CODE_ERROR""#));
    let all = rate(by, CALLS, ANSWERS);
    format!("({failed} or 0 * {all}) / {all}")
}

fn requests_now() -> Panel {
    let description = "Answers in a second. A sudden fall to nothing is an outage before the services, or traces that no longer come: see the dashboard Tempo.";
    Panel::number("Requests", "reqps", description).query(Query::range(rate("", CALLS, ANSWERS), ""))
}

fn errors_now() -> Panel {
    let description = "Share of answers with status error. Above 1% look at the lines by service, then at its traces with errors.";
    Panel::number("Errors", "percentunit", description)
        .query(Query::range(error_share(""), ""))
        .above(&[(0.01, "yellow"), (0.05, "red")])
}

fn latency_now() -> Panel {
    let description = "95 of 100 answers were faster. What is slow stands in the table by operation.";
    let expr = quantile("0.95", "", LATENCY, ANSWERS);
    Panel::number("Duration, p95", "s", description)
        .query(Query::range(expr, ""))
        .above(&[(1.0, "yellow"), (5.0, "red")])
}

fn requests() -> Panel {
    let description = "Answers in a second. A line that ends: the service is down, or it sends no traces.";
    Panel::lines("Requests by service", "reqps", description)
        .query(Query::range(rate("service", CALLS, ANSWERS), "{{service}}"))
}

fn errors() -> Panel {
    let description = "Share of answers with status error. The service that rises first is the likely cause; those that call it follow.";
    Panel::lines("Errors by service", "percentunit", description)
        .query(Query::range(error_share("service"), "{{service}}"))
        .above(&[(0.05, "red")])
        .marked()
}

fn latency() -> Panel {
    let description = "95 of 100 answers were faster. Points are single traces: click one to open it.";
    let expr = quantile("0.95", "service", LATENCY, ANSWERS);
    Panel::lines("Duration by service, p95", "s", description)
        .query(Query::with_exemplars(expr, "{{service}}"))
}

fn heatmap() -> Panel {
    let description = "How many answers took how long. Two bands are two kinds of answers, such as hit and miss of a cache. Points are single traces: click one to open it.";
    let expr = super::query::increase("le", &format!("{LATENCY}_bucket"), ANSWERS);
    Panel::heatmap("Durations", "s", description).query(Query::heatmap(expr))
}

fn operations(stack: &ValidStack) -> Panel {
    let description = "The last minutes, by operation. Click a service for its traces.";
    let by = "service, span_name";
    let explorer =
        format!("/d/{}?var-service=${{__value.text}}&${{__url_time_range}}", uid(stack, traces::ABOUT.slug));
    let links = json!([{"title": "Traces of this service", "url": explorer}]);
    Panel::table("Operations", "none", description)
        .query(Query::table(rate(by, CALLS, ANSWERS)))
        .query(Query::table(error_share(by)))
        .query(Query::table(quantile("0.95", by, LATENCY, ANSWERS)))
        .columns(&[('A', "Requests", "reqps"), ('B', "Errors", "percentunit"), ('C', "Duration, p95", "s")])
        .property("service", "links", links)
}
