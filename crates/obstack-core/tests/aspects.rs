//! What is said beside the gates of Ready: which word stands, and when nobody can say.

#![cfg(test)]

mod common;
#[path = "common/living.rs"]
mod living;

use std::collections::BTreeMap;

use obstack_api::{
    ComponentState, Condition,
    ConditionStatus::{False, True, Unknown},
    ConditionType::{self, FaultTolerant, PolicyCompliant, QuotaSatisfied, RingsHealthy},
    Reason, StackStatus,
};
use obstack_core::{
    aspects::{self, Look, Seen},
    assemble::Plan,
    conclude::Fault,
    diagnose,
    live::{Live, QuotaFacts},
    quota,
    rings::{self, RingHealth, RingToAsk, Sick, State, Trouble, Verdict, Why},
    valid::ValidStack,
};

use self::{
    common::hand::Hand,
    living::{amount, as_planned},
};

struct Scene {
    stack: ValidStack,
    plan: Plan,
    live: Live,
    previous: StackStatus,
    asked: Option<Vec<RingToAsk>>,
    rings: Option<Vec<RingHealth>>,
}

fn scene() -> Scene {
    let stack = common::valid(&common::small_with(""));
    let plan = Hand::tempo("").plan();
    let mut live = as_planned(&plan);
    live.quotas = Some(vec![quota("100", "0")]);
    live.limit_ranges = Some(Vec::new());
    let asked = Some(rings::of(&stack));
    Scene { stack, plan, live, previous: StackStatus::default(), asked, rings: None }
}

fn quota(hard: &str, used: &str) -> QuotaFacts {
    let cpu = |text: &str| BTreeMap::from([("requests.cpu".to_owned(), amount(text))]);
    QuotaFacts { name: "q".into(), hard: cpu(hard), used: cpu(used), scopes: Vec::new() }
}

impl Scene {
    fn look(&self) -> Seen {
        let health = diagnose::of(&self.plan.components, &self.live, &[], 0);
        aspects::of(&Look {
            stack: &self.stack,
            components: &self.plan.components,
            health: &health,
            live: &self.live,
            applied: true,
            change: None,
            asked: self.asked.as_deref(),
            rings: self.rings.as_deref(),
            drift: None,
            previous: &self.previous,
            now: 0,
        })
    }

    /// One of its StatefulSets has lost all pods, and the controller makes them anew.
    fn rolls(&mut self) {
        let component = &self.plan.components[0];
        let workload = self.live.workloads.get_mut(&component.workload).unwrap();
        (workload.created, workload.ready, workload.updated) = (0, 0, 0);
        let name = component.name.clone();
        self.live.pods.retain(|pod| pod.component != name);
    }

    fn said(&mut self, type_: ConditionType, reason: Reason) {
        self.previous.conditions.push(Condition {
            type_,
            status: True,
            observed_generation: None,
            last_transition_time: "2026-01-01T00:00:00Z".into(),
            reason: reason.as_str().into(),
            message: "as before".into(),
        });
    }
}

fn of(seen: &Seen, type_: ConditionType) -> (obstack_api::ConditionStatus, Reason, String) {
    let finding = &seen.aspects[&type_];
    (finding.status, finding.reason, finding.message.clone())
}

#[test]
fn while_pods_are_made_two_counts_of_different_moments_say_nothing() {
    let mut scene = scene();
    scene.rolls();
    scene.live.quotas = Some(vec![quota("1m", "1m")]);
    assert_eq!(of(&scene.look(), QuotaSatisfied).1, Reason::InsufficientQuota, "nothing was said before");
    scene.said(QuotaSatisfied, Reason::QuotaFits);
    assert_eq!(of(&scene.look(), QuotaSatisfied), (True, Reason::QuotaFits, "as before".into()));
    let workload = scene.plan.components[0].workload.clone();
    scene.live.workloads.get_mut(&workload).unwrap().refusal = Some("exceeded quota: q".into());
    assert_eq!(of(&scene.look(), QuotaSatisfied).1, Reason::InsufficientQuota, "a pod is refused");
}

#[test]
fn what_was_said_of_another_spec_or_without_looking_is_no_word() {
    let mut scene = scene();
    scene.rolls();
    scene.live.quotas = Some(vec![quota("1m", "1m")]);
    scene.said(QuotaSatisfied, Reason::Suspended);
    assert_eq!(of(&scene.look(), QuotaSatisfied).1, Reason::InsufficientQuota);
    scene.previous.conditions.clear();
    scene.said(QuotaSatisfied, Reason::QuotaFits);
    scene.previous.observed_generation = Some(7);
    assert_eq!(of(&scene.look(), QuotaSatisfied).1, Reason::InsufficientQuota, "of an older generation");
}

#[test]
fn of_what_nobody_has_begun_there_is_no_word_but_that_nothing_was_verified() {
    let mut scene = scene();
    scene.plan.components.clear();
    let seen = scene.look();
    for type_ in [QuotaSatisfied, FaultTolerant, RingsHealthy] {
        assert!(!seen.aspects.contains_key(&type_), "{type_}");
    }
    assert_eq!(of(&seen, PolicyCompliant).0, Unknown);
}

#[test]
fn a_change_that_asked_is_what_the_quota_is_held_against() {
    let mut scene = scene();
    scene.rolls();
    scene.said(QuotaSatisfied, Reason::QuotaFits);
    let none = BTreeMap::new();
    let live = Live { quotas: Some(vec![quota("1m", "1m")]), ..scene.live.clone() };
    let asked = quota::preflight(&scene.stack.quota, &scene.plan.components, &[].into(), &none, &live);
    let health = diagnose::of(&scene.plan.components, &scene.live, &[], 0);
    let seen = aspects::of(&Look {
        stack: &scene.stack,
        components: &scene.plan.components,
        health: &health,
        live: &scene.live,
        applied: false,
        change: Some(&asked),
        asked: None,
        rings: None,
        drift: None,
        previous: &scene.previous,
        now: 0,
    });
    assert_eq!(of(&seen, QuotaSatisfied).1, Reason::InsufficientQuota);
    assert!(!seen.aspects.contains_key(&RingsHealthy), "nobody asks");
}

#[test]
fn the_worst_ring_speaks_and_silence_is_unknown() {
    let mut scene = scene();
    let page = scene.asked.as_ref().unwrap().first().cloned().expect("Tempo has a ring");
    let trouble = Trouble {
        active: 2,
        members: 3,
        sick: vec![Sick { member: "i-1".into(), state: State::Unhealthy }],
        ..Trouble::default()
    };
    let verdicts = [
        (Verdict::Healthy { members: 3 }, True, Reason::RingsActive),
        (Verdict::Unknown(Why::Forbidden), Unknown, Reason::RingsUnknown),
        (Verdict::Unhealthy(trouble.clone()), False, Reason::RingUnhealthy),
        (Verdict::QuorumLost { trouble, left: 1, needed: 2 }, False, Reason::QuorumLost),
    ];
    let mut said = Vec::new();
    for (verdict, status, reason) in verdicts {
        said.insert(0, RingHealth { asked: page.clone(), verdict });
        scene.rings = Some(said.clone());
        let seen = scene.look();
        assert_eq!((of(&seen, RingsHealthy).0, of(&seen, RingsHealthy).1), (status, reason));
    }
    scene.rings = None;
    assert_eq!(of(&scene.look(), RingsHealthy).0, Unknown, "nobody has answered yet");
    scene.said(RingsHealthy, Reason::RingsActive);
    assert_eq!(
        of(&scene.look(), RingsHealthy).1,
        Reason::RingsActive,
        "after a restart the last word stands"
    );
    scene.asked = Some(Vec::new());
    assert_eq!(of(&scene.look(), RingsHealthy).1, Reason::NoRings);
}

#[test]
fn what_is_held_before_it_began_is_blocked_component_by_component() {
    let scene = scene();
    let held = Fault { reason: Reason::QuotaExceeded, message: "nothing was started: ...".into() };
    let health = diagnose::of(&scene.plan.components, &Live::default(), &[], 0);
    for component in aspects::unstarted(health, &held) {
        assert_eq!(component.status.state, ComponentState::Blocked);
        assert_eq!(component.status.reason.as_deref(), Some("QuotaExceeded"));
        assert_eq!(component.status.message.as_deref(), Some("not started"));
        assert_eq!(component.cause.unwrap().message, held.message);
    }
}
