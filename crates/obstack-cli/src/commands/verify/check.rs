//! What one check says.

use std::collections::BTreeSet;

use clap::builder::PossibleValue;
use obstack_api::{ConditionStatus, Reason};
use obstack_core::{finding::Finding, names::StackKey};
use schemars::JsonSchema;
use serde::Serialize;

use crate::told;

/// Declares checks in groups: the group, its name and the name and meaning of each check in it.
macro_rules! checks {
    ($($group:ident $group_name:literal $about:literal { $($check:ident $name:literal: $meaning:literal,)+ })+) => {
        /// A group of checks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum Group { $(#[doc = $about] $group,)+ }

        impl Group {
            /// Every group, in the order in which they are printed.
            pub const ALL: &[Self] = &[$(Self::$group,)+];

            /// Its name, as flags have it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$group => $group_name,)+ }
            }

            /// What its checks look at.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$group => $about,)+ }
            }
        }

        /// A check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        pub enum Id { $($(#[doc = $meaning] #[serde(rename = $name)] $check,)+)+ }

        impl Id {
            /// Every check.
            pub const ALL: &[Self] = &[$($(Self::$check,)+)+];

            /// Its name, as flags have it: `GROUP.CHECK`.
            pub fn name(self) -> &'static str {
                match self { $($(Self::$check => $name,)+)+ }
            }

            /// What it looks at.
            pub fn meaning(self) -> &'static str {
                match self { $($(Self::$check => $meaning,)+)+ }
            }

            /// Its group.
            pub fn group(self) -> Group {
                match self { $($(Self::$check => Group::$group,)+)+ }
            }
        }
    };
}

checks! {
    Stack "stack" "what the operator says" {
        Seen "stack.seen": "the operator has seen the newest generation",
        Spec "stack.spec": "the spec is valid",
        Active "stack.active": "the stack is not suspended",
        Ready "stack.ready": "the condition Ready",
        Going "stack.going": "the condition Stalled",
        Version "stack.version": "operator and client have the same version",
    }
    Buckets "buckets" "the object store, by its buckets" {
        Probe "buckets.probe": "each bucket takes, returns and deletes an object with the pods' own keys",
    }
    Objects "objects" "the objects of the inventory" {
        Present "objects.present": "every object exists and belongs to the stack",
        Drift "objects.drift": "nobody took a field of an object",
    }
    Services "services" "the Services, and what answers behind them" {
        Endpoints "services.endpoints": "each Service has a ready endpoint",
        Doors "services.doors": "each backend says that it is ready",
        Rings "services.rings": "the members of each ring are active",
    }
    Pods "pods" "the pods" {
        Components "pods.components": "each component has its pods ready",
        Policy "pods.policy": "requests and limits of live pods keep to the policy",
    }
    Budgets "budgets" "what the stack survives" {
        Protection "budgets.protection": "a drain takes one pod of a component at a time",
        Tolerance "budgets.tolerance": "every component goes on with a pod lost",
    }
    Grafana "grafana" "what Grafana gets" {
        Published "grafana.published": "datasources and dashboards are where Grafana finds them",
    }
    Telemetry "telemetry" "the way of telemetry" {
        Traces "telemetry.traces": "a span comes back by query",
        Metrics "telemetry.metrics": "a sample comes back by query",
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// Somebody should look at it.
    Warning,
    /// It is not as it should be.
    Failed,
    /// It could not be looked at.
    Unknown,
}

/// What one check says of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its group.
    pub group: Group,
    /// Which check.
    #[serde(rename = "check")]
    pub id: Id,
    /// How it ended.
    pub result: Outcome,
    /// What was seen, or why nothing was.
    pub message: String,
    /// The same in one word of the vocabulary of conditions, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Page of the runbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

impl Id {
    /// What a check says.
    pub fn says(self, result: Outcome, message: impl Into<String>) -> Check {
        let message = message.into();
        Check { group: self.group(), id: self, result, message, reason: None, fix: None, runbook: None }
    }

    /// It is as it should be.
    pub fn passed(self, message: impl Into<String>) -> Check {
        self.says(Outcome::Passed, message)
    }

    /// Somebody should look at it.
    pub fn warns(self, message: impl Into<String>) -> Check {
        self.says(Outcome::Warning, message)
    }

    /// It is not as it should be.
    pub fn failed(self, message: impl Into<String>) -> Check {
        self.says(Outcome::Failed, message)
    }

    /// It could not be looked at.
    pub fn unknown(self, message: impl Into<String>) -> Check {
        self.says(Outcome::Unknown, message)
    }

    /// What a condition says. `bad` is the result where it does not hold.
    pub fn of(self, finding: &Finding, bad: Outcome) -> Check {
        let result = match finding.status {
            ConditionStatus::True => Outcome::Passed,
            ConditionStatus::False => bad,
            ConditionStatus::Unknown => Outcome::Unknown,
        };
        self.says(result, finding.message.clone()).because(finding.reason)
    }
}

impl Check {
    /// Why, in one word, with the page of the runbook and what to do where a person has to act.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str());
        if self.result != Outcome::Passed {
            self.runbook = Some(told::runbook(reason));
            // Many messages end with it.
            self.fix = reason.fix().filter(|fix| !self.message.contains(fix)).map(str::to_owned);
        }
        self
    }

    /// What to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Which checks are made.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Checks or groups; all when empty.
    pub only: Vec<String>,
    /// Checks or groups.
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether a check is made.
    pub fn has(&self, id: Id) -> bool {
        let names = |list: &[String]| list.iter().any(|one| one == id.name() || one == id.group().name());
        (self.only.is_empty() || names(&self.only)) && !names(&self.skip)
    }

    /// Groups and checks, as the flags take them.
    pub fn values() -> Vec<PossibleValue> {
        let group = |group: &Group| PossibleValue::new(group.name()).help(group.meaning());
        let check = |id: &Id| PossibleValue::new(id.name()).help(id.meaning());
        Group::ALL.iter().map(group).chain(Id::ALL.iter().map(check)).collect()
    }
}

/// Namespace and name of a stack, as [`StackKey`] is written.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it stands for another type in the schema")]
struct Key {
    /// Namespace.
    namespace: String,
    /// Name.
    name: String,
}

/// What all checks of a stack say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The stack.
    #[schemars(with = "Key")]
    pub stack: StackKey,
    /// No check failed; with --strict every one was made too.
    pub passed: bool,
    /// How many checks ended how.
    pub counts: Counts,
    /// The checks, by group.
    pub checks: Vec<Check>,
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// As it should be.
    pub passed: usize,
    /// To be looked at.
    pub warnings: usize,
    /// Not as it should be.
    pub failed: usize,
    /// Not looked at.
    pub unknown: usize,
}

impl Verification {
    /// What checks come to. They may come in any order.
    pub fn of(stack: StackKey, mut checks: Vec<Check>, strict: bool) -> Self {
        // Stable: within a check the order stays.
        checks.sort_by_key(|check| check.id);
        let count = |result| checks.iter().filter(|check| check.result == result).count();
        let counts = Counts {
            passed: count(Outcome::Passed),
            warnings: count(Outcome::Warning),
            failed: count(Outcome::Failed),
            unknown: count(Outcome::Unknown),
        };
        let passed = counts.failed == 0 && (!strict || counts.unknown == 0);
        Self { stack, passed, counts, checks }
    }
}

/// Several things that are the same but for their names: the first few, and how many more.
pub fn named(names: impl IntoIterator<Item = String>) -> String {
    const LISTED: usize = 5;
    // Sorted, and each once.
    let names: BTreeSet<String> = names.into_iter().collect();
    let text = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
