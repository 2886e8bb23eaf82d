//! A drill: a cause is injected into a stack that is ready, the stack names it, it is healed, the stack is ready.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use obstack_e2e::{Door, Follow, Mark, STACK, World, condition, edited, text};
use serde_json::Value;

use crate::{
    inject::{Injection, Needs},
    record,
    table::{self, Row},
};

/// Far above what anything takes. How long it takes is for the table to say, not for an assertion.
const LIMIT: Duration = Duration::from_mins(1);

/// A cause, how it comes about, and what must be said of it.
pub struct Cause {
    /// Its reason, with a word behind it where one reason has two rows.
    pub name: &'static str,
    /// How it comes about.
    pub inject: Injection,
    /// What must be said, all of it at once: the cause itself first.
    pub said: &'static [Said],
}

/// What a condition says, or a component. `{endpoint}`, `{namespace}` and `{prefix}` in the words are the scene's own.
pub struct Said {
    /// The condition's type, or the component's name.
    pub by: &'static str,
    /// Its status, or its state.
    pub status: &'static str,
    /// Its reason.
    pub reason: &'static str,
    /// What its message names.
    pub words: &'static [&'static str],
}

/// Where a drill takes place.
pub struct Scene<'a> {
    /// The test's world.
    pub world: &'a World,
    /// The part of the tests.
    pub part: &'static str,
    /// The stack.
    pub stack: Value,
    /// What is seen of the stack.
    pub follow: Follow,
    /// The way to the object store, if it has a door.
    pub door: Option<Door>,
}

impl<'a> Scene<'a> {
    /// A scene around a stack that is not made yet.
    pub fn around(world: &'a World, part: &'static str, backends: &[&str]) -> Self {
        let stack = edited(&world.stack("dts-dev", backends), &[("/spec/environment", "dev".into())]);
        let follow = Follow::of(&world.cluster, STACK, &world.namespace, "dts-dev");
        Self { world, part, stack, follow, door: None }
    }

    /// Makes the stack and waits until it is ready.
    pub async fn ready(self) -> Self {
        self.world.make(&self.stack).await;
        let mark = self.follow.mark();
        let ready = self.follow.first(mark, LIMIT, is_ready).await;
        assert!(ready.is_some(), "the stack does not become ready: {}", self.story(mark));
        self
    }

    /// Name of the stack.
    pub fn name(&self) -> &str {
        text(&self.stack, "/metadata/name")
    }

    /// Waits until the stack says something.
    pub async fn until(&self, type_: &str, reason: &str) {
        let mark = self.follow.mark();
        let says = |stack: &Value| condition(stack, type_).is_some_and(|found| found["reason"] == reason);
        let said = self.follow.first(mark, LIMIT, says).await;
        assert!(said.is_some(), "no {type_} with {reason}: {}", self.story(mark));
    }

    /// What the stack said from a mark on, for a person.
    fn story(&self, mark: Mark) -> String {
        let seen = self.follow.since(mark);
        let Some(began) = seen.first().map(|first| first.at) else { return "nothing was seen".to_owned() };
        let (mut told, mut story) = (BTreeMap::new(), Vec::new());
        for state in &seen {
            for by in TOLD {
                let Some(found) = condition(&state.object, by) else { continue };
                let [status, reason, message] =
                    ["/status", "/reason", "/message"].map(|field| text(found, field));
                let line = format!("{by}={status}/{reason}: {message}");
                if told.insert(by, line.clone()).as_ref() != Some(&line) {
                    story.push(format!("\n  {:6.2} s {line}", (state.at - began).as_secs_f32()));
                }
            }
        }
        story.concat()
    }
}

/// Conditions that a story is made of.
const TOLD: [&str; 7] = [
    "Ready",
    "SpecValid",
    "StorageReady",
    "PlanApplied",
    "WorkloadsReady",
    "QuotaSatisfied",
    "PolicyCompliant",
];

impl Cause {
    /// Whether a stack says what it must.
    fn is_named(&self, scene: &Scene<'_>, stack: &Value) -> bool {
        self.said.iter().all(|said| said.holds(scene, stack))
    }

    /// Causes that were named between a mark and a moment, and that there were not.
    fn astray(&self, scene: &Scene<'_>, from: Mark, until: Instant) -> BTreeSet<String> {
        let of = |stack: &Value, by: &str| {
            let found = voice(stack, by).filter(|found| found["status"] == "False")?;
            let reason = text(found, "/reason");
            let known = UNDER_WAY.contains(&reason) || self.said.iter().any(|said| said.reason == reason);
            (!known).then(|| format!("{}: {by} said {reason}: {}", self.name, text(found, "/message")))
        };
        let seen = scene.follow.since(from).into_iter().take_while(|state| state.at < until);
        seen.flat_map(|state| [self.said[0].by, "WorkloadsReady"].map(|by| of(&state.object, by)))
            .flatten()
            .collect()
    }
}

/// Reasons that are no cause: something is under way.
const UNDER_WAY: &[&str] = &["RolloutInProgress", "Applying", "CreatingBuckets"];

/// A condition by its type, or a component by its name.
fn voice<'a>(stack: &'a Value, by: &str) -> Option<&'a Value> {
    condition(stack, by).or_else(|| {
        let components = stack["status"]["components"].as_array()?;
        components.iter().find(|component| component["name"] == by)
    })
}

impl Said {
    fn holds(&self, scene: &Scene<'_>, stack: &Value) -> bool {
        let Some(found) = voice(stack, self.by) else { return false };
        let own = |word: &str| {
            word.replace("{endpoint}", text(&scene.stack, "/spec/objectStorage/endpoint"))
                .replace("{namespace}", &scene.world.namespace)
                .replace("{prefix}", &scene.world.prefix)
        };
        let (status, message) = (found.get("status").unwrap_or(&found["state"]), text(found, "/message"));
        status == self.status
            && text(found, "/reason") == self.reason
            && self.words.iter().all(|word| message.contains(&own(word)))
    }
}

fn is_ready(stack: &Value) -> bool {
    condition(stack, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Injects and heals one cause after the other. Gives what went wrong: what a test made is to be put away first.
pub async fn drill(scene: &Scene<'_>, causes: &[Cause]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, cause) in causes.iter().enumerate() {
        let mark = scene.follow.mark();
        let injected = cause.inject.inject(scene).await;
        let named = scene.follow.first(mark, LIMIT, |stack| cause.is_named(scene, stack)).await;
        match &named {
            Some(_) => record::keep(scene, cause),
            None => wrong.push(format!("{} was not named: {}", cause.name, scene.story(mark))),
        }
        let then = named.as_ref().map_or_else(Instant::now, |named| named.at);
        wrong.extend(cause.astray(scene, mark, then));
        let mark = scene.follow.mark();
        let mended = cause.inject.heal(scene).await;
        let healed = scene.follow.first(mark, LIMIT, is_ready).await;
        let then = healed.as_ref().map_or_else(Instant::now, |healed| healed.at);
        wrong.extend(cause.astray(scene, mark, then));
        let since = |moment: Instant, then: Instant| then.saturating_duration_since(moment);
        let simulated = if cause.inject.needs() == Needs::SimulatedPod { " (simulated)" } else { "" };
        table::add(Row {
            place: (scene.part, index),
            name: cause.name,
            how: format!("{}{}", cause.inject.how(), simulated),
            at_once: cause.inject.is_told_at_once(),
            named: named.map(|state| since(injected, state.at)),
            healed: healed.as_ref().map(|state| since(mended, state.at)),
        });
        if healed.is_none() {
            wrong.push(format!("{} did not heal: {}", cause.name, scene.story(mark)));
            break;
        }
    }
    println!("{}", table::of(scene.part));
    wrong
}

/// Ends a test whose drills went wrong.
pub fn passed(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
