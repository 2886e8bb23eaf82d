//! `obstack validate` on the same cases.

use std::process::Command;

use obstack_e2e::{STACK, TEMPO, TEMPO_SINGLE, World, cli_binary, edited, fed, stack, text};
use serde_json::{Value, json};

use crate::cases::{Case, cases, schema_cases};

/// What `obstack validate` finds in an object, fields and messages: by schema and rules, and by the operator's checks
/// beyond them.
fn found(object: &Value, before: Option<&Value>) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(cli_binary());
    // A kubeconfig that leads nowhere: no cluster is asked.
    command.env_clear().env("KUBECONFIG", "/nowhere").args(["validate", "-f", "-", "-o", "json"]);
    if let Some(before) = before {
        let file = folder.path().join("old.json");
        std::fs::write(&file, before.to_string()).expect("the stored object");
        command.arg("--old").arg(file);
    }
    let report = fed(command, object).json();
    let faults = report["stacks"][0]["faults"].as_array().expect("faults");
    let said = |fault: &Value| (text(fault, "/path").to_owned(), text(fault, "/message").to_owned());
    faults.iter().map(said).collect()
}

fn anywhere(backends: &[&str]) -> Value {
    stack("a", "anywhere", "http://s3:8333", "p", backends)
}

#[test]
fn validate_agrees_with_the_api_server_on_every_rule() {
    for Case { rule: (at, message), before, passes, refused } in cases(anywhere) {
        let faults = found(&passes, before.as_ref());
        assert!(faults.is_empty(), "{at}: {message}: this should pass: {faults:#?}\n{:#}", passes["spec"]);
        let faults = found(&refused, before.as_ref());
        let field = at.split(".*").next().unwrap_or_default();
        // One fault: what the operator would say of the same field is not said beside it.
        let [(path, said)] = faults.as_slice() else { panic!("{at}: {message}: {faults:#?}") };
        assert!(*said == message && path.starts_with(field), "{at}: {message}: {path}: {said}");
    }
}

#[tokio::test]
async fn validate_holds_a_change_against_what_the_server_stores() {
    World::run("validate", async |world| {
        let stored = world.stack("stored", &[TEMPO_SINGLE]);
        world.make_stored(&stored).await;
        let faults = |object: &Value| -> Vec<(String, String, String)> {
            let told = world.cli_with(&["validate", "-f", "-", "--server", "-o", "json"], object);
            let report = told.json();
            let faults = report["stacks"][0]["faults"].as_array().expect("faults");
            let field = |fault: &Value, name: &str| text(fault, name).to_owned();
            let all = faults
                .iter()
                .map(|fault| (field(fault, "/source"), field(fault, "/path"), field(fault, "/message")));
            // Whether the Secret exists is another matter.
            all.filter(|(_, path, _)| !path.contains("secretRef")).collect()
        };
        assert_eq!(faults(&edited(&stored, &[("/spec/suspend", true.into())])), []);
        let moved = faults(&edited(&stored, &[("/spec/environment", "prod".into())]));
        let [(source, path, message)] = moved.as_slice() else { panic!("{moved:#?}") };
        assert_eq!((source.as_str(), path.as_str()), ("Rule", "spec.environment"), "{message}");
        // Nothing is stored of a dry run.
        let now = world.cluster.get(STACK, &world.namespace, "stored").await;
        assert_eq!(now["spec"]["environment"], stored["spec"]["environment"]);
        assert!(now["spec"].get("suspend").is_none_or(|suspend| suspend == false), "{now:#}");
        let fresh = edited(&stored, &[("/metadata/name", "fresh".into()), ("/spec/traces", Value::Null)]);
        let refused = faults(&fresh);
        let [(source, ..)] = refused.as_slice() else { panic!("{refused:#?}") };
        assert_eq!(source, "Rule", "what the API server says too is said once");
        assert!(world.cluster.find(STACK, &world.namespace, "fresh").await.is_none());
    })
    .await;
}

#[test]
fn validate_agrees_with_the_api_server_on_the_schema() {
    let base = anywhere(&[TEMPO]);
    assert_eq!(found(&base, None), []);
    let typo = edited(&base, &[("/spec/traces/componets", json!({}))]);
    assert_eq!(found(&typo, None).first().map(|(path, _)| path.as_str()), Some("spec.traces.componets"));
    for (pointer, value, field) in schema_cases() {
        let faults = found(&edited(&base, &[(pointer, value.clone())]), None);
        assert!(faults.iter().any(|(path, _)| path.contains(field)), "{pointer}: {value}: {faults:#?}");
    }
}
