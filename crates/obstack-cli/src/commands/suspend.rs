//! `suspend`.

use crate::{error::Error, exit::Exit, session::Session};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Not there yet.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn run(_session: &Session, _args: &Args, _suspend: bool) -> Result<Exit, Error> {
    Err(Error::new("this command is not there yet"))
}
