//! Faults of pods and nodes, as the sandbox shows them.

use kube::api::{DeleteParams, Patch, PatchParams};
use obstack_e2e::{NODE, POD, eventually, set, text};
use obstack_sandbox::{FAIL_ANNOTATION, FAIL_MESSAGE_ANNOTATION, Fault, LOST_ANNOTATION};
use serde_json::{Value, json};

use crate::{drill::Scene, inject};

/// The last words of a Tempo whose port is taken.
const TAKEN: &str = "level=info caller=main.go:225 msg=\"initialising OpenTracing tracer\"\n\
    level=error caller=main.go:121 msg=\"error running Tempo\" err=\"failed to init module services: \
    error initialising module: internal-server: listen tcp :3200: bind: address already in use\"\n";

/// What pods or a node show.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A fault of Tempo's pod. A container that fails its probe runs for long already, and an evicted pod stays: its
    /// controller would replace it within milliseconds.
    Pod(Fault),
    /// Tempo ends again and again with words about something else than its object store.
    Crash,
    /// The object store no longer answers, Tempo ends again and again, and Mimir's ingester is not ready.
    NoStore,
    /// The bucket is deleted, and Tempo ends again and again.
    NoBucket,
    /// The node of Tempo's pod is lost.
    Node,
}

impl Shown {
    /// In a few words, for the table.
    pub fn how(self) -> &'static str {
        match self {
            Self::Pod(Fault::Oom) => "container killed for its memory",
            Self::Pod(Fault::Image) => "image not found",
            Self::Pod(Fault::Probe) => "probe of a pod that ran for long fails",
            Self::Pod(Fault::Secret) => "a Secret of the pod is missing",
            Self::Pod(Fault::SecretKey) => "a key of a Secret of the pod is missing",
            Self::Pod(Fault::Evicted) => "pod evicted and not replaced yet",
            Self::Pod(_) => "pod fails",
            Self::Crash => "container ends with words of its own",
            Self::NoStore => "object store closed, Tempo crashes, Mimir's probe fails",
            Self::NoBucket => "bucket deleted, Tempo crashes",
            Self::Node => "node lost: its controller says so after 12 s",
        }
    }

    /// Has it shown.
    pub async fn inject(self, scene: &Scene<'_>) {
        match self {
            Self::Pod(fault) => {
                match fault {
                    Fault::Probe => started_long_ago(scene, "tempo").await,
                    Fault::Evicted => keep_pods(scene).await,
                    _ => {}
                }
                fail(scene, "tempo", Some(fault), None).await;
            }
            Self::Crash => fail(scene, "tempo", Some(Fault::Crash), Some(TAKEN)).await,
            Self::NoStore => {
                inject::set_door(scene, false);
                let (bucket, endpoint) =
                    (inject::bucket(scene), text(&scene.stack, "/spec/objectStorage/endpoint"));
                let host = endpoint.trim_start_matches("http://");
                let words =
                    format!("Get \"{endpoint}/{bucket}/\": dial tcp {host}: connect: connection refused");
                fail(scene, "tempo", Some(Fault::Crash), Some(&no_store(&bucket, &words))).await;
                fail(scene, "mimir-ingester", Some(Fault::Probe), None).await;
            }
            Self::NoBucket => {
                let bucket = inject::bucket(scene);
                scene.world.s3.delete_bucket(&bucket).await;
                let words = no_store(&bucket, "The specified bucket does not exist");
                fail(scene, "tempo", Some(Fault::Crash), Some(&words)).await;
            }
            Self::Node => lose(scene, json!("true")).await,
        }
    }

    /// Has it shown no more.
    pub async fn heal(self, scene: &Scene<'_>) {
        match self {
            Self::Pod(Fault::Evicted) => scene.world.admit().await,
            Self::Pod(_) | Self::Crash => fail(scene, "tempo", None, None).await,
            Self::NoStore => {
                inject::set_door(scene, true);
                fail(scene, "tempo", None, None).await;
                fail(scene, "mimir-ingester", None, None).await;
            }
            Self::NoBucket => {
                scene.world.s3.make_bucket(&inject::bucket(scene)).await;
                fail(scene, "tempo", None, None).await;
            }
            Self::Node => lose(scene, Value::Null).await,
        }
    }
}

/// What a Tempo says that does not get at its bucket.
fn no_store(bucket: &str, words: &str) -> String {
    let words = words.replace('"', "\\\"");
    format!(
        "level=error caller=main.go:110 msg=\"error running Tempo\" err=\"failed to init module services: \
        error initialising module: optional-store: failed to create store: \
        unexpected error from ListObjects on {bucket}: {words}\"\n"
    )
}

/// The first pod of a workload.
pub fn pod(scene: &Scene<'_>, workload: &str) -> String {
    format!("{}-{workload}-0", scene.name())
}

/// The node of the test's own.
pub fn node(scene: &Scene<'_>) -> String {
    format!("{}-node", scene.world.prefix)
}

/// Has a pod fail, or fail no more.
async fn fail(scene: &Scene<'_>, workload: &str, fault: Option<Fault>, words: Option<&str>) {
    let annotations = json!({FAIL_ANNOTATION: fault.map(Fault::as_str), FAIL_MESSAGE_ANNOTATION: words});
    let patch = json!({"metadata": {"annotations": annotations}});
    let (world, pod) = (scene.world, pod(scene, workload));
    world.cluster.merge(POD, &world.namespace, &pod, "e2e", patch).await;
}

/// Has the containers of a pod run for long: a probe that fails soon after the start is part of it.
async fn started_long_ago(scene: &Scene<'_>, workload: &str) {
    let (world, name) = (scene.world, pod(scene, workload));
    let pod = world.cluster.get(POD, &world.namespace, &name).await;
    let mut statuses = pod["status"]["containerStatuses"].clone();
    for status in statuses.as_array_mut().into_iter().flatten() {
        set(status, "/state/running/startedAt", "2026-01-01T00:00:00Z".into());
    }
    let patch = Patch::Merge(json!({"status": {"containerStatuses": statuses}}));
    let pods = world.cluster.api(POD, &world.namespace);
    pods.patch_status(&name, &PatchParams::default(), &patch).await.expect("the status of a pod");
}

/// Has the API server refuse to delete the pods of the namespace.
async fn keep_pods(scene: &Scene<'_>) {
    let validations = json!([{"expression": "false", "message": "pods are kept"}]);
    scene.world.refuse("DELETE", "pods", validations).await;
    eventually("no pod may be deleted", async || {
        let pods = scene.world.cluster.api(POD, &scene.world.namespace);
        let tried = pods.delete(&pod(scene, "tempo"), &DeleteParams::default().dry_run()).await;
        tried.map_or(Ok(()), |_| Err("it may".to_owned()))
    })
    .await;
}

async fn lose(scene: &Scene<'_>, lost: Value) {
    let patch = json!({"metadata": {"annotations": {LOST_ANNOTATION: lost}}});
    scene.world.cluster.merge(NODE, "", &node(scene), "e2e", patch).await;
}
