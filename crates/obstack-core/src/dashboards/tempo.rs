//! Whether Tempo takes spans, keeps them and finds them.

use serde_json::Value;

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, Source, increase, quantile, rate},
};
use crate::{backends::Backend, valid::ValidStack};

pub(super) const ABOUT: About = About {
    slug: "tempo",
    title: "Tempo",
    purpose: "Whether Tempo takes spans, writes them to the object store, and finds them again.",
    of: Of::With(Backend::Tempo),
    needs: "`/metrics` of Tempo's pods, with the labels `namespace` and `pod`",
};

pub(super) fn model(stack: &ValidStack) -> Value {
    let release = super::objects(stack, Backend::Tempo);
    let pods = format!(r#"namespace="{}",pod=~"{release}-.*""#, stack.key.namespace);
    let pods = pods.as_str();
    Board::new(stack, &ABOUT, &[Source::Prometheus])
        .panel(6, 4, spans(pods))
        .panel(6, 4, lost(pods))
        .panel(6, 4, flush_failures(pods))
        .panel(6, 4, index_age(pods))
        .part("In")
        .panel(8, 8, received(pods))
        .panel(8, 8, discarded(pods))
        .panel(8, 8, live(pods))
        .part("To the object store")
        .panel(8, 8, flush_queue(pods))
        .panel(8, 8, storage(pods))
        .panel(8, 8, storage_latency(pods))
        .panel(8, 8, compaction(pods))
        .panel(8, 8, blocks(pods))
        .panel(8, 8, members(pods))
        .part("Queries")
        .panel(12, 8, queries(pods))
        .panel(12, 8, query_latency(pods))
        .model()
}

fn spans(pods: &str) -> Panel {
    let description =
        "Spans taken in a second. At 0 while applications run: is the collector up, and does it send here?";
    Panel::number("Spans in", "short", description)
        .query(Query::range(rate("", "tempo_distributor_spans_received_total", pods), ""))
}

fn lost(pods: &str) -> Panel {
    let description = "Spans thrown away in a second. The reason stands below; most often a limit of Tempo's overrides is too low.";
    Panel::number("Spans discarded", "short", description)
        .query(Query::range(rate("", "tempo_discarded_spans_total", pods), ""))
        .above(&[(0.01, "red")])
}

fn flush_failures(pods: &str) -> Panel {
    let description = "Blocks that could not be written to the object store within the last hour. They are tried again from the volume; data is lost only with the volume. See the stack's condition StorageReady.";
    let expr = format!("sum(increase(tempo_ingester_failed_flushes_total{{{pods}}}[1h]))");
    Panel::number("Failed flushes, 1 h", "none", description)
        .query(Query::range(expr, ""))
        .above(&[(1.0, "yellow"), (10.0, "red")])
}

fn index_age(pods: &str) -> Panel {
    let description = "Age of the list of blocks that queries use. Above 10 minutes the compactor does not write it: older traces are not found. Is the compactor up, does the object store answer?";
    let expr = format!("max(tempodb_blocklist_tenant_index_age_seconds{{{pods}}})");
    Panel::number("Age of the block list", "s", description)
        .query(Query::range(expr, ""))
        .above(&[(600.0, "yellow"), (1800.0, "red")])
}

fn received(pods: &str) -> Panel {
    let description = "Bytes of spans taken in a second, by tenant.";
    Panel::lines("Received", "Bps", description)
        .query(Query::range(rate("tenant", "tempo_distributor_bytes_received_total", pods), "{{tenant}}"))
}

fn discarded(pods: &str) -> Panel {
    let description = "Spans discarded in a second by reason, and spans that receivers refused. live_traces_exceeded and trace_too_large are limits; a refused span is sent again by a collector with a queue.";
    Panel::lines("Discarded and refused", "short", description)
        .query(Query::range(rate("reason", "tempo_discarded_spans_total", pods), "{{reason}}"))
        .query(Query::range(
            rate("receiver", "tempo_receiver_refused_spans", pods),
            "refused by {{receiver}}",
        ))
}

fn live(pods: &str) -> Panel {
    let description = "Traces in memory that still grow. A steady rise brings the ingester near its memory limit: traces that never end, or more traffic.";
    let expr = format!("sum by (pod) (tempo_ingester_live_traces{{{pods}}})");
    Panel::lines("Live traces", "short", description).query(Query::range(expr, "{{pod}}"))
}

fn flush_queue(pods: &str) -> Panel {
    let description = "Blocks that wait to be written to the object store. It should come back to 0; while it grows, the volume fills.";
    let expr = format!("max by (pod) (tempo_ingester_flush_queue_length{{{pods}}})");
    Panel::lines("Flush queue", "short", description).query(Query::range(expr, "{{pod}}"))
}

fn storage(pods: &str) -> Panel {
    let description = "Answers of the object store in a second. 404 to GET is normal. A store that does not answer at all is not counted here: the lines fall, and reading the block list fails.";
    Panel::lines("Object store", "reqps", description)
        .query(Query::range(
            rate("operation, status_code", "tempodb_backend_request_duration_seconds_count", pods),
            "{{operation}} {{status_code}}",
        ))
        .query(Query::range(rate("", "tempodb_blocklist_poll_errors_total", pods), "block list not read"))
        .property("block list not read", "color", serde_json::json!({"mode": "fixed", "fixedColor": "red"}))
}

fn storage_latency(pods: &str) -> Panel {
    let description = "99 of 100 requests to the object store were faster. Seconds for PUT are normal for large blocks; seconds for GET make every query slow.";
    let expr = quantile("0.99", "operation", "tempodb_backend_request_duration_seconds", pods);
    Panel::lines("Object store, p99", "s", description).query(Query::range(expr, "{{operation}}"))
}

fn compaction(pods: &str) -> Panel {
    let description = "Blocks that wait for compaction, and failed compactions. A steady rise makes queries slow: give the compactor more CPU or another replica.";
    let waiting = format!("sum(tempodb_compaction_outstanding_blocks{{{pods}}})");
    Panel::lines("Compaction", "short", description)
        .query(Query::range(waiting, "blocks that wait"))
        .query(Query::range(increase("", "tempodb_compaction_errors_total", pods), "failed"))
}

fn blocks(pods: &str) -> Panel {
    let description = "Blocks in the object store, as queriers see it. A steady rise: compaction or retention does not keep up. A fall to 0: the list cannot be read.";
    let expr = format!("max by (tenant) (tempodb_blocklist_length{{{pods}}})");
    Panel::lines("Blocks", "short", description).query(Query::range(expr, "{{tenant}}"))
}

fn members(pods: &str) -> Panel {
    let description = "Members of each ring that are not active, as the worst of the pods sees it. More than a rollout long above 0: the condition RingsHealthy names the member and what to do.";
    let expr =
        format!(r#"sum by (name) (max by (name, state) (tempo_ring_members{{{pods},state!="ACTIVE"}}))"#);
    Panel::lines("Ring members not active", "none", description)
        .query(Query::range(expr, "{{name}}"))
        .above(&[(1.0, "red")])
        .marked()
}

fn queries(pods: &str) -> Panel {
    let description = "Queries in a second, by what was asked and by its outcome. Everything but completed did not answer a person.";
    Panel::lines("Queries", "reqps", description).query(Query::range(
        rate("op, result", "tempo_query_frontend_queries_total", pods),
        "{{op}} {{result}}",
    ))
}

fn query_latency(pods: &str) -> Panel {
    let description = "95 of 100 queries were faster. Slow searches: fewer blocks by compaction, or more queriers. Slow traces by id: the object store.";
    let selector = format!(r#"{pods},route=~"api_.*""#);
    let expr = quantile("0.95", "route", "tempo_request_duration_seconds", &selector);
    Panel::lines("Query duration, p95", "s", description).query(Query::range(expr, "{{route}}"))
}
