//! A stack as it is seen at this moment: what is stored, what is around it, and what the operator's own diagnosis makes
//! of both.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use obstack_api::{BucketState, ComponentState, ConditionType, ObservabilityStack, Reason, StackStatus};
use obstack_core::{
    assemble::PlannedComponent,
    conclude::{BucketHealth, Fault},
    diagnose::{self, ComponentHealth, Trouble},
    live::Live,
    names::StackKey,
};
use obstack_engine::cluster::{
    bounded, inventory,
    snapshot::{MissingRight, Snapshot},
};

use crate::{
    cluster::{Cluster, key_of},
    operator,
    session::Session,
    told::condition,
};

/// Kinds that nothing can be said of components without.
const NEEDED: &[&str] = &["pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps"];

/// A stack as it is seen.
#[derive(Debug)]
pub struct Sight {
    /// Namespace and name.
    pub key: StackKey,
    /// As it is stored.
    pub stack: ObservabilityStack,
    /// What is around it; `None` when nobody looked.
    pub live: Option<Live>,
    /// How its components stand by the operator's own diagnosis of what is there now; empty when that is not known.
    pub health: Vec<ComponentHealth>,
    /// What is not known, and why.
    pub missing: Vec<String>,
    /// Version of the operator that wrote its inventory.
    pub operator: Option<String>,
    /// Second of the Unix epoch.
    pub now: i64,
}

impl Sight {
    /// A stack of which only the stored object is known.
    pub fn stored(stack: ObservabilityStack, now: i64) -> Self {
        let key = key_of(&stack);
        Self { key, stack, live: None, health: Vec::new(), missing: Vec::new(), operator: None, now }
    }

    /// The same with what is around it.
    #[must_use]
    pub fn with(mut self, components: &[PlannedComponent], live: Live, missing: &[MissingRight]) -> Self {
        let blind = missing.iter().any(|right| NEEDED.contains(&right.resource.as_str()));
        if !blind {
            let buckets = self.stack.status.as_ref().map(buckets).unwrap_or_default();
            self.health = diagnose::of(components, &live, &buckets, self.now);
        }
        self.live = Some(live);
        self.missing.extend(missing.iter().map(ToString::to_string));
        self
    }

    /// The component that explains the rest, as it is seen now.
    pub fn first(&self) -> Option<(&ComponentHealth, &Trouble)> {
        let first = diagnose::first_cause(&self.health)?;
        let of = |component: &&ComponentHealth| component.cause.as_ref() == Some(first);
        self.health.iter().find(of).map(|component| (component, first))
    }

    /// Seconds since the stack was made.
    pub fn age(&self) -> i64 {
        age(&self.stack, self.now)
    }

    /// The pods of a component, in their order.
    pub fn pods<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a obstack_core::live::PodFacts> {
        let mut pods: Vec<_> =
            self.live.iter().flat_map(|live| &live.pods).filter(|pod| pod.component == component).collect();
        pods.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
        pods.into_iter()
    }

    /// Where the look that was just made says something else than the status.
    pub fn disagreement(&self) -> Option<String> {
        if self.health.is_empty() {
            return None;
        }
        let stored = condition(&self.stack, ConditionType::WorkloadsReady)?;
        let of_workloads = |reason: &str| {
            Reason::named(reason).is_some() && !matches!(reason, "InvalidSpec" | "Suspended" | "Pending")
        };
        let now = self.first().map_or(Reason::AllReady.as_str(), |(_, trouble)| trouble.reason.as_str());
        // Of what was never begun the operator speaks, and the inventory does not.
        let begun = self.live.as_ref().is_some_and(|live| !live.workloads.is_empty());
        if now == stored.reason || !of_workloads(&stored.reason) || !begun {
            return None;
        }
        Some(format!(
            "the look just now is newer than the status: WorkloadsReady was {}, now it would be {now}",
            stored.reason
        ))
    }
}

/// Seconds since a stack was made.
pub fn age(stack: &ObservabilityStack, now: i64) -> i64 {
    stack.metadata.creation_timestamp.as_ref().map_or(0, |made| now.saturating_sub(made.0.as_second()))
}

/// Second of the Unix epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// What the status says of the buckets, as the operator's own probe said it. The reason stands with the condition.
fn buckets(status: &StackStatus) -> Vec<BucketHealth> {
    let condition = status.conditions.iter().find(|said| said.type_ == ConditionType::StorageReady);
    let reason = condition.and_then(|said| Reason::named(&said.reason)).unwrap_or(Reason::StorageFailed);
    let one = |bucket: &obstack_api::BucketStatus| BucketHealth {
        name: bucket.name.clone(),
        purpose: bucket.purpose.clone(),
        fault: (bucket.state == BucketState::Failed)
            .then(|| Fault { reason, message: bucket.message.clone().unwrap_or_default() }),
    };
    // Nobody has probed what is unknown, so nothing is said of it.
    status.buckets.iter().filter(|bucket| bucket.state != BucketState::Unknown).map(one).collect()
}

/// Looks at a stack and what is around it. What cannot be seen is told, and fails nothing.
pub async fn look(cluster: &Cluster, stack: ObservabilityStack) -> Sight {
    let key = key_of(&stack);
    let (snapshot, stored) = futures::join!(cluster.look(&key), inventory_of(cluster, &key));
    let mut sight = Sight::stored(stack, now());
    let components = match stored {
        Ok(Some(found)) => {
            sight.operator = operator::version_of(&found.metadata);
            inventory::read(found).inventory.components
        }
        Ok(None) => Vec::new(),
        Err(why) => {
            sight.missing.push(why);
            Vec::new()
        }
    };
    match snapshot {
        Ok(Snapshot { view, missing }) => sight.with(&components, view.live(&key), &missing),
        Err(error) => {
            sight.missing.push(format!("what is around the stack could not be seen: {error}"));
            sight
        }
    }
}

/// Version of the operator that wrote a stack's inventory, where that can be seen.
pub async fn operator(cluster: &Cluster, key: &StackKey) -> Option<String> {
    operator::version_for(&cluster.client, key).await.ok().flatten()
}

async fn inventory_of(cluster: &Cluster, key: &StackKey) -> Result<Option<ConfigMap>, String> {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &key.namespace);
    let name = key.inventory();
    let what = || format!("get ConfigMap {}/{name}", key.namespace);
    match bounded(what, api.get_opt(&name)).await {
        Ok(found) => Ok(found),
        Err(error) if error.code() == 403 => Err(format!(
            "no right to get configmaps in namespace {}: the components as they were applied, so causes are those of \
             the status",
            key.namespace
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// What to say when the operator is of another version than this command.
fn other_version(operator: Option<&str>) -> Option<String> {
    let own = operator::OWN;
    let theirs = operator.filter(|theirs| *theirs != own)?;
    Some(format!(
        "the operator is obstack/v{theirs}, this command is obstack/v{own}: they may judge differently"
    ))
}

/// Says so when the operator is of another version than this command.
pub fn note_other_version(session: &Session, operator: Option<&str>) {
    if let Some(note) = other_version(operator) {
        session.terminal.note(&note);
    }
}

/// The state of a component as a word.
pub fn state_word(state: ComponentState) -> &'static str {
    match state {
        ComponentState::Ready => "Ready",
        ComponentState::Progressing => "Progressing",
        ComponentState::Blocked => "Blocked",
        ComponentState::NotProvidedByBackend => "NotProvidedByBackend",
    }
}
