//! Names of objects: each is of one stack. All stacks apply by one field manager, so the API server would let one take
//! another's objects without a word.

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::{DashboardProvider, DatasourceProvider, Reason, StackSpec, TracesMode};

use crate::{
    backends::Backend,
    names::{ReleaseName, StackKey},
    valid::ValidBackend,
    violation::Violation,
};

/// What the chart `tempo` calls its `ConfigMap` where nothing overrides it.
const CONFIG_OF_TEMPO: &str = "ConfigMap tempo";

/// What a stack's objects are called, whether or not its spec is valid: what the names of each backend's begin with, and
/// the one name that comes from no release. Names of what it publishes for Grafana have their namespace before them:
/// stacks of any namespace publish there.
pub fn names(key: &StackKey, spec: &StackSpec) -> Vec<String> {
    let traces = spec.traces.as_ref().map(|traces| {
        let name = ReleaseName::decide(key, Backend::Tempo, traces.release_name.as_deref());
        of(&name, traces.mode == TracesMode::Monolithic)
    });
    let metrics = spec
        .metrics
        .as_ref()
        .map(|metrics| of(&ReleaseName::decide(key, Backend::Mimir, metrics.release_name.as_deref()), false));
    traces.into_iter().chain(metrics).flatten().chain(published(key, spec)).collect()
}

/// What the names of datasources and dashboards begin with. Hyphens join namespace and name, so that two stacks such as
/// `a/b-c` and `a-b/c` have the same.
fn published(key: &StackKey, spec: &StackSpec) -> BTreeSet<String> {
    let Some(grafana) = &spec.grafana else { return BTreeSet::new() };
    let datasources = grafana.datasources.as_ref();
    let datasources = datasources.filter(|wanted| wanted.provider != DatasourceProvider::None);
    let dashboards = grafana.dashboards.as_ref();
    let dashboards = dashboards.filter(|wanted| wanted.provider != DashboardProvider::None);
    let places = datasources
        .map(|wanted| &wanted.namespace)
        .into_iter()
        .chain(dashboards.map(|wanted| &wanted.namespace));
    let name = |place: &Option<String>| {
        format!("{}/{}-{}", place.as_ref().unwrap_or(&key.namespace), key.namespace, key.name)
    };
    places.map(name).collect()
}

/// Refuses to publish under names that an older stack has.
pub(super) fn unpublished(
    key: &StackKey,
    spec: &StackSpec,
    claims: &BTreeMap<String, StackKey>,
    faults: &mut Vec<Violation>,
) {
    let taken =
        published(key, spec).into_iter().find_map(|name| claims.get(&name).map(|owner| (name, owner)));
    let Some((name, owner)) = taken else { return };
    let (namespace, begin) = name.split_once('/').unwrap_or_default();
    let message = format!(
        "publishes objects named {begin}-... in namespace {namespace}, which are the older stack {owner}'s; make the stack \
         with another name, or publish to another namespace"
    );
    faults.push(Violation::new(Reason::InvalidSpec, "spec.grafana", message));
}

fn of(name: &ReleaseName, monolithic: bool) -> Vec<String> {
    let config = (monolithic && name.given).then(|| CONFIG_OF_TEMPO.to_owned());
    std::iter::once(name.objects.clone()).chain(config).collect()
}

/// Refuses names that older stacks of the namespace have.
pub(super) fn unclaimed(
    backends: &[ValidBackend],
    claims: &BTreeMap<String, StackKey>,
    faults: &mut Vec<Violation>,
) {
    for backend in backends {
        let taken = of(&backend.name, backend.monolithic)
            .into_iter()
            .find_map(|name| claims.get(&name).map(|owner| (name, owner)));
        let Some((name, owner)) = taken else { continue };
        let message = if name == CONFIG_OF_TEMPO {
            format!(
                "makes the chart call its ConfigMap tempo, which is the older stack {owner}'s; remove releaseName, or use another namespace"
            )
        } else {
            format!(
                "gives objects named {name}-..., which are the older stack {owner}'s; use another name, or another namespace"
            )
        };
        let field = format!("spec.{}.releaseName", backend.backend.signal());
        faults.push(Violation::new(Reason::InvalidSpec, field, message));
    }
}
