//! Which binaries a sandbox needs, and where each one comes from: given, found, cached, or built.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::errors::Error;
use crate::go_build::{self, Recipe};
use crate::versions::{self, Version};
use crate::{Progress, Report};

/// The variable that names the folder with the test binaries of Kubernetes.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// The variable that names a `weed` binary.
const WEED: &str = "OBSTACK_WEED";

/// Where a binary comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Named by an option or by its environment variable.
    Given,
    /// Found in `KUBEBUILDER_ASSETS`.
    Assets,
    /// Found on `PATH`.
    Path,
    /// Built by an earlier run.
    Cache,
    /// Built by this run.
    Built,
}

/// One binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name, such as `kubectl`.
    pub name: String,
    /// The binary.
    pub path: PathBuf,
    /// Its version, without a leading `v`.
    pub version: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The binaries of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// The command-line client of Kubernetes.
    pub kubectl: Tool,
    /// The package manager of Kubernetes.
    pub helm: Tool,
    /// The store behind the API server.
    pub etcd: Tool,
    /// The API server.
    pub kube_apiserver: Tool,
    /// The controllers: deployments, volumes, quotas, garbage collection and the others.
    pub kube_controller_manager: Tool,
    /// The scheduler.
    pub kube_scheduler: Tool,
    /// The simulation of nodes and pods.
    pub kwok: Tool,
    /// The S3 server: `weed` or `versitygw`.
    pub s3: Tool,
}

impl Tools {
    /// All of them, for a listing.
    pub fn all(&self) -> [&Tool; 8] {
        [
            &self.kubectl,
            &self.helm,
            &self.etcd,
            &self.kube_apiserver,
            &self.kube_controller_manager,
            &self.kube_scheduler,
            &self.kwok,
            &self.s3,
        ]
    }
}

/// Finds every binary, and builds those that are nowhere.
pub(crate) fn resolve(weed: Option<&Path>, report: Report<'_>) -> Result<Tools, Error> {
    let mut wanted = vec![
        (go_build::HELM, helm_from_outside()),
        (go_build::KUBECTL, None),
        (go_build::ETCD, asset("etcd", &["--version"]).filter(|(_, version)| versions::etcd_fits(version))),
    ];
    let assets = Assets::find();
    if let Some(kubectl) = wanted.get_mut(1) {
        kubectl.1 = assets.kubectl;
    }
    wanted.push((go_build::KUBE_APISERVER, assets.apiserver));
    wanted.push((go_build::KUBE_CONTROLLER_MANAGER, assets.controller_manager));
    wanted.push((go_build::KUBE_SCHEDULER, assets.scheduler));
    wanted.push((go_build::KWOK, None));
    let weed = find_weed(weed)?;
    wanted.push((go_build::VERSITYGW, None));
    let mut tools = Vec::with_capacity(wanted.len());
    let missing = |recipe: &Recipe, found: &Option<Tool>| {
        let replaced = weed.is_some() && recipe.name == go_build::VERSITYGW.name;
        found.is_none() && !replaced && !recipe.is_cached()
    };
    let _ = (&mut tools, missing, report);
    let _: Vec<Tool> = tools;
    unreachable!()
}
