//! A stack's life: a Secret that comes late, faults in the spec, suspend, less than before, the end.

use std::{collections::BTreeSet, time::Duration};

use obstack_e2e::{
    CONFIG_MAP, DEPLOYMENT, MIMIR, NAMESPACE, POD, ROLE_BINDING, SECRET, SERVICE, STACK, STATEFUL_SET,
    Snapshot, TEMPO, TEMPO_SINGLE, World, condition, edited, eventually, holds_for, set, text,
};
use serde_json::{Value, json};

fn names(snapshot: &Snapshot) -> BTreeSet<&str> {
    snapshot.keys().map(String::as_str).collect()
}

/// What stands before the operator makes anything: the Secret of the test.
fn made(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.keys().map(String::as_str).filter(|id| !id.starts_with("Secret/")).collect()
}

#[tokio::test]
async fn a_missing_secret_is_named_and_heard_of_when_it_comes() {
    World::run("secret", async |world| {
        let _operator = world.operator().await;
        let stack = edited(
            &world.stack("late", &[TEMPO_SINGLE]),
            &[(
                "/spec/objectStorage/credentials/secretRef",
                json!({"name": "late", "secretKeyField": "key"}),
            )],
        );
        world.make(&stack).await;
        let now = world.until(&stack, "SpecValid", "False", "SecretMissing").await;
        let message = text(condition(&now, "SpecValid").expect("current"), "/message");
        assert!(message.contains("Secret late") && message.contains("AWS_ACCESS_KEY_ID"), "{message}");
        assert_eq!(condition(&now, "Stalled").expect("current")["status"], "True");

        let keys = world.keys();
        let metadata = json!({"name": "late", "namespace": world.namespace});
        let data = json!({"AWS_ACCESS_KEY_ID": keys.access, "key": ""});
        world.cluster.make(SECRET, &json!({"metadata": metadata, "stringData": data})).await;
        let now = world.until(&stack, "SpecValid", "False", "SecretKeyMissing").await;
        let message = text(condition(&now, "SpecValid").expect("current"), "/message");
        assert!(message.contains("Secret late has no key key, or it is empty"), "{message}");
        assert_eq!(made(&world.snapshot().await), Vec::<&str>::new(), "nothing was made");
        assert!(world.s3.buckets(&world.prefix).await.is_empty(), "no bucket was made");

        let patch = json!({"stringData": {"key": keys.secret}});
        world.cluster.merge(SECRET, &world.namespace, "late", "e2e", patch).await;
        world.ready(&stack).await;
    })
    .await;
}

#[tokio::test]
async fn i8_an_invalid_spec_changes_nothing_but_the_status() {
    World::run("invalid", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("invalid", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.settled().await;
        let audit = world.audit.again();
        // The fault is of the kind that only the operator sees; with it comes a change that must not be made.
        let patch = json!({"spec": {
            "objectStorage": {"credentials": {"secretRef": {"name": "nowhere"}}},
            "traces": {"components": {"distributor": {"replicas": 3}}},
        }});
        world.change("invalid", patch).await;
        let now = world.until(&stack, "Ready", "False", "InvalidSpec").await;
        assert_eq!(condition(&now, "SpecValid").expect("current")["reason"], "SecretMissing");
        assert_eq!(
            condition(&now, "Available").expect("current")["status"],
            "True",
            "what runs goes on serving"
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(world.snapshot().await, before);
        let mut written: Vec<_> = audit.writes().into_iter().map(|request| request.resource).collect();
        written.retain(|resource| resource != "events" && resource != "observabilitystacks/status");
        assert_eq!(written, Vec::<String>::new());

        let patch = json!({"spec": {"objectStorage": {"credentials": {"secretRef": {"name": "s3"}}}}});
        world.change("invalid", patch).await;
        world.ready(&stack).await;
        let distributor = world.cluster.get(DEPLOYMENT, &world.namespace, "invalid-tempo-distributor").await;
        assert_eq!(distributor["spec"]["replicas"], 3, "the change is made once the spec is valid");
    })
    .await;
}

#[tokio::test]
async fn a_suspended_stack_is_left_alone_until_it_is_not() {
    World::run("suspend", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("paused", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        world.change("paused", json!({"spec": {"suspend": true}})).await;
        world.until(&stack, "Ready", "False", "Suspended").await;
        world.cluster.delete(SERVICE, &world.namespace, "paused-tempo").await;
        let audit = world.audit.again();
        holds_for(Duration::from_secs(3), "the Service stays deleted", async || {
            match world.cluster.find(SERVICE, &world.namespace, "paused-tempo").await {
                None => Ok(()),
                Some(_) => Err("it is back".to_owned()),
            }
        })
        .await;
        assert_eq!(audit.writes(), [], "nothing is written while suspended");
        world.change("paused", json!({"spec": {"suspend": false}})).await;
        world.ready(&stack).await;
        world.cluster.get(SERVICE, &world.namespace, "paused-tempo").await;
    })
    .await;
}

#[tokio::test]
async fn i5_what_is_taken_out_of_the_spec_is_pruned_and_data_stays() {
    World::run("prune", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("prune", &[TEMPO_SINGLE, MIMIR]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let buckets = world.s3.buckets(&world.prefix).await;
        assert_eq!(buckets.len(), 4);
        let full = world.snapshot().await;
        let claims = |snapshot: &Snapshot| -> Vec<(String, String)> {
            let of = snapshot.iter().filter(|(id, _)| id.starts_with("PersistentVolumeClaim/"));
            of.map(|(id, (uid, _))| (id.clone(), uid.clone())).collect()
        };
        assert_eq!(claims(&full).len(), 4, "{:?}", claims(&full));

        let foreign = json!({"metadata": {"name": "prune-mimir-foreign", "namespace": world.namespace}, "data": {"a": "b"}});
        world.cluster.make(CONFIG_MAP, &foreign).await;
        world.change("prune", json!({"spec": {"metrics": {"components": {"ruler": {"replicas": 0}}}}})).await;
        world.ready(&stack).await;
        let less = world.snapshot().await;
        let gone: Vec<_> = names(&full).difference(&names(&less)).map(|id| (*id).to_owned()).collect();
        assert!(gone.iter().any(|id| id.starts_with("Deployment/") && id.ends_with("-mimir-ruler")), "{gone:?}");
        assert!(gone.iter().all(|id| id.contains("-mimir-ruler")), "only the ruler's: {gone:?}");

        world.change("prune", json!({"spec": {"metrics": null}})).await;
        world.ready(&stack).await;
        let tempo = world.snapshot().await;
        let mimir: Vec<_> = names(&tempo).into_iter().filter(|id| id.contains("/prune-mimir")).map(str::to_owned).collect();
        assert_eq!(mimir, [format!("ConfigMap/{}/prune-mimir-foreign", world.namespace)], "mimir is gone but for what is not ours");
        assert_eq!(claims(&tempo), claims(&full), "the claims stay, the same ones");
        assert_eq!(world.s3.buckets(&world.prefix).await, buckets, "the buckets stay");
        let uid = |snapshot: &Snapshot| snapshot.get(&format!("StatefulSet/{}/prune-tempo", world.namespace)).map(|at| at.0.clone());
        assert_eq!(uid(&tempo), uid(&full), "the other backend was not made anew");
    })
    .await;
}

#[tokio::test]
async fn i5_a_failed_apply_prunes_nothing() {
    World::run("halfway", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("half", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.snapshot().await;
        // The compactor is to go, and a Deployment cannot be applied: a selector is immutable.
        let broken = json!({"op": "replace", "path": "/spec/selector/matchLabels", "value": {"a": "b"}});
        let labels = json!({"op": "replace", "path": "/spec/template/metadata/labels", "value": {"a": "b"}});
        let patch = json!({"target": {"kind": "Deployment", "name": "half-tempo-querier"}, "operations": [broken, labels]});
        let change = json!({"spec": {"traces": {"patches": [patch], "components": {"compactor": {"replicas": 0}}}}});
        world.change("half", change).await;
        let now = world.until(&stack, "PlanApplied", "False", "ApplyRejected").await;
        let message = text(condition(&now, "PlanApplied").expect("current"), "/message");
        assert!(message.contains("half-tempo-querier") && message.contains("immutable"), "{message}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = world.snapshot().await;
        assert_eq!(names(&before).difference(&names(&after)).collect::<Vec<_>>(), Vec::<&&str>::new());

        world.change("half", json!({"spec": {"traces": {"patches": []}}})).await;
        world.ready(&stack).await;
        let gone = world.cluster.find(DEPLOYMENT, &world.namespace, "half-tempo-compactor").await;
        assert!(gone.is_none(), "with the apply whole again, the compactor goes");
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_and_failed_can_be_taken_back() {
    World::run("back", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("back", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.snapshot().await;
        let invalid =
            json!({"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "No_Name"});
        let patch =
            json!({"target": {"kind": "Deployment", "name": "back-mimir-querier"}, "operations": [invalid]});
        let mut metrics = world.stack("back", &[MIMIR])["spec"]["metrics"].clone();
        set(&mut metrics, "/patches", json!([patch]));
        world.change("back", json!({"spec": {"metrics": metrics}})).await;
        world.until(&stack, "PlanApplied", "False", "ApplyRejected").await;
        assert!(world.snapshot().await.keys().any(|id| id.contains("/back-mimir")), "something was made");

        world.change("back", json!({"spec": {"metrics": null}})).await;
        world.ready(&stack).await;
        let after = world.snapshot().await;
        let left: Vec<_> = names(&after).difference(&names(&before)).map(|id| (*id).to_owned()).collect();
        let claims = left.iter().all(|id| id.starts_with("PersistentVolumeClaim/"));
        assert!(claims, "all of it is pruned but claims: {left:?}");
    })
    .await;
}

fn with_datasources(world: &World, stack: &Value) -> Value {
    let datasources = json!({"provider": "SidecarConfigMap", "namespace": world.tools});
    edited(stack, &[("/spec/grafana/datasources", datasources)])
}

async fn delete(world: &World, name: &str) {
    world.cluster.delete(STACK, &world.namespace, name).await;
    eventually("the stack is gone", async || {
        let found = world.cluster.find(STACK, &world.namespace, name).await;
        found.map_or(Ok(()), |found| Err(found["metadata"].to_string()))
    })
    .await;
}

#[tokio::test]
async fn i4_delete_workloads_leaves_claims_and_buckets() {
    World::run("delete", async |world| {
        let _operator = world.operator().await;
        let stack = with_datasources(world, &world.stack("gone", &[TEMPO]));
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.snapshot().await;
        assert!(before.keys().any(|id| id.starts_with(&format!("ConfigMap/{}/", world.tools))), "{before:?}");
        delete(world, "gone").await;
        let of_kind = |snapshot: &Snapshot, kind: &str| -> Vec<(String, String)> {
            let found = snapshot.iter().filter(|(id, _)| id.starts_with(kind));
            found.map(|(id, (uid, _))| (id.clone(), uid.clone())).collect()
        };
        let left = eventually("everything but claims and the Secret is gone", async || {
            let now = world.snapshot().await;
            let pods = world.cluster.list(POD, &world.namespace).await.len();
            let objects = now
                .keys()
                .filter(|id| !id.starts_with("PersistentVolumeClaim/") && !id.ends_with("/s3"))
                .count();
            if objects + pods == 0 { Ok(now) } else { Err(format!("{pods} pods, {:?}", names(&now))) }
        })
        .await;
        assert_eq!(of_kind(&left, "PersistentVolumeClaim/"), of_kind(&before, "PersistentVolumeClaim/"));
        assert_eq!(world.s3.buckets(&world.prefix).await.len(), 1);
        assert!(!left.keys().any(|id| id.contains(&world.tools)), "the datasource is gone: {left:?}");
    })
    .await;
}

#[tokio::test]
async fn retain_leaves_everything_as_it_runs() {
    World::run("retain", async |world| {
        let _operator = world.operator().await;
        let mut stack = with_datasources(world, &world.stack("kept", &[TEMPO]));
        set(&mut stack, "/spec/deletionPolicy", "Retain".into());
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.settled().await;
        for kind in [CONFIG_MAP, SERVICE, STATEFUL_SET, DEPLOYMENT] {
            for object in world.cluster.list(kind, &world.namespace).await {
                assert!(object["metadata"]["ownerReferences"].is_null(), "{}", object["metadata"]);
            }
        }
        delete(world, "kept").await;
        holds_for(Duration::from_secs(4), "everything stays", async || {
            let now = world.snapshot().await;
            if now == before { Ok(()) } else { Err(format!("{now:?}\nbefore: {before:?}")) }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn from_delete_workloads_to_retain_the_owner_references_go() {
    World::run("handover", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("hand", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        world.change("hand", json!({"spec": {"deletionPolicy": "Retain"}})).await;
        world.ready(&stack).await;
        delete(world, "hand").await;
        holds_for(Duration::from_secs(3), "the workload stays", async || {
            let found = world.cluster.find(STATEFUL_SET, &world.namespace, "hand-tempo").await;
            found.map(|_| ()).ok_or_else(|| "it is gone".to_owned())
        })
        .await;
        let inventory = world.cluster.get(CONFIG_MAP, &world.namespace, "hand-inventory").await;
        assert!(inventory["metadata"]["ownerReferences"].is_null(), "the inventory is handed over too");
    })
    .await;
}

/// The operator's rights in the namespace may go before the stack does: nothing may hang on it.
#[tokio::test]
async fn a_namespace_is_deleted_without_waiting_for_us() {
    World::run("namespace", async |world| {
        let _operator = world.operator().await;
        let stack = with_datasources(world, &world.stack("doomed", &[TEMPO_SINGLE]));
        world.make(&stack).await;
        world.ready(&stack).await;
        world.cluster.delete(ROLE_BINDING, &world.namespace, "obstack").await;
        world.cluster.delete(NAMESPACE, "", &world.namespace).await;
        eventually("the stack is gone", async || {
            let found = world.cluster.find(STACK, &world.namespace, "doomed").await;
            found.map_or(Ok(()), |found| Err(found["metadata"]["finalizers"].to_string()))
        })
        .await;
        world.no_datasources().await;
    })
    .await;
}
