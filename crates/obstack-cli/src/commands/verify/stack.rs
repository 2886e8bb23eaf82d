//! What the operator says of a stack, and which operator it is.

use obstack_api::{ConditionStatus, ConditionType, Reason};
use obstack_core::finding::Finding;

use super::{
    check::{Check, Id, Outcome},
    scene::{NotValid, Scene},
};
use crate::args::COMMAND;
use crate::operator;

/// The checks.
pub fn all(scene: &Scene) -> Vec<Check> {
    let mut checks = vec![seen(scene)];
    checks.extend(spec(scene));
    checks.push(active(scene.stack.spec.suspend));
    let finding = |type_| scene.condition(type_).and_then(Finding::said);
    checks.push(ready(finding(ConditionType::Ready).as_ref()));
    checks.push(going(finding(ConditionType::Stalled).as_ref()));
    checks.push(version(scene.written_by.as_ref().map(Option::as_deref)));
    checks
}

fn seen(scene: &Scene) -> Check {
    let generation = scene.stack.metadata.generation.unwrap_or_default();
    let observed = scene.stack.status.as_ref().and_then(|status| status.observed_generation);
    generations(generation, observed, &scene.key.namespace)
}

fn generations(generation: i64, observed: Option<i64>, namespace: &str) -> Check {
    let behind = match observed {
        Some(observed) if observed == generation => {
            return Id::Seen.passed(format!("the operator has seen generation {generation}, the newest"));
        }
        Some(observed) => {
            format!("the operator has seen generation {observed}, and the newest is {generation}")
        }
        None => format!("no operator has looked at the stack yet, at generation {generation}"),
    };
    Id::Seen
        .failed(behind)
        .because(Reason::Pending)
        .fix(format!("see that the operator runs, and that it watches namespace {namespace}"))
}

fn spec(scene: &Scene) -> Vec<Check> {
    match &scene.valid {
        Ok(_) => vec![Id::Spec.passed("the spec is valid")],
        Err(NotValid::Unread(why)) => vec![Id::Spec.unknown(why.clone())],
        Err(NotValid::Faults(faults)) => {
            faults.iter().map(|fault| Id::Spec.failed(fault.to_string()).because(fault.reason)).collect()
        }
    }
}

fn active(suspended: bool) -> Check {
    if suspended {
        return Id::Active
            .warns("the stack is suspended: nothing is created, changed or repaired")
            .because(Reason::Suspended)
            .fix(format!("go on with it: {COMMAND} resume"));
    }
    Id::Active.passed("the stack is not suspended")
}

fn ready(said: Option<&Finding>) -> Check {
    let Some(finding) = said else {
        return Id::Ready.failed("the operator has not said Ready of this generation yet");
    };
    // That is said by a check of its own.
    let bad = if finding.reason == Reason::Suspended { Outcome::Warning } else { Outcome::Failed };
    let mut check = Id::Ready.of(finding, bad);
    check.message = match finding.status {
        ConditionStatus::True => format!("Ready: {}", check.message),
        status => format!("Ready={status:?}: {}", check.message),
    };
    check
}

fn going(said: Option<&Finding>) -> Check {
    match said {
        // Here True is the bad one.
        Some(finding) if finding.status == ConditionStatus::True => {
            Id::Going.failed(format!("Stalled: {}", finding.message)).because(finding.reason)
        }
        Some(_) => Id::Going.passed("nothing waits for a person (Stalled=False)"),
        None => Id::Going.unknown("the operator has not said Stalled of this generation yet"),
    }
}

fn version(written_by: Result<Option<&str>, &String>) -> Check {
    match written_by {
        Err(why) => Id::Version.unknown(why.clone()),
        Ok(None) => Id::Version.unknown("no operator has written the stack's inventory yet"),
        Ok(Some(version)) if version == operator::OWN => {
            Id::Version.passed(format!("operator and client have version {version}"))
        }
        Ok(Some(version)) => Id::Version
            .warns(format!(
                "the operator that wrote the inventory has version {version}, this client {}",
                operator::OWN
            ))
            .fix("use a client of the operator's version: each judges by its own rules"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_nobody_saw_fails() {
        assert_eq!(generations(3, Some(3), "ns").result, Outcome::Passed);
        assert_eq!(generations(3, Some(2), "ns").result, Outcome::Failed);
        let never = generations(1, None, "ns");
        assert_eq!((never.result, never.reason), (Outcome::Failed, Some("Pending")));
    }

    #[test]
    fn a_suspended_stack_is_no_failure() {
        let suspended = Finding::fails(Reason::Suspended, "spec.suspend is true");
        assert_eq!(ready(Some(&suspended)).result, Outcome::Warning);
        let broken = Finding::fails(Reason::StorageNotReady, "gone");
        let check = ready(Some(&broken));
        assert_eq!((check.result, check.message.as_str()), (Outcome::Failed, "Ready=False: gone"));
        assert_eq!(check.runbook.as_deref(), Some("docs/runbook/StorageNotReady.md"));
    }

    #[test]
    fn a_stall_fails_and_another_version_warns() {
        let stalled = Finding::holds(Reason::AccessKeyRejected, "the key");
        assert_eq!(going(Some(&stalled)).result, Outcome::Failed);
        assert_eq!(going(Some(&Finding::fails(Reason::Idle, ""))).result, Outcome::Passed);
        assert_eq!(version(Ok(Some(operator::OWN))).result, Outcome::Passed);
        assert_eq!(version(Ok(Some("0.0.1"))).result, Outcome::Warning);
        assert_eq!(version(Ok(None)).result, Outcome::Unknown);
    }
}
