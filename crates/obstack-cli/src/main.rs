//! `kubectl obstack`: what a person or a pipeline asks of stacks. It decides with the operator's own code: what it
//! renders, plans and diagnoses is what the operator would.

mod age;
mod args;
mod charts;
mod check;
mod cluster;
mod commands;
mod compare;
mod edit;
mod error;
mod evidence;
mod exit;
mod fields;
#[cfg(test)]
mod fixtures;
mod gitops;
mod input;
mod named;
mod operator;
mod output;
mod path;
mod planner;
mod progress;
mod session;
mod sight;
mod story;
mod table;
mod terminal;
mod told;
mod tree;

use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches, error::ErrorKind};

use crate::{args::Cli, exit::Exit, session::Session};

fn main() -> ExitCode {
    // First of all: two TLS libraries in one process panic at the first connection unless one is chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("obstack: another TLS provider was installed before main");
        return ExitCode::FAILURE;
    }
    let command = || Cli::command().bin_name(args::called_as());
    let parsed = command().try_get_matches().map_err(|error| match error.kind() {
        // The usage would name flags that are set by their variables, as if they were required.
        ErrorKind::MissingRequiredArgument => {
            let unset = |sub: Command| sub.mut_args(|arg| arg.env(None::<&str>));
            command().mut_subcommands(unset).try_get_matches().err().unwrap_or(error)
        }
        _ => error,
    });
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when the stream is closed.
            let _ = error.print();
            // clap's own code for wrong usage is 2, which says "there are changes" here.
            return if error.use_stderr() { Exit::Failed.into() } else { Exit::Done.into() };
        }
    };
    let session = Session::new(cli.global);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("obstack: no runtime: {error}");
            return Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(commands::run(&session, cli.command));
    // What still runs in the background serves nobody any more.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            session.terminal.report(&error);
            error.exit.into()
        }
    }
}
