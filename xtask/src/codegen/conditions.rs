//! `docs/reference/conditions.md`: the vocabulary of the status, and what to do about each reason.

use std::fmt::Write;

use obstack_api::{ConditionType, Reason};

use super::entries::ENTRIES;
use super::markdown::{MADE, anchor, code, head, row};

const INTRO: &str = "
# Conditions and reasons

A condition has a type, a status (`True`, `False`, `Unknown`), a reason in one word and a message with names and numbers. Types and reasons are stable: match on them. Messages are for people and may change.

Read `Stalled` first. When it is `True`, nothing goes on until somebody acts, and its message says what to do. Otherwise read `Ready`: its reason names the first thing that is missing. `Available` says whether the stack serves, whatever else is going on.

A condition speaks of the spec of its `observedGeneration`. While that is lower than `metadata.generation`, the operator has not looked at the newest spec yet. One that is `Unknown` was not looked at, or could not be; its reason says why.
";

const GATES: &str = "
`Ready` is `True` when `SpecValid`, `StorageReady`, `PlanApplied`, `WorkloadsReady` and `DatasourcesReady` are. `PolicyCompliant`, `RingsHealthy` and `DataPathVerified` make it fall when they are `False`: what is proved broken counts, what nobody could look at does not. `QuotaSatisfied`, `DisruptionProtected`, `FaultTolerant`, `DriftFree` and `Supported` are told and hold nothing up.

A fresh object has `Ready` `Unknown` and `Reconciling` `True`, both with the reason `Pending`, from the moment it is stored.
";

const ABOUT: &str = "
## Reasons

Each entry says what the reason means, where it stands, and what to do. [The runbook](../runbook/README.md) has the steps.
";

/// The page.
pub fn page() -> String {
    let mut text = format!("{MADE}{INTRO}\n## Conditions\n\n{}", head(&["condition", "True means"]));
    for condition in ConditionType::ALL {
        text.push_str(&row(&[&code(condition.as_str()), condition.meaning()]));
    }
    text.push_str(GATES);
    text.push_str(ABOUT);
    let links: Vec<_> =
        Reason::ALL.iter().map(|reason| format!("[{reason}](#{})", anchor(reason.as_str()))).collect();
    let _ = write!(text, "\n{}\n", links.join(", "));
    for (reason, conditions, look) in ENTRIES {
        let _ = write!(text, "\n### {reason}\n\n{}\n", reason.meaning());
        let on: Vec<_> = conditions.iter().map(|condition| code(condition.as_str())).collect();
        let on = if on.is_empty() { "an event on the stack".to_owned() } else { on.join(", ") };
        let _ = write!(text, "\n- On: {on}\n");
        if let Some(fix) = reason.fix() {
            let _ = writeln!(text, "- Do: {fix}");
        }
        if !look.is_empty() {
            let _ = writeln!(text, "- More: {look}");
        }
        let _ = writeln!(text, "- Runbook: [{reason}](../runbook/{reason}.md)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_leads_to_its_steps() {
        let page = page();
        for reason in Reason::ALL {
            assert!(page.contains(&format!("\n- Runbook: [{reason}](../runbook/{reason}.md)\n")), "{reason}");
        }
    }
}
