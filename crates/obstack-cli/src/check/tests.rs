//! What is found in which manifest, and where.

use obstack_api::ChartSource;
use obstack_core::facts::{Cluster, Facts, SecretFacts};

use super::*;
use crate::input::Marks;

const BASE: &str = "apiVersion: obstack.dev/v1alpha1
kind: ObservabilityStack
metadata: {name: a, namespace: b}
spec:
  environment: dev
  objectStorage:
    provider: S3
    endpoint: http://s3:8333
    credentials: {secretRef: {name: s3}}
    buckets: {prefix: p}
  traces:
    mode: Distributed
    replicationFactor: 2
    components:
      ingester:
        replicas: 2
        resources:
          requests: {cpu: 10m, memory: 64Mi}
          limits: {memory: 1Gi}
      querier:
        replicas: 1
        resources:
          requests: {cpu: 10m, memory: 64Mi}
";

fn facts() -> Facts {
    let keys = vec!["AWS_ACCESS_KEY_ID".to_owned(), "AWS_SECRET_ACCESS_KEY".to_owned()];
    Facts {
        cluster: Cluster { version: "1.36.0".into(), minor: 36, openshift: false },
        default_chart_source: ChartSource::Upstream,
        secrets: [("s3".to_owned(), SecretFacts { keys, ..SecretFacts::default() })].into(),
        claimed_buckets: std::collections::BTreeMap::new(),
        claimed_names: std::collections::BTreeMap::new(),
    }
}

fn document(text: &str) -> (Value, Marks) {
    let source = crate::input::Source { file: "f.yaml".to_owned(), text: text.into() };
    let document = crate::input::split(&source).unwrap().remove(0);
    (document.value, document.marks)
}

/// Every fault with its line.
fn found(text: &str, stored: Option<&str>) -> Vec<(usize, Fault)> {
    let (value, marks) = document(text);
    let stored = stored.map(|stored| document(stored).0);
    let Admitted { mut faults, ruled } = checker().unwrap().admit(&value, stored.as_ref());
    if ruled && let Ok(stack) = serde_json::from_value(without_nulls(&value)) {
        hold_by_operator(&stack, &value, &facts(), &mut faults);
    }
    let line = |fault: &Fault| marks.nearest(&fault.path).map_or(0, |spot| spot.line);
    faults.into_iter().map(|fault| (line(&fault), fault)).collect()
}

/// One replacement in the base, and the faults: line, source, field, some words of message and fix.
type Case<'a> = (&'a str, &'a str, &'a [(usize, Source, &'a str, &'a str)]);

fn check(cases: &[Case]) {
    for (from, to, wanted) in cases {
        assert!(BASE.contains(from), "{from}");
        let text = BASE.replacen(from, to, 1);
        let found = found(&text, None);
        let said: Vec<_> = found
            .iter()
            .map(|(line, fault)| {
                let fix = fault.fix.as_deref().unwrap_or_default();
                (*line, fault.source, fault.path.to_string(), format!("{} | {fix}", fault.message))
            })
            .collect();
        let fits = said.len() == wanted.len()
            && said.iter().zip(*wanted).all(|(said, wanted)| {
                (said.0, said.1, said.2.as_str()) == (wanted.0, wanted.1, wanted.2)
                    && said.3.contains(wanted.3)
            });
        assert!(fits, "{to}: wanted {wanted:#?}\nfound {said:#?}");
    }
}

#[test]
fn a_valid_stack_has_no_fault() {
    check(&[("", "", &[]), ("replicas: 1", "nodeSelector: null", &[])]);
}

#[test]
fn the_schema_names_what_does_not_fit_and_what_would() {
    use Source::Schema;
    check(&[
        (
            "    components:",
            "    componets:",
            &[(14, Schema, "spec.traces.componets", "did you mean components?")],
        ),
        (
            "buckets: {prefix: p}",
            "buckets: {}",
            &[(10, Schema, "spec.objectStorage.buckets.prefix", "Required")],
        ),
        ("provider: S3", "provider: s3", &[(7, Schema, "spec.objectStorage.provider", "did you mean S3?")]),
        (
            "replicas: 1",
            "replicas: '1'",
            &[(21, Schema, "spec.traces.components.querier.replicas", "without quotes: 1")],
        ),
        (
            "replicas: 1",
            "replicas: 1001",
            &[(21, Schema, "spec.traces.components.querier.replicas", "at most 1000")],
        ),
        (
            "replicas: 1",
            "replicas: -1",
            &[(21, Schema, "spec.traces.components.querier.replicas", "at least 0")],
        ),
        ("environment: dev", "environment: 1", &[(5, Schema, "spec.environment", "quote it: \"1\"")]),
        ("environment: dev", "environment: no", &[(5, Schema, "spec.environment", "must be text, is false")]),
        ("name: a,", "", &[(3, Schema, "metadata.name", "Required")]),
        ("name: a,", "name: a, lables: {}, ", &[(3, Schema, "metadata.lables", "did you mean labels?")]),
        ("name: a,", "name: a, labels: {x: 1}, ", &[(3, Schema, "metadata.labels.x", "must be text")]),
        ("http://s3:8333", "s3:8333", &[(8, Schema, "spec.objectStorage.endpoint", "does not match")]),
        (
            "{cpu: 10m, memory: 64Mi}\n          limits",
            "{cpu: lots, memory: 64Mi}\n          limits",
            &[(18, Schema, "spec.traces.components.ingester.resources.requests.cpu", "200m, 1, 512Mi")],
        ),
        (
            "cpu: 10m",
            "cpu: 0.5",
            &[(18, Schema, "spec.traces.components.ingester.resources.requests.cpu", "quote it: \"0.5\"")],
        ),
        (
            "cpu: 10m",
            "cpu: true",
            &[(18, Schema, "spec.traces.components.ingester.resources.requests.cpu", "quantity")],
        ),
    ]);
}

#[test]
fn a_rule_is_told_at_the_field_that_it_refuses() {
    use Source::Rule;
    let ingester = "spec.traces.components.ingester";
    let at = |field: &str| format!("{ingester}.{field}");
    check(&[
        (
            "limits: {memory: 1Gi}",
            "limits: {memory: 1Gi, cpu: 1}",
            &[(19, Rule, &at("resources.limits.cpu"), "CPU limits")],
        ),
        (
            "          limits: {memory: 1Gi}\n",
            "",
            &[(17, Rule, &at("resources"), "need resources.limits.memory")],
        ),
        ("replicas: 2", "replicas: 1", &[(16, Rule, &at("replicas"), "must be >= replicationFactor")]),
        (
            "memory: 1Gi",
            "memory: 1",
            &[(19, Rule, &at("resources.limits.memory"), "limits.memory must be >=")],
        ),
        ("memory: 1Gi", "memory: 67108864", &[]),
        (
            "      querier:",
            "      queryer:",
            &[(20, Rule, "spec.traces.components.queryer", "did you mean querier?")],
        ),
        ("name: a,", "name: a.b,", &[(3, Rule, "metadata.name", "must not contain a dot")]),
        (
            "  environment: dev",
            "  environment: dev\n  canary: {signals: [Metrics]}",
            &[(6, Rule, "spec.canary.signals[0]", "canary.signals")],
        ),
        (
            "  environment: dev",
            "  environment: dev\n  grafana: {datasources: {provider: GrafanaOperator}}",
            &[(6, Rule, "spec.grafana.datasources.provider", "needs instanceSelector")],
        ),
    ]);
}

#[test]
fn a_block_that_is_null_is_not_there() {
    let (frame, _) = BASE.split_once("  traces:").unwrap();
    let found = found(&format!("{frame}  traces: ~\n"), None);
    let [(line, fault)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((*line, fault.source), (4, Source::Rule));
    assert!(fault.message.starts_with("at least one backend"), "{fault}");
}

#[test]
fn each_field_that_a_rule_refuses_is_told() {
    let text = BASE.replace(
        "requests: {cpu: 10m, memory: 64Mi}",
        "requests: {cpu: 10m}\n          limits: {cpu: 1, memory: 1Gi}",
    );
    let text = text.replacen("          limits: {memory: 1Gi}\n", "", 1);
    let found = found(&text, None);
    let said: Vec<_> = found.iter().map(|(line, fault)| (*line, fault.path.to_string())).collect();
    let at = |name: &str, field: &str| format!("spec.traces.components.{name}.resources.limits.{field}");
    let wanted = [(19, at("ingester", "cpu")), (24, at("querier", "cpu")), (24, at("querier", "memory"))];
    assert!(wanted.iter().all(|wanted| said.contains(wanted)) && said.len() == 3, "{said:#?}");
}

#[test]
fn the_operator_adds_what_no_rule_can_say() {
    use Source::Operator;
    check(&[
        ("replicas: 1", "replicas: 0", &[(21, Operator, "spec.traces.components.querier.replicas", "")]),
        (
            "mode: Distributed",
            "mode: Distributed\n    chart: {version: 2.26.99}",
            &[(13, Operator, "spec.traces.chart", "is not in the catalog")],
        ),
    ]);
}

#[test]
fn rules_about_changes_need_what_is_stored() {
    let changed = BASE.replace("environment: dev", "environment: prod");
    assert!(found(&changed, None).is_empty());
    let found = found(&changed, Some(BASE));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].1.message.starts_with("environment is immutable"), "{found:#?}");
    assert_eq!(found[0].0, 5);
}

#[test]
fn while_a_field_has_another_type_rules_are_not_held() {
    let (value, _) =
        document(&BASE.replace("replicas: 2", "replicas: two").replace("name: a,", "name: a.b,"));
    let admitted = checker().unwrap().admit(&value, None);
    assert!(!admitted.ruled && admitted.faults.len() == 1, "{admitted:#?}");
}

#[test]
fn a_rule_that_cannot_be_evaluated_is_no_pass() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-validations": [
            {"rule": "self.gone == 1", "message": "never said"},
            {"rule": "self.list.sortBy(x, x) == []", "message": "nor this"},
            {"rule": "1 +", "message": "nor this"},
            {"rule": "1", "message": "nor this"},
        ]}},
    });
    let faults = rules::hold(&schema, &serde_json::json!({"spec": {"list": [1]}}), None);
    assert_eq!(faults.len(), 4, "{faults:#?}");
    assert!(faults.iter().all(|fault| fault.reason == "RuleNotEvaluated"), "{faults:#?}");
}

#[test]
fn every_rule_can_be_evaluated_here() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples");
    for sample in ["dev", "test", "prod"] {
        let text = std::fs::read_to_string(samples.join(format!("{sample}.yaml"))).unwrap();
        let (value, _) = document(&text);
        let admitted = checker().unwrap().admit(&value, Some(&value));
        assert!(admitted.ruled && admitted.faults.is_empty(), "{sample}: {:#?}", admitted.faults);
    }
}
