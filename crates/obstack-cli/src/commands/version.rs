//! `version`: of this command, of the charts it knows, and of what runs in the cluster.

use obstack_core::catalog::CATALOG;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error, exit::Exit, operator, output, progress, session::Session, table::Table, terminal::Tone,
};

/// Flags of `version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack version
  kubectl obstack version --client -o json")]
pub struct Args {
    /// Ask no cluster
    #[arg(long)]
    client: bool,
}

/// Every version.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Versions {
    /// Of this command.
    client: String,
    /// Of what runs in the cluster; absent where none was asked, or none answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<InCluster>,
    /// The charts of the catalog; of one name the preferred version comes first.
    charts: Vec<Chart>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InCluster {
    /// Of the API server.
    kubernetes: String,
    /// Of the operators that wrote inventories; absent where these may not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    operators: Option<Vec<Operator>>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Operator {
    /// Its version.
    version: String,
    /// How many stacks it wrote the inventory of.
    stacks: usize,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Chart {
    /// Its name.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Version of what it runs.
    app_version: &'static str,
    /// Versions of Kubernetes that it runs on.
    kubernetes: String,
    /// Last day with patches, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    patched_to: Option<String>,
}

/// Prints the versions.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let cluster = if args.client { None } else { in_cluster(session).await };
    let versions = Versions { client: operator::OWN.to_owned(), cluster, charts: charts() };
    let text = match output::for_programs(session.format(), "Versions", &versions)? {
        Some(text) => text,
        None => print(session, &versions),
    };
    session.terminal.print(&text)?;
    Ok(Exit::Done)
}

fn charts() -> Vec<Chart> {
    let chart = |entry: &obstack_core::catalog::CatalogEntry| Chart {
        name: entry.name,
        version: entry.version,
        app_version: entry.app_version,
        kubernetes: format!(">=1.{}", entry.oldest_kubernetes),
        patched_to: entry.support.patched_to.map(|day| day.to_string()),
    };
    CATALOG.iter().map(chart).collect()
}

/// What runs in the cluster. That none answers is no error: it is said, and the rest is printed.
async fn in_cluster(session: &Session) -> Option<InCluster> {
    let _progress = progress::show("asking the cluster");
    let terminal = &session.terminal;
    let client = match session.client_if_configured().await {
        Ok(Some(client)) => client,
        Ok(None) => {
            terminal.note("no kubeconfig names a cluster, so the operator's version is not known");
            return None;
        }
        Err(error) => {
            terminal.note(&error.to_string());
            return None;
        }
    };
    let cluster = match crate::cluster::Cluster::of(client).await {
        Ok(cluster) => cluster,
        Err(error) => {
            terminal.note(&format!("the operator's version is not known: {error}"));
            return None;
        }
    };
    let named = session.global.namespace.as_deref();
    let mut versions = operator::versions(&cluster.client, named).await;
    if named.is_none() && versions.as_ref().is_err_and(|error| error.code() == 403) {
        let own = cluster.client.default_namespace().to_owned();
        terminal.note(&format!(
            "no right to list ConfigMaps in all namespaces; namespace {own} alone is looked at"
        ));
        versions = operator::versions(&cluster.client, Some(&own)).await;
    }
    let operators = match versions {
        Ok(versions) => {
            Some(versions.into_iter().map(|(version, stacks)| Operator { version, stacks }).collect())
        }
        Err(error) => {
            terminal.note(&format!("the operator's version is not known: {}", Error::from(error)));
            None
        }
    };
    Some(InCluster { kubernetes: cluster.facts.version, operators })
}

fn print(session: &Session, versions: &Versions) -> String {
    let mut own = Table::new(&["", ""]);
    own.row(["client".into(), versions.client.as_str().into()]);
    if let Some(cluster) = &versions.cluster {
        for operator in cluster.operators.iter().flatten() {
            let stacks = if operator.stacks == 1 { "stack" } else { "stacks" };
            let text =
                format!("{}, which wrote the inventory of {} {stacks}", operator.version, operator.stacks);
            own.row(["operator".into(), text.into()]);
        }
        if cluster.operators.as_ref().is_some_and(Vec::is_empty) {
            own.row(["operator".into(), "not known: no stack has an inventory yet".into()]);
        }
        own.row(["kubernetes".into(), cluster.kubernetes.as_str().into()]);
    }
    let mut charts = Table::new(&["CHART", "VERSION", "APP", "KUBERNETES", "PATCHED TO"]);
    for chart in &versions.charts {
        let patched = chart.patched_to.clone().unwrap_or_else(|| "no date known".to_owned());
        charts.row([
            chart.name.into(),
            chart.version.into(),
            chart.app_version.into(),
            chart.kubernetes.as_str().into(),
            patched.into(),
        ]);
    }
    let head = session.terminal.paint(Tone::Dim, "charts that were tested with this version");
    format!("{}\n{head}\n{}", own.text(&session.terminal, 0), charts.text(&session.terminal, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::docs::schemas;

    #[test]
    fn programs_get_what_the_schema_says() {
        let operator = Operator { version: "0.1.0".to_owned(), stacks: 2 };
        let of = |operators| InCluster { kubernetes: "1.36.0".to_owned(), operators };
        for cluster in [None, Some(of(None)), Some(of(Some(vec![operator])))] {
            schemas::hold("Versions", &Versions { client: "0.1.0".to_owned(), cluster, charts: charts() });
        }
    }

    #[test]
    fn every_chart_of_the_catalog_is_told() {
        let charts = charts();
        assert_eq!(charts.len(), CATALOG.len());
        assert!(charts.iter().all(|chart| chart.kubernetes.starts_with(">=1.")));
    }
}
