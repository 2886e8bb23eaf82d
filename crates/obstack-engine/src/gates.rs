//! What may hold a change before its first write: room in the quotas, then the approval of a person.

use std::sync::{Mutex, PoisonError};

use obstack_api::ObservabilityStack;
use obstack_core::{
    assemble::{Plan, PlannedComponent},
    changes::{self, Changes},
    conclude::Fault,
    quota::{self, Preflight},
    valid::ValidStack,
};

use crate::context::Context;

/// The gates of one reconcile, and what was seen at them.
pub struct Gates<'a> {
    ctx: &'a Context,
    stack: &'a ObservabilityStack,
    valid: &'a ValidStack,
    seen: Mutex<Option<Asked>>,
}

/// What was seen when a change asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How the change fits into quotas.
    pub preflight: Preflight,
    /// The components that the change would leave.
    pub components: Vec<PlannedComponent>,
}

impl<'a> Gates<'a> {
    /// The gates of a stack.
    pub fn of(ctx: &'a Context, stack: &'a ObservabilityStack, valid: &'a ValidStack) -> Self {
        Self { ctx, stack, valid, seen: Mutex::default() }
    }

    /// Why a change may not begin, if it may not.
    pub fn hold(&self, plan: &Plan, changes: &Changes) -> Option<Fault> {
        let live = self.ctx.view.live(&self.valid.key);
        let preflight = quota::preflight_of(&self.valid.quota, plan, changes, &live);
        let held = preflight.blocked.clone().or_else(|| changes::approval(&self.stack.spec.changes, changes));
        let asked = Asked { preflight, components: plan.components.clone() };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        held
    }

    /// What was seen, if a change asked.
    pub fn asked(self) -> Option<Asked> {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
