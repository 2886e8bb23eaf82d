//! Leadership changes hands while stacks are being changed: by a leader that is told to stop, and by one that dies.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use obstack_e2e::{CLAIM, DEPLOYMENT, Flags, Operator, POD, TEMPO, World, edited, eventually, text};
use serde_json::{Value, json};

const STACKS: usize = 6;

/// Pods and claims that keep data, with their uids.
async fn keepers(world: &World) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for kind in [POD, CLAIM] {
        for one in world.cluster.list(kind, &world.namespace).await {
            let name = text(&one, "/metadata/name");
            if name.contains("-ingester-") {
                found.insert(format!("{} {name}", kind.name), text(&one, "/metadata/uid").to_owned());
            }
        }
    }
    found
}

async fn stands_by(operator: &Operator) {
    eventually("it stands by", async || {
        let (code, said) = operator.http("/readyz")?;
        if code == 200 && said.starts_with("standby: ") { Ok(()) } else { Err(format!("{code} {said}")) }
    })
    .await;
}

fn distributors(replicas: usize) -> Value {
    json!({"spec": {"traces": {"components": {"distributor": {"replicas": replicas}}}}})
}

#[tokio::test]
async fn i11_leaders_change_under_load_and_nothing_that_keeps_data_is_replaced() {
    World::run("hand-over", async |world| {
        let first = world.operator().await;
        let stack = |number: usize| {
            let name = format!("s{number}");
            edited(&world.stack(&name, &[TEMPO]), &[("/spec/environment", name.as_str().into())])
        };
        let stacks: Vec<Value> = (0..STACKS).map(stack).collect();
        for stack in &stacks {
            world.make(stack).await;
        }
        for stack in &stacks {
            world.ready(stack).await;
        }
        let before = keepers(world).await;
        assert!(before.len() >= 2 * STACKS, "{before:?}");
        let (second, third) = (world.spawn(&Flags::default()), world.spawn(&Flags::default()));
        for standby in [&second, &third] {
            stands_by(standby).await;
        }

        let done = AtomicBool::new(false);
        let load = async {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) {
                rounds += 1;
                for stack in &stacks {
                    world.change(text(stack, "/metadata/name"), distributors(1 + rounds % 3)).await;
                }
            }
            rounds
        };
        let hand_over = async {
            // It stops in the middle of its work, which goes on around it.
            let stopped = tokio::task::spawn_blocking(move || first.stop()).await.expect("it is told");
            assert_eq!(stopped, Some(0));
            let leads = async |operator: &Operator| matches!(operator.http("/readyz"), Ok((200, said)) if said.starts_with("working"));
            let (mut one, mut other) = (second, third);
            eventually("one of the others leads", async || {
                if leads(&one).await || leads(&other).await { Ok(()) } else { Err("nobody".to_owned()) }
            })
            .await;
            if leads(&other).await {
                std::mem::swap(&mut one, &mut other);
            }
            // It dies with the Lease in its hand.
            one.kill();
            other.working().await;
            done.store(true, Ordering::SeqCst);
            other
        };
        let (rounds, _last) = futures::join!(load, hand_over);
        println!("{rounds} rounds of {STACKS} changes meanwhile");
        for stack in &stacks {
            world.change(text(stack, "/metadata/name"), distributors(2)).await;
        }
        for stack in &stacks {
            world.ready(stack).await;
            let name = format!("{}-tempo-distributor", text(stack, "/metadata/name"));
            let deployment = world.cluster.get(DEPLOYMENT, &world.namespace, &name).await;
            assert_eq!(deployment["spec"]["replicas"], 2, "{name}");
        }
        assert_eq!(keepers(world).await, before);
    })
    .await;
}
