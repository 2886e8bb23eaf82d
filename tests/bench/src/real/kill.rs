//! An ingester's container that is killed: how long writes are refused and queries incomplete, and when all is well.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use obstack_api::{ConditionType, ObservabilityStack, Signal, labels};
use obstack_sandbox::ContainerSignal;
use tokio::task::JoinSet;

use super::{Real, path::DataPath, stacks};
use crate::{
    cluster::wait,
    error::{Doing, Error},
    report::{Figure, Section},
    samples::STACK,
};

const KILLS: u32 = 3;
const LIMIT: Duration = Duration::from_mins(5);
/// So long nothing may fail before it is over: longer than a request may take.
const CALM: Duration = Duration::from_secs(8);

/// What one kill did, in seconds since it.
#[derive(Clone, Copy, Debug, Default)]
struct Recovery {
    /// Until a write was accepted and none failed any more.
    writes: f64,
    /// Until a query brought what was acknowledged before and none failed any more.
    queries: f64,
    /// Until the pod was ready again.
    pod: f64,
    /// Until the stack was ready again.
    stack: f64,
}

/// Kills the ingester of a stack that is ready.
pub async fn measure(real: &Real, stack: &ObservabilityStack) -> Result<Section, Error> {
    let mut all = Vec::new();
    for kill in 1..=KILLS {
        eprintln!("kill: {kill} of {KILLS}");
        let recovery = once(real, stack).await?;
        eprintln!("kill: {recovery:.1?}");
        all.push(recovery);
        if kill < KILLS {
            replace(real, &stack.metadata.namespace.clone().unwrap_or_default()).await?;
        }
    }
    let figure = |name: &str, value: fn(&Recovery) -> f64| {
        Figure::median(name, &all.iter().map(value).collect::<Vec<_>>(), " s")
    };
    Ok(Section {
        title: "Recovery: the only ingester of Mimir killed".to_owned(),
        how: "SIGKILL to the container of the ingester of dev (replication factor 1); then a write, and a query of what \
              was acknowledged before the kill, begin five times a second through the API server. Seconds from the \
              kill to the first success of those that began after the last one that failed or took 5 s."
            .to_owned(),
        figures: vec![
            figure("writes accepted again", |one| one.writes),
            figure("queries complete again", |one| one.queries),
            figure("pod ready again", |one| one.pod),
            figure("stack Ready again", |one| one.stack),
        ],
    })
}

async fn once(real: &Real, stack: &ObservabilityStack) -> Result<Recovery, Error> {
    let namespace = stack.metadata.namespace.clone().unwrap_or_default();
    let probes = real.samples.probes(stack)?;
    let missing = || Error::Format { what: "the stack".to_owned(), reason: "it keeps no metrics".to_owned() };
    let probe = probes.into_iter().find(|probe| probe.signal == Signal::Metrics).ok_or_else(missing)?;
    let path = DataPath::new(&real.cluster.client, probe);
    path.until_back(LIMIT).await?;
    let before = DataPath::mark();
    wait("a write is acknowledged", LIMIT, async || {
        Ok(if path.write(&before).await { Ok(()) } else { Err("it is refused".to_owned()) })
    })
    .await?;
    let Ingester { name, container, restarts, .. } = Ingester::find(real, &namespace).await?;
    let killed = Instant::now();
    real.sandbox.kill_container(&namespace, &name, &container, ContainerSignal::Kill)?;
    let (mut recovery, mut asked) = (Recovery::default(), JoinSet::new());
    let (mut writes, mut queries) = (Answers::default(), Answers::default());
    wait("the stack is as it was", LIMIT, async || {
        let seconds = killed.elapsed().as_secs_f64();
        for write in [true, false] {
            let (path, before) = (path.clone(), before.clone());
            asked.spawn(async move {
                let good =
                    if write { path.write(&DataPath::mark()).await } else { path.reads(&before).await };
                (write, seconds, good.then(|| killed.elapsed().as_secs_f64()))
            });
        }
        while let Some(answer) = asked.try_join_next() {
            match answer {
                Ok((true, began, ended)) => writes.note(began, ended),
                Ok((false, began, ended)) => queries.note(began, ended),
                Err(_) => {}
            }
        }
        let ready = Ingester::find(real, &namespace).await?.restarts.filter(|now| Some(*now) > restarts);
        if ready.is_none() {
            recovery.pod = seconds;
        }
        let now = real.cluster.stack(&namespace, STACK).await?;
        if ready.is_none() || !stacks::is_true(&now, ConditionType::Ready) {
            recovery.stack = seconds;
        }
        (recovery.writes, recovery.queries) = (writes.back(), queries.back());
        let last = writes.failed.max(queries.failed).max(recovery.stack);
        let calm = seconds - last > CALM.as_secs_f64();
        Ok(if calm { Ok(recovery) } else { Err(format!("{recovery:?}")) })
    })
    .await
}

/// What came of requests, in seconds since the kill.
#[derive(Debug, Default)]
struct Answers {
    /// When the last one began that failed.
    failed: f64,
    /// When those began and ended that succeeded.
    good: Vec<(f64, f64)>,
}

impl Answers {
    fn note(&mut self, began: f64, ended: Option<f64>) {
        match ended {
            Some(ended) => self.good.push((began, ended)),
            None => self.failed = self.failed.max(began),
        }
    }

    /// When the first one succeeded of those that began after the last failure.
    fn back(&self) -> f64 {
        let after = self.good.iter().filter(|(began, _)| *began > self.failed).map(|(_, ended)| *ended);
        after.min_by(f64::total_cmp).unwrap_or_default()
    }
}

/// A new pod: a container that ends for the second time is started later, and that is not what is measured.
async fn replace(real: &Real, namespace: &str) -> Result<(), Error> {
    let old = Ingester::find(real, namespace).await?;
    let deleted = Ingester::pods(real, namespace).delete(&old.name, &DeleteParams::default()).await;
    deleted.doing(|| format!("delete {} in {namespace}", old.name))?;
    wait("another ingester is ready", LIMIT, async || {
        let now = Ingester::find(real, namespace).await;
        let new = now.is_ok_and(|now| now.uid != old.uid && now.restarts.is_some());
        let stack = real.cluster.stack(namespace, STACK).await?;
        let ready = new && stacks::is_true(&stack, ConditionType::Ready);
        Ok(if ready { Ok(()) } else { Err("it is not".to_owned()) })
    })
    .await
}

/// The one ingester of Mimir.
struct Ingester {
    name: String,
    uid: String,
    container: String,
    /// How often it was started anew; nothing while it is not ready.
    restarts: Option<i32>,
}

impl Ingester {
    fn pods(real: &Real, namespace: &str) -> Api<Pod> {
        Api::namespaced(real.cluster.client.clone(), namespace)
    }

    async fn find(real: &Real, namespace: &str) -> Result<Self, Error> {
        let list = ListParams::default().labels(&format!("{}=metrics.ingester", labels::COMPONENT));
        let found = Self::pods(real, namespace).list(&list).await;
        let found = found.doing(|| format!("list the ingesters in {namespace}"))?;
        let one = found.items.into_iter().next().and_then(|pod| {
            let container = pod.spec?.containers.into_iter().next()?.name;
            let statuses = pod.status?.container_statuses.unwrap_or_default();
            let restarts = statuses.first().filter(|status| status.ready).map(|status| status.restart_count);
            Some(Self { name: pod.metadata.name?, uid: pod.metadata.uid?, container, restarts })
        });
        one.ok_or_else(|| Error::Format {
            what: format!("namespace {namespace}"),
            reason: "it has no ingester".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_with_the_first_success_that_no_failure_follows() {
        let back = |all: &[(f64, Option<f64>)]| {
            let mut answers = Answers::default();
            for (began, ended) in all {
                answers.note(*began, *ended);
            }
            format!("{:.1}", answers.back())
        };
        assert_eq!(back(&[(0.1, Some(0.2)), (0.3, None), (0.5, Some(4.5)), (0.7, Some(4.2))]), "4.2");
        assert_eq!(back(&[(0.1, Some(0.2)), (0.3, Some(0.4))]), "0.2");
        assert_eq!(back(&[(0.1, Some(0.2)), (0.3, None)]), "0.0");
    }
}
