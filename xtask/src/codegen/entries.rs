//! Which conditions can carry each reason, and where to look first.

use obstack_api::{
    ConditionType::{
        self, Available, DataPathVerified, DatasourcesReady, DisruptionProtected, DriftFree, FaultTolerant,
        PlanApplied, PolicyCompliant, QuotaSatisfied, Ready, Reconciling, RingsHealthy, SpecValid, Stalled,
        StorageReady, Supported, WorkloadsReady,
    },
    Reason,
};

/// A reason, the conditions that can carry it, and where to look beyond its message. `NAME` and `NS` are the stack
/// and its namespace. A reason without conditions is that of an event.
pub type Entry = (Reason, &'static [ConditionType], &'static str);

/// The conditions that can carry a reason.
pub fn conditions_of(reason: Reason) -> &'static [ConditionType] {
    ENTRIES.iter().find(|(known, ..)| *known == reason).map_or(&[], |(_, conditions, _)| *conditions)
}

const FAULT: &[ConditionType] = &[SpecValid];
/// `DriftFree` too, because an object that somebody changed may wait for the same.
const PLAN: &[ConditionType] = &[Ready, Stalled, PlanApplied, DriftFree];
const EITHER: &[ConditionType] = &[Ready, Stalled, SpecValid, PlanApplied, DriftFree];
const STORE: &[ConditionType] = &[StorageReady];
const STORE_STALLED: &[ConditionType] = &[Stalled, StorageReady];
/// Found by the operator's own probe, or in the last words of a pod.
const KEYS_ON: &[ConditionType] = &[Available, Stalled, StorageReady, WorkloadsReady];
const POD: &[ConditionType] = &[Available, WorkloadsReady];
const POD_STALLED: &[ConditionType] = &[Available, Stalled, WorkloadsReady];
/// Known before anything starts, or seen on a pod whose Secret went later.
const SECRETS: &[ConditionType] = &[Available, Stalled, SpecValid, WorkloadsReady];
const APPLY: &[ConditionType] = &[Ready, Stalled, PlanApplied, DatasourcesReady, DriftFree];
const APPROVAL: &[ConditionType] = &[Ready, Available, Reconciling, PlanApplied, WorkloadsReady, DriftFree];
const POLICY: &[ConditionType] = &[Stalled, PolicyCompliant];
/// What stops short of following the spec leaves these untold.
const UNTOLD: &[ConditionType] = &[
    Ready,
    Reconciling,
    Stalled,
    StorageReady,
    PlanApplied,
    DatasourcesReady,
    QuotaSatisfied,
    RingsHealthy,
    DataPathVerified,
    FaultTolerant,
    DriftFree,
    Supported,
];
const INVALID: &[ConditionType] = &[
    Ready,
    Stalled,
    SpecValid,
    StorageReady,
    PlanApplied,
    DatasourcesReady,
    QuotaSatisfied,
    RingsHealthy,
    DataPathVerified,
    FaultTolerant,
    DriftFree,
    Supported,
];

const SECRET: &str =
    "`kubectl describe secret SECRET -n NS` shows its keys and their sizes, not their values.";
const KEYS: &str = "Pods that run go on with the keys they started with. New keys reach the pods only after the operator's own probe has passed with them.";
const OVERRIDES: &str = "[Values and patches](../how-to/charts.md#values-and-patches).";
const VIOLATIONS: &str = "`status.policy.violations` has each container with its origin. [The policy on live pods](../how-to/resources-and-policy.md#held-against-live-pods).";
const CANARY: &str = "[The canary](../how-to/canary.md).";
const QUOTAS: &str = "[Quotas](../how-to/quotas.md).";
const APPROVE: &str = "[Approve changes](../how-to/approve-changes.md).";

/// Every reason, once, in the order of the vocabulary.
pub const ENTRIES: &[Entry] = &[
    (
        Reason::Pending,
        &[Ready, Reconciling],
        "`kubectl get lease obstack -n obstack-system`, and `/readyz` of the operator.",
    ),
    (Reason::AllReady, &[Ready, WorkloadsReady], ""),
    (Reason::Serving, &[Available], ""),
    (Reason::Idle, &[Reconciling], ""),
    (Reason::Blocked, &[Reconciling], ""),
    (Reason::Progressing, &[Reconciling, Stalled], ""),
    (Reason::Suspended, UNTOLD, "`Available`, `WorkloadsReady` and `PolicyCompliant` go on to be told."),
    (Reason::Terminating, &[Ready, Reconciling, Stalled], "[What stays](../how-to/delete-and-keep-data.md)."),
    (Reason::Valid, &[SpecValid], ""),
    (
        Reason::InvalidSpec,
        INVALID,
        "`SpecValid` has the reason of the first fault; the message lists all of them. What runs goes on running.",
    ),
    (Reason::QuerySchedulerRequired, FAULT, ""),
    (Reason::MemoryLimitRequired, FAULT, "[Resources and the policy](../how-to/resources-and-policy.md)."),
    (
        Reason::OverrideViolatesPolicy,
        &[Ready, Stalled, SpecValid, PlanApplied, PolicyCompliant, DriftFree],
        OVERRIDES,
    ),
    (Reason::OverrideOwnedByApi, FAULT, OVERRIDES),
    (Reason::InvalidPatch, EITHER, OVERRIDES),
    (Reason::InvalidQuantity, FAULT, ""),
    (Reason::InvalidBucketName, &[Stalled, SpecValid, StorageReady], ""),
    (Reason::InvalidEndpoint, &[SpecValid, StorageReady], ""),
    (Reason::BucketConflict, FAULT, "`kubectl get obstack -A` shows which stack is older."),
    (Reason::SecretMissing, SECRETS, SECRET),
    (Reason::SecretKeyMissing, SECRETS, SECRET),
    (Reason::ChartUnknown, EITHER, "[The catalog](charts.md)."),
    (Reason::ChartUnavailable, PLAN, "[Without a network](../how-to/charts.md#without-a-network)."),
    (Reason::ChartDigestMismatch, PLAN, "[The catalog](charts.md) has the expected digests."),
    (Reason::ChartUnsupported, EITHER, "`kubectl version` shows what the cluster serves."),
    (
        Reason::RenderFailed,
        PLAN,
        "A render that lacks a workload, or that would remove many objects although nothing was switched off, has this reason too: then nothing is deleted.",
    ),
    (Reason::BucketsReady, STORE, ""),
    (Reason::CreatingBuckets, STORE, ""),
    (
        Reason::EndpointUnreachable,
        STORE,
        "Pods that run stay Ready and writes go on to be answered while the store is down, so this condition is the only sign.",
    ),
    (Reason::AccessKeyRejected, KEYS_ON, KEYS),
    (Reason::SignatureRejected, KEYS_ON, KEYS),
    (
        Reason::AccessDenied,
        KEYS_ON,
        "[What the keys must be allowed](../how-to/object-storage.md#what-the-keys-must-be-allowed).",
    ),
    (
        Reason::NoSuchBucket,
        STORE_STALLED,
        "[Existing buckets](../how-to/object-storage.md#existing-buckets).",
    ),
    (
        Reason::BucketExists,
        STORE_STALLED,
        "[Existing buckets](../how-to/object-storage.md#existing-buckets).",
    ),
    (
        Reason::BucketOwnedByOther,
        STORE_STALLED,
        "[Claims](../how-to/object-storage.md#what-the-operator-writes-into-a-bucket).",
    ),
    (
        Reason::TLSVerificationFailed,
        KEYS_ON,
        "[A custom authority](../how-to/object-storage.md#a-certificate-authority-of-your-own).",
    ),
    (Reason::StorageFailed, &[Available, StorageReady, WorkloadsReady], ""),
    (
        Reason::StorageNotReady,
        &[Ready, PlanApplied, DriftFree],
        "`status.buckets` has the fault of each bucket.",
    ),
    (Reason::Applied, &[PlanApplied], ""),
    (Reason::Applying, &[DatasourcesReady, DisruptionProtected], ""),
    (
        Reason::ApplyFailed,
        &[Ready, PlanApplied, DatasourcesReady, DriftFree],
        "Nothing is pruned while an apply fails. It is tried again every 15 seconds.",
    ),
    (
        Reason::ApplyRejected,
        APPLY,
        "`forbidden` with a user in it: the operator lacks a right, see [its rights](../explanation/security.md#what-the-operator-may-do). `updates to statefulset spec`: something immutable changed, see the runbook.",
    ),
    (
        Reason::FieldConflict,
        APPLY,
        "The message names the other manager. An object that stood there before the stack is never taken over by force.",
    ),
    (Reason::QuotaExceeded, &[Ready, Available, Stalled, PlanApplied, WorkloadsReady, DriftFree], QUOTAS),
    (
        Reason::RolloutInProgress,
        &[Ready, Available, WorkloadsReady, PolicyCompliant],
        "A first start of Mimir takes about a minute. Three Mimir ingesters roll in 3.5 to 4.5 minutes.",
    ),
    (Reason::ComponentsNotReady, &[Ready, FaultTolerant], "`WorkloadsReady` has the first cause."),
    (Reason::NoReadyReplicas, &[Available], ""),
    (Reason::SecurityPolicyDenied, POD_STALLED, "[OpenShift](../how-to/openshift.md)."),
    (Reason::LimitRangeDenied, POD_STALLED, QUOTAS),
    (
        Reason::PodsRefused,
        POD_STALLED,
        "`kubectl describe statefulset WORKLOAD -n NS`, or that of the ReplicaSet, has the refusal as an event.",
    ),
    (Reason::PVCPending, POD, "`kubectl describe pvc CLAIM -n NS`."),
    (Reason::Unschedulable, POD, "`kubectl describe pod POD -n NS` has the scheduler's last word."),
    (Reason::NodeLost, POD, "`kubectl get nodes`."),
    (Reason::Evicted, POD, "`kubectl describe node NODE`."),
    (
        Reason::ImagePullFailed,
        POD_STALLED,
        "Where the registry does not answer at all, a pod stays in ContainerCreating for up to a minute before this reason appears.",
    ),
    (Reason::ContainerNotCreated, POD_STALLED, "`kubectl describe pod POD -n NS` has the kubelet's words."),
    (
        Reason::StorageUnreachable,
        POD,
        "The operator's own probe is `StorageReady`: when that is `True`, only the pods cannot reach the store.",
    ),
    (Reason::BucketMissing, POD, "`status.buckets`."),
    (Reason::OOMKilled, POD, "[Set limits](../how-to/resources-and-policy.md#set-them)."),
    (
        Reason::CrashLoop,
        POD,
        "`kubectl logs POD -n NS --previous`. Its last lines are in the message already.",
    ),
    (Reason::ProbeFailing, POD, "`kubectl describe pod POD -n NS` has the probe's answers as events."),
    (Reason::DeadlineExceeded, POD_STALLED, "`kubectl describe pod POD -n NS`."),
    (
        Reason::VolumeExpansionUnsupported,
        PLAN,
        "[Grow a volume](../how-to/resources-and-policy.md#grow-a-volume).",
    ),
    (Reason::RingUnhealthy, &[Ready, RingsHealthy], "[Rings](../how-to/troubleshooting.md#rings)."),
    (Reason::QuorumLost, &[Ready, Available, RingsHealthy], "[Replication](../explanation/replication.md)."),
    (Reason::RingsActive, &[RingsHealthy], ""),
    (Reason::RingsUnknown, &[RingsHealthy], "[Rings](../how-to/troubleshooting.md#rings)."),
    (Reason::NoRings, &[RingsHealthy], ""),
    (Reason::Verified, &[DataPathVerified], ""),
    (Reason::NotYetRun, &[DataPathVerified], CANARY),
    (Reason::WriteFailed, &[DataPathVerified], CANARY),
    (Reason::ReadBackTimeout, &[DataPathVerified], CANARY),
    (Reason::ObjectNotSeen, &[DataPathVerified], CANARY),
    (Reason::DataPathBroken, &[Ready], CANARY),
    (Reason::QuotaFits, &[QuotaSatisfied], ""),
    (Reason::InsufficientQuota, &[QuotaSatisfied], QUOTAS),
    (Reason::QuotaRequiresCPULimits, &[Available, WorkloadsReady, QuotaSatisfied], QUOTAS),
    (Reason::LimitRangeConflict, &[QuotaSatisfied], QUOTAS),
    (
        Reason::QuotaUnreadable,
        &[QuotaSatisfied],
        "[The operator's rights](../explanation/security.md#what-the-operator-may-do).",
    ),
    (Reason::PolicyKept, &[PolicyCompliant], ""),
    (Reason::CPULimitFromLimitRange, POLICY, VIOLATIONS),
    (Reason::CPULimitFromWebhook, POLICY, VIOLATIONS),
    (Reason::CPULimitByHand, POLICY, VIOLATIONS),
    (Reason::MissingRequest, POLICY, VIOLATIONS),
    (Reason::MissingMemoryLimit, POLICY, VIOLATIONS),
    (Reason::UnexpectedMemoryLimit, POLICY, VIOLATIONS),
    (Reason::NotVerified, &[PolicyCompliant, FaultTolerant], ""),
    (Reason::PolicyViolation, &[Ready], VIOLATIONS),
    (Reason::Tolerant, &[FaultTolerant], ""),
    (Reason::ReplicationFactorTooLow, &[FaultTolerant], "[Replication](../explanation/replication.md)."),
    (Reason::SingleReplica, &[FaultTolerant], ""),
    (Reason::ZonesTooFew, &[FaultTolerant], "`kubectl get nodes -L topology.kubernetes.io/zone`."),
    (Reason::NoSlack, &[DisruptionProtected], "`kubectl get pdb -n NS`."),
    (
        Reason::Unprotected,
        &[DisruptionProtected],
        "[Disruption budgets](../how-to/resources-and-policy.md#disruption-budgets).",
    ),
    (Reason::NoDrift, &[DriftFree], ""),
    (Reason::Repaired, &[DriftFree], "[Drift](../how-to/drift.md)."),
    (
        Reason::Contested,
        &[Ready, Stalled, PlanApplied, DriftFree],
        "[Two managers](../how-to/drift.md#two-managers).",
    ),
    (Reason::AwaitingApproval, APPROVAL, APPROVE),
    (Reason::ApprovalStale, APPROVAL, APPROVE),
    (Reason::InSupport, &[Supported], ""),
    (Reason::ChartEndOfSupport, &[Supported], "[The catalog](charts.md)."),
    (Reason::UntestedVersion, &[Supported], "[The catalog](charts.md)."),
    (Reason::DatasourcesNotReady, &[Ready], ""),
    (
        Reason::NamespaceMissing,
        &[Stalled, DatasourcesReady],
        "The operator does not make namespaces. Everything else of the stack is in place.",
    ),
    (
        Reason::GrafanaOperatorMissing,
        &[Stalled, DatasourcesReady],
        "Everything else of the stack is in place.",
    ),
    (Reason::DatasourcesProvisioned, &[DatasourcesReady], ""),
    (Reason::NoDatasources, &[DatasourcesReady], ""),
    (Reason::NothingToProtect, &[DisruptionProtected], ""),
    (Reason::Protected, &[DisruptionProtected], ""),
    (Reason::Disabled, &[DisruptionProtected], ""),
    (Reason::Drifted, &[], "[Drift](../how-to/drift.md)."),
    (Reason::InternalError, &[Ready, PlanApplied, DriftFree], "The operator's log."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_once_in_the_order_of_the_vocabulary() {
        let listed: Vec<_> = ENTRIES.iter().map(|(reason, ..)| *reason).collect();
        for reason in Reason::ALL {
            assert!(listed.contains(reason), "add {reason} to ENTRIES in {}", file!());
        }
        assert_eq!(listed, Reason::ALL);
    }

    #[test]
    fn only_drift_has_no_condition() {
        let bare = ENTRIES.iter().filter(|(_, conditions, _)| conditions.is_empty());
        assert_eq!(bare.map(|(reason, ..)| *reason).collect::<Vec<_>>(), [Reason::Drifted]);
    }
}
