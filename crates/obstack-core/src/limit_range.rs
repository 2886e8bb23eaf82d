//! What the API server makes of a pod, or refuses, because of `LimitRange`s: a simulation of its defaulting
//! (`pkg/apis/core/v1/defaults.go`) and of the admission plugin `LimitRanger`
//! (`plugin/pkg/admission/limitranger/admission.go`) of Kubernetes 1.36.
//!
//! Where two ranges give different defaults for one resource, the API server takes either of them. Here the one whose
//! name comes first wins, so that the same facts always say the same.

use crate::{
    live::{LimitRangeFacts, LimitRule},
    need::{ClaimNeed, PodNeed, Resources, Runs},
    quantity::Amount,
};

/// A pod as it is after admission, or why it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The pod with the requests and limits it ends up with.
    pub need: PodNeed,
    /// What the ranges set, in the order of ranges and then of containers.
    pub set: Vec<SetByRange>,
    /// Why the pod is refused: ranges, containers and amounts.
    pub refused: Option<String>,
}

/// A request or limit that a `LimitRange` sets on a container that says none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetByRange {
    /// Name of the container.
    pub container: String,
    /// What, such as `limits.cpu` or `requests.memory`.
    pub what: String,
    /// How much.
    pub amount: Amount,
    /// Name of the `LimitRange`.
    pub by: String,
}

/// A pod as it is after admission.
pub fn apply(need: &PodNeed, ranges: &[LimitRangeFacts]) -> Admitted {
    let ranges = in_order(ranges);
    let mut need = need.clone();
    let mut set = Vec::new();
    requests_from_limits(&mut need);
    for range in &ranges {
        fill_in(range, &mut need, &mut set);
    }
    let mut refused = limits_below_requests(&need, &set);
    refused.extend(more_than_the_pod(&need));
    for range in &ranges {
        refused.extend(
            faults(range, &need).into_iter().map(|fault| format!("LimitRange {}: {fault}", range.name)),
        );
    }
    Admitted { need, set, refused: joined(&refused) }
}

/// Why a volume claim is refused, if it is.
pub fn refuses_claim(claim: &ClaimNeed, ranges: &[LimitRangeFacts]) -> Option<String> {
    let requests = Resources::from([("storage".to_owned(), claim.size)]);
    let what = format!("claim {}", claim.name);
    let mut refused = Vec::new();
    for range in in_order(ranges) {
        for rule in range.rules.iter().filter(|rule| rule.kind == "PersistentVolumeClaim") {
            let too_small = below(&what, &rule.min, &requests, &Resources::new());
            // A claim's limits mean nothing: its request is held against the largest too.
            let too_large = requests_above(&what, &rule.max, &requests);
            refused.extend(
                too_small
                    .into_iter()
                    .chain(too_large)
                    .map(|fault| format!("LimitRange {}: {fault}", range.name)),
            );
        }
    }
    joined(&refused)
}

fn in_order(ranges: &[LimitRangeFacts]) -> Vec<&LimitRangeFacts> {
    let mut ranges: Vec<_> = ranges.iter().collect();
    ranges.sort_by(|a, b| a.name.cmp(&b.name));
    ranges
}

fn joined(faults: &[String]) -> Option<String> {
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// The API server gives a container with a limit and no request a request of the same amount (`SetDefaults_Pod`), and
/// a pod with limits as a whole requests as a whole (`defaultPodRequests`). It does so before ranges come in.
fn requests_from_limits(need: &mut PodNeed) {
    for container in &mut need.containers {
        fill(&mut container.requests, &container.limits);
    }
    if !need.pod_limits.is_empty() {
        let containers = need.requests_of_containers();
        let shared = containers.into_iter().filter(|(resource, _)| resource == "cpu" || resource == "memory");
        fill(&mut need.pod_requests, &shared.collect());
        fill(&mut need.pod_requests, &need.pod_limits);
    }
}

/// Gives containers what they do not say themselves.
fn fill_in(range: &LimitRangeFacts, need: &mut PodNeed, set: &mut Vec<SetByRange>) {
    for rule in range.rules.iter().filter(|rule| rule.kind == "Container") {
        let (requests, limits) = defaults(rule);
        for container in &mut need.containers {
            let both = [
                ("limits", &limits, &mut container.limits),
                ("requests", &requests, &mut container.requests),
            ];
            for (kind, defaults, own) in both {
                for (resource, amount) in defaults.iter().filter(|(resource, _)| !own.contains_key(*resource))
                {
                    set.push(SetByRange {
                        container: container.name.clone(),
                        what: format!("{kind}.{resource}"),
                        amount: *amount,
                        by: range.name.clone(),
                    });
                }
                fill(own, defaults);
            }
        }
    }
}

/// Default requests and limits of a rule. A live one is completed already; one as it was written is not
/// (`SetDefaults_LimitRangeItem`): the largest limit is the default limit, and that the default request.
fn defaults(rule: &LimitRule) -> (Resources, Resources) {
    let mut limits = rule.default.clone();
    fill(&mut limits, &rule.max);
    let mut requests = rule.default_request.clone();
    fill(&mut requests, &limits);
    fill(&mut requests, &rule.min);
    (requests, limits)
}

fn fill(own: &mut Resources, defaults: &Resources) {
    for (resource, amount) in defaults {
        own.entry(resource.clone()).or_insert(*amount);
    }
}

/// A default limit below a request of the container's own: no such pod is valid.
fn limits_below_requests(need: &PodNeed, set: &[SetByRange]) -> Vec<String> {
    let mut faults = Vec::new();
    for container in &need.containers {
        for (resource, limit) in &container.limits {
            let Some(request) = container.requests.get(resource).filter(|request| *request > limit) else {
                continue;
            };
            let kinds = [format!("limits.{resource}"), format!("requests.{resource}")];
            let by = set.iter().find(|one| one.container == container.name && kinds.contains(&one.what));
            let by = by.map(|one| format!("LimitRange {}: ", one.by)).unwrap_or_default();
            faults.push(format!(
                "{by}container {} requests {} {resource} and gets a limit of {}",
                container.name,
                request.of_resource(resource),
                limit.of_resource(resource)
            ));
        }
    }
    faults
}

/// Defaults of containers beyond what the pod as a whole has (`validatePodResourceConsistency`).
fn more_than_the_pod(need: &PodNeed) -> Vec<String> {
    let mut faults = Vec::new();
    let containers = need.requests_of_containers();
    for (resource, whole) in &need.pod_requests {
        let Some(together) = containers.get(resource).filter(|together| *together > whole) else { continue };
        let (together, whole) = (together.of_resource(resource), whole.of_resource(resource));
        faults.push(format!(
            "the containers request {together} {resource} together, the pod as a whole {whole}"
        ));
    }
    for container in need.containers.iter().filter(|container| container.runs == Runs::Main) {
        for (resource, whole) in &need.pod_limits {
            let Some(limit) = container.limits.get(resource).filter(|limit| *limit > whole) else { continue };
            faults.push(format!(
                "container {} has a limit of {} {resource}, the pod as a whole {}",
                container.name,
                limit.of_resource(resource),
                whole.of_resource(resource)
            ));
        }
    }
    faults
}

/// Why a range refuses a pod.
fn faults(range: &LimitRangeFacts, need: &PodNeed) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in &range.rules {
        match rule.kind.as_str() {
            "Container" => {
                for container in &need.containers {
                    let what = format!("container {}", container.name);
                    faults.extend(against(rule, &what, &container.requests, &container.limits));
                }
            }
            "Pod" => {
                // Without the runtime's overhead: `LimitRanger` does not count it.
                let mut requests = need.requests_of_containers();
                requests.extend(need.pod_requests.clone());
                let mut limits = need.limits_of_containers();
                limits.extend(need.pod_limits.clone());
                faults.extend(against(rule, "the pod", &requests, &limits));
            }
            _ => {}
        }
    }
    faults
}

fn against(rule: &LimitRule, what: &str, requests: &Resources, limits: &Resources) -> Vec<String> {
    let mut faults = below(what, &rule.min, requests, limits);
    faults.extend(above(what, &rule.max, requests, limits));
    faults.extend(too_far_apart(what, &rule.max_ratio, requests, limits));
    faults
}

/// `minConstraint`.
fn below(what: &str, min: &Resources, requests: &Resources, limits: &Resources) -> Vec<String> {
    let mut faults = Vec::new();
    for (resource, least) in min {
        let say = |amount: &Amount| amount.of_resource(resource);
        match (requests.get(resource), limits.get(resource)) {
            (None, _) => faults.push(format!("{what} requests no {resource}, the least is {}", say(least))),
            (Some(request), _) if request < least => {
                faults.push(format!(
                    "{what} requests {} {resource}, the least is {}",
                    say(request),
                    say(least)
                ));
            }
            (_, Some(limit)) if limit < least => {
                faults.push(format!(
                    "{what} has a limit of {} {resource}, the least is {}",
                    say(limit),
                    say(least)
                ));
            }
            _ => {}
        }
    }
    faults
}

/// `maxConstraint`: where there is a largest amount, a limit must be set.
fn above(what: &str, max: &Resources, requests: &Resources, limits: &Resources) -> Vec<String> {
    let mut faults = Vec::new();
    for (resource, most) in max {
        let say = |amount: &Amount| amount.of_resource(resource);
        match limits.get(resource) {
            None => faults.push(format!("{what} has no {resource} limit, the most is {}", say(most))),
            Some(limit) if limit > most => {
                faults.push(format!(
                    "{what} has a limit of {} {resource}, the most is {}",
                    say(limit),
                    say(most)
                ));
            }
            Some(_) => faults
                .extend(requests.get(resource).and_then(|own| request_above(what, resource, *own, *most))),
        }
    }
    faults
}

/// `maxRequestConstraint`, for what has no limits.
fn requests_above(what: &str, max: &Resources, requests: &Resources) -> Vec<String> {
    let fault = |(resource, most): (&String, &Amount)| match requests.get(resource) {
        None => Some(format!("{what} requests no {resource}, the most is {}", most.of_resource(resource))),
        Some(own) => request_above(what, resource, *own, *most),
    };
    max.iter().filter_map(fault).collect()
}

fn request_above(what: &str, resource: &str, own: Amount, most: Amount) -> Option<String> {
    let (request, limit) = (own.of_resource(resource), most.of_resource(resource));
    (own > most).then(|| format!("{what} requests {request} {resource}, the most is {limit}"))
}

/// `limitRequestRatioConstraint`: both must be set, and neither may be nothing.
fn too_far_apart(what: &str, ratios: &Resources, requests: &Resources, limits: &Resources) -> Vec<String> {
    let mut faults = Vec::new();
    for (resource, ratio) in ratios {
        let set =
            |amounts: &Resources| amounts.get(resource).copied().filter(|amount| *amount > Amount::ZERO);
        let times = ratio.of_resource("count");
        match (set(requests), set(limits)) {
            (Some(request), Some(limit)) if !limit.exceeds_ratio(request, *ratio) => {}
            (Some(request), Some(limit)) => faults.push(format!(
                "{what} has a limit of {} {resource} for a request of {}, at most {times} times is allowed",
                limit.of_resource(resource),
                request.of_resource(resource)
            )),
            _ => faults.push(format!(
                "{what} needs a {resource} request and a limit of at most {times} times as much"
            )),
        }
    }
    faults
}
