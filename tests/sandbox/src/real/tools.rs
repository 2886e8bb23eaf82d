//! The binaries that only real pods need.

use serde::{Deserialize, Serialize};

use super::machine;
use crate::errors::Error;
use crate::go_build::{self, Builder, Recipe};
use crate::progress::Report;
use crate::tools::Tool;

/// The binaries behind real pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealTools {
    /// The agent of the node.
    pub kubelet: Tool,
    /// What makes Service addresses work.
    pub kube_proxy: Tool,
    /// What manages images and containers.
    pub containerd: Tool,
    /// What looks after one pod.
    pub containerd_shim: Tool,
    /// The client of containerd.
    pub ctr: Tool,
    /// What starts one container.
    pub runc: Tool,
    /// What connects a pod.
    pub ptp: Tool,
    /// What gives a pod its address.
    pub host_local: Tool,
    /// The name server.
    pub coredns: Tool,
}

const RECIPES: [&Recipe; 9] = [
    &go_build::KUBELET,
    &go_build::KUBE_PROXY,
    &go_build::CONTAINERD,
    &go_build::CONTAINERD_SHIM,
    &go_build::CTR,
    &go_build::RUNC,
    &go_build::CNI_PTP,
    &go_build::CNI_HOST_LOCAL,
    &go_build::COREDNS,
];

impl RealTools {
    /// All of them, for a listing.
    pub fn all(&self) -> [&Tool; 9] {
        [
            &self.kubelet,
            &self.kube_proxy,
            &self.containerd,
            &self.containerd_shim,
            &self.ctr,
            &self.runc,
            &self.ptp,
            &self.host_local,
            &self.coredns,
        ]
    }

    /// Builds those that are not there.
    pub(crate) fn resolve(report: Report<'_>) -> Result<Self, Error> {
        if !go_build::is_built(&go_build::RUNC)? {
            machine::install_for_runc(report)?;
        }
        let mut builder = Builder::new(&RECIPES, report)?;
        Ok(Self {
            kubelet: builder.tool(&go_build::KUBELET, None)?,
            kube_proxy: builder.tool(&go_build::KUBE_PROXY, None)?,
            containerd: builder.tool(&go_build::CONTAINERD, None)?,
            containerd_shim: builder.tool(&go_build::CONTAINERD_SHIM, None)?,
            ctr: builder.tool(&go_build::CTR, None)?,
            runc: builder.tool(&go_build::RUNC, None)?,
            ptp: builder.tool(&go_build::CNI_PTP, None)?,
            host_local: builder.tool(&go_build::CNI_HOST_LOCAL, None)?,
            coredns: builder.tool(&go_build::COREDNS, None)?,
        })
    }
}
