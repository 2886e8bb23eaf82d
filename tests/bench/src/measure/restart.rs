//! A restart on a converged fleet.

use std::time::Duration;

use super::{
    fleet::Fleet,
    idle::{of_operator, tally},
};
use crate::{
    error::Error,
    operator::Operator,
    report::{Figure, Goal, Section},
    stats::number,
    world::World,
};

/// So long without a reconcile, and the operator has come to rest.
const REST: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(50);

/// Stops the operator, starts it with an empty cache, and waits until it has come to rest.
pub async fn measure(world: &World, operator: Operator, fleet: &Fleet) -> Result<(Section, Operator), Error> {
    eprintln!("restart: {} stacks", fleet.size());
    operator.stop().await?;
    let mut audit = world.audit()?;
    let operator = world.start().await?;
    let (mut first, mut last, mut count) = (None, operator.ready, 0.0);
    while operator.started.elapsed() < last + REST && operator.started.elapsed() < LIMIT {
        let now = operator.metric("obstack_reconcile_total", "")?;
        if now > count {
            (last, count) = (operator.started.elapsed(), now);
        }
        if now >= f64::from(fleet.size()) && first.is_none() {
            first = Some(operator.started.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
    let cpu = operator.cpu()?;
    let requests = of_operator(audit.look()?);
    let writes = requests.iter().filter(|one| one.is_write()).count();
    for (what, times) in tally(requests.iter()) {
        eprintln!("restart: {times} x {what}");
    }
    let seconds = |time: Duration| time.as_secs_f64();
    let section = Section {
        title: format!("Restart on {} unchanged stacks", fleet.size()),
        how: "SIGTERM, then a new process with an empty cache folder, until it has made no reconcile for three \
              seconds. Buckets are probed at the start, and each first result is a reconcile more."
            .to_owned(),
        figures: vec![
            Figure::one("charts rendered", operator.metric("obstack_renders_total", "")?.abs(), "").goal(Goal::AtMost(0.0)),
            Figure::one("writes, but for the Lease", number(writes as u64), "").goal(Goal::AtMost(0.0)),
            Figure::one("from start to ready", seconds(operator.ready), " s"),
            Figure::one("from start until every stack was reconciled", first.map_or(f64::NAN, seconds), " s"),
            Figure::one("from start to the last reconcile", seconds(last), " s"),
            Figure::one("reconciles", count, ""),
            Figure::one("reads", number((requests.len() - writes) as u64), ""),
            Figure::one("processor time", cpu.seconds(), " s"),
        ],
    };
    Ok((section, operator))
}
