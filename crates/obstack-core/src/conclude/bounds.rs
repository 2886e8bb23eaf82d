//! Keeps a status small: it is sent to everybody who watches, on each change.

use obstack_api::StackStatus;

/// Most bytes of a status as JSON.
pub(super) const MAX_BYTES: usize = 32 * 1024;

/// How much of each text and list stays.
struct Caps {
    condition: usize,
    message: usize,
    list: usize,
}

/// Enough for every message that people have met.
const WIDE: Caps = Caps { condition: 2_000, message: 400, list: 50 };
/// Where that is too much: sixteen conditions, twenty components and full lists come to less than 28 KiB.
const NARROW: Caps = Caps { condition: 500, message: 120, list: 12 };

/// Shortens what is too long.
pub(super) fn keep(status: &mut StackStatus) {
    cut(status, &WIDE);
    if serde_json::to_vec(status).is_ok_and(|bytes| bytes.len() > MAX_BYTES) {
        cut(status, &NARROW);
    }
}

fn cut(status: &mut StackStatus, caps: &Caps) {
    for condition in &mut status.conditions {
        shorten(&mut condition.message, caps.condition);
    }
    let components = status.components.iter_mut().filter_map(|component| component.message.as_mut());
    let buckets = status.buckets.iter_mut().filter_map(|bucket| bucket.message.as_mut());
    for message in components.chain(buckets) {
        shorten(message, caps.message);
    }
    for advisory in &mut status.advisories {
        shorten(&mut advisory.message, caps.message);
        shorten(&mut advisory.fix, caps.message);
    }
    status.advisories.truncate(caps.list);
    if let Some(policy) = &mut status.policy {
        policy.violations.truncate(caps.list);
        for violation in &mut policy.violations {
            shorten(&mut violation.message, caps.message);
        }
    }
    if let Some(quota) = &mut status.quota {
        quota.blockers.truncate(caps.list);
    }
    if let Some(plan) = &mut status.plan {
        plan.restarts.truncate(caps.list);
        plan.disruptive.truncate(caps.list);
        for why in &mut plan.disruptive {
            shorten(why, caps.message);
        }
    }
}

/// Cuts a text to so many bytes, between characters.
fn shorten(text: &mut String, bytes: usize) {
    const MARK: &str = "...";
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub(MARK.len())));
        text.push_str(MARK);
    }
}

#[cfg(test)]
mod tests {
    use obstack_api::{
        Advisory, BucketStatus, ComponentStatus, Condition, ConditionStatus, ConditionType, PlanStatus,
        PolicyOrigin, PolicyRule, PolicyStatus, PolicyViolation, QuotaBlocker, QuotaStatus,
    };
    use proptest::prelude::*;

    use super::*;

    fn full(text: &str) -> StackStatus {
        let condition = |type_: &ConditionType| Condition {
            type_: *type_,
            status: ConditionStatus::False,
            observed_generation: Some(1_000),
            last_transition_time: "2026-01-01T00:00:00Z".into(),
            reason: "VolumeExpansionUnsupported".into(),
            message: text.to_owned(),
        };
        let component = |index: i32| ComponentStatus {
            name: format!("metrics.overridesExporter{index}"),
            kind: Some("Deployment".into()),
            workload: Some("a-stack-with-a-rather-long-name-mimir-overrides-exporter".into()),
            reason: Some("VolumeExpansionUnsupported".into()),
            image: Some("registry.example.com:5000/mirror/grafana/mimir:3.1.2".into()),
            message: Some(text.to_owned()),
            ..ComponentStatus::default()
        };
        let violation = |index: i32| PolicyViolation {
            component: format!("metrics.overridesExporter{index}"),
            container: "overrides-exporter".into(),
            rule: PolicyRule::NoCPULimit,
            origin: PolicyOrigin::LimitRange,
            pods: 1_000,
            message: text.to_owned(),
        };
        let advisory = |index: i32| Advisory {
            code: format!("MimirReplicationFactor{index}"),
            message: text.to_owned(),
            fix: text.to_owned(),
            ..Advisory::default()
        };
        let blocker = |index: i32| QuotaBlocker {
            quota: format!("compute-long-running-quota-{index}"),
            resource: "standard.storageclass.storage.k8s.io/requests.storage".into(),
            needs: "12928Mi".into(),
            free: "1024Mi".into(),
        };
        StackStatus {
            conditions: ConditionType::ALL.iter().map(condition).collect(),
            components: (0..20).map(component).collect(),
            buckets: vec![BucketStatus { message: Some(text.to_owned()), ..BucketStatus::default() }; 4],
            advisories: (0..50).map(advisory).collect(),
            policy: Some(PolicyStatus {
                violations: (0..200).map(violation).collect(),
                ..PolicyStatus::default()
            }),
            quota: Some(QuotaStatus { blockers: (0..200).map(blocker).collect(), ..QuotaStatus::default() }),
            plan: Some(PlanStatus {
                restarts: vec!["metrics.overridesExporter".into(); 100],
                disruptive: vec![text.to_owned(); 100],
                ..PlanStatus::default()
            }),
            ..StackStatus::default()
        }
    }

    #[test]
    fn a_message_of_common_length_stays_whole() {
        let message = "pod a: image b cannot be pulled. ".repeat(10);
        let mut status = StackStatus { conditions: full(&message).conditions, ..StackStatus::default() };
        keep(&mut status);
        assert!(status.conditions.iter().all(|condition| condition.message == message));
    }

    proptest! {
        #[test]
        fn a_status_stays_small_whatever_it_says(text in "[ -!#-\\[\\]-~é€𝄞]{0,3000}") {
            let mut status = full(&text);
            keep(&mut status);
            let bytes = serde_json::to_vec(&status).unwrap().len();
            prop_assert!(bytes <= MAX_BYTES, "{bytes} bytes");
            let again = { let mut again = status.clone(); keep(&mut again); again };
            prop_assert_eq!(again, status, "what is short enough is left alone");
        }
    }
}
