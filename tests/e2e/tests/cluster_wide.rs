//! The installation for a whole cluster, with its own rights. Alone in its process, because it watches every namespace.

use obstack_e2e::{Flags, NAMESPACE, STACK, TEMPO_SINGLE, World, edited, eventually};
use serde_json::json;

#[tokio::test]
async fn a_cluster_wide_operator_holds_a_stack_until_its_datasources_are_gone() {
    World::run("everywhere", async |world| {
        world.grant_everywhere().await;
        let operator = world.spawn(&Flags { everywhere: true, ..Flags::default() });
        operator.working().await;
        let datasources = json!({"provider": "SidecarConfigMap", "namespace": world.tools});
        let stack =
            edited(&world.stack("held", &[TEMPO_SINGLE]), &[("/spec/grafana/datasources", datasources)]);
        let gone = async || {
            eventually("the stack is gone", async || {
                let found = world.cluster.find(STACK, &world.namespace, "held").await;
                found.map_or(Ok(()), |found| Err(found["metadata"]["finalizers"].to_string()))
            })
            .await;
            world.no_datasources().await;
        };
        world.make(&stack).await;
        let now = world.ready(&stack).await;
        assert_eq!(now["metadata"]["finalizers"], json!(["obstack.dev/cleanup"]));
        world.cluster.delete(STACK, &world.namespace, "held").await;
        gone().await;

        // The same when its namespace goes, and when the operator was away meanwhile.
        world.make(&stack).await;
        world.ready(&stack).await;
        assert_eq!(operator.stop(), Some(0));
        world.cluster.delete(NAMESPACE, "", &world.namespace).await;
        let operator = world.spawn(&Flags { everywhere: true, ..Flags::default() });
        operator.working().await;
        gone().await;
        let forbidden = |code: u64| matches!(code, 401 | 403);
        let terminating = |name: &str| name.starts_with("held");
        let refused: Vec<_> = world
            .audit
            .requests()
            .into_iter()
            .filter(|request| forbidden(request.code) && !terminating(&request.name))
            .collect();
        assert!(refused.is_empty(), "I12: the shipped rights are enough: {refused:?}");
    })
    .await;
}
