//! `suspend` and `resume`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    args::COMMAND,
    cluster::key_of,
    edit,
    error::Error,
    exit::Exit,
    gitops::{self, GitOps},
    named::StackName,
    output, progress,
    session::Session,
    sight,
};

/// Flags of `suspend` and `resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack suspend dts-dev
  kubectl obstack resume dts-dev

While a stack is suspended the operator creates, changes and repairs nothing of it. What runs goes on, is looked at and
is told of; Ready is False with the reason Suspended.")]
pub struct Args {
    #[command(flatten)]
    stack: StackName,
}

/// Whether a stack is suspended, and whether that was changed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Done {
    /// Namespace and name of the stack.
    stack: String,
    /// The operator leaves it as it is.
    suspended: bool,
    /// It was not so before.
    changed: bool,
    /// Who applies the stack from git, if anybody shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<GitOps>,
}

/// Sets `spec.suspend`.
pub async fn run(session: &Session, args: &Args, suspend: bool) -> Result<Exit, Error> {
    let asking = progress::show("asking the cluster");
    let cluster = session.cluster().await?;
    let stack = args.stack.find(session, &cluster).await?;
    let key = key_of(&stack);
    let changed = stack.spec.suspend != suspend;
    let patch = json!({"spec": {"suspend": suspend}});
    if changed {
        edit::merge(&cluster, &stack, &patch).await?;
    }
    let operator = sight::operator(&cluster, &key).await;
    drop(asking);
    sight::note_other_version(session, operator.as_deref());
    let managed_by = GitOps::of(&stack);
    if let Some(owner) = managed_by.as_ref().filter(|_| changed) {
        session.terminal.warn(&owner.warning(&format!("spec:\n  suspend: {suspend}")));
    }
    let done = Done { stack: key.to_string(), suspended: suspend, changed, managed_by };
    let text = match output::for_programs(session.format(), "Suspension", &done)? {
        Some(text) => text,
        None => words(&done, gitops::manager_of(&stack, &["spec", "suspend"]), &key.name, &key.namespace),
    };
    session.terminal.print(&text)?;
    Ok(Exit::Done)
}

fn words(done: &Done, manager: Option<&str>, name: &str, namespace: &str) -> String {
    let stack = &done.stack;
    match (done.suspended, done.changed) {
        (true, true) => format!(
            "{stack} is suspended: the operator creates, changes and repairs nothing until\n  {COMMAND} resume {name} -n {namespace}\n"
        ),
        (true, false) => {
            let by = manager.map(|manager| format!(" (by {manager})")).unwrap_or_default();
            format!("{stack} is suspended already{by}\n")
        }
        (false, true) => format!(
            "{stack} is resumed: the operator looks at it now, and puts back what was changed meanwhile\n  \
             {COMMAND} status {name} -n {namespace} --watch\n"
        ),
        (false, false) => format!("{stack} is not suspended\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::docs::schemas;

    #[test]
    fn programs_get_what_the_schema_says() {
        let done =
            |managed_by| Done { stack: "ns/dev".to_owned(), suspended: true, changed: false, managed_by };
        schemas::hold("Suspension", &done(None));
        schemas::hold("Suspension", &done(Some(GitOps { tool: "Flux", told_by: "a label".to_owned() })));
    }
}
