//! The charts the operator knows: versions, what they run, their digests and what they run on.

use obstack_api::ChartSource;
use serde::{Deserialize, Serialize};

/// Repository of the community's Grafana charts.
const COMMUNITY: &str = "https://grafana-community.github.io/helm-charts";
/// Repository of Grafana Labs' charts.
const GRAFANA: &str = "https://grafana.github.io/helm-charts";

/// One chart of the catalog. Version, application and digest are those of the published archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Chart name.
    pub name: &'static str,
    /// Chart version.
    pub version: &'static str,
    /// Version of the image to run. For tempo-distributed 2.26.2 (2.10.7) the patch release after it.
    pub app_version: &'static str,
    /// Repository it is published in.
    pub repository: &'static str,
    /// sha256 of the archive.
    pub sha256: &'static str,
    /// Oldest Kubernetes minor version (of 1.x) that it runs on.
    pub oldest_kubernetes: u32,
}

/// Every chart of the catalog; of one name the preferred version comes first.
pub const CATALOG: &[CatalogEntry] = &[
    CatalogEntry {
        name: "tempo",
        version: "2.2.4",
        app_version: "2.10.8",
        repository: COMMUNITY,
        sha256: "5f3f4b29c4487b9c27715c18bc6c7b0889712b14075d97705f9b151a51725f68",
        oldest_kubernetes: 25,
    },
    CatalogEntry {
        name: "tempo-distributed",
        version: "2.26.2",
        app_version: "2.10.8",
        repository: COMMUNITY,
        sha256: "4adb4a0a8078fc179435b9e21e4ad90ccb7e471d4571767d1284d11afaa02ea3",
        oldest_kubernetes: 25,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "6.1.0",
        app_version: "3.1.2",
        repository: GRAFANA,
        sha256: "764be94a7e93a80af0ccd497436778fbd6c9211165aaa143549b2d6e64dc108c",
        oldest_kubernetes: 32,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "6.0.6",
        app_version: "3.0.4",
        repository: GRAFANA,
        sha256: "b52a39d54ec3ba48cb74acc4f1feb821b0d3ce53a0cc7d56fd4e01bb89a8af75",
        oldest_kubernetes: 29,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "5.8.0",
        app_version: "2.17.0",
        repository: GRAFANA,
        sha256: "07f3d784b98165717e0d2aa6b56d4b104c0067aa968305b8616f0e1a6574c03a",
        oldest_kubernetes: 20,
    },
];

/// The entry of a chart version.
pub fn entry(name: &str, version: &str) -> Option<&'static CatalogEntry> {
    CATALOG.iter().find(|entry| entry.name == name && entry.version == version)
}

/// The preferred version of a chart on a Kubernetes 1.`minor`; the one with the lowest demand when none fits.
pub fn preferred(name: &str, minor: u32) -> Option<&'static CatalogEntry> {
    let of_name = || CATALOG.iter().filter(|entry| entry.name == name);
    of_name()
        .find(|entry| entry.oldest_kubernetes <= minor)
        .or_else(|| of_name().min_by_key(|e| e.oldest_kubernetes))
}

/// The versions of a chart in the catalog, for messages.
pub fn versions(name: &str) -> String {
    let versions: Vec<_> =
        CATALOG.iter().filter(|entry| entry.name == name).map(|entry| entry.version).collect();
    versions.join(", ")
}

/// The chart that renders a backend, fully decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRef {
    /// Chart name.
    pub name: String,
    /// Chart version.
    pub version: String,
    /// Version of the image to run; the chart's own when `None` (a version outside the catalog).
    pub app_version: Option<String>,
    /// Where it comes from.
    pub source: ChartSource,
    /// Repository it is published in.
    pub repository: String,
    /// sha256 of the archive, in hexadecimal. Always there for [`ChartSource::Upstream`].
    pub sha256: Option<String>,
}

impl ChartRef {
    /// Major version, 0 when the version does not start with a number.
    pub fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mimir_is_chosen_by_the_served_kubernetes_version() {
        let version = |minor| preferred("mimir-distributed", minor).unwrap().version;
        assert_eq!(
            (version(36), version(32), version(31), version(29), version(28)),
            ("6.1.0", "6.1.0", "6.0.6", "6.0.6", "5.8.0")
        );
    }

    #[test]
    fn every_digest_is_a_sha256_and_stands_once() {
        let mut digests: Vec<_> = CATALOG.iter().map(|entry| entry.sha256).collect();
        assert!(digests.iter().all(|d| d.len() == 64 && d.chars().all(|c| c.is_ascii_hexdigit())));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), CATALOG.len());
    }
}
