//! Every stack there is: who claims which bucket and which name is decided between them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock},
};

use obstack_api::ObservabilityStack;
use obstack_core::{facts::BucketClaim, names::StackKey, validate};

/// Every stack there is.
#[derive(Debug, Default)]
pub struct Roster {
    stacks: RwLock<HashMap<StackKey, Seat>>,
}

#[derive(Debug)]
struct Seat {
    /// Creation time and uid: the older stack keeps a bucket that two claim.
    age: (String, String),
    claims: Vec<BucketClaim>,
    /// What its objects are called.
    names: Vec<String>,
}

impl Roster {
    /// Takes in a stack as it is now.
    pub fn enter(&self, key: &StackKey, stack: &ObservabilityStack) {
        let metadata = &stack.metadata;
        let born = metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
        let seat = Seat {
            age: (born, metadata.uid.clone().unwrap_or_default()),
            claims: validate::claims(&stack.spec),
            names: validate::names(key, &stack.spec),
        };
        self.stacks.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), seat);
    }

    /// Takes in that a stack is gone. Returns all others: one of them may get a bucket now.
    pub fn leave(&self, key: &StackKey) -> Vec<StackKey> {
        let mut stacks = self.stacks.write().unwrap_or_else(PoisonError::into_inner);
        stacks.remove(key);
        stacks.keys().cloned().collect()
    }

    /// Uid of a stack.
    pub fn uid(&self, key: &StackKey) -> Option<String> {
        self.stacks.read().unwrap_or_else(PoisonError::into_inner).get(key).map(|seat| seat.age.1.clone())
    }

    /// Names of objects that older stacks claim too: those of the same namespace, and those that are published elsewhere.
    pub fn names_before(&self, key: &StackKey) -> BTreeMap<String, StackKey> {
        let stacks = self.stacks.read().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = stacks.get(key) else { return BTreeMap::new() };
        let older = stacks.iter().filter(|(other, seat)| *other != key && seat.age < own.age);
        let shared = older.flat_map(|(other, seat)| {
            let meets = |name: &&String| other.namespace == key.namespace || name.contains('/');
            let names = seat.names.iter().filter(|name| own.names.contains(name)).filter(meets);
            names.map(|name| (name.clone(), other.clone()))
        });
        shared.collect()
    }

    /// Buckets that stacks older than this one claim.
    pub fn claimed_before(&self, key: &StackKey) -> BTreeMap<BucketClaim, StackKey> {
        let stacks = self.stacks.read().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = stacks.get(key) else { return BTreeMap::new() };
        let older = stacks.iter().filter(|(other, seat)| *other != key && seat.age < own.age);
        let shared = older.flat_map(|(other, seat)| {
            seat.claims
                .iter()
                .filter(|claim| own.claims.contains(claim))
                .map(|claim| (claim.clone(), other.clone()))
        });
        shared.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(namespace: &str, name: &str, born: &str, release: &str) -> (StackKey, ObservabilityStack) {
        let body = serde_json::json!({
            "apiVersion": "obstack.dev/v1alpha1", "kind": "ObservabilityStack",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": born, "uid": name},
            "spec": {
                "environment": "dev",
                "objectStorage": {
                    "provider": "S3", "endpoint": "http://s3:9000",
                    "credentials": {"secretRef": {"name": "keys"}}, "buckets": {"prefix": "a"},
                },
                "metrics": {"releaseName": release},
            },
        });
        let key = StackKey { namespace: namespace.into(), name: name.into() };
        (key, serde_json::from_value(body).unwrap())
    }

    #[test]
    fn the_older_stack_of_all_keeps_a_name_that_it_publishes() {
        let roster = Roster::default();
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let stacks = [stack("team-a", "b", old, "x"), stack("team", "a-b", new, "y")].map(|(key, mut stack)| {
            let datasources = serde_json::json!({"datasources": {"provider": "SidecarConfigMap", "namespace": "tools"}});
            stack.spec.grafana = serde_json::from_value(datasources).unwrap();
            roster.enter(&key, &stack);
            key
        });
        let [older, newer] = stacks;
        assert_eq!(
            roster.names_before(&newer),
            BTreeMap::from([("tools/team-a-b".to_owned(), older.clone())])
        );
        assert_eq!(roster.names_before(&older), BTreeMap::new());
    }

    #[test]
    fn the_older_stack_of_a_namespace_keeps_a_name() {
        let roster = Roster::default();
        let (old, new, far) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2025-01-01T00:00:00Z");
        let stacks = [
            stack("ns", "older", old, "prod"),
            // Another release, and the same objects.
            stack("ns", "newer", new, "prod-mimir"),
            stack("elsewhere", "oldest", far, "prod"),
        ];
        for (key, stack) in &stacks {
            roster.enter(key, stack);
        }
        let [older, newer, oldest] = stacks.map(|(key, _)| key);
        assert_eq!(roster.names_before(&newer), BTreeMap::from([("prod-mimir".to_owned(), older.clone())]));
        assert_eq!(roster.names_before(&older), BTreeMap::new());
        assert_eq!(roster.names_before(&oldest), BTreeMap::new());
    }
}
