//! Every stack there is: who claims which bucket is decided between them.

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
}

impl Roster {
    /// Takes in a stack as it is now.
    pub fn enter(&self, key: &StackKey, stack: &ObservabilityStack) {
        let metadata = &stack.metadata;
        let born = metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
        let seat = Seat {
            age: (born, metadata.uid.clone().unwrap_or_default()),
            claims: validate::claims(&stack.spec),
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
