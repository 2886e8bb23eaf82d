//! Deleted Services: how soon they are back.

use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api,
    api::{DeleteParams, ListParams, PartialObjectMeta, Patch, PatchParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use obstack_api::labels;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fleet::Fleet;
use crate::{
    error::{Doing, Error},
    report::{Figure, Goal, Section},
    stats::ratios,
    world::World,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Deletions that do not count.
const WARM: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// The Service that the bench itself brings back.
const OWN: &str = "bench-own";

/// An object came, or went.
struct Seen {
    name: String,
    gone: bool,
    at: Instant,
}

/// Deletes a Service of a stack, and in turns one of the bench that the bench brings back itself.
pub async fn measure(world: &World, fleet: &Fleet, times: u32) -> Result<Section, Error> {
    let namespace = Fleet::namespace(0);
    let services: Api<Service> = Api::namespaced(world.cluster.client.clone(), &namespace);
    let ours = ListParams::default().labels(labels::STACK);
    let list = services.list_metadata(&ours).await.doing(|| "list Services".to_owned())?;
    let names: Vec<String> = list.items.into_iter().filter_map(|service| service.metadata.name).collect();
    eprintln!("drift: {} stacks, {times} deletions of {} Services in turn", fleet.size(), names.len());
    let own = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": OWN},
        "spec": {"selector": {"app": OWN}, "ports": [{"name": "http", "port": 80}]},
    });
    apply(&services, &own).await?;
    let mut seen = observe(&services);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut repairs, mut floors) = (Vec::new(), Vec::new());
    for (round, name) in (0..WARM + times).zip(names.iter().cycle()) {
        let repair = deleted(&services, &mut seen, name, None).await?;
        tokio::time::sleep(PAUSE).await;
        let floor = deleted(&services, &mut seen, OWN, Some(&own)).await?;
        tokio::time::sleep(PAUSE).await;
        if round >= WARM {
            repairs.push(repair);
            floors.push(floor);
        }
    }
    Ok(Section {
        title: format!("Drift: a deleted Service comes back, with {} stacks", fleet.size()),
        how: "From the watch event of its deletion to that of its return, both seen by an observer of its own. The \
              bare client is the observer itself, which applies a Service of its own as soon as it sees it deleted."
            .to_owned(),
        figures: vec![
            Figure::percentile("operator", &repairs, 50, " ms").goal(Goal::AtMost(10.0)),
            Figure::percentile("operator", &repairs, 99, " ms").goal(Goal::AtMost(50.0)),
            Figure::percentile("operator", &repairs, 100, " ms"),
            Figure::percentile("bare client", &floors, 50, " ms"),
            Figure::percentile("bare client", &floors, 99, " ms"),
            Figure::median("operator / bare client", &ratios(&repairs, &floors), "x"),
        ],
    })
}

/// Deletes a Service and returns the milliseconds until it is back; applies it when it is ours.
async fn deleted(
    services: &Api<Service>,
    seen: &mut mpsc::UnboundedReceiver<Seen>,
    name: &str,
    own: Option<&Value>,
) -> Result<f64, Error> {
    while seen.try_recv().is_ok() {}
    services.delete(name, &DeleteParams::default()).await.doing(|| format!("delete Service {name}"))?;
    let gone = next(seen, name, true).await?;
    if let Some(own) = own {
        apply(services, own).await?;
    }
    let back = next(seen, name, false).await?;
    Ok(back.duration_since(gone).as_secs_f64() * 1000.0)
}

async fn apply(services: &Api<Service>, service: &Value) -> Result<(), Error> {
    let applied = services.patch(OWN, &PatchParams::apply("bench"), &Patch::Apply(service)).await;
    applied.doing(|| format!("apply Service {OWN}")).map(drop)
}

async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>, name: &str, gone: bool) -> Result<Instant, Error> {
    let found = async {
        while let Some(one) = seen.recv().await {
            if one.name == name && one.gone == gone {
                return Some(one.at);
            }
        }
        None
    };
    let too_late = || Error::TooLate {
        what: format!("Service {name} {}", if gone { "is deleted" } else { "is back" }),
        seconds: LIMIT.as_secs(),
        last: "no such event".to_owned(),
    };
    tokio::time::timeout(LIMIT, found).await.ok().flatten().ok_or_else(too_late)
}

/// Watches Services and notes when each came or went.
fn observe(services: &Api<Service>) -> mpsc::UnboundedReceiver<Seen> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let namespace = services.namespace().unwrap_or_default().to_owned();
    let api: Api<PartialObjectMeta<Service>> = Api::namespaced(services.clone().into_client(), &namespace);
    tokio::spawn(async move {
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            let at = Instant::now();
            let (object, gone) = match event {
                Ok(Event::Apply(object)) => (object, false),
                Ok(Event::Delete(object)) => (object, true),
                Ok(_) | Err(_) => continue,
            };
            let name = object.metadata.name.unwrap_or_default();
            if sender.send(Seen { name, gone, at }).is_err() {
                return;
            }
        }
    });
    receiver
}
