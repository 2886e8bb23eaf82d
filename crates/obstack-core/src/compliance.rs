//! The resource policy, held against live pods: what admission made of them counts, not what was rendered.
//!
//! `components` are those of the plan that is applied; a pod of another plan would be held against the wrong template.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use obstack_api::{
    CpuLimits, MemoryLimits, PolicyOrigin, PolicyRule, PolicyStatus, PolicyViolation, Reason, ResourcePolicy,
};

use self::source::{Case, Source};
use crate::{
    assemble::PlannedComponent,
    finding::Finding,
    live::{Live, PodFacts, ResourceFacts, WorkloadFacts},
    need::ContainerNeed,
    quantity::Amount,
};

/// Violations that the status lists at most.
const LISTED: usize = 50;

/// How the policy stands on live pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compliance {
    /// The condition `PolicyCompliant`.
    pub finding: Finding,
    /// Numbers and violations, what matters most first.
    pub status: PolicyStatus,
    /// In a few words, for tables: `9 ok, 0 cpu limits`, `3 violations` or `not started`.
    pub summary: String,
}

impl Compliance {
    /// Containers that break the policy, by rule and origin, of the violations that are listed.
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), i64> {
        let mut counts = BTreeMap::new();
        for violation in &self.status.violations {
            let key = (rule_name(violation.rule), origin_name(violation.origin));
            *counts.entry(key).or_default() += i64::from(violation.pods);
        }
        counts
    }
}

fn rule_name(rule: PolicyRule) -> &'static str {
    match rule {
        PolicyRule::NoCPULimit => "NoCPULimit",
        PolicyRule::Requests => "Requests",
        PolicyRule::MemoryLimit => "MemoryLimit",
        PolicyRule::NoMemoryLimit => "NoMemoryLimit",
    }
}

fn origin_name(origin: PolicyOrigin) -> &'static str {
    match origin {
        PolicyOrigin::Chart => "Chart",
        PolicyOrigin::Spec => "Spec",
        PolicyOrigin::LimitRange => "LimitRange",
        PolicyOrigin::Webhook => "Webhook",
        PolicyOrigin::Manual => "Manual",
    }
}

/// Holds every container of every live pod against the policy. Pods that are going or have failed are not looked at.
pub fn of(policy: ResourcePolicy, components: &[PlannedComponent], live: &Live) -> Compliance {
    let mut seen = Seen::default();
    for component in components {
        let pods = live.pods.iter().filter(|pod| pod.component == component.name);
        let pods: Vec<_> = pods.filter(|pod| !pod.deleting && pod.failed.is_none()).collect();
        // Without the template nobody can say where something comes from. It comes with the next plan.
        if pods.is_empty() || component.need.containers.is_empty() {
            seen.unseen.extend((component.desired > 0).then_some(component.name.as_str()));
            continue;
        }
        seen.pods += pods.len();
        for pod in pods {
            let newest = is_newest(pod, live.workloads.get(&component.workload));
            for container in &pod.containers {
                seen.look(&Case::new(component, pod, container, newest, live), policy);
            }
        }
    }
    seen.conclude()
}

/// Whether a pod surely has the newest template of its workload.
fn is_newest(pod: &PodFacts, workload: Option<&WorkloadFacts>) -> bool {
    let Some(workload) = workload else { return false };
    if workload.observed_generation < workload.generation {
        return false;
    }
    if workload.revision.is_empty() {
        // A Deployment does not say which hash is its newest: only when nothing rolls, every pod has it.
        workload.updated >= workload.created
    } else {
        pod.revision == workload.revision
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen<'a> {
    pods: usize,
    containers: usize,
    cpu_limits: usize,
    /// Components without a pod to look at.
    unseen: Vec<&'a str>,
    groups: BTreeMap<(PolicyRule, PolicyOrigin, &'a str, &'a str), Group>,
}

/// The same violation in several pods of a component.
struct Group {
    pods: usize,
    /// Every pod of it is of an earlier template.
    earlier: bool,
    said: BTreeSet<String>,
}

impl<'a> Seen<'a> {
    fn look(&mut self, case: &Case<'a>, policy: ResourcePolicy) {
        self.containers += 1;
        self.cpu_limits += usize::from(case.container.resources.cpu_limit.is_some());
        for fault in faults(policy, &case.container.resources, case.main && case.bears_limit()) {
            let source = case.source(fault);
            let key =
                (fault.rule(), source.origin(), case.component.name.as_str(), case.container.name.as_str());
            let group = self.groups.entry(key).or_insert_with(|| Group {
                pods: 0,
                earlier: true,
                said: BTreeSet::new(),
            });
            group.pods += 1;
            group.earlier &= matches!(source, Source::Earlier);
            group.said.insert(format!("{}{}", fault.says(), source.says()));
        }
    }

    fn conclude(self) -> Compliance {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        // What goes by itself with the rollout comes last.
        groups.sort_by_key(|(key, group)| (group.earlier, *key));
        let reason = groups.first().map(|((rule, origin, ..), group)| reason(*rule, *origin, group.earlier));
        let total = groups.len();
        let mut violations: Vec<_> = groups.into_iter().map(violation).collect();
        violations.truncate(LISTED);
        let (finding, summary) = match (violations.first(), reason) {
            _ if self.containers == 0 => {
                let message = "no pod is there to look at yet";
                (Finding::unknown(Reason::NotVerified, message), "not started".to_owned())
            }
            (Some(first), Some(reason)) => {
                let more =
                    if total > 1 { format!("; {} more in status.policy", total - 1) } else { String::new() };
                let of = format!("{} container {}", first.component, first.container);
                let pods = plural(count(first.pods), "pod");
                let message = format!("{of}, {pods}: {}{more}", first.message);
                (Finding::fails(reason, message), plural(total, "violation"))
            }
            _ => {
                let (containers, pods) = (plural(self.containers, "container"), plural(self.pods, "pod"));
                let rest = match self.unseen.as_slice() {
                    [] => String::new(),
                    unseen => format!("; no pod yet of {}", unseen.join(", ")),
                };
                let message = format!("{containers} in {pods} keep to the policy{rest}");
                let summary = format!("{} ok, {} cpu limits", self.containers, self.cpu_limits);
                (Finding::holds(Reason::PolicyKept, message), summary)
            }
        };
        let status = PolicyStatus {
            containers_checked: number(self.containers),
            cpu_limits: number(self.cpu_limits),
            violations_total: number(total),
            violations,
        };
        Compliance { finding, status, summary }
    }
}

fn violation(
    ((rule, origin, component, container), group): ((PolicyRule, PolicyOrigin, &str, &str), Group),
) -> PolicyViolation {
    PolicyViolation {
        component: component.to_owned(),
        container: container.to_owned(),
        rule,
        origin,
        pods: number(group.pods),
        message: group.said.into_iter().collect::<Vec<_>>().join("; "),
    }
}

fn reason(rule: PolicyRule, origin: PolicyOrigin, earlier: bool) -> Reason {
    match (rule, origin) {
        _ if earlier => Reason::RolloutInProgress,
        (PolicyRule::NoCPULimit, PolicyOrigin::LimitRange) => Reason::CPULimitFromLimitRange,
        (PolicyRule::NoCPULimit, PolicyOrigin::Webhook) => Reason::CPULimitFromWebhook,
        (PolicyRule::NoCPULimit, PolicyOrigin::Manual) => Reason::CPULimitByHand,
        (PolicyRule::NoCPULimit, PolicyOrigin::Chart | PolicyOrigin::Spec) => Reason::OverrideViolatesPolicy,
        (PolicyRule::Requests, _) => Reason::MissingRequest,
        (PolicyRule::MemoryLimit, _) => Reason::MissingMemoryLimit,
        (PolicyRule::NoMemoryLimit, _) => Reason::UnexpectedMemoryLimit,
    }
}

/// What a container lacks or has too much of.
#[derive(Clone, Copy)]
enum Fault {
    CpuLimit(Amount),
    Requests { cpu: bool, memory: bool },
    NoMemoryLimit,
    MemoryLimit(Amount),
}

/// The faults of a container, at most one a rule. `bears_limit` says whether the policy wants a memory limit on it.
fn faults(policy: ResourcePolicy, has: &ResourceFacts, bears_limit: bool) -> impl Iterator<Item = Fault> {
    let cpu = has.cpu_limit.filter(|_| policy.cpu_limits == CpuLimits::Forbid).map(Fault::CpuLimit);
    let (no_cpu, no_memory) = (has.cpu_request.is_none(), has.memory_request.is_none());
    let requests = (no_cpu || no_memory).then_some(Fault::Requests { cpu: no_cpu, memory: no_memory });
    let memory = match (has.memory_limit, bears_limit) {
        _ if policy.memory_limits == MemoryLimits::Any => None,
        (None, true) => Some(Fault::NoMemoryLimit),
        (Some(limit), false) => Some(Fault::MemoryLimit(limit)),
        _ => None,
    };
    [cpu, requests, memory].into_iter().flatten()
}

impl Fault {
    fn rule(self) -> PolicyRule {
        match self {
            Self::CpuLimit(_) => PolicyRule::NoCPULimit,
            Self::Requests { .. } => PolicyRule::Requests,
            Self::NoMemoryLimit => PolicyRule::MemoryLimit,
            Self::MemoryLimit(_) => PolicyRule::NoMemoryLimit,
        }
    }

    fn says(self) -> String {
        match self {
            Self::CpuLimit(limit) => format!("CPU limit {}", limit.cpu()),
            Self::Requests { cpu: true, memory: true } => "no request for CPU and memory".into(),
            Self::Requests { cpu: true, .. } => "no request for CPU".into(),
            Self::Requests { .. } => "no request for memory".into(),
            Self::NoMemoryLimit => "no memory limit".into(),
            Self::MemoryLimit(limit) => format!("memory limit {}", limit.memory()),
        }
    }

    /// The limit that should not be there: its resource and amount.
    fn limit(self) -> Option<(&'static str, Amount)> {
        match self {
            Self::CpuLimit(limit) => Some(("cpu", limit)),
            Self::MemoryLimit(limit) => Some(("memory", limit)),
            Self::Requests { .. } | Self::NoMemoryLimit => None,
        }
    }

    /// Whether the template has the same fault.
    fn is_planned(self, planned: &ContainerNeed) -> bool {
        match self {
            Self::CpuLimit(_) => planned.limits.contains_key("cpu"),
            Self::Requests { cpu, memory } => {
                (cpu && !planned.requests.contains_key("cpu"))
                    || (memory && !planned.requests.contains_key("memory"))
            }
            Self::NoMemoryLimit => !planned.limits.contains_key("memory"),
            Self::MemoryLimit(_) => planned.limits.contains_key("memory"),
        }
    }
}

fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}
