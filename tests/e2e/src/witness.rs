//! Watches every stack of a test from beside the operator: no `Ready=True` without what it claims.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt;
use kube::{
    ResourceExt,
    api::DynamicObject,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{Cluster, DAEMON_SET, DEPLOYMENT, POD, STACK, STATEFUL_SET, condition, kinds::Kind};

/// How old what the operator has seen may be when it says so. Its watches and ours are not the same.
const LAG: Duration = Duration::from_secs(5);
const LABEL: &str = "obstack.dev/stack";

/// What was seen, and when each stack was last complete.
#[derive(Default)]
struct Seen {
    objects: BTreeMap<(&'static str, String, String), Value>,
    complete: BTreeMap<String, Instant>,
    claims: Vec<Claim>,
    told: BTreeSet<(String, String)>,
}

/// A `Ready=True` that was newly said.
struct Claim {
    stack: String,
    at: Instant,
    kept: bool,
    text: String,
}

/// Watches the stacks of some namespaces.
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Begins to watch.
    pub(crate) fn of(cluster: &Cluster, namespaces: &[String]) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut tasks = Vec::new();
        for namespace in namespaces {
            for kind in [STACK, STATEFUL_SET, DEPLOYMENT, DAEMON_SET, POD] {
                let api = cluster.api(kind, namespace);
                let seen = Arc::clone(&seen);
                tasks.push(tokio::spawn(async move {
                    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
                    while let Some(event) = events.next().await {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        match event {
                            Ok(Event::Apply(object) | Event::InitApply(object)) => seen.put(kind, object),
                            Ok(Event::Delete(object)) => seen.remove(kind, &object),
                            _ => {}
                        }
                    }
                }));
            }
        }
        Self { seen, tasks }
    }

    /// Ends the watch: every claim was true when it was made.
    pub(crate) async fn verdict(self) -> Result<usize, Vec<String>> {
        // What made the last claim true may still be on its way to us.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for task in &self.tasks {
            task.abort();
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let broken: Vec<_> =
            seen.claims.iter().filter(|claim| !claim.kept).map(|claim| claim.text.clone()).collect();
        if broken.is_empty() { Ok(seen.claims.len()) } else { Err(broken) }
    }
}

impl Seen {
    fn put(&mut self, kind: Kind, object: DynamicObject) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let object = serde_json::to_value(object).expect("an object is JSON");
        if kind == STACK {
            self.hear(&namespace, &name, &object);
        }
        self.objects.insert((kind.name, namespace, name), object);
        self.judge();
    }

    fn remove(&mut self, kind: Kind, object: &DynamicObject) {
        self.objects.remove(&(kind.name, object.namespace().unwrap_or_default(), object.name_any()));
        self.judge();
    }

    /// Hears a claim: a `Ready=True` of another transition or of another generation than before.
    fn hear(&mut self, namespace: &str, name: &str, stack: &Value) {
        let Some(ready) = condition(stack, "Ready").filter(|ready| ready["status"] == "True") else { return };
        let label = format!("{namespace}.{name}");
        let what = format!("{} {}", ready["lastTransitionTime"], ready["observedGeneration"]);
        if !self.told.insert((format!("{label} {}", stack["metadata"]["uid"]), what.clone())) {
            return;
        }
        let text = format!("{label} said Ready=True ({what}): {}", ready["message"]);
        self.claims.push(Claim { stack: label, at: Instant::now(), kept: false, text });
    }

    /// Notes which stacks are complete now, and which claims that makes true.
    fn judge(&mut self) {
        let now = Instant::now();
        let stacks: Vec<(String, Value)> = self
            .objects
            .iter()
            .filter(|((kind, _, _), _)| *kind == STACK.name)
            .map(|((_, namespace, name), stack)| (format!("{namespace}.{name}"), stack.clone()))
            .collect();
        for (label, stack) in stacks {
            if self.is_complete(&label, &stack) {
                self.complete.insert(label, now);
            }
        }
        for claim in self.claims.iter_mut().filter(|claim| !claim.kept) {
            let seen = self.complete.get(&claim.stack);
            claim.kept = seen.is_some_and(|at| *at + LAG >= claim.at && *at <= claim.at + LAG);
        }
    }

    /// Every workload of the stack runs its newest spec with all its pods, and each of those is ready.
    fn is_complete(&self, label: &str, stack: &Value) -> bool {
        let of_stack = |object: &&Value| object["metadata"]["labels"][LABEL] == label;
        let of_kinds = |kinds: &[&str]| {
            let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
            self.objects
                .iter()
                .filter(move |((kind, _, _), _)| kinds.iter().any(|one| one == kind))
                .map(|(_, v)| v)
        };
        let kinds = [STATEFUL_SET.name, DEPLOYMENT.name, DAEMON_SET.name];
        let workloads: Vec<_> = of_kinds(&kinds).filter(of_stack).collect();
        let number =
            |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        let mut wanted = 0;
        for workload in &workloads {
            // A DaemonSet has no replicas: its controller says how many nodes it found.
            let (wants, counts) = match workload.pointer("/spec/replicas") {
                Some(_) => ("/spec/replicas", ["updatedReplicas", "readyReplicas", "replicas"]),
                None => (
                    "/status/desiredNumberScheduled",
                    ["updatedNumberScheduled", "numberReady", "currentNumberScheduled"],
                ),
            };
            let replicas = number(workload, wants);
            wanted += replicas;
            let full = counts.iter().all(|count| number(workload, &format!("/status/{count}")) == replicas);
            let current =
                number(workload, "/status/observedGeneration") >= number(workload, "/metadata/generation");
            if !full || !current {
                return false;
            }
        }
        let is_ready = |pod: &&Value| {
            let conditions = pod["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            let ready = conditions.any(|one| one["type"] == "Ready" && one["status"] == "True");
            ready && pod["metadata"]["deletionTimestamp"].is_null()
        };
        let ready = of_kinds(&[POD.name]).filter(of_stack).filter(is_ready).count();
        let named = stack["status"]["components"].as_array().into_iter().flatten();
        let mut named = named.filter_map(|component| component["workload"].as_str());
        let there = |name: &str| workloads.iter().any(|workload| workload["metadata"]["name"] == name);
        i64::try_from(ready).is_ok_and(|ready| ready >= wanted) && wanted > 0 && named.all(there)
    }
}
