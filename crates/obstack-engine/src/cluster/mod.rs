//! Everything that talks to the API server.

pub mod apply;
pub mod events;
pub mod facts;
pub mod hand_over;
pub mod helm_release;
pub mod inventory;
pub mod live;
pub mod secrets;
pub mod snapshot;
pub mod stack;
#[cfg(test)]
pub(crate) mod test_api;
pub mod watches;

use std::time::Duration;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
};
use obstack_core::objects::{Kind, ObjectId};

use crate::{client, lease::WriteGuard};

/// Longest time that one request may take, from sending it to the whole answer.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// The API of an object's kind in its namespace.
pub fn api_of(client: &Client, id: &ObjectId) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &id.namespace, &resource_of(id.kind))
}

/// How a kind is addressed. The kinds are known when the operator is built, so nothing is discovered.
pub(crate) fn resource_of(kind: Kind) -> ApiResource {
    ApiResource {
        group: kind.group().to_owned(),
        version: kind.version().to_owned(),
        api_version: kind.api_version(),
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// Why a request to the API server failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server did not answer in time.
    #[error("{what}: no answer within {deadline:?}")]
    Deadline {
        /// What was tried, on which object.
        what: String,
        /// How long it was waited for.
        deadline: Duration,
    },
    /// The API server refused, or could not be reached.
    #[error("{what}: {}", client::explain(source.as_ref()))]
    Api {
        /// What was tried, on which object.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// The API server has a definition of stacks that is older than this operator: it refuses newer fields.
    #[error(
        "{what}: the CustomResourceDefinition is older than this operator; apply its own: \
         obstack-operator crd | kubectl apply --server-side -f -"
    )]
    OldDefinition {
        /// What was tried, on which object.
        what: String,
    },
    /// This process may not write any more, because it may not be the leader.
    #[error("{what}: not the leader any more")]
    NotLeader {
        /// What was tried, on which object.
        what: String,
    },
}

impl ClusterError {
    /// The API server's answer, where it gave one.
    pub fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    /// HTTP code of the API server's answer; 0 when it gave none.
    pub fn code(&self) -> u16 {
        self.status().map_or(0, |status| status.code)
    }

    /// The namespace of the object is being deleted, so nothing can be made in it.
    pub fn namespace_terminating(&self) -> bool {
        self.code() == 403
            && self.status().is_some_and(|status| status.message.contains("because it is being terminated"))
    }
}

/// Bounds a request and names it in its error.
pub async fn bounded<T>(
    what: impl FnOnce() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    within(REQUEST_DEADLINE, what, request).await
}

/// Bounds a write, so that it is over before another process could lead: it starts only while this one leads, and
/// ends with its leadership.
pub(crate) async fn write<T>(
    guard: &WriteGuard,
    what: impl FnOnce() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    match guard.time_to_write() {
        Some(left) => within(left.min(REQUEST_DEADLINE), what, request).await,
        None => Err(ClusterError::NotLeader { what: what() }),
    }
}

async fn within<T>(
    deadline: Duration,
    what: impl FnOnce() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(deadline, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(ClusterError::Api { what: what(), source: Box::new(source) }),
        Err(_) => Err(ClusterError::Deadline { what: what(), deadline }),
    }
}
