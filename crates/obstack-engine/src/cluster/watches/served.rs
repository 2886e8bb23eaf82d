//! Watches on kinds of other operators, which a cluster may begin to serve at any time, or never.

use kube::{
    Api,
    api::{DynamicObject, PartialObjectMeta},
};
use obstack_core::objects::Kind;

use super::{Course, Watches, dynamic, id_of, room::AGAIN};
use crate::cluster::bounded;

impl Watches {
    /// Follows a kind for as long as the API server serves it and lets the operator read it.
    pub(super) async fn where_served(self, kind: Kind, scope: Option<String>) {
        let mut course = Course { first: true, until_closed: true };
        let scope = scope.as_deref();
        loop {
            if self.serves(kind).await && self.may_watch(kind.group(), kind.plural(), scope).await {
                let api: Api<PartialObjectMeta<DynamicObject>> = dynamic(&self.client, kind, scope);
                self.follow_as(
                    kind.as_str(),
                    (api, Self::ours()),
                    &mut course,
                    |object| self.child(&id_of(kind, &object.metadata), &object.metadata),
                    |object| self.gone(&id_of(kind, &object.metadata), &object.metadata),
                    |names| self.relisted(kind, scope, names),
                )
                .await;
            }
            self.arrived(&mut course);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Whether the API server serves a kind. Discovery tells, which needs no right of its own.
    async fn serves(&self, kind: Kind) -> bool {
        let version = kind.api_version();
        let listed = self.client.list_api_group_resources(&version);
        match bounded(|| format!("list what {version} has"), listed).await {
            Ok(list) => list.resources.iter().any(|resource| resource.name == kind.plural()),
            Err(error) => {
                if error.code() != 404 {
                    tracing::warn!(%error, kind = kind.as_str(), "taken for not served");
                }
                false
            }
        }
    }
}
