//! A stack whose containers run: how long it takes to start, to prove itself and to come back, what the canary costs,
//! and the same stack by helm beside it.
//!
//! The operator is the one that is installed in the sandbox: pods of its own image with the rights that it ships with.

mod canary;
mod kill;
mod leader;
mod path;
mod stacks;
mod stand_in;
mod start;

use std::{path::PathBuf, time::Duration};

use obstack_api::Signal;
use obstack_sandbox::Sandbox;

use crate::{
    args::{Args, Measurement},
    cluster::Cluster,
    error::{Error, Of},
    report::Report,
    samples::Samples,
};

/// Repetitions of a start unless something else is asked for: one takes more than a minute.
const REPETITIONS: u32 = 3;
/// So long the operator is watched while canaries run.
const WINDOW: Duration = Duration::from_mins(2);
/// Stacks whose doors are stood in for.
const STACKS: u32 = 50;
/// Of the one stack that is killed at, and whose canary is watched.
const NAMESPACE: &str = "bench-real";

/// What all measurements of real pods share.
pub struct Real {
    /// The control plane and the node that runs containers.
    pub sandbox: Sandbox,
    /// Its API server as an administrator sees it.
    pub cluster: Cluster,
    /// The stacks to measure with.
    pub samples: Samples,
    /// What comes back here: metrics, and traces where Tempo runs.
    pub signals: Vec<Signal>,
    /// Files of the bench, removed with the sandbox.
    pub dir: PathBuf,
}

/// Measures everything, one stack at a time.
pub async fn measure(args: &Args, sandbox: Sandbox, report: &mut Report) -> Result<(), Error> {
    let dir = sandbox.dir.join("bench");
    std::fs::create_dir_all(&dir).of(&dir)?;
    let cluster = Cluster::open(&sandbox.kubeconfig).await?;
    let samples = Samples::read(&args.root, &sandbox, &cluster, &dir, args.charts.as_deref()).await?;
    let mut signals = vec![Signal::Metrics];
    if sandbox.is_real("tempo") {
        signals.insert(0, Signal::Traces);
    }
    let real = Real { sandbox, cluster, samples, signals, dir };
    let window = args.idle.unwrap_or(WINDOW);
    if args.wants(&[Measurement::Start]) {
        report.sections.push(start::measure(&real, args.repetitions.unwrap_or(REPETITIONS)).await?);
    }
    if args.wants(&[Measurement::Kill, Measurement::Canary]) {
        real.make_namespace(NAMESPACE).await?;
        let stack = stacks::whole(&real, NAMESPACE)?;
        start::by_operator(&real, &stack).await?;
        if args.wants(&[Measurement::Kill]) {
            report.sections.push(kill::measure(&real, &stack).await?);
        }
        if args.wants(&[Measurement::Canary]) {
            report.sections.push(canary::of_one(&real, window).await?);
        }
        real.cluster.remove_namespace(NAMESPACE).await?;
    }
    if args.wants(&[Measurement::Canary]) {
        report.sections.push(canary::of_many(&real, args.stacks.unwrap_or(STACKS), window).await?);
    }
    Ok(())
}

impl Real {
    /// Makes a namespace with the object store's keys in it.
    pub async fn make_namespace(&self, name: &str) -> Result<(), Error> {
        let s3 = &self.sandbox.s3;
        self.cluster.make_namespace(name, (&s3.access_key, &s3.secret_key)).await
    }
}
