//! What the commands print without a cluster, for the three samples.

#![cfg(test)]

mod common;

use common::{helm, hold, obstack, run, run_with, sample, shown};
use serde_json::{Value, json};

fn snapshot(name: &str, args: &[&str]) {
    if helm().is_some() {
        insta::assert_snapshot!(name, shown(&run(args)));
    }
}

#[test]
fn render_lists_and_prints_what_is_applied() {
    for sample in ["dev", "test", "prod"] {
        let file = format!("deploy/samples/{sample}.yaml");
        snapshot(&format!("render-{sample}"), &["render", "-f", &file, "-o", "table"]);
    }
    snapshot("render-values-dev", &["render", "-f", "deploy/samples/dev.yaml", "--values"]);
}

#[test]
fn plan_tells_what_a_sample_comes_to_from_nothing() {
    for sample in ["dev", "test", "prod"] {
        let file = format!("deploy/samples/{sample}.yaml");
        snapshot(&format!("plan-{sample}"), &["plan", "-f", &file]);
    }
    snapshot("plan-dev-json", &["plan", "-f", "deploy/samples/dev.yaml", "-o", "json"]);
}

#[test]
fn what_programs_get_is_what_the_schemas_say() {
    hold(&run(&["version", "--client", "-o", "json"]).stdout);
    hold(&run(&["validate", "-f", "deploy/samples", "-o", "json"]).stdout);
    let mut faulty = sample("dev");
    faulty["spec"]["traces"]["componets"] = json!({});
    let all =
        json!({"apiVersion": "v1", "kind": "List", "items": [faulty, {"apiVersion": "v1", "kind": "Pod"}]});
    let validate = ["validate", "-f", "-", "--skip-others", "-o", "json"];
    hold(&run_with(&validate, &all.to_string()).stdout);
    let Some(_) = helm() else { return };
    for sample in ["dev", "test", "prod"] {
        let file = format!("deploy/samples/{sample}.yaml");
        hold(&run(&["plan", "-f", &file, "-o", "json"]).stdout);
        hold(&run(&["quota", "-f", &file, "--quotas", &quotas(), "-o", "json"]).stdout);
    }
}

#[test]
fn i1_a_render_is_the_same_each_time_and_for_each_format() {
    let Some(_) = helm() else { return };
    let args = ["render", "-f", "deploy/samples/prod.yaml"];
    let (first, second) = (run(&args), run(&args));
    assert!(first.status.success() && first.stdout == second.stdout);
    let yaml: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(first.stdout).unwrap()).unwrap();
    let json = run(&["render", "-f", "deploy/samples/prod.yaml", "-o", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["items"].as_array().unwrap(), &yaml);
}

/// The quotas that the rollout document found.
const QUOTAS: &str = "tests/fixtures/quotas.yaml";

fn quotas() -> String {
    format!("{}/{QUOTAS}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn quota_holds_the_samples_against_given_quotas() {
    snapshot("quota-samples", &["quota", "-f", "deploy/samples", "--quotas", &quotas()]);
    snapshot(
        "quota-prod-json",
        &["quota", "-f", "deploy/samples/prod.yaml", "--quotas", &quotas(), "-o", "json"],
    );
}

/// The samples in the variant that the rollout document reckoned with: Mimir 2 without a query-scheduler.
fn pinned(edit: impl Fn(&str, &mut Value)) -> String {
    let items: Vec<Value> = ["dev", "test", "prod"]
        .into_iter()
        .map(|environment| {
            let mut stack = sample(environment);
            stack["spec"]["metrics"]["chart"]["version"] = "5.8.0".into();
            stack["spec"]["metrics"]["components"]["queryScheduler"] = json!({"replicas": 0});
            edit(environment, &mut stack);
            stack
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn markdown(manifest: &str) -> String {
    let output = run_with(&["quota", "-f", "-", "--quotas", &quotas(), "--markdown"], manifest);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn quota_writes_the_tables_of_the_rollout_document() {
    let Some(_) = helm() else { return };
    let text = markdown(&pinned(|_, _| {}));
    for row in [
        "| ca7f8f-dev | compute-long-running-quota | 2530m | 11.3Gi | 33Gi |",
        "| ca7f8f-test | compute-long-running-quota | 5340m | 24.8Gi | 30Gi |",
        "| ca7f8f-prod | compute-long-running-quota | 1370m | 7.5Gi | 9Gi |",
        "| dev (Tempo 2.10.8, Mimir 2.17.0) | 8 | 400m | 2Gi | 4Gi |",
        "| test (Tempo 2.10.8, Mimir 2.17.0) | 8 | 900m | 4Gi | 8Gi |",
        "| Tempo distributor | 2 | 200m | 512Mi | - |",
        "| Tempo ingester | 3 | 600m | 3Gi | 6Gi (2Gi x3) |",
        "| Tempo querier | 2 | 200m | 1Gi | - |",
        "| Tempo query-frontend | 2 | 100m | 512Mi | - |",
        "| Tempo compactor | 1 | 100m | 512Mi | - |",
        "| Mimir distributor | 2 | 200m | 512Mi | - |",
        "| Mimir ingester | 3 | 600m | 3Gi | 6Gi (2Gi x3) |",
        "| Mimir querier | 2 | 200m | 1Gi | - |",
        "| Mimir query-frontend | 2 | 100m | 512Mi | - |",
        "| Mimir compactor | 1 | 100m | 512Mi | 2Gi |",
        "| Mimir store-gateway | 2 | 200m | 1Gi | - |",
        "| Mimir alertmanager | 2 | 100m | 512Mi | 2Gi (1Gi x2) |",
        // Without the two Tempo store-gateways of the document, 200m and 1Gi together, which Tempo does not have.
        "| **Total** | **24** | **2700m** | **12.5Gi** | **16Gi** |",
        "| requests.cpu | 4000m | 2630m | 2700m | 950m | 6280m | **8000m** | 21% |",
        "| requests.memory | 16Gi | 8.5Gi | 12.5Gi | 3.3Gi | 24.3Gi | **32Gi** | 24% |",
        "| requests.storage | 64Gi | 55Gi | 16Gi | 2Gi | 73Gi | **96Gi** | 23% |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
}

#[test]
fn with_the_store_gateways_that_do_not_exist_it_is_the_documents_own_request() {
    let Some(_) = helm() else { return };
    let text = markdown(&pinned(|environment, stack| {
        if environment == "prod" {
            let reserve = json!({"name": "tempo-store-gateways", "cpu": "200m", "memory": "1Gi"});
            stack["spec"]["quota"]["reserve"].as_array_mut().unwrap().push(reserve);
        }
    }));
    let request = "Requested increase: requests.cpu 4000m -> 10000m, requests.memory 16Gi -> 32Gi, \
                   requests.storage 64Gi -> 96Gi.";
    assert!(text.contains(request), "{text}");
}

#[test]
fn two_stacks_of_a_namespace_share_its_room() {
    let Some(_) = helm() else { return };
    let (one, mut two) = (sample("dev"), sample("dev"));
    two["metadata"]["name"] = "dts-two".into();
    two["spec"]["environment"] = "two".into();
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": [one, two]}).to_string();
    let quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: small, namespace: ca7f8f-dev}, spec: {hard: {requests.cpu: 800m}}}";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), quota).unwrap();
    let path = file.path().display().to_string();
    let output = run_with(&["quota", "-f", "-", "--quotas", &path, "-o", "json"], &manifest);
    hold(&output.stdout);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["stacks"][0]["fits"], "True", "{told:#}");
    assert_eq!(told["stacks"][1]["fits"], "False");
    assert_eq!(
        (&told["quotas"][0]["needed"], &told["quotas"][0]["missing"]),
        (&json!("820m"), &json!("20m"))
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn wrong_usage_is_no_change() {
    for args in
        [&["plan"][..], &["pln"], &["diff"], &["render", "-f", "deploy/samples/dev.yaml", "-o", "xml"]]
    {
        assert_eq!(run(args).status.code(), Some(1), "{args:?}");
    }
}

#[test]
fn what_a_variable_sets_is_not_told_as_required() {
    // It runs with OBSTACK_CHART_SOURCE.
    let said = String::from_utf8(run(&["plan"]).stderr).unwrap();
    assert!(said.contains("Usage: kubectl obstack plan --filename <FILE>...\n"), "{said}");
}

#[test]
fn a_kubeconfig_that_leads_nowhere_is_an_error_and_never_a_plan_from_nothing() {
    let Some(_) = helm() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], \
                  clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {}}]}";
    std::fs::write(file.path(), config).unwrap();
    let mut command = obstack(&["plan", "-f", "deploy/samples/dev.yaml", "--kubeconfig"]);
    let output = command.arg(file.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty() && said.contains("ask no cluster: --offline"), "{said}");
}
