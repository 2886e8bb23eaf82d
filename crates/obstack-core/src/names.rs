//! Names that are derived from a stack, and the limits they keep.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    backends::Backend,
    hash,
    objects::{Kind, ObjectId},
};

/// Longest value of a label, and longest name of a Service.
const LABEL_MAX: usize = 63;

/// Longest name of a release: the charts append up to 25 characters (`-query-frontend-discovery`), and a
/// StatefulSet's name plus its revision hash must fit into a label.
pub(crate) const RELEASE_MAX: usize = 38;

/// Namespace and name of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackKey {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl StackKey {
    /// Value of the label that every object of the stack has: `<namespace>.<name>`, shortened by a hash where it
    /// would not fit.
    pub fn label(&self) -> String {
        shorten(&format!("{}.{}", self.namespace, self.name), LABEL_MAX)
    }

    /// Name of the ConfigMap that lists the stack's objects.
    pub fn inventory(&self) -> String {
        format!("{}-inventory", self.name)
    }

    /// Name of a backend's Helm release when the spec gives none. It is also the prefix of its objects.
    pub fn release(&self, backend: Backend) -> String {
        self.release_of(backend.chart_stem())
    }

    /// Name of Alloy's Helm release, of its objects, and of the `ConfigMap` with its configuration.
    pub fn alloy(&self) -> String {
        self.release_of("alloy")
    }

    fn release_of(&self, stem: &str) -> String {
        let suffix = format!("-{stem}");
        format!("{}{suffix}", shorten(&self.name, RELEASE_MAX - suffix.len()))
    }

    /// Name of the object that holds the datasources. The namespace is part of it, because stacks of several
    /// namespaces put theirs into Grafana's.
    pub fn datasources(&self) -> String {
        shorten(&format!("{}-{}-datasources", self.namespace, self.name), LABEL_MAX)
    }

    /// Name of the object that holds the datasource of one backend.
    pub fn datasource(&self, backend: Backend) -> String {
        format!("{}-{}-{}", self.namespace, self.name, backend.chart_stem())
    }

    /// Name of the object that holds a dashboard.
    pub fn dashboard(&self, slug: &str) -> String {
        format!("{}-{}-dashboard-{slug}", self.namespace, self.name)
    }

    /// Whether an object of the stack holds a dashboard, of this version or of another.
    pub fn is_dashboard(&self, id: &ObjectId) -> bool {
        id.kind == Kind::GrafanaDashboard
            || id.kind == Kind::ConfigMap && id.name.starts_with(&self.dashboard(""))
    }

    /// Whether an object of the stack is for Grafana. No chart renders one: their objects' names begin with the stack's.
    pub fn is_for_grafana(&self, id: &ObjectId) -> bool {
        self.is_dashboard(id) || id.kind == Kind::GrafanaDatasource || id.name == self.datasources()
    }

    /// Id of the stack's ApplySet (KEP-3659).
    pub fn applyset_id(&self) -> String {
        let parent = format!("{}.{}.ConfigMap.", self.inventory(), self.namespace);
        format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash::sha256(parent.as_bytes())))
    }
}

impl fmt::Display for StackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a backend's Helm release and its objects are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseName {
    /// Name of the release, by which its pods are selected.
    pub release: String,
    /// What the names of its objects begin with.
    pub objects: String,
    /// The spec gives the name: everything is called as the chart alone would call it.
    pub given: bool,
}

impl ReleaseName {
    /// The name that the spec gives, or the one that comes from the stack's.
    pub fn decide(key: &StackKey, backend: Backend, given: Option<&str>) -> Self {
        if let Some(release) = given {
            return Self { release: release.to_owned(), objects: fullname(release, backend), given: true };
        }
        let release = key.release(backend);
        Self { objects: release.clone(), release, given: false }
    }
}

/// What the charts of a backend call the objects of a release, without `nameOverride` and `fullnameOverride`: their
/// helpers `tempo.fullname` and `mimir.fullname`. Upstream's and the bundled charts do the same.
pub fn fullname(release: &str, backend: Backend) -> String {
    let stem = backend.chart_stem();
    let full = if release.contains(stem) { release.to_owned() } else { format!("{release}-{stem}") };
    let kept: String = full.chars().take(LABEL_MAX).collect();
    kept.strip_suffix('-').map(str::to_owned).unwrap_or(kept)
}

/// The text itself, or its beginning and a hash of all of it when it is longer than `max`.
fn shorten(text: &str, max: usize) -> String {
    const HASH: usize = 8;
    if text.len() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(HASH + 1)).collect();
    format!("{}-{}", kept.trim_end_matches(['-', '.']), hash::short(text, HASH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> StackKey {
        StackKey { namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn derived_names_of_the_longest_stack_fit() {
        let longest = key(&"n".repeat(63), &"s".repeat(40));
        assert!(longest.label().len() <= 63);
        assert!(longest.datasources().len() <= 63);
        for backend in Backend::ALL {
            assert!(longest.release(*backend).len() + "-query-frontend-discovery".len() <= 63);
        }
    }

    #[test]
    fn long_names_that_differ_at_the_end_stay_apart() {
        let base = "s".repeat(39);
        let (a, b) = (key("ns", &format!("{base}a")), key("ns", &format!("{base}b")));
        assert_ne!(a.release(Backend::Tempo), b.release(Backend::Tempo));
    }

    #[test]
    fn objects_of_a_named_release_are_called_as_the_charts_call_them() {
        let check = |backend, release: &str, objects: &str| assert_eq!(fullname(release, backend), objects);
        check(Backend::Tempo, "tempo", "tempo");
        check(Backend::Tempo, "prod", "prod-tempo");
        check(Backend::Tempo, "my-tempo-prod", "my-tempo-prod");
        check(Backend::Tempo, "mimir", "mimir-tempo");
        check(Backend::Mimir, "mimir", "mimir");
        check(Backend::Mimir, "mimir-distributed", "mimir-distributed");
        check(Backend::Mimir, "metrics", "metrics-mimir");
    }

    #[test]
    fn a_given_name_is_followed_and_a_silent_spec_has_the_stacks() {
        let key = key("ca7f8f-dev", "dts-dev");
        let silent = ReleaseName::decide(&key, Backend::Tempo, None);
        assert_eq!((silent.release.as_str(), silent.objects.as_str()), ("dts-dev-tempo", "dts-dev-tempo"));
        let given = ReleaseName::decide(&key, Backend::Tempo, Some("prod"));
        assert_eq!((given.release.as_str(), given.objects.as_str()), ("prod", "prod-tempo"));
        assert!(given.given && !silent.given);
    }

    #[test]
    fn short_names_are_plain() {
        let key = key("ca7f8f-dev", "dts-dev");
        assert_eq!(key.label(), "ca7f8f-dev.dts-dev");
        assert_eq!(key.release(Backend::Mimir), "dts-dev-mimir");
        assert_eq!(key.inventory(), "dts-dev-inventory");
        assert_eq!(key.datasources(), "ca7f8f-dev-dts-dev-datasources");
        assert_eq!(key.datasource(Backend::Tempo), "ca7f8f-dev-dts-dev-tempo");
        assert_eq!(key.dashboard("stack"), "ca7f8f-dev-dts-dev-dashboard-stack");
    }

    #[test]
    fn what_is_for_grafana_is_told_by_its_name_or_kind() {
        let key = key("ca7f8f-dev", "dts-dev");
        let check = |id: &str, dashboard: bool, grafana: bool| {
            let id = id.parse().unwrap();
            assert_eq!((key.is_dashboard(&id), key.is_for_grafana(&id)), (dashboard, grafana), "{id}");
        };
        check("ConfigMap/tools/ca7f8f-dev-dts-dev-dashboard-stack", true, true);
        check("GrafanaDashboard/tools/ca7f8f-dev-dts-dev-dashboard-stack", true, true);
        check("ConfigMap/tools/ca7f8f-dev-dts-dev-datasources", false, true);
        check("Secret/tools/ca7f8f-dev-dts-dev-datasources", false, true);
        check("GrafanaDatasource/tools/ca7f8f-dev-dts-dev-tempo", false, true);
        check("ConfigMap/ca7f8f-dev/dts-dev-tempo", false, false);
        check("Service/ca7f8f-dev/dts-dev-mimir-distributor", false, false);
    }
}
