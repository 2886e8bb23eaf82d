//! Taking over what Helm runs: from releases to a stack that gives the same objects, and what a takeover changes.
//!
//! ```text
//! draft(release, wish)              -> Draft: the backend's part of a spec, or what stands in the way
//! stack(drafts, wish)               -> Adoption: a stack that validates, and what people must know
//! compare(objects, namespace, plan) -> Takeover: what happens to each object
//! ```
//!
//! How many, how big and which volumes is read from what the chart rendered: that is what runs. What Tempo and Mimir
//! are told is read from their configuration, and what is left of the owner's values becomes `values`.

mod chart;
mod compare;
mod components;
mod config;
mod credentials;
mod draft;
mod release;
mod values;

use std::fmt;

use obstack_api::{
    CaSecretRef, ChartSource, CredentialsSecretRef, Metrics, MetricsProcessor, ObservabilityStack, Traces,
};

pub use self::{
    compare::{Fate, FieldChange, ObjectName, ObjectTakeover, Takeover, compare},
    draft::{draft, stack},
    release::{HelmChart, HelmRelease},
};
use crate::{backends::Backend, facts::Cluster, names::StackKey};

/// What the person who takes over decides.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Namespace and name of the stack. The namespace is the releases'.
    pub key: StackKey,
    /// Name of the environment.
    pub environment: String,
    /// The Secret with the object store's keys; the releases' own when `None`.
    pub credentials: Option<CredentialsSecretRef>,
    /// Where charts come from; upstream when `None`, and bundled for releases of bundled charts.
    pub source: Option<ChartSource>,
    /// What the API server serves.
    pub cluster: Cluster,
}

/// The part of a spec that a release comes to.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Name of the release.
    pub release: String,
    /// The backend's block.
    pub block: Block,
    /// The object store.
    pub store: Store,
    /// The Secret with the object store's keys.
    pub credentials: CredentialsSecretRef,
    /// Metrics that the release makes from traces.
    pub metrics_generator: Vec<MetricsProcessor>,
    /// What people must know.
    pub notes: Vec<Note>,
}

/// The block of a backend. Its `values` are what the owner configured and no other field says.
#[derive(Clone, Debug)]
pub enum Block {
    /// `spec.traces`.
    Traces(Box<Traces>),
    /// `spec.metrics`.
    Metrics(Box<Metrics>),
}

impl Block {
    /// Which backend.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Traces(_) => Backend::Tempo,
            Self::Metrics(_) => Backend::Mimir,
        }
    }
}

/// An object store as a release uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// Its URL.
    pub endpoint: String,
    /// Region, where one is given.
    pub region: Option<String>,
    /// Buckets are addressed as `endpoint/bucket`.
    pub path_style: bool,
    /// The Secret with its certificate authority.
    pub ca: Option<CaSecretRef>,
}

/// A stack that takes over releases.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The stack. It validates.
    pub stack: ObservabilityStack,
    /// What people must know.
    pub notes: Vec<Note>,
}

/// Something that people must know before they take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about: a field, an object or a value of the release.
    pub subject: String,
    /// What is so, and why.
    pub message: String,
}

/// Something that makes a takeover impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is about: a field, an object or a value of the release.
    pub subject: String,
    /// Why it is in the way.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.message)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.subject, self.why, self.fix)
    }
}

/// Notes and obstacles on the way to a draft.
#[derive(Debug, Default)]
struct Found {
    notes: Vec<Note>,
    obstacles: Vec<Obstacle>,
}

impl Found {
    fn note(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        let note = Note { subject: subject.into(), message: message.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn obstacle(&mut self, subject: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) {
        self.obstacles.push(Obstacle { subject: subject.into(), why: why.into(), fix: fix.into() });
    }
}
