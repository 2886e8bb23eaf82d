//! Quotas: what to do when the stack does not fit, and what to ask for then.

use obstack_api::{Quantity, Quota, Reason, ResourcePolicy};

use crate::{
    quantity::Amount,
    quota::{QuotaWish, Room},
    violation::Violation,
};

/// Share of the quota asked for that stays free when the spec is silent, in percent.
const HEADROOM_PERCENT: u32 = 20;
/// Most that may stay free, in percent: above it the quota asked for is out of all proportion.
const MOST_HEADROOM_PERCENT: u32 = 90;

/// Reads the block. With a fault the result is what a silent spec comes to.
pub(super) fn validate(spec: &Quota, policy: ResourcePolicy, faults: &mut Vec<Violation>) -> QuotaWish {
    let headroom_percent = match spec.headroom_percent.map(u32::try_from) {
        None => HEADROOM_PERCENT,
        Some(Ok(percent)) if percent <= MOST_HEADROOM_PERCENT => percent,
        Some(_) => {
            let message = format!(
                "is not 0 to {MOST_HEADROOM_PERCENT}; write the share that stays free, for example 20"
            );
            faults.push(Violation::new(Reason::InvalidSpec, "spec.quota.headroomPercent", message));
            HEADROOM_PERCENT
        }
    };
    let steps = spec.round_up_to.clone().unwrap_or_default();
    let mut step = |field: &str, written: Option<&Quantity>, default: &str| {
        let field = format!("spec.quota.roundUpTo.{field}");
        let step = read(&field, written, faults);
        if step == Some(Amount::ZERO) {
            let message = format!("is 0; write what to round up to, for example {default}");
            faults.push(Violation::new(Reason::InvalidQuantity, field, message));
        }
        step.or_else(|| Amount::parse(default).ok()).unwrap_or_default()
    };
    let round_up_to = Room {
        cpu: step("cpu", steps.cpu.as_ref(), "1"),
        memory: step("memory", steps.memory.as_ref(), "1Gi"),
        storage: step("storage", steps.storage.as_ref(), "1Gi"),
    };
    let mut reserved: Option<Room> = None;
    for (index, reserve) in spec.reserve.iter().enumerate() {
        let mut amount = |field: &str, written: Option<&Quantity>| {
            read(&format!("spec.quota.reserve[{index}].{field}"), written, faults).unwrap_or_default()
        };
        let sum = reserved.get_or_insert_default();
        sum.cpu += amount("cpu", reserve.cpu.as_ref());
        sum.memory += amount("memory", reserve.memory.as_ref());
        sum.storage += amount("storage", reserve.storage.as_ref());
    }
    QuotaWish { preflight: spec.preflight, headroom_percent, round_up_to, reserved, policy }
}

/// A quantity, if there is one; a fault when it cannot be read.
fn read(field: &str, written: Option<&Quantity>, faults: &mut Vec<Violation>) -> Option<Amount> {
    match Amount::parse(written?.as_str()) {
        Ok(amount) => Some(amount),
        Err(fault) => {
            faults.push(Violation::new(Reason::InvalidQuantity, field, fault.to_string()));
            None
        }
    }
}
