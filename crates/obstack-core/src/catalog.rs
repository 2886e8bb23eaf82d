//! The charts the operator knows: versions, what they run, their digests, what they run on and how long they are
//! supported.

use std::fmt;

use obstack_api::{ChartSource, Reason};
use serde::{Deserialize, Serialize};

use crate::{finding::Finding, valid::ValidStack};

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
    /// How long what it runs gets patches.
    pub support: Support,
}

/// How long a release line of a backend gets patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// The line, such as `Tempo 2.10`.
    pub line: &'static str,
    /// The last day with patches; `None` when none is known.
    pub patched_to: Option<Day>,
}

/// A day of the Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Year.
    pub year: i64,
    /// Month, from 1.
    pub month: i64,
    /// Day of the month, from 1.
    pub day: i64,
}

impl Day {
    /// Second of the Unix epoch at which the day is over.
    pub const fn end(self) -> i64 {
        // Days from 1970-01-01, with years that begin in March, so that a leap day is the last
        // (`days_from_civil`, howardhinnant.github.io/date_algorithms.html).
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = (self.month + 9).rem_euclid(12);
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        (365 * year + leap_days + day_of_year - 719_468 + 1) * 86_400
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// The last minor of Tempo 2: 15 months from 2026-01-26 (grafana/tempo,
/// `docs/sources/tempo/set-up-for-tracing/setup-tempo/recommended-versions.md`).
const TEMPO_2_10: Support =
    Support { line: "Tempo 2.10", patched_to: Some(Day { year: 2027, month: 4, day: 26 }) };
/// Mimir names no dates: its `RELEASE.md` keeps the two newest minor versions patched. 3.1 is one of them until 3.3.
const MIMIR_3_1: Support = Support { line: "Mimir 3.1", patched_to: None };
/// By the same rule, to the release of 3.2.0.
const MIMIR_3_0: Support =
    Support { line: "Mimir 3.0", patched_to: Some(Day { year: 2026, month: 8, day: 19 }) };
/// The last minor of Mimir 2, which upstream keeps beside the two newest (endoflife-date/endoflife.date#10964).
const MIMIR_2_17: Support = Support { line: "Mimir 2.17", patched_to: None };

/// The newest minor of Alloy when this was written; upstream names no dates.
const ALLOY_1_18: Support = Support { line: "Alloy 1.18", patched_to: None };

/// Every chart of the catalog; of one name the preferred version comes first.
pub const CATALOG: &[CatalogEntry] = &[
    CatalogEntry {
        name: "tempo",
        version: "2.2.4",
        app_version: "2.10.8",
        repository: COMMUNITY,
        sha256: "5f3f4b29c4487b9c27715c18bc6c7b0889712b14075d97705f9b151a51725f68",
        oldest_kubernetes: 25,
        support: TEMPO_2_10,
    },
    CatalogEntry {
        name: "tempo-distributed",
        version: "2.26.2",
        app_version: "2.10.8",
        repository: COMMUNITY,
        sha256: "4adb4a0a8078fc179435b9e21e4ad90ccb7e471d4571767d1284d11afaa02ea3",
        oldest_kubernetes: 25,
        support: TEMPO_2_10,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "6.1.0",
        app_version: "3.1.2",
        repository: GRAFANA,
        sha256: "764be94a7e93a80af0ccd497436778fbd6c9211165aaa143549b2d6e64dc108c",
        oldest_kubernetes: 32,
        support: MIMIR_3_1,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "6.0.6",
        app_version: "3.0.4",
        repository: GRAFANA,
        sha256: "b52a39d54ec3ba48cb74acc4f1feb821b0d3ce53a0cc7d56fd4e01bb89a8af75",
        oldest_kubernetes: 29,
        support: MIMIR_3_0,
    },
    CatalogEntry {
        name: "mimir-distributed",
        version: "5.8.0",
        app_version: "2.17.0",
        repository: GRAFANA,
        sha256: "07f3d784b98165717e0d2aa6b56d4b104c0067aa968305b8616f0e1a6574c03a",
        oldest_kubernetes: 20,
        support: MIMIR_2_17,
    },
    CatalogEntry {
        name: "alloy",
        version: "1.11.1",
        app_version: "v1.18.1",
        repository: GRAFANA,
        sha256: "cc4cd48a885c070fe8b2929971552852375c11e92d95fc6337d0c3fa277ac575",
        oldest_kubernetes: 25,
        support: ALLOY_1_18,
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

/// The condition `Supported`: whether every chart is of the catalog, which is what was tested, and what it runs still
/// gets patches at second `now` of the Unix epoch.
pub fn supported(stack: &ValidStack, now: i64) -> Finding {
    let charts: Vec<_> = stack.charts().collect();
    let ended: Vec<_> = charts.iter().filter_map(|chart| support_ended(chart, now)).collect();
    let untested: Vec<_> =
        charts.iter().filter(|chart| chart.entry().is_none()).map(|c| c.untested()).collect();
    if !ended.is_empty() {
        Finding::fails(Reason::ChartEndOfSupport, ended.join("; "))
    } else if !untested.is_empty() {
        Finding::fails(Reason::UntestedVersion, untested.join("; "))
    } else {
        let said: Vec<_> = charts.iter().filter_map(|chart| Some(chart.entry()?.in_support())).collect();
        Finding::holds(Reason::InSupport, said.join("; "))
    }
}

/// What is said of a chart whose support has ended.
fn support_ended(chart: &ChartRef, now: i64) -> Option<String> {
    let entry = chart.entry()?;
    let last = entry.support.patched_to.filter(|day| day.end() <= now)?;
    let lives = |other: &&CatalogEntry| {
        other.name == entry.name && other.support.patched_to.is_none_or(|day| day.end() > now)
    };
    let next = CATALOG.iter().find(lives).map_or_else(
        || "no newer version is in the catalog".to_owned(),
        |next| {
            format!(
                "version {} is supported, on Kubernetes 1.{} or newer",
                next.version, next.oldest_kubernetes
            )
        },
    );
    let CatalogEntry { name, version, support: Support { line, .. }, .. } = entry;
    Some(format!("{name} {version} runs {line}, which was patched to {last}; {next}"))
}

impl CatalogEntry {
    fn in_support(&self) -> String {
        let Self { name, version, support: Support { line, patched_to }, .. } = self;
        match patched_to {
            Some(day) => format!("{name} {version} runs {line}, patched to {day}"),
            None => format!("{name} {version} runs {line}, of which no end is known"),
        }
    }
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
    /// Its entry in the catalog.
    pub fn entry(&self) -> Option<&'static CatalogEntry> {
        entry(&self.name, &self.version)
    }

    /// What is said of a version outside of the catalog.
    pub(crate) fn untested(&self) -> String {
        let Self { name, version, .. } = self;
        format!("{name} {version} was not tested with this operator; tested are {}", versions(name))
    }

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
    fn a_day_ends_where_the_next_begins() {
        // Seconds as `date -u -d DAY +%s` prints them for the next day.
        for (year, month, day, end, text) in [
            (1970, 1, 1, 86_400, "1970-01-01"),
            (1969, 12, 31, 0, "1969-12-31"),
            (2000, 2, 28, 951_782_400, "2000-02-28"),
            (2024, 2, 29, 1_709_251_200, "2024-02-29"),
            (2100, 2, 28, 4_107_542_400, "2100-02-28"),
            (2027, 4, 26, 1_808_784_000, "2027-04-26"),
        ] {
            let day = Day { year, month, day };
            assert_eq!((day.end(), day.to_string().as_str()), (end, text));
        }
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
