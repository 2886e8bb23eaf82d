//! Why a stack is not ready: the chain from its Ready condition to the first cause, with the evidence.

use obstack_api::{BucketState, Condition, ConditionStatus, ConditionType, Reason, StackStatus};
use obstack_core::conclude;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    args::COMMAND,
    evidence::{self, Link},
    gitops,
    sight::Sight,
    told::{self, Told, Verdict},
};

/// Links that one list of the status gives at most.
const LISTED: usize = 5;

/// Why a stack is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// `NAMESPACE/NAME`.
    pub stack: String,
    /// Status of Ready for the spec as it is: `True`, `False` or `Unknown`.
    pub ready: String,
    /// From Ready to the first cause.
    pub chain: Vec<Link>,
    /// The first cause; absent when nothing keeps the stack from being ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<FirstCause>,
    /// What is not perfect and does not keep it from being ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imperfect: Vec<Link>,
    /// What a reader has to know besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is not known, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// The first cause, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirstCause {
    /// In one word.
    pub reason: String,
    /// What the word means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do, where a person has to act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The page about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

impl FirstCause {
    /// A cause by its word.
    pub fn of(word: &str) -> Self {
        let reason = Reason::named(word);
        Self {
            reason: word.to_owned(),
            meaning: reason.map(|reason| reason.meaning().to_owned()),
            fix: reason.and_then(Reason::fix).map(str::to_owned),
            runbook: reason.map(told::runbook),
        }
    }

    fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Why a stack is as it is seen.
pub fn of(sight: &Sight) -> Story {
    let verdict = Verdict::of(&sight.stack);
    let mut story = Story {
        stack: sight.key.to_string(),
        ready: told::word(verdict.ready).to_owned(),
        missing: sight.missing.clone(),
        ..Story::default()
    };
    let told = Told::of(&sight.stack);
    if let Some(caveat) = told.caveat() {
        let field = if told == Told::Never { "status" } else { "status.observedGeneration" };
        story.chain.push(stack_link(sight, field, caveat).reason(Reason::Pending.as_str()));
        let fix = format!(
            "Is the operator running, and does it watch namespace {}? `{COMMAND} reconcile {} -n {}` asks it to look",
            sight.key.namespace, sight.key.name, sight.key.namespace
        );
        story.cause = Some(FirstCause::of(Reason::Pending.as_str()).fixed_by(fix));
        if told == Told::Never {
            return story;
        }
        story.notes.push("what follows was said of the spec before".to_owned());
    }
    let status = told::status(&sight.stack);
    let Some(ready) = told::condition(&sight.stack, ConditionType::Ready) else { return story };
    story.notes.extend(sight.disagreement());
    if ready.status == ConditionStatus::True {
        story.chain.push(condition_link(sight, ready, &ready.message));
        if let Some((component, trouble)) = sight.first() {
            let field = format!("status.components[{}]", component.status.name);
            story
                .imperfect
                .push(stack_link(sight, &field, &*trouble.message).reason(trouble.reason.as_str()));
        }
        let imperfect = status.conditions.iter().filter(|said| !told::is_good(said));
        story.imperfect.extend(imperfect.map(|said| condition_link(sight, said, &said.message)));
        return story;
    }
    let cause = chain(sight, &status, ready, &mut story.chain);
    story.cause = story.cause.or(Some(cause));
    let stalled = told::condition(&sight.stack, ConditionType::Stalled);
    if stalled.is_some_and(|stalled| stalled.status == ConditionStatus::True) {
        story.notes.push(
            "a person has to act (Stalled=True); once the cause is gone the stack goes on by itself"
                .to_owned(),
        );
    }
    story
}

/// The chain of a stack that is not ready. Gives its end.
fn chain(sight: &Sight, status: &StackStatus, ready: &Condition, links: &mut Vec<Link>) -> FirstCause {
    let name = format!("{} -n {}", sight.key.name, sight.key.namespace);
    let gate = conclude::fallen_with(status);
    // What a deeper link repeats is said there.
    let words = match gate {
        Some(gate) if ready.message.ends_with(&gate.message) => "",
        _ => ready.message.as_str(),
    };
    links.push(condition_link(sight, ready, words));
    match Reason::named(&ready.reason) {
        Some(Reason::Suspended) => {
            let by = gitops::manager_of(&sight.stack, &["spec", "suspend"]);
            let by = by.map(|manager| format!(", set by {manager}")).unwrap_or_default();
            links.push(stack_link(sight, "spec.suspend", format!("true{by}")));
            let fix = format!("`{COMMAND} resume {name}` lets the operator go on");
            return FirstCause::of(&ready.reason).fixed_by(fix);
        }
        Some(Reason::Terminating) => {
            let held = sight.stack.metadata.finalizers.clone().unwrap_or_default();
            links.push(stack_link(sight, "metadata.finalizers", held.join(", ")));
            return FirstCause::of(&ready.reason);
        }
        _ => {}
    }
    let Some(gate) = gate else { return FirstCause::of(&ready.reason) };
    let mut cause = FirstCause::of(&gate.reason);
    match gate.type_ {
        ConditionType::WorkloadsReady => return workloads(sight, status, gate, links),
        ConditionType::StorageReady => {
            links.push(condition_link(sight, gate, &gate.message));
            links.extend(storage(sight, status, &gate.message));
        }
        ConditionType::PlanApplied => {
            links.push(condition_link(sight, gate, &gate.message));
            links.extend(plan(sight, status, gate));
            if gate.reason == Reason::AwaitingApproval.as_str()
                || gate.reason == Reason::ApprovalStale.as_str()
            {
                cause = cause.fixed_by(format!("Read the plan, then: `{COMMAND} approve {name}`"));
            }
        }
        ConditionType::PolicyCompliant => {
            links.push(condition_link(sight, gate, &gate.message));
            let violations = status.policy.iter().flat_map(|policy| &policy.violations).take(LISTED);
            links.extend(violations.map(|found| {
                let field = format!("status.policy.violations[{} {}]", found.component, found.container);
                stack_link(sight, &field, &*found.message)
            }));
        }
        _ => links.push(condition_link(sight, gate, &gate.message)),
    }
    cause
}

/// From the workloads' condition down to a pod, a claim, a quota or an event.
fn workloads(sight: &Sight, status: &StackStatus, gate: &Condition, links: &mut Vec<Link>) -> FirstCause {
    if let Some((component, trouble)) = sight.first() {
        let words =
            if gate.message.starts_with(trouble.message.trim_end_matches('.')) { "" } else { &gate.message };
        links.push(condition_link(sight, gate, words));
        let field = format!("status.components[{}]", component.status.name);
        links.push(stack_link(sight, &field, &*trouble.message).reason(trouble.reason.as_str()));
        links.extend(evidence::of_component(sight, component));
        return FirstCause::of(trouble.reason.as_str());
    }
    links.push(condition_link(sight, gate, &gate.message));
    let same = |reason: &Option<String>| reason.as_ref() == Some(&gate.reason);
    if let Some(component) = status.components.iter().find(|component| same(&component.reason)) {
        let field = format!("status.components[{}]", component.name);
        let message = component.message.clone().unwrap_or_default();
        links.push(stack_link(sight, &field, message).reason(&gate.reason));
    }
    FirstCause::of(&gate.reason)
}

fn storage(sight: &Sight, status: &StackStatus, said: &str) -> Vec<Link> {
    let failed = status.buckets.iter().filter(|bucket| bucket.state != BucketState::Ready).take(LISTED);
    let mut links: Vec<_> = failed
        .map(|bucket| {
            let field = format!("status.buckets[{}]", bucket.name);
            // Most often all have the same fault, and the condition has said it.
            let message = bucket.message.as_deref().filter(|message| !said.contains(message));
            stack_link(sight, &field, message.unwrap_or("the same"))
        })
        .collect();
    let storage = &sight.stack.spec.object_storage;
    let secret = &storage.credentials.secret_ref;
    links.push(stack_link(sight, "spec.objectStorage.endpoint", &*storage.endpoint));
    let keys = format!("keys {} and {}", secret.access_key_field(), secret.secret_key_field());
    links.push(Link::new(format!("Secret {}", secret.name), "data", keys));
    links
}

fn plan(sight: &Sight, status: &StackStatus, gate: &Condition) -> Vec<Link> {
    let mut links = Vec::new();
    if let Some(plan) = status.plan.as_ref().filter(|plan| plan.state != obstack_api::PlanState::Applied) {
        links.push(stack_link(sight, "status.plan.digest", &*plan.digest));
        links.extend(
            plan.disruptive
                .iter()
                .take(LISTED)
                .map(|why| stack_link(sight, "status.plan.disruptive", &**why)),
        );
    }
    let blockers = status.quota.iter().flat_map(|quota| &quota.blockers).take(LISTED);
    let quota_holds = gate.reason == Reason::QuotaExceeded.as_str();
    let quotas = || sight.live.iter().flat_map(|live| live.quotas.iter().flatten());
    for blocker in blockers.filter(|_| quota_holds) {
        let seen = quotas().find(|quota| quota.name == blocker.quota);
        let seen: Vec<_> = seen.map(|quota| evidence::of_quota(quota, &blocker.resource)).unwrap_or_default();
        let used = seen.first().map(|link| format!(" ({})", link.says)).unwrap_or_default();
        let says = format!("{} free{used}, {} needed", blocker.free, blocker.needs);
        links.push(Link::new(
            format!("ResourceQuota {}", blocker.quota),
            format!("spec.hard[{}]", blocker.resource),
            says,
        ));
    }
    links
}

fn stack_link(sight: &Sight, field: &str, says: impl Into<String>) -> Link {
    Link::new(format!("ObservabilityStack {}", sight.key), field, says)
}

/// A condition: its status and words.
fn condition_link(sight: &Sight, condition: &Condition, words: &str) -> Link {
    let status = told::word(condition.status);
    let says = if words.is_empty() { status.to_owned() } else { format!("{status}: {words}") };
    stack_link(sight, &format!("status.conditions[{}]", condition.type_), says).reason(&condition.reason)
}
