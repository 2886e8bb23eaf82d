//! The live view: what the watches have told of every stack's objects, folded into as little as decisions need.
//!
//! Objects themselves are not kept: of a Service only its uid, its version and a hash of the fields we own stay, of a
//! pod only whether it is ready and what troubles it.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, RwLock, RwLockReadGuard},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ObjectMeta;
use obstack_api::labels;
use obstack_core::{
    hash,
    health::{Live, PodFacts, WorkloadFacts},
    names::StackKey,
    objects::ObjectId,
};

/// Refusals that are kept before those of other people's controllers are dropped.
const REFUSALS_MAX: usize = 1024;

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
    /// By namespace, with the label of the stack.
    pods: HashMap<String, Vec<(Arc<str>, PodFacts)>>,
    /// Labels and managers, which many objects share.
    names: HashSet<Arc<str>>,
    /// Why a controller could not make pods, by namespace and name of the controller's object.
    refusals: HashMap<(String, String), String>,
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

    fn forget_workload(&mut self, id: &ObjectId) {
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

    /// The stack whose workload or replica set has a name, for events about it.
    pub fn stack_of_controller(&self, namespace: &str, name: &str) -> Option<StackKey> {
        let inner = self.read();
        let (child, _) = inner.workloads_of(namespace).find(|(id, _)| names_controller(&id.name, name))?;
        inner.stacks.get(inner.children.get(child)?.stack.as_ref()).cloned()
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
            inner.refusals.retain(|(namespace, name), _| {
                *namespace != id.namespace || !names_controller(&id.name, name)
            });
        }
        let workloads = inner.workloads.entry(id.namespace.clone()).or_default();
        let before = workloads.insert(id.clone(), facts.clone());
        before.is_none_or(|before| before != *facts)
    }

    /// Takes in a pod. Returns whether anything that matters changed.
    pub fn fold_pod(&self, namespace: &str, stack: &str, pod: &PodFacts) -> bool {
        let mut inner = self.write();
        let stack = inner.shared(stack);
        let pods = inner.pods.entry(namespace.to_owned()).or_default();
        if let Some(known) = pods.iter_mut().find(|(_, known)| known.name == pod.name) {
            let (_, before) = std::mem::replace(known, (stack, pod.clone()));
            return before != *pod;
        }
        pods.push((stack, pod.clone()));
        true
    }

    /// Takes in that a pod is gone.
    pub fn fold_pod_deleted(&self, namespace: &str, name: &str) {
        let mut inner = self.write();
        let Some(pods) = inner.pods.get_mut(namespace) else { return };
        pods.retain(|(_, pod)| pod.name != name);
        if pods.is_empty() {
            inner.pods.remove(namespace);
        }
    }

    /// After a new list of pods: what is not in it is gone.
    pub fn fold_pod_relist(&self, listed: &dyn Fn(&str, &str) -> Option<bool>) {
        self.write().pods.retain(|namespace, pods| {
            pods.retain(|(_, pod)| listed(namespace, &pod.name) != Some(false));
            !pods.is_empty()
        });
    }

    /// Takes in why a controller could not make pods. It may come before the controller's own object does.
    pub fn fold_refusal(&self, namespace: &str, controller: &str, message: &str) {
        let mut inner = self.write();
        if inner.refusals.len() >= REFUSALS_MAX {
            let Inner { refusals, workloads, .. } = &mut *inner;
            refusals.retain(|(namespace, name), _| {
                let mut known = workloads.get(namespace).into_iter().flat_map(HashMap::keys);
                known.any(|id| names_controller(&id.name, name))
            });
        }
        inner.refusals.insert((namespace.to_owned(), controller.to_owned()), message.to_owned());
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
        let workloads = mine.map(|(id, facts)| {
            let mut facts = facts.clone();
            if facts.refusal.is_none() {
                let refusal = inner
                    .refusals
                    .iter()
                    .find(|((ns, name), _)| *ns == id.namespace && names_controller(&id.name, name));
                facts.refusal = refusal.map(|(_, message)| message.clone());
            }
            (id.clone(), facts)
        });
        let pods = inner.pods.get(&key.namespace).into_iter().flatten();
        let pods = pods.filter(|(stack, _)| stack.as_ref() == label).map(|(_, pod)| pod.clone());
        Live { workloads: workloads.collect(), pods: pods.collect() }
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

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(labels::FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Whether a controller's name is the workload's, or its replica set's (`NAME-<hash>`).
fn names_controller(workload: &str, controller: &str) -> bool {
    controller
        .strip_prefix(workload)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(|hash| !hash.contains('-')))
}
