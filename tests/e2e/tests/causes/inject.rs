//! How causes come about, and how they are healed. What must be said of them is not known here.
//!
//! What needs the API server and the object store alone is the same on any cluster. What needs simulated pods asks the
//! sandbox for what a kubelet would show.

use std::time::{Duration, Instant};

use obstack_e2e::{
    Follow, Keys, LIMIT_RANGE, NAMESPACE, POD, QUOTA, SECRET, STORAGE_CLASS, edited, eventually,
    restricted_pod, text,
};
use obstack_sandbox::Fault;
use serde_json::{Value, json};

use crate::{
    drill::Scene,
    simulated::{self, Shown},
};

/// What an injection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// An API server with its controllers, and an object store.
    Api,
    /// Pods or nodes that fail on demand.
    SimulatedPod,
}

/// How a cause comes about.
#[derive(Clone, Copy, Debug)]
pub enum Injection {
    /// A quota shrinks, and a pod is deleted.
    TightQuota,
    /// A quota begins to count CPU limits, and a pod is deleted.
    QuotaOnCpuLimits,
    /// A limit range allows less than a pod has, and the pod is deleted.
    LowMaximum,
    /// A limit range allows less CPU than a pod requests, so it brings a limit that is too low, and the pod is deleted.
    LowCpu,
    /// The namespace becomes `restricted`, and admission mounts a folder of the node into a pod that is made anew.
    HostPath,
    /// A limit range brings a CPU limit for a pod that is still to be made.
    DefaultToCome,
    /// A limit range brings a CPU limit, and a pod is made anew.
    Default,
    /// The Secret with the keys is deleted.
    NoSecret,
    /// A key is taken out of the Secret.
    NoSecretKey,
    /// The spec asks for a chart that its source does not have.
    NoChart,
    /// The spec asks for a node that nobody has.
    NoNode,
    /// The object store no longer answers.
    ClosedDoor,
    /// The Secret holds the keys of somebody who may only read.
    ReadersKeys,
    /// The bucket is deleted.
    NoBucket,
    /// A stack is made whose volumes are of a class that does not exist.
    NoClass,
    /// Pods or nodes fail.
    Shown(Shown),
}

impl Injection {
    /// What it needs.
    pub fn needs(self) -> Needs {
        if let Self::Shown(_) = self { Needs::SimulatedPod } else { Needs::Api }
    }

    /// Whether the API server tells of it at once. Of the rest the operator's own probe or the node controller does.
    pub fn is_told_at_once(self) -> bool {
        !matches!(
            self,
            Self::ClosedDoor | Self::NoBucket | Self::Shown(Shown::NoStore | Shown::NoBucket | Shown::Node)
        )
    }

    /// In a few words, for the table.
    pub fn how(self) -> &'static str {
        match self {
            Self::TightQuota => "ResourceQuota below a request, pod deleted",
            Self::QuotaOnCpuLimits => "ResourceQuota on limits.cpu, pod deleted",
            Self::LowMaximum => "LimitRange with a max memory below the request, pod deleted",
            Self::LowCpu => "LimitRange with a max cpu below the request, pod deleted",
            Self::HostPath => "namespace restricted, admission adds a hostPath to pods",
            Self::DefaultToCome => "LimitRange with a default cpu, a pod still to be made",
            Self::Default => "LimitRange with a default cpu, pod deleted",
            Self::NoSecret => "Secret deleted",
            Self::NoSecretKey => "key removed from the Secret",
            Self::NoChart => "chart version that the source does not have",
            Self::NoNode => "nodeSelector that no node has",
            Self::ClosedDoor => "object store no longer answers",
            Self::ReadersKeys => "keys of an account that may only read",
            Self::NoBucket => "bucket deleted, create: false",
            Self::NoClass => "new stack, StorageClass does not exist",
            Self::Shown(shown) => shown.how(),
        }
    }

    /// Does it. Gives the moment at which the last request was answered.
    pub async fn inject(self, scene: &Scene<'_>) -> Instant {
        let (world, namespace) = (scene.world, &*scene.world.namespace);
        match self {
            Self::TightQuota => {
                quota(scene, "team", json!({"requests.cpu": "1"})).await;
                quota(scene, "team", json!({"requests.cpu": "5m"})).await;
                delete_pod(scene).await;
            }
            Self::QuotaOnCpuLimits => {
                quota(scene, "limits", json!({"limits.cpu": "1"})).await;
                delete_pod(scene).await;
            }
            Self::LowMaximum => {
                limit_range(scene, "small", json!({"max": {"memory": "32Mi"}})).await;
                delete_pod(scene).await;
            }
            Self::LowCpu => {
                limit_range(scene, "small", json!({"max": {"cpu": "5m"}})).await;
                delete_pod(scene).await;
            }
            Self::HostPath => {
                let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
                let patch = json!({"metadata": {"labels": labels}});
                world.cluster.merge(NAMESPACE, "", namespace, "e2e", patch).await;
                meddle(scene).await;
                spec(scene, "patches", anew(scene)).await;
            }
            Self::DefaultToCome => {
                meddle(scene).await;
                spec(scene, "patches", anew(scene)).await;
                scene.until("WorkloadsReady", "SecurityPolicyDenied").await;
                limit_range(scene, "defaults", json!({"default": {"cpu": "500m"}})).await;
            }
            Self::Default => {
                limit_range(scene, "defaults", json!({"default": {"cpu": "500m"}})).await;
                delete_pod(scene).await;
            }
            Self::NoSecret => world.cluster.delete(SECRET, namespace, "s3").await,
            Self::NoSecretKey => {
                let patch = json!({"data": {"AWS_SECRET_ACCESS_KEY": null}});
                world.cluster.merge(SECRET, namespace, "s3", "e2e", patch).await;
            }
            Self::NoChart => {
                let digest = format!("sha256:{}", "0".repeat(64));
                spec(scene, "chart", json!({"version": "2.9.9", "digest": digest})).await;
            }
            Self::NoNode => {
                let nowhere = json!({"singleBinary": {"nodeSelector": {"e2e.obstack.dev/disk": "fast"}}});
                spec(scene, "components", nowhere).await;
            }
            Self::ClosedDoor => set_door(scene, false),
            Self::ReadersKeys => {
                let s3 = &world.sandbox.s3;
                let (access, secret) = (s3.read_only_access_key.clone(), s3.read_only_secret_key.clone());
                world.put_keys(namespace, "s3", &Keys { access, secret }).await;
            }
            Self::NoBucket => {
                world.s3.delete_bucket(&bucket(scene)).await;
            }
            Self::NoClass => {
                let class = "/spec/traces/components/singleBinary/storage/className";
                world.make(&edited(&scene.stack, &[(class, class_name(scene).into())])).await;
            }
            Self::Shown(shown) => shown.inject(scene).await,
        }
        Instant::now()
    }

    /// Undoes it. Gives the moment at which the last request was answered.
    pub async fn heal(self, scene: &Scene<'_>) -> Instant {
        let (world, namespace) = (scene.world, &*scene.world.namespace);
        let delete = async |kind, name: &str| world.cluster.delete(kind, namespace, name).await;
        match self {
            Self::TightQuota => {
                let patch = json!({"spec": {"hard": {"requests.cpu": "1"}}});
                world.cluster.merge(QUOTA, namespace, "team", "e2e", patch).await;
            }
            Self::QuotaOnCpuLimits => delete(QUOTA, "limits").await,
            Self::LowMaximum | Self::LowCpu => delete(LIMIT_RANGE, "small").await,
            // The namespace stays restricted: what is rendered keeps to it.
            Self::HostPath => {
                leave_alone(scene).await;
                spec(scene, "patches", Value::Null).await;
            }
            Self::DefaultToCome => {
                delete(LIMIT_RANGE, "defaults").await;
                leave_alone(scene).await;
                spec(scene, "patches", Value::Null).await;
            }
            Self::Default => {
                delete(LIMIT_RANGE, "defaults").await;
                delete_pod(scene).await;
            }
            Self::NoSecret | Self::NoSecretKey | Self::ReadersKeys => {
                world.put_keys(namespace, "s3", &world.keys()).await;
            }
            Self::NoChart => spec(scene, "chart", Value::Null).await,
            Self::NoNode => {
                spec(scene, "components", json!({"singleBinary": {"nodeSelector": null}})).await;
            }
            Self::ClosedDoor => set_door(scene, true),
            Self::NoBucket => world.s3.make_bucket(&bucket(scene)).await,
            Self::NoClass => {
                let class = json!({
                    "metadata": {"name": class_name(scene)},
                    "provisioner": "kubernetes.io/host-path",
                });
                world.cluster.make(STORAGE_CLASS, &class).await;
            }
            Self::Shown(shown) => shown.heal(scene).await,
        }
        Instant::now()
    }
}

/// Changes a field of `spec.traces`.
async fn spec(scene: &Scene<'_>, field: &str, value: Value) {
    scene.world.change(scene.name(), json!({"spec": {"traces": {field: value}}})).await;
}

/// A patch by which the pod is made anew.
fn anew(scene: &Scene<'_>) -> Value {
    let path = "/spec/template/metadata/annotations/e2e.obstack.dev~1anew";
    let target = json!({"kind": "StatefulSet", "name": format!("{}-tempo", scene.name())});
    json!([{"target": target, "operations": [{"op": "add", "path": path, "value": "yes"}]}])
}

/// Has admission put a folder of the node into each pod of the namespace, as a webhook does that brings a sidecar.
async fn meddle(scene: &Scene<'_>) {
    let volume = "Object{spec: Object.spec{volumes: [Object.spec.volumes{\
                  name: \"host\", hostPath: Object.spec.volumes.hostPath{path: \"/var/log\"}}]}}";
    scene.world.change_pods("true", volume).await;
    meddles(scene, true).await;
}

/// Ends it.
async fn leave_alone(scene: &Scene<'_>) {
    scene.world.admit().await;
    meddles(scene, false).await;
}

/// Waits until the API server puts the folder into pods, or does not.
async fn meddles(scene: &Scene<'_>, wanted: bool) {
    let pod = restricted_pod(&scene.world.namespace, Some(1000));
    eventually("admission does as it is told", async || {
        let refused = match scene.world.cluster.create(POD, &pod, true).await {
            Ok(_) => false,
            Err(error) if error.to_string().contains("hostPath") => true,
            Err(error) => return Err(error.to_string()),
        };
        if refused == wanted { Ok(()) } else { Err(format!("refused: {refused}")) }
    })
    .await;
}

/// Makes or changes a quota, and waits until it counts.
async fn quota(scene: &Scene<'_>, name: &str, hard: Value) {
    let (cluster, namespace) = (&scene.world.cluster, &*scene.world.namespace);
    let follow = Follow::of(cluster, QUOTA, namespace, name);
    let spec = json!({"hard": hard});
    if cluster.find(QUOTA, namespace, name).await.is_some() {
        cluster.merge(QUOTA, namespace, name, "e2e", json!({"spec": spec})).await;
    } else {
        let metadata = json!({"name": name, "namespace": namespace});
        cluster.make(QUOTA, &json!({"metadata": metadata, "spec": spec})).await;
    }
    let counts = |quota: &Value| quota["status"]["hard"] == hard && quota["status"]["used"].is_object();
    let counted = follow.first(follow.mark(), Duration::from_secs(30), counts).await;
    assert!(counted.is_some(), "the quota {name} is not counted");
}

async fn limit_range(scene: &Scene<'_>, name: &str, mut rule: Value) {
    rule["type"] = "Container".into();
    let metadata = json!({"name": name, "namespace": scene.world.namespace});
    let range = json!({"metadata": metadata, "spec": {"limits": [rule]}});
    scene.world.cluster.make(LIMIT_RANGE, &range).await;
}

/// Deletes Tempo's pod: its controller makes another.
async fn delete_pod(scene: &Scene<'_>) {
    let name = simulated::pod(scene, "tempo");
    scene.world.cluster.delete(POD, &scene.world.namespace, &name).await;
}

/// Opens or closes the way to the object store.
pub fn set_door(scene: &Scene<'_>, open: bool) {
    scene.door.as_ref().expect("the scene has a door").set_open(open);
}

/// The bucket with traces.
pub fn bucket(scene: &Scene<'_>) -> String {
    format!("{}-traces-{}-blocks", scene.world.prefix, text(&scene.stack, "/spec/environment"))
}

/// A class that no other test has.
pub fn class_name(scene: &Scene<'_>) -> String {
    format!("{}-fast", scene.world.prefix)
}

/// What a pod shows while it has this fault.
pub const fn shows(fault: Fault) -> Injection {
    Injection::Shown(Shown::Pod(fault))
}
