//! What OpenShift asks of pods, and what it adds: an emulation of the SCC `restricted-v2` by the API server's own
//! admission, and Routes. Not OpenShift: no router and no SCC are here. The emulation has the SCC's rules on ids and
//! Pod Security `restricted` for the rest; like the SCC it gives pods the ids of their namespace's range.

use obstack_e2e::{
    CRD, Flags, Kind, MIMIR, NAMESPACE, POD, STACK, TEMPO, World, condition, edited, eventually,
    restricted_pod, text,
};
use serde_json::{Value, json};

const ROUTE: Kind = Kind { group: "route.openshift.io", version: "v1", name: "Route", plural: "routes" };

/// First id of the namespace's range, and how many there are, as OpenShift writes them on a namespace.
const RANGE: (i64, i64) = (1_000_620_000, 10_000);

/// The emulation, for one namespace.
async fn scc(world: &World) {
    let (first, count) = RANGE;
    let labels = json!({"metadata": {
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        "annotations": {"openshift.io/sa.scc.uid-range": format!("{first}/{count}")},
    }});
    world.cluster.merge(NAMESPACE, "", &world.namespace, "e2e", labels).await;
    let name = &world.namespace;
    // As the SCC does: the first id of the range where a pod says none.
    let given = format!(
        "Object{{spec: Object.spec{{securityContext: Object.spec.securityContext{{runAsUser: {first}, fsGroup: {first}}}}}}}"
    );
    let says_none = "!has(object.spec.securityContext) || !has(object.spec.securityContext.runAsUser) \
                     && !has(object.spec.securityContext.fsGroup)";
    world.change_pods(says_none, &given).await;
    let inside = |id: &str| format!("({id} >= {first} && {id} < {})", first + count);
    let pod = "object.spec.securityContext";
    let context = format!(
        "(!has({pod}.runAsUser) || {}) && (!has({pod}.fsGroup) || {}) && !has({pod}.supplementalGroups)",
        inside(&format!("{pod}.runAsUser")),
        inside(&format!("{pod}.fsGroup"))
    );
    let containers = format!(
        "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])).all(c, \
         !has(c.securityContext) || !has(c.securityContext.runAsUser) || {})",
        inside("c.securityContext.runAsUser")
    );
    let refused = "unable to validate against any security context constraint: ids of";
    let validations = json!([
        {"expression": context, "message": format!("{refused} the pod")},
        {"expression": containers, "message": format!("{refused} a container")},
    ]);
    world.refuse("CREATE", "pods", validations).await;
    eventually("ids outside of the range are refused, and none are given", async || {
        let refused = world.cluster.create(POD, &restricted_pod(name, Some(10_001)), true).await;
        let made = world.cluster.create(POD, &restricted_pod(name, None), true).await;
        match (refused, made) {
            (Err(refused), Ok(made)) if refused.to_string().contains("security context constraint") => {
                let user = &made["spec"]["securityContext"]["runAsUser"];
                if *user == json!(first) { Ok(()) } else { Err(format!("it runs as {user}")) }
            }
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_stack_for_openshift_keeps_to_restricted_v2_and_one_for_kubernetes_is_refused() {
    World::run("openshift", async |world| {
        let _operator = world.operator().await;
        scc(world).await;
        let alloy = json!({"alloy": {"mode": "Managed"}});
        let plain = edited(&world.stack("scc", &[TEMPO, MIMIR]), &[("/spec/collectors", alloy)]);
        let stack = edited(&plain, &[("/spec/platform", "OpenShift".into())]);
        world.make(&stack).await;
        let now = world.ready(&stack).await;
        assert_eq!(condition(&now, "PolicyCompliant").map(|found| text(found, "/status")), Some("True"));
        let pods = world.cluster.list(POD, &world.namespace).await;
        assert!(pods.len() > 12, "{}", pods.len());
        for pod in &pods {
            let context = &pod["spec"]["securityContext"];
            let given = (&context["runAsUser"], &context["fsGroup"]);
            assert_eq!(given, (&json!(RANGE.0), &json!(RANGE.0)), "{}", text(pod, "/metadata/name"));
        }

        // With ids of its own the same stack is refused, and the words of the refusal are told.
        world.change("scc", json!({"spec": {"platform": "Kubernetes"}})).await;
        let refused = world.until(&stack, "WorkloadsReady", "False", "SecurityPolicyDenied").await;
        let said = condition(&refused, "WorkloadsReady").map(|found| text(found, "/message").to_owned());
        assert!(said.as_ref().is_some_and(|said| said.contains("security context constraint")), "{said:?}");
        world.admit().await;
    })
    .await;
}

#[tokio::test]
async fn a_route_stands_while_it_is_wished_for_and_where_it_is_served() {
    World::run("route", async |world| {
        let operator = world.operator().await;
        let route = json!({"host": format!("{}.example.com", world.namespace), "allowFrom": ["10.0.0.0/8"]});
        let plain = edited(&world.stack("routed", &[MIMIR]), &[("/spec/platform", "OpenShift".into())]);
        let stack = edited(&plain, &[("/spec/metrics/route", route)]);
        world.make(&stack).await;
        let now = world.until(&stack, "PlanApplied", "False", "ApplyRejected").await;
        let said = condition(&now, "PlanApplied").map(|found| text(found, "/message").to_owned());
        assert!(
            said.as_ref().is_some_and(|said| said.contains("does not serve route.openshift.io")),
            "{said:?}"
        );

        world.cluster.make(CRD, &definition()).await;
        world.ready(&stack).await;
        let made = world.cluster.get(ROUTE, &world.namespace, "routed-mimir-query").await;
        assert_eq!(made["spec"]["path"], "/prometheus/api/v1");
        assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "ObservabilityStack");

        // A process that starts when the API is served follows it from the beginning.
        assert_eq!(operator.stop(), Some(0));
        let operator = world.spawn(&Flags::default());
        operator.working().await;
        world.cluster.delete(ROUTE, &world.namespace, "routed-mimir-query").await;
        eventually("the Route is made again", async || {
            let found = world.cluster.find(ROUTE, &world.namespace, "routed-mimir-query").await;
            found.map(|_| ()).ok_or_else(|| "it is gone".to_owned())
        })
        .await;
        world.change("routed", json!({"spec": {"metrics": {"route": null}}})).await;
        eventually("the Route is gone", async || {
            match world.cluster.find(ROUTE, &world.namespace, "routed-mimir-query").await {
                None => Ok(()),
                Some(_) => Err("it is there".to_owned()),
            }
        })
        .await;
        world.cluster.delete(STACK, &world.namespace, "routed").await;
        world.cluster.delete(CRD, "", "routes.route.openshift.io").await;
    })
    .await;
}

/// A definition that takes anything, in place of OpenShift's own API.
fn definition() -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "routes.route.openshift.io"},
        "spec": {
            "group": ROUTE.group, "scope": "Namespaced",
            "names": {"kind": ROUTE.name, "plural": ROUTE.plural, "singular": "route"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}
