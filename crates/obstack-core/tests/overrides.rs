//! The user's values and patches: what is refused before anything is rendered, and with which words.

#![cfg(test)]

mod common;

use obstack_api::Reason;
use obstack_core::{design::design, validate::validate};

/// The faults of a stack with this overlay, as reason, field and message.
fn faults(overlay: &str) -> Vec<(Reason, String, String)> {
    let stack = common::small_with(overlay);
    let found = validate(&stack, &common::facts(&stack)).err().unwrap_or_default();
    found.into_iter().map(|fault| (fault.reason, fault.field, fault.message)).collect()
}

fn patch(operations: &str) -> Vec<(Reason, String, String)> {
    faults(&format!(
        "spec: {{metrics: {{patches: [{{target: {{kind: Deployment}}, operations: {operations}}}]}}}}"
    ))
}

#[test]
fn i7_a_cpu_limit_in_values_is_refused_wherever_it_stands() {
    for (values, at) in [
        ("{memcached: {resources: {limits: {cpu: 1}}}}", "memcached.resources.limits.cpu"),
        (
            "{querier: {extraContainers: [{name: x, resources: {limits: {cpu: 100m}}}]}}",
            "querier.extraContainers[0].resources.limits.cpu",
        ),
    ] {
        let [(reason, field, message)] = &faults(&format!("spec: {{metrics: {{values: {values}}}}}"))[..]
        else {
            panic!("{values}")
        };
        assert_eq!(
            (*reason, field.as_str()),
            (Reason::OverrideViolatesPolicy, format!("spec.metrics.values.{at}").as_str())
        );
        assert!(message.contains("CPU limit") && message.contains("cpuLimits"), "{message}");
    }
    assert_eq!(
        faults("spec: {resourcePolicy: {cpuLimits: Allow}, metrics: {values: {x: {limits: {cpu: 1}}}}}"),
        []
    );
}

#[test]
fn i7_a_cpu_limit_in_a_patch_is_refused_by_path_and_inside_a_value() {
    for operations in [
        "[{op: add, path: /spec/template/spec/containers/0/resources/limits/cpu, value: '1'}]",
        "[{op: add, path: /spec/template/spec/containers/0/resources/limits, value: {cpu: 1}}]",
        "[{op: replace, path: /spec/template/spec/containers/0/resources, value: {limits: {cpu: 1}}}]",
        "[{op: add, path: /spec/template/spec/containers/-, value: {name: x, resources: {limits: {cpu: 1}}}}]",
        "[{op: copy, from: /x, path: /spec/template/spec/containers/0/resources/limits/cpu}]",
    ] {
        let found = patch(operations);
        let [(reason, field, message)] = &found[..] else { panic!("{operations}: {found:?}") };
        assert_eq!((*reason, field.as_str()), (Reason::OverrideViolatesPolicy, "spec.metrics.patches[0]"));
        assert!(message.contains("CPU limit"), "{message}");
    }
    for operations in [
        "[{op: remove, path: /spec/template/spec/containers/0/resources/limits/cpu}]",
        "[{op: add, path: /spec/template/spec/containers/0/resources/limits, value: {memory: 1Gi}}]",
    ] {
        assert_eq!(patch(operations), [], "{operations}");
    }
}

#[test]
fn what_the_typed_api_decides_is_refused_in_values_with_the_typed_field() {
    for (backend, values, at, owner) in [
        (
            "metrics",
            "{ingester: {replicas: 5}}",
            "ingester.replicas",
            "spec.metrics.components.ingester.replicas",
        ),
        (
            "metrics",
            "{store_gateway: {resources: {limits: {memory: 9Gi}}}}",
            "store_gateway.resources.limits.memory",
            "spec.metrics.components.storeGateway.resources",
        ),
        (
            "metrics",
            "{mimir: {structuredConfig: {limits: {compactor_blocks_retention_period: 1h}}}}",
            "mimir.structuredConfig.limits.compactor_blocks_retention_period",
            "spec.metrics.retention",
        ),
        (
            "metrics",
            "{mimir: {structuredConfig: {ruler_storage: {s3: {bucket_name: x}}}}}",
            "mimir.structuredConfig.ruler_storage.s3.bucket_name",
            "spec.metrics.buckets.ruler.name",
        ),
        ("traces", "{tempo: {retention: 1h}}", "tempo.retention", "spec.traces.retention"),
        (
            "traces",
            "{persistence: {size: 1Gi}}",
            "persistence.size",
            "spec.traces.components.singleBinary.storage",
        ),
        ("traces", "{tempo: none}", "tempo", "spec.traces.chart.version"),
    ] {
        let found = faults(&format!("spec: {{{backend}: {{values: {values}}}}}"));
        let [(reason, field, message)] = &found[..] else { panic!("{values}: {found:?}") };
        assert_eq!((*reason, field), (Reason::OverrideOwnedByApi, &format!("spec.{backend}.values.{at}")));
        assert!(message.contains(&format!("is decided by {owner}; set it there")), "{message}");
    }
}

#[test]
fn what_the_operator_decides_is_refused_in_values_with_the_reason() {
    for (values, at, why) in [
        ("{kafka: {enabled: true}}", "kafka.enabled", "classic architecture"),
        ("{fullnameOverride: x}", "fullnameOverride", "names of objects"),
        (
            "{mimir: {structuredConfig: {common: {storage: {s3: {secret_access_key: s}}}}}}",
            "mimir.structuredConfig.common.storage.s3.secret_access_key",
            "credentials come from the Secret",
        ),
    ] {
        let found = faults(&format!("spec: {{metrics: {{values: {values}}}}}"));
        let [(reason, field, message)] = &found[..] else { panic!("{values}: {found:?}") };
        assert_eq!((*reason, field), (Reason::OverrideOwnedByApi, &format!("spec.metrics.values.{at}")));
        assert!(message.contains(&format!("is decided by the operator ({why}); remove it")), "{message}");
    }
}

#[test]
fn what_stands_beside_the_operators_values_is_free() {
    let stack = common::small_with(
        "
spec:
  traces: {values: {tempo: {extraArgs: {log.level: debug}}}}
  metrics:
    values:
      mimir: {structuredConfig: {limits: {max_global_exemplars_per_user: 5, ingestion_rate: 1}}}
      ingester: {podLabels: {team: a}}
",
    );
    let design = design(&common::valid(&stack)).design;
    let value = |release: usize, pointer: &str| design.releases[release].values.pointer(pointer).cloned();
    assert_eq!(value(0, "/tempo/extraArgs/log.level"), Some("debug".into()));
    assert_eq!(value(1, "/ingester/podLabels/team"), Some("a".into()));
    assert_eq!(value(1, "/ingester/replicas"), Some(1.into()), "ours stay");
    let exemplars = value(1, "/mimir/structuredConfig/limits/max_global_exemplars_per_user");
    assert_eq!(exemplars, Some(5.into()), "a suggestion of ours gives way");
}

#[test]
fn patches_that_are_none_or_that_rename_are_refused() {
    for operations in [
        "[{op: replace, path: /metadata/name, value: x}]",
        "[{op: move, from: /metadata/name, path: /spec/x}]",
        "[{op: replace, path: '', value: {}}]",
        "[{op: remove, path: /metadata/ownerReferences/0}]",
        "[{op: add, path: spec, value: 1}]",
        "[{op: invent, path: /spec}]",
    ] {
        let found = patch(operations);
        let [(reason, field, _)] = &found[..] else { panic!("{operations}: {found:?}") };
        assert_eq!((*reason, field.as_str()), (Reason::InvalidPatch, "spec.metrics.patches[0]"));
    }
    assert_eq!(patch("[{op: test, path: /metadata/name, value: x}]"), []);
}
