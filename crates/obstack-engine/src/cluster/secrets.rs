//! The Secrets that stacks name: read one by one, never listed, and read again only when a watch says they changed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use obstack_core::{facts::SecretFacts, hash, names::StackKey};

use super::{ClusterError, bounded};

/// A Secret that a stack names.
#[derive(Clone, Default)]
pub struct SecretData {
    values: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SecretData {
    /// The bytes of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// What the pure steps get to know. The hash is keyed by the stack's uid, so that equal credentials of two stacks
    /// do not show.
    pub fn facts(&self, uid: &str) -> SecretFacts {
        let mut bytes = uid.as_bytes().to_vec();
        for (key, value) in &self.values {
            for part in [key.as_bytes(), value] {
                bytes.extend_from_slice(&part.len().to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        let keys =
            self.values.iter().filter(|(_, value)| !value.is_empty()).map(|(key, _)| key.clone()).collect();
        SecretFacts { keys, hash: hash::of_bytes(&bytes) }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for SecretData {
    fn from(values: [(&str, &str); N]) -> Self {
        Self { values: values.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).into() }
    }
}

/// Secrets as they were read last.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<HashMap<(String, String), Known>>,
}

#[derive(Clone, Debug, Default)]
enum Read {
    /// Not read, or changed since.
    #[default]
    Stale,
    /// It does not exist.
    Missing,
    /// As it was read.
    There(Arc<SecretData>),
}

#[derive(Debug, Default)]
struct Known {
    read: Read,
    /// Counts invalidations, so that a read that was overtaken is not kept.
    round: u64,
    wanted_by: BTreeSet<StackKey>,
}

impl Secrets {
    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Secret in a stack's namespace; `None` when it does not exist. No request when nothing has changed.
    pub async fn get(
        &self,
        client: &Client,
        key: &StackKey,
        name: &str,
    ) -> Result<Option<Arc<SecretData>>, ClusterError> {
        let at = (key.namespace.clone(), name.to_owned());
        let round = {
            let mut known = self.known();
            let entry = known.entry(at.clone()).or_default();
            entry.wanted_by.insert(key.clone());
            match &entry.read {
                Read::Stale => {}
                Read::Missing => return Ok(None),
                Read::There(data) => return Ok(Some(Arc::clone(data))),
            }
            entry.round
        };
        let api: Api<Secret> = Api::namespaced(client.clone(), &key.namespace);
        let found = bounded(|| format!("get Secret {}/{name}", key.namespace), api.get_opt(name)).await?;
        let found = found.map(|secret| {
            let values =
                secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect();
            Arc::new(SecretData { values })
        });
        if let Some(entry) = self.known().get_mut(&at).filter(|entry| entry.round == round) {
            entry.read = found.clone().map_or(Read::Missing, Read::There);
        }
        Ok(found)
    }

    /// A watch says that a Secret changed, came or went. Returns the stacks that name it.
    pub fn invalidate(&self, namespace: &str, name: &str) -> Vec<StackKey> {
        let mut known = self.known();
        let Some(entry) = known.get_mut(&(namespace.to_owned(), name.to_owned())) else { return Vec::new() };
        entry.read = Read::Stale;
        entry.round += 1;
        entry.wanted_by.iter().cloned().collect()
    }

    /// Forgets what only a gone stack has named.
    pub fn forget_stack(&self, key: &StackKey) {
        self.known().retain(|_, entry| {
            entry.wanted_by.remove(key);
            !entry.wanted_by.is_empty()
        });
    }
}
