//! What Grafana gets of a stack: datasources and dashboards, as objects that its sidecar or the grafana-operator finds.
//!
//! Each stack publishes its own: with names and uids of its own, several stacks share a Grafana without overwriting
//! each other, and one that goes takes nothing from the others.

mod datasources;
mod place;

use obstack_api::{DatasourceStatus, Endpoints};
use serde_json::Value;

pub use self::{
    datasources::uid as datasource_uid,
    place::{Place, Provider},
};
use crate::{dashboards, objects::Kind, valid::ValidStack};

/// The objects for Grafana, and what the status says of the datasources.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Objects with datasources.
    pub datasources: Vec<Value>,
    /// Objects with dashboards.
    pub dashboards: Vec<Value>,
    /// The datasources themselves.
    pub entries: Vec<DatasourceStatus>,
}

/// The objects that a stack publishes.
pub fn publish(stack: &ValidStack, endpoints: &Endpoints) -> Published {
    let datasources = stack.datasources.as_ref().map(|wanted| datasources::build(stack, wanted, endpoints));
    let (datasources, entries) = datasources.unwrap_or_default();
    let place = stack.dashboards.as_ref();
    Published { datasources, entries, dashboards: place.map(|at| dashboards(stack, at)).unwrap_or_default() }
}

/// Who brings what a stack publishes into Grafana, as people say it.
pub fn finders(stack: &ValidStack) -> &'static str {
    let datasources = stack.datasources.as_ref().map(|wanted| &wanted.place);
    let mut providers = datasources.into_iter().chain(&stack.dashboards).map(|place| &place.provider);
    let operator = |provider: &Provider| matches!(provider, Provider::Operator { .. });
    match (providers.clone().any(operator), providers.all(operator)) {
        (true, true) => "the grafana-operator finds",
        (true, false) => "Grafana's sidecar and the grafana-operator find",
        (false, _) => "Grafana's sidecar finds",
    }
}

fn dashboards(stack: &ValidStack, place: &Place) -> Vec<Value> {
    let object = |dashboard: dashboards::Dashboard| {
        let name = stack.key.dashboard(dashboard.slug);
        // Compact: an object may have 1 MiB.
        let model = dashboard.model.to_string();
        match &place.provider {
            Provider::Sidecar { secret, label } => {
                // All files of a sidecar lie in one folder.
                let file = format!("{}-{}-{}.json", stack.key.namespace, stack.key.name, dashboard.slug);
                place.file(&name, (&file, &model), *secret, label)
            }
            Provider::Operator { instances } => {
                let folder =
                    place.folder.as_ref().map(|folder| ("folder".to_owned(), folder.as_str().into()));
                let spec = folder.into_iter().chain([("json".to_owned(), model.into())]).collect();
                place.resource(Kind::GrafanaDashboard, &name, instances, spec)
            }
        }
    };
    dashboards::all(stack).into_iter().map(object).collect()
}
