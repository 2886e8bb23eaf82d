//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measures the operator on a running sandbox. `cargo xtask bench` brings one up and runs this.
#[derive(Debug, Parser)]
#[command(name = "obstack-bench")]
pub struct Args {
    /// Folder of the sandbox.
    #[arg(long, env = "OBSTACK_SANDBOX", value_name = "DIR")]
    pub sandbox: PathBuf,
    /// Measure a stack whose containers run, with the operator that is installed in the sandbox.
    #[arg(long)]
    pub real: bool,
    /// The operator's binary, built for speed.
    #[arg(long, value_name = "PATH", required_unless_present = "real", conflicts_with = "real")]
    pub operator: Option<PathBuf>,
    /// With --real: upstream charts for helm, the ones that the installed operator has.
    #[arg(long, value_name = "DIR", requires = "real")]
    pub charts: Option<PathBuf>,
    /// The repository, for CRDs, RBAC, samples and charts.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    /// Stacks of the large fleet [default: 100, with --real 50].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub stacks: Option<u32>,
    /// What to measure [default: everything].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,...")]
    pub only: Vec<Measurement>,
    /// Repetitions of each creation [default: 7, with --real 3].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: Option<u32>,
    /// Services that are deleted to measure their return.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub deletions: u32,
    /// Seconds that the operator is watched while nothing changes [default: 300, with --real 120].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,
    /// How to print the report.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Also write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measurement {
    /// A full prod stack from nothing.
    Create,
    /// A reconcile with nothing to do.
    Reconcile,
    /// The return of deleted Services.
    Drift,
    /// Memory by number of stacks.
    Memory,
    /// A large fleet while nothing changes.
    Idle,
    /// A restart on a large fleet.
    Restart,
    /// With --real: from a stack to telemetry that came back, and the same by helm.
    Start,
    /// With --real: an ingester that is killed.
    Kill,
    /// With --real: what the canary costs.
    Canary,
}

/// How to print the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For documents.
    Markdown,
}

impl Args {
    /// Whether any of these shall be measured.
    pub fn wants(&self, any: &[Measurement]) -> bool {
        self.only.is_empty() || any.iter().any(|one| self.only.contains(one))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|error| format!("not a whole number of seconds: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn everything_is_measured_unless_something_is_named() {
        let parse = |more: &[&str]| {
            let base = ["obstack-bench", "--sandbox", "s", "--operator", "o"];
            Args::try_parse_from(base.iter().chain(more)).unwrap()
        };
        assert!(parse(&[]).wants(&[Measurement::Drift]));
        let some = parse(&["--only", "create,idle"]);
        assert!(some.wants(&[Measurement::Idle, Measurement::Drift]));
        assert!(!some.wants(&[Measurement::Drift]));
    }
}
