//! Volume claims that a pod waits for: stuck ones told apart from those that only wait for the pod.

use obstack_api::Reason;

use super::{Cause, Scene, VOLUME_SECONDS, words};
use crate::live::{ClaimFacts, PodFacts};

/// Provisioner of classes whose volumes are made by hand.
const BY_HAND: &str = "kubernetes.io/no-provisioner";

/// Why a claim of a pod is not bound, if that is not because it waits for its pod to be placed.
pub(super) fn cause(scene: &Scene<'_>, pod: &PodFacts) -> Option<Cause> {
    let unscheduled = pod.unscheduled.as_deref().filter(|_| pod.node.is_empty());
    let wanted = &scene.component.need.claims;
    let Some(claims) = scene.live.claims.as_deref().filter(|_| !wanted.is_empty()) else {
        // The scheduler's words are all there is; it says the same while a volume is being made.
        let said = unscheduled.filter(|said| is_about_claims(said))?;
        return waited(scene, pod).then(|| Cause::new(Reason::PVCPending, words::scheduler(said)));
    };
    wanted.iter().find_map(|wanted| {
        // A volume of the pod's own is named the other way round (`k8s.io/component-helpers/storage/ephemeral`).
        let name = if wanted.ephemeral {
            format!("{}-{}", pod.name, wanted.name)
        } else {
            format!("{}-{}", wanted.name, pod.name)
        };
        let missing = format!("persistentvolumeclaim \"{name}\" not found");
        let why = match claims.iter().find(|claim| claim.name == name) {
            Some(claim) => why(scene, pod, claim)?,
            None if unscheduled?.contains(&missing) => "it does not exist".to_owned(),
            None => return None,
        };
        Some(Cause::new(Reason::PVCPending, format!("volume claim {name}: {why}")))
    })
}

/// The scheduler speaks of claims alone (`pkg/scheduler/framework/plugins/volumebinding`).
pub(super) fn is_about_claims(said: &str) -> bool {
    said.contains("unbound immediate PersistentVolumeClaims")
        || said.contains("persistentvolumeclaim \"")
        || said.contains("didn't find available persistent volumes to bind")
}

/// Why a claim is not bound.
fn why(scene: &Scene<'_>, pod: &PodFacts, claim: &ClaimFacts) -> Option<String> {
    match claim.phase.as_str() {
        "Lost" => return Some("its volume is gone, and the data with it".to_owned()),
        "Pending" => {}
        _ => return None,
    }
    let (said, words) =
        claim.said.as_ref().map_or(("", ""), |(reason, words)| (reason.as_str(), words.as_str()));
    let classes = scene.live.classes.as_deref();
    let class = classes.and_then(|classes| classes.get(&claim.class));
    let (size, name) = (claim.requested.storage(), &claim.class);
    if name.is_empty() {
        let default = classes.is_some_and(|classes| classes.values().any(|class| class.default));
        if classes.is_some() && !default {
            return Some("it names no StorageClass, and the cluster has no default one".to_owned());
        }
    } else if classes.is_some() && class.is_none() {
        return Some(format!("its StorageClass {name} does not exist"));
    }
    if matches!(said, "ProvisioningFailed" | "FailedBinding" | "ClaimLost" | "ClaimMisbound") {
        return Some(words::quote(words));
    }
    let waits = class.is_some_and(|class| class.waits_for_consumer)
        || matches!(said, "WaitForFirstConsumer" | "WaitForPodScheduled");
    if waits && claim.selected_node.is_none() {
        // Placing the pod comes first, and no volume may be to be had on any node.
        let said = pod.unscheduled.as_deref().filter(|said| is_about_claims(said))?;
        return Some(format!(
            "no volume of {size} of its StorageClass {name} fits: {}",
            words::scheduler(said)
        ));
    }
    match class {
        Some(class) if class.provisioner == BY_HAND => {
            Some(format!("StorageClass {name} makes no volumes; one of {size} has to be made by hand"))
        }
        _ if !waited(scene, pod) => None,
        Some(class) => {
            let provisioner = &class.provisioner;
            Some(format!("provisioner {provisioner} of its StorageClass {name} has made no volume of {size}"))
        }
        None if words.is_empty() => Some(format!("no volume of {size} was made for it")),
        None => Some(format!("no volume of {size} was made for it: {}", words::quote(words))),
    }
}

/// The pod waits for longer than making a volume takes.
fn waited(scene: &Scene<'_>, pod: &PodFacts) -> bool {
    scene.longer_than(VOLUME_SECONDS, pod.not_ready_since)
}
