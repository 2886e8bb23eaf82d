//! The watches that feed the live view: one a kind for all stacks, whatever their number.

mod room;
mod served;

use std::{
    collections::HashSet,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as CoreEvent, Pod, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ObjectMeta, PartialObjectMeta},
    core::DynamicResourceScope,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use obstack_api::labels;
use obstack_core::{
    names::StackKey,
    objects::{Kind, ObjectId},
};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::{facts, live, live::LiveView, resource_of, secrets::Secrets};
use crate::metrics::Metrics;

/// A watch that heard nothing for this long, in seconds, is made anew; a dead connection is noticed by it.
const WATCH_SECONDS: u32 = 120;

/// How long what an event says is believed: a controller that goes on failing says it again within five minutes.
const WORDS_LAST: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// Reasons of events that tell why a pod or a claim is not there or not ready.
const TELLING: &[&str] = &[
    "FailedCreate",
    "Failed",
    "BackOff",
    "InspectFailed",
    "Unhealthy",
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
    "NodeNotReady",
    "ProvisioningFailed",
    "FailedBinding",
    "WaitForFirstConsumer",
    "WaitForPodScheduled",
    "ExternalProvisioning",
    "VolumeResizeFailed",
];

/// Objects at once, where lists are not streamed.
const PAGE: u32 = 50;

/// What every watch needs.
#[derive(Clone)]
pub struct Watches {
    /// Client for watches.
    pub client: Client,
    /// Namespaces to watch; all when empty.
    pub namespaces: Vec<String>,
    /// What is fed.
    pub view: Arc<LiveView>,
    /// Secrets that stacks name.
    pub secrets: Arc<Secrets>,
    /// Stacks to reconcile.
    pub triggers: mpsc::UnboundedSender<StackKey>,
    /// Counts events.
    pub metrics: Metrics,
    /// Ends the watches.
    pub stop: CancellationToken,
    /// Knows when every watch has its first list.
    pub synced: Arc<Synced>,
    /// Take lists as streams of objects: a page of objects at once is most of the memory that a start needs.
    pub streaming: bool,
}

/// Namespaces and names of objects.
type Names = HashSet<(String, String)>;

/// How a watch is followed.
struct Course {
    /// It has no list yet.
    first: bool,
    /// It ends when the API server gives nothing to read any more.
    until_closed: bool,
}

/// Knows when every watch has its first list.
#[derive(Debug, Default)]
pub struct Synced {
    missing: AtomicUsize,
    done: Notify,
}

impl Synced {
    fn expect(&self) {
        self.missing.fetch_add(1, Ordering::SeqCst);
    }

    fn arrived(&self) {
        if self.missing.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.done.notify_waiters();
        }
    }

    /// Watches that have no list yet.
    pub fn missing(&self) -> usize {
        self.missing.load(Ordering::SeqCst)
    }

    /// Waits until every watch has its first list.
    pub async fn wait(&self) {
        loop {
            let done = self.done.notified();
            if self.missing() == 0 {
                return;
            }
            done.await;
        }
    }
}

impl Watches {
    /// Starts every watch.
    pub fn start(&self) {
        let scopes: Vec<Option<String>> = if self.namespaces.is_empty() {
            vec![None]
        } else {
            self.namespaces.iter().cloned().map(Some).collect()
        };
        for scope in scopes {
            for kind in Kind::ALL.iter().copied() {
                if kind.is_optional() {
                    self.spawn(self.clone().where_served(kind, scope.clone()));
                } else if kind.is_workload() || kind == Kind::PodDisruptionBudget {
                    self.spawn(self.clone().counted(kind, scope.clone()));
                } else {
                    self.spawn(self.clone().metadata(kind, scope.clone()));
                }
            }
            self.spawn(self.clone().pods(scope.clone()));
            self.spawn(self.clone().named_secrets(scope.clone()));
            self.spawn(
                self.clone().words("type=Warning,involvedObject.kind!=PersistentVolumeClaim", scope.clone()),
            );
            // Some of what is said of claims is no warning, and yet the only word on why one is not bound.
            self.spawn(self.clone().words("involvedObject.kind=PersistentVolumeClaim", scope.clone()));
            self.room_of(scope.as_deref());
        }
        self.room();
    }

    fn spawn(&self, watch: impl Future<Output = ()> + Send + 'static) {
        self.synced.expect();
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = watch => {}
            }
        });
    }

    fn all() -> watcher::Config {
        watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
    }

    fn ours() -> watcher::Config {
        Self::all().labels(labels::STACK)
    }

    fn trigger(&self, key: Option<StackKey>) {
        if let Some(key) = key {
            // The receiver is gone only when the process ends.
            let _ = self.triggers.send(key);
        }
    }

    fn trigger_label(&self, label: Option<&String>) {
        self.trigger(label.and_then(|label| self.view.stack_of(label)));
    }

    /// Follows one watch for ever; see [`follow_as`](Self::follow_as).
    async fn follow<K>(
        &self,
        what: &'static str,
        source: (Api<K>, watcher::Config),
        apply: impl Fn(&K),
        gone: impl Fn(&K),
        relisted: impl Fn(&Names),
    ) where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let mut course = Course { first: true, until_closed: false };
        self.follow_as(what, source, &mut course, apply, gone, relisted).await;
    }

    /// Follows one watch: `apply` gets each object as it is, `gone` each that was deleted, and `relisted` the names of
    /// all there are after each full list. A watch that fails is made anew, with back-off.
    async fn follow_as<K>(
        &self,
        what: &'static str,
        (api, config): (Api<K>, watcher::Config),
        course: &mut Course,
        apply: impl Fn(&K),
        gone: impl Fn(&K),
        relisted: impl Fn(&Names),
    ) where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let mut names = Names::new();
        let mut streaming = self.streaming;
        let start = |streaming| {
            let config = if streaming { config.clone().streaming_lists() } else { config.clone() };
            watcher(api.clone(), config).default_backoff().boxed()
        };
        let mut events = start(streaming);
        while let Some(event) = events.next().await {
            self.metrics.record_watch_event(what);
            match event {
                Ok(Event::Init) => names.clear(),
                Ok(Event::InitApply(object)) => {
                    apply(&object);
                    names.insert((object.namespace().unwrap_or_default(), object.name_any()));
                }
                Ok(Event::InitDone) => {
                    relisted(&std::mem::take(&mut names));
                    self.arrived(course);
                }
                Ok(Event::Apply(object)) => apply(&object),
                Ok(Event::Delete(object)) => gone(&object),
                Err(error) if course.until_closed && is_closed(&error) => {
                    self.arrived(course);
                    return;
                }
                Err(error) => {
                    tracing::warn!(what, %error, "a watch failed and is made anew");
                    if streaming && refuses_streams(&error) {
                        streaming = false;
                        events = start(streaming);
                    }
                }
            }
        }
    }

    fn arrived(&self, course: &mut Course) {
        if std::mem::take(&mut course.first) {
            self.synced.arrived();
        }
    }

    /// Objects of which metadata is enough.
    async fn metadata(self, kind: Kind, scope: Option<String>) {
        let api: Api<PartialObjectMeta<DynamicObject>> = dynamic(&self.client, kind, scope.as_deref());
        self.follow(
            kind.as_str(),
            (api, Self::ours()),
            |object| self.child(&id_of(kind, &object.metadata), &object.metadata),
            |object| self.gone(&id_of(kind, &object.metadata), &object.metadata),
            |names| self.relisted(kind, scope.as_deref(), names),
        )
        .await;
    }

    /// Workloads and budgets: their numbers matter beside their metadata.
    async fn counted(self, kind: Kind, scope: Option<String>) {
        let api: Api<DynamicObject> = dynamic(&self.client, kind, scope.as_deref());
        self.follow(
            kind.as_str(),
            (api, Self::ours()),
            |object| self.count(&id_of(kind, &object.metadata), object),
            |object| self.gone(&id_of(kind, &object.metadata), &object.metadata),
            |names| self.relisted(kind, scope.as_deref(), names),
        )
        .await;
    }

    /// Pods of all stacks.
    async fn pods(self, scope: Option<String>) {
        let api: Api<Pod> = self.api(scope.as_deref());
        let gone = |pod: &Pod| {
            self.view.fold_pod_deleted(&pod.namespace().unwrap_or_default(), &pod.name_any());
            self.trigger_label(pod.labels().get(labels::STACK));
        };
        let relisted = |names: &Names| {
            let covered = |namespace: &str| scope.as_deref().is_none_or(|scope| scope == namespace);
            self.view.fold_pod_relist(&|namespace, name| {
                covered(namespace).then(|| names.contains(&(namespace.to_owned(), name.to_owned())))
            });
        };
        self.follow("Pod", (api, Self::ours()), |pod| self.pod(pod), gone, relisted).await;
    }

    /// Secrets that stacks name carry no label of ours: their metadata tells when to read one again.
    async fn named_secrets(self, scope: Option<String>) {
        let api: Api<PartialObjectMeta<Secret>> = self.api(scope.as_deref());
        let changed = |secret: &PartialObjectMeta<Secret>| {
            for key in self.secrets.invalidate(&secret.namespace().unwrap_or_default(), &secret.name_any()) {
                self.trigger(Some(key));
            }
        };
        self.follow("NamedSecret", (api, Self::all()), changed, changed, |_| {}).await;
    }

    /// What controllers and kubelets say: some causes stand nowhere but in an event.
    async fn words(self, which: &'static str, scope: Option<String>) {
        let api: Api<CoreEvent> = self.api(scope.as_deref());
        let said = |event: &CoreEvent| {
            for key in heard(&self.view, event) {
                self.trigger(Some(key));
            }
        };
        self.follow("Event", (api, Self::all().fields(which)), said, |_| {}, |_| {}).await;
    }

    fn child(&self, id: &ObjectId, metadata: &ObjectMeta) {
        if self.view.fold_child(id, metadata) {
            self.trigger_label(metadata.labels.as_ref().and_then(|set| set.get(labels::STACK)));
        }
    }

    fn count(&self, id: &ObjectId, object: &DynamicObject) {
        self.child(id, &object.metadata);
        let news = match id.kind {
            Kind::PodDisruptionBudget => self.view.fold_budget(id, &facts::budget(object)),
            _ => self.view.fold_workload(id, &facts::workload(id.kind, object)),
        };
        if news {
            self.trigger_label(object.labels().get(labels::STACK));
        }
    }

    fn pod(&self, pod: &Pod) {
        let Some(stack) = pod.labels().get(labels::STACK) else { return };
        let (namespace, uid) = (pod.namespace().unwrap_or_default(), pod.uid().unwrap_or_default());
        if self.view.fold_pod(&namespace, stack, &uid, facts::pod(pod)) {
            self.trigger_label(Some(stack));
        }
    }

    fn gone(&self, id: &ObjectId, metadata: &ObjectMeta) {
        self.view.fold_deleted(id, live::version_of(metadata));
        self.trigger_label(metadata.labels.as_ref().and_then(|set| set.get(labels::STACK)));
    }

    fn relisted(&self, kind: Kind, scope: Option<&str>, names: &Names) {
        let in_list = |id: &ObjectId| {
            let covered = id.kind == kind && scope.is_none_or(|namespace| id.namespace == namespace);
            covered.then(|| names.contains(&(id.namespace.clone(), id.name.clone())))
        };
        for key in self.view.fold_relist(&in_list) {
            self.trigger(Some(key));
        }
    }

    fn api<K>(&self, scope: Option<&str>) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match scope {
            None => Api::all(self.client.clone()),
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
        }
    }
}

/// Takes in what an event says, if it tells why something is not there or not ready. Gives the stacks to look at.
pub(super) fn heard(view: &LiveView, event: &CoreEvent) -> Vec<StackKey> {
    let regarding = &event.involved_object;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (reason, message) = (text(&event.reason), text(&event.message));
    if !TELLING.contains(&reason.as_str()) || is_old(event) {
        return Vec::new();
    }
    let (namespace, kind) = (text(&regarding.namespace), text(&regarding.kind));
    let (name, uid) = (text(&regarding.name), text(&regarding.uid));
    view.hear(&namespace, &kind, &name, &uid, (&reason, &message))
}

/// Whether an event was said too long ago to tell why something is not ready now. A list, after a start, has those of
/// the last hour.
fn is_old(event: &CoreEvent) -> bool {
    let observed = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let times = [
        event.last_timestamp.as_ref().map(|time| time.0),
        event.event_time.as_ref().map(|time| time.0),
        observed.map(|time| time.0),
    ];
    let newest = times.into_iter().flatten().max();
    newest.is_some_and(|at| jiff::Timestamp::now().duration_since(at) > WORDS_LAST)
}

/// The operator may not read what the watch is on, or it is not served.
fn is_closed(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if matches!(status.code, 403 | 404))
}

/// The API server was told not to stream lists (its feature gate `WatchList`).
fn refuses_streams(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if matches!(status.code, 400 | 422))
}

pub(super) fn id_of(kind: Kind, metadata: &ObjectMeta) -> ObjectId {
    ObjectId {
        kind,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

/// The API of a kind that is known by name only.
fn dynamic<K>(client: &Client, kind: Kind, scope: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
{
    let resource = resource_of(kind);
    match scope {
        None => Api::all_with(client.clone(), &resource),
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}
