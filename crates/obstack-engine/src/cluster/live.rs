//! The live view: what the watches have told of every stack's objects, folded into as little as decisions need.
//!
//! Objects themselves are not kept: of a Service only its uid, its version and a hash of the fields we own stay, of a
//! pod only whether it is ready and what troubles it.

mod room;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, RwLock, RwLockReadGuard},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ObjectMeta;
use obstack_api::labels;
use obstack_core::{
    hash,
    live::{
        BudgetFacts, ClaimFacts, ClassFacts, LimitRangeFacts, Live, NodeFacts, PodFacts, QuotaFacts,
        ResourceFacts, WorkloadFacts,
    },
    names::StackKey,
    objects::ObjectId,
};

pub use self::room::Part;
use self::{room::Room, words::Words};

/// An object of a stack as the watches know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The stack's label on it.
    pub stack: Arc<str>,
    /// Its uid.
    pub uid: Box<str>,
    /// Its resource version, as a number.
    pub version: u64,
    /// Hash of the fields we own.
    pub owned: Box<str>,
    /// The manager that wrote last and is not us.
    pub other_manager: Option<Arc<str>>,
    /// It is gone; kept so that "deleted" can be told from "not seen yet".
    pub deleted: bool,
}

/// What the watches have told.
#[derive(Debug, Default)]
pub struct LiveView {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stacks: HashMap<String, StackKey>,
    children: HashMap<ObjectId, Child>,
    /// By namespace, so that a look at one stack does not pass over all.
    workloads: HashMap<String, HashMap<ObjectId, WorkloadFacts>>,
    /// By namespace.
    pods: HashMap<String, Vec<KnownPod>>,
    /// By namespace, as workloads.
    budgets: HashMap<String, HashMap<ObjectId, BudgetFacts>>,
    room: Room,
    words: Words,
    /// Labels and managers, which many objects share.
    names: HashSet<Arc<str>>,
    /// Resources of containers, which the pods of a workload share.
    resources: HashSet<Arc<ResourceFacts>>,
}

/// A pod, with the label of its stack.
#[derive(Debug)]
struct KnownPod {
    stack: Arc<str>,
    uid: Box<str>,
    facts: PodFacts,
}

impl Inner {
    /// The one copy of a name.
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        if self.names.len() == self.names.capacity() {
            // It would grow: drop what nothing has any more.
            self.names.retain(|name| Arc::strong_count(name) > 1);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    /// The one copy of a container's resources.
    fn shared_resources(&mut self, resources: &Arc<ResourceFacts>) -> Arc<ResourceFacts> {
        if let Some(known) = self.resources.get(resources) {
            return Arc::clone(known);
        }
        if self.resources.len() == self.resources.capacity() {
            self.resources.retain(|resources| Arc::strong_count(resources) > 1);
        }
        self.resources.insert(Arc::clone(resources));
        Arc::clone(resources)
    }

    /// Stacks of a namespace.
    fn stacks_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a StackKey> {
        self.stacks.values().filter(move |key| key.namespace == namespace)
    }

    /// Hears a controller or a kubelet.
    fn hear(&mut self, namespace: &str, kind: &str, name: &str, uid: &str, said: (&str, &str)) -> bool {
        let Self { words, workloads, pods, .. } = self;
        let known = |namespace: &str, (kind, name): &(String, String)| match kind.as_str() {
            "Pod" => pods.get(namespace).is_some_and(|pods| pods.iter().any(|pod| pod.facts.name == *name)),
            "PersistentVolumeClaim" => workloads.contains_key(namespace),
            _ => workloads
                .get(namespace)
                .is_some_and(|known| known.keys().any(|id| names_controller(&id.name, name))),
        };
        words.hear(namespace, (kind.to_owned(), name.to_owned()), uid, said, &known)
    }

    fn forget_workload(&mut self, id: &ObjectId) {
        if let Some(budgets) = self.budgets.get_mut(&id.namespace) {
            budgets.remove(id);
            if budgets.is_empty() {
                self.budgets.remove(&id.namespace);
            }
        }
        if let Some(workloads) = self.workloads.get_mut(&id.namespace) {
            workloads.remove(id);
            if workloads.is_empty() {
                self.workloads.remove(&id.namespace);
            }
        }
    }

    fn workloads_of(&self, namespace: &str) -> impl Iterator<Item = (&ObjectId, &WorkloadFacts)> {
        self.workloads.get(namespace).into_iter().flatten()
    }
}

impl LiveView {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // A poisoned lock means that a fold panicked; the view is rebuilt by the next relist.
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Learns a stack, so that its label leads to it.
    pub fn learn_stack(&self, key: &StackKey) {
        let label = key.label();
        if !self.read().stacks.contains_key(&label) {
            self.write().stacks.insert(label, key.clone());
        }
    }

    /// Forgets a stack, and which of its objects are gone. Those that stay, as `Retain` wants it, stay known.
    pub fn forget_stack(&self, key: &StackKey) {
        let label = key.label();
        let mut inner = self.write();
        inner.stacks.remove(&label);
        inner.children.retain(|_, child| !child.deleted || child.stack.as_ref() != label);
    }

    /// The stack that a label names.
    pub fn stack_of(&self, label: &str) -> Option<StackKey> {
        self.read().stacks.get(label).cloned()
    }

    /// Takes in an object as it is now. Returns whether what we own of it changed.
    pub fn fold_child(&self, id: &ObjectId, metadata: &ObjectMeta) -> bool {
        let Some(mut child) = Child::of(metadata) else { return false };
        let mut inner = self.write();
        child.stack = inner.shared(&child.stack);
        child.other_manager = child.other_manager.map(|manager| inner.shared(&manager));
        let Some(before) = inner.children.get_mut(id) else {
            inner.children.insert(id.clone(), child);
            return true;
        };
        let before = std::mem::replace(before, child.clone());
        before.deleted || before.uid != child.uid || before.owned != child.owned
    }

    /// Takes in that an object is gone.
    pub fn fold_deleted(&self, id: &ObjectId, version: u64) {
        let mut inner = self.write();
        inner.forget_workload(id);
        let Inner { stacks, children, .. } = &mut *inner;
        let Some(child) = children.get_mut(id) else { return };
        child.deleted = true;
        child.version = child.version.max(version);
        if !stacks.contains_key(child.stack.as_ref()) {
            // Nobody is left to whom it matters that it was deleted.
            children.remove(id);
        }
    }

    /// After a new list of a kind in a namespace (all when `None`): what is not in it is gone.
    pub fn fold_relist(&self, listed: &dyn Fn(&ObjectId) -> Option<bool>) -> Vec<StackKey> {
        let mut inner = self.write();
        let gone: Vec<ObjectId> = inner
            .children
            .iter()
            .filter(|(id, child)| !child.deleted && listed(id) == Some(false))
            .map(|(id, _)| id.clone())
            .collect();
        let mut stacks = Vec::new();
        for id in gone {
            inner.forget_workload(&id);
            let label = inner.children.get_mut(&id).map(|child| {
                child.deleted = true;
                child.version = u64::MAX;
                child.stack.clone()
            });
            stacks.extend(label.and_then(|label| inner.stacks.get(label.as_ref()).cloned()));
        }
        stacks
    }

    /// Takes in a workload's numbers. Returns whether they changed.
    pub fn fold_workload(&self, id: &ObjectId, facts: &WorkloadFacts) -> bool {
        let mut inner = self.write();
        if facts.created >= facts.replicas {
            // It can make pods again: what it said before is over.
            inner
                .words
                .forget(&id.namespace, |kind, name| is_controller(kind) && names_controller(&id.name, name));
        }
        let workloads = inner.workloads.entry(id.namespace.clone()).or_default();
        let before = workloads.insert(id.clone(), facts.clone());
        before.is_none_or(|before| before != *facts)
    }

    /// Takes in a budget's numbers. Returns whether they changed.
    pub fn fold_budget(&self, id: &ObjectId, facts: &BudgetFacts) -> bool {
        let mut inner = self.write();
        let budgets = inner.budgets.entry(id.namespace.clone()).or_default();
        budgets.insert(id.clone(), facts.clone()).as_ref() != Some(facts)
    }

    /// Takes in a pod. Returns whether anything that matters changed.
    pub fn fold_pod(&self, namespace: &str, stack: &str, uid: &str, mut facts: PodFacts) -> bool {
        let mut inner = self.write();
        let stack = inner.shared(stack);
        for container in &mut facts.containers {
            container.resources = inner.shared_resources(&container.resources);
        }
        if facts.ready {
            // What was said before it became ready is over.
            inner.words.forget(namespace, |kind, name| kind == "Pod" && name == facts.name);
        }
        let pods = inner.pods.entry(namespace.to_owned()).or_default();
        let Some(known) = pods.iter_mut().find(|known| known.facts.name == facts.name) else {
            pods.push(KnownPod { stack, uid: uid.into(), facts });
            return true;
        };
        let news = known.facts != facts || known.uid.as_ref() != uid;
        *known = KnownPod { stack, uid: uid.into(), facts };
        news
    }

    /// Takes in that a pod is gone.
    pub fn fold_pod_deleted(&self, namespace: &str, name: &str) {
        let mut inner = self.write();
        inner.words.forget(namespace, |kind, of| kind == "Pod" && of == name);
        let Some(pods) = inner.pods.get_mut(namespace) else { return };
        pods.retain(|pod| pod.facts.name != name);
        if pods.is_empty() {
            inner.pods.remove(namespace);
        }
    }

    /// After a new list of pods: what is not in it is gone.
    pub fn fold_pod_relist(&self, listed: &dyn Fn(&str, &str) -> Option<bool>) {
        self.write().pods.retain(|namespace, pods| {
            pods.retain(|pod| listed(namespace, &pod.facts.name) != Some(false));
            !pods.is_empty()
        });
    }

    /// Hears what a controller or a kubelet says of an object. It may come before the object itself does. Gives the
    /// stack to look at when it is news.
    pub fn hear(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        uid: &str,
        said: (&str, &str),
    ) -> Vec<StackKey> {
        let mut inner = self.write();
        if !inner.hear(namespace, kind, name, uid, said) {
            return Vec::new();
        }
        match kind {
            "Pod" => {
                let pods = inner.pods.get(namespace).into_iter().flatten();
                let stack = pods.filter(|pod| pod.facts.name == name).map(|pod| pod.stack.as_ref()).next();
                stack.and_then(|stack| inner.stacks.get(stack)).cloned().into_iter().collect()
            }
            "PersistentVolumeClaim" => inner.stacks_in(namespace).cloned().collect(),
            _ => {
                let mut children = inner.workloads_of(namespace);
                let child = children.find(|(id, _)| names_controller(&id.name, name)).map(|(id, _)| id);
                let stack = child.and_then(|child| inner.children.get(child)).map(|child| &child.stack);
                stack.and_then(|stack| inner.stacks.get(stack.as_ref())).cloned().into_iter().collect()
            }
        }
    }

    /// Learns whether something of the room may be read. Gives the stacks that it matters to.
    pub fn open(&self, part: Part, scope: Option<&str>, open: bool) -> Vec<StackKey> {
        let mut inner = self.write();
        if !inner.room.open(part, scope, open) {
            return Vec::new();
        }
        let in_scope = |key: &&StackKey| scope.is_none_or(|scope| scope == key.namespace);
        inner.stacks.values().filter(in_scope).cloned().collect()
    }

    /// Takes in a volume claim. Gives the stacks of its namespace when it is news.
    pub fn fold_claim(&self, namespace: &str, facts: ClaimFacts) -> Vec<StackKey> {
        let mut inner = self.write();
        let news = inner.room.put_claim(namespace, facts);
        inner.stacks_in(namespace).filter(|_| news).cloned().collect()
    }

    /// Takes in a quota. Gives the stacks of its namespace when it is news.
    pub fn fold_quota(&self, namespace: &str, facts: QuotaFacts) -> Vec<StackKey> {
        let mut inner = self.write();
        let news = inner.room.put_quota(namespace, facts);
        inner.stacks_in(namespace).filter(|_| news).cloned().collect()
    }

    /// Takes in a limit range. Gives the stacks of its namespace when it is news.
    pub fn fold_limit_range(&self, namespace: &str, facts: LimitRangeFacts) -> Vec<StackKey> {
        let mut inner = self.write();
        let news = inner.room.put_limit_range(namespace, facts);
        inner.stacks_in(namespace).filter(|_| news).cloned().collect()
    }

    /// Takes in a node. Gives the stacks with pods on it when it is news.
    pub fn fold_node(&self, name: &str, facts: NodeFacts) -> Vec<StackKey> {
        let mut inner = self.write();
        if !inner.room.put_node(name, facts) {
            return Vec::new();
        }
        let on_it = inner.pods.values().flatten().filter(|pod| pod.facts.node == name);
        let stacks: HashSet<_> = on_it.map(|pod| pod.stack.as_ref()).collect();
        stacks.into_iter().filter_map(|stack| inner.stacks.get(stack)).cloned().collect()
    }

    /// Takes in a storage class. Gives all stacks when it is news.
    pub fn fold_class(&self, name: &str, facts: ClassFacts) -> Vec<StackKey> {
        let mut inner = self.write();
        let news = inner.room.put_class(name, facts);
        inner.stacks.values().filter(|_| news).cloned().collect()
    }

    /// Takes in that something of the room is gone. Gives the stacks that it matters to.
    pub fn fold_room_deleted(&self, part: Part, namespace: &str, name: &str) -> Vec<StackKey> {
        let mut inner = self.write();
        let news = inner.room.remove(part, namespace, name);
        let near = |key: &&StackKey| news && (namespace.is_empty() || namespace == key.namespace);
        inner.stacks.values().filter(near).cloned().collect()
    }

    /// After a new list of something of the room: what is not in it is gone.
    pub fn fold_room_relist(&self, part: Part, listed: &dyn Fn(&str, &str) -> Option<bool>) {
        self.write().room.relist(part, listed);
    }

    /// An object as the watches know it, gone or not.
    pub fn child(&self, id: &ObjectId) -> Option<Child> {
        self.read().children.get(id).cloned()
    }

    /// Whether the watches have told of a version of an object, or of a later one.
    pub fn has_seen(&self, id: &ObjectId, version: u64) -> bool {
        self.read().children.get(id).is_some_and(|child| child.version >= version)
    }

    /// Objects of a stack that are there.
    pub fn children_of(&self, key: &StackKey) -> Vec<(ObjectId, String)> {
        let label = key.label();
        let inner = self.read();
        let mine = inner.children.iter().filter(|(_, child)| !child.deleted && child.stack.as_ref() == label);
        mine.map(|(id, child)| (id.clone(), child.uid.to_string())).collect()
    }

    /// Workloads and pods of a stack.
    pub fn live(&self, key: &StackKey) -> Live {
        let label = key.label();
        let inner = self.read();
        // A stack's workloads and pods are in its own namespace.
        let mine = inner.workloads_of(&key.namespace).filter(|(id, _)| {
            inner.children.get(*id).is_some_and(|child| !child.deleted && child.stack.as_ref() == label)
        });
        let workloads: BTreeMap<_, _> = mine
            .map(|(id, facts)| {
                let mut facts = facts.clone();
                if facts.refusal.is_none() {
                    facts.refusal = inner.words.find(&id.namespace, "FailedCreate", |kind, name| {
                        is_controller(kind) && names_controller(&id.name, name)
                    });
                }
                (id.clone(), facts)
            })
            .collect();
        let pods = inner.pods.get(&key.namespace).into_iter().flatten();
        let pods = pods.filter(|pod| pod.stack.as_ref() == label).map(|pod| {
            let mut facts = pod.facts.clone();
            if !facts.ready {
                let subject = ("Pod".to_owned(), facts.name.clone());
                facts.warnings = inner.words.of(&key.namespace, &subject, &pod.uid);
            }
            facts
        });
        let names: Vec<&str> = workloads.keys().map(|id| id.name.as_str()).collect();
        let mut claims = inner.room.claims_of(&key.namespace, &names);
        for claim in claims.iter_mut().flatten().filter(|claim| claim.phase != "Bound") {
            let subject = ("PersistentVolumeClaim".to_owned(), claim.name.clone());
            claim.said = inner.words.last_of(&key.namespace, &subject);
        }
        let budgets = inner.budgets.get(&key.namespace).into_iter().flatten().filter(|(id, _)| {
            let child = inner.children.get(*id);
            child.is_some_and(|child| !child.deleted && child.stack.as_ref() == label)
        });
        Live {
            pods: pods.collect(),
            workloads,
            claims,
            budgets: budgets.map(|(id, facts)| (id.name.clone(), facts.clone())).collect(),
            quotas: inner.room.quotas(&key.namespace),
            limit_ranges: inner.room.limit_ranges(&key.namespace),
            nodes: inner.room.nodes(),
            classes: inner.room.classes(),
        }
    }
}

impl Child {
    /// What decisions need of an object's metadata; `None` when it is not of a stack.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let stack = metadata.labels.as_ref()?.get(labels::STACK)?;
        let fields = metadata.managed_fields.as_deref().unwrap_or_default();
        let others =
            fields.iter().filter(|entry| !is_ours(entry) && entry.subresource.as_deref() != Some("status"));
        let last = others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
        Some(Self {
            stack: stack.as_str().into(),
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            version: version_of(metadata),
            owned: owned_fields(metadata).into(),
            other_manager: last.and_then(|entry| entry.manager.as_deref()).map(Into::into),
            deleted: false,
        })
    }
}

/// Resource version as a number: versions of one object can be ordered (KEP-5504, and etcd revisions before it).
pub fn version_of(metadata: &ObjectMeta) -> u64 {
    metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Hash of the fields that we own on an object. Whoever changes or removes one of them takes it from us, so the hash
/// tells drift exactly: status, and fields of other managers, do not move it.
pub fn owned_fields(metadata: &ObjectMeta) -> String {
    let ours = metadata.managed_fields.as_deref().unwrap_or_default().iter().find(|entry| is_ours(entry));
    let fields = ours.and_then(|entry| entry.fields_v1.as_ref()).map(|fields| fields.0.to_string());
    fields.map(|fields| hash::short(&fields, 16)).unwrap_or_default()
}

/// Whether an entry is that of our applies, and of the object itself.
pub(super) fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(labels::FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether a kind is one of those that make pods.
fn is_controller(kind: &str) -> bool {
    matches!(kind, "StatefulSet" | "ReplicaSet" | "Deployment" | "DaemonSet")
}

/// Whether a controller's name is the workload's, or its replica set's (`NAME-<hash>`).
fn names_controller(workload: &str, controller: &str) -> bool {
    controller
        .strip_prefix(workload)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(|hash| !hash.contains('-')))
}
