//! `obstack-operator`: the process around the reconcile pipeline.

mod admin;
mod args;
mod docs;
mod health;
mod ready;
mod run;
mod shutdown;
mod telemetry;

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    // First of all: two TLS libraries in one process panic at the first connection unless one is chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("obstack-operator: another TLS provider was installed before main");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    match cli.command {
        None | Some(Command::Run) => run::start(cli.run),
        Some(Command::Crd) => print(&format!("{:#}\n", obstack_api::schema::crd())),
        Some(Command::Docs { page }) => print(&docs::page(page)),
        Some(Command::Ready { url, wait }) => match ready::wait(&url, Duration::from_secs(wait)) {
            Ok(said) => print(&format!("{said}\n")),
            Err(error) => {
                eprintln!("obstack-operator: {error}");
                ExitCode::FAILURE
            }
        },
        Some(Command::Version) => {
            println!("obstack-operator {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

fn print(text: &str) -> ExitCode {
    // Not `print!`, which panics when the reader closes the pipe early.
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    /// The panic that this guards against comes with the first TLS connector, and only in the whole binary.
    #[tokio::test]
    async fn a_tls_client_can_be_built_once_the_provider_is_installed() {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        assert!(kube::Client::try_from(config).is_ok());
    }
}
