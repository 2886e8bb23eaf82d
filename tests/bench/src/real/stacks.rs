//! The stacks: dev as the sample has it, on real pods or on simulated ones.

use std::collections::BTreeMap;

use obstack_api::{Canary, ConditionStatus, ConditionType, ObservabilityStack, Platform, Signal};
use serde_json::json;

use super::Real;
use crate::error::Error;

/// From one round of a canary to the next: four times as often as when silent, so that a window has many.
pub const INTERVAL: &str = "15s";
/// The same in seconds.
pub const SECONDS: f64 = 15.0;
/// The sandbox's simulated nodes have this label, and a taint of the same name.
const SIMULATED: &str = "sandbox.obstack.dev/simulated";

/// The dev sample, on plain Kubernetes, with a canary of what comes back here.
pub fn whole(real: &Real, namespace: &str) -> Result<ObservabilityStack, Error> {
    let mut stack = real.samples.dev(namespace)?;
    stack.spec.platform = Platform::Kubernetes;
    stack.spec.canary = Some(canary(&real.signals));
    Ok(stack)
}

/// Mimir of the dev sample on simulated nodes, without a canary.
pub fn simulated(real: &Real, namespace: &str) -> Result<ObservabilityStack, Error> {
    let mut stack = whole(real, namespace)?;
    stack.spec.canary = Some(Canary { enabled: Some(false), ..Canary::default() });
    stack.spec.traces = None;
    stack.spec.collectors = None;
    for component in stack.spec.metrics.iter_mut().flat_map(|metrics| metrics.components.values_mut()) {
        component.node_selector = BTreeMap::from([(SIMULATED.to_owned(), "true".to_owned())]);
        component.tolerations = vec![json!({"key": SIMULATED, "operator": "Exists"})];
    }
    Ok(stack)
}

/// A canary that writes these.
pub fn canary(signals: &[Signal]) -> Canary {
    Canary {
        // Said aloud: merged over one that is off, silence would leave it off.
        enabled: Some(true),
        interval: Some(INTERVAL.to_owned()),
        signals: signals.to_vec(),
        ..Canary::default()
    }
}

/// Whether a condition is true of the spec that is there.
pub fn is_true(stack: &ObservabilityStack, condition: ConditionType) -> bool {
    let conditions = stack.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|one| one.type_ == condition).any(|one| {
        one.status == ConditionStatus::True && one.observed_generation == stack.metadata.generation
    })
}
