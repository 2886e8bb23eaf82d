//! The conditions of each situation. Messages hold names and numbers and no clock, or every write would cause the next.

use obstack_api::{
    ConditionStatus::{self, False, True, Unknown},
    ConditionType::{
        self, Available, DatasourcesReady, DisruptionProtected, PlanApplied, Ready, Reconciling, SpecValid,
        Stalled, StorageReady, WorkloadsReady,
    },
    Reason, StackStatus,
};

use super::{Applied, Fault, Followed, Situation};
use crate::{health, violation::Violation};

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) type_: ConditionType,
    pub(super) status: ConditionStatus,
    pub(super) reason: Reason,
    pub(super) message: String,
}

fn draft(type_: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Draft {
    Draft { type_, status, reason, message: message.into() }
}

/// The conditions, in the order of their documentation.
pub(super) fn of(situation: &Situation, previous: &StackStatus) -> Vec<Draft> {
    match situation {
        Situation::Invalid(violations) => invalid(violations, previous),
        Situation::Suspended => {
            held(previous, Reason::Suspended, "spec.suspend is true: nothing is created, changed or repaired")
        }
        Situation::Terminating => held(previous, Reason::Terminating, "the stack is being deleted"),
        Situation::Followed(followed) => follow(followed),
    }
}

/// Conditions that the situation says nothing of stay as they were seen last.
fn kept(previous: &StackStatus, types: &[ConditionType]) -> Vec<Draft> {
    let reason = |text: &str| {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == text).unwrap_or(Reason::Pending)
    };
    types
        .iter()
        .filter_map(|type_| previous.conditions.iter().find(|condition| condition.type_ == *type_))
        .map(|before| draft(before.type_, before.status, reason(&before.reason), before.message.clone()))
        .collect()
}

/// The spec has faults: what runs is left alone, so it may well go on serving.
fn invalid(violations: &[Violation], previous: &StackStatus) -> Vec<Draft> {
    let reason = violations.first().map_or(Reason::InvalidSpec, |first| first.reason);
    let list: Vec<_> = violations.iter().map(ToString::to_string).collect();
    let message = match list.len() {
        0 | 1 => list.join(""),
        n => format!("{n} faults: {}", list.join("; ")),
    };
    let mut drafts = vec![
        draft(Ready, False, Reason::InvalidSpec, message.clone()),
        draft(Reconciling, False, Reason::Blocked, "nothing was changed; waiting for a corrected spec"),
        draft(Stalled, True, Reason::InvalidSpec, message.clone()),
        draft(SpecValid, False, reason, message),
    ];
    drafts.extend(kept(
        previous,
        &[Available, StorageReady, PlanApplied, WorkloadsReady, DatasourcesReady, DisruptionProtected],
    ));
    drafts
}

fn held(previous: &StackStatus, reason: Reason, message: &str) -> Vec<Draft> {
    let mut drafts = vec![
        draft(Ready, False, reason, message),
        draft(Reconciling, False, reason, message),
        draft(Stalled, False, reason, message),
    ];
    drafts.extend(kept(
        previous,
        &[
            Available,
            SpecValid,
            StorageReady,
            PlanApplied,
            WorkloadsReady,
            DatasourcesReady,
            DisruptionProtected,
        ],
    ));
    drafts
}

fn follow(followed: &Followed) -> Vec<Draft> {
    let gates = [storage(followed), plan(followed), workloads(followed), datasources(followed)];
    let ready = ready(followed, &gates);
    let stalled = stalled(followed, &gates);
    let reconciling = match (ready.status == True, stalled.status == True) {
        (true, _) => draft(Reconciling, False, Reason::Idle, "nothing is left to do"),
        (_, true) => draft(Reconciling, False, Reason::Blocked, stalled.message.clone()),
        _ => draft(Reconciling, True, Reason::Progressing, ready.message.clone()),
    };
    let mut drafts = vec![
        ready,
        available(followed),
        reconciling,
        stalled,
        draft(SpecValid, True, Reason::Valid, "the spec passes all checks"),
    ];
    drafts.extend(gates);
    drafts.push(protection(followed));
    drafts
}

fn storage(followed: &Followed) -> Draft {
    let names: Vec<_> =
        followed.buckets.iter().filter(|b| b.fault.is_some()).map(|b| b.name.as_str()).collect();
    match followed.buckets.iter().find_map(|bucket| bucket.fault.as_ref()) {
        Some(fault) if names.len() > 1 => draft(
            StorageReady,
            False,
            fault.reason,
            format!("{} ({} buckets: {})", fault.message, names.len(), names.join(", ")),
        ),
        Some(fault) => draft(StorageReady, False, fault.reason, fault.message.clone()),
        None => draft(
            StorageReady,
            True,
            Reason::BucketsReady,
            format!("{} buckets exist and take, return and delete an object", followed.buckets.len()),
        ),
    }
}

fn plan(followed: &Followed) -> Draft {
    match &followed.applied {
        Applied::All => {
            draft(PlanApplied, True, Reason::Applied, format!("{} objects are in place", followed.objects))
        }
        Applied::Waiting => draft(
            PlanApplied,
            False,
            Reason::StorageNotReady,
            "nothing is applied before the buckets are ready",
        ),
        Applied::Failed(fault) => draft(PlanApplied, False, fault.reason, fault.message.clone()),
    }
}

fn workloads(followed: &Followed) -> Draft {
    match health::first_cause(&followed.components) {
        Some(cause) => draft(WorkloadsReady, False, cause.reason, cause.message.clone()),
        None if followed.components.is_empty() => {
            draft(WorkloadsReady, False, Reason::RolloutInProgress, "no workload was applied yet")
        }
        None => {
            let pods: i32 = followed.components.iter().map(|component| component.status.desired).sum();
            let message = format!(
                "{} components with {pods} pods are ready at their newest revision",
                followed.components.len()
            );
            draft(WorkloadsReady, True, Reason::AllReady, message)
        }
    }
}

fn datasources(followed: &Followed) -> Draft {
    let names: Vec<_> =
        followed.report.datasources.iter().map(|datasource| datasource.name.as_str()).collect();
    match (&followed.datasources_fault, &followed.applied) {
        (Some(fault), _) => draft(DatasourcesReady, False, fault.reason, fault.message.clone()),
        (None, _) if names.is_empty() => {
            draft(DatasourcesReady, True, Reason::NoDatasources, "spec.grafana.datasources asks for none")
        }
        (None, Applied::All) => draft(
            DatasourcesReady,
            True,
            Reason::DatasourcesProvisioned,
            format!("{} are where Grafana's sidecar finds them", names.join(", ")),
        ),
        (None, _) => draft(
            DatasourcesReady,
            False,
            Reason::Applying,
            format!("{} are applied with the rest", names.join(", ")),
        ),
    }
}

fn protection(followed: &Followed) -> Draft {
    match (followed.protected, &followed.applied) {
        (None, _) => draft(
            DisruptionProtected,
            False,
            Reason::Disabled,
            "spec.disruption.podDisruptionBudgets is Disabled",
        ),
        (Some(0), Applied::All) => draft(
            DisruptionProtected,
            True,
            Reason::NothingToProtect,
            "no component has more than one replica",
        ),
        (Some(n), Applied::All) => draft(
            DisruptionProtected,
            True,
            Reason::Protected,
            format!("{n} components have a disruption budget of one pod"),
        ),
        _ => draft(DisruptionProtected, Unknown, Reason::Applying, "the budgets are applied with the rest"),
    }
}

/// Ready falls with the first gate that does not hold, and says its cause.
fn ready(followed: &Followed, gates: &[Draft]) -> Draft {
    let Some(gate) = gates.iter().find(|gate| gate.status != True) else {
        let pods: i32 = followed.components.iter().map(|component| component.status.desired).sum();
        return draft(
            Ready,
            True,
            Reason::AllReady,
            format!("{pods} pods ready, {} buckets reachable", followed.buckets.len()),
        );
    };
    let reason = match gate.type_ {
        StorageReady => Reason::StorageNotReady,
        DatasourcesReady => Reason::DatasourcesNotReady,
        WorkloadsReady
            if gate.reason == Reason::QuotaExceeded || gate.reason == Reason::RolloutInProgress =>
        {
            gate.reason
        }
        WorkloadsReady => Reason::ComponentsNotReady,
        _ => gate.reason,
    };
    draft(Ready, False, reason, gate.message.clone())
}

fn available(followed: &Followed) -> Draft {
    let missing: Vec<_> = followed.components.iter().filter(|component| !component.available).collect();
    match missing.first() {
        _ if followed.components.is_empty() => {
            draft(Available, False, Reason::NoReadyReplicas, "no component is running")
        }
        None => draft(Available, True, Reason::Serving, "every component has enough ready pods to serve"),
        Some(first) => draft(
            Available,
            False,
            first.cause.as_ref().map_or(Reason::NoReadyReplicas, |cause| cause.reason),
            format!(
                "{} has {} of {} pods ready",
                first.status.name, first.status.ready, first.status.desired
            ),
        ),
    }
}

/// Faults that no waiting mends.
fn stalled(followed: &Followed, gates: &[Draft]) -> Draft {
    let hopeless = |gate: &&Draft| {
        gate.status == False
            && matches!(
                gate.reason,
                Reason::AccessKeyRejected
                    | Reason::SignatureRejected
                    | Reason::AccessDenied
                    | Reason::NoSuchBucket
                    | Reason::BucketExists
                    | Reason::BucketOwnedByOther
                    | Reason::TLSVerificationFailed
                    | Reason::InvalidBucketName
                    | Reason::ChartUnknown
                    | Reason::ChartDigestMismatch
                    | Reason::ChartUnsupported
                    | Reason::ChartUnavailable
                    | Reason::RenderFailed
                    | Reason::InvalidPatch
                    | Reason::OverrideViolatesPolicy
                    | Reason::FieldConflict
                    | Reason::QuotaExceeded
                    | Reason::PodsRefused
                    | Reason::NamespaceMissing
            )
    };
    match gates.iter().find(hopeless) {
        Some(gate) => draft(Stalled, True, gate.reason, gate.message.clone()),
        None => match &followed.datasources_fault {
            Some(Fault { reason: Reason::NamespaceMissing, message }) => {
                draft(Stalled, True, Reason::NamespaceMissing, message.clone())
            }
            _ => draft(Stalled, False, Reason::Progressing, "nothing stops the stack"),
        },
    }
}
