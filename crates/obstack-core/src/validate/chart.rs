//! Which chart renders a backend or a collector.

use obstack_api::{Chart, ChartSource, Reason};

use crate::{
    catalog::{self, CatalogEntry, ChartRef},
    facts::Facts,
    violation::Violation,
};

/// Decides chart, version, source and digest of what `spec.{area}` describes. With a fault the chart is still the one that was asked for, so that the
/// rest of the spec can be checked.
pub(super) fn resolve(
    area: &str,
    name: &'static str,
    spec: Option<&Chart>,
    facts: &Facts,
    faults: &mut Vec<Violation>,
) -> ChartRef {
    let field = format!("spec.{area}.chart");
    let silent = Chart::default();
    let spec = spec.unwrap_or(&silent);
    let source = spec.source.unwrap_or(facts.default_chart_source);
    let given = spec.digest.as_deref().map(|digest| digest.trim_start_matches("sha256:").to_owned());
    let entry = match spec.version.as_deref() {
        Some(version) => catalog::entry(name, version),
        None => catalog::preferred(name, facts.cluster.minor),
    };
    let version = spec.version.as_deref().or(entry.map(|entry| entry.version)).unwrap_or_default();
    let known = catalog::versions(name);
    match entry {
        Some(entry) if entry.oldest_kubernetes > facts.cluster.minor => {
            faults.push(too_new(&field, entry, facts));
        }
        None if source == ChartSource::Bundled => {
            let why = format!("{name} {version} is not bundled with the operator; bundled are {known}");
            faults.push(Violation::new(Reason::ChartUnknown, field, why));
        }
        None if given.is_none() => {
            let why = format!(
                "{name} {version} is not in the catalog ({known}); use one of these, or set digest to the sha256 of the chart archive"
            );
            faults.push(Violation::new(Reason::ChartUnknown, field, why));
        }
        _ => {}
    }
    let of_name = || catalog::CATALOG.iter().find(|entry| entry.name == name);
    let repository = spec.repository.clone().or_else(|| Some(entry.or_else(of_name)?.repository.to_owned()));
    ChartRef {
        name: name.to_owned(),
        version: version.to_owned(),
        app_version: entry.map(|entry| entry.app_version.to_owned()),
        source,
        repository: repository.unwrap_or_default(),
        sha256: given.or_else(|| Some(entry?.sha256.to_owned())),
    }
}

fn too_new(field: &str, entry: &CatalogEntry, facts: &Facts) -> Violation {
    let fits = catalog::preferred(entry.name, facts.cluster.minor).map_or("none", |fits| fits.version);
    Violation::new(
        Reason::ChartUnsupported,
        field,
        format!(
            "{} {} needs Kubernetes 1.{}, this cluster serves {}; use version {fits}",
            entry.name, entry.version, entry.oldest_kubernetes, facts.cluster.version
        ),
    )
}
