//! What the tests of the quota preflight share: components, quotas, ranges and what runs, from short text.

#![allow(dead_code, reason = "every test binary uses its own part")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use obstack_api::{ConditionStatus, Preflight as Mode, ResourcePolicy};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    live::{
        ClaimFacts, ClassFacts, ContainerFacts, LimitRangeFacts, LimitRule, Live, PodFacts, QuotaFacts,
        ResourceFacts, ScopeFacts, WorkloadFacts,
    },
    need::{PodNeed, Resources},
    objects::{Kind, ObjectId},
    quantity::Amount,
    quota::{Preflight, QuotaWish, Room, preflight},
};
use serde_json::Value;

/// A namespace, what is wished of it, and what is about to be applied.
#[derive(Clone, Debug)]
pub struct Place {
    pub wish: QuotaWish,
    pub components: Vec<PlannedComponent>,
    pub rolling: BTreeSet<String>,
    pub objects: BTreeMap<Kind, u32>,
    pub live: Live,
}

impl Place {
    /// Where all can be read, nothing runs, and nothing that does not fit may start.
    pub fn new(components: Vec<PlannedComponent>, quotas: Vec<QuotaFacts>) -> Self {
        Self {
            wish: wish(),
            components,
            rolling: BTreeSet::new(),
            objects: BTreeMap::new(),
            live: Live {
                claims: Some(Vec::new()),
                quotas: Some(quotas),
                limit_ranges: Some(Vec::new()),
                classes: Some(Arc::default()),
                ..Live::default()
            },
        }
    }

    pub fn look(&self) -> Preflight {
        preflight(&self.wish, &self.components, &self.rolling, &self.objects, &self.live)
    }

    /// Status, reason and message in one line.
    pub fn said(&self) -> String {
        let finding = self.look().finding.unwrap();
        format!("{:?} {}: {}", finding.status, finding.reason, finding.message)
    }

    pub fn fits(&self) -> bool {
        let found = self.look();
        let fits = found.finding.unwrap().status == ConditionStatus::True;
        assert!(!fits || found.blocked.is_none());
        fits
    }

    /// The first `number` pods of a component run, as its template has them, with their claims; the quotas count
    /// them.
    pub fn run(&mut self, index: usize, number: u32) {
        let component = self.components[index].clone();
        let seen = self.live.workloads.entry(component.workload.clone()).or_default();
        let i32_of = |n: u32| i32::try_from(n).unwrap();
        *seen = WorkloadFacts {
            replicas: i32_of(component.desired),
            created: i32_of(number),
            updated: i32_of(number),
            ready: i32_of(number),
            ..WorkloadFacts::default()
        };
        self.live.pods.retain(|pod| pod.component != component.name);
        for ordinal in 0..number {
            let name = format!("{}-{ordinal}", component.workload.name);
            for claim in component.need.claims.iter().filter(|claim| !claim.ephemeral) {
                let name = format!("{}-{name}", claim.name);
                let facts = ClaimFacts { name, requested: claim.size, ..ClaimFacts::default() };
                self.live.claims.get_or_insert_default().push(facts);
            }
            self.live.pods.push(pod(&component, &name));
        }
    }
}

/// What the place has to say: status and reason, and words of the message.
pub fn said(place: &Place, expect: &str, words: &[&str]) {
    let said = place.said();
    assert!(said.starts_with(&format!("{expect}: ")), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert!(said.len() < 4000, "{said}");
}

/// Components in an empty namespace against quotas.
pub fn check(components: Vec<PlannedComponent>, quotas: Vec<QuotaFacts>, expect: &str, words: &[&str]) {
    said(&Place::new(components, quotas), expect, words);
}

pub const FITS: &str = "True QuotaFits";
pub const SHORT: &str = "False InsufficientQuota";

/// Two pods of 100m and 1Gi, and three of 200m and 2Gi with a claim of 10Gi each.
pub fn two() -> Vec<PlannedComponent> {
    vec![deployment("a.web", 2, "100m", "1Gi"), stateful("a.store", 3, "200m", "2Gi", "10Gi")]
}

/// A quota with scopes.
pub fn scoped(scopes: &[&str], hard: &str) -> Vec<QuotaFacts> {
    vec![QuotaFacts { scopes: scopes.iter().map(|text| scope(text)).collect(), ..quota("q", hard, "") }]
}

pub fn wish() -> QuotaWish {
    let step = |text| Amount::parse(text).unwrap();
    QuotaWish {
        preflight: Mode::Enforce,
        headroom_percent: 20,
        round_up_to: Room { cpu: step("1"), memory: step("1Gi"), storage: step("1Gi") },
        reserved: None,
        policy: ResourcePolicy::default(),
    }
}

/// A pod of a component as its template has it.
pub fn pod(component: &PlannedComponent, name: &str) -> PodFacts {
    let containers = component.need.containers.iter().map(|container| {
        let of = |amounts: &Resources, resource: &str| amounts.get(resource).copied();
        ContainerFacts {
            name: container.name.clone(),
            init: container.runs == obstack_core::need::Runs::Init,
            resources: Arc::new(ResourceFacts {
                cpu_request: of(&container.requests, "cpu"),
                memory_request: of(&container.requests, "memory"),
                cpu_limit: of(&container.limits, "cpu"),
                memory_limit: of(&container.limits, "memory"),
            }),
            state: None,
        }
    });
    PodFacts {
        name: name.to_owned(),
        component: component.name.clone(),
        containers: containers.collect(),
        ready: true,
        ..PodFacts::default()
    }
}

/// A component from its workload, in YAML: kind, and spec with replicas.
pub fn component(name: &str, yaml: &str) -> PlannedComponent {
    let workload: Value = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    let kind = workload["kind"].as_str().unwrap_or("Deployment").parse().unwrap();
    let replicas = workload.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    PlannedComponent {
        name: name.to_owned(),
        workload: ObjectId { kind, namespace: "ns".to_owned(), name: name.replace('.', "-") },
        desired: u32::try_from(replicas).unwrap(),
        image: String::new(),
        protected: false,
        class: Class::Other,
        need: PodNeed::of(&workload),
    }
}

/// A Deployment with one container that requests this.
pub fn deployment(name: &str, replicas: u32, cpu: &str, memory: &str) -> PlannedComponent {
    component(
        name,
        &format!(
            "{{kind: Deployment, spec: {{replicas: {replicas}, template: {{spec: {{containers: [\
             {{name: main, resources: {{requests: {{cpu: {cpu}, memory: {memory}}}}}}}]}}}}}}}}"
        ),
    )
}

/// A StatefulSet with one container that requests this, and one claim.
pub fn stateful(name: &str, replicas: u32, cpu: &str, memory: &str, size: &str) -> PlannedComponent {
    component(
        name,
        &format!(
            "{{kind: StatefulSet, spec: {{replicas: {replicas}, template: {{spec: {{containers: [\
             {{name: main, resources: {{requests: {{cpu: {cpu}, memory: {memory}}}}}}}]}}}}, \
             volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {{resources: {{requests: {{storage: {size}}}}}}}}}]}}}}"
        ),
    )
}

/// `cpu=1 memory=2Gi`.
pub fn amounts(text: &str) -> Resources {
    let entry = |pair: &str| {
        let (resource, amount) = pair.split_once('=').unwrap_or_else(|| panic!("{pair}"));
        (resource.to_owned(), Amount::parse(amount).unwrap())
    };
    text.split_whitespace().map(entry).collect()
}

/// A quota without scopes.
pub fn quota(name: &str, hard: &str, used: &str) -> QuotaFacts {
    let (hard, mut used) = (amounts(hard), amounts(used));
    for resource in hard.keys() {
        used.entry(resource.clone()).or_default();
    }
    QuotaFacts { name: name.to_owned(), hard, used, scopes: Vec::new() }
}

/// A scope: `NotTerminating`, or `PriorityClass In low,high`.
pub fn scope(text: &str) -> ScopeFacts {
    let mut words = text.split_whitespace();
    let mut next = |default: &str| words.next().unwrap_or(default).to_owned();
    let (name, operator, values) = (next(""), next("Exists"), next(""));
    let values = values.split(',').filter(|value| !value.is_empty()).map(str::to_owned).collect();
    ScopeFacts { name, operator, values }
}

/// A rule of a limit range, such as `Container default:cpu=1 max:cpu=2`.
pub fn range(name: &str, rules: &[&str]) -> LimitRangeFacts {
    let rule = |text: &&str| {
        let (kind, parts) = text.split_once(' ').unwrap();
        let mut rule = LimitRule { kind: kind.to_owned(), ..LimitRule::default() };
        for part in parts.split_whitespace() {
            let (field, amount) = part.split_once(':').unwrap();
            let target = match field {
                "default" => &mut rule.default,
                "defaultRequest" => &mut rule.default_request,
                "min" => &mut rule.min,
                "max" => &mut rule.max,
                "ratio" => &mut rule.max_ratio,
                other => panic!("{other}"),
            };
            target.extend(amounts(amount));
        }
        rule
    };
    LimitRangeFacts { name: name.to_owned(), rules: rules.iter().map(rule).collect() }
}

/// Storage classes, the first of which is the default.
pub fn classes(names: &[&str]) -> Arc<BTreeMap<String, ClassFacts>> {
    let facts = |(index, name): (usize, &&str)| {
        ((*name).to_owned(), ClassFacts { default: index == 0, ..ClassFacts::default() })
    };
    Arc::new(names.iter().enumerate().map(facts).collect())
}
