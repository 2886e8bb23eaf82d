//! `render`: every object as it would be applied, or the values of the charts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    charts::ChartFlags,
    cluster::Cluster,
    error::Error,
    exit::Exit,
    input::{Files, StackFile},
    output::{self, Format},
    planner::{self, AssumeFlags, Planned, Planner, World},
    progress,
    session::Session,
    table::Table,
};

/// Flags of `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack render -f dev.yaml --offline
  kubectl obstack render -f dev.yaml --values
  kubectl obstack render -f dev.yaml -o table")]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// Print the values of the charts instead of what they render
    #[arg(long)]
    values: bool,
    #[command(flatten)]
    charts: ChartFlags,
    #[command(flatten)]
    assume: AssumeFlags,
}

/// Prints the objects of stacks in the order in which they are applied.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let _progress = progress::show("rendering");
    let (cluster, stacks) = planner::stacks(session, &args.files, &args.assume).await?;
    let maker = Planner::open(&args.charts).await?;
    let mut objects = Vec::new();
    let mut values = BTreeMap::new();
    for mut file in stacks {
        let planned = planned(&maker, cluster.as_ref(), &mut file, args).await?;
        for release in &planned.blueprint.design.releases {
            values.insert(release.name.clone(), release.values.clone());
        }
        objects.extend(planned.plan.objects.iter().map(|object| object.body.clone()));
    }
    let text = if args.values { print_values(session, values)? } else { print_objects(session, &objects)? };
    session.terminal.print(&text)?;
    Ok(Exit::Done)
}

async fn planned(
    maker: &Planner,
    cluster: Option<&Cluster>,
    file: &mut StackFile,
    args: &Args,
) -> Result<Planned, Error> {
    let world = World::of(cluster, file, &args.assume, &args.charts).await?;
    maker.plan(planner::valid_file(file, &world)?).await
}

fn print_objects(session: &Session, objects: &[Value]) -> Result<String, Error> {
    match session.global.output.unwrap_or(Format::Yaml) {
        Format::Yaml => {
            let documents: Result<Vec<_>, _> = objects.iter().map(output::yaml).collect();
            Ok(documents?.into_iter().fold(String::new(), |text, document| text + "---\n" + &document))
        }
        Format::Json => {
            output::json(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}))
        }
        Format::Table | Format::Wide => {
            let mut table = Table::new(&["KIND", "NAMESPACE", "NAME"]);
            for object in objects {
                let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
                let row = [text("/kind"), text("/metadata/namespace"), text("/metadata/name")];
                table.row(row.map(Into::into));
            }
            Ok(table.text(&session.terminal, 0))
        }
    }
}

/// The values of one release as helm takes them; of several, by the release's name.
fn print_values(session: &Session, mut values: BTreeMap<String, Value>) -> Result<String, Error> {
    let one = if values.len() == 1 { values.pop_first().map(|(_, values)| values) } else { None };
    let value = match one {
        Some(one) => one,
        None => Value::Object(values.into_iter().collect()),
    };
    match session.global.output {
        Some(Format::Json) => output::json(&value),
        _ => output::yaml(&value),
    }
}
