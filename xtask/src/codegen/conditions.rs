//! `docs/reference/conditions.md`: the vocabulary of the status, and what to do about each reason.

use std::fmt::Write;

use obstack_api::ConditionType::{
    self, Available, DatasourcesReady, DisruptionProtected, PlanApplied, Ready, Reconciling, SpecValid,
    Stalled, StorageReady, WorkloadsReady,
};
use obstack_api::Reason;

use super::markdown::{MADE, anchor, code, head, row};

const INTRO: &str = "
# Conditions and reasons

A condition has a type, a status (`True`, `False`, `Unknown`), a reason in one word and a message with names and numbers. Types and reasons are stable: match on them. Messages are for people and may change.

Read `Stalled` first. When it is `True`, nothing goes on until somebody acts, and its message says what to do. Otherwise read `Ready`: its reason names the first thing that is missing. `Available` says whether the stack serves, whatever else is going on.

A condition speaks of the spec of its `observedGeneration`. While that is lower than `metadata.generation`, the operator has not looked at the newest spec yet.
";

const ABOUT: &str = "
## Reasons

Each entry says what the reason means, where it stands, and what to do. One without anything to do is news.
";

/// Conditions that have a reason, and where to look beyond its message. `N` and `NS` are the stack's name and
/// namespace. A reason without conditions is that of an event.
type Entry = (Reason, &'static [ConditionType], &'static str);

const FAULT: &[ConditionType] = &[SpecValid];
const PLAN: &[ConditionType] = &[PlanApplied, Ready, Stalled];
const EITHER: &[ConditionType] = &[SpecValid, PlanApplied, Ready, Stalled];
const STORE: &[ConditionType] = &[StorageReady];
const STORE_STALLED: &[ConditionType] = &[StorageReady, Stalled];
const POD: &[ConditionType] = &[WorkloadsReady, Available];

const SECRET: &str = "`kubectl describe secret SECRET -n NS` shows its keys and their sizes, not their values. The stack goes on by itself when the Secret changes.";
const KEYS: &str = "Pods that run go on with the keys they started with. New keys reach the pods only after the operator's own probe has passed with them. The operator hears of a change of the Secret at once.";

const ENTRIES: &[Entry] = &[
    (
        Reason::Pending,
        &[Ready, Reconciling],
        "When it stays: does the operator run, does it watch this namespace, does it lead? `kubectl get lease obstack -n obstack-system` and `/readyz` of its process say so.",
    ),
    (Reason::AllReady, &[Ready, WorkloadsReady], ""),
    (Reason::Serving, &[Available], ""),
    (Reason::Idle, &[Reconciling], ""),
    (Reason::Blocked, &[Reconciling], ""),
    (Reason::Progressing, &[Reconciling, Stalled], ""),
    (
        Reason::Suspended,
        &[Ready, Reconciling, Stalled, StorageReady, PlanApplied, DatasourcesReady],
        "Ends with `kubectl patch obstack N -n NS --type merge -p '{\"spec\":{\"suspend\":false}}'`. What was changed by hand meanwhile is put back then.",
    ),
    (
        Reason::Terminating,
        &[Ready, Reconciling, Stalled],
        "The finalizer `obstack.dev/cleanup` is there only while datasources stand in another namespace. The operator lets go of it after five minutes at the latest, with an event that names what is left. When the operator is gone for good, delete the object it names and remove the finalizer.",
    ),
    (Reason::Valid, &[SpecValid], ""),
    (
        Reason::InvalidSpec,
        &[Ready, Stalled, SpecValid, StorageReady, PlanApplied, DatasourcesReady],
        "`SpecValid` has the reason of the first fault; the message lists all of them. What runs goes on running.",
    ),
    (Reason::QuerySchedulerRequired, FAULT, ""),
    (Reason::MemoryLimitRequired, FAULT, "[Resources and the policy](../how-to/resources-and-policy.md)."),
    (Reason::OverrideViolatesPolicy, EITHER, "[Values and patches](../how-to/charts.md#values-and-patches)."),
    (Reason::OverrideOwnedByApi, FAULT, "[Values and patches](../how-to/charts.md#values-and-patches)."),
    (Reason::InvalidPatch, EITHER, "[Values and patches](../how-to/charts.md#values-and-patches)."),
    (Reason::InvalidQuantity, FAULT, ""),
    (Reason::InvalidBucketName, &[SpecValid, StorageReady, Stalled], ""),
    (Reason::InvalidEndpoint, &[SpecValid, StorageReady], ""),
    (Reason::BucketConflict, FAULT, "`kubectl get obstack -A` shows which stack is older."),
    (Reason::SecretMissing, FAULT, SECRET),
    (Reason::SecretKeyMissing, FAULT, SECRET),
    (Reason::ChartUnknown, EITHER, "[The catalog](charts.md)."),
    (
        Reason::ChartUnavailable,
        PLAN,
        "The operator pulls with helm, within a minute, and honours `HTTPS_PROXY`, `NO_PROXY` and `SSL_CERT_FILE` of its process. [Without a network](../how-to/charts.md#without-a-network).",
    ),
    (
        Reason::ChartDigestMismatch,
        PLAN,
        "`sha256sum NAME-VERSION.tgz` gives the digest of an archive. [The catalog](charts.md) has the expected ones.",
    ),
    (Reason::ChartUnsupported, EITHER, "`kubectl version` shows what the cluster serves."),
    (
        Reason::RenderFailed,
        PLAN,
        "The same render by hand: `helm template` with the chart and the values of the message. A render that lacks a workload, or that would remove many objects although nothing was switched off, has this reason too: then nothing is deleted.",
    ),
    (Reason::BucketsReady, STORE, ""),
    (Reason::CreatingBuckets, STORE, ""),
    (
        Reason::EndpointUnreachable,
        STORE,
        "Pods that run stay Ready and writes go on to be answered while the store is down, so this condition is the only sign. Pods that start then do not become ready: Mimir's ingester, store-gateway and compactor wait without listening, Tempo ends with exit code 1 and is restarted. Once the store is back, Mimir recovers in under a minute, Tempo after its back-off, which can be minutes: deleting the crashed Tempo pod saves that wait.",
    ),
    (Reason::AccessKeyRejected, STORE_STALLED, KEYS),
    (Reason::SignatureRejected, STORE_STALLED, KEYS),
    (
        Reason::AccessDenied,
        STORE_STALLED,
        "[What the keys must be allowed](../how-to/object-storage.md#what-the-keys-must-be-allowed).",
    ),
    (Reason::NoSuchBucket, STORE_STALLED, ""),
    (Reason::BucketExists, STORE_STALLED, ""),
    (
        Reason::BucketOwnedByOther,
        STORE_STALLED,
        "The claim is the object `obstack-owner` in a bucket of traces and `__mimir_cluster/obstack-owner` in one of metrics. [Claims](../how-to/object-storage.md#what-the-operator-writes-into-a-bucket).",
    ),
    (
        Reason::TLSVerificationFailed,
        STORE_STALLED,
        "[A custom authority](../how-to/object-storage.md#a-certificate-authority-of-your-own).",
    ),
    (Reason::StorageFailed, STORE, ""),
    (
        Reason::StorageNotReady,
        &[Ready, PlanApplied],
        "`kubectl get obstack N -n NS -o jsonpath='{.status.buckets}'` has the fault of each bucket.",
    ),
    (Reason::Applied, &[PlanApplied], ""),
    (Reason::Applying, &[DatasourcesReady, DisruptionProtected], ""),
    (
        Reason::ApplyFailed,
        &[PlanApplied, Ready, DatasourcesReady],
        "Nothing is pruned while an apply fails. It is tried again every 15 seconds. `forbidden` with a user in it: the operator lacks a right, see [its rights](../explanation/security.md#what-the-operator-may-do). `updates to statefulset spec`: `kubectl delete statefulset NAME -n NS --cascade=orphan` keeps pods and claims, and the operator makes it anew.",
    ),
    (
        Reason::ApplyRejected,
        &[PlanApplied, Ready, DatasourcesReady],
        "Nothing is pruned while an apply fails. It is tried again every 15 seconds. `forbidden` with a user in it: the operator lacks a right, see [its rights](../explanation/security.md#what-the-operator-may-do). `updates to statefulset spec`: `kubectl delete statefulset NAME -n NS --cascade=orphan` keeps pods and claims, and the operator makes it anew.",
    ),
    (
        Reason::FieldConflict,
        &[PlanApplied, Ready, Stalled, DatasourcesReady],
        "The message names the other manager. An object that stood there before the stack is never taken over by force.",
    ),
    (
        Reason::QuotaExceeded,
        &[WorkloadsReady, PlanApplied, Ready, Available, Stalled],
        "`kubectl describe resourcequota -n NS` has what is used, `status.requests` what the whole stack requests. [Sums](../how-to/resources-and-policy.md#what-a-stack-requests). Once the quota is raised, the controllers make the pods by themselves.",
    ),
    (
        Reason::RolloutInProgress,
        &[WorkloadsReady, Ready, Available],
        "A first start of Mimir takes about a minute. Three Mimir ingesters roll in 3.5 to 4.5 minutes.",
    ),
    (Reason::ComponentsNotReady, &[Ready], "`WorkloadsReady` has the first cause."),
    (Reason::NoReadyReplicas, &[Available], ""),
    (
        Reason::PodsRefused,
        &[WorkloadsReady, Available, Stalled],
        "`kubectl describe statefulset NAME -n NS` or `kubectl describe replicaset -n NS` has the refusal as an event.",
    ),
    (
        Reason::Unschedulable,
        POD,
        "`kubectl describe pod POD -n NS` has the scheduler's last word. A claim that is not bound shows here too: `kubectl get pvc -n NS`.",
    ),
    (
        Reason::ImagePullFailed,
        POD,
        "Where the registry does not answer at all, a pod stays in ContainerCreating for up to a minute before this reason appears.",
    ),
    (
        Reason::CrashLoop,
        POD,
        "`kubectl logs POD -n NS --previous`. The last lines are also in `status.containerStatuses[].lastState.terminated.message` of the pod. `OOMKilled` there: the memory limit is too small. Tempo ends with exit code 1 when it cannot list its bucket: look at `StorageReady` first.",
    ),
    (Reason::DatasourcesNotReady, &[Ready], ""),
    (
        Reason::NamespaceMissing,
        &[DatasourcesReady, Stalled],
        "The operator does not make namespaces. Everything else of the stack is in place.",
    ),
    (Reason::DatasourcesProvisioned, &[DatasourcesReady], ""),
    (Reason::NoDatasources, &[DatasourcesReady], ""),
    (Reason::NothingToProtect, &[DisruptionProtected], ""),
    (Reason::Protected, &[DisruptionProtected], ""),
    (Reason::Disabled, &[DisruptionProtected], ""),
    (Reason::Drifted, &[], "[Drift](../how-to/drift.md)."),
    (Reason::InternalError, &[PlanApplied, Ready], ""),
];

/// The page.
pub fn page() -> String {
    let mut text = format!("{MADE}{INTRO}\n## Conditions\n\n{}", head(&["condition", "True means"]));
    for condition in ConditionType::ALL {
        text.push_str(&row(&[&code(condition.as_str()), condition.meaning()]));
    }
    text.push_str("\nA fresh object has `Ready` `Unknown` and `Reconciling` `True`, both with the reason `Pending`, from the moment it is stored.\n");
    text.push_str(ABOUT);
    let links: Vec<_> =
        Reason::ALL.iter().map(|reason| format!("[{reason}](#{})", anchor(reason.as_str()))).collect();
    let _ = write!(text, "\n{}\n", links.join(", "));
    for reason in Reason::ALL {
        let _ = write!(text, "\n### {reason}\n\n{}\n", reason.meaning());
        let entry = ENTRIES.iter().find(|(known, ..)| known == reason);
        let (conditions, look) = entry.map_or((&[][..], ""), |(_, conditions, look)| (*conditions, *look));
        let on: Vec<_> = conditions.iter().map(|condition| code(condition.as_str())).collect();
        let on = if on.is_empty() { "an event on the stack".to_owned() } else { on.join(", ") };
        let _ = write!(text, "\n- On: {on}\n");
        if let Some(fix) = reason.fix() {
            let _ = writeln!(text, "- Do: {fix}");
        }
        if !look.is_empty() {
            let _ = writeln!(text, "- More: {look}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented_once() {
        for reason in Reason::ALL {
            let known = ENTRIES.iter().filter(|(known, ..)| known == reason).count();
            assert_eq!(known, 1, "add {reason} to ENTRIES in {}", file!());
        }
    }

    #[test]
    fn only_drift_has_no_condition() {
        let bare = ENTRIES.iter().filter(|(_, conditions, _)| conditions.is_empty());
        assert_eq!(bare.map(|(reason, ..)| *reason).collect::<Vec<_>>(), [Reason::Drifted]);
    }
}
