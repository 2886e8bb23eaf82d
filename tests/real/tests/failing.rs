//! What kubelet says of containers that really fail: each cause is named in the words of the one that failed, and heals
//! when what caused it is taken back.

use std::time::Instant;

use obstack_e2e::{STACK, World, condition, edited, eventually, text};
use obstack_real::{SMALL, law, note, on_real_pods};
use serde_json::{Value, json};

/// A change of `spec.metrics` that fails.
struct Drill {
    reason: &'static str,
    /// The component that fails.
    component: &'static str,
    change: Value,
    /// Takes it back.
    back: Value,
    /// What the component's message holds.
    words: &'static str,
    /// Whether the stack goes on meanwhile.
    available: &'static str,
}

#[tokio::test]
async fn what_fails_is_named_and_heals() {
    on_real_pods("failing", &[], async |world, install| {
        let stack = edited(
            &world.stack("small", &[SMALL]),
            &[("/spec/environment", "small".into()), ("/spec/canary", json!({"enabled": false}))],
        );
        let began = Instant::now();
        world.make(&stack).await;
        world.ready(&stack).await;
        took("applied to Ready", began);
        for one in drills() {
            law(&format!("{} is named and heals", one.reason), drill(world, &stack, &one)).await;
        }
        law("i12 the shipped rights are enough", async { assert_eq!(install.refused(), []) }).await;
    })
    .await;
}

fn drills() -> [Drill; 3] {
    let memory = |limit: &str| {
        let resources = json!({"requests": {"memory": "8Mi"}, "limits": {"memory": limit}});
        json!({"components": {"ingester": {"resources": resources}}})
    };
    let nonsense = |value: Value| json!({"values": {"mimir": {"structuredConfig": {"nonsense": value}}}});
    let image = json!({"patches": [{
        "target": {"kind": "Deployment", "name": "small-mimir-querier"},
        "operations": [{
            "op": "replace",
            "path": "/spec/template/spec/containers/0/image",
            "value": "docker.io/grafana/mimir:no-such-tag",
        }],
    }]});
    [
        Drill {
            reason: "OOMKilled",
            component: "metrics.ingester",
            change: memory("12Mi"),
            back: memory("1Gi"),
            words: "12Mi",
            available: "False",
        },
        Drill {
            reason: "CrashLoop",
            component: "metrics.ingester",
            change: nonsense(1.into()),
            back: nonsense(Value::Null),
            words: "field nonsense not found in type mimir.Config",
            available: "False",
        },
        // A Deployment keeps its old pod: it goes on, and what the spec asks for is not in place.
        Drill {
            reason: "ImagePullFailed",
            component: "metrics.querier",
            change: image,
            back: json!({"patches": null}),
            words: "no-such-tag",
            available: "True",
        },
    ]
}

fn took(what: &str, began: Instant) {
    note("failing", what, &format!("{:.1} s", began.elapsed().as_secs_f32()));
}

/// Makes the change, waits until its component says why it fails, takes it back, and waits until the stack is ready.
async fn drill(world: &World, stack: &Value, drill: &Drill) {
    let Drill { reason, component, change, back, words, available } = drill;
    let began = Instant::now();
    world.change("small", json!({"spec": {"metrics": change}})).await;
    let message = eventually(&format!("{component} is {reason}"), async || {
        let now = world.cluster.get(STACK, &world.namespace, "small").await;
        let components = now["status"]["components"].as_array().ok_or("no components")?;
        let own = components.iter().find(|one| one["name"] == *component).ok_or("it is not there")?;
        if own["reason"] == *reason { Ok(text(own, "/message").to_owned()) } else { Err(format!("{own:#}")) }
    })
    .await;
    took(&format!("{reason}: named"), began);
    println!("{reason}: {message}");
    assert!(message.contains(words), "`{words}` is not in: {message}");
    let now = world.until(stack, "WorkloadsReady", "False", reason).await;
    for (type_, status) in [("Ready", "False"), ("Available", available)] {
        let said = condition(&now, type_).expect("current");
        assert_eq!(said["status"], *status, "{said:#}");
    }
    let began = Instant::now();
    world.change("small", json!({"spec": {"metrics": back}})).await;
    world.ready(stack).await;
    took(&format!("{reason}: healed"), began);
}
