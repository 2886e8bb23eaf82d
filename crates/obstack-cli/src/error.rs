//! Errors as people get to read them: what failed, where, why, and what to do.

use std::fmt;

use obstack_engine::{
    client::{self, ClientError},
    cluster::ClusterError,
};

use crate::exit::Exit;

/// What failed, where, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What could not be done.
    pub what: String,
    /// File, line and column, or object.
    pub place: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// How the process ends.
    pub exit: Exit,
}

impl Error {
    /// Something could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, why: None, fix: None, exit: Exit::Failed }
    }

    /// Where.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Why.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// What to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        let parts = [("where", &self.place), ("why", &self.why), ("fix", &self.fix)];
        for (name, text) in parts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            write!(f, "\n  {name:<6} {}", text.replace('\n', "\n         "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        let fix = match &error {
            ClientError::NotConfigured(_) => "give --kubeconfig or --context, or set KUBECONFIG",
            ClientError::Context { .. } => "kubectl config get-contexts lists the contexts there are",
            ClientError::Kubeconfig { .. } | ClientError::Unusable { .. } => {
                "see that kubectl works with the same kubeconfig"
            }
        };
        Self::new("there is no cluster to ask").because(client::explain(&error)).fix(fix)
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        let (what, why) = match &error {
            ClusterError::Api { what, source } => (what.clone(), client::explain(source.as_ref())),
            ClusterError::Deadline { what, deadline } => {
                (what.clone(), format!("no answer within {deadline:?}"))
            }
            ClusterError::OldDefinition { what } | ClusterError::NotLeader { what } => {
                (what.clone(), error.to_string())
            }
        };
        let failed = Self::new(format!("cannot {what}")).because(why);
        let not_served = |message: &str| message.contains("could not find the requested resource");
        match (error.code(), error.status()) {
            (401, _) => failed.fix("log in again: the API server does not know these credentials"),
            (403, _) => failed.fix("ask for that right, or use a context that has it"),
            (404, Some(status)) if not_served(&status.message) => failed.fix(
                "this cluster does not serve ObservabilityStacks: install the CustomResourceDefinition \
                 (kubectl apply --server-side -f crds/)",
            ),
            (0, _) => failed.fix("see that `kubectl version` reaches the API server of this context"),
            _ => failed,
        }
    }
}
