//! The pods of a stack, and what became of them.

use std::collections::BTreeMap;

use obstack_e2e::{POD, World, text};
use serde_json::Value;

/// By the pod's name: its uid, and how often its containers were started anew.
pub type Pods = BTreeMap<String, (String, i64)>;

/// The pods of a stack.
pub async fn pods(world: &World, stack: &Value) -> Vec<Value> {
    let (namespace, name) = (text(stack, "/metadata/namespace"), text(stack, "/metadata/name"));
    let label = format!("{namespace}.{name}");
    let mut pods = world.cluster.list(POD, namespace).await;
    pods.retain(|pod| text(pod, "/metadata/labels/obstack.dev~1stack") == label);
    pods
}

/// Which pods run, and since when they do.
pub async fn ran(world: &World, stack: &Value) -> Pods {
    pods(world, stack).await.iter().map(|pod| (text(pod, "/metadata/name").to_owned(), life(pod))).collect()
}

/// Uid and restarts.
fn life(pod: &Value) -> (String, i64) {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let restarts = containers.filter_map(|container| container["restartCount"].as_i64()).sum();
    (text(pod, "/metadata/uid").to_owned(), restarts)
}

/// The ingesters of Mimir.
pub async fn ingesters(world: &World, stack: &Value) -> Vec<Value> {
    let mut pods = pods(world, stack).await;
    pods.retain(|pod| text(pod, "/metadata/labels/obstack.dev~1component") == "metrics.ingester");
    pods
}

/// How many pods of each component are ready and stay.
pub fn ready(pods: &[Value]) -> BTreeMap<String, usize> {
    let mut ready = BTreeMap::new();
    for pod in pods {
        let component = text(pod, "/metadata/labels/obstack.dev~1component").to_owned();
        *ready.entry(component).or_default() += usize::from(is_ready(pod));
    }
    ready
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.any(|one| one["type"] == "Ready" && one["status"] == "True");
    ready && pod["metadata"]["deletionTimestamp"].is_null()
}
