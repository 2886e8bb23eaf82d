//! Whether Mimir takes samples, keeps them and answers queries.

use serde_json::Value;

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, Source, increase, quantile, rate},
};
use crate::{backends::Backend, valid::ValidStack};

pub(super) const ABOUT: About = About {
    slug: "mimir",
    title: "Mimir",
    purpose: "Whether Mimir takes samples, writes blocks to the object store, and answers queries.",
    of: Of::With(Backend::Mimir),
    needs: "`/metrics` of Mimir's pods, with the labels `namespace` and `pod`",
};

const REQUESTS: &str = "cortex_request_duration_seconds";
const WRITES: &str = r#"route=~"api_v1_push|otlp_v1_metrics""#;

pub(super) fn model(stack: &ValidStack) -> Value {
    let release = super::objects(stack, Backend::Mimir);
    let of = |pods: &str| format!(r#"namespace="{}",pod=~"{release}-{pods}""#, stack.key.namespace);
    let pods = &of(".*");
    // Queriers count a query under the same route once more.
    let asked = &format!(r#"{},route=~"prometheus_api_v1_.*""#, of("query-frontend-.*"));
    Board::new(stack, &ABOUT, &[Source::Prometheus])
        .panel(6, 4, samples(pods))
        .panel(6, 4, discarded_now(pods))
        .panel(6, 4, not_active(pods))
        .panel(6, 4, compacted(pods))
        .part("In")
        .panel(8, 8, writes(pods))
        .panel(8, 8, write_latency(pods))
        .panel(8, 8, discarded(pods))
        .panel(8, 8, series(pods))
        .panel(8, 8, write_ahead_log(pods))
        .panel(8, 8, members(pods))
        .part("Queries")
        .panel(8, 8, queries(asked))
        .panel(8, 8, query_latency(asked))
        .panel(8, 8, queue(pods))
        .part("Object store")
        .panel(8, 8, storage_failures(pods))
        .panel(8, 8, storage_latency(pods))
        .panel(8, 8, compaction(pods))
        .panel(8, 8, blocks(pods))
        .panel(8, 8, block_failures(pods))
        .model()
}

fn samples(pods: &str) -> Panel {
    let description = "Samples taken in a second. At 0 while collectors run: do they send here, and what does Mimir answer (writes by status)?";
    Panel::number("Samples in", "short", description)
        .query(Query::range(rate("", "cortex_distributor_received_samples_total", pods), ""))
}

fn discarded_now(pods: &str) -> Panel {
    let description = "Samples thrown away in a second; they are gone. The reason stands below.";
    Panel::number("Samples discarded", "short", description)
        .query(Query::range(rate("", "cortex_discarded_samples_total", pods), ""))
        .when_empty("0")
        .above(&[(0.01, "red")])
}

fn not_active(pods: &str) -> Panel {
    let description = "Members that a ring holds for dead. Writes fail when more ingesters are gone than replication bears: the conditions RingsHealthy and FaultTolerant say how near that is.";
    let expr = format!(r#"sum(max by (name) (cortex_ring_members{{{pods},state="Unhealthy"}}))"#);
    Panel::number("Unhealthy ring members", "none", description)
        .query(Query::range(expr, ""))
        .above(&[(1.0, "red")])
}

fn compacted(pods: &str) -> Panel {
    let description = "Since compaction last went through. Above a day queries become slow and old blocks stay: see failed runs, and the compactor's volume. Empty after a restart until its first run ends.";
    let expr = format!("time() - max(cortex_compactor_last_successful_run_timestamp_seconds{{{pods}}} > 0)");
    Panel::number("Since last compaction", "s", description)
        .query(Query::range(expr, ""))
        .when_empty("not yet")
        .above(&[(21_600.0, "yellow"), (86_400.0, "red")])
}

fn writes(pods: &str) -> Panel {
    let description = "Writes in a second by status. 400: the sender's samples are bad, see the reasons. 429: a limit. 5xx: too few healthy ingesters; senders try again.";
    let selector = format!("{pods},{WRITES}");
    let expr = rate("status_code", &format!("{REQUESTS}_count"), &selector);
    Panel::lines("Writes by status", "reqps", description).query(Query::range(expr, "{{status_code}}"))
}

fn write_latency(pods: &str) -> Panel {
    let description = "99 of 100 writes were faster. Above a second senders fall behind: is an ingester slow, is its node out of CPU?";
    let expr = quantile("0.99", "route", REQUESTS, &format!("{pods},{WRITES}"));
    Panel::lines("Write duration, p99", "s", description).query(Query::range(expr, "{{route}}"))
}

fn discarded(pods: &str) -> Panel {
    let description = "Samples discarded in a second, by reason. per_user_series_limit, rate_limited: raise the limit or send less. sample_out_of_order, too_far_in_future: two senders of one series, or a clock that is off.";
    Panel::lines("Discarded by reason", "short", description)
        .query(Query::range(rate("reason", "cortex_discarded_samples_total", pods), "{{reason}}"))
        .when_empty("none")
}

fn series(pods: &str) -> Panel {
    let description = "Series in memory. They decide the ingester's memory: compare with the dashboard Namespace resources. A jump is a label with too many values.";
    let expr = format!("max by (pod) (cortex_ingester_memory_series{{{pods}}})");
    Panel::lines("Series in memory", "short", description).query(Query::range(expr, "{{pod}}"))
}

fn write_ahead_log(pods: &str) -> Panel {
    let description = "What went wrong on ingesters' volumes. Anything above 0 needs a look now: a full or broken volume loses what is not yet in the object store. `kubectl logs` of the ingester says which.";
    let counters = [
        ("cortex_ingester_tsdb_wal_writes_failed_total", "write-ahead log not written"),
        ("cortex_ingester_tsdb_wal_corruptions_total", "write-ahead log broken"),
        ("cortex_ingester_tsdb_wal_truncations_failed_total", "write-ahead log not cut"),
        ("cortex_ingester_tsdb_compactions_failed_total", "block not made"),
        ("cortex_ingester_shipper_upload_failures_total", "block not uploaded"),
    ];
    let panel = Panel::lines("Write-ahead log and blocks", "none", description);
    counters
        .into_iter()
        .fold(panel, |panel, (counter, legend)| {
            panel.query(Query::range(increase("", counter, pods), legend))
        })
        .above(&[(1.0, "red")])
}

fn members(pods: &str) -> Panel {
    let description = "Members of each ring that are not active, as the worst of the pods sees it. More than a rollout long above 0: the condition RingsHealthy names the member and what to do.";
    let expr =
        format!(r#"sum by (name) (max by (name, state) (cortex_ring_members{{{pods},state!="ACTIVE"}}))"#);
    Panel::lines("Ring members not active", "none", description)
        .query(Query::range(expr, "{{name}}"))
        .above(&[(1.0, "red")])
        .marked()
}

fn queries(asked: &str) -> Panel {
    let description = "Queries in a second by status. 422: the query hit a limit. 5xx: see the queue, then store-gateways and ingesters.";
    let expr = rate("status_code", &format!("{REQUESTS}_count"), asked);
    Panel::lines("Queries by status", "reqps", description).query(Query::range(expr, "{{status_code}}"))
}

fn query_latency(asked: &str) -> Panel {
    let description = "95 of 100 queries were faster, by kind. Slow with an empty queue: large queries, or a slow object store. Slow with a queue: too few queriers.";
    let expr = quantile("0.95", "route", REQUESTS, asked);
    Panel::lines("Query duration, p95", "s", description).query(Query::range(expr, "{{route}}"))
}

fn queue(pods: &str) -> Panel {
    let description = "How long queries wait for a querier (p99). Above a second for long: add queriers, or find who asks so much.";
    let expr = quantile("0.99", "", "cortex_query_scheduler_queue_duration_seconds", pods);
    let length = format!("sum(cortex_query_scheduler_queue_length{{{pods}}})");
    Panel::lines("Query-scheduler", "s", description)
        .query(Query::range(expr, "wait, p99"))
        .query(Query::range(length, "queries that wait"))
        .property("queries that wait", "unit", "none")
        .property("queries that wait", "custom.axisPlacement", "right")
}

fn storage_failures(pods: &str) -> Panel {
    let description = "Failed operations in a second, by component. Ingesters: data waits on volumes. Store-gateways and queriers: older data is missing. See the condition StorageReady.";
    let expr = rate("component, operation", "thanos_objstore_bucket_operation_failures_total", pods);
    Panel::lines("Object store failures", "ops", description)
        .query(Query::range(expr, "{{component}} {{operation}}"))
}

fn storage_latency(pods: &str) -> Panel {
    let description = "99 of 100 operations on the object store were faster.";
    let expr = quantile("0.99", "operation", "thanos_objstore_bucket_operation_duration_seconds", pods);
    Panel::lines("Object store, p99", "s", description).query(Query::range(expr, "{{operation}}"))
}

fn compaction(pods: &str) -> Panel {
    let description = "Runs of the compactor. Failed ones for reason error: read its log; most often its volume is full or a block is broken.";
    Panel::lines("Compaction", "none", description)
        .query(Query::range(increase("", "cortex_compactor_runs_completed_total", pods), "completed"))
        .query(Query::range(
            increase("reason", "cortex_compactor_runs_failed_total", pods),
            "failed: {{reason}}",
        ))
}

fn blocks(pods: &str) -> Panel {
    let description = "Blocks that each store-gateway serves. 0 while there are blocks in the bucket: data older than what ingesters hold is not found.";
    let expr = format!("sum by (pod) (cortex_bucket_store_blocks_loaded{{{pods}}})");
    Panel::lines("Blocks served", "short", description).query(Query::range(expr, "{{pod}}"))
}

fn block_failures(pods: &str) -> Panel {
    let description = "Blocks that store-gateways could not load, and queries that missed a block. Both mean that answers lack older data or fail.";
    let load = increase("", "cortex_bucket_store_block_load_failures_total", pods);
    let check = increase("", "cortex_querier_blocks_consistency_checks_failed_total", pods);
    Panel::lines("Blocks not loaded", "none", description)
        .query(Query::range(load, "not loaded"))
        .query(Query::range(check, "missed by a query"))
        .above(&[(1.0, "red")])
        .marked()
}
