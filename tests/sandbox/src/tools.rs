//! Which binaries a sandbox needs, and where each one comes from: given, found, cached, or built.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Pods;
use crate::errors::Error;
use crate::go_build::Builder;
use crate::progress::Report;
use crate::recipes::{self, Recipe};
use crate::versions::{self, Version};

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

/// Finds every binary, and builds those that are nowhere. Pods that run need parts of Kubernetes that belong together:
/// those from outside are for simulated ones.
pub(crate) fn resolve(weed: Option<&Path>, pods: Pods, report: Report<'_>) -> Result<Tools, Error> {
    let weed = find_weed(weed)?;
    let found = match pods {
        Pods::Simulated => Outside::find(),
        Pods::Real => Outside { helm: path_helm(), ..Outside::default() },
    };
    let wanted = [
        (&recipes::HELM, found.helm.is_some()),
        (&recipes::KUBECTL, found.kubectl.is_some()),
        (&recipes::ETCD, found.etcd.is_some()),
        (&recipes::KUBE_APISERVER, found.apiserver.is_some()),
        (&recipes::KUBE_CONTROLLER_MANAGER, found.controller_manager.is_some()),
        (&recipes::KUBE_SCHEDULER, found.scheduler.is_some()),
        (&recipes::KWOK, false),
        (&recipes::VERSITYGW, weed.is_some()),
    ];
    let needed: Vec<&Recipe> =
        wanted.into_iter().filter(|(_, outside)| !outside).map(|(recipe, _)| recipe).collect();
    let mut builder = Builder::new(&needed, report)?;
    Ok(Tools {
        helm: builder.tool(&recipes::HELM, found.helm)?,
        kubectl: builder.tool(&recipes::KUBECTL, found.kubectl)?,
        etcd: builder.tool(&recipes::ETCD, found.etcd)?,
        kube_apiserver: builder.tool(&recipes::KUBE_APISERVER, found.apiserver)?,
        kube_controller_manager: builder.tool(&recipes::KUBE_CONTROLLER_MANAGER, found.controller_manager)?,
        kube_scheduler: builder.tool(&recipes::KUBE_SCHEDULER, found.scheduler)?,
        kwok: builder.tool(&recipes::KWOK, None)?,
        s3: builder.tool(&recipes::VERSITYGW, weed)?,
    })
}

/// Finds helm, or builds it.
pub(crate) fn helm(report: Report<'_>) -> Result<Tool, Error> {
    let found = path_helm();
    let needed: &[&Recipe] = if found.is_some() { &[] } else { &[&recipes::HELM] };
    Builder::new(needed, report)?.tool(&recipes::HELM, found)
}

/// The helm of this crate, whatever is on `PATH`.
pub(crate) fn built_helm(report: Report<'_>) -> Result<Tool, Error> {
    Builder::new(&[&recipes::HELM], report)?.tool(&recipes::HELM, None)
}

/// The real Mimir, built.
pub(crate) fn mimir(report: Report<'_>) -> Result<Tool, Error> {
    Builder::new(&[&recipes::MIMIR], report)?.tool(&recipes::MIMIR, None)
}

pub(crate) fn versitygw(report: Report<'_>) -> Result<Tool, Error> {
    Builder::new(&[&recipes::VERSITYGW], report)?.tool(&recipes::VERSITYGW, None)
}

/// Binaries that are there already and fit.
#[derive(Debug, Default)]
struct Outside {
    helm: Option<Tool>,
    kubectl: Option<Tool>,
    etcd: Option<Tool>,
    apiserver: Option<Tool>,
    controller_manager: Option<Tool>,
    scheduler: Option<Tool>,
}

impl Outside {
    fn find() -> Self {
        let helm = path_helm();
        let Some(dir) = env::var_os(ASSETS).filter(|dir| !dir.is_empty()).map(PathBuf::from) else {
            return Self { helm, ..Self::default() };
        };
        Self { helm, ..Self::in_assets(&dir) }
    }

    /// The parts of Kubernetes are taken only in combinations that work with one another.
    fn in_assets(dir: &Path) -> Self {
        let probe = |name: &str, args: &[&str]| probe(name, &dir.join(name), args, Origin::Assets).ok();
        let etcd = probe("etcd", &["--version"]).filter(|(_, version)| versions::etcd_fits(version));
        let apiserver = probe("kube-apiserver", &["--version"]);
        let controller = |name: &str| {
            let (_, apiserver) = apiserver.as_ref()?;
            probe(name, &["--version"]).filter(|(_, version)| versions::controller_fits(version, apiserver))
        };
        let controller_manager = controller("kube-controller-manager");
        let scheduler = controller("kube-scheduler");
        let own_parts = controller_manager.is_some() && scheduler.is_some();
        let apiserver = apiserver.filter(|(_, version)| versions::apiserver_fits(version, own_parts));
        let kubectl = probe("kubectl", &["version", "--client"]).filter(|(_, version)| {
            versions::kubectl_fits(version, apiserver.as_ref().map(|(_, version)| version))
        });
        let with_apiserver = |part: Option<(Tool, Version)>| part.filter(|_| apiserver.is_some());
        let tool = |part: Option<(Tool, Version)>| part.map(|(tool, _)| tool);
        Self {
            helm: None,
            kubectl: tool(kubectl),
            etcd: tool(etcd),
            controller_manager: tool(with_apiserver(controller_manager)),
            scheduler: tool(with_apiserver(scheduler)),
            apiserver: tool(apiserver),
        }
    }
}

fn path_helm() -> Option<Tool> {
    let (tool, version) = probe("helm", &on_path("helm")?, &["version", "--short"], Origin::Path).ok()?;
    versions::helm_fits(&version).then_some(tool)
}

/// A binary that was named and does not work is an error; one that happens to be on `PATH` is not.
fn find_weed(given: Option<&Path>) -> Result<Option<Tool>, Error> {
    let named = given.map(Path::to_path_buf).or_else(named_weed);
    if let Some(path) = named {
        let path = fs::canonicalize(&path).unwrap_or(path);
        return probe("weed", &path, &["version"], Origin::Given)
            .map(|(tool, _)| Some(tool))
            .map_err(|reason| Error::Tool { tool: "weed".into(), path, reason });
    }
    let found = on_path("weed").and_then(|path| probe("weed", &path, &["version"], Origin::Path).ok());
    Ok(found.map(|(tool, _)| tool))
}

/// The `weed` binary named by the environment.
pub(crate) fn named_weed() -> Option<PathBuf> {
    env::var_os(WEED).filter(|path| !path.is_empty()).map(PathBuf::from)
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| is_executable(path))
}

/// Whether a file is there and may be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Asks a binary for its version.
fn probe(name: &str, path: &Path, args: &[&str], origin: Origin) -> Result<(Tool, Version), String> {
    let output = Command::new(path)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = versions::parse(&text)
        .ok_or_else(|| format!("`{name} {}` prints no version ({})", args.join(" "), output.status))?;
    let tool = Tool { name: name.into(), path: path.into(), version: version.text.clone(), origin };
    Ok((tool, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(dir: &Path, name: &str, output: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\necho '{output}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn an_apiserver_alone_is_taken_when_the_built_scheduler_works_with_it() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "etcd", "etcd Version: 3.5.21");
        fake(dir.path(), "kube-apiserver", "Kubernetes v1.34.2");
        fake(dir.path(), "kubectl", "Client Version: v1.34.2");
        let found = Outside::in_assets(dir.path());
        assert_eq!(found.apiserver.unwrap().version, "1.34.2");
        assert_eq!(found.etcd.unwrap().origin, Origin::Assets);
        assert!(found.kubectl.is_some() && found.scheduler.is_none());
    }

    #[test]
    fn an_old_apiserver_needs_its_own_controllers() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "kube-apiserver", "Kubernetes v1.32.1");
        fake(dir.path(), "kube-scheduler", "Kubernetes v1.32.1");
        let found = Outside::in_assets(dir.path());
        assert!(found.apiserver.is_none() && found.scheduler.is_none());
        fake(dir.path(), "kube-controller-manager", "Kubernetes v1.32.1");
        let found = Outside::in_assets(dir.path());
        assert!(found.apiserver.is_some() && found.scheduler.is_some() && found.controller_manager.is_some());
    }

    #[test]
    fn a_named_weed_that_does_not_work_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let good = fake(dir.path(), "weed", "version 30GB 4.05 abc linux amd64");
        assert_eq!(find_weed(Some(&good)).unwrap().unwrap().version, "4.05");
        let bad = fake(dir.path(), "other", "usage");
        assert!(find_weed(Some(&bad)).is_err());
        assert!(find_weed(Some(&dir.path().join("missing"))).is_err());
    }
}
