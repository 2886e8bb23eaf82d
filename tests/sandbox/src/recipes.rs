//! The binaries that are built, each pinned by a Go module.
//!
//! The modules are part of this crate (`tools/<family>/go.mod` and `go.sum`), so the sum of every source file is
//! fixed here.

use std::path::{Path, PathBuf};

use crate::tools::{Origin, Tool};

/// A Go module that pins the sources of one or more binaries.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
}

macro_rules! family {
    ($name:literal) => {
        Family {
            name: $name,
            go_mod: include_str!(concat!("../tools/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../tools/", $name, "/go.sum")),
        }
    };
}

static KUBERNETES_FAMILY: Family = family!("kubernetes");
static CONTAINERD_FAMILY: Family = family!("containerd");
static RUNC_FAMILY: Family = family!("runc");
static CNI_FAMILY: Family = family!("cni");
static COREDNS_FAMILY: Family = family!("coredns");
static ETCD_FAMILY: Family = family!("etcd");
static KWOK_FAMILY: Family = family!("kwok");
static HELM_FAMILY: Family = family!("helm");
static MIMIR_FAMILY: Family = family!("mimir");
static VERSITYGW_FAMILY: Family = family!("versitygw");

const KUBERNETES_VERSION: &str = "1.36.3";

/// How one binary is built.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) family: &'static Family,
    pub(crate) package: &'static str,
    /// Variables of the program that hold its version. Without them a binary reports a placeholder, and
    /// whatever compares versions goes wrong.
    version_variables: &'static [(&'static str, &'static str)],
    /// The build tags of a binary that is made with C as well; without it there is no C, and the binary is static.
    pub(crate) c_tags: Option<&'static str>,
}

const KUBERNETES_VARIABLES: &[(&str, &str)] = &[
    ("k8s.io/component-base/version.gitVersion", "v1.36.3"),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "36"),
    ("k8s.io/component-base/version.gitTreeState", "clean"),
    ("k8s.io/client-go/pkg/version.gitVersion", "v1.36.3"),
    ("k8s.io/client-go/pkg/version.gitMajor", "1"),
    ("k8s.io/client-go/pkg/version.gitMinor", "36"),
    ("k8s.io/client-go/pkg/version.gitTreeState", "clean"),
];

const fn kubernetes(name: &'static str, package: &'static str) -> Recipe {
    Recipe {
        name,
        version: KUBERNETES_VERSION,
        family: &KUBERNETES_FAMILY,
        package,
        version_variables: KUBERNETES_VARIABLES,
        c_tags: None,
    }
}

pub(crate) static KUBECTL: Recipe = kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl");
pub(crate) static KUBE_APISERVER: Recipe =
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver");
pub(crate) static KUBE_CONTROLLER_MANAGER: Recipe =
    kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager");
pub(crate) static KUBE_SCHEDULER: Recipe =
    kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler");
pub(crate) static KUBELET: Recipe = kubernetes("kubelet", "k8s.io/kubernetes/cmd/kubelet");
pub(crate) static KUBE_PROXY: Recipe = kubernetes("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy");
pub(crate) static ETCD: Recipe = Recipe {
    name: "etcd",
    version: "3.6.16",
    family: &ETCD_FAMILY,
    package: "go.etcd.io/etcd/server/v3",
    version_variables: &[],
    c_tags: None,
};
pub(crate) static KWOK: Recipe = Recipe {
    name: "kwok",
    version: "0.8.0",
    family: &KWOK_FAMILY,
    package: "sigs.k8s.io/kwok/cmd/kwok",
    version_variables: &[("sigs.k8s.io/kwok/pkg/consts.Version", "v0.8.0")],
    c_tags: None,
};
pub(crate) static HELM: Recipe = Recipe {
    name: "helm",
    version: "4.3.1",
    family: &HELM_FAMILY,
    package: "helm.sh/helm/v4/cmd/helm",
    version_variables: &[
        ("helm.sh/helm/v4/internal/version.version", "v4.3.1"),
        ("helm.sh/helm/v4/internal/version.gitTreeState", "clean"),
    ],
    c_tags: None,
};
pub(crate) static VERSITYGW: Recipe = Recipe {
    name: "versitygw",
    version: "1.8.0",
    family: &VERSITYGW_FAMILY,
    package: "github.com/versity/versitygw/cmd/versitygw",
    version_variables: &[("main.Version", "v1.8.0")],
    c_tags: None,
};

pub(crate) static MIMIR: Recipe = Recipe {
    name: "mimir",
    version: "3.0.5",
    family: &MIMIR_FAMILY,
    package: "github.com/grafana/mimir/cmd/mimir",
    version_variables: &[("github.com/grafana/mimir/pkg/util/version.Version", "3.0.5")],
    c_tags: None,
};

const fn containerd(name: &'static str, package: &'static str) -> Recipe {
    Recipe {
        name,
        version: "2.4.2",
        family: &CONTAINERD_FAMILY,
        package,
        version_variables: &[("github.com/containerd/containerd/v2/version.Version", "2.4.2")],
        c_tags: None,
    }
}

pub(crate) static CONTAINERD: Recipe =
    containerd("containerd", "github.com/containerd/containerd/v2/cmd/containerd");
pub(crate) static CONTAINERD_SHIM: Recipe =
    containerd("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2");
pub(crate) static CTR: Recipe = containerd("ctr", "github.com/containerd/containerd/v2/cmd/ctr");
pub(crate) static RUNC: Recipe = Recipe {
    name: "runc",
    version: "1.5.2",
    family: &RUNC_FAMILY,
    package: "github.com/opencontainers/runc",
    version_variables: &[],
    // Without it a pod cannot ask for the default system call filter.
    c_tags: Some("seccomp"),
};

const fn cni(name: &'static str, package: &'static str) -> Recipe {
    Recipe {
        name,
        version: "1.9.1",
        family: &CNI_FAMILY,
        package,
        version_variables: &[(
            "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion",
            "v1.9.1",
        )],
        c_tags: None,
    }
}

pub(crate) static CNI_PTP: Recipe = cni("ptp", "github.com/containernetworking/plugins/plugins/main/ptp");
pub(crate) static CNI_HOST_LOCAL: Recipe =
    cni("host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local");
pub(crate) static COREDNS: Recipe = Recipe {
    name: "coredns",
    version: "1.15.0",
    family: &COREDNS_FAMILY,
    package: "github.com/coredns/coredns",
    version_variables: &[],
    c_tags: None,
};

impl Recipe {
    /// Its place in the cache.
    pub(crate) fn binary(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-v{}", self.name, self.version)).join(self.name)
    }

    pub(crate) fn linker_flags(&self) -> String {
        let variables = self.version_variables.iter().map(|(name, value)| format!(" -X {name}={value}"));
        std::iter::once("-s -w".to_owned()).chain(variables).collect()
    }

    pub(crate) fn tool(&self, path: PathBuf, origin: Origin) -> Tool {
        Tool { name: self.name.into(), path, version: self.version.into(), origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&Recipe; 18] = [
        &KUBECTL,
        &KUBE_APISERVER,
        &KUBE_CONTROLLER_MANAGER,
        &KUBE_SCHEDULER,
        &KUBELET,
        &KUBE_PROXY,
        &CONTAINERD,
        &CONTAINERD_SHIM,
        &CTR,
        &RUNC,
        &CNI_PTP,
        &CNI_HOST_LOCAL,
        &COREDNS,
        &ETCD,
        &KWOK,
        &HELM,
        &VERSITYGW,
        &MIMIR,
    ];

    #[test]
    fn recipes_and_modules_agree() {
        for recipe in ALL {
            let Family { name, go_mod, go_sum } = recipe.family;
            // Mimir's releases have no version of the form that Go modules need; this is the commit of its 3.0.5.
            let version = match recipe.name {
                "mimir" => "v1.3.1-0.20260423142704-aced80d74930".to_owned(),
                _ => format!("v{}", recipe.version),
            };
            let pinned = go_mod.lines().any(|line| {
                let mut words = line.trim_start_matches("require ").split_whitespace();
                let module = words.next().unwrap_or_default();
                recipe.package.starts_with(module) && words.next() == Some(&version)
            });
            assert!(pinned, "{name} does not pin {} {version}", recipe.package);
            assert!(go_mod.contains(recipe.package), "{name} has no tool line for {}", recipe.package);
            assert!(!go_sum.is_empty());
        }
    }

    #[test]
    fn versions_in_linker_flags_are_those_of_the_recipe() {
        for recipe in ALL {
            for (variable, value) in recipe.version_variables {
                if variable.ends_with("ersion") {
                    assert_eq!(value.trim_start_matches('v'), recipe.version, "{variable}");
                }
            }
        }
        assert!(
            KUBECTL.linker_flags().starts_with("-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 ")
        );
    }
}
