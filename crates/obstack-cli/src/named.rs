//! The stack that a command is about: named on the command line, or the only one of its namespace.

use obstack_api::ObservabilityStack;
use obstack_core::names::StackKey;

use crate::{
    args::COMMAND,
    cluster::{Cluster, key_of},
    error::Error,
    session::Session,
};

/// Words before a slash that are the kind rather than a namespace, as kubectl takes them.
const KINDS: &[&str] =
    &["obstack", "observabilitystack", "observabilitystacks", "observabilitystacks.obstack.dev"];

/// The stack that a command is about.
#[derive(Clone, Debug, clap::Args)]
pub struct StackName {
    /// The stack: NAME, NAMESPACE/NAME or obstack/NAME [default: the only one of the namespace]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

impl StackName {
    /// Finds the stack, as it is stored.
    pub async fn find(&self, session: &Session, cluster: &Cluster) -> Result<ObservabilityStack, Error> {
        let stack = match &self.name {
            Some(name) => cluster.stack(&self::key(session, cluster, name)?).await?,
            None => only_one(session, cluster).await?,
        };
        Ok(stack)
    }
}

/// Namespace and name of a stack that was named.
fn key(session: &Session, cluster: &Cluster, text: &str) -> Result<StackKey, Error> {
    let (namespace, name) = parse(text)?;
    match (&session.global.namespace, namespace) {
        (Some(flag), Some(namespace)) if *flag != namespace => {
            Err(Error::new(format!("two namespaces are named: {namespace} by {text}, {flag} by --namespace"))
                .fix("leave one of them out"))
        }
        (_, Some(namespace)) => Ok(StackKey { namespace, name }),
        (_, None) => Ok(StackKey { namespace: session.namespace(cluster), name }),
    }
}

/// Namespace, where one is named, and name.
fn parse(text: &str) -> Result<(Option<String>, String), Error> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [name] if !name.is_empty() => Ok((None, (*name).to_owned())),
        [kind, name] if KINDS.contains(kind) && !name.is_empty() => Ok((None, (*name).to_owned())),
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
            Ok((Some((*namespace).to_owned()), (*name).to_owned()))
        }
        _ => {
            Err(Error::new(format!("`{text}` names no stack"))
                .fix("write NAME, NAMESPACE/NAME or obstack/NAME"))
        }
    }
}

async fn only_one(session: &Session, cluster: &Cluster) -> Result<ObservabilityStack, Error> {
    let namespace = session.namespace(cluster);
    let mut stacks = cluster.stacks(Some(&namespace)).await?;
    match (stacks.pop(), stacks.len()) {
        (Some(stack), 0) => {
            session
                .terminal
                .note(&format!("no stack was named: taking {}, the only one there is", key_of(&stack)));
            Ok(stack)
        }
        (None, _) => Err(Error::new(format!("there is no ObservabilityStack in namespace {namespace}"))
            .fix(format!("name another namespace with -n; `{COMMAND} status -A` shows the stacks of all"))),
        (Some(last), _) => {
            let names = stacks.iter().chain([&last]).filter_map(|stack| stack.metadata.name.clone());
            let names: Vec<_> = names.collect();
            Err(Error::new(format!("namespace {namespace} has {} stacks", names.len()))
                .fix(format!("name one of them: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_as_kubectl_names_objects() {
        let some = |namespace: &str, name: &str| (Some(namespace.to_owned()), name.to_owned());
        assert_eq!(parse("dev"), Ok((None, "dev".to_owned())));
        assert_eq!(parse("obstack/dev"), Ok((None, "dev".to_owned())));
        assert_eq!(parse("observabilitystacks.obstack.dev/dev"), Ok((None, "dev".to_owned())));
        assert_eq!(parse("team/dev"), Ok(some("team", "dev")));
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
