//! The configuration of Alloy: OTLP in, traces to Tempo, metrics to Mimir.
//!
//! Components and arguments are those of Alloy v1.18.1 (`docs/sources/reference/components` of grafana/alloy), all of
//! them generally available. They stand in a `declare` block, which keeps their names apart from those of other files,
//! and which an Alloy that serves several environments can import without the receiver.

use obstack_api::{Endpoints, OtlpSignal};

use super::{
    CONFIG, Files, MODULE, ValidAlloy,
    syntax::{Expression, Item, Item::Comment, block, file, labelled, set},
};
use crate::{names::StackKey, quantity::Amount};

/// Least memory, in MiB, that a managed Alloy may use: below it there would be no room beside its own code and caches.
const LEAST_MIB: u32 = 256;

/// The files of the configuration.
pub fn files(key: &StackKey, environment: &str, alloy: &ValidAlloy, endpoints: &Endpoints) -> Files {
    let name = component(environment);
    let pipeline = pipeline(&name, alloy, endpoints);
    let module = [Comment(MODULE_HEAD), pipeline.clone()];
    let config = [Comment(CONFIG_HEAD), pipeline, labelled(&name, "default", Vec::new())];
    let head = format!(
        "// Environment {environment}. Written by obstack for the stack {key}, and written again when it is changed here.\n//\n"
    );
    let text = |items: &[Item]| format!("{head}{}", file(items));
    let config: Vec<_> = config.into_iter().chain(receiver(&name, alloy)).collect();
    Files::from([(CONFIG, text(&config)), (MODULE, text(&module))])
}

/// Name of the component that an environment's pipeline is: an identifier has no dashes and begins with a letter.
fn component(environment: &str) -> String {
    format!("obstack_{}", environment.replace('-', "_"))
}

const CONFIG_HEAD: &str = "\
The whole configuration: what takes telemetry is at the end. Ready to be run alone, or in
one folder with those of other environments, each with ports of its own.
";

const MODULE_HEAD: &str = "\
What happens to telemetry of this environment, without a receiver: for an Alloy that takes
that of several environments, to be imported there and to be given data by its `input`.
";

/// From the first processor to the backends.
fn pipeline(name: &str, alloy: &ValidAlloy, endpoints: &Endpoints) -> Item {
    let limiter = "otelcol.processor.memory_limiter.default.input";
    let mut body = memory_limiter(alloy);
    body.extend(batch(alloy));
    if alloy.takes(OtlpSignal::Traces) {
        body.extend(traces(endpoints));
    }
    if alloy.takes(OtlpSignal::Metrics) {
        body.extend(metrics(endpoints));
    }
    body.push(labelled("export", "input", vec![set("value", Expression::Export(limiter.into()))]));
    labelled("declare", name, body)
}

/// Where each signal goes next. Logs go nowhere.
fn output(alloy: &ValidAlloy, traces: &str, metrics: &str) -> Item {
    let signals = [(OtlpSignal::Traces, "traces", traces), (OtlpSignal::Metrics, "metrics", metrics)];
    let taken = signals.into_iter().filter(|(signal, ..)| alloy.takes(*signal));
    block("output", taken.map(|(_, name, to)| set(name, Expression::Exports(vec![to.to_owned()]))).collect())
}

fn memory_limiter(alloy: &ValidAlloy) -> Vec<Item> {
    let mut body = vec![set("check_interval", "1s")];
    let why = if let Some(managed) = &alloy.managed {
        body.push(set("limit", memory_bound(&managed.component.memory)));
        LIMIT_OF_OURS
    } else {
        body.extend([set("limit_percentage", 80), set("spike_limit_percentage", 20)]);
        LIMIT_OF_OTHERS
    };
    let next = "otelcol.processor.batch.default.input";
    body.push(output(alloy, next, next));
    vec![Comment(why), labelled("otelcol.processor.memory_limiter", "default", body)]
}

const LIMIT_OF_OURS: &str = "\
First in line: what does not fit into memory is refused at the door, and the sender tries
again. Without it a backend that is away would fill the memory of the node, because the pod
has no memory limit. The bound is twice what the pod requests; a fifth below it, refusing
begins.
";

const LIMIT_OF_OTHERS: &str = "\
First in line: what does not fit into memory is refused at the door, and the sender tries
again. What is counted is the memory of the whole Alloy, whatever else runs in it. So the
bound is a share: 80 percent of the container's memory limit, or of the node's memory where
there is none. 20 percent below it, refusing begins.
";

fn batch(alloy: &ValidAlloy) -> Vec<Item> {
    let body = vec![
        set("timeout", "1s"),
        set("send_batch_size", 2000),
        set("send_batch_max_size", 2000),
        output(alloy, "otelcol.exporter.otlp.tempo.input", "otelcol.exporter.prometheus.mimir.input"),
    ];
    vec![Comment(BATCH), labelled("otelcol.processor.batch", "default", body)]
}

const BATCH: &str = "\
Fewer and larger requests, but none that is too large: by default a gRPC server refuses more
than 4 MiB, and 2000 spans of 1 KiB are half of it. One second is the most that anything
waits here.
";

fn traces(endpoints: &Endpoints) -> Vec<Item> {
    let endpoint = endpoints.traces_otlp_grpc.clone().unwrap_or_default();
    let client = vec![
        set("endpoint", endpoint),
        Comment("Plain text: the way stays inside the cluster."),
        block("tls", vec![set("insecure", true)]),
    ];
    let body = vec![
        block("client", client),
        Comment(RETRY),
        block("retry_on_failure", vec![set("max_elapsed_time", "10m")]),
        Comment(QUEUE),
        block("sending_queue", vec![set("queue_size", 100)]),
    ];
    vec![Comment("Traces, to this environment's Tempo."), labelled("otelcol.exporter.otlp", "tempo", body)]
}

const RETRY: &str = "\
A batch that Tempo does not take is tried again for ten minutes: longer than a rollout or
the drain of a node takes.
";

const QUEUE: &str = "\
Batches wait in memory meanwhile. 100 batches of 2000 spans of 1 KiB are 200 MiB; the
default of 1000 would be 2 GiB. What comes when the queue is full is dropped.
";

fn metrics(endpoints: &Endpoints) -> Vec<Item> {
    let url = endpoints.metrics_remote_write.clone().unwrap_or_default();
    let converted =
        set("forward_to", Expression::Exports(vec!["prometheus.remote_write.mimir.receiver".into()]));
    let endpoint = vec![
        set("url", url),
        Comment("The trace of a sample goes with it: it is what leads from a graph to Tempo."),
        set("send_exemplars", true),
        Comment(SENDING),
        block("queue_config", vec![set("max_shards", 10), set("retry_on_http_429", true)]),
    ];
    let body =
        vec![block("endpoint", endpoint), Comment(WAL), block("wal", vec![set("max_keepalive_time", "2h")])];
    vec![
        Comment(CONVERSION),
        labelled("otelcol.exporter.prometheus", "mimir", vec![converted]),
        Comment("Metrics, to this environment's Mimir."),
        labelled("prometheus.remote_write", "mimir", body),
    ]
}

const CONVERSION: &str = "\
Metrics as Prometheus has them: service.name becomes the label job, and names get their
unit, so that http.server.request.duration becomes http_server_request_duration_seconds.
Other attributes of the resource stand on the series target_info alone, not on every series.
";

const SENDING: &str = "\
Samples that Mimir does not take (5xx, or 429 at its limits) are tried again until they
leave the log below. Ten senders at once are enough for an environment; the default of 50
would fall upon a Mimir that has just come back.
";

const WAL: &str = "\
Samples wait on disk, in a write-ahead log. What could not be sent for two hours is dropped,
before it fills the disk.
";

/// What takes telemetry.
fn receiver(name: &str, alloy: &ValidAlloy) -> Vec<Item> {
    let input = format!("{name}.default.input");
    let at = |port: u16| set("endpoint", format!("0.0.0.0:{port}"));
    let age = vec![set("max_connection_age", "10m"), set("max_connection_age_grace", "1m")];
    let keepalive = block("keepalive", vec![block("server_parameters", age)]);
    let body = vec![
        block("grpc", vec![at(alloy.grpc_port), Comment(CONNECTIONS), keepalive]),
        block("http", vec![at(alloy.http_port)]),
        Comment(NO_LOGS),
        output(alloy, &input, &input),
    ];
    vec![Comment("What takes telemetry."), labelled("otelcol.receiver.otlp", name, body)]
}

const CONNECTIONS: &str = "\
Senders keep a connection for as long as they live. Closed now and then, it is spread anew
over all pods there are.
";

const NO_LOGS: &str = "\
No logs: they are read from the containers' output, and this way would bring them twice.
";

/// What the pods may use of memory, as Alloy writes it: twice the request, in whole mebibytes.
fn memory_bound(request: &str) -> String {
    let mebibyte = Amount::count(1 << 20);
    let twice = Amount::parse(request).unwrap_or_default().times(2);
    format!("{}B", twice.max(mebibyte.times(LEAST_MIB)).round_up_to(mebibyte).memory())
}
