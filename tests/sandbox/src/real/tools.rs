//! The binaries that only real pods need.

use serde::{Deserialize, Serialize};

use super::machine;
use crate::errors::Error;
use crate::go_build::{self, Builder};
use crate::progress::Report;
use crate::recipes::{self, Recipe};
use crate::tools::Tool;

/// The binaries behind real pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RealTools {
    /// The agent of the node.
    pub(crate) kubelet: Tool,
    /// What makes Service addresses work.
    pub(crate) kube_proxy: Tool,
    /// What manages images and containers.
    pub(crate) containerd: Tool,
    /// What looks after one pod.
    pub(crate) containerd_shim: Tool,
    /// The client of containerd.
    pub(crate) ctr: Tool,
    /// What starts one container.
    pub(crate) runc: Tool,
    /// What connects a pod.
    pub(crate) ptp: Tool,
    /// What gives a pod its address.
    pub(crate) host_local: Tool,
    /// The name server.
    pub(crate) coredns: Tool,
}

const RECIPES: [&Recipe; 9] = [
    &recipes::KUBELET,
    &recipes::KUBE_PROXY,
    &recipes::CONTAINERD,
    &recipes::CONTAINERD_SHIM,
    &recipes::CTR,
    &recipes::RUNC,
    &recipes::CNI_PTP,
    &recipes::CNI_HOST_LOCAL,
    &recipes::COREDNS,
];

impl RealTools {
    /// Builds those that are not there.
    pub(crate) fn resolve(report: Report<'_>) -> Result<Self, Error> {
        if !go_build::is_built(&recipes::RUNC)? {
            machine::install_for_runc(report)?;
        }
        let mut builder = Builder::new(&RECIPES, report)?;
        Ok(Self {
            kubelet: builder.tool(&recipes::KUBELET, None)?,
            kube_proxy: builder.tool(&recipes::KUBE_PROXY, None)?,
            containerd: builder.tool(&recipes::CONTAINERD, None)?,
            containerd_shim: builder.tool(&recipes::CONTAINERD_SHIM, None)?,
            ctr: builder.tool(&recipes::CTR, None)?,
            runc: builder.tool(&recipes::RUNC, None)?,
            ptp: builder.tool(&recipes::CNI_PTP, None)?,
            host_local: builder.tool(&recipes::CNI_HOST_LOCAL, None)?,
            coredns: builder.tool(&recipes::COREDNS, None)?,
        })
    }
}
