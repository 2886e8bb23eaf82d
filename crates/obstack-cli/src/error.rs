//! Errors as people get to read them: what failed, where, why, and what to do.

use std::fmt;

use kube::core::Status;
use obstack_engine::{
    client::{self, ClientError},
    cluster::ClusterError,
};

use crate::{
    exit::Exit,
    input::{API_VERSION, KIND},
};

/// The kind as URLs and rights have it.
const PLURAL: &str = "observabilitystacks";

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

/// Whether the API server knows no such resource at all: as one that is not there, it is answered by 404.
pub fn is_not_served(status: &Status) -> bool {
    // The first where the API group is not there either, the second where it is.
    let words = ["404 page not found", "could not find the requested resource"];
    status.code == 404 && words.iter().any(|words| status.message.contains(words))
}

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
        match (error.code(), error.status()) {
            (401, _) => failed.fix("log in again: the API server does not know these credentials"),
            (403, _) => failed.fix("ask for that right, or use a context that has it"),
            (404, Some(status)) if is_not_served(status) && what.contains(KIND) => {
                Self::new(format!("cannot {what}"))
                    .because(format!("this cluster does not serve {PLURAL} in {API_VERSION}"))
                    .fix(
                        "install the operator and its CustomResourceDefinition: its chart, or kubectl apply \
                         --server-side -f crds/. Or name another cluster: --context NAME",
                    )
            }
            (404, Some(status)) if is_not_served(status) => Self::new(format!("cannot {what}"))
                .because("this cluster does not serve that kind")
                .fix("install the CustomResourceDefinition of that kind, or name another cluster: --context NAME"),
            (429, Some(status)) if status.message.contains("(re)initializing") => {
                failed.fix("the API server makes this kind ready for use: try again in a moment")
            }
            (429, _) => failed.fix("the API server has too much to do: try again in a moment"),
            (0, _) => failed.fix("see that `kubectl version` reaches the API server of this context"),
            _ => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(what: &str, code: u16, reason: &str, message: &str) -> Error {
        let status =
            Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::default() };
        let source = Box::new(kube::Error::Api(Box::new(status)));
        ClusterError::Api { what: what.to_owned(), source }.into()
    }

    #[test]
    fn a_cluster_without_the_definition_is_told_what_to_install() {
        // As kube reads the plain text of an API group that is not there, and the answer where another version is.
        for (reason, message) in [
            ("Failed to parse error data", "404 page not found\n"),
            ("NotFound", "the server could not find the requested resource"),
        ] {
            let error = answered("list ObservabilityStacks in namespace a", 404, reason, message);
            let expected = "cannot list ObservabilityStacks in namespace a
  why    this cluster does not serve observabilitystacks in obstack.dev/v1alpha1
  fix    install the operator and its CustomResourceDefinition: its chart, or kubectl apply --server-side -f crds/. \
                            Or name another cluster: --context NAME";
            assert_eq!(error.to_string(), expected);
        }
        let other =
            answered("list Grafanas", 404, "NotFound", "the server could not find the requested resource");
        assert_eq!(other.why.as_deref(), Some("this cluster does not serve that kind"));
        let gone =
            answered("get ObservabilityStack a/b", 404, "NotFound", "observabilitystacks \"b\" not found");
        assert_eq!(
            (gone.why.as_deref(), gone.fix),
            (Some("404 NotFound: observabilitystacks \"b\" not found"), None)
        );
    }

    #[test]
    fn a_definition_that_was_just_made_is_to_be_tried_again() {
        let error =
            answered("list ObservabilityStacks", 429, "TooManyRequests", "storage is (re)initializing");
        assert_eq!(error.why.as_deref(), Some("429 TooManyRequests: storage is (re)initializing"));
        assert!(error.fix.is_some_and(|fix| fix.ends_with("try again in a moment")));
    }
}
