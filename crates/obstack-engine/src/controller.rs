//! The loop around the reconcile: what triggers it, in which order, and what a failure costs.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream};
use kube::{
    Api, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller, Predicate, PredicateConfig, WatchStreamExt,
        controller::{Action, Config},
        predicates, reflector,
        reflector::ObjectRef,
        watcher,
    },
};
use obstack_api::{ObservabilityStack, Reason, StackStatus};
use obstack_core::{conclude::Situation, hash, names::StackKey, violation::Violation};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    cleanup,
    cluster::{ClusterError, stack::requested},
    context::{Asked, Context},
    publish::publish_over,
    reconcile::reconcile,
    seen::standing,
};

/// A stack that may not parse: one bad object must not end the watch of all others.
type Guarded = DeserializeGuard<ObservabilityStack>;

/// Reconciles that run at the same time.
const CONCURRENCY: u16 = 8;
/// Wait after the first failure of a stack; it doubles up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest wait after failures.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Why a reconcile ended early. Each is tried again, later and later.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It took too long.
    #[error("the reconcile took longer than {0:?}")]
    Deadline(Duration),
    /// It ended in a panic, which is a fault of the operator.
    #[error("the reconcile panicked; this is a fault of the operator, please report it with the log")]
    Panicked,
}

/// Reconciles until told to stop; a reconcile that runs then is finished.
pub async fn run(
    ctx: Arc<Context>,
    mut triggers: mpsc::UnboundedReceiver<StackKey>,
    stop: CancellationToken,
) {
    let scopes: Vec<Option<String>> = match ctx.settings.namespaces.as_slice() {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let mut routes = Vec::new();
    let mut loops = Vec::new();
    for scope in scopes {
        let (sender, receiver) = mpsc::unbounded_channel();
        routes.push((scope.clone(), sender));
        loops.push(one_scope(Arc::clone(&ctx), scope, receiver, stop.clone()).boxed());
    }
    let routing = async move {
        while let Some(key) = triggers.recv().await {
            for (scope, sender) in &routes {
                if scope.as_ref().is_none_or(|namespace| *namespace == key.namespace) {
                    let _ = sender.send(ObjectRef::<Guarded>::new(&key.name).within(&key.namespace));
                }
            }
        }
    };
    tokio::select! {
        () = routing => {}
        () = stream::select_all(loops.into_iter().map(FutureExt::into_stream)).for_each(|()| async {}) => {}
    }
}

async fn one_scope(
    ctx: Arc<Context>,
    scope: Option<String>,
    triggers: mpsc::UnboundedReceiver<ObjectRef<Guarded>>,
    stop: CancellationToken,
) {
    let api: Api<Guarded> = match &scope {
        None => Api::all(ctx.client.0.clone()),
        Some(namespace) => Api::namespaced(ctx.client.0.clone(), namespace),
    };
    let (reader, writer) = reflector::store::<Guarded>();
    let roll = Arc::clone(&ctx);
    let stacks = watcher(api, watcher::Config::default().timeout(120).page_size(50))
        .default_backoff()
        .modify(pack)
        .inspect(move |event| roll_call(&roll, event))
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(predicates::finalizers),
            PredicateConfig::default(),
        );
    Controller::for_stream(stacks, reader)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(UnboundedReceiverStream::new(triggers))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(guarded, error_policy, ctx)
        .for_each(|_| futures::future::ready(()))
        .await;
}

/// Leaves out of a stack what is never looked at, and packs the rest: a map that was read entry by entry is half empty.
fn pack(stack: &mut Guarded) {
    stack.managed_fields_mut().clear();
    let Ok(stack) = &mut stack.0 else { return };
    let of = [
        stack.spec.traces.as_mut().map(|traces| &mut traces.components),
        stack.spec.metrics.as_mut().map(|metrics| &mut metrics.components),
    ];
    for components in of.into_iter().flatten() {
        *components = std::mem::take(components).into_iter().collect();
    }
}

/// Keeps the roster: which stacks there are and what they claim.
fn roll_call(ctx: &Arc<Context>, event: &Result<watcher::Event<Guarded>, watcher::Error>) {
    match event {
        Ok(watcher::Event::Apply(stack) | watcher::Event::InitApply(stack)) => {
            let key = key_of(stack);
            ctx.view.learn_stack(&key);
            if let Ok(stack) = &stack.0 {
                ctx.roster.enter(&key, stack);
            }
        }
        Ok(watcher::Event::Delete(stack)) => {
            let key = key_of(stack);
            let policy = stack.0.as_ref().ok().map(|stack| stack.spec.deletion_policy);
            tokio::spawn(cleanup::gone(Arc::clone(ctx), key.clone(), policy));
            ctx.probes.forget_stack(&key);
            ctx.rings.forget_stack(&key);
            ctx.canaries.forget_stack(&key);
            ctx.secrets.forget_stack(&key);
            ctx.metrics.forget_stack(&key.namespace, &key.name);
            for other in ctx.roster.leave(&key) {
                ctx.probes.trigger(other);
            }
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the watch of stacks failed and is made anew"),
    }
}

fn key_of(stack: &Guarded) -> StackKey {
    StackKey { namespace: stack.namespace().unwrap_or_default(), name: stack.name_any() }
}

/// One reconcile with everything around it: back-off, deadline, panic, log, metrics.
async fn guarded(stack: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, ReconcileError> {
    let key = key_of(&stack);
    let span = tracing::info_span!("reconcile", stack = %key);
    let metadata = stack.meta();
    let asked = Asked { generation: metadata.generation, request: requested(metadata) };
    let memory = ctx.memory.recall(&key);
    if let Some((until, of)) = &memory.not_before
        && let Some(wait) = until.checked_duration_since(Instant::now())
        && *of == asked
    {
        return Ok(Action::requeue(wait));
    }
    let started = Instant::now();
    let deadline = ctx.settings.reconcile_deadline;
    let work = Box::pin(one(Arc::clone(&ctx), key.clone(), Arc::clone(&stack)));
    let work = AssertUnwindSafe(work).catch_unwind();
    let result = match tokio::time::timeout(deadline, work.instrument(span.clone())).await {
        Ok(Ok(Ok(again))) => Ok(again),
        Ok(Ok(Err(error))) => Err(ReconcileError::Cluster(error)),
        Ok(Err(_)) => Err(ReconcileError::Panicked),
        Err(_) => Err(ReconcileError::Deadline(deadline)),
    };
    ctx.metrics.record_reconcile(if result.is_ok() { "ok" } else { "error" }, started.elapsed());
    match result {
        Ok(again) => {
            if memory.failures > 0 {
                ctx.memory.update(&key, |memory| (memory.failures, memory.not_before) = (0, None));
            }
            Ok(Action::requeue(again))
        }
        Err(error) => {
            span.in_scope(|| tracing::warn!(%error, failures = memory.failures + 1, "the reconcile failed and is tried again"));
            // Whoever asks anew is not made to wait for what failed before.
            let anew = memory.not_before.as_ref().is_none_or(|(_, of)| of.request != asked.request);
            let failures = if anew { 0 } else { memory.failures };
            let wait = backoff(&key, failures);
            ctx.memory.update(&key, |memory| {
                memory.failures = failures.saturating_add(1);
                memory.not_before = Some((Instant::now() + wait, asked));
                // What was being written is not known: read it anew.
                memory.stored = None;
            });
            Err(error)
        }
    }
}

/// Doubles with each failure; moved by up to a fifth, stack by stack, so that many do not try again at once.
fn backoff(key: &StackKey, failures: u32) -> Duration {
    let wait = BACKOFF.saturating_mul(1 << failures.min(6)).min(BACKOFF_MAX);
    wait.mul_f64(hash::spread(&format!("{key}{failures}"), 200))
}

async fn one(ctx: Arc<Context>, key: StackKey, stack: Arc<Guarded>) -> Result<Duration, ClusterError> {
    match &stack.0 {
        Ok(stack) => reconcile(&ctx, &key, stack).await,
        Err(invalid) if invalid.metadata.deletion_timestamp.is_some() => {
            cleanup::finalize(&ctx, &key, &invalid.metadata, None).await
        }
        Err(invalid) => {
            let message = format!("cannot be read: {}; correct the object", invalid.error);
            let violations = vec![Violation::new(Reason::InvalidSpec, "spec", message)];
            let (components, aspects) = standing(&ctx, &key, None).await?;
            let situation = Situation::Invalid { violations, components, aspects };
            let held = publish_over(
                &ctx,
                &key,
                &invalid.metadata,
                StackStatus::default(),
                requested(&invalid.metadata),
                &situation,
            )
            .await?;
            Ok(held.unwrap_or(BACKOFF_MAX * 10))
        }
    }
}

// By value: the controller hands its own handles over.
#[expect(clippy::needless_pass_by_value)]
fn error_policy(stack: Arc<Guarded>, _: &ReconcileError, ctx: Arc<Context>) -> Action {
    let until = ctx.memory.recall(&key_of(&stack)).not_before;
    Action::requeue(until.map_or(BACKOFF, |(until, _)| until.saturating_duration_since(Instant::now())))
}
