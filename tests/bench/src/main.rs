//! Measures the operator on a sandbox: against a bare loop of applies, against helm, and against nothing at all.
//!
//! Nothing here asserts. A report says what was measured on this machine in this run, and ratios say more than times.

mod args;
mod audit;
mod cluster;
mod error;
mod measure;
mod operator;
mod procfs;
mod real;
mod report;
mod samples;
mod stats;
mod world;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

use args::{Args, Measurement, Output};
use error::{Error, Of};
use measure::{create, drift, fleet::Fleet, idle, memory::Memories, restart};
use report::Report;
use world::World;

/// A fleet between the smallest and the largest.
const SOME: u32 = 10;
/// The largest fleet, repetitions of a creation, and how long a fleet is watched, unless something else is asked for.
const LARGEST: u32 = 100;
const REPETITIONS: u32 = 7;
const IDLE: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS libraries in one process panic at the first connection unless one is chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider was installed before main");
        return ExitCode::FAILURE;
    }
    match Box::pin(run(&Args::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Error> {
    let sandbox = obstack_sandbox::open(&args.sandbox)?;
    let mut report = Report { setting: setting(&sandbox), sections: Vec::new() };
    match &args.operator {
        None => Box::pin(real::measure(args, sandbox, &mut report)).await?,
        Some(operator) => {
            let world = World::new(sandbox, &args.root, operator).await?;
            if args.wants(&[Measurement::Create]) {
                let repetitions = args.repetitions.unwrap_or(REPETITIONS);
                report.sections.push(create::measure(&world, repetitions).await?);
            }
            fleets(args, &world, &mut report).await?;
        }
    }
    report.setting.push(("load at the end", format!("{:.2}", procfs::load())));
    if let Some(file) = &args.out {
        std::fs::write(file, report.markdown()).of(file)?;
    }
    println!(
        "{}",
        match args.output {
            Output::Table => report.table(),
            Output::Json => report.json(),
            Output::Markdown => report.markdown(),
        }
    );
    Ok(())
}

/// Everything that needs stacks that stand.
async fn fleets(args: &Args, world: &World, report: &mut Report) -> Result<(), Error> {
    use Measurement::{Drift, Idle, Memory, Reconcile, Restart};
    if !args.wants(&[Reconcile, Drift, Memory, Idle, Restart]) {
        return Ok(());
    }
    let size = args.stacks.unwrap_or(LARGEST);
    let (mut fleet, mut memories) = (Fleet::default(), Memories::default());
    let mut operator = world.start().await?;
    fleet.grow(world, 1).await?;
    if args.wants(&[Memory]) {
        memories.look(&operator, fleet.size()).await?;
    }
    if args.wants(&[Reconcile]) {
        report.sections.push(idle::reconciles(world, &operator).await?);
    }
    if args.wants(&[Drift]) {
        report.sections.push(drift::measure(world, &fleet, args.deletions).await?);
    }
    if args.wants(&[Memory]) && size > SOME {
        fleet.grow(world, SOME).await?;
        memories.look(&operator, fleet.size()).await?;
    }
    let large = [Drift, Memory, Idle, Restart];
    if size > 1 && args.wants(&large) {
        let took = fleet.grow(world, size).await?;
        eprintln!("fleet: {} stacks after {} s", fleet.size(), took.as_secs());
        if args.wants(&[Memory]) {
            memories.look(&operator, fleet.size()).await?;
        }
        if args.wants(&[Idle]) {
            let time = args.idle.unwrap_or(IDLE);
            report.sections.push(idle::fleet(world, &operator, &fleet, time).await?);
        }
        if args.wants(&[Drift]) {
            report.sections.push(drift::measure(world, &fleet, args.deletions).await?);
        }
        if args.wants(&[Restart, Memory]) {
            let (section, again) = restart::measure(world, operator, &fleet).await?;
            operator = again;
            if args.wants(&[Restart]) {
                report.sections.push(section);
            }
        }
        if args.wants(&[Memory]) {
            memories.look_again(&operator, fleet.size()).await?;
        }
    }
    if args.wants(&[Memory]) {
        report.sections.push(memories.section());
    }
    operator.stop().await
}

fn setting(sandbox: &obstack_sandbox::Sandbox) -> Vec<(&'static str, String)> {
    let tools = &sandbox.tools;
    vec![
        ("machine", procfs::machine()),
        ("load at the start", format!("{:.2}", procfs::load())),
        ("operator", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "versions",
            format!(
                "Kubernetes {}, etcd {}, helm {}, {}",
                tools.kube_apiserver.version,
                tools.etcd.version,
                tools.helm.version,
                sandbox.s3.implementation
            ),
        ),
        ("pods", pods(sandbox)),
    ]
}

/// What is real of them and what is not.
fn pods(sandbox: &obstack_sandbox::Sandbox) -> String {
    let kwok = &sandbox.tools.kwok.version;
    let shared =
        "etcd does not wait for the disk; API server, controllers and everything measured share the machine";
    if sandbox.backends.is_empty() {
        let nodes = sandbox.nodes;
        return format!(
            "simulated on {nodes} nodes (KWOK {kwok}): they become ready, and no container runs; {shared}"
        );
    }
    let backends = sandbox.backends.iter().map(|backend| format!("{}: {}", backend.name, backend.how));
    let backends = backends.collect::<Vec<_>>().join(", ");
    format!("they run on one node made of this machine ({backends}); {shared}")
}
