//! The API server's own word on stacks: every admission rule passes one and refuses one, with its message. `obstack
//! validate` has to say the same of the same objects, without an API server.

mod cases;
mod validate;

use std::collections::BTreeSet;

use cases::{Case, cases, rules, schema_cases};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use obstack_e2e::{STACK, TEMPO, TEMPO_SINGLE, World, edited, text};
use serde_json::{Value, json};

#[tokio::test]
async fn every_rule_passes_one_and_refuses_one() {
    World::run("rules", async |world| {
        let cases = cases(|backends| world.stack("a", backends));
        let covered: BTreeSet<_> = cases.iter().map(|case| case.rule.clone()).collect();
        assert_eq!(
            rules().difference(&covered).collect::<Vec<_>>(),
            Vec::<&(String, String)>::new(),
            "rules without a case"
        );
        for (number, case) in cases.iter().enumerate() {
            check(world, number, case).await;
        }
        println!("{} rules, {} cases", rules().len(), cases.len());
    })
    .await;
}

async fn check(world: &World, number: usize, case: &Case) {
    let (at, message) = &case.rule;
    let (passed, refused) = match &case.before {
        None => (
            world.cluster.create(STACK, &case.passes, true).await,
            world.cluster.create(STACK, &case.refused, true).await,
        ),
        Some(before) => {
            let name = [("/metadata/name", Value::from(format!("case-{number}")))];
            let stored = world.make_stored(&edited(before, &name)).await;
            let over = |object: &Value| edited(object, &[("/metadata", stored["metadata"].clone())]);
            let passed = world.cluster.replace(STACK, &over(&case.passes), true).await;
            (passed, world.cluster.replace(STACK, &over(&case.refused), true).await)
        }
    };
    if let Err(error) = passed {
        panic!("{at}: {message}: this should pass: {error}\n{:#}", case.passes["spec"]);
    }
    let Err(kube::Error::Api(status)) = refused else {
        panic!("{at}: {message}: this should be refused: {:#}", case.refused["spec"])
    };
    assert_eq!(status.code, 422, "{}", status.message);
    assert!(
        status.message.contains(message.as_str()),
        "{at}: `{message}` is not the answer: {}",
        status.message
    );
    let field = at.split(".*").next().unwrap_or_default();
    assert!(status.message.contains(field), "the answer names no {field}: {}", status.message);
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_its_path() {
    World::run("strict", async |world| {
        let typo = edited(&world.stack("typo", &[TEMPO_SINGLE]), &[("/spec/traces/componets", json!({}))]);
        let params = PatchParams {
            dry_run: true,
            field_manager: Some("e2e".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let typo: DynamicObject = serde_json::from_value(typo).expect("an object");
        let answer =
            world.cluster.api(STACK, &world.namespace).patch("typo", &params, &Patch::Apply(&typo)).await;
        let error = answer.expect_err("a typo is refused").to_string();
        assert!(error.contains("spec.traces.componets"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn what_the_schema_itself_refuses() {
    World::run("schema", async |world| {
        let base = world.stack("schema", &[TEMPO]);
        for (pointer, value, field) in schema_cases() {
            let Err(kube::Error::Api(status)) =
                world.cluster.create(STACK, &edited(&base, &[(pointer, value.clone())]), true).await
            else {
                panic!("{pointer}: {value} should be refused")
            };
            assert!(
                status.code == 422 && status.message.contains(field),
                "{pointer}: {value}: {}",
                status.message
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_fresh_stack_is_pending_and_loses_nothing() {
    World::run("fresh", async |world| {
        let store_gateway =
            json!({"replicas": 2, "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "1Gi"}}});
        let stack = edited(
            &world.stack("fresh", &[TEMPO]),
            &[("/spec/traces/components/storeGateway", store_gateway.clone())],
        );
        world.make(&stack).await;
        let now = world.cluster.get(STACK, &world.namespace, "fresh").await;
        let conditions =
            now["status"]["conditions"].as_array().expect("conditions before the operator has looked");
        let said: Vec<_> =
            conditions.iter().map(|c| (text(c, "/type"), text(c, "/status"), text(c, "/reason"))).collect();
        assert!(said.contains(&("Ready", "Unknown", "Pending")), "{said:?}");
        assert!(said.contains(&("Reconciling", "True", "Pending")), "{said:?}");
        assert_eq!(
            now["spec"]["traces"]["components"]["storeGateway"], store_gateway,
            "stored to be answered"
        );
        assert_eq!(now["spec"]["deletionPolicy"], "DeleteWorkloads");

        let _operator = world.operator().await;
        let now = world.ready(&stack).await;
        let components = now["status"]["components"].as_array().expect("components");
        let answer = components
            .iter()
            .find(|component| component["name"] == "traces.storeGateway")
            .expect("an answer");
        assert_eq!(answer["state"], "NotProvidedByBackend", "{answer}");
    })
    .await;
}
