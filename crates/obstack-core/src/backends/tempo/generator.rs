//! Metrics from traces, in both charts.

use obstack_api::MetricsProcessor;
use serde_json::{Value, json};

use crate::{
    backends::{Setting, values::Values},
    valid::ValidBackend,
};

/// What decides whether the generator runs.
const OWNER: &str = "spec.traces.metricsGenerator";
/// Its own folder on the data volume: nothing else is writable, and it empties the folder when it starts.
const FOLDER: &str = "/var/tempo/generator";
/// Series that one generator makes at most; more are dropped, and counted. It has no memory limit, so this bounds it.
/// It is a third of what Mimir takes from a stack by default (`max_global_series_per_user`, 150000), so that names with
/// ids in them do not push out the metrics of applications.
const MAX_ACTIVE_SERIES: u32 = 50_000;

/// Where a chart has it.
pub(super) struct Paths {
    /// Its switch.
    pub(super) switch: &'static str,
    /// Its configuration.
    pub(super) config: &'static str,
    /// Tempo's `overrides.defaults`.
    pub(super) defaults: &'static str,
}

/// Switches the generator on or off. It need not wait for Mimir: samples that Mimir does not take yet stay in its log
/// and are sent again.
pub(super) fn set(values: &mut Values, paths: &Paths, backend: &ValidBackend, setting: &Setting<'_>) {
    let Paths { switch, config, defaults } = paths;
    let target = setting.remote_write.filter(|_| !backend.metrics_generator.is_empty());
    values.set(&format!("{switch}/enabled"), target.is_some(), OWNER);
    let Some(url) = target else { return };
    // Tempo sends exemplars whatever stands here (`generateTenantRemoteWriteConfigs` of v2.10); said for whoever reads it.
    let remote_write = json!([{"url": url, "send_exemplars": true}]);
    let processors: Value = backend.metrics_generator.iter().map(|processor| name(*processor)).collect();
    values
        .set(&format!("{config}/storage/path"), format!("{FOLDER}/wal"), OWNER)
        .set(&format!("{config}/storage/remote_write"), remote_write, OWNER)
        .set(&format!("{config}/traces_storage/path"), format!("{FOLDER}/traces"), OWNER)
        // Without it the generator runs and makes nothing.
        .set(&format!("{defaults}/metrics_generator/processors"), processors, OWNER)
        .set(
            &format!("{defaults}/metrics_generator/generate_native_histograms"),
            "classic",
            "dashboards read classic histograms",
        )
        .suggest(&format!("{defaults}/metrics_generator/max_active_series"), MAX_ACTIVE_SERIES);
}

/// Tempo's name of a processor.
fn name(processor: MetricsProcessor) -> &'static str {
    match processor {
        MetricsProcessor::ServiceGraphs => "service-graphs",
        MetricsProcessor::SpanMetrics => "span-metrics",
    }
}
