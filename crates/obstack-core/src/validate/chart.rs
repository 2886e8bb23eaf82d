//! Which chart renders a backend.

use obstack_api::{Chart, ChartSource, Reason};

use crate::{
    backends::Backend,
    catalog::{self, CatalogEntry, ChartRef},
    facts::Facts,
    violation::Violation,
};

/// Decides chart, version, source and digest.
pub(super) fn resolve(
    backend: Backend,
    name: &'static str,
    spec: Option<&Chart>,
    facts: &Facts,
    faults: &mut Vec<Violation>,
) -> Option<ChartRef> {
    let field = format!("spec.{}.chart", backend.signal());
    let minor = facts.cluster.minor;
    let source = spec.and_then(|chart| chart.source).unwrap_or(facts.default_chart_source);
    let asked = spec.and_then(|chart| chart.version.as_deref());
    let given = spec.and_then(|chart| chart.digest.as_deref()).map(|digest| digest.trim_start_matches("sha256:").to_owned());
    let entry = match asked {
        Some(version) => catalog::entry(name, version),
        None => catalog::preferred(name, minor),
    };
    if let Some(entry) = entry.filter(|entry| entry.oldest_kubernetes > minor) {
        faults.push(too_new(&field, entry, facts));
        return None;
    }
    let Some(entry) = entry else {
        return unknown(&field, name, asked.unwrap_or_default(), source, spec, given, faults);
    };
    Some(ChartRef {
        name: name.to_owned(),
        version: entry.version.to_owned(),
        app_version: Some(entry.app_version.to_owned()),
        source,
        repository: spec.and_then(|chart| chart.repository.clone()).unwrap_or_else(|| entry.repository.to_owned()),
        sha256: Some(given.unwrap_or_else(|| entry.sha256.to_owned())),
    })
}

/// A version outside the catalog: only upstream, and only with a digest.
fn unknown(
    field: &str,
    name: &str,
    version: &str,
    source: ChartSource,
    spec: Option<&Chart>,
    digest: Option<String>,
    faults: &mut Vec<Violation>,
) -> Option<ChartRef> {
    let known = catalog::versions(name);
    let mut refuse = |why: String| {
        faults.push(Violation::new(Reason::ChartUnknown, field, why));
        None
    };
    if source == ChartSource::Bundled {
        return refuse(format!("{name} {version} is not bundled with the operator; bundled are {known}"));
    }
    let Some(sha256) = digest else {
        return refuse(format!(
            "{name} {version} is not in the catalog ({known}); use one of these, or set digest to the sha256 of the chart archive"
        ));
    };
    let repository = spec
        .and_then(|chart| chart.repository.clone())
        .or_else(|| catalog::CATALOG.iter().find(|entry| entry.name == name).map(|entry| entry.repository.to_owned()))?;
    Some(ChartRef { name: name.to_owned(), version: version.to_owned(), app_version: None, source, repository, sha256: Some(sha256) })
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
