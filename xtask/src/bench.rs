//! `cargo xtask bench`: builds for speed, measures on a sandbox of its own, and takes that down whatever happens.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use obstack_sandbox::Sandbox;

use crate::command;
use crate::error::{At, Error};
use crate::interrupt;
use crate::sandbox;
use crate::workspace;

/// Pods that fit onto a simulated node.
const PODS_PER_NODE: u32 = 110;
/// Pods of a stack of the large fleet.
const PODS_PER_STACK: u32 = 9;

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    /// Stacks of the large fleet
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub stacks: u32,
    /// What to measure: create, reconcile, drift, memory, idle, restart; without it everything
    #[arg(long, value_name = "NAME,...")]
    pub only: Option<String>,
    /// Repetitions of each creation
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: u32,
    /// Services that are deleted to measure their return
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub deletions: u32,
    /// Seconds that the large fleet is watched while nothing changes
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub idle: u32,
    /// How to print the report: table, json or markdown
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub output: String,
    /// Also write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Measure this binary and not the one that is built now
    #[arg(long, value_name = "PATH")]
    pub operator: Option<PathBuf>,
    /// A `SeaweedFS` binary for S3; without it `OBSTACK_WEED`, `weed` on PATH, else versitygw
    #[arg(long, value_name = "PATH")]
    pub weed: Option<PathBuf>,
}

/// Builds, brings a sandbox up, measures, and takes it down.
pub fn run(options: &Options) -> Result<(), Error> {
    let [operator, bench] = workspace::build(["obstack-operator", "obstack-bench"], true)?;
    let operator = options.operator.as_ref().unwrap_or(&operator);
    let mut command = Command::new(bench);
    command.args(arguments(options)).arg("--root").arg(workspace::root()).arg("--operator").arg(operator);
    if let Some(out) = &options.out {
        command.arg("--out").arg(std::path::absolute(out).at("find", out)?);
    }
    let dir = env::temp_dir().join(format!("obstack-bench-{}", std::process::id()));
    let mut wanted = obstack_sandbox::Options::new(&dir);
    wanted.weed.clone_from(&options.weed);
    let nodes = (options.stacks * PODS_PER_STACK).div_ceil(PODS_PER_NODE) + 2;
    wanted.nodes = usize::try_from(nodes).unwrap_or(usize::MAX).max(wanted.nodes);
    let result = sandbox::up(&wanted).and_then(|sandbox| measure(command, &sandbox));
    let ended = sandbox::down(&dir);
    result.and(ended)
}

fn arguments(options: &Options) -> Vec<OsString> {
    let number = |name: &str, value: u32| [name.into(), value.to_string().into()];
    let mut arguments: Vec<OsString> = Vec::new();
    arguments.extend(number("--stacks", options.stacks));
    arguments.extend(number("--repetitions", options.repetitions));
    arguments.extend(number("--deletions", options.deletions));
    arguments.extend(number("--idle", options.idle));
    arguments.extend(["--output".into(), options.output.clone().into()]);
    if let Some(only) = &options.only {
        arguments.extend(["--only".into(), only.into()]);
    }
    arguments
}

/// The report goes to stdout, and what goes on to stderr.
fn measure(mut command: Command, sandbox: &Sandbox) -> Result<(), Error> {
    command.arg("--sandbox").arg(&sandbox.dir);
    let status = command.status().map_err(|source| command::cannot_run(&command, source))?;
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        what: "measure".into(),
        command: command::line(&command),
        output: format!("  it ended with {status} and said why above"),
    })
}
