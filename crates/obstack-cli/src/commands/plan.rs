//! `plan`: what applying a manifest would change, restart, need and risk.

pub mod print;
mod report;

use std::collections::BTreeMap;

use obstack_core::{
    changes::{self, releases},
    quota::{self, Preflight},
};
use obstack_engine::cluster::inventory;
use schemars::JsonSchema;
use serde::Serialize;

use self::report::{Report, Seen};
use crate::{
    charts::ChartFlags,
    cluster::Cluster,
    compare,
    error::Error,
    exit::Exit,
    input::{Files, StackFile},
    output::{self, Format},
    planner::{self, AssumeFlags, Planner, World},
    progress,
    session::Session,
};

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The plan is made against the cluster of the kubeconfig. Without one, or with --offline, it is made from nothing: \
every object is new then, and quotas are not looked at.

Examples:
  kubectl obstack plan -f prod.yaml
  kubectl obstack plan -f prod.yaml --offline -o json
  kubectl obstack plan -f environments/ -o wide

Exit codes: 0 nothing would change, 2 there are changes, 1 failed."
)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    charts: ChartFlags,
    #[command(flatten)]
    assume: AssumeFlags,
}

/// What applying manifests comes to.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct Plans {
    /// Stack by stack.
    stacks: Vec<Report>,
}

/// Plans stacks and says what that comes to.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let progress = progress::show("planning");
    let (cluster, files) = planner::stacks(session, &args.files, &args.assume).await?;
    let maker = Planner::open(&args.charts).await?;
    let mut plans = Plans { stacks: Vec::new() };
    for mut file in files {
        progress.now(format!("planning {}", file.key));
        plans.stacks.push(plan(&maker, cluster.as_ref(), &mut file, args).await?);
    }
    drop(progress);
    let format = session.format();
    let people = || {
        let wide = format == Format::Wide;
        let texts = plans.stacks.iter().map(|report| print::text(report, &session.terminal, wide));
        texts.collect::<Vec<_>>().join("\n")
    };
    let text = output::for_programs(format, "Plan", &plans)?.unwrap_or_else(people);
    session.terminal.print(&text)?;
    let changes = plans.stacks.iter().any(Report::has_changes);
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

async fn plan(
    maker: &Planner,
    cluster: Option<&Cluster>,
    file: &mut StackFile,
    args: &Args,
) -> Result<Report, Error> {
    let world = World::of(cluster, file, &args.assume, &args.charts).await?;
    let valid = planner::valid_file(file, &world)?;
    let (before, valid) = match cluster {
        None => (inventory::Stored::default().inventory, valid),
        Some(cluster) => {
            let before = inventory::load(&cluster.client, &file.key).await?.inventory;
            let valid = planner::with_live_keys(cluster, &world, &before, valid).await?;
            (before, valid)
        }
    };
    let planned = maker.plan(valid).await?;
    let changes = changes::changes(&before, &planned.plan, &releases(&planned.blueprint.design));
    let mut seen = Seen { compared: BTreeMap::new(), preflight: Preflight::default(), missing: Vec::new() };
    if let Some(cluster) = cluster {
        let altered = planned.plan.objects.iter().filter(|object| changes.changed.contains(&object.id));
        seen.compared = compare::objects(cluster, altered, &changes.deleted).await?;
        let look = cluster.look(&file.key).await?;
        let live = look.view.live(&file.key);
        seen.preflight = quota::preflight_of(&planned.valid.quota, &planned.plan, &changes, &live);
        seen.missing = look.missing.iter().map(ToString::to_string).collect();
    }
    Ok(report::of(cluster.is_some(), &file.stack, &world, &before, &planned, &changes, seen))
}
