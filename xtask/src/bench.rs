//! `cargo xtask bench`: builds for speed, measures on a sandbox of its own, and takes that down whatever happens.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use obstack_sandbox::Sandbox;

use crate::args::{Pods, SandboxOptions};
use crate::command;
use crate::error::{At, Error};
use crate::install;
use crate::interrupt;
use crate::sandbox;
use crate::workspace;

/// Stacks of the large fleet, as the bench has them.
const STACKS: u32 = 100;
/// The same beside pods that run.
const STACKS_REAL: u32 = 50;
/// Pods that fit onto a simulated node.
const PODS_PER_NODE: u32 = 110;
/// Pods of a stack of the large fleet.
const PODS_PER_STACK: u32 = 9;

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    /// Stacks of the large fleet [default: 100, with --pods real 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub stacks: Option<u32>,
    /// What to measure: create, reconcile, drift, memory, idle, restart; with --pods real: start, kill, canary; without
    /// it everything
    #[arg(long, value_name = "NAME,...")]
    pub only: Option<String>,
    /// Repetitions of each creation [default: 7, with --pods real 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: Option<u32>,
    /// Services that are deleted to measure their return
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub deletions: u32,
    /// Seconds that the operator is watched while nothing changes [default: 300, with --pods real 120]
    #[arg(long, value_name = "SECONDS")]
    pub idle: Option<u32>,
    /// How to print the report: table, json or markdown
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub output: String,
    /// Also write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Measure this binary and not the one that is built now; for simulated pods
    #[arg(long, value_name = "PATH")]
    pub operator: Option<PathBuf>,
    /// With --pods real: upstream charts, as NAME-VERSION.tgz or unpacked NAME-VERSION/; without it the bundled ones
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
    /// The sandbox.
    #[command(flatten)]
    pub sandbox: SandboxOptions,
}

/// Builds, brings a sandbox up, measures, and takes it down.
pub fn run(options: &Options) -> Result<(), Error> {
    let real = options.sandbox.pods == Pods::Real;
    if real && options.operator.is_some() {
        return Err(Error::NotWith { flag: "--operator", pods: "real" });
    }
    if !real && options.charts.is_some() {
        return Err(Error::NotWith { flag: "--charts", pods: "simulated" });
    }
    let dir = env::temp_dir().join(format!("obstack-bench-{}", std::process::id()));
    let mut wanted = options.sandbox.at(dir.clone());
    let stacks = options.stacks.unwrap_or(if real { STACKS_REAL } else { STACKS });
    let nodes = (stacks * PODS_PER_STACK).div_ceil(PODS_PER_NODE) + 2;
    wanted.nodes = usize::try_from(nodes).unwrap_or(usize::MAX).max(wanted.nodes);
    let result = if real { on_real(options, &wanted) } else { on_simulated(options, &wanted) };
    let ended = sandbox::down(&dir);
    result.and(ended)
}

/// With the operator as a process.
fn on_simulated(options: &Options, wanted: &obstack_sandbox::Options) -> Result<(), Error> {
    let [operator, bench] = workspace::build(["obstack-operator", "obstack-bench"], true)?;
    let mut command = command(bench, options)?;
    command.arg("--operator").arg(options.operator.as_ref().unwrap_or(&operator));
    measure(command, &sandbox::up(wanted)?)
}

/// With the operator as it is installed.
fn on_real(options: &Options, wanted: &obstack_sandbox::Options) -> Result<(), Error> {
    let [bench] = workspace::build(["obstack-bench"], false)?;
    let mut command = command(bench, options)?;
    command.arg("--real");
    let charts = options.charts.as_ref().map(|dir| std::path::absolute(dir).at("find", dir)).transpose()?;
    if let Some(charts) = &charts {
        command.arg("--charts").arg(charts);
    }
    let sandbox = sandbox::up(wanted)?;
    install::install(&sandbox, charts.as_deref())?;
    measure(command, &sandbox)
}

fn command(bench: PathBuf, options: &Options) -> Result<Command, Error> {
    let mut command = Command::new(bench);
    command.args(arguments(options)).arg("--root").arg(workspace::root());
    if let Some(out) = &options.out {
        command.arg("--out").arg(std::path::absolute(out).at("find", out)?);
    }
    Ok(command)
}

fn arguments(options: &Options) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let numbers = [
        ("--stacks", options.stacks),
        ("--repetitions", options.repetitions),
        ("--deletions", Some(options.deletions)),
        ("--idle", options.idle),
    ];
    for (name, value) in numbers {
        arguments.extend(value.into_iter().flat_map(|value| [name.into(), value.to_string().into()]));
    }
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
