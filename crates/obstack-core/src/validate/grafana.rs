//! Where datasources and dashboards go.

use std::collections::BTreeMap;

use obstack_api::{DashboardProvider, DatasourceProvider, Grafana, Reason};

use crate::{
    grafana::{Place, Provider},
    names::StackKey,
    valid::Datasources,
    violation::Violation,
};

/// Checks `spec.grafana.datasources`; `None` when none are wanted.
pub(super) fn datasources(
    grafana: Option<&Grafana>,
    key: &StackKey,
    faults: &mut Vec<Violation>,
) -> Option<Datasources> {
    let wanted = grafana?.datasources.as_ref()?;
    let label = wanted.sidecar_label.as_deref().unwrap_or("grafana_datasource");
    let provider = match wanted.provider {
        DatasourceProvider::None => return None,
        DatasourceProvider::SidecarConfigMap => sidecar(false, label),
        DatasourceProvider::SidecarSecret => sidecar(true, label),
        DatasourceProvider::GrafanaOperator => operator("datasources", &wanted.instance_selector, faults),
    };
    Some(Datasources {
        name_format: wanted.name_format.clone().unwrap_or_else(|| "{backend} ({env})".into()),
        place: Place {
            namespace: wanted.namespace.clone().unwrap_or_else(|| key.namespace.clone()),
            folder: wanted.folder.clone(),
            provider,
        },
    })
}

/// Checks `spec.grafana.dashboards`; `None` when none are wanted.
pub(super) fn dashboards(
    grafana: Option<&Grafana>,
    key: &StackKey,
    faults: &mut Vec<Violation>,
) -> Option<Place> {
    let wanted = grafana?.dashboards.as_ref()?;
    let provider = match wanted.provider {
        DashboardProvider::None => return None,
        DashboardProvider::SidecarConfigMap => {
            sidecar(false, wanted.sidecar_label.as_deref().unwrap_or("grafana_dashboard"))
        }
        DashboardProvider::GrafanaOperator => operator("dashboards", &wanted.instance_selector, faults),
    };
    Some(Place {
        namespace: wanted.namespace.clone().unwrap_or_else(|| key.namespace.clone()),
        folder: wanted.folder.clone(),
        provider,
    })
}

fn sidecar(secret: bool, label: &str) -> Provider {
    let (label, value) = label.split_once('=').unwrap_or((label, "1"));
    Provider::Sidecar { secret, label: (label.to_owned(), value.to_owned()) }
}

fn operator(what: &str, selector: &BTreeMap<String, String>, faults: &mut Vec<Violation>) -> Provider {
    if selector.is_empty() {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            format!("spec.grafana.{what}.instanceSelector"),
            "is missing; write the labels of the Grafana object that the grafana-operator shall bring them into",
        ));
    }
    Provider::Operator { instances: selector.clone() }
}
