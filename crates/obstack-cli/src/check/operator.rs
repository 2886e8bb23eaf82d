//! What the operator itself refuses, beyond schema and rules.

use obstack_api::ObservabilityStack;
use obstack_core::{facts::Facts, validate::validate, violation::Violation};
use serde_json::Value;

use super::{Fault, Source};
use crate::path::{Path, Step};

/// Adds the faults that the operator finds. What was found before is not said twice.
pub fn hold(stack: &ObservabilityStack, document: &Value, facts: &Facts, faults: &mut Vec<Fault>) {
    for violation in validate(stack, facts).err().unwrap_or_default() {
        let fault = told(document, &violation);
        match faults.iter_mut().find(|before| is_same(document, before, &fault)) {
            Some(before) => merge(document, before, fault),
            None => faults.push(fault),
        }
    }
}

fn told(document: &Value, violation: &Violation) -> Fault {
    let path = Path::read(&violation.field, document);
    // Messages say what is wrong, and after the last semicolon what to do, sometimes after one more sentence.
    let (what, fix) = match violation.message.rsplit_once("; ") {
        Some((what, fix)) => (what, Some(fix.rsplit_once(". ").map_or(fix, |(_, fix)| fix).to_owned())),
        None => (violation.message.as_str(), violation.reason.fix().map(str::to_owned)),
    };
    let mut fault = Fault::new(Source::Operator, violation.reason.to_string(), path, what);
    fault.fix = fix;
    fault
}

/// Whether the operator says what schema or rule said before: rules stand on blocks, the operator names the field.
fn is_same(document: &Value, before: &Fault, fault: &Fault) -> bool {
    if before.source == Source::Operator {
        return false;
    }
    let (a, b) = (&before.path, &fault.path);
    if a == b || before.with.contains(b) {
        return true;
    }
    let missing = b.get(document).is_none();
    let item = b.parent().as_ref() == Some(a) && matches!(b.steps().last(), Some(Step::Index(_)));
    let named = b.name().is_some_and(|name| before.message.contains(name));
    // A field that the rule's block should have, by its name in the rule's message.
    let beside = before.source == Source::Rule
        && b.parent().is_some_and(|parent| before.with.contains(&parent))
        && named;
    let around = a.parent().as_ref() == Some(b) && b.steps().len() > 1;
    item || (b.is_within(a) && missing && a.steps().len() > 1) || beside || around
}

/// Both as one: the words of the rule, which the API server would say, and the place and the fix of the operator.
fn merge(document: &Value, before: &mut Fault, fault: Fault) {
    if fault.path.is_within(&before.path) && fault.path.get(document).is_some() {
        before.path = fault.path;
    }
    if before.fix.is_none() && !before.message.contains("; ") {
        before.fix = fault.fix;
    }
}
