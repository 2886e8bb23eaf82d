//! Which backend a release is, which chart renders the stack, and what makes a takeover impossible from the start.

use obstack_api::{Chart, ChartSource};
use serde_json::Value;

use super::{
    Found, Wish,
    release::{HelmRelease, flag, text},
};
use crate::{
    backends::Backend,
    catalog::{CATALOG, CatalogEntry, entry, versions},
    names::fullname,
};

/// The kinds of releases there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Chart `tempo`.
    TempoMonolithic,
    /// Chart `tempo-distributed`.
    TempoDistributed,
    /// Chart `mimir-distributed`.
    Mimir,
}

impl Kind {
    /// The kind of a release; an obstacle for a chart that the operator does not know.
    pub(super) fn of(release: &HelmRelease, found: &mut Found) -> Option<Self> {
        match release.chart.name.as_str() {
            "tempo" => Some(Self::TempoMonolithic),
            "tempo-distributed" => Some(Self::TempoDistributed),
            "mimir-distributed" => Some(Self::Mimir),
            other => {
                found.obstacle(
                    format!("release {}", release.name),
                    format!("is of chart {other}, which the operator does not run"),
                    "take over releases of tempo, tempo-distributed and mimir-distributed; leave this one to Helm",
                );
                None
            }
        }
    }

    pub(super) fn backend(self) -> Backend {
        match self {
            Self::TempoMonolithic | Self::TempoDistributed => Backend::Tempo,
            Self::Mimir => Backend::Mimir,
        }
    }

    /// The name of the file with the backend's configuration.
    pub(super) fn file(self) -> &'static str {
        match self.backend() {
            Backend::Tempo => "tempo.yaml",
            Backend::Mimir => "mimir.yaml",
        }
    }
}

/// Which chart renders the stack: that of the release, or the next of its major version that the operator knows.
pub(super) fn chart(release: &HelmRelease, wish: &Wish, found: &mut Found) -> Option<Chart> {
    let (name, version) = (release.chart.name.as_str(), release.chart.version.as_str());
    let source = wish.source.unwrap_or(if release.chart.bundled {
        ChartSource::Bundled
    } else {
        ChartSource::Upstream
    });
    let of_version =
        |version: &str| Chart { source: Some(source), version: Some(version.to_owned()), ..Chart::default() };
    if let Some(known) = entry(name, version) {
        image(release, known, found);
        return Some(of_version(version));
    }
    let subject = format!("release {}", release.name);
    if name.starts_with("tempo") && numbers(version).first().is_some_and(|major| *major >= 3) {
        found.obstacle(
            subject,
            format!(
                "is of {name} {version}, which has no ingesters and keeps its log in Kafka or in one process"
            ),
            "the operator runs Tempo 2; leave this release to Helm",
        );
        return None;
    }
    let same_major = |known: &&CatalogEntry| numbers(known.version).first() == numbers(version).first();
    let of_name = CATALOG.iter().filter(|known| known.name == name).filter(same_major);
    let newer = of_name.filter(|known| numbers(known.version) >= numbers(version));
    let Some(next) = newer.min_by_key(|known| numbers(known.version)) else {
        found.obstacle(
            subject,
            format!(
                "is of {name} {version}; the operator knows {}, none of which follows it",
                versions(name)
            ),
            "bring the release to one of these with helm first",
        );
        return None;
    };
    found.note(
        subject,
        format!("{name} goes from {version} to {}, the next version that the operator knows", next.version),
    );
    image(release, next, found);
    Some(of_version(next.version))
}

fn image(release: &HelmRelease, known: &CatalogEntry, found: &mut Found) {
    let values = release.merged();
    let tags = ["/image/tag", "/tempo/tag", "/tempo/image/tag"];
    let tag = tags.iter().find_map(|at| text(&values, at));
    let runs = tag.or(release.chart.app_version.as_deref()).unwrap_or_default();
    if runs != known.app_version {
        let what = format!("the image goes from {runs} to {}", known.app_version);
        found.note(format!("release {}", release.name), what);
    }
}

/// The numbers of a version, without what follows a dash.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// What no draft can express.
pub(super) fn obstacles(release: &HelmRelease, kind: Kind, config: &Value, found: &mut Found) {
    if release.status != "deployed" {
        found.obstacle(
            format!("release {}", release.name),
            format!("is {}, so nobody knows what of it is in place", release.status),
            "finish or roll back with helm first",
        );
    }
    names(release, kind, found);
    let values = release.merged();
    let of_mimir = release.values.get("mimir").and_then(|mimir| mimir.get("config"));
    for (field, own) in [("values.config", release.values.get("config")), ("values.mimir.config", of_mimir)] {
        if own.is_some_and(Value::is_string) {
            found.obstacle(
                field,
                "replaces the chart's whole configuration template, in which the operator's settings would be lost",
                "say the same in structuredConfig, or in the chart's values, and upgrade the release first",
            );
        }
    }
    if flag(&values, "/useExternalConfig") == Some(true) {
        found.obstacle(
            "values.useExternalConfig",
            "the configuration is not part of the release, so nothing can be read from it",
            "move it into the values and upgrade the release first",
        );
    }
    match kind {
        Kind::Mimir => mimir(release, &values, config, found),
        Kind::TempoMonolithic | Kind::TempoDistributed => {
            if flag(config, "/multitenancy_enabled") == Some(true) {
                found.obstacle(
                    "multitenancy_enabled",
                    "traces are kept by tenant; the operator's Tempo has one, and would not find them",
                    "leave this release to Helm, or start a stack beside it",
                );
            }
        }
    }
}

fn mimir(release: &HelmRelease, values: &Value, config: &Value, found: &mut Found) {
    if flag(values, "/enterprise/enabled") == Some(true) {
        found.obstacle("values.enterprise", "is Grafana Enterprise Metrics", "leave this release to Helm");
    }
    let zones: Vec<_> = release.workloads().map(|workload| workload.name().to_owned()).collect();
    let zones: Vec<_> = zones.iter().filter(|name| name.contains("-zone-")).map(String::as_str).collect();
    if !zones.is_empty() {
        found.obstacle(
            "zoneAwareReplication",
            format!("is on: {} run instead of one StatefulSet a role, with tokens and claims of their own", zones.join(", ")),
            "go to one StatefulSet a role first (Mimir's documentation, \"Migrate from zone-aware replication\"), or leave this release to Helm",
        );
    }
    if flag(config, "/ingest_storage/enabled") == Some(true) {
        found.obstacle(
            "ingest_storage.enabled",
            "writes go through Kafka; the operator runs Mimir in its classic architecture",
            "go back to the classic architecture first, or leave this release to Helm",
        );
    }
    if flag(config, "/multitenancy_enabled") != Some(false) {
        let tenant = text(config, "/no_auth_tenant").unwrap_or("anonymous");
        found.note(
            "multitenancy_enabled",
            format!(
                "is on in the release and off in the stack, which has the one tenant {tenant}: metrics of other tenants are not found. Where there is one other tenant, name it in values: mimir.structuredConfig.no_auth_tenant"
            ),
        );
    }
}

/// Objects and selectors must come out as they are.
fn names(release: &HelmRelease, kind: Kind, found: &mut Found) {
    let values = release.merged();
    let expected = fullname(&release.name, kind.backend());
    let stem = kind.backend().chart_stem();
    for (key, same) in [("fullnameOverride", expected.as_str()), ("nameOverride", stem)] {
        if let Some(given) = text(&values, &format!("/{key}")).filter(|given| *given != same) {
            found.obstacle(
                format!("values.{key}"),
                format!("is {given}, but the operator calls the objects of a release as the chart does: {expected}-..."),
                "leave this release to Helm: with other names its StatefulSets would be made anew",
            );
        }
    }
}
