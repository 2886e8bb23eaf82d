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

use std::{convert::Infallible, path::PathBuf, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use obstack_api::Signal;
use obstack_sandbox::{ContainerSignal, Sandbox};

use crate::{
    args::{Args, Measurement},
    cluster::Cluster,
    error::{Doing, Error, Of},
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
        real.remove_namespace(NAMESPACE).await?;
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

    /// Removes a namespace. Its containers are killed: backends take up to five minutes to end, for nobody.
    pub async fn remove_namespace(&self, name: &str) -> Result<(), Error> {
        tokio::select! {
            removed = self.cluster.remove_namespace(name) => removed,
            never = self.kill_what_ends(name) => never.map(|never| match never {}),
        }
    }

    /// Kills the containers of pods that are on their way out, over and over.
    async fn kill_what_ends(&self, namespace: &str) -> Result<Infallible, Error> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        loop {
            let list =
                pods.list(&ListParams::default()).await.doing(|| format!("list pods in {namespace}"))?;
            for pod in list.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()) {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
                    // One that has ended meanwhile needs nothing.
                    let signal = ContainerSignal::Kill;
                    let _ = self.sandbox.kill_container(namespace, name, &container.name, signal);
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
