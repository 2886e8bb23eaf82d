//! The cases: what each admission rule passes and refuses, and what the schema refuses by itself.

use std::collections::BTreeSet;

use obstack_api::rules::{COMPONENT_RULES, RULES};
use obstack_e2e::{MIMIR, TEMPO, TEMPO_SINGLE, edited};
use serde_json::{Value, json};

type Edits<'a> = &'a [(&'a str, Value)];

/// What one rule passes and refuses.
pub struct Case {
    /// Place of the rule in the schema, and its message.
    pub rule: (String, String),
    /// What is stored before, for a rule about changes.
    pub before: Option<Value>,
    pub passes: Value,
    pub refused: Value,
}

/// Every rule as place and message; those of components stand on both backends.
pub fn rules() -> BTreeSet<(String, String)> {
    let plain = RULES.iter().map(|rule| (rule.at.join("."), rule.message.to_owned()));
    let of_component = ["traces", "metrics"].into_iter().flat_map(|signal| {
        let at = move |at: &[&str]| format!("spec.{signal}.components.*.{}", at.join("."));
        COMPONENT_RULES.iter().map(move |rule| (at(rule.at), rule.message.to_owned()))
    });
    plain.chain(of_component).collect()
}

/// The one rule at a place whose message contains some words.
fn rule(at: &str, words: &str) -> (String, String) {
    let found: Vec<_> =
        rules().into_iter().filter(|(place, message)| place == at && message.contains(words)).collect();
    let [rule] = found.as_slice() else { panic!("{} rules at {at} with {words}: {found:?}", found.len()) };
    rule.clone()
}

/// A rule about an object by itself: a base, the changes that pass, the changes that are refused.
fn create(at: &str, words: &str, base: &Value, passes: Edits, refused: Edits) -> Case {
    Case { rule: rule(at, words), before: None, passes: edited(base, passes), refused: edited(base, refused) }
}

/// A rule about a change: what is stored, the changes that pass, the changes that are refused.
fn update(at: &str, words: &str, before: &Value, passes: Edits, refused: Edits) -> Case {
    let (passes, refused) = (edited(before, passes), edited(before, refused));
    Case { rule: rule(at, words), before: Some(before.clone()), passes, refused }
}

/// The cases, on stacks of some backends.
pub fn cases(stack: impl Fn(&[&str]) -> Value) -> Vec<Case> {
    let single = stack(&[TEMPO_SINGLE]);
    let tempo = stack(&[TEMPO]);
    let both = stack(&[TEMPO, MIMIR]);
    let mut cases = of_names(&single);
    cases.extend(of_backends(&single, &tempo, &both));
    cases.extend(of_changes(&single, &both));
    cases.extend(of_alloy(&single, &both));
    for (signal, other) in [("traces", "metrics"), ("metrics", "traces")] {
        cases.extend(of_signal(&both, signal, other));
    }
    cases
}

fn of_names(single: &Value) -> Vec<Case> {
    let name = |text: &str| ("/metadata/name", Value::from(text));
    let format = |text: &str| ("/spec/grafana/datasources/nameFormat", Value::from(text));
    vec![
        create("", "40 characters", single, &[name(&"n".repeat(40))], &[name(&"n".repeat(41))]),
        create("", "a dot", single, &[name("a-b")], &[name("a.b")]),
        create(
            "spec.grafana.datasources",
            "nameFormat",
            single,
            &[format("{backend} in {env}")],
            &[format("{backend}")],
        ),
        create(
            "spec.grafana.datasources",
            "needs instanceSelector",
            single,
            &[(
                "/spec/grafana/datasources",
                json!({"provider": "GrafanaOperator", "instanceSelector": {"a": "b"}}),
            )],
            &[("/spec/grafana/datasources", json!({"provider": "GrafanaOperator"}))],
        ),
        create(
            "spec.grafana.dashboards",
            "no other provider takes an instanceSelector",
            single,
            &[("/spec/grafana/dashboards", json!({"provider": "SidecarConfigMap", "sidecarLabel": "a"}))],
            &[(
                "/spec/grafana/dashboards",
                json!({"provider": "SidecarConfigMap", "instanceSelector": {"a": "b"}}),
            )],
        ),
    ]
}

fn of_backends(single: &Value, tempo: &Value, both: &Value) -> Vec<Case> {
    let factor = |signal: &str, n: u32| (format!("/spec/{signal}/replicationFactor"), Value::from(n));
    let (two, three, mimir) = (factor("traces", 2), factor("traces", 3), factor("metrics", 3));
    let version = |text: &str| ("/spec/traces/chart/version", Value::from(text));
    let one = || json!({"replicas": 1});
    // To both, a block that is null is not there.
    let mut null = single.clone();
    null["spec"]["traces"] = Value::Null;
    vec![
        create("spec", "at least one backend", single, &[], &[("/spec/traces", Value::Null)]),
        Case { refused: null, ..create("spec", "at least one backend", single, &[], &[]) },
        create(
            "spec",
            "canary.signals",
            single,
            &[("/spec/canary", json!({"signals": ["Traces"]}))],
            &[("/spec/canary", json!({"signals": ["Traces", "Metrics"]}))],
        ),
        create(
            "spec",
            "releaseName and metrics.releaseName must differ",
            both,
            &[("/spec/traces/releaseName", "a".into()), ("/spec/metrics/releaseName", "b".into())],
            &[("/spec/traces/releaseName", "a".into()), ("/spec/metrics/releaseName", "a".into())],
        ),
        create(
            "spec",
            "metricsGenerator writes to the stack's Mimir",
            single,
            &[("/spec/traces/metricsGenerator", json!({"enabled": false}))],
            &[("/spec/traces/metricsGenerator", json!({}))],
        ),
        create(
            "spec.canary.interval",
            "15s to 1h",
            single,
            &[("/spec/canary", json!({"interval": "15s"}))],
            &[("/spec/canary", json!({"interval": "61m"}))],
        ),
        create(
            "spec.traces",
            "singleBinary belongs to mode",
            tempo,
            &[],
            &[("/spec/traces/components/singleBinary", one())],
        ),
        create("spec.traces", "replicationFactor", tempo, &[(&two.0, two.1)], &[(&three.0, three.1)]),
        create(
            "spec.metrics",
            "replicationFactor",
            both,
            &[(&mimir.0, mimir.1.clone()), ("/spec/metrics/components/ingester/replicas", 3.into())],
            &[(&mimir.0, mimir.1.clone())],
        ),
        create("spec.traces", "3.x", single, &[version("2.2.4")], &[version("3.3.0")]),
        create(
            "spec.traces.components",
            "unknown component",
            tempo,
            &[("/spec/traces/components/storeGateway", one())],
            &[("/spec/traces/components/ingestor", one())],
        ),
        create(
            "spec.metrics.components",
            "unknown component",
            both,
            &[("/spec/metrics/components/gateway", one())],
            &[("/spec/metrics/components/gatway", one())],
        ),
    ]
}

fn of_alloy(single: &Value, both: &Value) -> Vec<Case> {
    let at = |path: &str| format!("/spec/collectors/alloy/{path}");
    let config = |stack: &Value| edited(stack, &[(&at("mode"), "ConfigMapOnly".into())]);
    let managed = edited(both, &[(&at("mode"), "Managed".into())]);
    let (only, single) = (config(both), config(single));
    let limits = at("components/alloy/resources/limits");
    let signals = |of: &[&str]| (at("otlp/signals"), json!(of));
    let passes = |base: &Value, (pointer, value): (String, Value)| edited(base, &[(&pointer, value)]);
    let alloy = "spec.collectors.alloy";
    let case = |place: &str, words: &str, base: &Value, good: (String, Value), bad: (String, Value)| Case {
        rule: rule(place, words),
        before: None,
        passes: passes(base, good),
        refused: passes(base, bad),
    };
    let daemon = edited(&managed, &[(&at("kind"), "DaemonSet".into())]);
    let traces = || signals(&["Traces"]);
    let lone = edited(&only, &[("/spec/traces", Value::Null), (&traces().0, json!(["Metrics"]))]);
    vec![
        case(
            "spec",
            "collectors: CPU",
            &managed,
            (at("kind"), "Deployment".into()),
            (limits.clone(), json!({"cpu": 1})),
        ),
        case(
            "spec",
            "collectors: Alloy holds no data",
            &managed,
            (at("components/alloy/resources/requests"), json!({"memory": "1Gi"})),
            (limits, json!({"memory": "1Gi"})),
        ),
        case("spec", "signals has Traces", &lone, signals(&["Metrics"]), signals(&["Metrics", "Traces"])),
        case("spec", "signals has Metrics", &single, traces(), signals(&["Metrics"])),
        case(alloy, "belong to mode Managed", &only, traces(), (at("kind"), "Deployment".into())),
        case(
            alloy,
            "one pod a node",
            &daemon,
            (at("components/alloy/priorityClassName"), "high".into()),
            (at("components/alloy/replicas"), 2.into()),
        ),
        case(
            alloy,
            "12345",
            &managed,
            (at("otlp/grpcPort"), 12344.into()),
            (at("otlp/grpcPort"), 12345.into()),
        ),
        case(
            "spec.collectors.alloy.components",
            "unknown component",
            &managed,
            (at("components/alloy/replicas"), 2.into()),
            (at("components/agent"), json!({"replicas": 2})),
        ),
        case(
            "spec.collectors.alloy.components",
            "keeps no data",
            &managed,
            (at("components/alloy/replicas"), 2.into()),
            (at("components/alloy/storage"), json!({"size": "1Gi"})),
        ),
        case(
            "spec.collectors.alloy.otlp",
            "must differ",
            &only,
            (at("otlp/grpcPort"), 4319.into()),
            (at("otlp/grpcPort"), 4318.into()),
        ),
        case("spec.collectors.alloy.otlp", "Logs", &only, traces(), signals(&["Traces", "Logs"])),
    ]
}

/// What can never be changed. Something beside it can.
fn of_changes(single: &Value, both: &Value) -> Vec<Case> {
    let silent = edited(single, &[("/spec/traces/components", Value::Null)]);
    let immutable = |at: &str, before: &Value, after: &str| {
        let pointer = format!("/{}", at.replace('.', "/"));
        update(at, "immutable", before, &[("/spec/suspend", true.into())], &[(&pointer, after.into())])
    };
    let mut cases = vec![
        immutable("spec.environment", single, "prod"),
        immutable("spec.objectStorage.provider", single, "SeaweedFS"),
        immutable("spec.objectStorage.buckets.prefix", single, "other"),
        immutable("spec.traces.mode", &silent, "Distributed"),
    ];
    for bucket in [
        "traces.buckets.blocks",
        "metrics.buckets.blocks",
        "metrics.buckets.ruler",
        "metrics.buckets.alertmanager",
    ] {
        let at = format!("spec.{bucket}.name");
        let named = edited(both, &[(&format!("/{}", at.replace('.', "/")), "my-bucket".into())]);
        cases.push(immutable(&at, &named, "another-bucket"));
    }
    for signal in ["traces", "metrics"] {
        let at = format!("spec.{signal}.releaseName");
        let pointer = format!("/spec/{signal}/releaseName");
        let named = edited(both, &[(&pointer, "existing".into())]);
        cases.push(immutable(&at, &named, "another"));
        let still = [("/spec/suspend", true.into())];
        let (place, added) = (format!("spec.{signal}"), [(pointer.as_str(), "existing".into())]);
        cases.push(update(&place, "cannot be added or removed", both, &still, &added));
        let removed = [(pointer.as_str(), Value::Null)];
        cases.push(update(&place, "cannot be added or removed", &named, &still, &removed));
    }
    cases
}

/// The rules that stand on both backends.
fn of_signal(both: &Value, signal: &str, other: &str) -> Vec<Case> {
    let at = |path: &str| format!("/spec/{signal}/components/{path}");
    let component = |field: &str| format!("spec.{signal}.components.*.{field}");
    let gigabyte = || Value::from("1Gi");
    let retained = edited(both, &[("/spec/deletionPolicy", "Retain".into())]);
    let gone = format!("/spec/{signal}");
    let stores = edited(both, &[(&at("ingester/storage"), json!({"size": "2Gi", "className": "standard"}))]);
    vec![
        create(
            "spec",
            &format!("{signal}: CPU limits"),
            both,
            &[
                ("/spec/resourcePolicy/cpuLimits", "Allow".into()),
                (&at("querier/resources/limits/cpu"), 1.into()),
                (&at("ingester/resources/limits/cpu"), "1".into()),
            ],
            &[(&at("querier/resources/limits/cpu"), 1.into())],
        ),
        create(
            "spec",
            &format!("{signal}: memory limits are only"),
            both,
            &[(&at("ingester/resources/limits/memory"), "2Gi".into())],
            &[(&at("querier/resources/limits/memory"), gigabyte())],
        ),
        create(
            "spec",
            if signal == "traces" {
                "traces: ingester, storeGateway"
            } else {
                "metrics: ingester and storeGateway"
            },
            both,
            &[(&at("ingester/resources"), Value::Null)],
            &[(&at("ingester/resources/limits"), Value::Null)],
        ),
        update(
            "spec",
            &format!("removing {signal}"),
            &retained,
            &[(&format!("/spec/{other}/retention"), "24h".into())],
            &[(&gone, Value::Null)],
        ),
        create(
            &component("resources"),
            "limits.memory must be",
            both,
            &[(&at("ingester/resources/requests/memory"), gigabyte())],
            &[(&at("ingester/resources/requests/memory"), "1025Mi".into())],
        ),
        update(
            &component("storage"),
            "added or removed",
            &stores,
            &[(&at("ingester/storage/size"), "3Gi".into())],
            &[(&at("ingester/storage/className"), Value::Null)],
        ),
        update(
            &component("storage"),
            "type is immutable",
            &stores,
            &[(&at("ingester/storage/size"), "3Gi".into())],
            &[(&at("ingester/storage/type"), "EmptyDir".into())],
        ),
        update(
            &component("storage.size"),
            "never shrink",
            &stores,
            &[(&at("ingester/storage/size"), "2048Mi".into())],
            &[(&at("ingester/storage/size"), "2047Mi".into())],
        ),
        update(
            &component("storage.className"),
            "immutable",
            &stores,
            &[(&at("ingester/storage/size"), "3Gi".into())],
            &[(&at("ingester/storage/className"), "fast".into())],
        ),
    ]
}

/// What the schema refuses: where, what, and the field that the answer names.
pub fn schema_cases() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/spec/traces/chart/version", json!("^2.2.0"), "spec.traces.chart.version"),
        ("/spec/traces/chart/version", json!(">=2.2.4 <3"), "spec.traces.chart.version"),
        ("/spec/objectStorage/endpoint", json!("http://host:8333/path"), "spec.objectStorage.endpoint"),
        ("/spec/objectStorage/endpoint", json!("host:8333"), "spec.objectStorage.endpoint"),
        ("/spec/objectStorage/buckets/prefix", json!("Upper"), "spec.objectStorage.buckets.prefix"),
        ("/spec/environment", json!("no_underscores"), "spec.environment"),
        ("/spec/traces/components/querier/resources/requests/cpu", json!("lots"), "requests.cpu"),
        ("/spec/traces/components/querier/replicas", json!(-1), "replicas"),
        ("/spec/deletionPolicy", json!("DeleteAll"), "spec.deletionPolicy"),
        ("/spec/collectors/alloy", json!({"kind": "Deployment"}), "spec.collectors.alloy.mode"),
        (
            "/spec/collectors/alloy",
            json!({"mode": "ConfigMapOnly", "otlp": {"grpcPort": 80}}),
            "spec.collectors.alloy.otlp.grpcPort",
        ),
    ]
}
