//! What a pipeline waits for, and when waiting is in vain.

use std::str::FromStr;

use obstack_api::{Condition, ConditionStatus, ConditionType, ObservabilityStack, Reason};

use crate::{
    args::COMMAND,
    cluster::{key_of, nearest},
    story::FirstCause,
    told::{self, Told},
};

/// A condition that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Which.
    pub type_: ConditionType,
    /// The status it has to have.
    pub status: ConditionStatus,
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, status) = text.split_once('=').unwrap_or((text, "True"));
        let same = |word: &str, text: &str| word.eq_ignore_ascii_case(text);
        let type_ = ConditionType::ALL.iter().copied().find(|type_| same(type_.as_str(), name));
        let names = ConditionType::ALL.iter().map(|type_| type_.as_str());
        let type_ = type_.ok_or_else(|| match nearest(name, names.clone()) {
            Some(meant) => format!("there is no condition {name}; did you mean {meant}?"),
            None => {
                format!("there is no condition {name}; there are {}", names.collect::<Vec<_>>().join(", "))
            }
        })?;
        let all = [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown];
        let found = all.into_iter().find(|known| same(told::word(*known), status));
        let status = found.ok_or_else(|| format!("`{status}` is none of True, False and Unknown"))?;
        Ok(Self { type_, status })
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.type_, told::word(self.status))
    }
}

/// What a look comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is so, for the spec as it is.
    Reached,
    /// It may still come.
    Wait,
    /// It does not come before a person acts.
    Hopeless,
}

/// Judges a stack. Nothing is believed that was said of an older spec.
pub fn judge(stack: &ObservabilityStack, until: Until, ignore_stalled: bool) -> Judgement {
    if Told::of(stack) != Told::Now {
        return Judgement::Wait;
    }
    if current(stack, until.type_).is_some_and(|said| said.status == until.status) {
        return Judgement::Reached;
    }
    let stalled =
        current(stack, ConditionType::Stalled).is_some_and(|said| said.status == ConditionStatus::True);
    let suspended =
        current(stack, ConditionType::Ready).is_some_and(|said| said.reason == Reason::Suspended.as_str());
    let waits = needs_the_plan(until) && awaits_approval(stack).is_some();
    if (stalled || suspended || waits) && !ignore_stalled { Judgement::Hopeless } else { Judgement::Wait }
}

/// Whether it cannot be so before the plan is applied. What serves already may become available meanwhile.
fn needs_the_plan(until: Until) -> bool {
    matches!(until.type_, ConditionType::Ready | ConditionType::PlanApplied)
        && until.status == ConditionStatus::True
}

/// The condition that says that the plan waits for a person.
fn awaits_approval(stack: &ObservabilityStack) -> Option<&Condition> {
    let waits = |reason: &str| {
        matches!(Reason::named(reason), Some(Reason::AwaitingApproval | Reason::ApprovalStale))
    };
    current(stack, ConditionType::PlanApplied).filter(|said| waits(&said.reason))
}

/// A condition that speaks of the spec as it is.
fn current(stack: &ObservabilityStack, type_: ConditionType) -> Option<&Condition> {
    let said = told::condition(stack, type_)?;
    (said.observed_generation >= stack.metadata.generation).then_some(said)
}

/// Why it is not so yet, and what to do.
pub fn why(stack: &ObservabilityStack, until: Until) -> (String, Option<String>) {
    if let Some(caveat) = Told::of(stack).caveat() {
        return (caveat, Some("see that the operator runs and watches this namespace".to_owned()));
    }
    let stalled = current(stack, ConditionType::Stalled).filter(|said| said.status == ConditionStatus::True);
    let waits = awaits_approval(stack).filter(|_| needs_the_plan(until));
    let asked = current(stack, until.type_).or_else(|| current(stack, ConditionType::Ready));
    let Some(said) = stalled.or(waits).or(asked) else {
        return (format!("it has no condition {}", until.type_), None);
    };
    let reason = obstack_core::conclude::fallen_with(&told::status(stack))
        .filter(|_| stalled.is_none() && waits.is_none())
        .map_or_else(|| said.reason.clone(), |gate| gate.reason.clone());
    let name = format!("{} -n {}", key_of(stack).name, key_of(stack).namespace);
    let fix = match Reason::named(&reason) {
        Some(Reason::Suspended) => Some(format!("`{COMMAND} resume {name}` lets the operator go on")),
        Some(Reason::AwaitingApproval | Reason::ApprovalStale) => Some(format!(
            "read the plan, then: `{COMMAND} approve {name}` lets the change that waits through"
        )),
        _ => FirstCause::of(&reason).fix,
    };
    let why = format!("{}={}, {}: {}", said.type_, told::word(said.status), said.reason, said.message);
    // The message may end in the fix already.
    let fix = fix.filter(|fix| !why.contains(fix.as_str()));
    (why, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn conditions_are_waited_for_by_name_and_status() {
        let until = |type_, status| Ok(Until { type_, status });
        assert_eq!("Ready".parse(), until(ConditionType::Ready, ConditionStatus::True));
        assert_eq!("available=false".parse(), until(ConditionType::Available, ConditionStatus::False));
        let wrong = Until::from_str("Raedy").unwrap_err();
        assert!(wrong.ends_with("did you mean Ready?"), "{wrong}");
        assert!(Until::from_str("Ready=Maybe").is_err());
    }

    #[test]
    fn nothing_is_believed_of_an_older_spec() {
        let ready = "Ready".parse().unwrap();
        let mut stack = fixtures::stack("ready");
        assert_eq!(judge(&stack, ready, false), Judgement::Reached);
        stack.metadata.generation = Some(9);
        assert_eq!(judge(&stack, ready, false), Judgement::Wait);
        stack.status = None;
        assert_eq!(judge(&stack, ready, false), Judgement::Wait);
    }

    #[test]
    fn waiting_is_in_vain_once_a_person_has_to_act() {
        let ready = "Ready".parse().unwrap();
        let stack = fixtures::stack("signature-rejected");
        assert_eq!(judge(&stack, ready, false), Judgement::Hopeless);
        assert_eq!(judge(&stack, ready, true), Judgement::Wait);
        assert_eq!(judge(&stack, "Stalled".parse().unwrap(), false), Judgement::Reached);
        let (why, fix) = why(&stack, ready);
        assert!(why.starts_with("Stalled=True, SignatureRejected: "), "{why}");
        assert!(fix.is_some_and(|fix| fix.starts_with("Correct the secret key")));
        assert_eq!(judge(&fixtures::stack("suspended"), ready, false), Judgement::Hopeless);
    }

    #[test]
    fn a_plan_that_waits_for_a_person_is_not_waited_for() {
        let ready = "Ready".parse().unwrap();
        let stack = fixtures::stack("awaiting-approval");
        assert_eq!(judge(&stack, ready, false), Judgement::Hopeless);
        assert_eq!(judge(&stack, "PlanApplied".parse().unwrap(), false), Judgement::Hopeless);
        assert_eq!(judge(&stack, ready, true), Judgement::Wait);
        let (why, fix) = why(&stack, ready);
        assert!(why.starts_with("PlanApplied=False, AwaitingApproval: "), "{why}");
        let approve =
            format!("`kubectl obstack approve {} -n {}`", key_of(&stack).name, key_of(&stack).namespace);
        assert!(fix.as_ref().is_some_and(|fix| fix.contains(&approve)), "{fix:?}");
        // What runs is not the plan's: it may fall and rise meanwhile.
        let mut fallen = stack;
        let said = &mut fallen.status.as_mut().unwrap().conditions;
        said.iter_mut().find(|said| said.type_ == ConditionType::Available).unwrap().status =
            ConditionStatus::False;
        assert_eq!(judge(&fallen, "Available".parse().unwrap(), false), Judgement::Wait);
    }
}
