//! What the stack's namespace uses of what it asked for, from the cluster's own monitoring.

use serde_json::Value;

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, Source, increase, rate},
};
use crate::valid::ValidStack;

pub(super) const ABOUT: About = About {
    slug: "namespace-resources",
    title: "Namespace resources",
    purpose: "Whether pods of the stack's namespace run short: CPU, memory, volumes, quota, restarts.",
    of: Of::Every,
    needs: "the kubelet's metrics (`container_*`, `kubelet_*`) and kube-state-metrics (`kube_*`), from the cluster's own monitoring",
};

pub(super) fn model(stack: &ValidStack) -> Value {
    let namespace = format!(r#"namespace="{}""#, stack.key.namespace);
    let namespace = namespace.as_str();
    Board::new(stack, &ABOUT, &[Source::Prometheus])
        .panel(6, 4, not_ready(namespace))
        .panel(6, 4, restarts(namespace))
        .panel(6, 4, killed(namespace))
        .panel(6, 4, throttled(namespace))
        .part("CPU and memory")
        .panel(12, 9, cpu(namespace))
        .panel(12, 9, cpu_share(namespace))
        .panel(12, 9, memory(namespace))
        .panel(12, 9, memory_share(namespace))
        .part("Volumes and quota")
        .panel(12, 9, volumes(namespace))
        .panel(12, 9, quota(namespace))
        .model()
}

/// The kubelet counts pods and their sandboxes too; these have no container, or one without an image.
fn containers(namespace: &str) -> String {
    format!(r#"{namespace},container!="",container!="POD""#)
}

fn not_ready(namespace: &str) -> Panel {
    let description = "Pods that are not ready. The stack's condition Ready names the first cause.";
    let expr = format!(r#"sum(kube_pod_status_ready{{{namespace},condition="false"}})"#);
    Panel::number("Pods not ready", "none", description).query(Query::range(expr, "")).above(&[(1.0, "red")])
}

fn restarts(namespace: &str) -> Panel {
    let description = "Restarts of containers within the last hour. `kubectl logs --previous` shows why.";
    let expr = format!("sum(increase(kube_pod_container_status_restarts_total{{{namespace}}}[1h]))");
    Panel::number("Restarts, 1 h", "none", description)
        .query(Query::range(expr, ""))
        .above(&[(1.0, "yellow"), (5.0, "red")])
}

fn killed(namespace: &str) -> Panel {
    let description = "Containers whose last end was an OOM kill. Raise the memory limit of the component.";
    let expr =
        format!(r#"sum(kube_pod_container_status_last_terminated_reason{{{namespace},reason="OOMKilled"}})"#);
    Panel::number("Killed for memory", "none", description)
        .query(Query::range(expr, ""))
        .when_empty("0")
        .above(&[(1.0, "red")])
}

fn throttled(namespace: &str) -> Panel {
    let description = "Moments in which a container waited because of a CPU limit. It must be 0: the stack sets no CPU limits. If not, look at the condition PolicyCompliant for who set one.";
    let expr = increase("", "container_cpu_cfs_throttled_periods_total", &containers(namespace));
    Panel::number("CPU throttling", "none", description)
        .query(Query::range(expr, ""))
        .when_empty("0")
        .above(&[(1.0, "red")])
}

fn cpu_use(namespace: &str) -> String {
    rate("pod", "container_cpu_usage_seconds_total", &containers(namespace))
}

fn cpu(namespace: &str) -> Panel {
    let description = "Cores that each pod uses.";
    Panel::lines("CPU", "short", description).query(Query::range(cpu_use(namespace), "{{pod}}"))
}

fn cpu_share(namespace: &str) -> Panel {
    let description = "Use against request. For long above 100% it lives on what others leave: raise the request before the node is full. Far below, the request keeps quota from others.";
    let requested =
        format!(r#"sum by (pod) (kube_pod_container_resource_requests{{{namespace},resource="cpu"}})"#);
    Panel::lines("CPU against request", "percentunit", description)
        .query(Query::range(format!("{} / {requested}", cpu_use(namespace)), "{{pod}}"))
        .above(&[(1.0, "red")])
        .marked()
}

fn memory(namespace: &str) -> Panel {
    let description = "Memory that cannot be given back, by pod.";
    let expr = format!("sum by (pod) (container_memory_working_set_bytes{{{}}})", containers(namespace));
    Panel::lines("Memory", "bytes", description).query(Query::range(expr, "{{pod}}"))
}

fn memory_share(namespace: &str) -> Panel {
    let description = "Memory against limit; only ingesters and store-gateways have one. Above 90% the kernel is about to kill: raise the limit, or send fewer series.";
    let used =
        format!("sum by (pod, container) (container_memory_working_set_bytes{{{}}})", containers(namespace));
    let limit = format!(
        r#"sum by (pod, container) (kube_pod_container_resource_limits{{{namespace},resource="memory"}})"#
    );
    Panel::lines("Memory against limit", "percentunit", description)
        .query(Query::range(format!("{used} / {limit}"), "{{pod}}"))
        .above(&[(0.9, "red")])
        .marked()
}

fn volumes(namespace: &str) -> Panel {
    let description = "Volumes, used against size. Above 80% raise `storage.size` of the component; the operator grows the claims.";
    let expr = format!(
        "max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes{{{namespace}}} / kubelet_volume_stats_capacity_bytes{{{namespace}}})"
    );
    Panel::lines("Volumes", "percentunit", description)
        .query(Query::range(expr, "{{persistentvolumeclaim}}"))
        .above(&[(0.8, "red")])
        .marked()
}

fn quota(namespace: &str) -> Panel {
    let description = "Each quota of the namespace, used against hard. At 100% no new pod starts, and a rollout stands still: the condition QuotaSatisfied says what to ask for.";
    let used = format!(r#"sum by (resourcequota, resource) (kube_resourcequota{{{namespace},type="used"}})"#);
    let hard = format!(r#"sum by (resourcequota, resource) (kube_resourcequota{{{namespace},type="hard"}})"#);
    Panel::lines("Quota", "percentunit", description)
        .query(Query::range(format!("{used} / {hard}"), "{{resourcequota}}: {{resource}}"))
        .above(&[(0.9, "red")])
        .marked()
}
