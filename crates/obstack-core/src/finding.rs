//! What one condition says.

use obstack_api::{Condition, ConditionStatus, Reason};

/// What one condition says: whether it holds, why in one word, and why with object, number and fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it holds; `Unknown` when nobody could look.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, with the object, the number and the fix. No clock and no counter, or it would be news each time.
    pub message: String,
}

impl Finding {
    /// What a condition of a status says.
    pub fn said(condition: &Condition) -> Option<Self> {
        let reason = Reason::named(&condition.reason)?;
        Some(Self { status: condition.status, reason, message: condition.message.clone() })
    }

    /// It holds.
    pub fn holds(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// It does not hold.
    pub fn fails(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }

    /// Nobody could look.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason, message: message.into() }
    }
}
