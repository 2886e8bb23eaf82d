//! What happens when nothing changes: reconciles with nothing to do, and a fleet at rest.

use std::{collections::BTreeMap, time::Duration};

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::fleet::Fleet;
use crate::{
    audit::Request,
    error::{Doing, Error},
    operator::Operator,
    report::{Figure, Goal, Section},
    samples::STACK,
    stats::number,
    world::{World, operator_user},
};

const RECONCILES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Reconciles of a converged stack, each brought about by an annotation on it.
pub async fn reconciles(world: &World, operator: &Operator) -> Result<Section, Error> {
    eprintln!("reconcile: {RECONCILES} reconciles of a stack that is as it should be");
    let ended = || operator.metric("obstack_reconcile_total", "");
    let spent = || operator.metric("obstack_reconcile_duration_seconds_sum", "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stacks = world.cluster.stacks(&Fleet::namespace(0));
    let mut audit = world.audit()?;
    let (count, time, cpu) = (ended()?, spent()?, operator.cpu()?);
    for round in 0..RECONCILES {
        let patch = json!({"metadata": {"annotations": {"bench": round.to_string()}}});
        let patched = stacks.patch_metadata(STACK, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.doing(|| "annotate the stack".to_owned())?;
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cpu = operator.cpu()?.since(cpu).seconds();
    let (count, time) = (ended()? - count, spent()? - time);
    let requests = of_operator(audit.look()?);
    let each = |value: f64| if count > 0.0 { value / count } else { 0.0 };
    Ok(Section {
        title: "Nothing changed: one reconcile".to_owned(),
        how: format!(
            "{RECONCILES} changes of an annotation on a converged dev stack, {} ms apart; requests by the audit log, \
             but for the Lease.",
            PAUSE.as_millis()
        ),
        figures: vec![
            Figure::one("reconciles", count, ""),
            Figure::one("requests per reconcile", each(number(requests.len() as u64)), "")
                .goal(Goal::AtMost(0.0)),
            Figure::one("time per reconcile", each(time) * 1000.0, " ms"),
            Figure::one("processor time per reconcile, with its watch event", each(cpu) * 1000.0, " ms"),
        ],
    })
}

/// The whole fleet while nobody touches it.
pub async fn fleet(
    world: &World,
    operator: &Operator,
    fleet: &Fleet,
    time: Duration,
) -> Result<Section, Error> {
    eprintln!("idle: {} stacks for {} s", fleet.size(), time.as_secs());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut audit = world.audit()?;
    let ended = || operator.metric("obstack_reconcile_total", "");
    let (count, cpu) = (ended()?, operator.cpu()?);
    tokio::time::sleep(time).await;
    let (count, cpu) = (ended()? - count, operator.cpu()?.since(cpu).seconds());
    let all: Vec<_> = audit.look()?.into_iter().filter(|one| one.user == operator_user()).collect();
    let hourly = |count: usize| number(count as u64) * 3600.0 / time.as_secs_f64();
    let lease = all.iter().filter(|one| one.is_lease()).count();
    let others: Vec<_> = all.iter().filter(|one| !one.is_lease()).collect();
    let writes = others.iter().filter(|one| one.is_write()).count();
    let watches = others.iter().filter(|one| one.verb == "watch").count();
    let reads = others.len() - writes - watches;
    for (what, times) in tally(others.iter().filter(|one| one.verb != "watch").copied()) {
        eprintln!("idle: {times} x {what}");
    }
    Ok(Section {
        title: format!("Nothing changed: {} stacks for {} s", fleet.size(), time.as_secs()),
        how: "Converged dev stacks, each in a namespace of its own; the operator's requests by the audit log. Buckets \
              are probed meanwhile, which reaches the object store and not the API server."
            .to_owned(),
        figures: vec![
            Figure::one("writes, but for the Lease", number(writes as u64), "").goal(Goal::AtMost(0.0)),
            Figure::one("requests per hour, in all", hourly(all.len()), ""),
            Figure::one("  of them, for the Lease", hourly(lease), ""),
            Figure::one("  watches that were made anew", hourly(watches), ""),
            Figure::one("  other reads", hourly(reads), ""),
            Figure::one("reconciles", count, ""),
            Figure::one("processor", cpu * 1000.0 / time.as_secs_f64(), " mCPU"),
        ],
    })
}

/// The operator's requests, but for the Lease and the ends of watches.
pub fn of_operator(requests: Vec<Request>) -> Vec<Request> {
    let counts = |one: &Request| one.user == operator_user() && !one.is_lease() && one.verb != "watch";
    requests.into_iter().filter(counts).collect()
}

/// How often what was asked for.
pub fn tally<'a>(requests: impl Iterator<Item = &'a Request>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in requests {
        *counts.entry(format!("{} {} ({})", one.verb, one.resource, one.code)).or_default() += 1;
    }
    counts
}
