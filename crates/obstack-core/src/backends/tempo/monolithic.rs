//! Values of the chart `tempo`.

use obstack_api::ChartSource;
use serde_json::{Value, json};

use super::{OTLP_GRPC_PORT, OTLP_HTTP_PORT, generator, storage};
use crate::{
    backends::{
        Setting,
        parts::{Block, FROM_SECRET, NAMES, credentials, hours, resources},
        values::Values,
    },
    valid::{ValidBackend, Volume},
};

/// Receivers that the chart switches on besides OTLP; a receiver without an endpoint is off.
const JAEGER_PROTOCOLS: &[&str] = &["grpc", "thrift_binary", "thrift_compact", "thrift_http"];

const GENERATOR: generator::Paths = generator::Paths {
    switch: "tempo/metricsGenerator",
    config: "tempo/metricsGenerator",
    defaults: "tempo/overrides/defaults",
};

/// The values of a monolithic Tempo.
pub fn values(backend: &ValidBackend, setting: &Setting<'_>) -> Values {
    let mut values = Values::default();
    values.set("fullnameOverride", setting.name.objects.as_str(), NAMES);
    if setting.name.given {
        // The selectors of a release that is taken over have the chart's own name in them, and never change.
        values.reserve("nameOverride", NAMES);
    } else {
        // The chart names its ConfigMap by nameOverride and everything else by fullnameOverride. With fewer than both,
        // two stacks in one namespace overwrite each other's configuration.
        values.set("nameOverride", setting.name.release.as_str(), NAMES);
    }
    if let Some(version) = &backend.chart.app_version {
        values.set("tempo/tag", version.as_str(), "spec.traces.chart.version");
    }
    values
        .set("tempo/reportingEnabled", false, "no reports to Grafana Labs")
        .set("tempo/multitenancyEnabled", false, "one tenant a stack")
        // The chart passes a flag for it in any case; 0 is Tempo's own default, 1 GiB would be the chart's.
        .set("tempo/memBallastSizeMbs", 0, "resource policy")
        .set("tempo/securityContext/readOnlyRootFilesystem", true, "security policy")
        .set("tempo/extraEnv", credentials(setting.storage), FROM_SECRET)
        .set("tempo/ingester/flush_all_on_shutdown", true, "nothing is lost on shutdown")
        .set("persistence/enableStatefulSetAutoDeletePVC", false, "claims outlive their pods");
    if let Some(retention) = backend.retention_hours {
        values.set("tempo/retention", hours(retention), "spec.traces.retention");
    }
    for protocol in JAEGER_PROTOCOLS {
        values.set(
            &format!("tempo/receivers/jaeger/protocols/{protocol}/endpoint"),
            Value::Null,
            "only OTLP is received",
        );
    }
    for (protocol, port) in [("grpc", OTLP_GRPC_PORT), ("http", OTLP_HTTP_PORT)] {
        let path = format!("tempo/receivers/otlp/protocols/{protocol}/endpoint");
        values.set(&path, format!("0.0.0.0:{port}"), "endpoints of the stack");
    }
    storage(&mut values, "tempo/storage/trace", backend, setting);
    generator::set(&mut values, &GENERATOR, backend, setting);
    process(&mut values, backend);
    values
}

/// The one process: its size and its volume.
fn process(values: &mut Values, backend: &ValidBackend) {
    let Some(component) = backend.components.first() else { return };
    let block = Block { at: "tempo".into(), backend: backend.backend, component };
    values.set("replicas", component.replicas, &block.field("replicas"));
    values.set("tempo/resources", resources(component), &block.field("resources"));
    block.volume(values, "persistence", "storageClassName");
    // Without a claim, upstream's chart mounts nothing at /var/tempo, which the image gives to its own user alone and
    // which is read-only here. The bundled chart mounts this same emptyDir by itself.
    if component.volume == Volume::EmptyDir && backend.chart.source == ChartSource::Upstream {
        let owner = block.field("storage");
        values.set("extraVolumes", json!([{"name": "storage", "emptyDir": {}}]), &owner);
        values.set(
            "tempo/extraVolumeMounts",
            json!([{"name": "storage", "mountPath": "/var/tempo"}]),
            &owner,
        );
    }
}
