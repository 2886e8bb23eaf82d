//! Stacks for the tests, and what their status says.

use serde_json::{Map, Value};

/// Tempo as one pod.
pub const TEMPO_SINGLE: &str = "
traces:
  mode: Monolithic
  components:
    singleBinary: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}, storage: {size: 1Gi}}
";

/// Tempo as five components with seven pods.
pub const TEMPO: &str = "
traces:
  mode: Distributed
  replicationFactor: 2
  components:
    distributor: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    ingester: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}, storage: {size: 1Gi}}
    querier: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    queryFrontend: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    compactor: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
";

/// Mimir as nine components with one pod each.
pub const MIMIR: &str = "
metrics:
  replicationFactor: 1
  components:
    distributor: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    ingester: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}, storage: {size: 1Gi}}
    querier: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    queryFrontend: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    queryScheduler: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    compactor: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}, storage: {size: 1Gi}}
    storeGateway: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}, storage: {type: EmptyDir}}
    alertmanager: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}, storage: {size: 1Gi}}
    ruler: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    overridesExporter: {replicas: 0}
    gateway: {replicas: 0}
";

/// The frame of a stack around its backends.
pub fn stack(name: &str, namespace: &str, endpoint: &str, prefix: &str, backends: &[&str]) -> Value {
    let frame = format!(
        "
apiVersion: obstack.dev/v1alpha1
kind: ObservabilityStack
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  environment: e2e
  objectStorage:
    provider: S3
    endpoint: {endpoint}
    credentials: {{secretRef: {{name: s3}}}}
    buckets: {{prefix: {prefix}}}
"
    );
    let mut stack: Value = serde_saphyr::from_str(&frame).expect("the frame is YAML");
    for backend in backends {
        let backend: Map<String, Value> = serde_saphyr::from_str(backend).expect("a backend is YAML");
        for (key, value) in backend {
            stack["spec"][key] = value;
        }
    }
    stack
}

/// Sets a field by its JSON pointer, with the maps that lead to it.
pub fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for key in pointer.split('/').skip(1) {
        at = match at {
            Value::Array(list) => &mut list[key.parse::<usize>().expect("an index")],
            map => {
                if !map.is_object() {
                    *map = Value::Object(Map::new());
                }
                &mut map[key]
            }
        };
    }
    *at = value;
}

/// Removes a field by its JSON pointer.
pub fn unset(object: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer");
    if let Some(map) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        map.remove(key);
    }
}

/// A copy with fields set; `null` removes one.
pub fn edited(object: &Value, edits: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (pointer, value) in edits {
        if value.is_null() { unset(&mut object, pointer) } else { set(&mut object, pointer, value.clone()) }
    }
    object
}

/// The text at a JSON pointer; empty when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A condition of a stack, if it is about the stack's present generation.
pub fn condition<'a>(stack: &'a Value, type_: &str) -> Option<&'a Value> {
    let generation = &stack["metadata"]["generation"];
    let conditions = stack.pointer("/status/conditions").and_then(Value::as_array)?;
    let found = conditions.iter().find(|condition| condition["type"] == type_)?;
    let current =
        found["observedGeneration"] == *generation && stack["status"]["observedGeneration"] == *generation;
    current.then_some(found)
}
