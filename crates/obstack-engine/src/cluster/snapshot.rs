//! One look at what is around a stack, for who does not watch: the same facts as the live view's, read at one moment.
//!
//! What may not be read stays unknown, and is told together with what it would have been for.

use std::{fmt::Debug, sync::Arc};

use k8s_openapi::api::{
    core::v1::{Event, LimitRange, Node, PersistentVolumeClaim, Pod, ResourceQuota},
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, ListParams, ObjectList},
};
use obstack_api::labels;
use obstack_core::{names::StackKey, objects::Kind};
use serde::de::DeserializeOwned;

use super::{
    ClusterError, bounded, facts,
    live::{LiveView, Part},
    resource_of, watches,
};

/// What was seen of a stack's namespace.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The facts.
    pub view: Arc<LiveView>,
    /// What may not be read.
    pub missing: Vec<MissingRight>,
}

/// A right that a look would have needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingRight {
    /// What would have been done: always `list` here.
    pub verb: &'static str,
    /// Plural of the kind, with its group where it has one.
    pub resource: String,
    /// The namespace; `None` for what belongs to the cluster.
    pub namespace: Option<String>,
    /// What nobody knows without it.
    pub unknown: &'static str,
}

impl std::fmt::Display for MissingRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { verb, resource, namespace, unknown } = self;
        write!(f, "no right to {verb} {resource}")?;
        if let Some(namespace) = namespace {
            write!(f, " in namespace {namespace}")?;
        }
        write!(f, ": {unknown}")
    }
}

/// Looks at a stack's namespace, and at the cluster where that is allowed.
pub async fn take(client: &Client, key: &StackKey) -> Result<Snapshot, ClusterError> {
    let look = Look { client, key, view: Arc::new(LiveView::default()) };
    look.view.learn_stack(key);
    let ours = labels::STACK;
    let (objects, pods, words, claims, quotas, ranges, nodes, classes) = futures::join!(
        look.objects(),
        look.list::<Pod>(look.here(), Some(ours), "which pods there are, and what ails them"),
        look.list::<Event>(look.here(), None, "what controllers and kubelets said"),
        look.list::<PersistentVolumeClaim>(
            look.here(),
            Some("app.kubernetes.io/instance"),
            "how the claims stand"
        ),
        look.list::<ResourceQuota>(look.here(), None, "whether the stack fits into its quotas"),
        look.list::<LimitRange>(look.here(), None, "whether a LimitRange changes or refuses its pods"),
        look.list::<Node>(Api::all(client.clone()), None, "whether nodes are lost, and zones"),
        look.list::<StorageClass>(
            Api::all(client.clone()),
            None,
            "which storage class is the default, and which can grow"
        ),
    );
    let (view, namespace) = (&look.view, key.namespace.as_str());
    let (objects, mut missing) = objects?;
    // Before pods and workloads: what was said of those that are well is over.
    for event in taken(words?, &mut missing).iter().flatten() {
        watches::heard(view, event);
    }
    for (kind, object) in &objects {
        look.object(*kind, object);
    }
    for pod in taken(pods?, &mut missing).iter().flatten() {
        if let Some(stack) = pod.labels().get(labels::STACK) {
            view.fold_pod(namespace, stack, &pod.uid().unwrap_or_default(), facts::pod(pod));
        }
    }
    let here = Some(namespace);
    look.learn(Part::Claims, here, claims?, &mut missing, |claim| {
        view.fold_claim(namespace, facts::claim(claim));
    });
    look.learn(Part::Quotas, here, quotas?, &mut missing, |quota| {
        view.fold_quota(namespace, facts::quota(quota));
    });
    look.learn(Part::LimitRanges, here, ranges?, &mut missing, |range| {
        view.fold_limit_range(namespace, facts::limit_range(range));
    });
    look.learn(Part::Nodes, None, nodes?, &mut missing, |node| {
        view.fold_node(&node.name_any(), facts::node(node));
    });
    look.learn(Part::Classes, None, classes?, &mut missing, |class| {
        view.fold_class(&class.name_any(), facts::class(class));
    });
    missing.sort();
    Ok(Snapshot { view: look.view, missing })
}

/// A list, or the right that was missing for it.
type Listed<K> = Result<Vec<K>, MissingRight>;

fn taken<K>(listed: Listed<K>, missing: &mut Vec<MissingRight>) -> Option<Vec<K>> {
    listed.map_err(|right| missing.push(right)).ok()
}

struct Look<'a> {
    client: &'a Client,
    key: &'a StackKey,
    view: Arc<LiveView>,
}

impl Look<'_> {
    fn here<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.key.namespace)
    }

    /// Takes in a part of what is around the stack, or that it may not be read.
    fn learn<K>(
        &self,
        part: Part,
        scope: Option<&str>,
        listed: Listed<K>,
        missing: &mut Vec<MissingRight>,
        fold: impl Fn(&K),
    ) {
        let items = taken(listed, missing);
        self.view.open(part, scope, items.is_some());
        items.iter().flatten().for_each(fold);
    }

    /// The stack's objects, kind by kind.
    async fn objects(&self) -> Result<(Vec<(Kind, DynamicObject)>, Vec<MissingRight>), ClusterError> {
        let (mut objects, mut missing) = (Vec::new(), Vec::new());
        let kinds = Kind::ALL.iter().copied().map(async |kind| {
            let resource = resource_of(kind);
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), &self.key.namespace, &resource);
            let params = ListParams::default().labels(labels::STACK);
            let what = || format!("list {} in namespace {}", resource.plural, self.key.namespace);
            (kind, bounded(what, api.list(&params)).await)
        });
        for (kind, listed) in futures::future::join_all(kinds).await {
            match listed {
                Ok(list) => objects.extend(list.items.into_iter().map(|object| (kind, object))),
                // A kind of another operator that is not here.
                Err(error) if error.code() == 404 && kind.is_optional() => {}
                Err(error) if error.code() == 403 => {
                    let plural = qualified(kind.plural(), kind.group());
                    let unknown = "how these objects of the stack stand";
                    missing.push(missing_right(plural, Some(&self.key.namespace), unknown));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((objects, missing))
    }

    fn object(&self, kind: Kind, object: &DynamicObject) {
        let id = watches::id_of(kind, &object.metadata);
        self.view.fold_child(&id, &object.metadata);
        if kind == Kind::PodDisruptionBudget {
            self.view.fold_budget(&id, &facts::budget(object));
        } else if kind.is_workload() {
            self.view.fold_workload(&id, &facts::workload(kind, object));
        }
    }

    async fn list<K>(
        &self,
        api: Api<K>,
        label: Option<&str>,
        unknown: &'static str,
    ) -> Result<Listed<K>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let params = label.map_or_else(ListParams::default, |label| ListParams::default().labels(label));
        let plural = qualified(&K::plural(&()), &K::group(&()));
        match bounded(|| format!("list {plural}"), api.list(&params)).await {
            Ok(ObjectList { items, .. }) => Ok(Ok(items)),
            Err(error) if error.code() == 403 => {
                let namespace = api.namespace().map(str::to_owned);
                Ok(Err(missing_right(plural, namespace.as_deref(), unknown)))
            }
            Err(error) => Err(error),
        }
    }
}

fn missing_right(resource: String, namespace: Option<&str>, unknown: &'static str) -> MissingRight {
    MissingRight { verb: "list", resource, namespace: namespace.map(str::to_owned), unknown }
}

fn qualified(plural: &str, group: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}
