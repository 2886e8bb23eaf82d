//! Logs: where they go, in which form, and what is kept out of them.

use std::io::{IsTerminal, stderr};

use thiserror::Error;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, ObserveArgs};

/// kube logs each 5xx at error level; the metrics count them, and a restart of the API server must page nobody. The AWS
/// SDK names access keys at its finer levels.
const QUIET: &str =
    "kube_client::client::builder=off,aws_smithy_runtime=info,aws_sigv4=info,aws_runtime=info";

/// Why there is no log.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("--log-level {filter:?}: {source}")]
    Filter {
        /// The filter as it was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else logs already.
    #[error("a log was set up twice: {0}")]
    Twice(Box<dyn std::error::Error + Send + Sync>),
}

/// Sends logs to stderr and makes panics part of them.
pub fn init(args: &ObserveArgs) -> Result<(), TelemetryError> {
    let filter = filter(&args.log_level)?;
    let terminal = stderr().is_terminal();
    let format = args.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(terminal);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        error!(place, message, "panicked");
    }));
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    // First, so that who names that target in the filter gets it back.
    let directives = format!("{QUIET},{level}");
    EnvFilter::builder()
        .parse(directives)
        .map_err(|source| TelemetryError::Filter { filter: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_keeps_the_noise_of_the_client_out() {
        let text = filter("debug").unwrap().to_string();
        assert!(QUIET.split(',').all(|quiet| text.contains(quiet)) && text.contains("debug"), "{text}");
    }

    #[test]
    fn a_filter_that_names_the_client_wins() {
        let text = filter("info,kube_client::client::builder=error").unwrap().to_string();
        assert!(
            text.contains("kube_client::client::builder=error") && !text.contains("builder=off"),
            "{text}"
        );
    }

    #[test]
    fn a_filter_that_cannot_be_parsed_is_named() {
        let text = filter("info,obstack=loud").unwrap_err().to_string();
        assert!(text.contains("info,obstack=loud"), "{text}");
    }
}
