//! The laws of the live view.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
use serde_json::json;

use super::*;

fn metadata(version: &str, fields: serde_json::Value, by: &str) -> ObjectMeta {
    let entry = |manager: &str, operation: &str, fields| ManagedFieldsEntry {
        manager: Some(manager.into()),
        operation: Some(operation.into()),
        fields_v1: Some(FieldsV1(fields)),
        ..ManagedFieldsEntry::default()
    };
    ObjectMeta {
        uid: Some("u".into()),
        resource_version: Some(version.into()),
        labels: Some([(labels::STACK.to_owned(), "ns.s".to_owned())].into()),
        managed_fields: Some(vec![
            entry(labels::FIELD_MANAGER, "Apply", fields),
            entry(by, "Update", json!({"f:status": {}})),
        ]),
        ..ObjectMeta::default()
    }
}

fn id() -> ObjectId {
    "Service/ns/a".parse().unwrap()
}

#[test]
fn i13_status_and_fields_of_others_are_no_drift() {
    let view = LiveView::default();
    assert!(view.fold_child(&id(), &metadata("1", json!({"f:spec": {"f:ports": {}}}), "kcm")));
    assert!(!view.fold_child(&id(), &metadata("2", json!({"f:spec": {"f:ports": {}}}), "hpa")));
    assert!(
        view.fold_child(&id(), &metadata("3", json!({"f:spec": {}}), "kubectl-edit")),
        "a field was taken from us"
    );
    assert_eq!(view.child(&id()).unwrap().other_manager.as_deref(), Some("kubectl-edit"));
}

#[test]
fn a_deleted_object_is_known_to_be_gone_as_long_as_its_stack_is_there() {
    let view = LiveView::default();
    let key = StackKey { namespace: "ns".into(), name: "s".into() };
    view.learn_stack(&key);
    assert_eq!(view.child(&id()), None, "not seen yet");
    view.fold_child(&id(), &metadata("1", json!({}), "x"));
    view.fold_deleted(&id(), 5);
    let child = view.child(&id()).unwrap();
    assert!(child.deleted && child.version == 5);
    view.forget_stack(&key);
    assert_eq!(view.child(&id()), None);
}

#[test]
fn a_look_at_one_stack_tells_nothing_of_its_neighbours() {
    let (view, own) = (LiveView::default(), StackKey { namespace: "ns".into(), name: "s".into() });
    let pod = |name: &str| PodFacts { name: name.into(), ..PodFacts::default() };
    view.fold_child(&id(), &metadata("1", json!({}), "x"));
    assert!(view.fold_workload(&id(), &WorkloadFacts::default()));
    assert!(view.fold_pod("ns", "ns.s", "1", pod("a")) && view.fold_pod("ns", "ns.s", "2", pod("b")));
    assert!(!view.fold_pod("ns", "ns.s", "1", pod("a")), "nothing changed");
    view.fold_pod("ns", "ns.other", "3", pod("c"));
    view.fold_pod("elsewhere", "ns.s", "4", pod("d"));
    let names = |live: Live| live.pods.into_iter().map(|pod| pod.name).collect::<Vec<_>>();
    assert_eq!(view.live(&own).workloads.len(), 1);
    assert_eq!(names(view.live(&own)), ["a", "b"]);
    view.fold_pod_deleted("ns", "a");
    view.fold_pod_relist(&|namespace, _| (namespace == "ns").then_some(false));
    view.fold_deleted(&id(), 2);
    assert!(view.live(&own).workloads.is_empty() && names(view.live(&own)).is_empty());
}

#[test]
fn a_version_is_seen_once_it_or_a_later_one_came() {
    let view = LiveView::default();
    assert!(!view.has_seen(&id(), 1));
    view.fold_child(&id(), &metadata("5", json!({}), "x"));
    assert!(view.has_seen(&id(), 5) && !view.has_seen(&id(), 6));
}

#[test]
fn a_name_is_kept_once() {
    let mut inner = Inner::default();
    let first = inner.shared("ns.s");
    for other in 0..100 {
        inner.shared(&format!("passing-{other}"));
    }
    assert!(Arc::ptr_eq(&first, &inner.shared("ns.s")));
    assert!(inner.names.len() < 20, "names that nothing has are dropped: {}", inner.names.len());
}

#[test]
fn a_replica_set_belongs_to_its_deployment_only() {
    assert!(names_controller("s-mimir-querier", "s-mimir-querier"));
    assert!(names_controller("s-mimir-query", "s-mimir-query-7f9c8d"));
    assert!(!names_controller("s-mimir-query", "s-mimir-query-frontend-7f9c8d"));
}
