//! The canary: what it writes and how often.

use std::time::Duration;

use obstack_api::{Reason, Signal, StackSpec};

use crate::{valid::Canary, violation::Violation};

/// When the spec is silent.
const INTERVAL: Duration = Duration::from_mins(1);
/// More often would be load, more seldom would be no news.
const SHORTEST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_hours(1);

/// Reads the block; `None` when the canary does not run.
pub(super) fn validate(spec: &StackSpec, faults: &mut Vec<Violation>) -> Option<Canary> {
    let asked = spec.canary.clone().unwrap_or_default();
    let kept = |signal: &Signal| match signal {
        Signal::Traces => spec.traces.is_some(),
        Signal::Metrics => spec.metrics.is_some(),
    };
    let interval = asked.interval.as_deref().map_or(Some(INTERVAL), duration);
    let interval = interval.filter(|interval| (SHORTEST..=LONGEST).contains(interval));
    if interval.is_none() {
        let message = "is not 15s to 1h; write whole seconds, minutes or hours, for example 60s";
        faults.push(Violation::new(Reason::InvalidSpec, "spec.canary.interval", message));
    }
    for (index, signal) in asked.signals.iter().enumerate().filter(|(_, signal)| !kept(signal)) {
        let message = format!(
            "the stack does not keep {signal:?}; take it out, or configure spec.{}",
            crate::canary::name(*signal)
        );
        faults.push(Violation::new(Reason::InvalidSpec, format!("spec.canary.signals[{index}]"), message));
    }
    let mut signals = asked.signals;
    if signals.is_empty() {
        signals = [Signal::Traces, Signal::Metrics].into_iter().filter(kept).collect();
    }
    signals.sort();
    signals.dedup();
    asked.enabled.unwrap_or(true).then(|| Canary {
        interval: interval.unwrap_or(INTERVAL),
        signals,
        verify_object_storage: asked.verify_object_storage.unwrap_or(true),
    })
}

/// A whole number of seconds, minutes or hours.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(number) * seconds))
}
