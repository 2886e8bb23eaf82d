//! The API server's own word on stacks: every admission rule passes one and refuses one, with its message. `obstack
//! validate` has to say the same of the same objects, without an API server.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use obstack_api::rules::{COMPONENT_RULES, RULES};
use obstack_e2e::{MIMIR, STACK, TEMPO, TEMPO_SINGLE, World, cli_binary, edited, stack, text};
use serde_json::{Value, json};

type Edits<'a> = &'a [(&'a str, Value)];

/// What one rule passes and refuses.
struct Case {
    /// Place of the rule in the schema, and its message.
    rule: (String, String),
    /// What is stored before, for a rule about changes.
    before: Option<Value>,
    passes: Value,
    refused: Value,
}

/// Every rule as place and message; those of components stand on both backends.
fn rules() -> BTreeSet<(String, String)> {
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
fn cases(stack: impl Fn(&[&str]) -> Value) -> Vec<Case> {
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

#[tokio::test]
async fn every_rule_passes_one_and_refuses_one() {
    World::run("rules", async |world| {
        let cases = cases(|backends| world.stack("a", backends));
        let covered: BTreeSet<_> = cases.iter().map(|case| case.rule.clone()).collect();
        assert_eq!(
            rules().difference(&covered).collect::<Vec<_>>(),
            Vec::<&(String, String)>::new(),
            "rules without a case"
        );
        for (number, case) in cases.iter().enumerate() {
            check(world, number, case).await;
        }
        println!("{} rules, {} cases", rules().len(), cases.len());
    })
    .await;
}

async fn check(world: &World, number: usize, case: &Case) {
    let (at, message) = &case.rule;
    let (passed, refused) = match &case.before {
        None => (
            world.cluster.create(STACK, &case.passes, true).await,
            world.cluster.create(STACK, &case.refused, true).await,
        ),
        Some(before) => {
            let name = [("/metadata/name", Value::from(format!("case-{number}")))];
            let stored = world.make_stored(&edited(before, &name)).await;
            let over = |object: &Value| edited(object, &[("/metadata", stored["metadata"].clone())]);
            let passed = world.cluster.replace(STACK, &over(&case.passes), true).await;
            (passed, world.cluster.replace(STACK, &over(&case.refused), true).await)
        }
    };
    if let Err(error) = passed {
        panic!("{at}: {message}: this should pass: {error}\n{:#}", case.passes["spec"]);
    }
    let Err(kube::Error::Api(status)) = refused else {
        panic!("{at}: {message}: this should be refused: {:#}", case.refused["spec"])
    };
    assert_eq!(status.code, 422, "{}", status.message);
    assert!(
        status.message.contains(message.as_str()),
        "{at}: `{message}` is not the answer: {}",
        status.message
    );
    let field = at.split(".*").next().unwrap_or_default();
    assert!(status.message.contains(field), "the answer names no {field}: {}", status.message);
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_its_path() {
    World::run("strict", async |world| {
        let typo = edited(&world.stack("typo", &[TEMPO_SINGLE]), &[("/spec/traces/componets", json!({}))]);
        let params = PatchParams {
            dry_run: true,
            field_manager: Some("e2e".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let typo: DynamicObject = serde_json::from_value(typo).expect("an object");
        let answer =
            world.cluster.api(STACK, &world.namespace).patch("typo", &params, &Patch::Apply(&typo)).await;
        let error = answer.expect_err("a typo is refused").to_string();
        assert!(error.contains("spec.traces.componets"), "{error}");
    })
    .await;
}

/// What the schema refuses: where, what, and the field that the answer names.
fn schema_cases() -> Vec<(&'static str, Value, &'static str)> {
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

#[tokio::test]
async fn what_the_schema_itself_refuses() {
    World::run("schema", async |world| {
        let base = world.stack("schema", &[TEMPO]);
        for (pointer, value, field) in schema_cases() {
            let Err(kube::Error::Api(status)) =
                world.cluster.create(STACK, &edited(&base, &[(pointer, value.clone())]), true).await
            else {
                panic!("{pointer}: {value} should be refused")
            };
            assert!(
                status.code == 422 && status.message.contains(field),
                "{pointer}: {value}: {}",
                status.message
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_fresh_stack_is_pending_and_loses_nothing() {
    World::run("fresh", async |world| {
        let store_gateway =
            json!({"replicas": 2, "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "1Gi"}}});
        let stack = edited(
            &world.stack("fresh", &[TEMPO]),
            &[("/spec/traces/components/storeGateway", store_gateway.clone())],
        );
        world.make(&stack).await;
        let now = world.cluster.get(STACK, &world.namespace, "fresh").await;
        let conditions =
            now["status"]["conditions"].as_array().expect("conditions before the operator has looked");
        let said: Vec<_> =
            conditions.iter().map(|c| (text(c, "/type"), text(c, "/status"), text(c, "/reason"))).collect();
        assert!(said.contains(&("Ready", "Unknown", "Pending")), "{said:?}");
        assert!(said.contains(&("Reconciling", "True", "Pending")), "{said:?}");
        assert_eq!(
            now["spec"]["traces"]["components"]["storeGateway"], store_gateway,
            "stored to be answered"
        );
        assert_eq!(now["spec"]["deletionPolicy"], "DeleteWorkloads");

        let _operator = world.operator().await;
        let now = world.ready(&stack).await;
        let components = now["status"]["components"].as_array().expect("components");
        let answer = components
            .iter()
            .find(|component| component["name"] == "traces.storeGateway")
            .expect("an answer");
        assert_eq!(answer["state"], "NotProvidedByBackend", "{answer}");
    })
    .await;
}

/// What `obstack validate` finds in an object, fields and messages: by schema and rules, and by the operator's checks
/// beyond them.
fn found(object: &Value, before: Option<&Value>) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(cli_binary());
    // A kubeconfig that leads nowhere: no cluster is asked.
    command.env_clear().env("KUBECONFIG", "/nowhere").args(["validate", "-f", "-", "-o", "json"]);
    if let Some(before) = before {
        let file = folder.path().join("old.json");
        std::fs::write(&file, before.to_string()).expect("the stored object");
        command.arg("--old").arg(file);
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("kubectl-obstack runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(object.to_string().as_bytes()).expect("kubectl-obstack reads");
    drop(input);
    let told = child.wait_with_output().expect("kubectl-obstack ends");
    let report: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|error| {
        panic!("no JSON: {error}: {}", String::from_utf8_lossy(&told.stderr));
    });
    let faults = report["stacks"][0]["faults"].as_array().expect("faults");
    let said = |fault: &Value| (text(fault, "/path").to_owned(), text(fault, "/message").to_owned());
    faults.iter().map(said).collect()
}

fn anywhere(backends: &[&str]) -> Value {
    stack("a", "anywhere", "http://s3:8333", "p", backends)
}

#[test]
fn validate_agrees_with_the_api_server_on_every_rule() {
    for Case { rule: (at, message), before, passes, refused } in cases(anywhere) {
        let faults = found(&passes, before.as_ref());
        assert!(faults.is_empty(), "{at}: {message}: this should pass: {faults:#?}\n{:#}", passes["spec"]);
        let faults = found(&refused, before.as_ref());
        let field = at.split(".*").next().unwrap_or_default();
        // One fault: what the operator would say of the same field is not said beside it.
        let [(path, said)] = faults.as_slice() else { panic!("{at}: {message}: {faults:#?}") };
        assert!(*said == message && path.starts_with(field), "{at}: {message}: {path}: {said}");
    }
}

#[tokio::test]
async fn validate_holds_a_change_against_what_the_server_stores() {
    World::run("validate", async |world| {
        let stored = world.stack("stored", &[TEMPO_SINGLE]);
        world.make_stored(&stored).await;
        let faults = |object: &Value| -> Vec<(String, String, String)> {
            let told = world.cli_with(&["validate", "-f", "-", "--server", "-o", "json"], object);
            let report = told.json();
            let faults = report["stacks"][0]["faults"].as_array().expect("faults");
            let field = |fault: &Value, name: &str| text(fault, name).to_owned();
            let all = faults
                .iter()
                .map(|fault| (field(fault, "/source"), field(fault, "/path"), field(fault, "/message")));
            // Whether the Secret exists is another matter.
            all.filter(|(_, path, _)| !path.contains("secretRef")).collect()
        };
        assert_eq!(faults(&edited(&stored, &[("/spec/suspend", true.into())])), []);
        let moved = faults(&edited(&stored, &[("/spec/environment", "prod".into())]));
        let [(source, path, message)] = moved.as_slice() else { panic!("{moved:#?}") };
        assert_eq!((source.as_str(), path.as_str()), ("Rule", "spec.environment"), "{message}");
        // Nothing is stored of a dry run.
        let now = world.cluster.get(STACK, &world.namespace, "stored").await;
        assert_eq!(now["spec"]["environment"], stored["spec"]["environment"]);
        assert!(now["spec"].get("suspend").is_none_or(|suspend| suspend == false), "{now:#}");
        let fresh = edited(&stored, &[("/metadata/name", "fresh".into()), ("/spec/traces", Value::Null)]);
        let refused = faults(&fresh);
        let [(source, ..)] = refused.as_slice() else { panic!("{refused:#?}") };
        assert_eq!(source, "Rule", "what the API server says too is said once");
        assert!(world.cluster.find(STACK, &world.namespace, "fresh").await.is_none());
    })
    .await;
}

#[test]
fn validate_agrees_with_the_api_server_on_the_schema() {
    let base = anywhere(&[TEMPO]);
    assert_eq!(found(&base, None), []);
    let typo = edited(&base, &[("/spec/traces/componets", json!({}))]);
    assert_eq!(found(&typo, None).first().map(|(path, _)| path.as_str()), Some("spec.traces.componets"));
    for (pointer, value, field) in schema_cases() {
        let faults = found(&edited(&base, &[(pointer, value.clone())]), None);
        assert!(faults.iter().any(|(path, _)| path.contains(field)), "{pointer}: {value}: {faults:#?}");
    }
}
