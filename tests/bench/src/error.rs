//! Why a measurement could not be made.

use std::{io, path::PathBuf};

use obstack_engine::{
    buckets::StorageError,
    charts::{HelmError, RenderError},
    client,
    plans::PlanError,
};

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox cannot be used.
    #[error(transparent)]
    Sandbox(#[from] obstack_sandbox::Error),
    /// The API server refused, or could not be reached.
    #[error("cannot {what}: {}", client::explain(source.as_ref()))]
    Api {
        /// What was tried, as a verb.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// A file could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{program}` failed: {said}")]
    Program {
        /// What was run.
        program: String,
        /// What it said.
        said: String,
    },
    /// Something did not happen in time.
    #[error("not within {seconds} s: {what}; last seen: {last}")]
    TooLate {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was there instead.
        last: String,
    },
    /// Something is not as it is expected.
    #[error("{what} is not understood: {reason}")]
    Format {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no usable helm.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// A chart did not render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A bucket could not be made.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Says what was tried with the API server.
pub trait Doing<T> {
    /// `what` as a verb with its object.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, kube::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Api { what: what(), source: Box::new(source) })
    }
}

/// Names the file that could not be used.
pub trait Of<T> {
    /// The file.
    fn of(self, path: &std::path::Path) -> Result<T, Error>;
}

impl<T> Of<T> for io::Result<T> {
    fn of(self, path: &std::path::Path) -> Result<T, Error> {
        self.map_err(|source| Error::File { path: path.into(), source })
    }
}
