//! A fault of the spec, as its author gets to read it.

use std::fmt;

use obstack_api::Reason;

/// A fault of the spec that only its author, or the owner of what it names, can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Why, in one word.
    pub reason: Reason,
    /// The field.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Violation {
    /// A fault of a field.
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
