//! Watches on the room around stacks. Each is optional: where the operator may not read, nobody knows, and what is
//! said of it says so.

use std::{fmt::Debug, time::Duration};

use futures::future::BoxFuture;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::{LimitRange, Node, PersistentVolumeClaim, ResourceQuota},
        storage::v1::StorageClass,
    },
};
use kube::{Api, Resource, ResourceExt, api::PostParams, runtime::watcher};
use obstack_core::names::StackKey;
use serde::de::DeserializeOwned;

use super::{Course, Names, Watches};
use crate::cluster::{bounded, facts, live::Part};

/// How long until it is looked again whether something may be read by now.
pub(super) const AGAIN: Duration = Duration::from_mins(5);

impl Watches {
    /// Starts the watches on the room of one scope.
    pub(super) fn room_of(&self, scope: Option<&str>) {
        let scope = scope.map(str::to_owned);
        // Every chart's StatefulSets select by this label, so their claims carry it.
        let claims = Self::all().labels("app.kubernetes.io/instance");
        self.optional::<PersistentVolumeClaim>(Part::Claims, scope.clone(), claims, |watches, claim| {
            watches.view.fold_claim(&claim.namespace().unwrap_or_default(), facts::claim(claim))
        });
        self.optional::<ResourceQuota>(Part::Quotas, scope.clone(), Self::all(), |watches, quota| {
            watches.view.fold_quota(&quota.namespace().unwrap_or_default(), facts::quota(quota))
        });
        self.optional::<LimitRange>(Part::LimitRanges, scope, Self::all(), |watches, range| {
            watches.view.fold_limit_range(&range.namespace().unwrap_or_default(), facts::limit_range(range))
        });
    }

    /// Starts the watches on the cluster's part of the room.
    pub(super) fn room(&self) {
        self.optional_in::<Node>(
            Part::Nodes,
            None,
            |client, _| Api::all(client),
            Self::all(),
            |watches, node| watches.view.fold_node(&node.name_any(), facts::node(node)),
        );
        let classes = |watches: &Self, class: &StorageClass| {
            watches.view.fold_class(&class.name_any(), facts::class(class))
        };
        self.optional_in(Part::Classes, None, |client, _| Api::all(client), Self::all(), classes);
    }

    fn optional<K>(
        &self,
        part: Part,
        scope: Option<String>,
        config: watcher::Config,
        apply: fn(&Self, &K) -> Vec<StackKey>,
    ) where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: k8s_openapi::Resource<Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let api = |client: kube::Client, scope: Option<&str>| match scope {
            None => Api::all(client),
            Some(namespace) => Api::namespaced(client, namespace),
        };
        self.optional_in(part, scope, api, config, apply);
    }

    fn optional_in<K>(
        &self,
        part: Part,
        scope: Option<String>,
        api: fn(kube::Client, Option<&str>) -> Api<K>,
        config: watcher::Config,
        apply: fn(&Self, &K) -> Vec<StackKey>,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let watches = self.clone();
        let watch: BoxFuture<'static, ()> = Box::pin(async move {
            let mut course = Course { first: true, until_closed: true };
            loop {
                let open = watches.may_watch(&K::group(&()), &K::plural(&()), scope.as_deref()).await;
                watches.trigger_all(watches.view.open(part, scope.as_deref(), open));
                if open {
                    let api = api(watches.client.clone(), scope.as_deref());
                    watches.part(part, scope.as_deref(), (api, config.clone()), &mut course, apply).await;
                    watches.trigger_all(watches.view.open(part, scope.as_deref(), false));
                } else {
                    watches.arrived(&mut course);
                    tracing::info!(?part, scope, "may not be read; what depends on it is unknown");
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
        self.spawn(watch);
    }

    /// Follows one part of the room for as long as it may be read.
    async fn part<K>(
        &self,
        part: Part,
        scope: Option<&str>,
        source: (Api<K>, watcher::Config),
        course: &mut Course,
        apply: fn(&Self, &K) -> Vec<StackKey>,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let gone = |object: &K| {
            let namespace = object.namespace().unwrap_or_default();
            self.trigger_all(self.view.fold_room_deleted(part, &namespace, &object.name_any()));
        };
        let relisted = |names: &Names| {
            let covered = |namespace: &str| scope.is_none_or(|scope| scope == namespace);
            self.view.fold_room_relist(part, &|namespace, name| {
                covered(namespace).then(|| names.contains(&(namespace.to_owned(), name.to_owned())))
            });
        };
        let what: &'static str = match part {
            Part::Claims => "PersistentVolumeClaim",
            Part::Quotas => "ResourceQuota",
            Part::LimitRanges => "LimitRange",
            Part::Nodes => "Node",
            Part::Classes => "StorageClass",
        };
        self.follow_as(what, source, course, |object| self.trigger_all(apply(self, object)), gone, relisted)
            .await;
    }

    fn trigger_all(&self, keys: Vec<StackKey>) {
        for key in keys {
            self.trigger(Some(key));
        }
    }

    /// Whether the operator may list and watch a kind. Everybody may ask this of themselves.
    pub(super) async fn may_watch(&self, group: &str, plural: &str, scope: Option<&str>) -> bool {
        for verb in ["list", "watch"] {
            let attributes = ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(plural.to_owned()),
                namespace: scope.map(str::to_owned),
                ..ResourceAttributes::default()
            };
            let spec = SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            };
            let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
            let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
            let params = PostParams::default();
            let asked =
                bounded(|| format!("ask whether {plural} may be watched"), reviews.create(&params, &review));
            match asked.await {
                Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => {}
                Ok(_) => return false,
                Err(error) => {
                    tracing::warn!(%error, "taken for no");
                    return false;
                }
            }
        }
        true
    }
}
