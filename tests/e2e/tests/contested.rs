//! Two managers that both want a field: the operator gives way more and more, and says who and what.

use std::time::{Duration, Instant};

use obstack_e2e::{CONFIG_MAP, EVENT, TEMPO_SINGLE, World, condition, eventually, text};
use serde_json::{Value, json};

/// How long the other manager fights.
const FIGHT: Duration = Duration::from_mins(1);
/// Repairs within it: three at once, then after 10 s and after 20 s more. The next one comes 40 s later.
const REPAIRS: usize = 5;

#[tokio::test]
async fn a_field_that_is_fought_over_is_put_back_less_and_less_often() {
    World::run("contested", async |world| {
        let operator = world.operator().await;
        let stack = world.stack("fight", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        world.settled().await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());
        let ours = world.cluster.list(CONFIG_MAP, namespace).await;
        let of_chart = |object: &&Value| text(object, "/metadata/name").contains("-tempo");
        let config = ours.iter().find(of_chart).expect("a ConfigMap of the chart").clone();
        let name = text(&config, "/metadata/name").to_owned();
        let key = config["data"].as_object().expect("data").keys().next().expect("a key").clone();

        let audit = world.audit.again();
        let (start, mut enemy) = (Instant::now(), 0);
        while start.elapsed() < FIGHT {
            enemy += 1;
            let theirs = json!({"data": {&key: format!("theirs {enemy}")}});
            cluster.merge(CONFIG_MAP, namespace, &name, "argocd-controller", theirs).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let patched = |request: &obstack_e2e::Request| request.verb == "patch" && request.name == name;
        let repairs = audit.writes().iter().filter(|request| patched(request)).count();
        assert!(repairs >= 4, "it does not give up: {repairs}");
        // One more where the first ones are late.
        assert!(repairs <= REPAIRS + 1, "{repairs} repairs against {enemy} writes");
        assert!(enemy > 20 * repairs, "{enemy} writes of the other manager against {repairs}");

        let now = world.until(&stack, "DriftFree", "False", "Contested").await;
        let said = text(condition(&now, "DriftFree").expect("current"), "/message").to_owned();
        for word in ["argocd-controller", "obstack", &name, &key, "data"] {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        world.until(&stack, "PlanApplied", "False", "Contested").await;
        eventually("the field is put back when its time has come", async || {
            let found = cluster.get(CONFIG_MAP, namespace, &name).await;
            if found["data"] == config["data"] { Ok(()) } else { Err(found["data"].to_string()) }
        })
        .await;
        world.until(&stack, "PlanApplied", "True", "Applied").await;
        world.ready(&stack).await;
        world.until(&stack, "DriftFree", "False", "Contested").await;
        let events = cluster.list(EVENT, namespace).await;
        let told = |event: &&Value| {
            text(event, "/reason") == "Drifted" && text(event, "/note").contains("by argocd-controller")
        };
        assert!(events.iter().any(|event| told(&event)), "{events:#?}");
        let counted = operator.metric("obstack_drift_repaired_total", "manager=\"argocd-controller\"");
        assert!(counted >= 4.0, "{counted}");
    })
    .await;
}
