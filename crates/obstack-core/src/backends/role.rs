//! The roles a backend has, and what each needs when the spec is silent.

use serde::{Deserialize, Serialize};

/// How the resource policy treats a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Holds what is not flushed yet. Its memory grows with the load, so it has a limit.
    Ingester,
    /// Holds index headers in memory, so it has a limit.
    StoreGateway,
    /// Everything else: no memory limit.
    #[default]
    Other,
}

impl Class {
    /// Whether the resource policy wants a memory limit.
    pub fn bears_memory_limit(self) -> bool {
        self != Self::Other
    }
}

/// The data volume a role has when the spec is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataVolume {
    /// It keeps no data.
    None,
    /// A claim of this size: losing it loses data, or much work.
    Claim(&'static str),
    /// A folder that goes with the pod: what is in it can be fetched again.
    EmptyDir,
}

/// One role of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Key in `components`.
    pub key: &'static str,
    /// What the charts append to the release's name for its workload; empty when the workload has the bare name.
    pub suffix: &'static str,
    /// How the resource policy treats it.
    pub class: Class,
    /// Replicas when the spec is silent.
    pub replicas: u32,
    /// CPU request when the spec is silent.
    pub cpu: &'static str,
    /// Memory request when the spec is silent.
    pub memory: &'static str,
    /// Memory limit when the spec is silent, for classes that bear one.
    pub memory_limit: Option<&'static str>,
    /// Data volume when the spec is silent.
    pub data: DataVolume,
}

impl Role {
    /// Name of the role's workload.
    pub fn workload(&self, release: &str) -> String {
        if self.suffix.is_empty() { release.to_owned() } else { format!("{release}-{}", self.suffix) }
    }

    /// A stateless role that runs once, with small requests.
    pub(crate) const fn stateless(key: &'static str, suffix: &'static str) -> Self {
        Self {
            key,
            suffix,
            class: Class::Other,
            replicas: 1,
            cpu: "50m",
            memory: "256Mi",
            memory_limit: None,
            data: DataVolume::None,
        }
    }

    /// The same role, off when the spec is silent.
    pub(crate) const fn optional(mut self) -> Self {
        self.replicas = 0;
        self
    }

    /// The same role with other default requests.
    pub(crate) const fn requests(mut self, cpu: &'static str, memory: &'static str) -> Self {
        self.cpu = cpu;
        self.memory = memory;
        self
    }

    /// The same role with a data volume.
    pub(crate) const fn data(mut self, data: DataVolume) -> Self {
        self.data = data;
        self
    }

    /// The same role with a class that bears a memory limit.
    pub(crate) const fn limited(mut self, class: Class, memory_limit: &'static str) -> Self {
        self.class = class;
        self.memory_limit = Some(memory_limit);
        self
    }
}
