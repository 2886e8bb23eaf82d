//! Pods that are not made.

use obstack_api::Reason;

use super::world::{ROLLS, World, check};

const QUERIER: &str = "metrics.querier";

/// As the controller of a StatefulSet tells it.
fn of_pod(words: &str) -> String {
    let who = "Create Pod s-mimir-ingester-2 in StatefulSet s-mimir-ingester failed error";
    format!("{who}: pods \"s-mimir-ingester-2\" is forbidden: {words}")
}

fn refused(said: &str, reason: Reason, words: &str) {
    let message = format!("StatefulSet s-mimir-ingester: 2 of 3 pods exist; a pod is refused: {words}");
    check(words, |world| world.refuse(said), reason, &message);
}

#[test]
fn a_refusal_is_told_by_whose_rule_it_is() {
    use Reason::{
        LimitRangeDenied, PodsRefused, QuotaExceeded, QuotaRequiresCPULimits, SecurityPolicyDenied,
    };
    for (reason, words) in [
        (
            QuotaExceeded,
            "exceeded quota: compute, requested: requests.cpu=100m, used: requests.cpu=950m, limited: requests.cpu=1",
        ),
        (QuotaExceeded, "insufficient quota to match these scopes: [{PriorityClass In [high]}]"),
        (QuotaRequiresCPULimits, "failed quota: compute: must specify limits.cpu for: ingester"),
        (QuotaExceeded, "failed quota: compute: must specify limits.memory for: ingester"),
        (
            SecurityPolicyDenied,
            "violates PodSecurity \"restricted:latest\": runAsNonRoot != true (pod or container \"ingester\" must set \
             securityContext.runAsNonRoot=true)",
        ),
        (
            SecurityPolicyDenied,
            "unable to validate against any security context constraint: [provider \"restricted-v2\": \
             .spec.securityContext.fsGroup: Invalid value: []int64{10001}: 10001 is not an allowed group]",
        ),
        (LimitRangeDenied, "maximum cpu usage per Container is 1, but limit is 2"),
        (LimitRangeDenied, "minimum memory usage per Pod is 1Gi. No request is specified"),
        (
            LimitRangeDenied,
            "[minimum memory usage per Container is 1Gi, but request is 512Mi, maximum cpu usage per Container is \
             50m, but request is 100m]",
        ),
        (
            LimitRangeDenied,
            "memory max limit to request ratio per Container is 2, but provided ratio is 8.000000",
        ),
        (PodsRefused, "error looking up service account ns/s-mimir: serviceaccount \"s-mimir\" not found"),
    ] {
        refused(&of_pod(words), reason, words);
    }
    let hook = "admission webhook \"policy.example\" denied the request: no team label";
    let of_hook = of_pod(hook).replace("pods \"s-mimir-ingester-2\" is forbidden: ", "");
    refused(&of_hook, PodsRefused, hook);
}

#[test]
fn a_limit_range_is_named_where_it_may_be_read() {
    let words = "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi";
    let claim = "storage-s-mimir-ingester-2";
    let said = format!(
        "Create Claim {claim} for Pod s-mimir-ingester-2 in StatefulSet s-mimir-ingester failed error: \
         persistentvolumeclaims \"{claim}\" is forbidden: {words}"
    );
    let tells = |named: &str, readable: bool| {
        let change = |world: &mut World| {
            world.limit_range("sizes", "PersistentVolumeClaim", "storage");
            world.limit_range("other", "Container", "cpu");
            world.refuse(&said);
            world.live.limit_ranges.take_if(|_| !readable);
        };
        let made = "StatefulSet s-mimir-ingester: 2 of 3 pods exist";
        let message = format!("{made}; a volume claim is refused: {words}{named}");
        check(named, change, Reason::LimitRangeDenied, &message);
    };
    tells(" (LimitRange sizes)", true);
    tells("", false);
}

#[test]
fn a_limit_that_admission_sets_below_the_request_is_the_limit_ranges() {
    let said = "Create Pod s-mimir-ingester-2 in StatefulSet s-mimir-ingester failed error: Pod \"s-mimir-ingester-2\" \
                is invalid: ";
    let words = "spec.containers[0].resources.requests: Invalid value: \"200m\": must be less than or equal to cpu \
                 limit of 50m";
    let told = |resource: &str, reason, named: &str| {
        let change = |world: &mut World| {
            world.limit_range("sizes", "Container", resource);
            world.refuse(&format!("{said}{words}"));
        };
        let made = "StatefulSet s-mimir-ingester: 2 of 3 pods exist";
        check(resource, change, reason, &format!("{made}; a pod is refused: {words}{named}"));
    };
    told("cpu", Reason::LimitRangeDenied, " (LimitRange sizes)");
    told("memory", Reason::PodsRefused, "");
}

#[test]
fn a_refused_rollout_of_a_deployment_is_told_without_the_names_of_its_tries() {
    let told = |tried: &str| {
        let mut world = World::ingesters(1);
        world.add(QUERIER, "Deployment", 2);
        let facts = world.workload(QUERIER);
        facts.updated = 0;
        facts.refusal =
            Some(format!("Pod \"{tried}\" is invalid: spec.x: see s-mimir-querier-0 and {tried}."));
        (world.said(QUERIER), world.of(QUERIER).available)
    };
    let first = told("s-mimir-querier-6d5b9c7f44-x2x7k");
    let message = "Deployment s-mimir-querier: 0 of 2 pods are at the newest revision; a pod is refused: spec.x: see \
                   s-mimir-querier-0 and s-mimir-querier.";
    assert_eq!(first, ((Reason::PodsRefused, message.into()), true), "the old pods serve");
    assert_eq!(told("s-mimir-querier-6d5b9c7f44-9zzl4"), first);
}

#[test]
fn a_refusal_of_earlier_is_not_told_of_pods_that_exist() {
    let exists = |world: &mut World| {
        let pod = world.live.pods[2].clone();
        world.refuse("exceeded quota: compute");
        world.live.pods.push(pod);
        world.workload("metrics.ingester").created = 3;
        world.unready(2, 10);
    };
    check("there again", exists, Reason::RolloutInProgress, ROLLS);
}
