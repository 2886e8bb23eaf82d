//! Events: one for each transition that people want to see, with the same words as the condition.

use obstack_api::{ConditionStatus, ConditionType, Reason, StackStatus};

use crate::objects::ObjectId;

/// An event to publish on the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventIntent {
    /// A warning rather than a piece of news.
    pub warning: bool,
    /// Why, in one word. Stable, because events are merged by it.
    pub reason: Reason,
    /// What happened.
    pub note: String,
    /// The object it happened to, when it is not the stack itself. Events about different objects are not merged.
    pub related: Option<ObjectId>,
}

/// Conditions whose transitions are events.
const SPOKEN: &[ConditionType] = &[
    ConditionType::Ready,
    ConditionType::Available,
    ConditionType::SpecValid,
    ConditionType::StorageReady,
    ConditionType::PlanApplied,
    ConditionType::WorkloadsReady,
    ConditionType::DatasourcesReady,
    ConditionType::QuotaSatisfied,
    ConditionType::PolicyCompliant,
    ConditionType::RingsHealthy,
    ConditionType::DataPathVerified,
    ConditionType::DriftFree,
];

/// Those of them that stand beside the gates of Ready.
const BESIDE: &[ConditionType] = &[
    ConditionType::QuotaSatisfied,
    ConditionType::PolicyCompliant,
    ConditionType::RingsHealthy,
    ConditionType::DataPathVerified,
    ConditionType::DriftFree,
];

/// The events between two statuses.
pub(super) fn of(previous: &StackStatus, status: &StackStatus) -> Vec<EventIntent> {
    let mut events: Vec<EventIntent> = Vec::new();
    for condition in status.conditions.iter().filter(|condition| SPOKEN.contains(&condition.type_)) {
        let before = previous.conditions.iter().find(|before| before.type_ == condition.type_);
        let changed = before
            .is_none_or(|before| before.status != condition.status || before.reason != condition.reason);
        let good = condition.status == ConditionStatus::True;
        // Of what stands beside the gates only the end of a fault is news, not that there never was one.
        let news = good
            && match before {
                Some(before) if BESIDE.contains(&condition.type_) => before.status == ConditionStatus::False,
                Some(before) => before.status != ConditionStatus::True,
                None => !BESIDE.contains(&condition.type_),
            };
        let Some(reason) = Reason::named(&condition.reason) else {
            continue;
        };
        let calm = matches!(
            reason,
            Reason::RolloutInProgress
                | Reason::Applying
                | Reason::Progressing
                | Reason::Pending
                | Reason::StorageNotReady
                | Reason::NoReadyReplicas
                | Reason::ComponentsNotReady
                | Reason::PolicyViolation
                | Reason::DataPathBroken
                | Reason::Repaired
                | Reason::NotVerified
                | Reason::RingsUnknown
                | Reason::QuotaUnreadable
                | Reason::CreatingBuckets
        );
        // What the canary has never proved is most likely starting.
        let calm = calm
            || (condition.type_ == ConditionType::DataPathVerified
                && condition.status == ConditionStatus::Unknown);
        if !changed || (good && !news) || (!good && calm) || events.iter().any(|event| event.reason == reason)
        {
            continue;
        }
        let quiet = matches!(reason, Reason::Suspended | Reason::Terminating);
        events.push(EventIntent {
            warning: !good && !quiet,
            reason,
            note: format!("{}: {}", condition.type_, condition.message),
            related: None,
        });
    }
    events
}

/// The event of a repaired object.
pub fn drift_event(id: &ObjectId, deleted: bool, manager: Option<&str>) -> EventIntent {
    let what = if deleted { "was deleted" } else { "was changed" };
    let who = manager.map(|manager| format!(" by {manager}")).unwrap_or_default();
    EventIntent {
        warning: true,
        reason: Reason::Drifted,
        note: format!("{id} {what}{who}; it was put back"),
        related: Some(id.clone()),
    }
}
