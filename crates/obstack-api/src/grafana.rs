//! What Grafana gets to know of a stack.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What Grafana gets to know of this stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grafana {
    /// One datasource a backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasources: Option<Datasources>,
    /// Dashboards of the stack and of what it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboards: Option<Dashboards>,
}

/// How datasources reach Grafana.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Datasources {
    /// Who brings the datasources into Grafana, or none.
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
    /// Labels of the `Grafana` objects that the grafana-operator brings the datasources into. Needed with
    /// `GrafanaOperator`, which does not let it be changed later.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::instance_labels")]
    pub instance_selector: BTreeMap<String, String>,
}

/// Who brings datasources into Grafana.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DatasourceProvider {
    /// Grafana's sidecar, by a ConfigMap with its label.
    SidecarConfigMap,
    /// Grafana's sidecar, by a Secret with its label: for sidecars that watch Secrets only.
    SidecarSecret,
    /// The grafana-operator, by a `GrafanaDatasource` (`grafana.integreatly.org/v1beta1`) for each.
    GrafanaOperator,
    /// None: Grafana is told by somebody else.
    #[default]
    None,
}

/// How dashboards reach Grafana. Each stack publishes its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dashboards {
    /// Who brings the dashboards into Grafana, or none.
    #[serde(default)]
    pub provider: DashboardProvider,
    /// Namespace that Grafana's sidecar watches. The stack's own when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Label that the sidecar looks for, as `key` (value `1`) or `key=value`. `grafana_dashboard` when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 127),
        regex(
            pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?(=[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
        )
    )]
    pub sidecar_label: Option<String>,
    /// Folder of the dashboards in Grafana: the annotation `grafana_folder` for a sidecar, the folder's title for the
    /// grafana-operator. Grafana's default when silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub folder: Option<String>,
    /// Labels of the `Grafana` objects that the grafana-operator brings the dashboards into. Needed with
    /// `GrafanaOperator`, which does not let it be changed later.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::instance_labels")]
    pub instance_selector: BTreeMap<String, String>,
}

/// Who brings dashboards into Grafana.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DashboardProvider {
    /// Grafana's sidecar, by a ConfigMap with its label for each.
    SidecarConfigMap,
    /// The grafana-operator, by a `GrafanaDashboard` (`grafana.integreatly.org/v1beta1`) for each.
    GrafanaOperator,
    /// None.
    #[default]
    None,
}
