//! The Lease in the cluster: one read and the four writes, each with a deadline and each write with its precondition.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{LeaseConfig, LeaseError, state::Record};

/// No request for the lease takes longer. Shorter than what is left of the lease after the renew deadline.
const REQUEST_DEADLINE: Duration = Duration::from_secs(4);
const FIELD_MANAGER: &str = "obstack-lease";

/// Why a request gave no record.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The record is not what the write was decided on: read it.
    Conflict,
    /// No answer, or one that says nothing about the record.
    Failed(LeaseError),
}

/// The Lease, as one candidate reads and writes it.
#[derive(Clone, Debug)]
pub(super) struct Store {
    api: Api<Lease>,
    namespace: String,
    name: String,
    holder: String,
    duration: Duration,
}

impl Store {
    pub(super) fn new(client: kube::Client, config: &LeaseConfig, holder: String) -> Self {
        Self {
            api: Api::namespaced(client, &config.namespace),
            namespace: config.namespace.clone(),
            name: config.name.clone(),
            holder,
            duration: config.duration,
        }
    }

    /// The record as it is now, read from etcd and from no cache; `None` when there is none.
    pub(super) async fn read(&self) -> Result<Option<Record>, Refusal> {
        let lease = self.bounded("get", self.api.get_opt(&self.name)).await?;
        Ok(lease.as_ref().map(record))
    }

    /// Creates the record with us as its first holder.
    pub(super) async fn create(&self) -> Result<Record, Refusal> {
        let now = MicroTime(Timestamp::now());
        let lease = Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.holder.clone()),
                lease_duration_seconds: Some(self.seconds()),
                lease_transitions: Some(1),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.bounded("create", self.api.create(&params, &lease)).await.map(|lease| record(&lease))
    }

    /// Becomes the holder of this version of the record.
    pub(super) async fn acquire(&self, resource_version: &str, transitions: i64) -> Result<Record, Refusal> {
        let now = Timestamp::now();
        let spec = json!({
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.seconds(),
            "leaseTransitions": transitions,
            "acquireTime": MicroTime(now),
            "renewTime": MicroTime(now),
        });
        self.patch("acquire", resource_version, &spec).await
    }

    /// Renews this version of the record.
    pub(super) async fn renew(&self, resource_version: &str) -> Result<Record, Refusal> {
        let spec = json!({
            "leaseDurationSeconds": self.seconds(),
            "renewTime": MicroTime(Timestamp::now()),
        });
        self.patch("renew", resource_version, &spec).await
    }

    /// Gives this version of the record back.
    pub(super) async fn release(&self, resource_version: &str) -> Result<Record, Refusal> {
        let spec = json!({"holderIdentity": "", "renewTime": MicroTime(Timestamp::now())});
        self.patch("release", resource_version, &spec).await
    }

    /// A merge patch keeps what others put on the object, and the version in it is a precondition like in a PUT.
    async fn patch(
        &self,
        what: &'static str,
        resource_version: &str,
        spec: &Value,
    ) -> Result<Record, Refusal> {
        let patch = json!({"metadata": {"resourceVersion": resource_version}, "spec": spec});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match self.bounded(what, self.api.patch(&self.name, &params, &Patch::Merge(&patch))).await {
            Ok(lease) => Ok(record(&lease)),
            // Deleted under us: for a creation this would be a missing namespace, for a patch it is the record.
            Err(Refusal::Failed(LeaseError::Api { source, .. })) if is_missing(&source) => {
                Err(Refusal::Conflict)
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn bounded<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Refusal> {
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        match tokio::time::timeout(REQUEST_DEADLINE, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(Refusal::Conflict),
            Ok(Err(source)) => {
                Err(Refusal::Failed(LeaseError::Api { what, namespace, name, source: Box::new(source) }))
            }
            Err(_) => {
                Err(Refusal::Failed(LeaseError::Deadline { what, namespace, name, after: REQUEST_DEADLINE }))
            }
        }
    }

    fn seconds(&self) -> i32 {
        i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX)
    }
}

fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        renewed: spec.renew_time.map(|time| time.0.to_string()).unwrap_or_default(),
        transitions: spec.lease_transitions.unwrap_or_default().into(),
        duration: Duration::from_secs(
            spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default(),
        ),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}
