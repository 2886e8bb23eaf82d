//! `completion`.

use crate::{error::Error, exit::Exit, session::Session};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Not there yet.
pub fn run(_session: &Session, _args: &Args) -> Result<Exit, Error> {
    Err(Error::new("this command is not there yet"))
}
