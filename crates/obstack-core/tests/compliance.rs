//! The resource policy on live pods: who broke it, and what is said of it.

#![cfg(test)]

mod common;
#[path = "common/living.rs"]
mod living;

use std::{collections::BTreeSet, sync::Arc};

use obstack_api::{
    ConditionStatus, CpuLimits, MemoryLimits,
    PolicyOrigin::{self, Chart, LimitRange, Manual, Spec, Webhook},
    PolicyRule::{self, MemoryLimit, NoCPULimit, NoMemoryLimit, Requests},
    Reason, ResourcePolicy,
};
use obstack_core::{
    assemble::Plan,
    compliance::{self, Compliance},
    live::{ContainerFacts, LimitRangeFacts, LimitRule, Live, PodFacts, ResourceFacts},
    quantity::Amount,
};
use proptest::prelude::*;

use self::{
    common::{
        hand::Hand,
        helm::{Charts, helm, plan_of},
    },
    living::{amount, as_planned, component, pods_of, resize},
};

const INGESTER: &str = "traces.ingester";
const QUERIER: &str = "traces.querier";

/// Distributed Tempo with three ingesters. Each pod has the containers `main`, `sidecar` and, before them, `init`.
fn planned() -> (Plan, Live) {
    let plan = Hand::tempo("spec: {traces: {components: {ingester: {replicas: 3}}}}").plan();
    let live = as_planned(&plan);
    (plan, live)
}

fn judge(plan: &Plan, live: &Live) -> Compliance {
    compliance::of(ResourcePolicy::default(), &plan.components, live)
}

type Told<'a> = (&'a str, &'a str, PolicyRule, PolicyOrigin, i32);

fn told(compliance: &Compliance) -> Vec<Told<'_>> {
    let violations = compliance.status.violations.iter();
    violations.map(|v| (v.component.as_str(), v.container.as_str(), v.rule, v.origin, v.pods)).collect()
}

/// Changes a plan that runs as planned and looks at it.
fn after(change: impl FnOnce(&mut Plan, &mut Live)) -> Compliance {
    let (mut plan, mut live) = planned();
    change(&mut plan, &mut live);
    judge(&plan, &live)
}

fn cpu_limit(resources: &mut ResourceFacts) {
    resources.cpu_limit = Some(amount("500m"));
}

fn range(name: &str, rule: LimitRule) -> LimitRangeFacts {
    LimitRangeFacts { name: name.into(), rules: vec![rule] }
}

fn default_cpu(text: &str) -> LimitRule {
    let default = [("cpu".to_owned(), amount(text))].into();
    LimitRule { kind: "Container".into(), default, ..LimitRule::default() }
}

fn annotate(live: &mut Live, of: &str, said: &str) {
    for pod in pods_of(live, of) {
        pod.limit_ranger = Some(said.to_owned());
    }
}

#[test]
fn pods_as_they_were_planned_keep_to_the_policy() {
    let seen = after(|_, _| {});
    assert_eq!((seen.finding.status, seen.finding.reason), (ConditionStatus::True, Reason::PolicyKept));
    assert_eq!(seen.finding.message, "21 containers in 7 pods keep to the policy");
    assert_eq!(seen.summary, "21 ok, 0 cpu limits");
    assert_eq!((seen.status.containers_checked, seen.status.violations_total), (21, 0));
}

#[test]
fn the_samples_as_their_charts_render_them_keep_to_the_policy() {
    let Some(helm) = helm() else { return };
    for (name, summary) in [("dev", "9 ok, 0 cpu limits"), ("prod", "26 ok, 0 cpu limits")] {
        let (plan, _) = plan_of(&helm, &Charts::Bundled, common::with(&common::sample(name), ""));
        let seen = judge(&plan, &as_planned(&plan));
        assert_eq!((seen.finding.reason, seen.summary.as_str()), (Reason::PolicyKept, summary), "{name}");
    }
}

#[test]
fn nothing_is_claimed_before_a_pod_is_there() {
    let nobody: [fn(&mut Live); 3] = [
        |live| live.pods.clear(),
        |live| live.pods.iter_mut().for_each(|pod| pod.deleting = true),
        |live| live.pods.iter_mut().for_each(|pod| pod.failed = Some(("Evicted".into(), "disk".into()))),
    ];
    for change in nobody {
        let seen = after(|_, live| change(live));
        let said = (seen.finding.status, seen.finding.reason, seen.summary.as_str());
        assert_eq!(said, (ConditionStatus::Unknown, Reason::NotVerified, "not started"));
    }
    let unknown = after(|plan, _| plan.components.iter_mut().for_each(|c| c.need.containers.clear()));
    assert_eq!(unknown.finding.reason, Reason::NotVerified, "no template to hold them against");
}

#[test]
fn what_is_there_is_judged_and_what_is_not_is_named() {
    let seen = after(|_, live| live.pods.retain(|pod| pod.component == QUERIER));
    assert_eq!(
        seen.finding.message,
        "3 containers in 1 pod keep to the policy; no pod yet of traces.ingester, traces.compactor, traces.distributor, traces.queryFrontend"
    );
    let seen = after(|_, live| {
        live.pods.retain(|pod| pod.component == QUERIER);
        resize(live, QUERIER, "main", cpu_limit);
    });
    assert_eq!((seen.finding.status, seen.summary.as_str()), (ConditionStatus::False, "1 violation"));
}

#[test]
fn each_rule_is_held_on_each_container() {
    let check = |container: &str, change: fn(&mut ResourceFacts), expect: Option<PolicyRule>| {
        let seen = after(|_, live| resize(live, INGESTER, container, change));
        let expect: Vec<_> = expect.map(|rule| (INGESTER, container, rule, Webhook, 3)).into_iter().collect();
        assert_eq!(told(&seen), expect, "{container}");
    };
    for container in ["main", "sidecar", "init"] {
        check(container, cpu_limit, Some(NoCPULimit));
        check(container, |has| has.cpu_request = None, Some(Requests));
        check(container, |has| has.memory_request = None, Some(Requests));
        check(container, |has| (has.cpu_request, has.memory_request) = (None, None), Some(Requests));
        check(container, |has| has.memory_request = Some(amount("9Gi")), None);
    }
    check("main", |has| has.memory_limit = None, Some(MemoryLimit));
    check("main", |has| has.memory_limit = Some(amount("9Gi")), None);
    for container in ["sidecar", "init"] {
        check(container, |has| has.memory_limit = Some(amount("1Gi")), Some(NoMemoryLimit));
    }
    let seen = after(|_, live| resize(live, QUERIER, "main", |has| has.memory_limit = Some(amount("1Gi"))));
    assert_eq!(told(&seen), [(QUERIER, "main", NoMemoryLimit, Webhook, 1)]);
}

#[test]
fn a_rule_that_the_policy_does_not_have_is_not_held() {
    let (plan, mut live) = planned();
    resize(&mut live, INGESTER, "main", |has| (has.cpu_limit, has.memory_limit) = (Some(amount("2")), None));
    resize(&mut live, QUERIER, "main", |has| has.memory_limit = Some(amount("1Gi")));
    let policy = ResourcePolicy { cpu_limits: CpuLimits::Allow, memory_limits: MemoryLimits::Any };
    let seen = compliance::of(policy, &plan.components, &live);
    assert_eq!((told(&seen), seen.summary.as_str()), (Vec::new(), "21 ok, 3 cpu limits"));
    resize(&mut live, QUERIER, "main", |has| has.cpu_request = None);
    let seen = compliance::of(policy, &plan.components, &live);
    assert_eq!(told(&seen), [(QUERIER, "main", Requests, Webhook, 1)], "requests are always wanted");
}

#[test]
fn the_words_of_the_limit_ranger_are_read_as_it_writes_them() {
    let check = |said: &str, container: &str, expect: PolicyOrigin| {
        let seen = after(|_, live| {
            resize(live, QUERIER, container, cpu_limit);
            annotate(live, QUERIER, said);
        });
        assert_eq!(told(&seen), [(QUERIER, container, NoCPULimit, expect, 1)], "{said}");
    };
    check("LimitRanger plugin set: cpu limit for container main", "main", LimitRange);
    check("LimitRanger plugin set: cpu, memory limit for container main", "main", LimitRange);
    check("LimitRanger plugin set: ephemeral-storage, memory limit for container main", "main", Webhook);
    check(
        "LimitRanger plugin set: cpu request for container main; cpu limit for container main",
        "main",
        LimitRange,
    );
    check("LimitRanger plugin set: cpu request for container main", "main", Webhook);
    check("LimitRanger plugin set: cpu limit for container sidecar", "main", Webhook);
    check("LimitRanger plugin set: cpu limit for container main-2", "main", Webhook);
    check("LimitRanger plugin set: cpu limit for init container init", "init", LimitRange);
    check("", "main", Webhook);
}

#[test]
fn the_limit_range_is_named_where_it_can_be_told() {
    let check = |ranges: Option<Vec<LimitRangeFacts>>, expect: &str| {
        let seen = after(|_, live| {
            resize(live, QUERIER, "main", cpu_limit);
            annotate(live, QUERIER, "LimitRanger plugin set: cpu limit for container main");
            live.limit_ranges = ranges;
        });
        assert_eq!(seen.finding.reason, Reason::CPULimitFromLimitRange);
        let message = &seen.status.violations[0].message;
        assert!(message.starts_with("CPU limit 500m, set by") && message.contains(expect), "{message}");
    };
    let other = range("other", default_cpu("2"));
    check(
        Some(vec![other.clone(), range("compute", default_cpu("500m"))]),
        "LimitRange compute (default.cpu)",
    );
    let max = LimitRule { max: default_cpu("500m").default, default: [].into(), ..default_cpu("1") };
    check(Some(vec![range("compute", max)]), "LimitRange compute (max.cpu)");
    let of_pods = LimitRule { kind: "Pod".into(), ..default_cpu("500m") };
    check(Some(vec![other, range("compute", of_pods)]), "a LimitRange (changed or deleted since)");
    check(None, "a LimitRange (which one, the operator may not read)");
}

#[test]
fn a_limit_range_whose_words_another_wrote_over_is_told_by_its_amount() {
    let check = |said: Option<&str>, ranges: Option<&str>, expect: PolicyOrigin, says: &str| {
        let seen = after(|_, live| {
            resize(live, QUERIER, "main", cpu_limit);
            pods_of(live, QUERIER).for_each(|pod| pod.limit_ranger = said.map(str::to_owned));
            live.limit_ranges = ranges.map(|cpu| vec![range("compute", default_cpu(cpu))]);
        });
        assert_eq!(told(&seen)[0].3, expect, "{said:?}");
        assert!(seen.finding.message.contains(says), "{}", seen.finding.message);
    };
    // As it was seen: LimitRanges `compute` (default.cpu) and `zmemory` (max.memory); the pod names what `zmemory` set.
    let second =
        "LimitRanger plugin set: memory limit for container main; memory limit for init container init";
    check(Some(second), Some("500m"), LimitRange, "LimitRange compute (default.cpu)");
    check(Some(second), Some("400m"), Webhook, "or by a LimitRange that the pod does not name any more");
    check(Some(second), None, Webhook, "or by a LimitRange that the pod does not name any more");
    check(None, Some("500m"), Webhook, "by no LimitRange");
}

#[test]
fn a_fault_is_laid_where_it_comes_from() {
    let check = |change: fn(&mut Plan, &mut Live), origin: PolicyOrigin, reason: Reason, says: &str| {
        let seen = after(|plan, live| {
            resize(live, INGESTER, "main", cpu_limit);
            change(plan, live);
        });
        assert_eq!(seen.finding.reason, reason, "{}", seen.finding.message);
        assert_eq!(told(&seen), [(INGESTER, "main", NoCPULimit, origin, 3)]);
        assert!(seen.finding.message.contains(says), "{}", seen.finding.message);
        assert!(seen.finding.message.starts_with("traces.ingester container main, 3 pods: CPU limit 500m"));
    };
    let by_kubectl = |_: &mut Plan, live: &mut Live| {
        pods_of(live, INGESTER).for_each(|pod| pod.resized_by = Some("kubectl-edit".into()));
    };
    check(|_, _| {}, Webhook, Reason::CPULimitFromWebhook, "mutating webhook");
    check(by_kubectl, Manual, Reason::CPULimitByHand, "by kubectl-edit: delete the pod");
    let older: [fn(&mut Plan, &mut Live); 4] = [
        |plan, live| {
            live.workloads.get_mut(&component(plan, INGESTER).workload).unwrap().revision = "r2".into();
        },
        |plan, live| live.workloads.get_mut(&component(plan, INGESTER).workload).unwrap().updated = 2,
        |plan, live| live.workloads.get_mut(&component(plan, INGESTER).workload).unwrap().generation = 2,
        |plan, live| _ = live.workloads.remove(&component(plan, INGESTER).workload),
    ];
    for change in older {
        check(change, Spec, Reason::RolloutInProgress, "the rollout replaces the pod");
    }
    let planned_too = |plan: &mut Plan, _: &mut Live| {
        let containers = &mut component(plan, INGESTER).need.containers;
        let main = containers.iter_mut().find(|need| need.name == "main").unwrap();
        main.limits.insert("cpu".into(), amount("500m"));
    };
    check(planned_too, Spec, Reason::OverrideViolatesPolicy, "as the spec has it");
}

#[test]
fn a_sidecar_of_the_template_is_the_charts_and_one_that_is_not_there_is_the_admissions() {
    let seen = after(|plan, live| {
        resize(live, QUERIER, "sidecar", |has| has.memory_limit = Some(amount("64Mi")));
        for need in &mut component(plan, QUERIER).need.containers {
            if need.name == "sidecar" {
                need.limits.insert("memory".into(), amount("64Mi"));
            }
        }
        for pod in pods_of(live, INGESTER) {
            let proxy = ContainerFacts { name: "istio-proxy".into(), ..ContainerFacts::default() };
            pod.containers.insert(0, proxy);
        }
    });
    assert_eq!(
        told(&seen),
        [(INGESTER, "istio-proxy", Requests, Webhook, 3), (QUERIER, "sidecar", NoMemoryLimit, Chart, 1)]
    );
    assert!(seen.finding.message.ends_with("; 1 more in status.policy"), "{}", seen.finding.message);
    assert!(seen.status.violations[0].message.contains("a container added at admission"));
    assert_eq!(seen.counts(), [(("NoMemoryLimit", "Chart"), 1), (("Requests", "Webhook"), 3)].into());
}

#[test]
fn the_gravest_is_said_first_and_what_goes_with_a_rollout_last() {
    let seen = after(|plan, live| {
        resize(live, INGESTER, "main", cpu_limit);
        live.workloads.get_mut(&component(plan, INGESTER).workload).unwrap().updated = 1;
        resize(live, QUERIER, "main", |has| has.memory_limit = Some(amount("1Gi")));
        resize(live, "traces.compactor", "main", |has| has.memory_request = None);
    });
    let rules: Vec<_> = seen.status.violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Requests, NoMemoryLimit, NoCPULimit]);
    assert_eq!((seen.finding.reason, seen.summary.as_str()), (Reason::MissingRequest, "3 violations"));
}

#[test]
fn the_list_ends_after_fifty_and_the_count_does_not() {
    let seen = after(|_, live| {
        for pod in pods_of(live, INGESTER) {
            let more = (0..60).map(|i| ContainerFacts { name: format!("c{i}"), ..ContainerFacts::default() });
            pod.containers.extend(more);
        }
    });
    assert_eq!((seen.status.violations.len(), seen.status.violations_total), (50, 60));
    assert_eq!(seen.summary, "60 violations");
}

fn amounts() -> impl Strategy<Value = Option<Amount>> {
    prop_oneof![Just(None), (1..4u32).prop_map(|n| Some(amount("100m").times(n)))]
}

prop_compose! {
    fn container()(
        name in prop_oneof![Just("main"), Just("sidecar"), Just("init"), Just("injected")],
        (cpu_request, memory_request, cpu_limit, memory_limit) in (amounts(), amounts(), amounts(), amounts()),
    ) -> ContainerFacts {
        let resources = ResourceFacts { cpu_request, memory_request, cpu_limit, memory_limit };
        ContainerFacts { name: name.into(), resources: Arc::new(resources), ..ContainerFacts::default() }
    }
}

prop_compose! {
    fn pod()(
        index in 0..20_u32,
        component in prop_oneof![Just(INGESTER), Just(QUERIER), Just("traces.stranger")],
        (deleting, failed) in (any::<bool>(), any::<bool>()),
        limit_ranger in prop::option::of("(LimitRanger plugin set: )?(cpu|memory)?[, a-z;]{0,12} limit for (init )?container (main|init)|\\PC{0,20}"),
        resized_by in prop::option::of("[a-z]{1,5}"),
        containers in prop::collection::btree_map(0..4_u8, container(), 0..4),
    ) -> PodFacts {
        let mut seen = BTreeSet::new();
        let containers: Vec<_> = containers.into_values().filter(|c| seen.insert(c.name.clone())).collect();
        PodFacts {
            name: format!("pod-{index}"),
            component: component.into(),
            deleting,
            failed: failed.then(|| ("Evicted".to_owned(), String::new())),
            limit_ranger,
            resized_by,
            containers,
            ..PodFacts::default()
        }
    }
}

proptest! {
    #[test]
    fn any_pods_are_judged_and_the_same_in_any_order(
        pods in prop::collection::vec(pod(), 0..12),
        rolling in any::<bool>(),
        ranges in prop::option::of(Just(vec![range("compute", default_cpu("200m"))])),
    ) {
        let (mut plan, mut live) = planned();
        live.limit_ranges = ranges;
        live.pods = pods;
        if rolling {
            live.workloads.get_mut(&component(&mut plan, INGESTER).workload).unwrap().updated = 0;
        }
        let seen = judge(&plan, &live);
        let looked = live.pods.iter().filter(|p| !p.deleting && p.failed.is_none() && p.component != "traces.stranger");
        let containers: Vec<_> = looked.flat_map(|pod| &pod.containers).collect();
        prop_assert_eq!(usize::try_from(seen.status.containers_checked).unwrap(), containers.len());
        let limits = containers.iter().filter(|c| c.resources.cpu_limit.is_some()).count();
        prop_assert_eq!(usize::try_from(seen.status.cpu_limits).unwrap(), limits);
        let told = seen.status.violations.iter().filter(|v| v.rule == NoCPULimit);
        prop_assert_eq!(told.map(|v| v.pods).sum::<i32>(), seen.status.cpu_limits, "each limit is told of once");
        let kept = seen.finding.status == ConditionStatus::True;
        prop_assert_eq!(kept, !containers.is_empty() && seen.status.violations_total == 0);
        prop_assert_eq!(seen.finding.status == ConditionStatus::Unknown, containers.is_empty());

        live.pods.reverse();
        prop_assert_eq!(judge(&plan, &live), seen);
    }
}
