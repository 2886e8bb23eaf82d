//! What we know of each backend: its roles, its values and where it answers. One folder a backend.

pub mod mimir;
pub(crate) mod parts;
pub mod role;
pub mod tempo;
pub mod values;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::values::Values;
use crate::{
    names::ReleaseName,
    valid::{Storage, ValidBackend},
};

/// A telemetry backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Backend {
    /// Grafana Tempo, for traces.
    Tempo,
    /// Grafana Mimir, for metrics.
    Mimir,
}

impl Backend {
    /// Every backend.
    pub const ALL: &[Self] = &[Self::Tempo, Self::Mimir];

    /// The signal it keeps, which is also its block in the spec.
    pub fn signal(self) -> &'static str {
        match self {
            Self::Tempo => "traces",
            Self::Mimir => "metrics",
        }
    }

    /// Beginning of the keys that the operator writes into the backend's buckets (a claim and short-lived probes).
    ///
    /// Both backends take what stands at the root of a bucket for tenants. Mimir leaves out `__mimir_cluster` alone
    /// (`isUserIDReserved` in `pkg/storage/tsdb`); Tempo looks at common prefixes only, so a key without a slash is none.
    pub fn reserved_keys(self) -> &'static str {
        match self {
            Self::Tempo => "obstack-",
            Self::Mimir => "__mimir_cluster/obstack-",
        }
    }

    /// Last part of its release's name.
    pub fn chart_stem(self) -> &'static str {
        match self {
            Self::Tempo => "tempo",
            Self::Mimir => "mimir",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tempo => "Tempo",
            Self::Mimir => "Mimir",
        })
    }
}

/// What a backend's values depend on beside the backend's own block.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What the release and its objects are called.
    pub name: &'a ReleaseName,
    /// Namespace of the stack.
    pub namespace: &'a str,
    /// The object store.
    pub storage: &'a Storage,
    /// Pods must meet OpenShift's `restricted-v2`.
    pub openshift: bool,
    /// Where the stack takes metrics by Prometheus' remote write; `None` when it keeps none.
    pub remote_write: Option<&'a str>,
}

/// The Helm values of a backend, without the user's.
pub fn values(backend: &ValidBackend, setting: &Setting<'_>) -> Values {
    match (backend.backend, backend.monolithic) {
        (Backend::Tempo, true) => tempo::monolithic::values(backend, setting),
        (Backend::Tempo, false) => tempo::distributed::values(backend, setting),
        (Backend::Mimir, _) => mimir::values::values(backend, setting),
    }
}
