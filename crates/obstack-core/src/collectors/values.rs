//! Values of the chart `alloy`.

use obstack_api::{AlloyKind, labels};
use serde_json::{Value, json};

use super::{CONFIG, Files, ManagedAlloy, ValidAlloy, config_hash};
use crate::{backends::parts::resources, names::StackKey};

/// Folder for the write-ahead log of metrics that are not sent yet. It goes with the pod.
const DATA: &str = "/var/lib/alloy";

/// User that upstream's image has for Alloy (its `Dockerfile`); the image itself starts as root.
const USER: u32 = 473;

/// Pods on different nodes where that is possible.
fn spread(key: &StackKey, kind: AlloyKind) -> Value {
    match kind {
        AlloyKind::DaemonSet => json!([]),
        AlloyKind::Deployment => json!([{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": key.alloy()}},
        }]),
    }
}

/// The values of a managed Alloy. All of them are the operator's.
///
/// Without the container that reloads: a configuration that Alloy refuses would be noticed by nobody, because the old
/// one goes on. Here a new one is a new pod, which has to become ready first.
pub fn values(key: &StackKey, alloy: &ValidAlloy, managed: &ManagedAlloy, files: &Files) -> Value {
    let (kind, traffic) = match managed.kind {
        AlloyKind::Deployment => ("deployment", "Cluster"),
        AlloyKind::DaemonSet => ("daemonset", "Local"),
    };
    let port =
        |name: &str, port: u16| json!({"name": name, "port": port, "targetPort": port, "protocol": "TCP"});
    json!({
        "fullnameOverride": key.alloy(),
        "crds": {"create": false},
        "rbac": {"create": false},
        "serviceAccount": {"automountServiceAccountToken": false},
        "configReloader": {"enabled": false},
        "image": {"tag": managed.chart.app_version},
        "alloy": {
            "configMap": {"create": false, "name": key.alloy(), "key": CONFIG},
            "enableReporting": false,
            "storagePath": DATA,
            "extraPorts": [port("otlp-grpc", alloy.grpc_port), port("otlp-http", alloy.http_port)],
            "mounts": {"extra": [{"name": "data", "mountPath": DATA}, {"name": "tmp", "mountPath": "/tmp"}]},
            "resources": resources(&managed.component),
            "securityContext": {"runAsUser": USER, "runAsGroup": USER, "readOnlyRootFilesystem": true},
        },
        "controller": {
            "type": kind,
            "replicas": managed.component.replicas,
            "podAnnotations": {labels::CONFIG_HASH: config_hash(files)},
            "topologySpreadConstraints": spread(key, managed.kind),
            "volumes": {"extra": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]},
        },
        "service": {"internalTrafficPolicy": traffic},
    })
}
