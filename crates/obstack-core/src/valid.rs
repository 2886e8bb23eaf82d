//! A stack that passed validation: every field decided, every quantity read. What is here can be designed without
//! a further check.

use std::{collections::BTreeMap, time::Duration};

use obstack_api::{DeletionPolicy, MetricsProcessor, PatchTarget, ResourcePolicy, Route, Signal};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    backends::{Backend, role::Role},
    catalog::ChartRef,
    collectors::ValidAlloy,
    facts::Cluster,
    grafana::Place,
    names::{ReleaseName, StackKey},
    quantity::Amount,
    quota::QuotaWish,
};

/// A stack that passed validation.
#[derive(Clone, Debug)]
pub struct ValidStack {
    /// Namespace and name.
    pub key: StackKey,
    /// Uid of the object.
    pub uid: String,
    /// Name of the environment.
    pub environment: String,
    /// What happens to the workloads when the stack is deleted.
    pub deletion_policy: DeletionPolicy,
    /// What the API server serves.
    pub cluster: Cluster,
    /// Pods must meet OpenShift's `restricted-v2`.
    pub openshift: bool,
    /// The object store.
    pub storage: Storage,
    /// Buckets to have, each once.
    pub buckets: Vec<Bucket>,
    /// Which requests and limits containers may have.
    pub resource_policy: ResourcePolicy,
    /// Make disruption budgets.
    pub budgets: bool,
    /// What to do about the namespace's quotas.
    pub quota: QuotaWish,
    /// The backends, at most one of a kind.
    pub backends: Vec<ValidBackend>,
    /// What the canary does; `None` when it does not run.
    pub canary: Option<Canary>,
    /// Alloy, if the stack has one.
    pub alloy: Option<ValidAlloy>,
    /// Where datasources go; `None` when none are wanted.
    pub datasources: Option<Datasources>,
    /// Where dashboards go; `None` when none are wanted.
    pub dashboards: Option<Place>,
}

impl ValidStack {
    /// Its backend of a kind.
    pub fn backend(&self, kind: Backend) -> Option<&ValidBackend> {
        self.backends.iter().find(|backend| backend.backend == kind)
    }

    /// The charts that render it.
    pub fn charts(&self) -> impl Iterator<Item = &ChartRef> {
        let managed = self.alloy.as_ref().and_then(|alloy| alloy.managed.as_ref());
        self.backends.iter().map(|backend| &backend.chart).chain(managed.map(|managed| &managed.chart))
    }
}

/// The object store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the spec, and none depends on another")]
pub struct Storage {
    /// URL without a trailing slash.
    pub endpoint: String,
    /// `host:port` of the URL.
    pub host: String,
    /// The URL is `https`.
    pub tls: bool,
    /// Region to sign for.
    pub region: String,
    /// Address buckets as `endpoint/bucket`.
    pub path_style: bool,
    /// Where the certificate authority is.
    pub ca: Option<SecretKey>,
    /// Where the access key is.
    pub access_key: SecretKey,
    /// Where the secret key is.
    pub secret_key: SecretKey,
    /// Keyed hash of the credentials: it changes when they do.
    pub credentials_hash: String,
    /// Make missing buckets.
    pub create: bool,
    /// Use buckets that are there already.
    pub adopt: bool,
}

/// A key of a Secret in the stack's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// Name of the Secret.
    pub name: String,
    /// Key in it.
    pub key: String,
}

/// A bucket to have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Bucket {
    /// Name of the bucket.
    pub name: String,
    /// Signal and purpose, such as `metrics.blocks`.
    pub purpose: String,
    /// Beginning of the keys in it that are the operator's.
    pub reserved_keys: &'static str,
}

/// A backend that passed validation.
#[derive(Clone, Debug)]
pub struct ValidBackend {
    /// Which backend.
    pub backend: Backend,
    /// What its release and its objects are called.
    pub name: ReleaseName,
    /// Every role runs in one process.
    pub monolithic: bool,
    /// The chart that renders it.
    pub chart: ChartRef,
    /// How many ingesters hold each series or trace.
    pub replication_factor: u32,
    /// How long data is kept, in hours; for ever when `None`.
    pub retention_hours: Option<u32>,
    /// Buckets by purpose (`blocks`, `ruler`, `alertmanager`).
    pub buckets: BTreeMap<&'static str, String>,
    /// Every role the backend has in this mode, those with no replicas too.
    pub components: Vec<ValidComponent>,
    /// What metrics are made from traces; none where the list is empty.
    pub metrics_generator: Vec<MetricsProcessor>,
    /// Components of the spec that the backend does not have; the status answers them.
    pub not_provided: Vec<&'static str>,
    /// How it is queried from outside of the cluster; `None` when it is not.
    pub route: Option<Route>,
    /// The user's values.
    pub values: Option<Map<String, Value>>,
    /// The user's patches.
    pub patches: Vec<ValidPatch>,
}

impl ValidBackend {
    /// The component of a role.
    pub fn component(&self, key: &str) -> Option<&ValidComponent> {
        self.components.iter().find(|component| component.role.key == key)
    }

    /// Replicas of a role; 0 when it has none.
    pub fn replicas(&self, key: &str) -> u32 {
        self.component(key).map_or(0, |component| component.replicas)
    }

    /// Whether these metrics are made from traces.
    pub fn makes(&self, processor: MetricsProcessor) -> bool {
        self.metrics_generator.contains(&processor)
    }

    /// Whether a word stands anywhere in the user's values.
    pub fn values_mention(&self, word: &str) -> bool {
        fn anywhere(value: &Value, word: &str) -> bool {
            match value {
                Value::Object(map) => {
                    map.iter().any(|(key, value)| key.contains(word) || anywhere(value, word))
                }
                Value::Array(list) => list.iter().any(|value| anywhere(value, word)),
                Value::String(text) => text.contains(word),
                _ => false,
            }
        }
        let mut values = self.values.iter().flatten();
        values.any(|(key, value)| key.contains(word) || anywhere(value, word))
    }
}

/// What the canary does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// From one round to the next.
    pub interval: Duration,
    /// What is written and read back.
    pub signals: Vec<Signal>,
    /// Whether blocks must appear in the buckets.
    pub verify_object_storage: bool,
}

/// A component that passed validation. Amounts are per replica, and are the text that was written.
#[derive(Clone, Debug)]
pub struct ValidComponent {
    /// Which role.
    pub role: &'static Role,
    /// Pods to run.
    pub replicas: u32,
    /// CPU request.
    pub cpu: String,
    /// Memory request.
    pub memory: String,
    /// CPU limit, where the policy allows one.
    pub cpu_limit: Option<String>,
    /// Memory limit.
    pub memory_limit: Option<String>,
    /// Data volume.
    pub volume: Volume,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    pub tolerations: Vec<Value>,
    /// Priority class of the pods.
    pub priority_class: Option<String>,
}

/// The data volume of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volume {
    /// None.
    None,
    /// A folder that goes with the pod.
    EmptyDir,
    /// A claim.
    Claim {
        /// Its size, as written.
        size: String,
        /// Its size, read.
        amount: Amount,
        /// Its storage class.
        class: Option<String>,
    },
}

/// A patch that passed validation.
#[derive(Clone, Debug)]
pub struct ValidPatch {
    /// Where it stands in the spec, for messages.
    pub field: String,
    /// Which objects.
    pub target: PatchTarget,
    /// What to do.
    pub operations: json_patch::Patch,
}

/// Where datasources go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datasources {
    /// Name of a datasource, with `{backend}` and `{env}`.
    pub name_format: String,
    /// Where the objects go.
    pub place: Place,
}
