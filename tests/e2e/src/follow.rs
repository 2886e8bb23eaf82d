//! Follows one object and knows when it was what.

use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::runtime::{
    WatchStreamExt,
    watcher::{self, Event, watcher},
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{Cluster, kinds::Kind};

/// A state of an object, and the moment at which a watch told of it.
#[derive(Clone, Debug)]
pub struct State {
    /// When it was heard of.
    pub at: Instant,
    /// The object.
    pub object: Value,
}

/// A place in what was seen.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// Every state of one object, from now on.
pub struct Follow {
    states: watch::Receiver<Vec<State>>,
    task: JoinHandle<()>,
}

impl Follow {
    /// Begins to watch. The object need not be there yet.
    pub fn of(cluster: &Cluster, kind: Kind, namespace: &str, name: &str) -> Self {
        let (sender, states) = watch::channel(Vec::new());
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = watcher(cluster.api(kind, namespace), config).default_backoff().boxed();
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                    let object = serde_json::to_value(object).expect("an object is JSON");
                    sender.send_modify(|states| states.push(State { at: Instant::now(), object }));
                }
            }
        });
        Self { states, task }
    }

    /// Now: what is seen after it, and the state that holds now.
    pub fn mark(&self) -> Mark {
        Mark(self.states.borrow().len().saturating_sub(1))
    }

    /// The first state from a mark on that is as it should be; `None` when none comes in time.
    pub async fn first(
        &self,
        from: Mark,
        within: Duration,
        mut fits: impl FnMut(&Value) -> bool,
    ) -> Option<State> {
        let mut states = self.states.clone();
        let mut next = from.0;
        let mut found = None;
        let search = states.wait_for(|states| {
            let new = states.iter().skip(next);
            found = new.clone().find(|state| fits(&state.object)).cloned();
            next = states.len();
            found.is_some()
        });
        timeout(within, search).await.ok()?.expect("the watch goes on");
        found
    }

    /// What was seen from a mark on.
    pub fn since(&self, from: Mark) -> Vec<State> {
        self.states.borrow().iter().skip(from.0).cloned().collect()
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.task.abort();
    }
}
