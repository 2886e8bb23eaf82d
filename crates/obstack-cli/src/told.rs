//! What a stack's stored status says, and whether it speaks of the spec as it is.

use obstack_api::{
    Condition,
    ConditionStatus::{self, False, True, Unknown},
    ConditionType, ObservabilityStack, Reason, StackStatus,
};

use crate::terminal::Tone;

/// Of which spec a status speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Of none: nobody has looked.
    Never,
    /// Of an older one.
    Old {
        /// Generation of the spec.
        generation: i64,
        /// Generation that the operator has seen.
        seen: i64,
    },
    /// Of the spec as it is.
    Now,
}

impl Told {
    /// Of which spec the status of a stack speaks.
    pub fn of(stack: &ObservabilityStack) -> Self {
        let generation = stack.metadata.generation.unwrap_or(0);
        match stack.status.as_ref().and_then(|status| status.observed_generation) {
            None => Self::Never,
            Some(seen) if seen < generation => Self::Old { generation, seen },
            Some(_) => Self::Now,
        }
    }

    /// What a reader has to know before the rest.
    pub fn caveat(self) -> Option<String> {
        match self {
            Self::Never => Some("no operator has looked at it yet".to_owned()),
            Self::Old { generation, seen } => Some(format!(
                "the operator has not seen the newest spec (generation {generation}, seen {seen})"
            )),
            Self::Now => None,
        }
    }
}

/// What Ready comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the stack is ready: unknown while the status speaks of another spec.
    pub ready: ConditionStatus,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
}

impl Verdict {
    /// What Ready comes to for the spec as it is.
    pub fn of(stack: &ObservabilityStack) -> Self {
        if let Some(caveat) = Told::of(stack).caveat() {
            return Self { ready: Unknown, reason: Reason::Pending.as_str().to_owned(), message: caveat };
        }
        match condition(stack, ConditionType::Ready) {
            Some(said) => {
                Self { ready: said.status, reason: said.reason.clone(), message: said.message.clone() }
            }
            None => Self {
                ready: Unknown,
                reason: Reason::Pending.as_str().to_owned(),
                message: "the status has no condition Ready".to_owned(),
            },
        }
    }
}

/// The status of a stack; an empty one when it has none.
pub fn status(stack: &ObservabilityStack) -> StackStatus {
    stack.status.clone().unwrap_or_default()
}

/// A condition of a stack.
pub fn condition(stack: &ObservabilityStack, type_: ConditionType) -> Option<&Condition> {
    stack.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition is as one wishes it: those of kstatus are true when something is amiss or going on.
pub fn is_good(condition: &Condition) -> bool {
    match condition.type_ {
        ConditionType::Reconciling | ConditionType::Stalled => condition.status == False,
        _ => condition.status == True,
    }
}

/// The colour of a condition. What Ready does not wait for is never red.
pub fn tone(condition: &Condition) -> Tone {
    let beside = matches!(
        condition.type_,
        ConditionType::FaultTolerant
            | ConditionType::DriftFree
            | ConditionType::Supported
            | ConditionType::DisruptionProtected
            | ConditionType::Reconciling
    );
    match condition.status {
        _ if is_good(condition) => Tone::Good,
        Unknown => Tone::Warn,
        _ if beside => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// The colour of the verdict.
pub fn tone_of(ready: ConditionStatus) -> Tone {
    match ready {
        True => Tone::Good,
        False => Tone::Bad,
        Unknown => Tone::Warn,
    }
}

/// A status as the API server writes it.
pub fn word(status: ConditionStatus) -> &'static str {
    match status {
        True => "True",
        False => "False",
        Unknown => "Unknown",
    }
}

/// The page of the runbook about a reason.
pub fn runbook(reason: Reason) -> String {
    format!("docs/runbook/{reason}.md")
}

/// `1 pod`, `2 pods`.
pub fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
