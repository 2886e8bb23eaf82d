use std::sync::{Arc, Mutex};

use super::*;
use crate::cluster::test_api::{Answer, api};

fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
    ManagedFieldsEntry {
        manager: Some(manager.into()),
        operation: Some(operation.into()),
        api_version: Some("apps/v1".into()),
        fields_type: Some("FieldsV1".into()),
        fields_v1: Some(FieldsV1(fields)),
        ..ManagedFieldsEntry::default()
    }
}

fn helm_entry() -> ManagedFieldsEntry {
    entry("helm", "Update", json!({"f:spec": {"f:replicas": {}, "f:template": {"f:limits": {"f:cpu": {}}}}}))
}

fn helm_names() -> Vec<String> {
    vec!["helm".into()]
}

#[test]
fn fields_of_helm_become_an_apply_of_the_operator() {
    let status =
        ManagedFieldsEntry { subresource: Some("status".into()), ..entry("helm", "Update", json!({})) };
    let other = entry("kube-controller-manager", "Update", json!({"f:metadata": {}}));
    let (entries, manager) =
        to_operator(&[other.clone(), helm_entry(), status.clone()], &helm_names()).unwrap();
    assert_eq!(manager, Manager::helm());
    let ours = ManagedFieldsEntry {
        manager: Some(labels::FIELD_MANAGER.into()),
        operation: Some("Apply".into()),
        ..helm_entry()
    };
    assert_eq!(entries, [ours, other, status]);
}

#[test]
fn fields_of_several_managers_and_of_the_operator_are_united() {
    let before = [
        entry(labels::FIELD_MANAGER, "Apply", json!({"f:spec": {"f:serviceName": {}}})),
        helm_entry(),
        entry("helm-controller", "Apply", json!({"f:spec": {"f:replicas": {}, "f:selector": {}}})),
        ManagedFieldsEntry {
            api_version: Some("apps/v1beta1".into()),
            ..entry("helm", "Update", json!({"f:old": {}}))
        },
    ];
    let (entries, _) = to_operator(&before, &["helm".into(), "helm-controller".into()]).unwrap();
    let wanted = json!({"f:spec": {
        "f:replicas": {}, "f:selector": {}, "f:serviceName": {}, "f:template": {"f:limits": {"f:cpu": {}}},
    }});
    assert_eq!(entries, [entry(labels::FIELD_MANAGER, "Apply", wanted)]);
}

#[test]
fn what_helm_never_wrote_stays_as_it_is() {
    let other = entry("kubectl", "Update", json!({"f:spec": {}}));
    assert_eq!(to_operator(std::slice::from_ref(&other), &helm_names()), None);
    assert_eq!(to_manager(&[other], &Manager::helm()), None);
}

#[test]
fn the_way_back_gives_helm_its_entry_again() {
    let before = [helm_entry()];
    let (over, manager) = to_operator(&before, &helm_names()).unwrap();
    let (back, _) = to_manager(&over, &manager).unwrap();
    assert_eq!(back, before);
}

fn live(version: u32) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {
            "name": "tempo", "namespace": "ns", "uid": "u", "resourceVersion": version.to_string(),
            "managedFields": [helm_entry()],
        },
    })
}

#[tokio::test]
async fn an_object_that_somebody_writes_meanwhile_is_read_again() {
    let patches: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&patches);
    let client = api(move |method, _, body| {
        let mut seen = seen.lock().unwrap();
        let version = u32::try_from(seen.len()).unwrap() + 1;
        match method {
            "PATCH" => {
                seen.push(body);
                if version == 1 { Answer::failure(409, "Conflict") } else { Answer::ok(live(9)) }
            }
            _ => Answer::ok(live(version)),
        }
    });
    let id = "StatefulSet/ns/tempo".parse().unwrap();
    assert_eq!(hand_over(&client, &id, &helm_names()).await.unwrap(), Handed::Over(Manager::helm()));
    let patches = patches.lock().unwrap();
    let versions: Vec<_> = patches.iter().map(|patch| patch["metadata"]["resourceVersion"].clone()).collect();
    assert_eq!(versions, ["1", "2"]);
    assert_eq!(patches[1]["metadata"]["managedFields"][0]["manager"], labels::FIELD_MANAGER);
    assert!(patches[1].get("spec").is_none());
}

#[tokio::test]
async fn an_object_that_is_gone_is_no_failure() {
    let client = api(|_, _, _| Answer::failure(404, "NotFound"));
    let id = "StatefulSet/ns/tempo".parse().unwrap();
    assert_eq!(hand_over(&client, &id, &helm_names()).await.unwrap(), Handed::Missing);
}
