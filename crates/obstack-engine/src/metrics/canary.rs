//! What the canaries of all stacks came to. Kept by stack, so that the series go with it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{CANARY_FAILURES, CANARY_LATENCY, CANARY_SUCCESS};

/// Stack, then signal.
type Stacks = BTreeMap<(String, String), BTreeMap<&'static str, Signal>>;

/// What is known of one signal of a stack.
#[derive(Debug, Default)]
struct Signal {
    /// Latency, and the second of the Unix epoch.
    passed: Option<(f64, f64)>,
    failures: BTreeMap<&'static str, u64>,
}

/// The three families. Clones share the same numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Canaries(Arc<Mutex<Stacks>>);

impl Canaries {
    /// Registers the families.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let canaries = Self::default();
        registry.register_collector(Box::new(canaries.clone()));
        canaries
    }

    fn stacks(&self) -> MutexGuard<'_, Stacks> {
        // A panic elsewhere cannot leave the map half changed in a way that matters here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all signals of a stack but these.
    pub(super) fn keep(&self, namespace: &str, name: &str, signals: &[&str]) {
        let (mut stacks, stack) = (self.stacks(), (namespace.to_owned(), name.to_owned()));
        if let Some(known) = stacks.get_mut(&stack) {
            known.retain(|signal, _| signals.contains(signal));
            if known.is_empty() {
                stacks.remove(&stack);
            }
        }
    }

    pub(super) fn passed(&self, stack: (&str, &str), signal: &'static str, latency: Duration, at: Duration) {
        self.change(stack, signal, |of| of.passed = Some((latency.as_secs_f64(), at.as_secs_f64().floor())));
    }

    pub(super) fn failed(&self, stack: (&str, &str), signal: &'static str, reason: &'static str) {
        self.change(stack, signal, |of| *of.failures.entry(reason).or_default() += 1);
    }

    fn change(&self, stack: (&str, &str), signal: &'static str, change: impl FnOnce(&mut Signal)) {
        let stack = (stack.0.to_owned(), stack.1.to_owned());
        change(self.stacks().entry(stack).or_default().entry(signal).or_default());
    }
}

impl Collector for Canaries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stacks = self.stacks();
        let signals = || {
            stacks.iter().flat_map(|((namespace, name), signals)| {
                let own = move |(signal, of)| ([namespace.as_str(), name.as_str(), signal], of);
                signals.iter().map(|(signal, of)| (*signal, of)).map(own)
            })
        };
        for (spec, second) in [(&CANARY_LATENCY, false), (&CANARY_SUCCESS, true)] {
            let mut metric = encoder.encode_descriptor(spec.name, spec.help, None, MetricType::Gauge)?;
            for (values, of) in signals() {
                let Some((latency, at)) = of.passed else { continue };
                let [a, b, c] = spec.labels;
                let labels = [(a, values[0]), (b, values[1]), (c, values[2])];
                ConstGauge::new(if second { at } else { latency }).encode(metric.encode_family(&labels)?)?;
            }
        }
        let name = CANARY_FAILURES.name.trim_end_matches("_total");
        let mut metric = encoder.encode_descriptor(name, CANARY_FAILURES.help, None, MetricType::Counter)?;
        for (values, of) in signals() {
            for (reason, count) in &of.failures {
                let [a, b, c, d] = CANARY_FAILURES.labels;
                let labels = [(a, values[0]), (b, values[1]), (c, values[2]), (d, reason)];
                ConstCounter::new(*count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
