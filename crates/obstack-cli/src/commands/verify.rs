//! `verify`: a stack from end to end, by the operator's own checks. Nothing is changed but what the canary writes, and
//! an object in each bucket that is deleted again.

mod buckets;
pub(super) mod check;
mod objects;
mod pods;
mod print;
mod scene;
mod services;
mod stack;
mod telemetry;

use std::{future::ready, time::Duration};

use clap::builder::PossibleValuesParser;
use futures::{FutureExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use self::{
    check::{Check, Id, Selection, Verification},
    scene::Scene,
    telemetry::Wish,
};
use crate::{charts::ChartFlags, error::Error, exit::Exit, output, progress, session::Session};

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "√ is as it should be, × is not, ‼ should be looked at, ? could not be looked at: a right is \
missing, or something is not reachable from here. × ends with code 1, ? does only with --strict.

Each bucket gets an object, which is read and deleted again, with the keys of the pods. Where services/proxy may be \
used, one trace (service.name obstack-canary) and one sample of one series (obstack_canary_unix_seconds) are written \
as the operator's canary writes them, and stay: see --no-telemetry.

Examples:
  kubectl obstack verify dev
  kubectl obstack verify dev --only buckets --only telemetry.traces
  kubectl obstack verify dev --skip telemetry --strict -o json"
)]
pub struct Args {
    /// The stack: NAME, or NAMESPACE/NAME
    name: String,
    /// Make only this check, or those of this group; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = PossibleValuesParser::new(Selection::values()))]
    only: Vec<String>,
    /// Leave out this check, or those of this group; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = PossibleValuesParser::new(Selection::values()))]
    #[arg(hide_possible_values = true)]
    skip: Vec<String>,
    /// Fail, too, when something could not be looked at
    #[arg(long)]
    strict: bool,
    /// Longest time that one check may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    timeout: Duration,
    /// Write one trace and one sample and read them back, even where spec.canary is off
    #[arg(long, conflicts_with = "no_telemetry")]
    telemetry: bool,
    /// Write no trace and no sample
    #[arg(long)]
    no_telemetry: bool,
    #[command(flatten)]
    charts: ChartFlags,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.filter(|parsed| !parsed.is_zero()).ok_or_else(|| "write it as 30s or 2m".to_owned())
}

/// Makes the checks and prints what they say.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let progress = progress::show("reading the stack");
    let cluster = session.cluster().await?;
    let key = session.key(&cluster, &args.name);
    let scene = Box::pin(Scene::read(cluster, key)).await?;
    progress.now("checking");
    let checks = checks(&scene, args).await;
    drop(progress);
    let verification = Verification::of(scene.key, checks, args.strict);
    let text = match output::for_programs(session.format(), "Verification", &verification)? {
        Some(text) => text,
        None => print::text(&session.terminal, &verification),
    };
    session.terminal.print(&text)?;
    Ok(if verification.passed { Exit::Done } else { Exit::Failed })
}

/// All wanted checks, side by side.
async fn checks(scene: &Scene, args: &Args) -> Vec<Check> {
    let selection = Selection { only: args.only.clone(), skip: args.skip.clone() };
    let has = |id: Id| selection.has(id) && !(args.no_telemetry && id.group() == check::Group::Telemetry);
    let wish = if args.telemetry { Wish::Asked } else { Wish::IfAllowed };
    let now = Timestamp::now().as_second();
    // The checks that one piece of work makes, and the work.
    let work: Vec<(&[Id], BoxFuture<'_, Vec<Check>>)> = vec![
        (
            &[Id::Seen, Id::Spec, Id::Active, Id::Ready, Id::Going, Id::Version],
            ready(stack::all(scene)).boxed(),
        ),
        (&[Id::Probe], buckets::probe(scene).boxed()),
        (&[Id::Present, Id::Drift], objects::all(scene, &args.charts).boxed()),
        (&[Id::Endpoints], services::endpoints(scene).boxed()),
        (&[Id::Doors], services::doors(scene).boxed()),
        (&[Id::Rings], services::rings(scene).boxed()),
        (&[Id::Components, Id::Policy, Id::Protection, Id::Tolerance], ready(pods::all(scene, now)).boxed()),
        (&[Id::Published], objects::grafana(scene).boxed()),
        (&[Id::Traces, Id::Metrics], telemetry::all(scene, wish, has).boxed()),
    ];
    let wanted = work.into_iter().filter(|(ids, _)| ids.iter().any(|id| has(*id)));
    let made = wanted.map(|(ids, work)| within(args.timeout, ids, work));
    let mut checks: Vec<Check> = futures::future::join_all(made).await.into_iter().flatten().collect();
    checks.retain(|check| has(check.id));
    checks
}

/// Checks that took too long could not be made.
async fn within(timeout: Duration, ids: &[Id], work: BoxFuture<'_, Vec<Check>>) -> Vec<Check> {
    let late = |id: &Id| {
        let what = id.meaning();
        id.unknown(format!("whether {what}: no answer within {timeout:?}")).fix("wait longer: --timeout")
    };
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| ids.iter().map(late).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_more_than_nothing() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
    }

    #[test]
    fn a_check_is_chosen_by_its_name_or_its_group() {
        let selection = |only: &[&str], skip: &[&str]| Selection {
            only: only.iter().map(ToString::to_string).collect(),
            skip: skip.iter().map(ToString::to_string).collect(),
        };
        let chosen = |selection: &Selection| Id::ALL.iter().filter(|id| selection.has(**id)).count();
        assert_eq!(chosen(&selection(&[], &[])), Id::ALL.len());
        assert_eq!(chosen(&selection(&["services"], &["services.rings"])), 2);
        assert_eq!(chosen(&selection(&["telemetry.traces"], &[])), 1);
        assert_eq!(chosen(&selection(&["pods"], &["pods"])), 0);
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_is_not_known() {
        let never = futures::future::pending().boxed();
        let checks = within(Duration::from_millis(20), &[Id::Probe], never).await;
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].result, check::Outcome::Unknown);
        assert!(checks[0].message.ends_with("no answer within 20ms"), "{}", checks[0].message);
    }
}
