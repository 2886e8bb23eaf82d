//! What is there at the end, and what to try next.

use serde_json::Value;

use crate::args::Demo;
use crate::demo::place::Place;
use crate::demo::table;
use crate::error::Error;

/// Selects what belongs to a stack.
const OURS: &str = "obstack.dev/stack";

/// Prints what is there, from live objects.
pub fn print(place: &Place) -> Result<(), Error> {
    let stacks = place.list(&["observabilitystacks.obstack.dev", "--all-namespaces"])?;
    let pods = place.list(&["pods", "--all-namespaces", "-l", OURS])?;
    let quotas = place.list(&["resourcequotas", "--all-namespaces"])?;
    let budgets = place.list(&["poddisruptionbudgets", "--all-namespaces", "-l", OURS])?;

    println!("\nPods, and what they and their volumes request of what is free in the namespace:");
    let titles = ["NAMESPACE", "PODS READY", "CPU", "MEMORY", "STORAGE"].map(str::to_owned);
    let rows = stacks.iter().map(|stack| {
        let namespace = text(stack, "/metadata/namespace");
        let quota = quotas.iter().find(|quota| text(quota, "/metadata/namespace") == namespace);
        let own: Vec<&Value> =
            pods.iter().filter(|pod| text(pod, "/metadata/namespace") == namespace).collect();
        let ready = own.iter().filter(|pod| is_ready(pod)).count();
        let used = |resource: &str| quota.map(|quota| used(quota, resource)).unwrap_or_default();
        let (cpu, memory, storage) = (used("cpu"), used("memory"), used("storage"));
        [namespace, format!("{ready}/{}", own.len()), cpu, memory, storage]
    });
    let rows: Vec<[String; 5]> = std::iter::once(titles).chain(rows).collect();
    println!("{}", table::align(&rows).join("\n"));

    let buckets: Vec<String> = stacks.iter().flat_map(|stack| names(stack, "/status/buckets")).collect();
    println!("\nBuckets ({}): {}", buckets.len(), buckets.join(", "));
    let budgets: Vec<String> = budgets.iter().map(|budget| text(budget, "/metadata/name")).collect();
    println!("Disruption budgets ({}): {}", budgets.len(), budgets.join(", "));
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
    let kubectl = match place.as_sandbox() {
        Some(sandbox) => format!(
            "  eval \"$(cargo xtask sandbox env)\"\n  export PATH=\"$PATH:{}\"\n",
            sandbox.tools.kubectl.path.parent().unwrap_or(&sandbox.dir).display()
        ),
        None => String::new(),
    };
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
         kubectl delete obstack dts-dev -n ca7f8f-dev; kubectl get pods,pvc -n ca7f8f-dev"
    )
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

/// `used of hard`, as the quota controller counts.
fn used(quota: &Value, resource: &str) -> String {
    let of = |which: &str| text(quota, &format!("/status/{which}/requests.{resource}"));
    format!("{} of {}", of("used"), of("hard"))
}
