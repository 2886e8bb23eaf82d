//! What the canary costs the operator: one stack that is real, and many whose doors are stood in for.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use obstack_api::{Canary, ConditionType, ObservabilityStack, Signal};
use serde_json::json;

use super::{Real, leader::Leader, stacks, stand_in::StandIn};
use crate::{
    audit::Audit,
    cluster::wait,
    error::{Doing, Error},
    measure::idle,
    procfs::Memory,
    report::{Figure, Section},
    samples::STACK,
    stats::number,
};

const PARALLEL: usize = 4;
const MIB: f64 = 1024.0 * 1024.0;
/// After a change, until the operator is at rest.
const REST: Duration = Duration::from_secs(10);

/// What the operator did while nothing changed.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Thousandths of a core.
    cpu: f64,
    memory: Memory,
    requests: usize,
    missed: f64,
}

/// With the canary of one real stack, and then without it.
pub async fn of_one(real: &Real, time: Duration) -> Result<Section, Error> {
    let namespaces = [super::NAMESPACE.to_owned()];
    let with = window(real, time).await?;
    set_canary(real, &namespaces, &off()).await?;
    let without = window(real, time).await?;
    let what = format!("dev on real pods, {} signals in a round", real.signals.len());
    Ok(section("The canary of 1 real stack", 1, &what, (without, with), time))
}

/// Without canaries of many simulated stacks, and then with them.
pub async fn of_many(real: &Real, count: u32, time: Duration) -> Result<Section, Error> {
    eprintln!("canary: {count} stacks on simulated pods");
    let namespaces: Vec<String> = (0..count).map(|index| format!("bench-many-{index:03}")).collect();
    let make = async |namespace: &String| {
        real.make_namespace(namespace).await?;
        real.cluster.make_stack(&stacks::simulated(real, namespace)?).await
    };
    stream::iter(&namespaces).map(make).buffer_unordered(PARALLEL).try_collect::<()>().await?;
    let limit = Duration::from_secs(120 + 10 * u64::from(count));
    until_all(real, &namespaces, ConditionType::Ready, limit).await?;
    let _stand_in = StandIn::begin(&real.sandbox, &addresses(real, &namespaces).await?)?;
    let without = window(real, time).await?;
    set_canary(real, &namespaces, &stacks::canary(&[Signal::Metrics])).await?;
    until_all(real, &namespaces, ConditionType::DataPathVerified, limit).await?;
    let with = window(real, time).await?;
    let what = "Mimir of dev on simulated pods, which do not answer: a stand-in in the bench answers at their addresses";
    let title = format!("The canaries of {count} stacks, with a stand-in for their doors");
    Ok(section(&title, count, what, (without, with), time))
}

async fn window(real: &Real, time: Duration) -> Result<Window, Error> {
    tokio::time::sleep(REST).await;
    let leader = Leader::find(&real.cluster).await?;
    let mut audit = Audit::from_now(real.sandbox.audit_log.clone())?;
    let missed = || leader.metric("obstack_canary_failures_total", "");
    let (cpu, before) = (leader.cpu()?, missed()?);
    tokio::time::sleep(time).await;
    let cpu = leader.cpu()?.since(cpu).seconds();
    let window = Window {
        cpu: cpu * 1000.0 / time.as_secs_f64(),
        memory: leader.memory()?,
        requests: idle::of_operator(audit.look()?).len(),
        missed: missed()? - before,
    };
    eprintln!("canary: {window:?}");
    Ok(window)
}

fn off() -> Canary {
    Canary { enabled: Some(false), ..Canary::default() }
}

async fn set_canary(real: &Real, namespaces: &[String], canary: &Canary) -> Result<(), Error> {
    let change = json!({"spec": {"canary": canary}});
    for namespace in namespaces {
        let stacks = real.cluster.stacks(namespace);
        let patched = stacks.patch(STACK, &PatchParams::default(), &Patch::Merge(&change)).await;
        patched.doing(|| format!("change the canary in {namespace}"))?;
    }
    Ok(())
}

async fn until_all(
    real: &Real,
    namespaces: &[String],
    condition: ConditionType,
    limit: Duration,
) -> Result<(), Error> {
    let stacks: Api<ObservabilityStack> = Api::all(real.cluster.client.clone());
    wait(&format!("{} stacks have {condition}", namespaces.len()), limit, async || {
        let list = stacks.list(&ListParams::default()).await.doing(|| "list stacks".to_owned())?;
        let so = list.items.iter().filter(|stack| stacks::is_true(stack, condition)).count();
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(if so >= namespaces.len() { Ok(()) } else { Err(format!("{so} have")) })
    })
    .await
}

async fn addresses(real: &Real, namespaces: &[String]) -> Result<BTreeSet<Ipv4Addr>, Error> {
    let pods: Api<Pod> = Api::all(real.cluster.client.clone());
    let list = pods.list(&ListParams::default()).await.doing(|| "list pods".to_owned())?;
    let ours = list.items.into_iter().filter(|pod| {
        pod.metadata.namespace.as_ref().is_some_and(|namespace| namespaces.contains(namespace))
    });
    Ok(ours.filter_map(|pod| pod.status?.pod_ip?.parse().ok()).collect())
}

fn section(
    title: &str,
    stacks: u32,
    what: &str,
    (without, with): (Window, Window),
    time: Duration,
) -> Section {
    let memory = |window: &Window| number(window.memory.rss) / MIB;
    let rounds = f64::from(stacks) * time.as_secs_f64() / stacks::SECONDS;
    let each = (with.cpu - without.cpu) * time.as_secs_f64() / rounds;
    Section {
        title: title.to_owned(),
        how: format!(
            "{what}; {} s without a canary and as long with one every {}, after everything is at rest. The pod that \
             leads; its requests to the API server by the audit log, but for the Lease and watches.",
            time.as_secs(),
            stacks::INTERVAL
        ),
        figures: vec![
            Figure::one("rounds, by the interval", rounds, ""),
            Figure::one("rounds that missed", with.missed, ""),
            Figure::one("processor, without", without.cpu, " mCPU"),
            Figure::one("processor, with", with.cpu, " mCPU"),
            Figure::one("processor time of a round", each, " ms"),
            Figure::one("RSS, without", memory(&without), " MiB"),
            Figure::one("RSS, with", memory(&with), " MiB"),
            Figure::one("requests to the API server, without", number(without.requests as u64), ""),
            Figure::one("requests to the API server, with", number(with.requests as u64), ""),
        ],
    }
}
