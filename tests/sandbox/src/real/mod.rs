//! Pods that run: one node made of this machine, in a network of its own, beside the simulated ones.

mod admission;
mod backends;
mod cgroups;
pub(crate) mod containerd;
mod containers;
mod elf;
mod images;
mod machine;
mod mounts;
pub(crate) mod network;
mod node;
mod registry;
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use backends::{Backend, How};
pub use containers::ContainerSignal;
pub use node::REAL_NODE;

pub(crate) use admission::SIMULATED;

use crate::errors::Error;
use crate::kubectl;
use crate::lifecycle::start;
use crate::process::{self, Process};
use crate::progress::{Progress, Report};
use crate::state::State;
use backends::{Known, Source};
use network::Network;
use tools::RealTools;

const POLICY_LIMIT: Duration = Duration::from_secs(30);

/// How long the path of a sandbox may be: the kubelet and containerd have sockets in it, and the kernel allows 107
/// characters for the path of one.
const PATH_LIMIT: usize = 60;

/// What is written down of real pods.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Real {
    pub(crate) network: Network,
    pub(crate) tools: RealTools,
    /// Binaries that were given for backends.
    pub(crate) given: BTreeMap<String, PathBuf>,
    /// Empty until the images are there.
    pub(crate) backends: Vec<Backend>,
}

/// What real pods are made of, before anything is started.
#[derive(Debug)]
pub(crate) struct Materials {
    tools: RealTools,
    given: BTreeMap<String, PathBuf>,
    sources: Vec<(&'static Known, Source)>,
}

impl Materials {
    /// Checks the machine, and finds or builds what is needed.
    pub(crate) fn gather(
        dir: &Path,
        given: &BTreeMap<String, PathBuf>,
        report: Report<'_>,
    ) -> Result<Self, Error> {
        let length = dir.as_os_str().len();
        if length > PATH_LIMIT {
            return Err(Error::LongPath { dir: dir.into(), length, limit: PATH_LIMIT });
        }
        machine::check(report)?;
        let sources = backends::find(given, report)?;
        Ok(Self { tools: RealTools::resolve(report)?, given: given.clone(), sources })
    }

    /// What is written down before the first process starts.
    pub(crate) fn plan(&self, id: &str) -> Result<Real, Error> {
        Ok(Real {
            network: Network::choose(id, 0)?,
            tools: self.tools.clone(),
            given: self.given.clone(),
            backends: Vec::new(),
        })
    }
}

/// The real part of a state; without one there is nothing that could be asked for.
fn real(state: &State) -> Result<&Real, Error> {
    state.real.as_ref().ok_or(Error::NoRealPods)
}

/// Makes the network, and starts containerd in it with every image that can be had.
pub(crate) fn prepare(
    dir: &Path,
    state: &mut State,
    materials: &Materials,
    report: Report<'_>,
) -> Result<(), Error> {
    let keeper = start(dir, state, &network::keeper(dir), report)?;
    network::wait_unshared(&keeper)?;
    while !real(state)?.network.connect(&keeper)? {
        let next = real(state)?.network.next(&state.id)?;
        if let Some(real) = &mut state.real {
            real.network = next;
        }
        state.save(dir)?;
    }
    cgroups::create(&state.id)?;
    let tools = real(state)?.tools.clone();
    let containerd = {
        let _inside = network::Inside::enter(state)?;
        let part = containerd::part(dir, &state.id, &real(state)?.network, &tools)?;
        start(dir, state, &part, report)?
    };
    containerd::wait(dir, &containerd, &tools)?;
    let backends = images::provide(dir, &tools.ctr.path, &materials.sources, report)?;
    if let Some(real) = &mut state.real {
        real.backends = backends;
    }
    state.save(dir)
}

/// The objects that a cluster with real pods has more.
pub(crate) fn objects(state: &State) -> Vec<Value> {
    state.real.as_ref().map(|real| admission::policies(&real.backends)).unwrap_or_default()
}

/// Starts the node, once there is an API server with all its objects.
pub(crate) fn start_node(dir: &Path, state: &mut State, report: Report<'_>) -> Result<(), Error> {
    let Real { network, tools, .. } = real(state)?.clone();
    let kubelet = start(dir, state, &node::kubelet(dir, &state.id, &network, &tools)?, report)?;
    node::wait_kubelet(&kubelet)?;
    let proxy = start(dir, state, &node::proxy(dir, &network, &tools)?, report)?;
    let dns = start(dir, state, &node::dns(dir, &network, &tools)?, report)?;
    node::wait_proxy(&proxy)?;
    node::wait_dns(&dns)?;
    wait_policies(dir, state, &kubelet)
}

/// A policy is followed a moment after it was made.
fn wait_policies(dir: &Path, state: &State, process: &Process) -> Result<(), Error> {
    let probe = admission::probe().to_string();
    process::wait_ready(process, POLICY_LIMIT, || {
        let args = ["create", "--dry-run=server", "-o", "jsonpath={.spec.local.path}", "-f", "-"];
        if kubectl::run(dir, &state.tools, &args, &probe)?.is_empty() {
            return Err("volumes stay as they are made".into());
        }
        Ok(())
    })
}

/// Ends the containers, once no kubelet starts them again. Returns how many processes that were.
pub(crate) fn end_containers(state: &State, report: Report<'_>) -> Result<usize, Error> {
    if state.real.is_none() {
        return Ok(0);
    }
    report(Progress::step("stopping", "containers"));
    cgroups::kill(&state.id)
}

/// Gives back what the sandbox took of the machine, once none of its processes is left.
pub(crate) fn release(dir: &Path, state: &State) -> Result<(), Error> {
    let Some(real) = &state.real else { return Ok(()) };
    containerd::remove_leftovers(dir, &state.id);
    node::remove_leftovers(dir);
    mounts::remove(dir)?;
    cgroups::remove(&state.id)?;
    real.network.disconnect()
}

/// Sends a signal to a container: namespace, pod and container by name.
pub(crate) fn signal(
    dir: &Path,
    state: &State,
    container: (&str, &str, &str),
    signal: ContainerSignal,
) -> Result<(), Error> {
    containers::signal(dir, &state.tools, &real(state)?.tools.ctr.path, container, signal)
}

/// Brings the images of an OCI archive into the node.
pub(crate) fn import(dir: &Path, state: &State, archive: &Path) -> Result<(), Error> {
    images::import(dir, &real(state)?.tools.ctr.path, archive)
}
