//! The stacks of the tests.

use obstack_e2e::{World, edited};
use serde_json::{Value, json};

/// Mimir that survives the loss of one pod of what takes writes and answers queries. Requests are cut to fit two cores,
/// and nothing waits for rings to settle.
pub const HA: &str = "
metrics:
  replicationFactor: 3
  components:
    distributor: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    ingester: {replicas: 3, resources: {requests: {cpu: 20m, memory: 128Mi}, limits: {memory: 1Gi}}, storage: {size: 1Gi}}
    querier: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    queryFrontend: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    queryScheduler: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}}}
    compactor: {replicas: 1, resources: {requests: {cpu: 10m, memory: 64Mi}}, storage: {size: 1Gi}}
    storeGateway: {replicas: 2, resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}, storage: {type: EmptyDir}}
    alertmanager: {replicas: 0}
    ruler: {replicas: 0}
    overridesExporter: {replicas: 0}
    gateway: {replicas: 0}
  values:
    mimir:
      structuredConfig:
        # A minute at each start, for members that come in minutes apart.
        compactor: {sharding_ring: {wait_stability_min_duration: 0s}}
        store_gateway: {sharding_ring: {wait_stability_min_duration: 0s}}
";

/// Mimir with one pod of what it cannot be without, and as hasty.
pub const SMALL: &str = "
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
    alertmanager: {replicas: 0}
    ruler: {replicas: 0}
    overridesExporter: {replicas: 0}
    gateway: {replicas: 0}
  values:
    mimir:
      structuredConfig:
        # A minute at each start, for members that come in minutes apart.
        compactor: {sharding_ring: {wait_stability_min_duration: 0s}}
        store_gateway: {sharding_ring: {wait_stability_min_duration: 0s}}
";

/// The dev environment as the sample has it, with all its sizes, on plain Kubernetes. The canary runs four times as
/// often, because a test waits for three of its rounds; it leaves out traces where no Tempo runs.
pub fn dev(world: &World) -> Value {
    let signals =
        if world.sandbox.is_real("tempo") { json!(["Traces", "Metrics"]) } else { json!(["Metrics"]) };
    edited(
        &world.sample("dev"),
        &[
            ("/spec/platform", "Kubernetes".into()),
            ("/spec/canary/interval", "15s".into()),
            ("/spec/canary/signals", signals),
        ],
    )
}
