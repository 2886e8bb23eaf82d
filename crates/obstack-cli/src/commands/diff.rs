//! `diff`: where live objects differ from the wanted ones, and who changed them.

pub(super) mod report;

use std::collections::BTreeSet;

use obstack_engine::cluster::inventory;

use self::report::{Difference, Differences};
use crate::{
    charts::ChartFlags,
    compare,
    error::Error,
    exit::Exit,
    input::{self, Files},
    output::{self, Format},
    planner::{self, Planner, World},
    progress,
    session::Session,
};

/// Flags of `diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With a name, live objects are held against what the stored stack wants: what differs is drift. With -f they are \
held against what the manifest would make of them.

Examples:
  kubectl obstack diff dts-prod
  kubectl obstack diff -f prod.yaml

Exit codes: 0 nothing differs, 2 something does, 1 failed."
)]
#[group(id = "subject", required = true, multiple = false, args = ["name", "files"])]
pub struct Args {
    /// The stack: NAME or NAMESPACE/NAME
    name: Option<String>,
    /// Manifests: files, folders, or - for stdin; may be repeated
    #[arg(short = 'f', long = "filename", num_args = 1.., value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    files: Vec<std::path::PathBuf>,
    /// Read the folders within folders, too
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    #[command(flatten)]
    charts: ChartFlags,
}

/// Prints what differs.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let progress = progress::show("asking the API server");
    let cluster = session.cluster().await?;
    let files = Files { files: args.files.clone(), recursive: args.recursive };
    let stacks = if let Some(name) = &args.name {
        let key = session.key(&cluster, name);
        vec![(cluster.stack(&key).await?, format!("ObservabilityStack {key}"), None)]
    } else {
        let stacks = input::stacks(session, &files, cluster.client.default_namespace())?;
        stacks.into_iter().map(|file| (file.stack.clone(), file.place(), Some(file))).collect()
    };
    let maker = Planner::open(&args.charts).await?;
    let mut differences = Differences::default();
    for (mut stack, place, file) in stacks {
        let key = crate::cluster::key_of(&stack);
        progress.now(format!("asking the API server about {key}"));
        // By its name it was read just now.
        let stored = if file.is_some() { cluster.find(&key).await? } else { Some(stack.clone()) };
        if let (Some(file), Some(stored)) = (&file, &stored) {
            file.hold_change(stored)?;
        }
        let source = args.charts.chart_source.map(Into::into);
        let world = World::seen(&cluster, &mut stack, stored.as_ref(), source).await?;
        let before = inventory::load(&cluster.client, &key).await?.inventory;
        let valid = planner::valid(&stack, &world, &place)?;
        let valid = planner::with_live_keys(&cluster, &world, &before, valid).await?;
        let planned = maker.plan(valid).await?;
        let gone = before.obsolete(&planned.plan);
        let compared = compare::objects(&cluster, &planned.plan.objects, &gone).await?;
        let changing: BTreeSet<_> = before.outdated(&planned.plan).into_iter().cloned().collect();
        differences.assumed.extend(world.assumed);
        let told = compared
            .into_iter()
            .filter_map(|(id, object)| Difference::of(&key, &id, object, changing.contains(&id)));
        differences.objects.extend(told);
    }
    drop(progress);
    let text = match output::for_programs(session.format(), "Diff", &differences)? {
        Some(text) => text,
        None => report::text(&differences, &session.terminal),
    };
    session.terminal.print(&text)?;
    if differences.objects.is_empty() && session.format() != Format::Json && session.format() != Format::Yaml
    {
        session.terminal.note("no differences");
    }
    for assumed in &differences.assumed {
        session.terminal.note(&format!("assumed: {assumed}"));
    }
    Ok(if differences.objects.is_empty() { Exit::Done } else { Exit::Changes })
}
