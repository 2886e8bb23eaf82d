//! A stack as lines that change: what is told of it where nothing can be redrawn.

use std::collections::BTreeMap;

use obstack_api::{ComponentState, ConditionType, ObservabilityStack, PlanState};
use obstack_core::live::PodFacts;
use serde::Serialize;

use crate::{
    evidence,
    sight::state_word,
    told::{self, Told},
};

/// Something that is told of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is about, such as `Ready` or `pod NAME`.
    pub about: String,
    /// How it stands.
    pub says: String,
    /// It is news only when this differs.
    #[serde(skip)]
    mark: String,
    /// It is told from the beginning, not only when it changes.
    #[serde(skip)]
    matters: bool,
}

/// All that is told of a stack, in the order in which it is told.
pub fn of(stack: &ObservabilityStack, pods: &BTreeMap<String, PodFacts>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut tell = |about: String, says: String, mark: String, matters: bool| {
        lines.push(Line { about, says, mark, matters });
    };
    if let Some(caveat) = Told::of(stack).caveat() {
        tell("status".to_owned(), caveat.clone(), caveat, true);
    } else {
        let seen = format!("of generation {}", stack.metadata.generation.unwrap_or(0));
        tell("status".to_owned(), seen.clone(), seen, false);
    }
    let status = told::status(stack);
    // Reconciling repeats what Ready and Stalled say.
    let spoken = status.conditions.iter().filter(|said| said.type_ != ConditionType::Reconciling);
    for said in spoken {
        let mark = format!("{} {}", told::word(said.status), said.reason);
        let says = format!("{mark}: {}", said.message);
        let is_ready = said.type_ == ConditionType::Ready;
        let mark = if is_ready { says.clone() } else { mark };
        tell(said.type_.as_str().to_owned(), says, mark, is_ready || !told::is_good(said));
    }
    let real =
        status.components.iter().filter(|component| component.state != ComponentState::NotProvidedByBackend);
    for component in real {
        let reason = component.reason.as_ref().filter(|reason| reason.as_str() != "RolloutInProgress");
        let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        let mark = format!(
            "{} {}/{} ready, {} at the newest revision{reason}",
            state_word(component.state),
            component.ready,
            component.desired,
            component.updated
        );
        tell(component.name.clone(), mark.clone(), mark, component.state != ComponentState::Ready);
    }
    if let Some(plan) = &status.plan {
        let state = match plan.state {
            PlanState::Applied => "is applied",
            PlanState::PendingApproval => "waits for approval",
            PlanState::Held => "is held",
        };
        let mark = format!(
            "{} {state}: {} objects made, {} changed, {} deleted",
            short(&plan.digest),
            plan.created,
            plan.changed,
            plan.deleted
        );
        tell("plan".to_owned(), mark.clone(), mark, plan.state != PlanState::Applied);
    }
    for pod in pods.values() {
        let said = evidence::of_pod(pod).into_iter().find_map(|link| Some((link.reason?, link.says)));
        let phase = evidence::phase(pod);
        let (mark, says) = match said.filter(|_| !pod.ready) {
            Some((reason, says)) => (format!("{phase}, {reason}"), format!("{phase}, {reason}: {says}")),
            None => (phase.to_owned(), phase.to_owned()),
        };
        tell(format!("pod {}", pod.name), says.trim_end_matches([':', ' ']).to_owned(), mark, !pod.ready);
    }
    lines
}

/// What is news. At the beginning only what matters is.
pub fn news(before: Option<&[Line]>, now: &[Line]) -> Vec<Line> {
    let Some(before) = before else {
        return now.iter().filter(|line| line.matters).cloned().collect();
    };
    let known = |line: &Line| before.iter().find(|old| old.about == line.about);
    let changed = now.iter().filter(|line| known(line).is_none_or(|old| old.mark != line.mark)).cloned();
    let gone = before.iter().filter(|old| !now.iter().any(|line| line.about == old.about));
    let gone = gone.map(|old| Line { says: "gone".to_owned(), mark: String::new(), ..old.clone() });
    changed.chain(gone).collect()
}

/// The beginning of a digest, as messages show it.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

impl Line {
    /// A last word.
    pub fn last(about: &str, says: &str) -> Self {
        Self { about: about.to_owned(), says: says.to_owned(), mark: String::new(), matters: true }
    }
}
