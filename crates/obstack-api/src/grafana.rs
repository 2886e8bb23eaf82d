//! What Grafana gets to know of a stack.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Grafana gets to know of this stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grafana {
    /// One datasource a backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasources: Option<Datasources>,
}

/// How datasources reach Grafana.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Datasources {
    /// An object that Grafana's sidecar picks up, or none.
    #[serde(default)]
    pub provider: DatasourceProvider,
    /// Name of a datasource; `{backend}` and `{env}` are filled in. `{backend} ({env})` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub name_format: Option<String>,
    /// Namespace that Grafana's sidecar watches. The stack's own when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Label that the sidecar looks for, as `key` (value `1`) or `key=value`. `grafana_datasource` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 127),
        regex(
            pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?(=[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
        )
    )]
    pub sidecar_label: Option<String>,
    /// Value of the annotation `grafana_folder`, for sidecars that sort files by it. None when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub folder: Option<String>,
}

/// How datasources reach Grafana.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DatasourceProvider {
    /// A ConfigMap with the sidecar's label.
    SidecarConfigMap,
    /// A Secret with the sidecar's label, for sidecars that watch Secrets only.
    SidecarSecret,
    /// None: Grafana is told by somebody else.
    #[default]
    None,
}
