//! Where a fault of a live container comes from.

use std::collections::BTreeMap;

use obstack_api::PolicyOrigin;

use super::Fault;
use crate::{
    assemble::PlannedComponent,
    live::{ContainerFacts, LimitRule, Live, PodFacts},
    need::{ContainerNeed, Runs},
    quantity::Amount,
};

/// A container of a live pod, and what is known around it.
pub(super) struct Case<'a> {
    pub(super) component: &'a PlannedComponent,
    planned: Option<&'a ContainerNeed>,
    /// It is the container that does the component's work.
    pub(super) main: bool,
    pod: &'a PodFacts,
    newest: bool,
    pub(super) container: &'a ContainerFacts,
    live: &'a Live,
}

/// Where a fault comes from.
pub(super) enum Source<'a> {
    /// The template has it: by the spec, which decides the main container, or by the chart.
    Template { main: bool },
    /// Not the newest template has it, perhaps an earlier one.
    Earlier,
    /// A limit range, by name and field where that is known.
    LimitRange(Result<String, &'static str>),
    /// Somebody resized the running pod: the manager.
    Hand(&'a str),
    /// Something else at admission, as far as that can be told.
    Admission(Admission),
}

/// What is known of a change at admission.
pub(super) enum Admission {
    /// It brought the container too: the template has none of the name.
    Brought,
    /// No limit range did it.
    NoRange,
    /// A limit range may have done it, whose words another wrote over.
    MaybeRange,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        component: &'a PlannedComponent,
        pod: &'a PodFacts,
        container: &'a ContainerFacts,
        newest: bool,
        live: &'a Live,
    ) -> Self {
        let needs = &component.need.containers;
        let planned = needs.iter().find(|need| need.name == container.name);
        let main = needs.iter().find(|need| need.runs == Runs::Main);
        let main = main.is_some_and(|need| need.name == container.name);
        Self { component, planned, main, pod, newest, container, live }
    }

    pub(super) fn bears_limit(&self) -> bool {
        self.component.class.bears_memory_limit()
    }

    pub(super) fn source(&self, fault: Fault) -> Source<'a> {
        let annotation = self.pod.limit_ranger.as_deref();
        let limit = fault.limit();
        if self.planned.is_some_and(|planned| fault.is_planned(planned)) {
            return Source::Template { main: self.main };
        }
        if let Some((resource, amount)) = limit
            && annotation.is_some_and(|said| names_limit(said, &self.container.name, resource))
        {
            return Source::LimitRange(self.range(resource, amount));
        }
        if let Some(manager) = &self.pod.resized_by {
            return Source::Hand(manager);
        }
        if !self.newest {
            return Source::Earlier;
        }
        // Each limit range writes the annotation anew, and so does a second pass after a webhook: what an earlier one
        // set is not named any more.
        match limit.filter(|_| annotation.is_some()).map(|(resource, amount)| self.range(resource, amount)) {
            Some(Ok(range)) => Source::LimitRange(Ok(range)),
            _ if self.planned.is_none() => Source::Admission(Admission::Brought),
            Some(Err(_)) => Source::Admission(Admission::MaybeRange),
            None => Source::Admission(Admission::NoRange),
        }
    }

    /// The limit range, with its field, that gives a container this limit.
    fn range(&self, resource: &str, amount: Amount) -> Result<String, &'static str> {
        let Some(ranges) = &self.live.limit_ranges else {
            return Err("which one, the operator may not read");
        };
        let named = |field: &str, of: fn(&LimitRule) -> &BTreeMap<String, Amount>| {
            let gives =
                |rule: &LimitRule| rule.kind == "Container" && of(rule).get(resource) == Some(&amount);
            let names = ranges.iter().filter(|range| range.rules.iter().any(gives)).map(|range| &range.name);
            Some(format!("{} ({field}.{resource})", names.min()?))
        };
        // A rule without a default for what it has a max of gets the max as default
        // (`SetDefaults_LimitRangeItem` in k8s.io/kubernetes/pkg/apis/core/v1).
        let found = named("default", |rule| &rule.default).or_else(|| named("max", |rule| &rule.max));
        found.ok_or("changed or deleted since")
    }
}

/// Whether the `LimitRanger` says that it set a limit. Its words are
/// `LimitRanger plugin set: cpu, memory request for container a; cpu limit for init container b`
/// (`mergePodResourceRequirements` in k8s.io/kubernetes/plugin/pkg/admission/limitranger/admission.go).
fn names_limit(annotation: &str, container: &str, resource: &str) -> bool {
    let sets = annotation.strip_prefix("LimitRanger plugin set: ").unwrap_or(annotation).split("; ");
    let mut limits = sets.filter_map(|set| set.split_once(" limit for "));
    limits.any(|(resources, target)| {
        let name = target.strip_prefix("init ").unwrap_or(target).strip_prefix("container ");
        name == Some(container) && resources.split(", ").any(|named| named == resource)
    })
}

impl Source<'_> {
    pub(super) fn origin(&self) -> PolicyOrigin {
        match self {
            Self::Template { main: false } => PolicyOrigin::Chart,
            Self::Template { main: true } | Self::Earlier => PolicyOrigin::Spec,
            Self::LimitRange(_) => PolicyOrigin::LimitRange,
            Self::Hand(_) => PolicyOrigin::Manual,
            Self::Admission(_) => PolicyOrigin::Webhook,
        }
    }

    /// Where from, and what to do.
    pub(super) fn says(&self) -> String {
        match self {
            Self::Template { main: true } => " as the spec has it: change it there".into(),
            Self::Template { main: false } => " as the chart renders it: change it with values or patches".into(),
            Self::Earlier => ", perhaps from an earlier revision of the workload: the rollout replaces the pod".into(),
            Self::LimitRange(Ok(range)) => {
                format!(", set by LimitRange {range}: take it out there, then delete the pods")
            }
            Self::LimitRange(Err(unknown)) => {
                format!(", set by a LimitRange ({unknown}): see that it is out of every one, then delete the pods")
            }
            Self::Hand(manager) => {
                format!(", changed on the running pod by {manager}: delete the pod, it is made anew as planned")
            }
            Self::Admission(Admission::NoRange) => {
                ", changed at admission by no LimitRange, so by a mutating webhook or the like: exclude the namespace from it".into()
            }
            Self::Admission(Admission::MaybeRange) => {
                ", changed at admission by a mutating webhook or the like, or by a LimitRange that the pod does not name any more: look at both".into()
            }
            Self::Admission(Admission::Brought) => {
                " in a container added at admission, by a mutating webhook or the like: exclude the namespace from it".into()
            }
        }
    }
}
