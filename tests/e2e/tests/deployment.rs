//! The operator's own Deployment, as it ships: what the API server and our own policy say of it.

use obstack_core::need::PodNeed;
use obstack_e2e::{BUDGET, DEPLOYMENT, NAMESPACE, POD, World, edited, set, text};
use serde_json::{Value, json};

/// Deployment and budget of `deploy/operator`.
fn shipped() -> [Value; 2] {
    let file = include_str!("../../../deploy/operator/deployment.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(file).expect("the manifest is YAML");
    objects.try_into().expect("a Deployment and a PodDisruptionBudget")
}

#[test]
fn i7_the_operator_has_requests_and_no_limits() {
    let [deployment, _] = shipped();
    let need = PodNeed::of(&deployment);
    for container in &need.containers {
        assert!(container.limits.is_empty(), "{container:?}");
        assert!(container.requests.contains_key("cpu"), "{container:?}");
        assert!(container.requests.contains_key("memory"), "{container:?}");
    }
    assert_eq!(need.containers.len(), 1);
}

#[test]
fn the_budget_is_of_the_pods_of_the_deployment_and_lets_one_go() {
    let [deployment, budget] = shipped();
    assert_eq!(budget["spec"]["selector"], deployment["spec"]["selector"]);
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for (key, value) in deployment["spec"]["selector"]["matchLabels"].as_object().expect("labels") {
        assert_eq!(labels[key], *value);
    }
    assert!(deployment["spec"]["replicas"].as_i64() > budget["spec"]["maxUnavailable"].as_i64());
}

#[tokio::test]
async fn pod_security_restricted_admits_the_operator() {
    World::run("deployment", async |world| {
        let labels = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        world.cluster.merge(NAMESPACE, "", world.home(), "e2e", labels).await;
        let here = |object: &Value| edited(object, &[("/metadata/namespace", world.home().into())]);

        let [deployment, budget] = shipped().map(|object| here(&object));
        world
            .cluster
            .create(DEPLOYMENT, &deployment, true)
            .await
            .expect("the API server takes the Deployment");
        world.cluster.create(BUDGET, &budget, true).await.expect("the API server takes the budget");

        // A Deployment is never refused for its pods; a pod is.
        let mut pod = deployment["spec"]["template"].clone();
        for (pointer, value) in [("/apiVersion", "v1"), ("/kind", "Pod"), ("/metadata/name", "operator")] {
            set(&mut pod, pointer, value.into());
        }
        let pod = here(&pod);
        let made = world.cluster.create(POD, &pod, true).await.expect("the pod is admitted");
        assert_eq!(text(&made, "/spec/serviceAccountName"), "obstack");
        for (pointer, lax) in [
            ("/spec/securityContext/runAsNonRoot", json!(false)),
            ("/spec/securityContext/seccompProfile", Value::Null),
            ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
            ("/spec/containers/0/securityContext/capabilities", Value::Null),
        ] {
            let refused = world.cluster.create(POD, &edited(&pod, &[(pointer, lax)]), true).await;
            let refused = refused.expect_err(pointer).to_string();
            assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{pointer}: {refused}");
        }
    })
    .await;
}
