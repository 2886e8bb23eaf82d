//! Every way in which a spec can be wrong: the reason, the field and the words of the answer.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use obstack_api::{ObservabilityStack, Reason};
use obstack_core::{
    facts::{BucketClaim, Facts},
    names::StackKey,
    validate::validate,
    violation::Violation,
};

fn faults(stack: &ObservabilityStack, facts: &Facts) -> Vec<Violation> {
    validate(stack, facts).err().unwrap_or_default()
}

/// Exactly one fault, with this reason, of this field, and with these words in its message.
fn check(stack: &ObservabilityStack, facts: &Facts, reason: Reason, field: &str, words: &[&str]) {
    let found = faults(stack, facts);
    let [fault] = found.as_slice() else { panic!("{field}: {} faults: {found:#?}", found.len()) };
    assert_eq!((fault.reason, fault.field.as_str()), (reason, field), "{fault}");
    for word in words {
        assert!(fault.message.contains(word), "`{word}` is not in: {}", fault.message);
    }
}

/// What is laid over the small stack, and the one fault it then has.
type Case = (&'static str, Reason, &'static str, &'static [&'static str]);

fn check_all(cases: &[Case]) {
    for (overlay, reason, field, words) in cases {
        let stack = common::small_with(overlay);
        check(&stack, &common::facts(&stack), *reason, field, words);
    }
}

#[test]
fn a_small_stack_and_every_sample_are_valid() {
    for stack in
        [common::yaml(common::SMALL), common::sample("dev"), common::sample("test"), common::sample("prod")]
    {
        common::valid(&common::with(&stack, ""));
    }
}

#[test]
fn routes() {
    let openshift = |part: &str| format!("spec: {{platform: OpenShift, metrics: {{route: {{{part}}}}}}}");
    common::valid(&common::small_with(&openshift("host: m.example.com, allowFrom: [10.0.0.0/8, '::1']")));
    check_all(&[
        (
            "spec: {metrics: {route: {}}}",
            Reason::InvalidSpec,
            "spec.metrics.route",
            &["only OpenShift", "Ingress"],
        ),
        (
            "spec: {platform: OpenShift, traces: {route: {allowFrom: [10.0.0.0/8, 10.0.0.0/33]}}}",
            Reason::InvalidSpec,
            "spec.traces.route.allowFrom[1]",
            &["10.0.0.0/33", "neither an address nor a network"],
        ),
    ]);
}

#[test]
fn release_names() {
    let (traces, metrics) = ("spec.traces.releaseName", "spec.metrics.releaseName");
    let longest = "a".repeat(32);
    common::valid(&common::small_with(&format!("spec: {{traces: {{releaseName: {longest}}}}}")));
    check_all(&[
        ("spec: {traces: {releaseName: Prod}}", Reason::InvalidSpec, traces, &["`Prod`", "a-z, 0-9 and -"]),
        ("spec: {metrics: {releaseName: 1mimir}}", Reason::InvalidSpec, metrics, &["with a letter"]),
        ("spec: {metrics: {releaseName: mimir-}}", Reason::InvalidSpec, metrics, &["`mimir-`"]),
        (
            "spec: {traces: {releaseName: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}",
            Reason::InvalidSpec,
            traces,
            &["aaa-tempo-...", "at most 38"],
        ),
        (
            "spec: {traces: {releaseName: o11y}, metrics: {releaseName: o11y}}",
            Reason::InvalidSpec,
            metrics,
            &["is o11y", "spec.traces", "another name"],
        ),
        (
            "spec: {traces: {releaseName: dts-dev-mimir}}",
            Reason::InvalidSpec,
            metrics,
            &["is dts-dev-mimir", "spec.traces"],
        ),
        (
            "spec: {traces: {releaseName: prod, values: {nameOverride: x}}}",
            Reason::OverrideOwnedByApi,
            "spec.traces.values.nameOverride",
            &["names of objects"],
        ),
    ]);
}

#[test]
fn metrics_generator() {
    let replicas = "spec.traces.components.metricsGenerator.replicas";
    check_all(&[
        (
            "spec: {metrics: null, traces: {metricsGenerator: {}}}",
            Reason::InvalidSpec,
            "spec.traces.metricsGenerator",
            &["keeps no metrics", "set spec.metrics, or enabled: false"],
        ),
        (
            "spec: {traces: {mode: Distributed, metricsGenerator: {}, components: {metricsGenerator: {replicas: 0}}}}",
            Reason::InvalidSpec,
            replicas,
            &["is 0", "enabled: false"],
        ),
        (
            "spec: {traces: {mode: Distributed, components: {metricsGenerator: {replicas: 1}}}}",
            Reason::InvalidSpec,
            replicas,
            &["no meaning", "enabled: true"],
        ),
        (
            "spec: {traces: {components: {metricsGenerator: {}}}}",
            Reason::InvalidSpec,
            "spec.traces.components.metricsGenerator",
            &["unknown component", "singleBinary"],
        ),
        (
            "spec: {traces: {values: {tempo: {metricsGenerator: {enabled: true}}}}}",
            Reason::OverrideOwnedByApi,
            "spec.traces.values.tempo.metricsGenerator.enabled",
            &["spec.traces.metricsGenerator"],
        ),
    ]);
}

#[test]
fn grafana() {
    for what in ["datasources", "dashboards"] {
        let stack =
            common::small_with(&format!("spec: {{grafana: {{{what}: {{provider: GrafanaOperator}}}}}}"));
        let field = format!("spec.grafana.{what}.instanceSelector");
        check(
            &stack,
            &common::facts(&stack),
            Reason::InvalidSpec,
            &field,
            &["is missing", "labels of the Grafana"],
        );
    }
}

#[test]
fn canary() {
    let interval = "spec.canary.interval";
    let words = &["15s to 1h"][..];
    check_all(&[
        ("spec: {canary: {interval: 14s}}", Reason::InvalidSpec, interval, words),
        ("spec: {canary: {interval: 61m}}", Reason::InvalidSpec, interval, words),
        ("spec: {canary: {interval: 1.5m}}", Reason::InvalidSpec, interval, words),
        ("spec: {canary: {interval: \"60\"}}", Reason::InvalidSpec, interval, words),
        ("spec: {canary: {interval: \"\"}}", Reason::InvalidSpec, interval, words),
        (
            "spec: {metrics: null, canary: {signals: [Traces, Metrics]}}",
            Reason::InvalidSpec,
            "spec.canary.signals[1]",
            &["does not keep Metrics", "spec.metrics"],
        ),
    ]);
}

#[test]
fn components() {
    check_all(&[
        (
            "spec: {metrics: {components: {ingestor: {replicas: 1}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.ingestor",
            &["unknown component", "ingester"],
        ),
        (
            "spec: {traces: {components: {ingester: {replicas: 1}}}}",
            Reason::InvalidSpec,
            "spec.traces.components.ingester",
            &["unknown component", "singleBinary"],
        ),
        (
            "spec: {metrics: {components: {querier: {replicas: -1}, distributor: {replicas: 1}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.querier.replicas",
            &["negative"],
        ),
        (
            "spec: {traces: {components: {singleBinary: {replicas: 2}}}}",
            Reason::InvalidSpec,
            "spec.traces.components.singleBinary.replicas",
            &["one process", "Distributed"],
        ),
        (
            "spec: {metrics: {components: {distributor: {replicas: 0}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.distributor.replicas",
            &["is 0", "Mimir"],
        ),
        (
            "spec: {metrics: {components: {queryScheduler: {replicas: 0}}}}",
            Reason::QuerySchedulerRequired,
            "spec.metrics.components.queryScheduler.replicas",
            &["Mimir 3", "6.1.0", "5.8.0"],
        ),
        (
            "spec: {metrics: {components: {querier: {storage: {size: 1Gi}}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.querier.storage",
            &["keeps no data"],
        ),
        ("spec: {traces: null, metrics: null}", Reason::InvalidSpec, "spec", &["no backend"]),
    ]);
}

#[test]
fn replication_and_retention() {
    check_all(&[
        (
            "spec: {metrics: {replicationFactor: 3, components: {ingester: {replicas: 2}}}}",
            Reason::InvalidSpec,
            "spec.metrics.replicationFactor",
            &["is 3", "2 ingesters"],
        ),
        (
            "spec: {traces: {mode: Distributed, replicationFactor: 2, components: {ingester: {replicas: 1}}}}",
            Reason::InvalidSpec,
            "spec.traces.replicationFactor",
            &["is 2", "1 ingesters"],
        ),
        (
            "spec: {metrics: {replicationFactor: 0}}",
            Reason::InvalidSpec,
            "spec.metrics.replicationFactor",
            &["is 0"],
        ),
        (
            "spec: {metrics: {retention: 30d}}",
            Reason::InvalidSpec,
            "spec.metrics.retention",
            &["30d", "720h"],
        ),
        ("spec: {traces: {retention: 0h}}", Reason::InvalidSpec, "spec.traces.retention", &["0h"]),
        // Go reads no duration of 292 years or more: the pods would not start.
        (
            "spec: {traces: {retention: 4000000000h}}",
            Reason::InvalidSpec,
            "spec.traces.retention",
            &["876000h"],
        ),
    ]);
}

#[test]
fn resources() {
    check_all(&[
        (
            "spec: {metrics: {components: {storeGateway: {resources: {requests: {memory: 1Gi}}}}}}",
            Reason::MemoryLimitRequired,
            "spec.metrics.components.storeGateway.resources.limits.memory",
            &["memory limit", "2Gi"],
        ),
        (
            "spec: {metrics: {components: {querier: {resources: {limits: {memory: 1Gi}}}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.querier.resources.limits.memory",
            &["only allowed on ingesters and store-gateways"],
        ),
        (
            "spec: {metrics: {components: {querier: {resources: {limits: {cpu: 1}}}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.querier.resources.limits.cpu",
            &["CPU limits are forbidden"],
        ),
        (
            "spec: {metrics: {components: {ingester: {resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.ingester.resources.limits.memory",
            &["less than the request", "2048Mi"],
        ),
        (
            "spec: {resourcePolicy: {cpuLimits: Allow}, metrics: {components: {querier: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}}}}",
            Reason::InvalidSpec,
            "spec.metrics.components.querier.resources.limits.cpu",
            &["less than the request", "2000m"],
        ),
        (
            "spec: {metrics: {components: {querier: {resources: {requests: {memory: 1gb}}}}}}",
            Reason::InvalidQuantity,
            "spec.metrics.components.querier.resources.requests.memory",
            &["`1gb`", "512Mi"],
        ),
        (
            "spec: {metrics: {components: {querier: {resources: {requests: {cpu: 0}}}}}}",
            Reason::InvalidQuantity,
            "spec.metrics.components.querier.resources.requests.cpu",
            &["is 0"],
        ),
        (
            "spec: {metrics: {components: {compactor: {storage: {size: many}}}}}",
            Reason::InvalidQuantity,
            "spec.metrics.components.compactor.storage.size",
            &["`many`"],
        ),
    ]);
}

#[test]
fn whoever_may_set_any_limit_may_also_set_none() {
    let stack = common::small_with(
        "spec: {resourcePolicy: {memoryLimits: Any}, metrics: {components: {ingester: {resources: {requests: {memory: 8Gi}}}}}}",
    );
    let valid = common::valid(&stack);
    let ingester = valid.backends[1].component("ingester").unwrap();
    assert_eq!(ingester.memory_limit, None, "the role's own would be less than the request");
}

#[test]
fn charts() {
    check_all(&[
        (
            "spec: {metrics: {chart: {source: Upstream, version: 6.2.0}}}",
            Reason::ChartUnknown,
            "spec.metrics.chart",
            &["mimir-distributed 6.2.0", "6.1.0, 6.0.6, 5.8.0", "digest"],
        ),
        (
            "spec: {metrics: {chart: {source: Bundled, version: 6.2.0}}}",
            Reason::ChartUnknown,
            "spec.metrics.chart",
            &["not bundled", "6.1.0"],
        ),
    ]);
    let digest = "a".repeat(64);
    let known = common::small_with(&format!(
        "spec: {{metrics: {{chart: {{source: Upstream, version: 6.2.0, digest: 'sha256:{digest}'}}}}}}"
    ));
    let chart = common::valid(&known).backends[1].chart.clone();
    assert_eq!((chart.version.as_str(), chart.app_version, chart.sha256), ("6.2.0", None, Some(digest)));

    let stack = common::small_with("spec: {metrics: {chart: {version: 6.1.0}}}");
    let mut facts = common::facts(&stack);
    (facts.cluster.minor, facts.cluster.version) = (31, "1.31.4".into());
    let words = ["needs Kubernetes 1.32", "1.31.4", "use version 6.0.6"];
    check(&stack, &facts, Reason::ChartUnsupported, "spec.metrics.chart", &words);
}

#[test]
fn bucket_names() {
    check_all(&[
        (
            "spec: {traces: {buckets: {blocks: {name: Traces_1}}}}",
            Reason::InvalidBucketName,
            "spec.traces.buckets.blocks.name",
            &["`Traces_1`", "a-z"],
        ),
        (
            "spec: {traces: {buckets: {blocks: {name: 10.0.0.1}}}}",
            Reason::InvalidBucketName,
            "spec.traces.buckets.blocks.name",
            &["IP address"],
        ),
        (
            "spec: {metrics: {buckets: {ruler: {name: dts-metrics-dev-blocks}}}}",
            Reason::BucketConflict,
            "spec.metrics.buckets.ruler.name",
            &["dts-metrics-dev-blocks", "metrics.blocks", "its own bucket"],
        ),
    ]);
    let long = format!("spec: {{objectStorage: {{buckets: {{prefix: {}}}}}, metrics: null}}", "p".repeat(50));
    check_all(&[(
        Box::leak(long.into_boxed_str()),
        Reason::InvalidBucketName,
        "spec.traces.buckets.blocks.name",
        &["3 to 63", "shorten the prefix"],
    )]);
}

#[test]
fn a_bucket_of_another_stack() {
    let stack = common::small_with("");
    let mut facts = common::facts(&stack);
    let owner = StackKey { namespace: "other".into(), name: "older".into() };
    let claim =
        |endpoint: &str| BucketClaim { endpoint: endpoint.into(), bucket: "dts-traces-dev-blocks".into() };
    facts.claimed_buckets.insert(claim("http://elsewhere:8333"), owner.clone());
    assert!(faults(&stack, &facts).is_empty(), "the same name in another object store");
    facts.claimed_buckets.insert(claim("http://seaweedfs-dev-s3.ca7f8f-dev.svc:8333"), owner);
    let words = ["dts-traces-dev-blocks", "other/older"];
    check(&stack, &facts, Reason::BucketConflict, "spec.traces.buckets.blocks.name", &words);
}

#[test]
fn a_name_of_another_stack() {
    let owner = StackKey { namespace: "ca7f8f-dev".into(), name: "older".into() };
    let check_name = |overlay: &str, claim: &str, field: &str, words: &[&str]| {
        let stack = common::small_with(overlay);
        let mut facts = common::facts(&stack);
        facts.claimed_names.insert(claim.into(), owner.clone());
        check(&stack, &facts, Reason::InvalidSpec, field, words);
    };
    let (traces, metrics) = ("spec.traces.releaseName", "spec.metrics.releaseName");
    let words = ["ca7f8f-dev/older", "another name"];
    check_name("spec: {metrics: {releaseName: prod}}", "prod-mimir", metrics, &words);
    check_name("", "dts-dev-tempo", traces, &words);
    let config = ["ConfigMap tempo", "ca7f8f-dev/older", "another namespace"];
    check_name("spec: {traces: {releaseName: prod}}", "ConfigMap tempo", traces, &config);
    let grafana = "spec: {grafana: {datasources: {provider: SidecarConfigMap, namespace: tools}}}";
    let words = ["ca7f8f-dev-dts-dev-...", "namespace tools", "ca7f8f-dev/older"];
    check_name(grafana, "tools/ca7f8f-dev-dts-dev", "spec.grafana", &words);
    // The other mode has a ConfigMap of its own.
    let stack = common::small_with("spec: {traces: {mode: Distributed, releaseName: prod}}");
    let mut facts = common::facts(&stack);
    facts.claimed_names.insert("ConfigMap tempo".into(), owner);
    assert!(faults(&stack, &facts).is_empty());
    let key = StackKey { namespace: "ca7f8f-dev".into(), name: "dts-dev".into() };
    assert_eq!(obstack_core::validate::names(&key, &stack.spec), ["prod-tempo", "dts-dev-mimir"]);
}

#[test]
fn secrets() {
    let stack = common::small_with("");
    let field = "spec.objectStorage.credentials.secretRef";
    let mut facts = common::facts(&stack);
    // A key without a value is not among the keys.
    facts.secrets.get_mut("dts-s3-dev").unwrap().keys.pop();
    let words = ["dts-s3-dev", "AWS_SECRET_ACCESS_KEY", "or it is empty"];
    check(&stack, &facts, Reason::SecretKeyMissing, field, &words);
    facts.secrets.clear();
    check(&stack, &facts, Reason::SecretMissing, field, &["dts-s3-dev", "does not exist", "by itself"]);

    let stack = common::small_with("spec: {objectStorage: {caSecretRef: {name: store-ca}}}");
    let mut facts = common::facts(&stack);
    facts.secrets.remove("store-ca");
    check(&stack, &facts, Reason::SecretMissing, "spec.objectStorage.caSecretRef", &["store-ca", "ca.crt"]);
}

#[test]
fn endpoints() {
    for (endpoint, word) in [
        ("s3.example.org:8333", "no scheme"),
        ("ftp://s3.example.org", "neither http nor https"),
        ("http://s3.example.org/base", "a path"),
        ("http://", "no plain host"),
        ("http://user@s3.example.org", "no plain host"),
        ("http://:8333", "no plain host"),
        ("http://s3.example.org:port", "a port"),
        ("http://s3.example.org:+80", "a port"),
        ("http://s3.example.org:0", "a port"),
        ("http://s3.example.org:65536", "a port"),
    ] {
        let stack = common::small_with(&format!("spec: {{objectStorage: {{endpoint: '{endpoint}'}}}}"));
        let words = [endpoint, word, "http://host:port"];
        check(&stack, &common::facts(&stack), Reason::InvalidEndpoint, "spec.objectStorage.endpoint", &words);
    }
    for endpoint in ["https://s3.example.org", "http://10.0.0.1:8333/", "http://[::1]:8333", "http://[::1]"] {
        common::valid(&common::small_with(&format!("spec: {{objectStorage: {{endpoint: '{endpoint}'}}}}")));
    }
}

#[test]
fn names_of_stacks() {
    let name = "s".repeat(41);
    let stack = common::small_with(&format!("metadata: {{name: {name}}}"));
    check(&stack, &common::facts(&stack), Reason::InvalidSpec, "metadata.name", &["41 characters", "40"]);
    check_all(&[("metadata: {name: a.b}", Reason::InvalidSpec, "metadata.name", &["dot"])]);
}

#[test]
fn all_faults_are_told_at_once() {
    let stack = common::small_with(
        "
metadata: {name: a.b}
spec:
  objectStorage: {endpoint: 'ftp://x', credentials: {secretRef: {name: missing}}}
  traces: {retention: 1d, buckets: {blocks: {name: A}}, chart: {version: 9.9.9}}
  metrics:
    chart: {version: 9.9.9}
    retention: 1d
    components: {typo: {}, queryScheduler: {replicas: 0}, querier: {resources: {requests: {cpu: none}}}}
    values: {fullnameOverride: x, extra: {limits: {cpu: 1}}}
    patches: [{target: {kind: Service}, operations: [{op: wrong}]}]
",
    );
    let mut facts = common::facts(&stack);
    facts.secrets.clear();
    let found: BTreeSet<_> = faults(&stack, &facts).into_iter().map(|fault| fault.field).collect();
    let wanted = [
        "metadata.name",
        "spec.metrics.chart",
        "spec.metrics.components.querier.resources.requests.cpu",
        "spec.metrics.components.queryScheduler.replicas",
        "spec.metrics.components.typo",
        "spec.metrics.patches[0]",
        "spec.metrics.retention",
        "spec.metrics.values.extra.limits.cpu",
        "spec.metrics.values.fullnameOverride",
        "spec.objectStorage.credentials.secretRef",
        "spec.objectStorage.endpoint",
        "spec.traces.buckets.blocks.name",
        "spec.traces.chart",
        "spec.traces.retention",
    ];
    assert_eq!(found, wanted.map(str::to_owned).into());
}
