//! One stack as a tree: what is wrong and what to do first, what is merely so after it.

use obstack_api::{
    ComponentState, ComponentStatus, Condition, ConditionStatus, ConditionType, PlanState, StackStatus,
};

use super::parts;
use crate::{
    age,
    args::COMMAND,
    evidence::{self, PODS},
    sight::{Sight, state_word},
    story::FirstCause,
    terminal::{Terminal, Tone},
    told::{self, Told, Verdict},
    tree::{Node, pad, widest},
};

/// A stack as text.
pub fn text(sight: &Sight, terminal: &Terminal) -> String {
    tree(sight, false).text(terminal)
}

/// What moves of a stack as text, for a screen that is drawn again and again: it has to fit.
pub fn moving(sight: &Sight, terminal: &Terminal) -> String {
    tree(sight, true).text(terminal)
}

fn tree(sight: &Sight, moving: bool) -> Node {
    let stack = &sight.stack;
    let status = told::status(stack);
    let verdict = Verdict::of(stack);
    let about = format!("env {}, {} old", stack.spec.environment, age::short(sight.age()));
    let mut root = Node::new(Tone::Strong, sight.key.to_string()).and(Tone::Dim, about);
    root.extend(
        Told::of(stack).caveat().map(|caveat| Node::new(Tone::Warn, "Not current").says(Tone::Warn, caveat)),
    );
    if Told::of(stack) == Told::Never {
        let why = "is the operator running, and does it watch this namespace? docs/runbook/Pending.md";
        root.extend([Node::new(Tone::Plain, "Look at").says(Tone::Plain, why)]);
        root.extend(unseen(sight));
        return root;
    }
    let old = if Told::of(stack) == Told::Now { "" } else { ", of the spec before" };
    let stored = told::condition(stack, ConditionType::Ready);
    let (ready, reason, message) = stored
        .map_or((verdict.ready, &*verdict.reason, &*verdict.message), |said| {
            (said.status, &*said.reason, &*said.message)
        });
    // The cause below says the same at length.
    let words = if ready == ConditionStatus::False { "" } else { message };
    root.extend([Node::new(told::tone_of(ready), format!("Ready {}", told::word(ready)))
        .and(Tone::Plain, format!("{reason}{old}"))
        .says(Tone::Plain, words)]);
    let cause = first_cause(sight, &status, ready);
    let said = cause.as_ref().map(|(_, said)| said.as_str());
    root.extend(cause.iter().map(|(node, _)| node.clone()));
    root.extend(waiting(sight, &status));
    if moving {
        root.extend(components(sight, &status, said));
        root.extend(conditions(&status, said, true));
    } else {
        root.extend(conditions(&status, said, false));
        root.extend(components(sight, &status, said));
        root.extend(parts::of(&status));
    }
    root.extend(unseen(sight));
    root
}

/// The first cause with its fix: as it is seen now, or as the status has it. Gives its words too: once is enough.
fn first_cause(sight: &Sight, status: &StackStatus, ready: ConditionStatus) -> Option<(Node, String)> {
    let gate = obstack_core::conclude::fallen_with(status);
    let of_workloads = gate.is_none_or(|gate| gate.type_ == ConditionType::WorkloadsReady);
    let seen = sight.first().filter(|_| of_workloads && ready != ConditionStatus::Unknown);
    let (reason, message) = match (seen, gate) {
        (Some((_, trouble)), _) => (trouble.reason.as_str(), trouble.message.clone()),
        (None, Some(gate)) => (gate.reason.as_str(), gate.message.clone()),
        (None, None) => {
            let ready = told::condition(&sight.stack, ConditionType::Ready)?;
            if ready.status != ConditionStatus::False {
                return None;
            }
            (ready.reason.as_str(), ready.message.clone())
        }
    };
    let cause = FirstCause::of(reason);
    // The status repeats the fix in its message.
    let message = match &cause.fix {
        Some(fix) => {
            message.strip_suffix(fix.as_str()).map_or(message.clone(), |bare| bare.trim_end().to_owned())
        }
        None => message,
    };
    let mut node = Node::new(Tone::Bad, "Cause").and(Tone::Strong, reason).says(Tone::Plain, &message);
    if gate.is_some_and(|gate| gate.type_ == ConditionType::WorkloadsReady) {
        node.extend(sight.disagreement().map(|note| Node::new(Tone::Warn, "newer").says(Tone::Warn, note)));
    }
    node.extend(cause.fix.map(|fix| Node::new(Tone::Good, "fix").says(Tone::Plain, fix)));
    node.extend(cause.runbook.map(|page| Node::new(Tone::Dim, "runbook").says(Tone::Plain, page)));
    Some((node, message.trim_end_matches('.').to_owned()))
}

/// The change that waits, and how it is let through.
fn waiting(sight: &Sight, status: &StackStatus) -> Option<Node> {
    let plan = status.plan.as_ref().filter(|plan| plan.state != PlanState::Applied)?;
    let (head, how) = match plan.state {
        PlanState::PendingApproval => {
            let how = format!("{COMMAND} approve {} -n {}", sight.key.name, sight.key.namespace);
            ("Change that waits for approval", Some(how))
        }
        _ => ("Change that is held", None),
    };
    let counts = format!("{} objects made, {} changed, {} deleted", plan.created, plan.changed, plan.deleted);
    let mut node = Node::new(Tone::Warn, head).says(Tone::Plain, counts);
    if !plan.restarts.is_empty() {
        node.extend([Node::new(Tone::Dim, "restarts").says(Tone::Plain, plan.restarts.join(", "))]);
    }
    node.extend(plan.disruptive.iter().map(|why| Node::new(Tone::Warn, "disruptive").says(Tone::Plain, why)));
    node.extend([Node::new(Tone::Dim, "digest").says(Tone::Dim, &plan.digest)]);
    node.extend(how.map(|how| Node::new(Tone::Good, "approve").says(Tone::Plain, how)));
    Some(node)
}

/// Conditions: those that matter first, the rest dimmed.
fn conditions(status: &StackStatus, cause: Option<&str>, moving: bool) -> Option<Node> {
    let shown: Vec<&Condition> =
        status.conditions.iter().filter(|said| said.type_ != ConditionType::Ready).collect();
    let (good, matter): (Vec<&Condition>, Vec<_>) =
        shown.iter().copied().partition(|said| told::is_good(said));
    let name = widest(shown.iter().map(|said| said.type_.as_str()));
    let reason = widest(shown.iter().map(|said| said.reason.as_str()));
    // What stands above, and what the loss of a pod has a part of its own for below.
    let elsewhere = |said: &Condition| {
        said.type_ == ConditionType::FaultTolerant || cause.is_some_and(|cause| said.message.contains(cause))
    };
    let line = |said: &&Condition, tone: Tone, words: Tone| {
        Node::new(tone, pad(said.type_.as_str(), name))
            .and(tone, pad(told::word(said.status), 7))
            .and(words, pad(&said.reason, reason))
            .says(words, if elsewhere(said) { "" } else { said.message.as_str() })
    };
    let mut node = Node::new(Tone::Strong, "Conditions");
    node.extend(matter.iter().map(|said| line(said, told::tone(said), Tone::Plain)));
    if moving && !good.is_empty() {
        let names: Vec<_> = good.iter().map(|said| said.type_.as_str()).collect();
        node.extend([Node::new(Tone::Dim, "as they should be").says(Tone::Dim, names.join(", "))]);
    } else {
        node.extend(good.iter().map(|said| line(said, Tone::Dim, Tone::Dim)));
    }
    (!node.is_bare()).then_some(node)
}

fn components(sight: &Sight, status: &StackStatus, cause: Option<&str>) -> Option<Node> {
    let fresh: Vec<ComponentStatus> = sight.health.iter().map(|component| component.status.clone()).collect();
    let unprovided = |component: &&ComponentStatus| component.state == ComponentState::NotProvidedByBackend;
    let seen: Vec<ComponentStatus> = if fresh.is_empty() {
        status.components.clone()
    } else {
        fresh.into_iter().chain(status.components.iter().filter(unprovided).cloned()).collect()
    };
    let counted: Vec<_> = seen.iter().filter(|component| !unprovided(component)).collect();
    let ready = counted.iter().filter(|component| component.state == ComponentState::Ready).count();
    let source = if sight.health.is_empty() { ", as the status has it" } else { "" };
    let mut node = Node::new(Tone::Strong, "Components")
        .and(Tone::Plain, format!("{ready}/{} ready{source}", counted.len()));
    let width = widest(seen.iter().map(|component| component.name.as_str()));
    let image = widest(seen.iter().filter_map(|component| component.image.as_deref()).map(version));
    node.extend(seen.iter().map(|component| self::component(sight, component, (width, image), cause)));
    (!node.is_bare()).then_some(node)
}

fn component(
    sight: &Sight,
    component: &ComponentStatus,
    (width, image): (usize, usize),
    cause: Option<&str>,
) -> Node {
    let tone = match component.state {
        ComponentState::Ready => Tone::Good,
        ComponentState::Progressing => Tone::Warn,
        ComponentState::Blocked => Tone::Bad,
        ComponentState::NotProvidedByBackend => Tone::Dim,
    };
    let name = Node::new(Tone::Plain, pad(&component.name, width));
    if component.state == ComponentState::NotProvidedByBackend {
        return name.says(Tone::Dim, "not provided by this backend");
    }
    let count = format!("{}/{}", component.ready, component.desired);
    let mut words = String::new();
    if component.updated < component.desired {
        words = format!("{} of {} at the newest revision. ", component.updated, component.desired);
    }
    if let Some(reason) = &component.reason {
        words.push_str(reason);
        let message = component.message.as_deref().unwrap_or_default();
        if cause.is_none_or(|cause| !message.contains(cause)) {
            words.push_str(": ");
            words.push_str(message);
        }
    }
    let mut node = name
        .and(tone, pad(&count, 5))
        .and(tone, pad(state_word(component.state), 11))
        .and(Tone::Dim, pad(component.image.as_deref().map(version).unwrap_or_default(), image))
        .says(Tone::Plain, words.trim_end());
    let troubled: Vec<_> = sight.pods(&component.name).filter(|pod| !pod.ready).collect();
    node.extend(troubled.iter().take(PODS).map(|pod| self::pod(pod)));
    if troubled.len() > PODS {
        node.extend([Node::new(
            Tone::Dim,
            format!("and {} more pods that are not ready", troubled.len() - PODS),
        )]);
    }
    node
}

/// Name and version of an image, without its registry and digest.
fn version(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    image.rsplit('/').next().unwrap_or(image)
}

fn pod(pod: &obstack_core::live::PodFacts) -> Node {
    let place = if pod.node.is_empty() { "on no node".to_owned() } else { format!("on {}", pod.node) };
    let restarts = match evidence::restarts(pod) {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        count => format!(", {count} restarts"),
    };
    let waiting = pod.containers.iter().filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let why: Vec<_> = waiting.map(|(reason, _)| reason.as_str()).collect();
    let why = if why.is_empty() { String::new() } else { format!(", {}", why.join(", ")) };
    let says: Vec<String> = evidence::of_pod(pod)
        .into_iter()
        .filter(|link| !link.field.ends_with("restartCount") && !link.says.is_empty())
        .map(|link| link.reason.map_or(link.says.clone(), |reason| format!("{reason}: {}", link.says)))
        .collect();
    let mut node = Node::new(Tone::Warn, format!("pod {}", pod.name))
        .says(Tone::Plain, format!("{}, {place}{restarts}{why}", evidence::phase(pod)));
    node.extend(says.into_iter().map(|words| Node::new(Tone::Dim, "says").says(Tone::Plain, words)));
    node
}

/// What is not known, and why.
fn unseen(sight: &Sight) -> Option<Node> {
    let mut node = Node::new(Tone::Warn, "Not known");
    node.extend(sight.missing.iter().map(|why| Node::new(Tone::Dim, "").says(Tone::Plain, why)));
    (!node.is_bare()).then_some(node)
}
