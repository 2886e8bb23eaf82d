//! What kubelet says of containers that really fail: each cause is named in the words of the one that failed, and heals
//! when what caused it is taken back.

use std::time::Instant;

use obstack_e2e::{STACK, World, condition, edited, eventually, text};
use obstack_real::{SMALL, law, note, on_real_pods};
use serde_json::{Value, json};

#[tokio::test]
async fn what_fails_is_named_and_heals() {
    on_real_pods("failing", &[], async |world, install| {
        let stack = edited(&world.stack("small", &[SMALL]), &[("/spec/canary", json!({"enabled": false}))]);
        let began = Instant::now();
        world.make(&stack).await;
        world.ready(&stack).await;
        took("applied to Ready", began);

        let ingester = |memory: &str| {
            let resources = json!({"requests": {"memory": "8Mi"}, "limits": {"memory": memory}});
            json!({"components": {"ingester": {"resources": resources}}})
        };
        drill(world, &stack, "OOMKilled", "metrics.ingester", (ingester("12Mi"), ingester("1Gi")), "12Mi")
            .await;

        let nonsense = |value: Value| json!({"values": {"mimir": {"structuredConfig": {"nonsense": value}}}});
        let change = (nonsense(1.into()), nonsense(Value::Null));
        let words = "field nonsense not found";
        drill(world, &stack, "CrashLoop", "metrics.ingester", change, words).await;

        let image = json!({"patches": [{
            "target": {"kind": "StatefulSet", "name": "small-mimir-ingester"},
            "operations": [{
                "op": "replace",
                "path": "/spec/template/spec/containers/0/image",
                "value": "docker.io/grafana/mimir:no-such-tag",
            }],
        }]});
        let change = (image, json!({"patches": null}));
        drill(world, &stack, "ImagePullFailed", "metrics.ingester", change, "no-such-tag").await;
        law("i12 the shipped rights are enough", async { assert_eq!(install.refused(), []) }).await;
    })
    .await;
}

fn took(what: &str, began: Instant) {
    note("failing", what, &format!("{:.1} s", began.elapsed().as_secs_f32()));
}

/// Changes the metrics of the stack, waits until a component says why it fails, takes the change back, and waits until
/// the stack is ready.
async fn drill(
    world: &World,
    stack: &Value,
    reason: &str,
    component: &str,
    (change, back): (Value, Value),
    words: &str,
) {
    law(&format!("{reason} is named and heals"), async {
        let began = Instant::now();
        world.change("small", json!({"spec": {"metrics": change}})).await;
        let message = eventually(&format!("{component} is {reason}"), async || {
            let now = world.cluster.get(STACK, &world.namespace, "small").await;
            let components = now["status"]["components"].as_array().ok_or("no components")?;
            let own = components.iter().find(|one| one["name"] == component).ok_or("it is not there")?;
            if own["reason"] == reason {
                Ok(text(own, "/message").to_owned())
            } else {
                Err(format!("{own:#}"))
            }
        })
        .await;
        took(&format!("{reason}: named"), began);
        println!("{reason}: {message}");
        assert!(message.contains(words), "`{words}` is not in: {message}");
        let now = world.until(stack, "WorkloadsReady", "False", reason).await;
        let ready = condition(&now, "Ready").expect("current");
        assert_eq!(ready["status"], "False", "{ready:#}");
        let began = Instant::now();
        world.change("small", json!({"spec": {"metrics": back}})).await;
        world.ready(stack).await;
        took(&format!("{reason}: healed"), began);
    })
    .await;
}
