//! Components from the workloads that a chart rendered: that is what runs.

use std::collections::BTreeMap;

use obstack_api::{Amounts, Component, Quantity, Resources, Volume, VolumeKind};
use serde_json::Value;

use super::{
    Found,
    chart::Kind,
    release::{HelmRelease, Workload, list, scalar, text},
};
use crate::{
    backends::{
        mimir,
        role::{DataVolume, Role},
        tempo,
    },
    quantity::Amount,
};

/// The roles of a kind of release.
pub(super) fn roles(kind: Kind) -> &'static [Role] {
    match kind {
        Kind::TempoMonolithic => tempo::MONOLITHIC,
        Kind::TempoDistributed => tempo::DISTRIBUTED,
        Kind::Mimir => mimir::ROLES,
    }
}

/// The workload that bears the ingesters.
pub(super) fn ingester<'a>(release: &'a HelmRelease, kind: Kind, objects: &str) -> Option<Workload<'a>> {
    let role = roles(kind).iter().find(|role| role.key == "ingester" || role.key == "singleBinary")?;
    release.workload(&role.workload(objects))
}

/// Every component of the release.
pub(super) fn components(
    release: &HelmRelease,
    kind: Kind,
    objects: &str,
    found: &mut Found,
) -> BTreeMap<String, Component> {
    let mut components = BTreeMap::new();
    for role in roles(kind) {
        let name = role.workload(objects);
        let component = match release.workload(&name) {
            Some(workload) => component(release, role, workload, found),
            None => Component { replicas: Some(0), ..Component::default() },
        };
        components.insert(role.key.to_owned(), component);
    }
    if ingester(release, kind, objects).is_none() {
        let others: Vec<_> = release.workloads().map(Workload::name).collect();
        found.obstacle(
            format!("release {}", release.name),
            format!("has no workload with ingesters; it has {}", others.join(", ")),
            "the operator runs Tempo and Mimir with one StatefulSet of ingesters; leave this release to Helm",
        );
    }
    components
}

fn component(release: &HelmRelease, role: &Role, workload: Workload<'_>, found: &mut Found) -> Component {
    let subject = format!("{} {}", workload.kind(), workload.name());
    let stateful = workload.kind() == "StatefulSet";
    if role.class.bears_memory_limit() && !stateful {
        found.obstacle(
            &subject,
            "is no StatefulSet, as the operator has it for what keeps data until it is flushed",
            "let the chart render a StatefulSet (ingester.kind) and upgrade the release first",
        );
    }
    if stateful && text(workload.0, "/spec/podManagementPolicy") != Some("Parallel") {
        found.note(
            &subject,
            "starts its pods one after the other (podManagementPolicy), which never changes: a pod that never becomes ready must be deleted by hand after its cause is mended",
        );
    }
    let pod = workload.pod();
    Component {
        replicas: Some(replicas(release, workload, &subject, found)),
        resources: resources(role, workload.main(), &subject, found),
        storage: storage(role, workload, &subject, found),
        node_selector: strings(pod.get("nodeSelector")),
        tolerations: list(pod, "/tolerations").cloned().collect(),
        priority_class_name: text(pod, "/priorityClassName").map(str::to_owned),
    }
}

fn strings(map: Option<&Value>) -> BTreeMap<String, String> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn replicas(release: &HelmRelease, workload: Workload<'_>, subject: &str, found: &mut Found) -> i32 {
    let scaler = release.objects.iter().find(|object| {
        matches!(text(object, "/kind"), Some("HorizontalPodAutoscaler" | "ScaledObject"))
            && text(object, "/spec/scaleTargetRef/name") == Some(workload.name())
    });
    let Some(scaler) = scaler else { return workload.replicas().unwrap_or(1) };
    let least =
        ["/spec/minReplicas", "/spec/minReplicaCount"].iter().find_map(|at| scaler.pointer(at)?.as_i64());
    let least = least.and_then(|least| i32::try_from(least).ok()).unwrap_or(1);
    found.note(
        subject,
        format!(
            "is scaled by {} {}; the stack keeps {least} replicas, so delete that object, or the two change it in turn",
            text(scaler, "/kind").unwrap_or_default(),
            text(scaler, "/metadata/name").unwrap_or_default()
        ),
    );
    least
}

fn resources(role: &Role, main: &Value, subject: &str, found: &mut Found) -> Option<Resources> {
    let of = |list: &str, resource: &str| scalar(main, &format!("/resources/{list}/{resource}"));
    if let Some(limit) = of("limits", "cpu") {
        found.note(
            subject,
            format!("has the CPU limit {limit}, which the resource policy forbids: it throttles even on an idle node. The stack drops it"),
        );
    }
    let limit = of("limits", "memory");
    // A limit without a request is a request too.
    let request = |resource: &str| of("requests", resource).or_else(|| of("limits", resource));
    let (cpu, memory) = (request("cpu"), request("memory"));
    for (resource, amount, default) in [("cpu", &cpu, role.cpu), ("memory", &memory, role.memory)] {
        if amount.is_none() {
            found.note(subject, format!("requests no {resource}; the stack requests {default} a pod"));
        }
    }
    let memory_text = memory.clone().unwrap_or_else(|| role.memory.to_owned());
    let limits = match (role.class.bears_memory_limit(), limit) {
        (true, Some(limit)) => Some(limit),
        (true, None) => Some(default_limit(role, &memory_text, subject, found)),
        (false, Some(limit)) => {
            found.note(
                subject,
                format!("has the memory limit {limit}, which the resource policy has on ingesters and store-gateways only. The stack drops it"),
            );
            None
        }
        (false, None) => None,
    };
    let quantity = |text: &String| Quantity::from(text.as_str());
    let requests = Amounts { cpu: cpu.as_ref().map(quantity), memory: memory.as_ref().map(quantity) };
    let limits = limits.map(|memory| Amounts { cpu: None, memory: Some(quantity(&memory)) });
    let silent = requests == Amounts::default() && limits.is_none();
    (!silent)
        .then(|| Resources { requests: Some(requests).filter(|given| *given != Amounts::default()), limits })
}

/// A memory limit for a component that has none and needs one.
fn default_limit(role: &Role, request: &str, subject: &str, found: &mut Found) -> String {
    let usual = role.memory_limit.unwrap_or("4Gi");
    let amounts = (Amount::parse(usual), Amount::parse(request));
    let limit = match amounts {
        (Ok(limit), Ok(request)) if limit < request => request.times(2).memory(),
        _ => usual.to_owned(),
    };
    found.note(
        subject,
        format!("has no memory limit, which the resource policy wants here. The stack sets {limit}: look at what it uses and set another if that is near"),
    );
    limit
}

fn storage(role: &Role, workload: Workload<'_>, subject: &str, found: &mut Found) -> Option<Volume> {
    if role.data == DataVolume::None {
        if workload.claims() > 0 {
            found.obstacle(
                subject,
                "has a volume claim, and the operator knows no data of it",
                "render it without one (kind: Deployment) and upgrade the release first",
            );
        }
        return None;
    }
    if workload.claims() > 1 {
        let why = "has several claim templates; the operator's has one";
        found.obstacle(subject, why, "leave this release to Helm");
    }
    let Some(claim) = workload.claim() else {
        return Some(Volume { kind: VolumeKind::EmptyDir, ..Volume::default() });
    };
    let size = scalar(claim, "/spec/resources/requests/storage");
    Some(Volume {
        kind: VolumeKind::PersistentVolumeClaim,
        size: size.map(|size| Quantity::from(size.as_str())),
        class_name: text(claim, "/spec/storageClassName").map(str::to_owned),
    })
}

/// What the release runs beside the components: it stays as it is, and nobody manages it.
pub(super) fn leftovers(release: &HelmRelease, kind: Kind, objects: &str, kept: &[&str], found: &mut Found) {
    let ours: Vec<_> = roles(kind).iter().map(|role| role.workload(objects)).collect();
    for workload in release.workloads() {
        let name = workload.name();
        let is_kept = kept.iter().any(|kept| name == format!("{objects}-{kept}"));
        if is_kept || ours.iter().any(|ours| ours == name) {
            continue;
        }
        let advice = if name.ends_with("-nginx") {
            ". Clients that use its Service go on; send them to the endpoints in the stack's status, or set metrics.components.gateway"
        } else if name.contains("minio") {
            ". If the data is in it, the stack depends on something that nobody manages"
        } else if name.contains("rollout-operator") {
            ". Its webhooks stand before every change of a StatefulSet: remove it once nothing needs it"
        } else {
            ""
        };
        found.note(
            format!("{} {name}", workload.kind()),
            format!("is nothing that the operator runs. It stays as it is, and nobody manages it{advice}"),
        );
    }
}
