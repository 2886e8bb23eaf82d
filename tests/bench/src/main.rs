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
mod report;
mod samples;
mod stats;
mod world;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Measurement, Output};
use error::{Error, Of};
use measure::{create, drift, fleet::Fleet, idle, memory::Memories, restart};
use report::Report;
use world::World;

/// A fleet between the smallest and the largest.
const SOME: u32 = 10;

#[tokio::main]
async fn main() -> ExitCode {
    // Two TLS libraries in one process panic at the first connection unless one is chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider was installed before main");
        return ExitCode::FAILURE;
    }
    match run(&Args::parse()).await {
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
    let world = World::new(sandbox, &args.root, &args.operator).await?;
    if args.wants(&[Measurement::Create]) {
        report.sections.push(create::measure(&world, args.repetitions).await?);
    }
    fleets(args, &world, &mut report).await?;
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
    if args.wants(&[Memory]) && args.stacks > SOME {
        fleet.grow(world, SOME).await?;
        memories.look(&operator, fleet.size()).await?;
    }
    let large = [Drift, Memory, Idle, Restart];
    if args.stacks > 1 && args.wants(&large) {
        let took = fleet.grow(world, args.stacks).await?;
        eprintln!("fleet: {} stacks after {} s", fleet.size(), took.as_secs());
        if args.wants(&[Memory]) {
            memories.look(&operator, fleet.size()).await?;
        }
        if args.wants(&[Idle]) {
            report.sections.push(idle::fleet(world, &operator, &fleet, args.idle).await?);
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
        (
            "simulated",
            format!(
                "{} nodes and all pods (KWOK {}): they become ready, and no container runs; etcd does not wait for \
                 the disk; API server, controllers and everything measured share the machine",
                sandbox.nodes, tools.kwok.version
            ),
        ),
    ]
}
