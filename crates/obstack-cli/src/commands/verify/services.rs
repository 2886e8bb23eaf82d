//! The Services: whether pods stand behind them, whether these say that they are ready, and how the rings stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    core::v1::Service,
    discovery::v1::EndpointSlice,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use obstack_api::{ConditionType, Reason, labels};
use obstack_core::{
    design::Blueprint,
    reach::{Door, Reply, Silence},
    rings::{self, RingHealth, Verdict, Why},
    valid::ValidStack,
};
use obstack_engine::{
    cluster::{ClusterError, bounded},
    context::ClientHandle,
    reach::{Ask, Way, ask_once},
    rings::ask_once as ask_rings,
};

use super::{
    check::{Check, Id, named},
    pods::holds,
    scene::{Scene, refused},
};
use crate::told::plural;

/// On an `EndpointSlice`: its Service.
const OF_SERVICE: &str = "kubernetes.io/service-name";
/// Where Tempo and Mimir say that they are ready.
const READY: &str = "/ready";
/// Longest time that a ready page may take, as with the rings.
const DEADLINE: Duration = obstack_engine::rings::REQUEST_DEADLINE;
/// Bytes of a ready page.
const LARGEST: usize = 4 << 10;

/// What to do about a door that answers, but not as it should.
const NOT_READY: &str =
    "a backend that starts needs up to a minute; after that, the logs of its pods say what it waits for";

type Labels = BTreeMap<String, String>;

/// Each Service has a ready endpoint.
pub async fn endpoints(scene: &Scene) -> Vec<Check> {
    let namespace = scene.key.namespace.as_str();
    let client = &scene.cluster.client;
    let ours = ListParams::default().labels(&format!("{}={}", labels::STACK, scene.key.label()));
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_services = ListParams::default().labels(OF_SERVICE);
    let (services, slices) = futures::join!(
        bounded(|| format!("list services in namespace {namespace}"), services.list(&ours)),
        bounded(
            || format!("list endpointslices.discovery.k8s.io in namespace {namespace}"),
            slices.list(&of_services)
        ),
    );
    let (services, slices) = match (services, slices) {
        (Ok(services), Ok(slices)) => (services.items, slices.items),
        (Err(error), _) | (_, Err(error)) => return vec![Id::Endpoints.unknown(refused(&error))],
    };
    let idle = if without_endpoint(&services, &slices).is_empty() {
        Vec::new()
    } else {
        idle(scene, &ours).await.unwrap_or_default()
    };
    judge_endpoints(&services, &slices, &idle)
}

/// Labels of the pods of workloads that are to have none.
async fn idle(scene: &Scene, ours: &ListParams) -> Result<Vec<Labels>, ClusterError> {
    let (client, namespace) = (&scene.cluster.client, scene.key.namespace.as_str());
    let what = |kind: &str| format!("list {kind} in namespace {namespace}");
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let daemons: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
    let sets = bounded(|| what("statefulsets"), sets.list(ours)).await?;
    let deployments = bounded(|| what("deployments"), deployments.list(ours)).await?;
    let daemons = bounded(|| what("daemonsets"), daemons.list(ours)).await?;
    let sets = sets.items.into_iter().filter_map(|set| set.spec);
    let sets = sets.filter(|spec| spec.replicas == Some(0)).map(|spec| spec.template);
    let deployments = deployments.items.into_iter().filter_map(|one| one.spec);
    let deployments = deployments.filter(|spec| spec.replicas == Some(0)).map(|spec| spec.template);
    let nodes =
        |set: &DaemonSet| set.status.as_ref().is_some_and(|status| status.desired_number_scheduled > 0);
    let daemons = daemons.items.into_iter().filter(|set| !nodes(set)).filter_map(|set| set.spec);
    let templates = sets.chain(deployments).chain(daemons.map(|spec| spec.template));
    Ok(templates.filter_map(|template| template.metadata?.labels).collect())
}

fn selector(service: &Service) -> Option<&Labels> {
    service.spec.as_ref()?.selector.as_ref().filter(|selector| !selector.is_empty())
}

/// Services that select pods and have no ready endpoint.
fn without_endpoint<'a>(services: &'a [Service], slices: &[EndpointSlice]) -> Vec<&'a Service> {
    let ready = |slice: &&EndpointSlice| {
        let endpoints = &slice.endpoints;
        endpoints.iter().any(|one| one.conditions.as_ref().and_then(|it| it.ready).unwrap_or(true))
    };
    let of = |slice: &EndpointSlice| slice.labels().get(OF_SERVICE).cloned();
    let ready: BTreeSet<String> = slices.iter().filter(ready).filter_map(of).collect();
    services.iter().filter(|one| selector(one).is_some() && !ready.contains(&one.name_any())).collect()
}

fn judge_endpoints(services: &[Service], slices: &[EndpointSlice], idle: &[Labels]) -> Vec<Check> {
    let selecting = services.iter().filter(|service| selector(service).is_some()).count();
    if selecting == 0 {
        return vec![Id::Endpoints.failed("the stack has no Service").because(Reason::NoReadyReplicas)];
    }
    let selects = |service: &Service, pods: &Labels| {
        selector(service)
            .is_some_and(|selector| selector.iter().all(|(key, value)| pods.get(key) == Some(value)))
    };
    let mut bare = without_endpoint(services, slices);
    // What is to have no pods has no endpoint.
    bare.retain(|service| !idle.iter().any(|pods| selects(service, pods)));
    let mut checks: Vec<_> = bare
        .iter()
        .map(|service| {
            Id::Endpoints
                .failed(format!("Service {} has no ready endpoint", service.name_any()))
                .because(Reason::NoReadyReplicas)
        })
        .collect();
    let good = selecting.saturating_sub(bare.len());
    if good > 0 {
        let (verb, good) = (if good == 1 { "has" } else { "have" }, plural(good, "Service"));
        checks.insert(
            0,
            Id::Endpoints.passed(format!("{good} {verb} a ready endpoint, as far as pods are wanted")),
        );
    }
    checks
}

/// Where each backend says that it is ready.
fn ready_doors(valid: &ValidStack, blueprint: &Blueprint) -> Vec<Door> {
    let pages = rings::of(valid);
    let pages = pages.iter().map(|page| Door {
        service: page.service.clone(),
        namespace: page.namespace.clone(),
        port: page.port,
    });
    let endpoints = &blueprint.report.endpoints;
    let queries = [&endpoints.traces_query, &endpoints.metrics_query];
    let queries = queries.into_iter().flatten().filter_map(|url| Some(Door::of_url(url)?.0));
    // A gateway is another program, and has no such page.
    let queries = queries.filter(|door| door.port != 80);
    let mut doors: Vec<Door> = pages.chain(queries).collect();
    doors.sort_by(|a, b| (&a.service, a.port).cmp(&(&b.service, b.port)));
    doors.dedup();
    doors
}

/// Each backend says that it is ready, asked through the API server.
pub async fn doors(scene: &Scene) -> Vec<Check> {
    let (valid, blueprint) = match scene.valid(Id::Doors) {
        Ok(valid) => valid,
        Err(check) => return vec![check],
    };
    let one = async |door: Door| {
        let ask = Ask { door: &door, path: READY, body: None, limit: LARGEST, deadline: DEADLINE };
        let answer = ask_once(way(scene), &ask).await;
        (door, answer.unwrap_or(Err(Silence::TimedOut)))
    };
    let answers = join_all(ready_doors(valid, blueprint).into_iter().map(one)).await;
    let reaches = holds(scene, ConditionType::RingsHealthy);
    judge_doors(&answers, reaches.then(|| scene.last_word(ConditionType::RingsHealthy)).as_deref())
}

/// The way through the API server.
pub fn way(scene: &Scene) -> Way {
    Way::Proxy(ClientHandle(scene.cluster.client.clone()))
}

/// `reaches` is what the operator says when it reaches the backends itself: then it is the API server that does not.
fn judge_doors(answers: &[(Door, Result<Reply, Silence>)], reaches: Option<&str>) -> Vec<Check> {
    let mut good = Vec::new();
    let mut checks = Vec::new();
    let mut forbidden = None;
    for (door, answer) in answers {
        let Door { service, namespace, port } = door;
        let at = format!("Service {service} port {port}");
        match answer {
            Ok(Reply { status: 200, .. }) => good.push(service.clone()),
            Ok(Reply { status, body }) => {
                let words = String::from_utf8_lossy(body);
                let words =
                    words.lines().next().map(|line| format!(" ({})", line.trim())).unwrap_or_default();
                let said = format!("{at} answered {status} to GET {READY}{words}");
                checks.push(Id::Doors.failed(said).because(Reason::ComponentsNotReady).fix(NOT_READY));
            }
            Err(Silence::Forbidden) => forbidden = Some(no_proxy_right(Id::Doors, namespace)),
            Err(silence) => {
                let why = match silence {
                    Silence::TimedOut => "did not answer in time".to_owned(),
                    Silence::Unreachable { cause } => format!("was not reached ({cause})"),
                    _ => format!("did not answer GET {READY} as a backend does"),
                };
                checks.push(unreached(Id::Doors, &format!("{at} {why}"), reaches));
            }
        }
    }
    if !good.is_empty() {
        let text = format!("{} say that they are ready: {}", plural(good.len(), "door"), named(good));
        checks.insert(0, Id::Doors.passed(text));
    }
    checks.extend(forbidden);
    checks
}

/// A door that was not reached through the API server. Where the operator reaches it, its own way is another one.
fn unreached(id: Id, what: &str, reaches: Option<&str>) -> Check {
    match reaches {
        Some(word) => id.unknown(format!("{what} through the API server; {word}")),
        None => id
            .failed(format!("{what} through the API server"))
            .because(Reason::RingsUnknown)
            .fix("see whether its pods answer, and whether a NetworkPolicy lets the API server through"),
    }
}

/// The right that is missing to go through the API server.
pub fn no_proxy_right(id: Id, namespace: &str) -> Check {
    id.unknown(format!("no right to get services/proxy in namespace {namespace}"))
}

/// How the backends' rings stand, read through the API server.
pub async fn rings(scene: &Scene) -> Vec<Check> {
    let (valid, _) = match scene.valid(Id::Rings) {
        Ok(valid) => valid,
        Err(check) => return vec![check],
    };
    let health = ask_rings(way(scene), &rings::of(valid)).await;
    let reaches = holds(scene, ConditionType::RingsHealthy);
    judge_rings(&health, reaches.then(|| scene.last_word(ConditionType::RingsHealthy)).as_deref())
}

fn judge_rings(rings: &[RingHealth], reaches: Option<&str>) -> Vec<Check> {
    let mut good = Vec::new();
    let mut checks = Vec::new();
    let mut forbidden = None;
    for ring in rings {
        let name = ring.asked.component.clone();
        let message = ring.message();
        match &ring.verdict {
            Verdict::Healthy { .. } => good.push(name),
            Verdict::QuorumLost { .. } => checks.push(Id::Rings.failed(message).because(ring.reason())),
            Verdict::Unknown(Why::Forbidden) => {
                forbidden = Some(no_proxy_right(Id::Rings, &ring.asked.namespace));
            }
            Verdict::Unknown(Why::TimedOut | Why::Unreachable { .. }) => {
                checks.push(unreached(Id::Rings, message.trim_end_matches('.'), reaches));
            }
            Verdict::Unknown(Why::Answered { .. }) => {
                checks.push(Id::Rings.failed(message).because(ring.reason()).fix(NOT_READY));
            }
            Verdict::Unhealthy(_) | Verdict::Unknown(_) => {
                checks.push(Id::Rings.warns(message).because(ring.reason()));
            }
        }
    }
    if !good.is_empty() {
        let text = format!("every member is active in {}: {}", plural(good.len(), "ring"), named(good));
        checks.insert(0, Id::Rings.passed(text));
    }
    checks.extend(forbidden);
    checks
}

#[cfg(test)]
mod tests {
    use obstack_core::rings::{Expected, QuorumRule, RingToAsk};
    use serde_json::{from_value, json};

    use super::*;
    use crate::commands::verify::check::Outcome;

    fn service(name: &str, app: Option<&str>) -> Service {
        let selector = app.map(|app| json!({"app": app}));
        from_value(json!({"metadata": {"name": name}, "spec": {"selector": selector}})).unwrap()
    }

    fn slice(service: &str, ready: &[Option<bool>]) -> EndpointSlice {
        let endpoints: Vec<_> =
            ready.iter().map(|ready| json!({"addresses": ["1"], "conditions": {"ready": ready}})).collect();
        from_value(json!({
            "metadata": {"name": service, "labels": {OF_SERVICE: service}},
            "addressType": "IPv4", "endpoints": endpoints, "ports": [],
        }))
        .unwrap()
    }

    fn said(checks: &[Check]) -> Vec<(Outcome, &str)> {
        checks.iter().map(|check| (check.result, check.message.as_str())).collect()
    }

    #[test]
    fn a_service_needs_a_ready_endpoint_where_pods_are_wanted() {
        let services =
            [service("a", Some("a")), service("b", Some("b")), service("c", Some("c")), service("d", None)];
        let slices = [slice("a", &[Some(false), None]), slice("b", &[Some(false)])];
        let idle = [[("app".to_owned(), "c".to_owned())].into()];
        assert_eq!(
            said(&judge_endpoints(&services, &slices, &idle)),
            [
                (Outcome::Passed, "2 Services have a ready endpoint, as far as pods are wanted"),
                (Outcome::Failed, "Service b has no ready endpoint"),
            ]
        );
    }

    #[test]
    fn a_door_that_does_not_answer_fails_unless_the_operator_gets_through() {
        let door = Door { service: "a".into(), namespace: "ns".into(), port: 3200 };
        let check = |answer, reaches| judge_doors(&[(door.clone(), answer)], reaches).remove(0);
        let reply = |status| Ok(Reply { status, body: b"Ingester not ready: starting\nmore".to_vec() });
        assert_eq!(check(reply(200), None).result, Outcome::Passed);
        let starting = check(reply(503), None);
        assert_eq!(starting.result, Outcome::Failed);
        assert_eq!(
            starting.message,
            "Service a port 3200 answered 503 to GET /ready (Ingester not ready: starting)"
        );
        assert_eq!(check(Err(Silence::TimedOut), None).result, Outcome::Failed);
        assert_eq!(check(Err(Silence::TimedOut), Some("it reads them")).result, Outcome::Unknown);
        let forbidden = check(Err(Silence::Forbidden), None);
        assert_eq!(
            (forbidden.result, forbidden.message.as_str()),
            (Outcome::Unknown, "no right to get services/proxy in namespace ns")
        );
    }

    #[test]
    fn a_ring_without_quorum_fails_and_a_sick_member_warns() {
        let ring = |verdict| RingHealth {
            asked: RingToAsk {
                component: "metrics.ingester".into(),
                service: "a-distributor".into(),
                namespace: "ns".into(),
                port: 8080,
                path: "/ingester/ring".into(),
                expected: Expected::Ring {
                    members: 3,
                    replication_factor: 3,
                    rule: QuorumRule::Majority,
                    heartbeat_timeout: None,
                },
            },
            verdict,
        };
        let trouble = rings::Trouble { active: 2, members: 3, missing: 1, ..rings::Trouble::default() };
        let check = |verdict| judge_rings(&[ring(verdict)], None).remove(0).result;
        assert_eq!(check(Verdict::Healthy { members: 3 }), Outcome::Passed);
        assert_eq!(check(Verdict::Unhealthy(trouble.clone())), Outcome::Warning);
        assert_eq!(check(Verdict::QuorumLost { trouble, left: 1, needed: 2 }), Outcome::Failed);
        assert_eq!(check(Verdict::Unknown(Why::TimedOut)), Outcome::Failed);
        assert_eq!(check(Verdict::Unknown(Why::Forbidden)), Outcome::Unknown);
        assert_eq!(check(Verdict::Unknown(Why::NotJson)), Outcome::Warning);
    }
}
