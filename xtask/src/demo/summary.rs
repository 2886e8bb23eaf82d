//! What is there at the end, and what to try next.

use std::env;

use obstack_core::quantity::Amount;
use obstack_sandbox::Sandbox;
use serde_json::Value;

use crate::args::Demo;
use crate::command;
use crate::demo::contents::{self, Stack};
use crate::demo::place::Place;
use crate::demo::table;
use crate::error::Error;

/// Selects what belongs to a stack.
const OURS: &str = "obstack.dev/stack";

/// Prints what is there, from live objects.
pub fn print(place: &Place, samples: &[Stack]) -> Result<(), Error> {
    let found =
        place.list(&["observabilitystacks.obstack.dev", "--all-namespaces", "-l", contents::LABEL])?;
    let stacks: Vec<&Value> = samples
        .iter()
        .filter_map(|sample| {
            found.iter().find(|stack| text(stack, "/metadata/namespace") == sample.namespace)
        })
        .collect();
    let pods = place.list(&["pods", "--all-namespaces", "-l", OURS])?;
    // What others have carries the demo's own label.
    let others = format!("!{}", contents::LABEL.split('=').next().unwrap_or_default());
    let claims = place.list(&["persistentvolumeclaims", "--all-namespaces", "-l", &others])?;
    let quotas = place.list(&["resourcequotas", "--all-namespaces", "-l", contents::LABEL])?;
    let budgets = place.list(&["poddisruptionbudgets", "--all-namespaces", "-l", OURS])?;

    let wide = ["get", "obstack", "--all-namespaces", "-o", "wide", "-l", contents::LABEL];
    println!(
        "\n$ kubectl get obstack -A -o wide\n{}",
        command::text("list the stacks", &mut place.kubectl(&wide))?.trim_end()
    );

    println!("\nReady pods, what all pods and volumes request, and how much of the quota is used with it:");
    let titles = ["NAMESPACE", "READY", "CPU", "OF QUOTA", "MEMORY", "OF QUOTA", "STORAGE", "OF QUOTA"]
        .map(str::to_owned);
    let mut rows = vec![titles];
    for stack in &stacks {
        let namespace = text(stack, "/metadata/namespace");
        let quota = quotas.iter().find(|quota| text(quota, "/metadata/namespace") == namespace);
        let here = |objects: &[Value]| -> Vec<Value> {
            objects
                .iter()
                .filter(|object| text(object, "/metadata/namespace") == namespace)
                .cloned()
                .collect()
        };
        let (pods, claims) = (here(&pods), here(&claims));
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let containers = pods.iter().filter_map(|pod| pod.pointer("/spec/containers")?.as_array()).flatten();
        let [cpu, memory] = ["cpu", "memory"]
            .map(|resource| sum(containers.clone(), &format!("/resources/requests/{resource}")));
        let storage = sum(claims.iter(), "/spec/resources/requests/storage");
        let used = |resource: &str, say: fn(Amount) -> String| {
            let amount = |list: &str| {
                let path = format!("/status/{list}/requests.{resource}");
                let amount = quota.and_then(|quota| Amount::parse(&text(quota, &path)).ok());
                amount.map(say).unwrap_or_default()
            };
            format!("{}/{}", amount("used"), amount("hard"))
        };
        rows.push([
            namespace,
            format!("{ready}/{}", pods.len()),
            cpu.cpu(),
            used("cpu", Amount::cpu),
            memory.memory(),
            used("memory", Amount::memory),
            storage.storage(),
            used("storage", Amount::storage),
        ]);
    }
    println!("{}", table::align(&rows).join("\n"));

    let buckets: Vec<String> = stacks.iter().flat_map(|stack| names(stack, "/status/buckets")).collect();
    println!("\nBuckets ({}): {}", buckets.len(), buckets.join(", "));
    let budgets: Vec<String> = budgets.iter().map(|budget| text(budget, "/metadata/name")).collect();
    if !budgets.is_empty() {
        println!("Disruption budgets ({}): {}", budgets.len(), budgets.join(", "));
    }
    let datasources: Vec<String> =
        stacks.iter().flat_map(|stack| names(stack, "/status/datasources")).collect();
    println!("Datasources ({}): {}", datasources.len(), datasources.join(", "));
    Ok(())
}

/// What to try next.
pub fn next(place: &Place, options: &Demo) -> String {
    if !options.keep {
        return "To look around, run it again with --keep.".into();
    }
    let kubectl = place.as_sandbox().map(environment).unwrap_or_default();
    let storage = if place.as_sandbox().is_some() {
        "\n# Without the object store StorageReady falls, and rises again with it\n  \
         cargo xtask sandbox stop-s3; kubectl wait --for=condition=StorageReady=false obstack/dts-dev -n ca7f8f-dev --timeout=3m\n  \
         cargo xtask sandbox start-s3; kubectl wait --for=condition=StorageReady obstack/dts-dev -n ca7f8f-dev --timeout=3m"
    } else {
        ""
    };
    format!(
        "What to try next:\n{kubectl}  kubectl get obstack -A -o wide\n  \
         kubectl describe obstack dts-prod -n ca7f8f-prod\n  \
         kubectl get configmap -n ca7f8f-tools -l grafana_datasource -o yaml\n\
         # What is deleted by hand comes back\n  \
         kubectl delete service -n ca7f8f-dev -l {OURS}; kubectl get service -n ca7f8f-dev\n\
         # A CPU limit is refused\n  \
         kubectl patch obstack dts-dev -n ca7f8f-dev --type merge -p '{{\"spec\":{{\"metrics\":{{\"components\":{{\"querier\":{{\"resources\":{{\"limits\":{{\"cpu\":\"1\"}}}}}}}}}}}}}}'\
         {storage}\n\
         # Volumes and buckets stay\n  \
         kubectl delete obstack dts-dev -n ca7f8f-dev; kubectl get pvc -n ca7f8f-dev"
    )
}

/// What a shell needs to use kubectl.
pub fn environment(sandbox: &Sandbox) -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&path).any(|dir| dir.join("kubectl").is_file());
    let dir = sandbox.tools.kubectl.path.parent().filter(|_| !there);
    let export = dir.map(|dir| format!("  export PATH=\"$PATH:{}\"\n", dir.display())).unwrap_or_default();
    format!("  eval \"$(cargo xtask sandbox env)\"\n{export}")
}

fn text(object: &Value, path: &str) -> String {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn names(object: &Value, list: &str) -> Vec<String> {
    object
        .pointer(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|entry| text(entry, "/name"))
        .collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|one| text(one, "/type") == "Ready" && text(one, "/status") == "True")
}

/// The sum of a quantity in many objects.
fn sum<'a>(objects: impl Iterator<Item = &'a Value>, path: &str) -> Amount {
    objects.filter_map(|object| Amount::parse(&text(object, path)).ok()).sum()
}
