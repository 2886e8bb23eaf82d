//! Kinds of objects that the operator applies, and how an object is named.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};
use serde_json::Value;

/// A kind that the operator applies. What is not here is never applied, whatever a chart renders: in particular
/// nothing cluster-scoped, no Namespace, no `CustomResourceDefinition`, no `PersistentVolumeClaim` and no RBAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1`.
    ServiceAccount,
    /// `v1`.
    ConfigMap,
    /// `v1`.
    Secret,
    /// `v1`.
    Service,
    /// `apps/v1`.
    StatefulSet,
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    DaemonSet,
    /// `policy/v1`.
    PodDisruptionBudget,
    /// `grafana.integreatly.org/v1beta1`, of the grafana-operator.
    GrafanaDatasource,
    /// `grafana.integreatly.org/v1beta1`, of the grafana-operator.
    GrafanaDashboard,
    /// `route.openshift.io/v1`, of OpenShift.
    Route,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Secret,
        Self::Service,
        Self::StatefulSet,
        Self::Deployment,
        Self::DaemonSet,
        Self::PodDisruptionBudget,
        Self::GrafanaDatasource,
        Self::GrafanaDashboard,
        Self::Route,
    ];

    /// Name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::StatefulSet => "StatefulSet",
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::GrafanaDatasource => "GrafanaDatasource",
            Self::GrafanaDashboard => "GrafanaDashboard",
            Self::Route => "Route",
        }
    }

    /// API group; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::ServiceAccount | Self::ConfigMap | Self::Secret | Self::Service => "",
            Self::StatefulSet | Self::Deployment | Self::DaemonSet => "apps",
            Self::PodDisruptionBudget => "policy",
            Self::GrafanaDatasource | Self::GrafanaDashboard => "grafana.integreatly.org",
            Self::Route => "route.openshift.io",
        }
    }

    /// Name of the kind in URLs.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccounts",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::Service => "services",
            Self::StatefulSet => "statefulsets",
            Self::Deployment => "deployments",
            Self::DaemonSet => "daemonsets",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::GrafanaDatasource => "grafanadatasources",
            Self::GrafanaDashboard => "grafanadashboards",
            Self::Route => "routes",
        }
    }

    /// Version of the API.
    pub fn version(self) -> &'static str {
        match self {
            Self::GrafanaDatasource | Self::GrafanaDashboard => "v1beta1",
            _ => "v1",
        }
    }

    /// `apiVersion` as it stands in an object.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// Whether a cluster may not serve it, as it comes with another operator or with OpenShift.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::GrafanaDatasource | Self::GrafanaDashboard | Self::Route)
    }

    /// Whether its pods are what the stack is for.
    pub fn is_workload(self) -> bool {
        matches!(self, Self::StatefulSet | Self::Deployment | Self::DaemonSet)
    }

    /// When it is applied: everything of a lower wave is there first. A workload comes after all it mounts, so
    /// that no pod starts with half of its configuration.
    pub fn wave(self) -> u8 {
        match self {
            Self::ServiceAccount
            | Self::ConfigMap
            | Self::Secret
            | Self::GrafanaDatasource
            | Self::GrafanaDashboard => 0,
            Self::Service => 1,
            Self::StatefulSet | Self::Deployment | Self::DaemonSet => 2,
            Self::PodDisruptionBudget | Self::Route => 3,
        }
    }

    /// The kind of a rendered object; `None` for a kind that is never applied.
    pub fn of(object: &Value) -> Option<Self> {
        let kind = Self::from_str(object.get("kind")?.as_str()?).ok()?;
        (object.get("apiVersion")?.as_str()? == kind.api_version()).then_some(kind)
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A kind that the operator does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operator does not apply objects of kind {0}")]
pub struct UnknownKind(pub String);

/// Which object: kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Kind.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// The id of an object; `None` for a kind that is never applied, and for one without a namespace or a name.
    pub fn of(object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?;
        let text = |field: &str| metadata.get(field)?.as_str().map(str::to_owned);
        Some(Self { kind: Kind::of(object)?, namespace: text("namespace")?, name: text("name")? })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl FromStr for ObjectId {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let mut parts = text.splitn(3, '/');
        let (Some(kind), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(UnknownKind(text.to_owned()));
        };
        Ok(Self { kind: kind.parse()?, namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
