//! What stacks request, component by component, and what that is of each quota. Pure.

use obstack_api::{
    ObservabilityStack,
    rules::{METRICS_COMPONENTS, TRACES_COMPONENTS},
};
use obstack_core::{
    assemble::{PlannedComponent, sums_of_pods},
    live::QuotaFacts,
    quantity::{Amount, Sums},
    quota::{Preflight, QuotaWish},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{cluster::key_of, planner::Planned};

/// What stacks request, and what that is of quotas.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Capacity {
    /// Stack by stack.
    pub stacks: Vec<Part>,
    /// All of them together.
    pub total: Amounts,
    /// Resource by resource of each quota that a stack falls under.
    pub quotas: Vec<Line>,
    /// What could not be looked at.
    pub unknown: Vec<String>,
}

/// What one stack requests.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Namespace and name of the stack.
    pub stack: String,
    /// Its namespace.
    pub namespace: String,
    /// Its environment.
    pub environment: String,
    /// What runs, such as `Tempo 2.10.8, Mimir 3.1.2`.
    pub runs: String,
    /// Component by component.
    pub components: Vec<Row>,
    /// All of them together.
    pub total: Amounts,
    /// Whether it fits: `True`, `False` or `Unknown`; absent where no quota was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<obstack_api::ConditionStatus>,
    /// Why, with the numbers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip)]
    lines: Vec<Line>,
    #[serde(skip)]
    sums: Sums,
    #[serde(skip)]
    unknown: Vec<String>,
}

/// What one component requests.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// What people call it, such as `Mimir store-gateway`.
    pub name: String,
    /// What all its pods request.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// What each of its claims requests; empty when it has none.
    pub claim: String,
}

/// Amounts as Kubernetes writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Amounts {
    /// Pods.
    pub pods: u32,
    /// CPU, such as `2720m`.
    pub cpu: String,
    /// Memory, such as `12928Mi`.
    pub memory: String,
    /// Volume claims, such as `16Gi`.
    pub storage: String,
}

/// One resource of one quota.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Namespace of the quota.
    pub namespace: String,
    /// Its name.
    pub quota: String,
    /// The resource, as it names it.
    pub resource: String,
    /// What it allows.
    pub hard: String,
    /// What is used of it; absent before it was counted for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// What is left.
    pub free: String,
    /// What the stacks need of it for what does not run yet.
    pub needed: String,
    /// What is reserved besides.
    pub reserved: String,
    /// Used, needed and reserved together.
    pub required: String,
    /// What is missing for the stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What to ask for, with headroom, rounded up.
    pub ask_for: String,
    /// Share of it that stays free, in percent.
    pub headroom_percent: u32,
    #[serde(skip)]
    raw: Raw,
}

#[derive(Clone, Debug, Default)]
struct Raw {
    hard: Amount,
    used: Option<Amount>,
    needs: Amount,
    reserved: Amount,
    wish: Option<QuotaWish>,
}

impl Capacity {
    /// Takes a stack in.
    pub fn add(&mut self, part: Part) {
        for line in &part.lines {
            let same = |known: &&mut Line| {
                (&known.namespace, &known.quota, &known.resource)
                    == (&line.namespace, &line.quota, &line.resource)
            };
            match self.quotas.iter_mut().find(same) {
                // What was taken before stands in the line that is there.
                Some(known) => {
                    known.raw.needs += line.raw.needs;
                    known.raw.reserved += line.raw.reserved;
                    known.write();
                }
                None => self.quotas.push(line.clone()),
            }
        }
        for unknown in &part.unknown {
            if !self.unknown.contains(unknown) {
                self.unknown.push(unknown.clone());
            }
        }
        self.stacks.push(part);
        let sums = self.stacks.iter().map(|part| part.sums).fold(Sums::default(), |all, one| all + one);
        self.total = sums.into();
    }

    /// Takes from a quota what the stacks before need of it.
    pub fn take_room(&self, namespace: &str, quota: &mut QuotaFacts) {
        for line in self.quotas.iter().filter(|line| line.namespace == namespace && line.quota == quota.name)
        {
            if let Some(used) = quota.used.get_mut(&line.resource) {
                *used += line.raw.needs;
            }
        }
    }

    /// Whether nothing was found that does not fit.
    pub fn fits(&self) -> bool {
        self.stacks.iter().all(|part| part.fits != Some(obstack_api::ConditionStatus::False))
    }
}

impl Line {
    /// Whether it is one of the three that people ask for.
    pub fn is_of_three(&self) -> bool {
        ["cpu", "memory", "requests.cpu", "requests.memory", "requests.storage"]
            .contains(&self.resource.as_str())
    }

    fn write(&mut self) {
        let Raw { hard, used, needs, reserved, wish } = self.raw.clone();
        let say = |amount: Amount| amount.of_resource(&self.resource);
        let free = used.map_or(Amount::ZERO, |used| hard.minus(used));
        let required = used.unwrap_or_default() + needs + reserved;
        let ask = wish.map_or(hard, |wish| wish.to_ask_for(&self.resource, required, hard));
        let missing = needs.minus(free);
        self.hard = say(hard);
        self.used = used.map(say);
        self.free = say(free);
        self.needed = say(needs);
        self.reserved = say(reserved);
        self.required = required.about(&self.resource);
        self.missing = (missing > Amount::ZERO && used.is_some()).then(|| say(missing));
        self.ask_for = say(ask);
        self.headroom_percent = ask.minus(required).percent_of(ask);
    }
}

impl From<Sums> for Amounts {
    fn from(sums: Sums) -> Self {
        Self {
            pods: sums.pods,
            cpu: sums.cpu.cpu(),
            memory: sums.memory.bytes(),
            storage: sums.storage.storage(),
        }
    }
}

/// What one stack requests.
pub fn part(
    stack: &ObservabilityStack,
    planned: &Planned,
    preflight: Preflight,
    looked: bool,
    unknown: Vec<String>,
) -> Part {
    let key = key_of(stack);
    let wish = planned.valid.quota;
    let of = |component: &PlannedComponent| sums_of_pods(&component.need, component.desired);
    let components = &planned.plan.components;
    let sums = components.iter().map(of).fold(Sums::default(), |all, one| all + one);
    let lines = preflight.lines.iter().filter(|line| line.whole > Amount::ZERO).map(|line| {
        let reserved = wish.reserved_of(&line.resource);
        let mut told = Line {
            namespace: key.namespace.clone(),
            quota: line.quota.clone(),
            resource: line.resource.clone(),
            hard: String::new(),
            used: None,
            free: String::new(),
            needed: String::new(),
            reserved: String::new(),
            required: String::new(),
            missing: None,
            ask_for: String::new(),
            headroom_percent: 0,
            raw: Raw { hard: line.hard, used: line.used, needs: line.needs, reserved, wish: Some(wish) },
        };
        told.write();
        told
    });
    let lines = lines.collect();
    let charts = &planned.blueprint.report.charts;
    let runs = charts.iter().map(|chart| format!("{} {}", spoken(&chart.name), chart.app_version));
    Part {
        stack: key.to_string(),
        environment: stack.spec.environment.clone(),
        runs: runs.collect::<Vec<_>>().join(", "),
        components: in_order(components).into_iter().map(|component| row(component, of(component))).collect(),
        total: sums.into(),
        fits: preflight.finding.as_ref().filter(|_| looked).map(|finding| finding.status),
        message: preflight.finding.filter(|_| looked).map(|finding| finding.message).unwrap_or_default(),
        namespace: key.namespace,
        lines,
        sums,
        unknown,
    }
}

/// The order of the documentation: from the writes to the reads to the background.
fn in_order(components: &[PlannedComponent]) -> Vec<&PlannedComponent> {
    let rank = |component: &&PlannedComponent| {
        let (area, role) = component.name.split_once('.').unwrap_or_default();
        let (area, roles) = match area {
            "traces" => (0, TRACES_COMPONENTS),
            "metrics" => (1, METRICS_COMPONENTS),
            _ => (2, [].as_slice()),
        };
        (area, roles.iter().position(|known| *known == role), component.name.clone())
    };
    let mut ordered: Vec<_> = components.iter().collect();
    ordered.sort_by_key(rank);
    ordered
}

fn row(component: &PlannedComponent, sums: Sums) -> Row {
    let (area, role) = component.name.split_once('.').unwrap_or(("", &component.name));
    let backend = match area {
        "traces" => "Tempo ",
        "metrics" => "Mimir ",
        _ => "",
    };
    let claim: Amount =
        component.need.claims.iter().filter(|claim| !claim.ephemeral).map(|claim| claim.size).sum();
    Row {
        name: format!("{backend}{}", dashed(role)),
        amounts: sums.into(),
        claim: if claim > Amount::ZERO { claim.storage() } else { String::new() },
    }
}

/// `queryFrontend` as `query-frontend`.
fn dashed(role: &str) -> String {
    let mut text = String::new();
    for letter in role.chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// `mimir-distributed` as `Mimir`.
fn spoken(chart: &str) -> String {
    let stem = chart.trim_end_matches("-distributed");
    let mut letters = stem.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
