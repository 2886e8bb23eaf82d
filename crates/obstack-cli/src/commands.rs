//! The commands, one file each: their flags, what they do, how they print it.

pub mod adopt;
pub mod approve;
pub mod completion;
pub mod diff;
pub mod docs;
pub mod plan;
pub mod quota;
pub mod reconcile;
pub mod render;
pub mod status;
pub mod suspend;
pub mod validate;
pub mod verify;
pub mod version;
pub mod why;

use crate::{args::Command, error::Error, exit::Exit, session::Session};

/// Runs a command to its end.
pub async fn run(session: &Session, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Validate(args) => Box::pin(validate::run(session, &args)).await,
        Command::Render(args) => Box::pin(render::run(session, &args)).await,
        Command::Plan(args) => Box::pin(plan::run(session, &args)).await,
        Command::Diff(args) => Box::pin(diff::run(session, &args)).await,
        Command::Quota(args) => Box::pin(quota::run(session, &args)).await,
        Command::Status(args) => Box::pin(status::run(session, &args)).await,
        Command::Why(args) => Box::pin(why::run(session, &args)).await,
        Command::Approve(args) => Box::pin(approve::run(session, &args)).await,
        Command::Suspend(args) => Box::pin(suspend::run(session, &args, true)).await,
        Command::Resume(args) => Box::pin(suspend::run(session, &args, false)).await,
        Command::Reconcile(args) => Box::pin(reconcile::run(session, &args)).await,
        Command::Verify(args) => Box::pin(verify::run(session, &args)).await,
        Command::Adopt(args) => Box::pin(adopt::run(session, &args)).await,
        Command::Completion(args) => completion::run(session, &args),
        Command::Version(args) => Box::pin(version::run(session, &args)).await,
        Command::Docs(args) => docs::run(session, &args),
        Command::Complete(args) => completion::complete(session, &args).await,
    }
}
