//! Metrics from traces: when they are made, what Tempo is told of it, and that a real Tempo understands it.

#![cfg(test)]

mod common;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use common::helm::{Charts, helm, plan_of, upstream};
use obstack_api::MetricsProcessor::{self, ServiceGraphs, SpanMetrics};
use obstack_core::{assemble::Plan, backends::Backend};
use serde_json::{Value, json};

const DISTRIBUTED: &str = "spec: {traces: {mode: Distributed, metricsGenerator: {}}}";
const MONOLITHIC: &str = "spec: {traces: {metricsGenerator: {processors: [SpanMetrics]}}}";

/// The Tempo to use; says so when there is none.
fn tempo() -> Option<PathBuf> {
    let found = env::var_os("OBSTACK_TEMPO").map(PathBuf::from);
    if found.is_none() {
        println!("not run: OBSTACK_TEMPO names no tempo binary");
    }
    found
}

/// The plans of a stack, from every source of charts there is.
fn plans(overlay: &str) -> Vec<(Charts, Plan)> {
    let Some(helm) = helm() else { return Vec::new() };
    let charts = [Some(Charts::Bundled), upstream()].into_iter().flatten();
    charts.map(|charts| (charts.clone(), plan_of(&helm, &charts, common::small_with(overlay)).0)).collect()
}

/// Tempo's configuration, as its file has it.
fn file(plan: &Plan) -> &str {
    let mut files = plan.objects.iter().filter_map(|object| object.body.pointer("/data/tempo.yaml"));
    files.find_map(Value::as_str).unwrap()
}

#[test]
fn metrics_are_made_when_asked_for_or_when_dashboards_need_them() {
    let check = |overlay: &str, expect: &[MetricsProcessor], replicas: u32| {
        let stack = common::valid(&common::small_with(overlay));
        let tempo = stack.backends.iter().find(|backend| backend.backend == Backend::Tempo).unwrap();
        assert_eq!(tempo.metrics_generator, expect, "{overlay}");
        assert_eq!(tempo.replicas("metricsGenerator"), replicas, "{overlay}");
    };
    let both = [ServiceGraphs, SpanMetrics];
    let dashboards = "grafana: {dashboards: {provider: SidecarConfigMap}}";
    check("", &[], 0);
    check(DISTRIBUTED, &both, 1);
    check("spec: {traces: {mode: Distributed}}", &[], 0);
    check("spec: {traces: {metricsGenerator: {enabled: false}}}", &[], 0);
    check("spec: {traces: {metricsGenerator: {processors: [SpanMetrics, SpanMetrics]}}}", &[SpanMetrics], 0);
    check("spec: {traces: {metricsGenerator: {processors: [SpanMetrics, ServiceGraphs]}}}", &both, 0);
    check(&format!("spec: {{{dashboards}}}"), &both, 0);
    check(&format!("spec: {{{dashboards}, metrics: null}}"), &[], 0);
    check(&format!("spec: {{{dashboards}, traces: {{metricsGenerator: {{enabled: false}}}}}}"), &[], 0);
    check("spec: {grafana: {dashboards: {provider: None}}}", &[], 0);
    check(
        "spec: {traces: {mode: Distributed, metricsGenerator: {}, components: {metricsGenerator: {replicas: 3}}}}",
        &both,
        3,
    );
}

#[test]
fn tempo_writes_what_it_makes_to_the_stacks_mimir() {
    for (overlay, processors) in
        [(DISTRIBUTED, json!(["service-graphs", "span-metrics"])), (MONOLITHIC, json!(["span-metrics"]))]
    {
        for (charts, plan) in plans(overlay) {
            let config = common::yaml(file(&plan));
            let generator = &config["metrics_generator"];
            let target = json!([{
                "url": "http://dts-dev-mimir-distributor.ca7f8f-dev.svc:8080/api/v1/push",
                "send_exemplars": true,
            }]);
            assert_eq!(generator["storage"]["remote_write"], target, "{charts:?}");
            assert_eq!(generator["storage"]["path"], "/var/tempo/generator/wal", "{charts:?}");
            assert_eq!(generator["traces_storage"]["path"], "/var/tempo/generator/traces", "{charts:?}");
            let defaults = &config["overrides"]["defaults"]["metrics_generator"];
            assert_eq!(defaults["processors"], processors, "{charts:?}");
            assert_eq!(defaults["generate_native_histograms"], "classic", "{charts:?}");
        }
    }
}

#[test]
fn the_generator_can_write_where_its_log_is() {
    for (overlay, workload) in
        [(DISTRIBUTED, "dts-dev-tempo-metrics-generator"), (MONOLITHIC, "dts-dev-tempo")]
    {
        for (charts, plan) in plans(overlay) {
            let workloads = plan.objects.iter().filter(|object| object.id.kind.is_workload());
            let found = workloads.filter(|object| object.id.name == workload).collect::<Vec<_>>();
            let [object] = found[..] else { panic!("{charts:?}: no {workload}") };
            let mounts = object.body.pointer("/spec/template/spec/containers/0/volumeMounts").unwrap();
            let mounted = |mount: &Value| mount["mountPath"] == "/var/tempo" && mount["readOnly"] != true;
            assert!(mounts.as_array().unwrap().iter().any(mounted), "{charts:?}: {mounts}");
        }
    }
}

#[test]
fn tempo_makes_no_metrics_unless_told_to() {
    for overlay in ["", "spec: {traces: {mode: Distributed}}"] {
        for (charts, plan) in plans(overlay) {
            let config = common::yaml(file(&plan));
            assert!(config.get("metrics_generator").is_none(), "{charts:?}");
            assert!(plan.components.iter().all(|component| component.name != "traces.metricsGenerator"));
        }
    }
}

#[test]
fn a_real_tempo_takes_the_configuration_of_every_component() {
    let Some(tempo) = tempo() else { return };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tempo.yaml");
    for (overlay, targets) in [
        (MONOLITHIC, &["all"][..]),
        (
            DISTRIBUTED,
            &["distributor", "ingester", "querier", "query-frontend", "compactor", "metrics-generator"],
        ),
    ] {
        for (charts, plan) in plans(overlay) {
            let verify = |text: &str, target: &str| {
                std::fs::write(&path, text).unwrap();
                verified(&tempo, &path, target)
            };
            for target in targets {
                verify(file(&plan), target).unwrap_or_else(|said| panic!("{charts:?} {target}: {said}"));
                let said = verify(&file(&plan).replace("remote_write", "remote_wrote"), target);
                assert!(said.is_err_and(|said| said.contains("remote_wrote")), "a misspelt key is refused");
            }
        }
    }
}

/// What Tempo says of a configuration, when it does not take it.
fn verified(tempo: &Path, config: &Path, target: &str) -> Result<(), String> {
    let mut file = std::ffi::OsString::from("-config.file=");
    file.push(config);
    let arguments = ["-config.verify=true".to_owned(), format!("-target={target}")];
    let output = Command::new(tempo).arg(file).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}
