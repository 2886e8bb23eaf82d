//! The command line.

use std::{env, path::Path};

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        adopt, approve, completion, diff, docs, plan, quota, reconcile, render, status, suspend, validate,
        verify, version, why,
    },
    exit::EXIT_CODES,
    session::Global,
};

/// What a person or a pipeline asks of ObservabilityStacks: what would happen, what is, and why.
///
/// It decides with the operator's own code. Commands with -f need no cluster where the answer does not.
#[derive(Debug, Parser)]
#[command(name = "obstack", version, after_help = EXIT_CODES, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests: schema, admission rules and what the operator itself would refuse
    Validate(validate::Args),
    /// Print every object of a stack exactly as the operator applies it
    Render(render::Args),
    /// Show what applying a manifest would change, restart, need and risk
    Plan(plan::Args),
    /// Show where live objects differ from the wanted ones, and who changed them
    Diff(diff::Args),
    /// Reckon what stacks request against quotas, and write the request for more
    Quota(quota::Args),
    /// Show how stacks stand: conditions, components, pods that matter, the first cause
    Status(status::Args),
    /// Explain why a stack is not ready: from the condition down to the first cause and its fix
    Why(why::Args),
    /// Let the change that waits be carried out
    Approve(approve::Args),
    /// Leave a stack as it is until it is resumed
    Suspend(suspend::Args),
    /// Go on with a stack that was suspended
    Resume(suspend::Args),
    /// Have the operator look at a stack now
    Reconcile(reconcile::Args),
    /// Check a stack from end to end: buckets, Services, pods, budgets, datasources, telemetry
    Verify(verify::Args),
    /// Take over a Helm release of Tempo or Mimir, without a restart of its data
    Adopt(adopt::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Print the versions of this command, the operator and the charts
    Version(version::Args),
    /// Write the manual pages
    Docs(docs::Args),
    /// Say what words can become
    #[command(name = "__complete", hide = true)]
    Complete(completion::Words),
}

/// What hints call this command: kubectl finds it by this name wherever it is on PATH.
pub const COMMAND: &str = "kubectl obstack";

/// How this was called: kubectl runs plugins by their file name.
pub fn called_as() -> &'static str {
    let own = env::args_os().next();
    let own = own.as_deref().map(Path::new).and_then(Path::file_stem);
    if own.is_some_and(|name| name == "kubectl-obstack") { COMMAND } else { "obstack" }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
