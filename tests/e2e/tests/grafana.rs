//! Datasources and dashboards in Grafana's namespace: made, put back, taken away, with a sidecar and with the
//! grafana-operator.

use obstack_e2e::{
    CONFIG_MAP, CRD, Flags, Kind, MIMIR, STACK, TEMPO_SINGLE, World, condition, edited, eventually, text,
};
use serde_json::{Value, json};

const DATASOURCE: Kind = Kind {
    group: "grafana.integreatly.org",
    version: "v1beta1",
    name: "GrafanaDatasource",
    plural: "grafanadatasources",
};
const DASHBOARD: Kind = Kind { name: "GrafanaDashboard", plural: "grafanadashboards", ..DATASOURCE };

fn with(stack: &Value, world: &World, provider: &Value) -> Value {
    let mut place = provider.clone();
    place["namespace"] = world.tools.as_str().into();
    edited(stack, &[("/spec/grafana", json!({"datasources": place, "dashboards": place}))])
}

/// Names of the stack's objects of a kind in Grafana's namespace.
async fn names(world: &World, kind: Kind, stack: &Value) -> Vec<String> {
    let prefix = format!("{}-{}-", text(stack, "/metadata/namespace"), text(stack, "/metadata/name"));
    let found = world.cluster.list(kind, &world.tools).await;
    let names = found.iter().map(|object| text(object, "/metadata/name").to_owned());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

async fn until_count(world: &World, kind: Kind, stack: &Value, count: usize) {
    eventually(&format!("{count} objects of kind {} are there", kind.name), async || {
        let found = names(world, kind, stack).await;
        if found.len() == count { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn dashboards_stand_where_grafanas_sidecar_finds_them_and_go_with_their_stack() {
    World::run("sidecar", async |world| {
        let _operator = world.operator().await;
        let plain = world.stack("shown", &[TEMPO_SINGLE, MIMIR]);
        let stack = with(&plain, world, &json!({"provider": "SidecarConfigMap"}));
        world.make(&stack).await;
        let now = world.ready(&stack).await;
        let all = names(world, CONFIG_MAP, &stack).await;
        let dashboards: Vec<_> = all.iter().filter(|name| name.contains("-dashboard-")).collect();
        assert_eq!(all.len(), dashboards.len() + 1, "the datasources are one object: {all:?}");
        let said = condition(&now, "DatasourcesReady").map(|found| text(found, "/message").to_owned());
        let count = format!("{} dashboards", dashboards.len());
        assert!(said.as_ref().is_some_and(|said| said.contains(&count)), "{said:?}");
        for name in &dashboards {
            let object = world.cluster.get(CONFIG_MAP, &world.tools, name).await;
            assert_eq!(object["metadata"]["labels"]["grafana_dashboard"], "1");
            let (file, model) =
                object["data"].as_object().and_then(|data| data.iter().next()).expect("a file");
            let model: Value = serde_json::from_str(model.as_str().expect("text")).expect("JSON");
            assert!(file.ends_with(".json") && model["uid"].is_string(), "{file}");
        }

        world.cluster.delete(CONFIG_MAP, &world.tools, dashboards[0]).await;
        until_count(world, CONFIG_MAP, &stack, all.len()).await;
        world.change("shown", json!({"spec": {"grafana": {"dashboards": null}}})).await;
        until_count(world, CONFIG_MAP, &stack, 1).await;
        world.change("shown", json!({"spec": {"grafana": stack["spec"]["grafana"]}})).await;
        until_count(world, CONFIG_MAP, &stack, all.len()).await;
        world.cluster.delete(STACK, &world.namespace, "shown").await;
        until_count(world, CONFIG_MAP, &stack, 0).await;
    })
    .await;
}

#[tokio::test]
async fn the_grafana_operator_gets_its_objects_once_its_api_is_served() {
    World::run("grafana-operator", async |world| {
        let operator = world.operator().await;
        let provider = json!({"provider": "GrafanaOperator", "instanceSelector": {"dashboards": "grafana"}});
        let stack = with(&world.stack("handed", &[TEMPO_SINGLE]), world, &provider);
        world.make(&stack).await;
        let now = world.until(&stack, "DatasourcesReady", "False", "GrafanaOperatorMissing").await;
        let said = condition(&now, "DatasourcesReady").map(|found| text(found, "/message").to_owned());
        assert!(said.as_ref().is_some_and(|said| said.contains("install the grafana-operator")), "{said:?}");
        world.until(&stack, "WorkloadsReady", "True", "AllReady").await;

        for kind in [DATASOURCE, DASHBOARD] {
            world.cluster.make(CRD, &definition(kind)).await;
        }
        world.ready(&stack).await;
        until_count(world, DATASOURCE, &stack, 1).await;
        let dashboards = names(world, DASHBOARD, &stack).await;
        assert!(!dashboards.is_empty());
        let object =
            world.cluster.get(DATASOURCE, &world.tools, &names(world, DATASOURCE, &stack).await[0]).await;
        assert_eq!(object["spec"]["instanceSelector"]["matchLabels"]["dashboards"], "grafana");
        assert_eq!(object["spec"]["datasource"]["type"], "tempo");

        // A process that starts when the API is served follows it from the beginning.
        assert_eq!(operator.stop(), Some(0));
        let operator = world.spawn(&Flags::default());
        operator.working().await;
        world.cluster.delete(DASHBOARD, &world.tools, &dashboards[0]).await;
        until_count(world, DASHBOARD, &stack, dashboards.len()).await;
        world.cluster.delete(STACK, &world.namespace, "handed").await;
        for kind in [DATASOURCE, DASHBOARD] {
            until_count(world, kind, &stack, 0).await;
            world.cluster.delete(CRD, "", &format!("{}.{}", kind.plural, kind.group)).await;
        }
        let refused = world.audit.refused();
        assert!(refused.is_empty(), "I12: the shipped rights are enough: {refused:?}");
    })
    .await;
}

/// A definition that takes anything, in place of the grafana-operator's.
fn definition(kind: Kind) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", kind.plural, kind.group)},
        "spec": {
            "group": kind.group, "scope": "Namespaced",
            "names": {"kind": kind.name, "plural": kind.plural, "singular": kind.name.to_lowercase()},
            "versions": [{
                "name": kind.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}
