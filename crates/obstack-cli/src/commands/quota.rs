//! `quota`: what stacks request, whether it fits, and the request for more.

mod print;
pub(super) mod report;

use std::{collections::BTreeMap, path::PathBuf};

use clap::ValueHint;
use k8s_openapi::api::core::v1::ResourceQuota;
use obstack_core::{
    changes::{self, releases},
    live::{Live, QuotaFacts},
    quota,
};
use obstack_engine::cluster::{facts, inventory};
use serde_json::Value;

use self::report::{Capacity, Part};
use crate::{
    charts::ChartFlags,
    cluster::Cluster,
    error::Error,
    exit::Exit,
    input::{self, Files, StackFile},
    output::{self, Format},
    planner::{self, AssumeFlags, Planner, World},
    progress,
    session::Session,
};

/// Flags of `quota`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Quotas are those of the cluster, or those of --quotas:

  kubectl get resourcequota -A -o yaml > quotas.yaml
  kubectl obstack quota -f environments/ --quotas quotas.yaml --markdown > request.md

What is to come besides the stacks, headroom and rounding are what the stacks say in spec.quota.

Exit codes: 0 everything fits, or no quota was looked at; 1 something does not, or failed.")]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// ResourceQuotas to hold the stacks against, as kubectl prints them; of the cluster none are asked for then
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    quotas: Vec<PathBuf>,
    /// Write the tables and the request as Markdown
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    charts: ChartFlags,
    #[command(flatten)]
    assume: AssumeFlags,
}

/// Quotas by namespace.
type Quotas = BTreeMap<String, Vec<QuotaFacts>>;

/// Reckons what stacks request.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let progress = progress::show("reckoning");
    let (cluster, files) = planner::stacks(session, &args.files, &args.assume).await?;
    let given = if args.quotas.is_empty() { None } else { Some(given(&args.quotas)?) };
    let maker = Planner::open(&args.charts).await?;
    let mut capacity = Capacity::default();
    for mut file in files {
        progress.now(format!("reckoning {}", file.key));
        let part = part(&maker, cluster.as_ref(), given.as_ref(), &capacity, &mut file, args).await?;
        capacity.add(part);
    }
    drop(progress);
    let text = match output::for_programs(session.format(), "Capacity", &capacity)? {
        Some(text) => text,
        None if args.markdown => print::markdown(&capacity),
        None => print::text(&capacity, &session.terminal, session.format() == Format::Wide),
    };
    session.terminal.print(&text)?;
    Ok(if capacity.fits() { Exit::Done } else { Exit::Failed })
}

async fn part(
    maker: &Planner,
    cluster: Option<&Cluster>,
    given: Option<&Quotas>,
    before: &Capacity,
    file: &mut StackFile,
    args: &Args,
) -> Result<Part, Error> {
    let world = World::of(cluster, file, &args.assume, &args.charts).await?;
    let planned = maker.plan(planner::valid_file(file, &world)?).await?;
    let (inventory, mut live, missing) = match cluster {
        Some(cluster) if given.is_none() => {
            let inventory = inventory::load(&cluster.client, &file.key).await?.inventory;
            let look = cluster.look(&file.key).await?;
            let missing = look.missing.iter().filter(|right| right.resource == "resourcequotas");
            (inventory, look.view.live(&file.key), missing.map(ToString::to_string).collect())
        }
        // Against quotas of a file, all of the stack is still to come.
        _ => (inventory::Stored::default().inventory, Live::default(), Vec::new()),
    };
    if let Some(given) = given {
        live.quotas = Some(given.get(&file.key.namespace).cloned().unwrap_or_default());
        live.limit_ranges = Some(Vec::new());
        live.claims = Some(Vec::new());
    }
    for quota in live.quotas.iter_mut().flatten() {
        before.take_room(&file.key.namespace, quota);
    }
    let changes = changes::changes(&inventory, &planned.plan, &releases(&planned.blueprint.design));
    let looked = live.quotas.is_some();
    let preflight = quota::preflight_of(&planned.valid.quota, &planned.plan, &changes, &live);
    Ok(report::part(&file.stack, &planned, preflight, looked, missing))
}

/// The quotas of files, by namespace.
fn given(files: &[PathBuf]) -> Result<Quotas, Error> {
    let mut quotas = Quotas::new();
    for document in input::documents(&Files::from(files))? {
        let place = format!("{}:{}", document.source.file, document.line);
        let kind = document.value.get("kind").and_then(Value::as_str).unwrap_or_default();
        if kind != "ResourceQuota" {
            return Err(Error::new("a document is no ResourceQuota")
                .at(place)
                .because(format!("its kind is {kind}"))
                .fix("give what `kubectl get resourcequota -A -o yaml` prints"));
        }
        let quota: ResourceQuota = serde_json::from_value(document.value)
            .map_err(|error| Error::new("a ResourceQuota cannot be read").at(place.clone()).because(error))?;
        let namespace = quota.metadata.namespace.clone().ok_or_else(|| {
            Error::new("a ResourceQuota has no namespace").at(place).fix("set metadata.namespace")
        })?;
        let mut facts = facts::quota(&quota);
        // Of one that was written by hand nothing is used yet.
        for resource in facts.hard.keys() {
            facts.used.entry(resource.clone()).or_default();
        }
        quotas.entry(namespace).or_default().push(facts);
    }
    Ok(quotas)
}
