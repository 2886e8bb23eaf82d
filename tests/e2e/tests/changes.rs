//! Changes that wait for a person: what waits, what goes on meanwhile, and what an approval lets through.

use obstack_e2e::{
    Audit, CONFIG_MAP, DEPLOYMENT, Flags, Request, SERVICE, TEMPO, World, condition, edited, eventually, text,
};
use serde_json::{Value, json};

/// A stack whose changes wait.
fn waiting(world: &World, name: &str, approval: &str) -> Value {
    edited(&world.stack(name, &[TEMPO]), &[("/spec/changes/approval", approval.into())])
}

/// A change of the querier's pods, of which there is one.
fn memory(amount: &str) -> Value {
    let querier = json!({"resources": {"requests": {"memory": amount}}});
    json!({"spec": {"traces": {"components": {"querier": querier}}}})
}

fn approve(digest: &str) -> Value {
    json!({"spec": {"changes": {"approvedPlan": digest}}})
}

/// Waits until the plan of a stack is held for a reason; gives its digest.
async fn held(world: &World, stack: &Value, reason: &str, not: &str) -> String {
    let now = world.until(stack, "PlanApplied", "False", reason).await;
    let plan = &now["status"]["plan"];
    let digest = text(plan, "/digest").to_owned();
    assert_eq!(text(plan, "/state"), "PendingApproval", "{plan}");
    assert!(digest.len() == 71 && digest != not, "{plan}");
    let said = text(condition(&now, "PlanApplied").expect("current"), "/message").to_owned();
    assert!(said.contains(&digest[..19]), "{said}");
    digest
}

/// Waits until a plan is carried out and its pods are ready.
async fn applied(world: &World, stack: &Value) -> Value {
    let now = world.ready(stack).await;
    let plan = now["status"]["plan"].clone();
    assert_eq!(text(&plan, "/state"), "Applied", "{plan}");
    plan
}

async fn querier(world: &World, stack: &str) -> Value {
    world.cluster.get(DEPLOYMENT, &world.namespace, &format!("{stack}-tempo-querier")).await
}

fn requested(workload: &Value) -> &str {
    text(workload, "/spec/template/spec/containers/0/resources/requests/memory")
}

/// Writes to objects of a stack, its inventory too, but not what is said about it.
fn writes(audit: &Audit) -> Vec<Request> {
    let said = ["observabilitystacks", "observabilitystacks/status", "events"];
    audit.writes().into_iter().filter(|request| !said.contains(&request.resource.as_str())).collect()
}

#[tokio::test]
async fn what_is_disruptive_waits_and_an_approval_is_good_for_one_plan() {
    World::run("disruptive", async |world| {
        let _operator = world.operator().await;
        let stack = waiting(world, "calm", "ManualForDisruptive");
        world.make(&stack).await;
        let first = applied(world, &stack).await;
        assert!(first["created"].as_i64() > Some(10) && first["disruptive"].is_null(), "{first}");

        world
            .change("calm", json!({"spec": {"traces": {"components": {"distributor": {"replicas": 3}}}}}))
            .await;
        let harmless = applied(world, &stack).await;
        assert_eq!((&harmless["created"], &harmless["changed"]), (&json!(0), &json!(1)), "{harmless}");

        world.settled().await;
        let audit = world.audit.again();
        world.change("calm", memory("65Mi")).await;
        let digest = held(world, &stack, "AwaitingApproval", text(&harmless, "/digest")).await;
        let now = world.until(&stack, "Ready", "False", "AwaitingApproval").await;
        let plan = &now["status"]["plan"];
        assert_eq!(plan["restarts"], json!(["traces.querier"]), "{plan}");
        assert!(
            text(plan, "/disruptive/0").starts_with("the only pod of traces.querier is replaced"),
            "{plan}"
        );
        let available = condition(&now, "Available").expect("current");
        assert_eq!(text(available, "/status"), "True", "what is there goes on: {available}");

        // Another plan's approval, and one that a person took from the plan before.
        world.change("calm", approve(text(&harmless, "/digest"))).await;
        assert_eq!(held(world, &stack, "ApprovalStale", "").await, digest);
        let now = world.until(&stack, "PlanApplied", "False", "ApprovalStale").await;
        let said = text(condition(&now, "PlanApplied").expect("current"), "/message").to_owned();
        assert!(said.contains(&digest[..19]) && said.contains(&text(&harmless, "/digest")[..19]), "{said}");
        assert_eq!(writes(&audit), [], "what waits writes nothing");

        // The spec changes while it waits: another plan, which the approval names by its first digits.
        world.change("calm", memory("66Mi")).await;
        let other = held(world, &stack, "ApprovalStale", &digest).await;
        let before = querier(world, "calm").await;
        assert_eq!(requested(&before), "64Mi");
        let audit = world.audit.again();
        world.change("calm", approve(&other[..19])).await;
        let plan = applied(world, &stack).await;
        assert_eq!(text(&plan, "/digest"), other);
        let after = querier(world, "calm").await;
        assert_eq!(
            (requested(&after), after["metadata"]["generation"].as_i64()),
            ("66Mi", before["metadata"]["generation"].as_i64().map(|g| g + 1))
        );
        let (inventory, rest): (Vec<_>, Vec<_>) =
            writes(&audit).into_iter().partition(|request| request.name == "calm-inventory");
        assert_eq!((inventory.len(), rest.len()), (2, 1), "carried out once: {inventory:?} {rest:?}");

        // The approval was for that plan. Without a policy nothing waits.
        world.change("calm", memory("67Mi")).await;
        held(world, &stack, "ApprovalStale", &other).await;
        world.change("calm", json!({"spec": {"changes": {"approval": "Automatic"}}})).await;
        applied(world, &stack).await;
        assert_eq!(requested(&querier(world, "calm").await), "67Mi");
    })
    .await;
}

#[tokio::test]
async fn what_is_in_place_is_kept_while_a_change_waits() {
    World::run("keeping", async |world| {
        let operator = world.operator().await;
        let stack = waiting(world, "keep", "ManualForDisruptive");
        world.make(&stack).await;
        applied(world, &stack).await;
        world.change("keep", memory("65Mi")).await;
        held(world, &stack, "AwaitingApproval", "").await;
        let (cluster, namespace) = (&world.cluster, world.namespace.as_str());

        // The change leaves the Service as it is; it does not leave the querier as it is.
        cluster.delete(SERVICE, namespace, "keep-tempo-distributor").await;
        let three = json!({"spec": {"replicas": 3}});
        cluster.merge(DEPLOYMENT, namespace, "keep-tempo-querier", "kubectl-scale", three.clone()).await;
        eventually("both are put back as they were", async || {
            let service = cluster.find(SERVICE, namespace, "keep-tempo-distributor").await.is_some();
            let querier = querier(world, "keep").await;
            let replicas = &querier["spec"]["replicas"];
            if service && *replicas == 1 && requested(&querier) == "64Mi" {
                return Ok(());
            }
            Err(format!("{service} {replicas} {}", requested(&querier)))
        })
        .await;
        world.until(&stack, "DriftFree", "False", "Repaired").await;
        let digest = held(world, &stack, "AwaitingApproval", "").await;

        // After a restart nobody knows any more what the querier was. It is said, and nothing of the change is applied.
        assert_eq!(operator.stop(), Some(0));
        let _operator = world.operator().await;
        cluster.merge(DEPLOYMENT, namespace, "keep-tempo-querier", "kubectl-scale", three).await;
        cluster.delete(SERVICE, namespace, "keep-tempo-distributor").await;
        let now = world.until(&stack, "DriftFree", "False", "AwaitingApproval").await;
        let said = text(condition(&now, "DriftFree").expect("current"), "/message").to_owned();
        for word in ["keep-tempo-querier", "by kubectl-scale", "not put back yet"] {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        eventually("the Service is put back", async || {
            cluster
                .find(SERVICE, namespace, "keep-tempo-distributor")
                .await
                .map(|_| ())
                .ok_or("gone".to_owned())
        })
        .await;
        assert_eq!(requested(&querier(world, "keep").await), "64Mi");
        assert_eq!(
            held(world, &stack, "AwaitingApproval", "").await,
            digest,
            "the same plan as before the restart"
        );

        world.change("keep", approve(&digest)).await;
        applied(world, &stack).await;
        let querier = querier(world, "keep").await;
        assert_eq!((requested(&querier), querier["spec"]["replicas"].as_i64()), ("65Mi", Some(1)));
    })
    .await;
}

#[tokio::test]
async fn manual_holds_the_first_installation_too() {
    World::run("manual", async |world| {
        let operator = world.operator().await;
        let stack = waiting(world, "first", "Manual");
        let audit = world.audit.again();
        world.make(&stack).await;
        let digest = held(world, &stack, "AwaitingApproval", "").await;
        assert_eq!(operator.stop(), Some(0));
        let _operator = world.operator().await;
        assert_eq!(held(world, &stack, "AwaitingApproval", "").await, digest, "the same after a restart");
        assert_eq!(
            writes(&audit).into_iter().filter(|request| request.resource != "leases").collect::<Vec<_>>(),
            []
        );
        let made = world.cluster.list(CONFIG_MAP, &world.namespace).await;
        assert!(made.iter().all(|object| text(object, "/metadata/name") == "kube-root-ca.crt"), "{made:?}");

        world.change("first", approve(&digest)).await;
        let plan = applied(world, &stack).await;
        assert_eq!(text(&plan, "/digest"), digest);
        // Even what is harmless waits.
        world
            .change("first", json!({"spec": {"traces": {"components": {"distributor": {"replicas": 3}}}}}))
            .await;
        let next = held(world, &stack, "ApprovalStale", &digest).await;
        world.change("first", approve(&next)).await;
        assert_eq!(text(&applied(world, &stack).await, "/digest"), next);
    })
    .await;
}

#[tokio::test]
async fn i3_a_change_that_is_cut_short_and_taken_back_leaves_nothing() {
    World::run("back", async |world| {
        // Without election a killed process need not be waited out.
        let flags = Flags { more: vec!["--leader-elect=false".into()], ..Flags::default() };
        let stack = world.stack("back", &[TEMPO]);
        let first = world.spawn(&flags);
        world.make(&stack).await;
        applied(world, &stack).await;
        first.kill();
        // The same fields with other values: their ownership does not tell of it. And a field that is refused, so that
        // the change is certainly not finished.
        let refused = json!([{
            "target": {"kind": "StatefulSet", "name": "back-tempo-ingester"},
            "operations": [{"op": "replace", "path": "/spec/serviceName", "value": "another"}],
        }]);
        world.change("back", memory("65Mi")).await;
        world.change("back", json!({"spec": {"traces": {"patches": refused}}})).await;
        let cut = world.spawn(&flags);
        world.until(&stack, "PlanApplied", "False", "ApplyRejected").await;
        assert_eq!(requested(&querier(world, "back").await), "65Mi");
        cut.kill();
        world.change("back", memory("64Mi")).await;
        world.change("back", json!({"spec": {"traces": {"patches": null}}})).await;
        let _last = world.spawn(&flags);
        applied(world, &stack).await;
        assert_eq!(requested(&querier(world, "back").await), "64Mi");
    })
    .await;
}
