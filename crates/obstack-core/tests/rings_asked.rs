//! Which pages of a stack's backends are asked, and that the charts have them.

#![cfg(test)]

mod common;

use common::helm::{Charts, helm, plan_of, upstream};
use obstack_core::{
    assemble::{Plan, PlannedObject},
    objects::Kind,
    rings::{self, Expected, RingToAsk},
};
use serde_json::{Value, json};

/// Component, Service, port and path of each page, and members or pods.
fn table(stack: &str) -> Vec<String> {
    let row = |asked: RingToAsk| {
        let expected = match &asked.expected {
            Expected::Ring { members, replication_factor, rule, heartbeat_timeout } => {
                let timeout =
                    heartbeat_timeout.map_or_else(|| "?".into(), |timeout| timeout.as_secs().to_string());
                format!("{members} rf {replication_factor} {rule:?} {timeout}")
            }
            Expected::Gossip(pods) => {
                let pods: Vec<_> =
                    pods.iter().map(|pods| format!("{} {}", pods.workload, pods.pods)).collect();
                pods.join(" ")
            }
        };
        assert_eq!(asked.namespace, "ca7f8f-dev");
        format!("{} {}:{}{} {}", asked.component, asked.service, asked.port, asked.path, expected)
    };
    rings::of(&common::valid(&common::small_with(stack))).into_iter().map(row).collect()
}

#[test]
fn every_ring_of_a_stack_is_asked_where_the_charts_have_it() {
    assert_eq!(
        table("spec: {metrics: null}"),
        ["traces.singleBinary dts-dev-tempo:3200/ingester/ring 1 rf 1 MajorityWithSubstitutes 300"]
    );
    assert_eq!(
        table(
            "spec: {metrics: null, traces: {mode: Distributed, replicationFactor: 2, components: {ingester: {replicas: 3}, compactor: {replicas: 1}}}}"
        ),
        [
            "traces.ingester dts-dev-tempo-distributor:3200/ingester/ring 3 rf 2 OneWithSubstitutes 300",
            "traces.compactor dts-dev-tempo-compactor:3200/compactor/ring 1 rf 1 Nothing 60",
            "traces.memberlist dts-dev-tempo-distributor:3200/memberlist dts-dev-tempo-distributor 1 dts-dev-tempo-ingester 3 dts-dev-tempo-querier 1 dts-dev-tempo-compactor 1",
        ]
    );
    assert_eq!(
        table(
            "spec: {traces: null, metrics: {components: {ingester: {replicas: 3}, storeGateway: {replicas: 2}, alertmanager: {replicas: 0}}}}"
        ),
        [
            "metrics.ingester dts-dev-mimir-distributor:8080/ingester/ring 3 rf 3 Majority 600",
            "metrics.compactor dts-dev-mimir-compactor:8080/compactor/ring 1 rf 1 Nothing 240",
            "metrics.memberlist dts-dev-mimir-distributor:8080/memberlist dts-dev-mimir-distributor 1 dts-dev-mimir-ingester 3 dts-dev-mimir-querier 1 dts-dev-mimir-compactor 1 dts-dev-mimir-store-gateway 2",
            "metrics.storeGateway dts-dev-mimir-store-gateway:8080/store-gateway/ring 2 rf 3 OneToRead 600",
        ]
    );
}

#[test]
fn a_timeout_or_factor_that_users_may_have_changed_is_not_taken_for_known() {
    let check = |values: &str, expect: &[&str]| {
        let rows = table(&format!("spec: {{traces: null, metrics: {{values: {values}}}}}"));
        for expect in expect {
            assert!(rows.iter().any(|row| row.contains(expect)), "{expect}: {rows:#?}");
        }
    };
    check("{ingester: {extraArgs: {ingester.ring.heartbeat-timeout: 5m}}}", &["1 rf 1 Majority ?"]);
    check(
        "{mimir: {structuredConfig: {compactor: {sharding_ring: {heartbeat_timeout: 1m}}}}}",
        &["Nothing ?"],
    );
    check(
        "{store_gateway: {extraArgs: {store-gateway.sharding-ring.replication-factor: 1}}}",
        &["rf 3 Nothing 600"],
    );
    check("{distributor: {podLabels: {a: b}}}", &["Majority 600", "OneToRead 600"]);
}

/// Everything that is asked, rendered: from each set of charts that is there, distributed and monolithic.
fn each_render(check: impl Fn(&str, &[RingToAsk], &Plan)) {
    let distributed = "spec: {traces: {mode: Distributed, components: {ingester: {replicas: 3}, compactor: {replicas: 2}}}, \
                       metrics: {components: {ingester: {replicas: 3}, ruler: {replicas: 1}}}}";
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        for version in ["6.1.0", "5.8.0"] {
            for overlay in [distributed, "spec: {}"] {
                let mut stack = common::small_with(overlay);
                stack.spec.metrics.as_mut().unwrap().chart.get_or_insert_default().version =
                    Some(version.into());
                let asked = rings::of(&common::valid(&stack));
                let (plan, _) = plan_of(&helm, &charts, stack);
                check(&format!("{charts:?} {version}"), &asked, &plan);
            }
        }
    }
}

fn body<'a>(plan: &'a Plan, kinds: &[Kind], name: &str) -> &'a Value {
    let is = |object: &&PlannedObject| kinds.contains(&object.id.kind) && object.id.name == name;
    &plan.objects.iter().find(is).unwrap_or_else(|| panic!("no {kinds:?} {name}")).body
}

#[test]
fn the_charts_render_every_service_that_is_asked_with_its_port() {
    each_render(|charts, asked, plan| {
        for page in asked {
            let ports = body(plan, &[Kind::Service], &page.service).pointer("/spec/ports").unwrap();
            let ports = ports.as_array().unwrap();
            assert!(ports.iter().any(|port| port["port"] == page.port), "{charts} {page:?}: {ports:?}");
        }
    });
}

/// Upstream says by a label which pods are in the gossip.
#[test]
fn the_charts_label_every_pod_that_gossips() {
    each_render(|charts, asked, plan| {
        for page in asked {
            let Expected::Gossip(gossipers) = &page.expected else { continue };
            for gossiper in gossipers {
                let workload = body(plan, &[Kind::Deployment, Kind::StatefulSet], &gossiper.workload);
                let label = workload.pointer("/spec/template/metadata/labels/app.kubernetes.io~1part-of");
                assert_eq!(label, Some(&json!("memberlist")), "{charts} {gossiper:?}");
            }
        }
    });
}

#[test]
fn the_charts_configure_the_heartbeat_timeouts_that_are_taken_for_known() {
    each_render(|charts, asked, plan| {
        let configuration = |key: &str| {
            let texts = plan
                .objects
                .iter()
                .filter_map(|object| object.body.pointer(&format!("/data/{key}"))?.as_str());
            common::yaml(&texts.collect::<String>())
        };
        let (mimir, tempo) = (configuration("mimir.yaml"), configuration("tempo.yaml"));
        assert!(!tempo.to_string().contains("heartbeat"), "{charts}: Tempo's own defaults hold");
        for page in asked {
            let at = match page.component.as_str() {
                "metrics.ingester" => "/ingester/ring",
                "metrics.compactor" => "/compactor/sharding_ring",
                "metrics.storeGateway" => "/store_gateway/sharding_ring",
                _ => continue,
            };
            let Expected::Ring { heartbeat_timeout: Some(timeout), .. } = page.expected else {
                panic!("{page:?}")
            };
            let set = &mimir.pointer(at).unwrap()["heartbeat_timeout"];
            assert_eq!(set, &json!(format!("{}m", timeout.as_secs() / 60)), "{charts} {at}");
        }
    });
}
