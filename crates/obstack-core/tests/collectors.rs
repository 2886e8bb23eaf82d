//! Alloy as a part of a stack: what may be asked for, and what it comes to.

#![cfg(test)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::hand::{Hand, body};
use obstack_api::{AlloyKind, ComponentState, OtlpSignal, Reason, labels};
use obstack_core::{
    assemble::{Plan, PlannedComponent},
    backends::role::Class,
    design::design,
    diagnose,
    live::{Live, NodeFacts, PodFacts, WorkloadFacts},
    need::PodNeed,
    objects::Kind,
    resilience,
    validate::validate,
};
use serde_json::Value;

const CONFIG_ONLY: &str = "spec: {collectors: {alloy: {mode: ConfigMapOnly}}}";
const MANAGED: &str = "spec: {collectors: {alloy: {mode: Managed}}}";
const MAP: &str = "ConfigMap/ca7f8f-dev/dts-dev-alloy";
const DEPLOYMENT: &str = "Deployment/ca7f8f-dev/dts-dev-alloy";

fn alloy(part: &str) -> String {
    format!("spec: {{collectors: {{alloy: {{{part}}}}}}}")
}

/// The one fault of a stack with this Alloy: its field below `spec.collectors.alloy`, and words of its message.
fn refused(overlay: &str, field: &str, words: &str) {
    let stack = common::small_with(overlay);
    let faults = validate(&stack, &common::facts(&stack)).err().unwrap_or_default();
    let [fault] = faults.as_slice() else { panic!("{overlay}: {faults:#?}") };
    assert_eq!(fault.field, format!("spec.collectors.alloy.{field}"), "{fault}");
    assert_eq!(fault.reason, Reason::InvalidSpec);
    assert!(fault.message.contains(words), "`{words}` is not in: {}", fault.message);
}

#[test]
fn what_cannot_work_is_refused_with_its_field() {
    for (part, field, words) in [
        ("mode: ConfigMapOnly, kind: DaemonSet", "kind", "set mode: Managed"),
        ("mode: ConfigMapOnly, components: {alloy: {replicas: 2}}", "components", "set mode: Managed"),
        ("mode: ConfigMapOnly, chart: {version: 1.11.1}", "chart", "set mode: Managed"),
        ("mode: Managed, components: {agent: {replicas: 2}}", "components.agent", "known here is alloy"),
        ("mode: Managed, components: {alloy: {replicas: 0}}", "components.alloy.replicas", "ConfigMapOnly"),
        (
            "mode: Managed, components: {alloy: {storage: {size: 1Gi}}}",
            "components.alloy.storage",
            "keeps no data",
        ),
        (
            "mode: Managed, components: {alloy: {resources: {limits: {cpu: 1}}}}",
            "components.alloy.resources.limits.cpu",
            "CPU limits are forbidden",
        ),
        (
            "mode: Managed, components: {alloy: {resources: {limits: {memory: 1Gi}}}}",
            "components.alloy.resources.limits.memory",
            "only allowed on ingesters",
        ),
        (
            "mode: Managed, kind: DaemonSet, components: {alloy: {replicas: 2}}",
            "components.alloy.replicas",
            "one pod a node",
        ),
        ("mode: Managed, chart: {version: 0.0.1}", "chart", "is not bundled"),
        ("mode: Managed, otlp: {grpcPort: 12345}", "otlp.grpcPort", "Alloy's own"),
        ("mode: ConfigMapOnly, otlp: {httpPort: 80}", "otlp.httpPort", "from 1024"),
        ("mode: ConfigMapOnly, otlp: {grpcPort: 5000, httpPort: 5000}", "otlp.httpPort", "a port of its own"),
        ("mode: ConfigMapOnly, otlp: {signals: []}", "otlp.signals", "is empty"),
        ("mode: ConfigMapOnly, otlp: {signals: [Traces, Logs]}", "otlp.signals", "keeps no logs"),
    ] {
        if field == "chart" && part.contains("0.0.1") {
            let stack = common::small_with(&alloy(part));
            let faults = validate(&stack, &common::facts(&stack)).unwrap_err();
            assert_eq!(faults.first().map(|fault| fault.reason), Some(Reason::ChartUnknown), "{faults:?}");
            continue;
        }
        refused(&alloy(part), field, words);
    }
    let lone =
        "spec: {metrics: null, collectors: {alloy: {mode: ConfigMapOnly, otlp: {signals: [Metrics]}}}}";
    refused(lone, "otlp.signals", "add spec.metrics");
}

#[test]
fn signals_are_those_of_the_backends_when_the_spec_is_silent() {
    let signals = |overlay: &str| common::valid(&common::small_with(overlay)).alloy.unwrap().signals;
    assert_eq!(signals(CONFIG_ONLY), [OtlpSignal::Traces, OtlpSignal::Metrics]);
    let metrics = "spec: {traces: null, collectors: {alloy: {mode: ConfigMapOnly}}}";
    assert_eq!(signals(metrics), [OtlpSignal::Metrics]);
    let backwards = alloy("mode: ConfigMapOnly, otlp: {signals: [Metrics, Traces]}");
    assert_eq!(signals(&backwards), [OtlpSignal::Traces, OtlpSignal::Metrics]);
}

fn plan(overlay: &str) -> Plan {
    Hand::of(&common::small_with(overlay)).plan()
}

#[test]
fn config_map_only_adds_one_object_and_no_pod() {
    let (without, with) = (plan(""), plan(CONFIG_ONLY));
    assert_eq!(with.objects.len(), without.objects.len() + 1);
    assert_eq!(with.sums, without.sums);
    assert_eq!(with.components, without.components);
    let map = body(&with, MAP);
    assert_eq!(map.pointer("/metadata/ownerReferences/0/name"), Some(&"dts-dev".into()));
    assert_eq!(map["metadata"]["labels"][labels::STACK], "ca7f8f-dev.dts-dev");
    let keys: Vec<_> = map["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["config.alloy", "module.alloy"]);
}

#[test]
fn what_is_not_seen_is_said_to_be_unseen() {
    let report = |overlay: &str| design(&common::valid(&common::small_with(overlay))).report;
    let only = report(CONFIG_ONLY);
    let said = only.advisories.iter().find(|advice| advice.code == "AlloyNotManaged").unwrap();
    assert!(
        said.message.contains("dts-dev-alloy") && said.message.contains("does not see"),
        "{}",
        said.message
    );
    assert_eq!((only.endpoints.collector_otlp_grpc, only.endpoints.collector_otlp_http), (None, None));
    let managed = report(MANAGED);
    assert!(managed.advisories.iter().all(|advice| advice.code != "AlloyNotManaged"));
    assert_eq!(managed.endpoints.collector_otlp_grpc.as_deref(), Some("dts-dev-alloy.ca7f8f-dev.svc:4317"));
    assert_eq!(
        managed.endpoints.collector_otlp_http.as_deref(),
        Some("http://dts-dev-alloy.ca7f8f-dev.svc:4318")
    );
    assert!(managed.charts.iter().any(|chart| chart.name == "alloy" && chart.version == "1.11.1"));
}

#[test]
fn a_managed_alloy_is_a_component_that_is_counted() {
    let (without, with) = (plan(""), plan(&alloy("mode: Managed, components: {alloy: {replicas: 2}}")));
    assert_eq!(with.sums.pods, without.sums.pods + 2);
    let alloy = with.components.iter().find(|component| component.name == "collectors.alloy").unwrap();
    assert_eq!((alloy.desired, alloy.protected), (2, true));
    assert!(
        with.objects
            .iter()
            .any(|object| object.id.to_string() == "PodDisruptionBudget/ca7f8f-dev/dts-dev-alloy")
    );
    let container =
        body(&with, DEPLOYMENT).pointer("/spec/template/spec/containers/0/resources").unwrap().clone();
    assert_eq!(container, common::yaml("{requests: {cpu: 100m, memory: 512Mi}}"));
}

/// The annotation that rolls the pods.
fn config_hash(overlay: &str) -> String {
    let releases = design(&common::valid(&common::small_with(overlay))).design.releases;
    let values = &releases.iter().find(|release| release.name == "dts-dev-alloy").unwrap().values;
    values["controller"]["podAnnotations"][labels::CONFIG_HASH].as_str().unwrap().to_owned()
}

#[test]
fn a_changed_configuration_rolls_the_pods_and_nothing_else_does() {
    let as_it_is = config_hash(MANAGED);
    assert_eq!(config_hash(&alloy("mode: Managed, components: {alloy: {replicas: 3}}")), as_it_is);
    assert_ne!(config_hash(&alloy("mode: Managed, otlp: {grpcPort: 5317}")), as_it_is);
    assert_ne!(config_hash(&alloy("mode: Managed, otlp: {signals: [Traces]}")), as_it_is);
}

#[test]
fn the_collector_that_runs_once_is_named_where_its_loss_stops_writes() {
    let finding = |part: &str| {
        let overlay = alloy(part);
        let stack = common::valid(&common::small_with(&overlay));
        let plan = plan(&overlay);
        resilience::tolerance(&stack, &plan.components, &Live::default()).finding.message
    };
    assert!(finding("mode: Managed").contains("collectors.alloy (what is sent to the collector)"));
    assert!(!finding("mode: Managed, components: {alloy: {replicas: 2}}").contains("collectors.alloy"));
}

#[test]
fn a_daemon_set_is_one_pod_a_node() {
    let stack = common::valid(&common::small_with(&alloy("mode: Managed, kind: DaemonSet")));
    assert_eq!(stack.alloy.as_ref().unwrap().managed.as_ref().unwrap().kind, AlloyKind::DaemonSet);
    let mut hand = Hand::of(&common::small_with(&alloy("mode: Managed, kind: DaemonSet")));
    let rendered = hand.rendered.last_mut().unwrap().first_mut().unwrap();
    rendered["kind"] = "DaemonSet".into();
    rendered["spec"].as_object_mut().unwrap().remove("replicas");
    let plan = hand.plan();
    let daemon = body(&plan, "DaemonSet/ca7f8f-dev/dts-dev-alloy");
    assert_eq!(daemon.pointer("/spec/template/spec/nodeSelector"), None::<&Value>);
    assert!(
        !plan.objects.iter().any(|object| {
            object.id.kind == Kind::PodDisruptionBudget && object.id.name == "dts-dev-alloy"
        })
    );
    let daemon = plan.components.iter().find(|component| component.name == "collectors.alloy").unwrap();
    assert!(
        resilience::tolerance(&stack, std::slice::from_ref(daemon), &Live::default()).tolerates.is_empty()
    );
}

/// A planned `DaemonSet`.
fn daemon_set() -> PlannedComponent {
    PlannedComponent {
        name: "collectors.alloy".into(),
        workload: "DaemonSet/ca7f8f-dev/dts-dev-alloy".parse().unwrap(),
        desired: 1,
        image: "alloy:1".into(),
        protected: false,
        class: Class::default(),
        need: PodNeed::default(),
    }
}

/// Nodes of which so many answer and so many do not, and what the controller of the `DaemonSet` counts: nodes found,
/// pods there, updated and ready.
fn observed(answering: usize, silent: usize, counts: Option<[i32; 4]>) -> Live {
    let node = |index: usize| {
        (format!("node-{index}"), NodeFacts { ready: index < answering, ..NodeFacts::default() })
    };
    let nodes: BTreeMap<_, _> = (0..answering + silent).map(node).collect();
    let mut live = Live { nodes: Some(Arc::new(nodes)), ..Live::default() };
    if let Some([replicas, created, updated, ready]) = counts {
        let facts = WorkloadFacts {
            generation: 1,
            observed_generation: 1,
            replicas,
            created,
            updated,
            ready,
            ..WorkloadFacts::default()
        };
        live.workloads.insert(daemon_set().workload, facts);
        live.pods.extend((0..ready).map(|index| PodFacts {
            name: format!("dts-dev-alloy-{index}"),
            component: "collectors.alloy".into(),
            revision: "a".into(),
            ready: true,
            ..PodFacts::default()
        }));
    }
    live
}

#[test]
fn pods_of_a_daemon_set_follow_what_its_controller_found_then_the_nodes() {
    assert_eq!(daemon_set().desired_in(&Live::default()), 1, "nobody knows the nodes");
    assert_eq!(daemon_set().desired_in(&observed(2, 1, None)), 2);
    assert_eq!(daemon_set().desired_in(&observed(2, 1, Some([3, 0, 0, 0]))), 3);
    assert_eq!(daemon_set().desired_in(&observed(5, 0, Some([0, 0, 0, 0]))), 0, "no node is for it");
}

#[test]
fn i6_a_daemon_set_is_ready_when_every_node_that_it_is_for_has_its_pod() {
    let state = |counts: Option<[i32; 4]>| {
        let found = diagnose::of(&[daemon_set()], &observed(3, 0, counts), &[], 0);
        let [health] = found.as_slice() else { panic!("{found:?}") };
        (health.status.state, health.status.desired, health.available)
    };
    assert_eq!(state(Some([3, 3, 3, 3])), (ComponentState::Ready, 3, true));
    assert_eq!(
        state(Some([3, 3, 3, 2])),
        (ComponentState::Progressing, 3, true),
        "its rollout takes one at a time"
    );
    assert_eq!(state(Some([3, 3, 3, 1])), (ComponentState::Progressing, 3, false));
    assert_eq!(state(Some([3, 3, 2, 3])), (ComponentState::Progressing, 3, true), "an old pod is among them");
    assert_eq!(state(None), (ComponentState::Progressing, 3, false));
}
