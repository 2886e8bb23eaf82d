//! What the checks look at, read once.

use obstack_api::{Condition, ConditionType, ObservabilityStack};
use obstack_core::{
    design::{Blueprint, design},
    live::Live,
    names::StackKey,
    valid::ValidStack,
    validate::validate,
    violation::Violation,
};
use obstack_engine::{
    buckets::Access,
    cluster::{
        ClusterError,
        inventory::{self, Stored},
        snapshot::Snapshot,
    },
};

use super::check::{Check, Id};
use crate::{args::COMMAND, cluster::Cluster, error::Error, operator, planner::World};

const FORBIDDEN: u16 = 403;

/// What the checks look at.
pub struct Scene {
    /// The cluster.
    pub cluster: Cluster,
    /// The stack's name.
    pub key: StackKey,
    /// The stack.
    pub stack: ObservabilityStack,
    /// The same, validated, and what it comes to.
    pub valid: Result<(ValidStack, Blueprint), NotValid>,
    /// How the object store is reached with the pods' own keys; otherwise what could not be done.
    pub access: Result<Access, String>,
    /// Its inventory; otherwise what could not be done.
    pub stored: Result<Stored, String>,
    /// Version of the operator that wrote the inventory.
    pub written_by: Result<Option<String>, String>,
    /// What is around the stack; otherwise what could not be done.
    pub snapshot: Result<Snapshot, String>,
    /// The same as facts.
    pub live: Live,
}

/// Why there is no valid stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotValid {
    /// The spec has faults.
    Faults(Vec<Violation>),
    /// What decides it could not be read.
    Unread(String),
}

impl Scene {
    /// Reads it. Fails only when there is no such stack, or no cluster.
    pub async fn read(cluster: Cluster, key: StackKey) -> Result<Self, Error> {
        let mut stack = cluster.stack(&key).await?;
        let stored = stack.clone();
        let (world, inventory, written_by, snapshot) = futures::join!(
            World::seen(&cluster, &mut stack, Some(&stored), None),
            inventory::load(&cluster.client, &key),
            operator::version_for(&cluster.client, &key),
            cluster.look(&key),
        );
        let (valid, access) = match world {
            Err(error) => {
                let unread = one_line(&error);
                (Err(NotValid::Unread(unread.clone())), Err(unread))
            }
            Ok(world) => {
                let valid = validate(&stored, &world.facts).map_err(NotValid::Faults);
                let valid = valid.map(|valid| {
                    let blueprint = design(&valid);
                    (valid, blueprint)
                });
                let observed = world.observed.map_err(|what| format!("no right to {what}"));
                let access = match &valid {
                    Ok((valid, _)) => observed.map(|observed| observed.access(valid)),
                    Err(_) => observed.and(Err("the spec is not valid".to_owned())),
                };
                (valid, access)
            }
        };
        let snapshot = snapshot.map_err(|error| refused(&error));
        let live = snapshot.as_ref().map(|seen| seen.view.live(&key)).unwrap_or_default();
        Ok(Self {
            cluster,
            stack: stored,
            valid,
            access,
            stored: inventory.map_err(|error| refused(&error)),
            written_by: written_by.map_err(|error| refused(&error)),
            snapshot,
            live,
            key,
        })
    }

    /// The valid stack, or what a check says that needs one.
    pub fn valid(&self, id: Id) -> Result<&(ValidStack, Blueprint), Check> {
        self.valid.as_ref().map_err(|why| match why {
            NotValid::Faults(_) => id.unknown("not looked at, because the spec is not valid"),
            NotValid::Unread(why) => id.unknown(format!("not looked at: {why}")),
        })
    }

    /// The inventory, or what a check says that needs it.
    pub fn inventory(&self, id: Id) -> Result<&Stored, Check> {
        let stored = self.stored.as_ref().map_err(|why| id.unknown(why.clone()))?;
        if stored.version.is_none() {
            let name = self.key.inventory();
            let said =
                format!("nothing was applied yet: ConfigMap {}/{name} does not exist", self.key.namespace);
            return Err(id.failed(said).fix(format!("see why with `{COMMAND} why`")));
        }
        Ok(stored)
    }

    /// The facts, or what a check says that cannot do without one of these kinds.
    pub fn live(&self, id: Id, needed: &[&str]) -> Result<&Live, Check> {
        let snapshot = self.snapshot.as_ref().map_err(|why| id.unknown(why.clone()))?;
        let missing = snapshot.missing.iter().find(|right| needed.contains(&right.resource.as_str()));
        missing.map_or(Ok(&self.live), |right| Err(id.unknown(right.to_string())))
    }

    /// What the operator says in a condition of the newest generation.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        let status = self.stack.status.as_ref()?;
        let current = status.observed_generation == self.stack.metadata.generation;
        status.conditions.iter().find(|condition| condition.type_ == type_).filter(|_| current)
    }

    /// What the operator says in a condition, in words.
    pub fn last_word(&self, type_: ConditionType) -> String {
        match self.condition(type_) {
            Some(said) => format!(
                "the operator itself last said {type_}={:?}: {}",
                said.status,
                said.message.trim_end_matches('.')
            ),
            None => format!("the operator itself has not said {type_} yet"),
        }
    }
}

/// Why a request failed, in one line; a missing right is called one.
pub fn refused(error: &ClusterError) -> String {
    match error {
        ClusterError::Api { what, .. } if error.code() == FORBIDDEN => format!("no right to {what}"),
        _ => format!("cannot {error}"),
    }
}

fn one_line(error: &Error) -> String {
    let why = error.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{why}", error.what)
}
