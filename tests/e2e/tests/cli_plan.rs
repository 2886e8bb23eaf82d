//! `kubectl obstack render`, `plan`, `diff` and `quota` against what the operator then does.

use std::collections::BTreeMap;

use obstack_core::hash;
use obstack_e2e::{
    CONFIG_MAP, DEPLOYMENT, QUOTA, ROLE, ROLE_BINDING, SERVICE, TEMPO, World, edited, eventually, text,
};
use serde_json::{Value, json};

fn manual(world: &World, name: &str) -> Value {
    edited(&world.stack(name, &[TEMPO]), &[("/spec/changes/approval", "Manual".into())])
}

/// What the operator wrote down of each object: the hash of the body that it applied.
async fn applied(world: &World, stack: &str) -> BTreeMap<String, String> {
    let inventory = world.cluster.get(CONFIG_MAP, &world.namespace, &format!("{stack}-inventory")).await;
    let list: Value = serde_json::from_str(text(&inventory, "/data/inventory.json")).unwrap();
    let objects = list["objects"].as_object().unwrap();
    objects.iter().map(|(id, entry)| (id.clone(), text(entry, "/hash").to_owned())).collect()
}

#[tokio::test]
async fn a_plan_is_carried_out_as_it_was_told_and_a_render_is_what_was_applied_byte_for_byte() {
    World::run("cli-plan", async |world| {
        let _operator = world.operator().await;
        let stack = manual(world, "told");
        // Before the stack is there: everything is new, and its digest cannot be known.
        let first = world.cli_with(&["plan", "-f", "-", "-o", "json"], &stack);
        assert_eq!(first.code, 2, "{first:?}");
        let told = first.json()["stacks"][0].clone();
        assert!(told["digest"].is_null() && told["changed"] == 0 && told["deleted"] == 0, "{told:#}");

        world.make(&stack).await;
        let waits = world.until(&stack, "PlanApplied", "False", "AwaitingApproval").await;
        let plan = &waits["status"]["plan"];
        assert_eq!(plan["created"], told["created"], "{plan}");
        // Once it is stored, the digest is the one that approval wants.
        let second = world.cli_with(&["plan", "-f", "-", "-o", "json"], &stack).json()["stacks"][0].clone();
        assert_eq!(second["digest"], plan["digest"]);
        assert!(text(&second, "/held").starts_with("AwaitingApproval: "), "{second:#}");

        let approved = world.cli(&["approve", "told", "-n", &world.namespace, "--plan", text(plan, "/digest")]);
        assert_eq!(approved.code, 0, "{approved:?}");
        world.ready(&stack).await;
        let again = world.cli_with(&["plan", "-f", "-"], &stack);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.out.contains("nothing would change"), "{again:?}");

        let rendered = world.cli_with(&["render", "-f", "-", "-o", "json"], &stack).json();
        let rendered: BTreeMap<String, String> = rendered["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|object| {
                let id = ["/kind", "/metadata/namespace", "/metadata/name"].map(|at| text(object, at));
                (id.join("/"), hash::of_json(object))
            })
            .collect();
        assert_eq!(rendered, applied(world, "told").await);

        // A change of one field is told by its path, with old and new, and by what restarts.
        let memory = json!({"requests": {"cpu": "10m", "memory": "65Mi"}});
        let changed = edited(&stack, &[("/spec/traces/components/querier/resources", memory)]);
        let told = world.cli_with(&["plan", "-f", "-", "-o", "json"], &changed).json()["stacks"][0].clone();
        assert_eq!(told["restarts"], json!(["traces.querier"]), "{told:#}");
        let querier = told["components"].as_array().unwrap().iter().find(|part| part["name"] == "traces.querier");
        let field = &querier.unwrap()["objects"][0]["fields"][0];
        assert_eq!((&field["old"], &field["new"]), (&json!("64Mi"), &json!("65Mi")), "{told:#}");
        assert!(text(field, "/path").ends_with("resources.requests.memory"), "{field}");
        world.change("told", json!({"spec": {"traces": {"components": {"querier": {"resources": {"requests": {"memory": "65Mi"}}}}}}})).await;
        // The approval that stands names the first plan.
        let waits = world.until(&stack, "PlanApplied", "False", "ApprovalStale").await;
        assert_eq!(waits["status"]["plan"]["digest"], told["digest"]);
    })
    .await;
}

#[tokio::test]
async fn a_diff_names_what_drifted_and_who_did_it() {
    World::run("cli-diff", async |world| {
        let operator = world.operator().await;
        let stack = world.stack("drift", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let name = format!("{}/drift", world.namespace);
        let same = world.cli(&["diff", &name]);
        assert_eq!((same.code, same.out.as_str()), (0, ""), "{same:?}");
        assert!(same.err.contains("note: no differences"), "{same:?}");

        // With nobody there to put it back.
        drop(operator);
        let namespace = &world.namespace;
        world
            .cluster
            .merge(DEPLOYMENT, namespace, "drift-tempo-querier", "somebody", json!({"spec": {"replicas": 3}}))
            .await;
        world.cluster.delete(SERVICE, namespace, "drift-tempo-compactor").await;
        let told = world.cli(&["diff", &name]);
        assert_eq!(told.code, 2, "{told:?}");
        for line in [
            "-  replicas: 3",
            "+  replicas: 1",
            "taken by somebody: spec.replicas",
            "it does not exist and would be made",
        ] {
            assert!(told.out.contains(line), "{line}\n{}", told.out);
        }
        assert!(!told.out.contains('\u{1b}'), "no colours where nobody watches");
        let json = world.cli(&["diff", &name, "-o", "json"]).json();
        let because: Vec<_> =
            json["objects"].as_array().unwrap().iter().map(|object| text(object, "/because")).collect();
        assert_eq!(because, ["Missing", "Drift"], "{json:#}");
    })
    .await;
}

#[tokio::test]
async fn what_the_api_server_would_refuse_of_a_change_is_no_plan() {
    World::run("cli-refused", async |world| {
        let stack = world.stack("fixed", &[TEMPO]);
        world.make(&stack).await;
        for (field, value) in [
            ("/spec/traces/components/ingester/storage/size", "512Mi"),
            ("/spec/objectStorage/buckets/prefix", "another"),
        ] {
            let changed = edited(&stack, &[(field, value.into())]);
            let held = world.cli_with(&["validate", "-f", "-", "--server", "-o", "json"], &changed);
            let fault = held.json()["stacks"][0]["faults"][0].clone();
            assert_eq!(fault["pointer"], field, "{fault:#}");
            for command in ["plan", "diff", "quota", "render"] {
                let told = world.cli_with(&[command, "-f", "-"], &changed);
                assert_eq!((told.code, told.out.as_str()), (1, ""), "{command}: {told:?}");
                // With the same words as `validate`, and the same place.
                let place = format!("-:{}:{}", fault["line"], fault["column"]);
                assert!(told.err.contains(&place), "{command}: {place}: {}", told.err);
                assert!(told.err.contains(text(&fault, "/message")), "{command}: {}", told.err);
            }
        }
        // Without the cluster nobody knows what is stored.
        let changed = edited(&stack, &[("/spec/objectStorage/buckets/prefix", "another".into())]);
        assert_eq!(world.cli_with(&["plan", "-f", "-", "--offline"], &changed).code, 2);
    })
    .await;
}

#[tokio::test]
async fn a_plan_without_its_secret_may_go_without_the_cluster_and_what_fits_asks_for_nothing() {
    World::run("cli-hints", async |world| {
        let secret = [("/spec/objectStorage/credentials/secretRef/name", "not-there".into())];
        let stack = edited(&world.stack("hints", &[TEMPO]), &secret);
        let told = world.cli_with(&["plan", "-f", "-"], &stack);
        assert!(told.code == 1 && told.err.contains("not-there"), "{told:?}");
        assert!(told.err.contains("ask no cluster: --offline"), "{told:?}");
        assert_eq!(world.cli_with(&["plan", "-f", "-", "--offline"], &stack).code, 2);

        // Room enough, and less headroom than one would ask for.
        let quota = json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "room", "namespace": world.namespace},
            "spec": {"hard": {"requests.cpu": "90m", "requests.memory": "10Gi"}},
        });
        world.cluster.make(QUOTA, &quota).await;
        let stack = world.stack("hints", &[TEMPO]);
        eventually("the quota is counted", async || {
            let told = world.cli_with(&["plan", "-f", "-"], &stack);
            assert_eq!(told.code, 2, "{told:?}");
            if told.out.contains("quota: QuotaFits") && told.out.contains("ASK FOR") {
                Ok(())
            } else {
                Err(told.out)
            }
        })
        .await;
        let plan = world.cli_with(&["plan", "-f", "-"], &stack).out;
        let cpu = plan.lines().find(|line| line.trim_start().starts_with("cpu ")).unwrap();
        assert!(cpu.ends_with(" -"), "{plan}");
        let table = world.cli_with(&["quota", "-f", "-"], &stack).out;
        let cpu = table.lines().find(|line| line.contains("requests.cpu")).unwrap();
        assert!(cpu.trim_end().ends_with(" -"), "{table}");
        let request = world.cli_with(&["quota", "-f", "-", "--markdown"], &stack).out;
        assert!(request.contains("None: everything fits into what is free."), "{request}");
    })
    .await;
}

#[tokio::test]
async fn a_plan_works_without_the_rights_that_it_does_not_need_and_names_those_it_missed() {
    World::run("cli-rights", async |world| {
        let _operator = world.operator().await;
        let stack = world.stack("poor", &[TEMPO]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let namespace = &world.namespace;
        let looks = |groups: &[&str], resources: &[&str]| {
            json!({"apiGroups": groups, "resources": resources, "verbs": ["get", "list"]})
        };
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "looks", "namespace": namespace},
            "rules": [
                looks(&["obstack.dev"], &["observabilitystacks"]),
                looks(&["apps"], &["statefulsets", "deployments", "daemonsets"]),
                looks(&[""], &["configmaps", "services", "serviceaccounts", "pods", "events"]),
                looks(&["policy"], &["poddisruptionbudgets"]),
            ],
        });
        world.cluster.make(ROLE, &role).await;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "looks", "namespace": namespace},
            "subjects": [{"kind": "User", "name": "viewer", "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looks"},
        });
        world.cluster.make(ROLE_BINDING, &binding).await;
        let memory = json!({"requests": {"cpu": "10m", "memory": "65Mi"}});
        let changed = edited(&stack, &[("/spec/traces/components/querier/resources", memory)]);
        let told = world.cli_with(&["plan", "-f", "-", "--as", "viewer", "-o", "json"], &changed);
        assert_eq!(told.code, 2, "{told:?}");
        let told = told.json()["stacks"][0].clone();
        // The keys could not be read, and yet nothing restarts for their sake.
        assert_eq!((&told["changed"], &told["restarts"]), (&json!(1), &json!(["traces.querier"])), "{told:#}");
        assert!(told["assumed"].to_string().contains("no right to get Secret"), "{told:#}");
        let unknown = told["unknown"].to_string();
        for right in ["list resourcequotas", "list limitranges", "list persistentvolumeclaims"] {
            assert!(unknown.contains(right), "{right}: {unknown}");
        }
        let nobody = world.cli(&["diff", &format!("{namespace}/poor"), "--as", "nobody"]);
        assert_eq!(nobody.code, 1);
        assert!(nobody.err.contains("403 Forbidden") && nobody.err.contains("ask for that right"), "{nobody:?}");
    })
    .await;
}
