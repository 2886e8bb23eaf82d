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
        Command::Validate(args) => validate::run(session, &args).await,
        Command::Render(args) => render::run(session, &args).await,
        Command::Plan(args) => plan::run(session, &args).await,
        Command::Diff(args) => diff::run(session, &args).await,
        Command::Quota(args) => quota::run(session, &args).await,
        Command::Status(args) => status::run(session, &args).await,
        Command::Why(args) => why::run(session, &args).await,
        Command::Approve(args) => approve::run(session, &args).await,
        Command::Suspend(args) => suspend::run(session, &args, true).await,
        Command::Resume(args) => suspend::run(session, &args, false).await,
        Command::Reconcile(args) => reconcile::run(session, &args).await,
        Command::Verify(args) => verify::run(session, &args).await,
        Command::Adopt(args) => adopt::run(session, &args).await,
        Command::Completion(args) => completion::run(session, &args),
        Command::Version(args) => version::run(session, &args).await,
        Command::Docs(args) => docs::run(session, &args),
        Command::Complete(args) => completion::complete(session, &args).await,
    }
}
