//! The object store: each fault has its own reason, makes nothing, and heals when what causes it is mended.

use std::{net::TcpListener, time::Duration};

use obstack_e2e::{Door, Flags, Keys, STACK, TEMPO_SINGLE, World, condition, edited, eventually, set, text};
use serde_json::{Value, json};

/// A stack with an environment, and so with a bucket and a Secret, of its own.
fn own(world: &World, name: &str) -> Value {
    edited(
        &world.stack(name, &[TEMPO_SINGLE]),
        &[
            ("/spec/environment", name.into()),
            ("/spec/objectStorage/credentials/secretRef/name", format!("s3-{name}").into()),
        ],
    )
}

/// Waits for a fault of the buckets, and sees that nothing was made for the stack.
async fn faulty(world: &World, stack: &Value, reason: &str, words: &[&str]) {
    let now = world.until(stack, "StorageReady", "False", reason).await;
    let message = text(condition(&now, "StorageReady").expect("current"), "/message").to_owned();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    let ready = condition(&now, "Ready").expect("current");
    assert_eq!(
        (text(ready, "/status"), text(ready, "/reason"), text(ready, "/message")),
        ("False", "StorageNotReady", &*message)
    );
    untouched(world, stack).await;
}

async fn untouched(world: &World, stack: &Value) {
    let name = text(stack, "/metadata/name");
    let of_stack = |id: &&String| !id.starts_with("Secret/") && id.contains(&format!("/{name}-"));
    let made: Vec<_> = world.snapshot().await.keys().filter(of_stack).cloned().collect();
    assert!(made.is_empty(), "nothing is made before the buckets are ready: {made:?}");
}

#[tokio::test]
async fn credentials_that_are_refused_heal_with_the_secret() {
    World::run("keys", async |world| {
        let _operator = world.operator().await;
        let (good, s3) = (world.keys(), &world.sandbox.s3);
        let keys = |access: &str, secret: &str| Keys { access: access.to_owned(), secret: secret.to_owned() };
        let cases = [
            ("wrong", keys(&good.access, "not-the-secret-key"), "SignatureRejected"),
            ("unknown", keys("NOBODYKNOWSME", &good.secret), "AccessKeyRejected"),
            ("reader", keys(&s3.read_only_access_key, &s3.read_only_secret_key), "AccessDenied"),
        ];
        for (name, keys, _) in &cases {
            world.put_keys(&world.namespace, &format!("s3-{name}"), keys).await;
            world.make(&own(world, name)).await;
        }
        for (name, _, reason) in &cases {
            faulty(world, &own(world, name), reason, &[s3.endpoint.as_str()]).await;
        }
        assert!(world.s3.buckets(&world.prefix).await.is_empty());
        let stalled = world.until(&own(world, "wrong"), "Stalled", "True", "SignatureRejected").await;
        assert_eq!(condition(&stalled, "Reconciling").expect("current")["status"], "False");
        for (name, _, _) in &cases {
            world.put_keys(&world.namespace, &format!("s3-{name}"), &good).await;
        }
        for (name, _, _) in &cases {
            world.ready(&own(world, name)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_may_not_be_made_or_taken_is_a_condition() {
    World::run("buckets", async |world| {
        let _operator = world.operator().await;
        for name in ["missing", "there"] {
            world.put_keys(&world.namespace, &format!("s3-{name}"), &world.keys()).await;
        }
        let missing = edited(&own(world, "missing"), &[("/spec/objectStorage/buckets/create", false.into())]);
        world.make(&missing).await;
        let bucket = format!("{}-traces-missing-blocks", world.prefix);
        faulty(world, &missing, "NoSuchBucket", &[&bucket]).await;

        let bucket_there = format!("{}-traces-there-blocks", world.prefix);
        world.s3.make_bucket(&bucket_there).await;
        world.s3.put(&bucket_there, "somebody/elses", b"data").await;
        let there =
            edited(&own(world, "there"), &[("/spec/objectStorage/buckets/adoptExisting", false.into())]);
        world.make(&there).await;
        faulty(world, &there, "BucketExists", &[&bucket_there]).await;

        world.s3.make_bucket(&bucket).await;
        world.ready(&missing).await;
        world.change("there", json!({"spec": {"objectStorage": {"buckets": {"adoptExisting": true}}}})).await;
        world.ready(&there).await;
        assert!(
            world.s3.keys(&bucket_there).await.contains(&"somebody/elses".to_owned()),
            "I4: nothing is deleted"
        );
    })
    .await;
}

#[tokio::test]
async fn of_two_stacks_with_one_bucket_the_older_keeps_it() {
    World::run("claims", async |world| {
        let _operator = world.operator().await;
        let older = world.stack("older", &[TEMPO_SINGLE]);
        world.make(&older).await;
        world.ready(&older).await;
        // Of two stacks made in the same second neither is the older one.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let younger = world.stack("younger", &[TEMPO_SINGLE]);
        world.make(&younger).await;
        let now = world.until(&younger, "SpecValid", "False", "BucketConflict").await;
        let message = text(condition(&now, "SpecValid").expect("current"), "/message");
        assert!(message.contains(&format!("{}/older", world.namespace)), "{message}");
        assert!(message.contains(&format!("{}-traces-e2e-blocks", world.prefix)), "{message}");
        untouched(world, &younger).await;
        world.ready(&older).await;

        // The claim in the bucket outlives the stack, and so does the data.
        world.cluster.delete(STACK, &world.namespace, "older").await;
        faulty(world, &younger, "BucketOwnedByOther", &[&format!("{}/older", world.namespace)]).await;
        let own =
            json!({"spec": {"traces": {"buckets": {"blocks": {"name": format!("{}-mine", world.prefix)}}}}});
        world.change("younger", own).await;
        world.ready(&younger).await;
        world.make(&older).await;
        world.ready(&older).await;
    })
    .await;
}

#[tokio::test]
async fn an_object_store_that_goes_away_and_comes_back() {
    World::run("door", async |world| {
        let flags = Flags { more: vec!["--probe-interval".into(), "2".into()], ..Flags::default() };
        let operator = world.spawn(&flags);
        operator.working().await;
        let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut stack = world.stack("door", &[TEMPO_SINGLE]);
        set(&mut stack, "/spec/objectStorage/endpoint", format!("http://{closed}").into());
        world.make(&stack).await;
        faulty(world, &stack, "EndpointUnreachable", &[&closed.to_string()]).await;

        let door = Door::to(&world.sandbox.s3.endpoint);
        door.set_open(false);
        let endpoint = door.endpoint();
        world.change("door", json!({"spec": {"objectStorage": {"endpoint": endpoint}}})).await;
        faulty(world, &stack, "EndpointUnreachable", &[&endpoint]).await;
        door.set_open(true);
        world.ready(&stack).await;
        let before = world.settled().await;

        door.set_open(false);
        let now = world.until(&stack, "StorageReady", "False", "EndpointUnreachable").await;
        assert_eq!(condition(&now, "Ready").expect("current")["status"], "False", "I6");
        assert_eq!(condition(&now, "Available").expect("current")["status"], "True", "the pods run on");
        // Repairs do not wait for the object store.
        world.cluster.delete(obstack_e2e::SERVICE, &world.namespace, "door-tempo").await;
        eventually("the Service is back", async || {
            let found = world.cluster.find(obstack_e2e::SERVICE, &world.namespace, "door-tempo").await;
            found.map(|_| ()).ok_or_else(|| "it is gone".to_owned())
        })
        .await;
        door.set_open(true);
        world.ready(&stack).await;
        let names = |snapshot: &obstack_e2e::Snapshot| snapshot.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&world.snapshot().await), names(&before), "nothing came and nothing went");
    })
    .await;
}
