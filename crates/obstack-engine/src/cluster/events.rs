//! Events, published beside the reconcile: a slow or failing write of one never holds a stack up.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use obstack_core::{conclude::EventIntent, objects::ObjectId};
use tokio::sync::mpsc;

use super::REQUEST_DEADLINE;
use crate::lease::WriteGuard;

/// Events that may wait; more are dropped, because conditions say the same.
const QUEUE: usize = 256;

/// Takes events.
#[derive(Clone, Debug)]
pub struct EventSink {
    sender: mpsc::Sender<(ObjectReference, EventIntent)>,
}

impl EventSink {
    /// Starts publishing; ends when every sink is dropped.
    pub fn start(client: Client, guard: WriteGuard) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(ObjectReference, EventIntent)>(QUEUE);
        tokio::spawn(async move {
            // One recorder for all: it merges repeated events into series.
            let recorder = Recorder::new(client, Reporter { controller: "obstack".into(), instance: None });
            while let Some((regarding, intent)) = receiver.recv().await {
                if !guard.may_write() {
                    continue;
                }
                let event = Event {
                    type_: if intent.warning { EventType::Warning } else { EventType::Normal },
                    reason: intent.reason.as_str().to_owned(),
                    // The API server refuses notes of 1 KiB and more.
                    note: Some(intent.note.chars().take(1000).collect()),
                    action: "Reconcile".to_owned(),
                    secondary: intent.related.as_ref().map(reference),
                };
                match tokio::time::timeout(REQUEST_DEADLINE, recorder.publish(&event, &regarding)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "an event was not published"),
                    Err(_) => tracing::debug!("an event was not published in time"),
                }
            }
        });
        Self { sender }
    }

    /// Publishes an event about a stack, soon.
    pub fn publish(&self, regarding: ObjectReference, intent: EventIntent) {
        if self.sender.try_send((regarding, intent)).is_err() {
            tracing::debug!("too many events wait; one was dropped");
        }
    }
}

fn reference(id: &ObjectId) -> ObjectReference {
    ObjectReference {
        api_version: Some(id.kind.api_version()),
        kind: Some(id.kind.as_str().to_owned()),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        ..ObjectReference::default()
    }
}
