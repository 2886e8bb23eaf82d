//! Gauges about stacks. Kept as the facts that they tell, and made into series only when somebody asks: as labelled
//! series they would be the largest part of what the operator keeps of a stack.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use super::Spec;

/// What the series of one stack are made of.
pub(super) trait Facts: fmt::Debug + PartialEq + Send + 'static {
    /// Whether there is no series.
    fn is_empty(&self) -> bool;

    /// Each series: the values of its last two labels, and its own.
    fn series(&self) -> impl Iterator<Item = ([&str; 2], i64)>;
}

/// Type and status of each condition.
#[derive(Debug, PartialEq)]
pub(super) struct Conditions(pub(super) Box<[(&'static str, &'static str)]>);

impl Facts for Conditions {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn series(&self) -> impl Iterator<Item = ([&str; 2], i64)> {
        self.0.iter().flat_map(|(type_, holds)| {
            ["True", "False", "Unknown"].map(|status| ([*type_, status], i64::from(status == *holds)))
        })
    }
}

/// Name of each component, its desired and its ready pods.
#[derive(Debug, PartialEq)]
pub(super) struct Replicas(pub(super) Box<[(Box<str>, i64, i64)]>);

impl Facts for Replicas {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn series(&self) -> impl Iterator<Item = ([&str; 2], i64)> {
        self.0.iter().flat_map(|(component, desired, ready)| {
            [("desired", *desired), ("ready", *ready)]
                .map(|(state, pods)| ([component.as_ref(), state], pods))
        })
    }
}

/// Rule and origin of each policy violation, and the containers that have it.
#[derive(Debug, PartialEq)]
pub(super) struct Violations(pub(super) Box<[(&'static str, &'static str, i64)]>);

impl Facts for Violations {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn series(&self) -> impl Iterator<Item = ([&str; 2], i64)> {
        self.0.iter().map(|(rule, origin, containers)| ([*rule, *origin], *containers))
    }
}

/// One gauge about all stacks. Clones share it.
#[derive(Debug)]
pub(super) struct StackGauges<F> {
    spec: &'static Spec<4>,
    stacks: Arc<Mutex<BTreeMap<(String, String), F>>>,
}

impl<F> Clone for StackGauges<F> {
    fn clone(&self) -> Self {
        Self { spec: self.spec, stacks: Arc::clone(&self.stacks) }
    }
}

impl<F: Facts> StackGauges<F> {
    /// Registers the gauge.
    pub(super) fn register(spec: &'static Spec<4>, registry: &mut Registry) -> Self {
        let gauges = Self { spec, stacks: Arc::default() };
        registry.register_collector(Box::new(gauges.clone()));
        gauges
    }

    /// The series of one stack become exactly these.
    pub(super) fn replace(&self, namespace: &str, name: &str, facts: F) {
        // A panic elsewhere cannot leave the map half changed in a way that matters here.
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let stack = (namespace.to_owned(), name.to_owned());
        if facts.is_empty() {
            stacks.remove(&stack);
        } else {
            stacks.insert(stack, facts);
        }
    }
}

impl<F: Facts> Collector for StackGauges<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric =
            encoder.encode_descriptor(self.spec.name, self.spec.help, None, MetricType::Gauge)?;
        let [namespace, name, third, fourth] = self.spec.labels;
        let stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        for (stack, facts) in stacks.iter() {
            for ([one, other], value) in facts.series() {
                let labels =
                    [(namespace, stack.0.as_str()), (name, stack.1.as_str()), (third, one), (fourth, other)];
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
