//! The backends' rings are read beside the reconcile, so that a backend that does not answer never holds a repair up.

mod ask;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use futures::future::join_all;
use obstack_core::{
    hash,
    names::StackKey,
    rings::{RingHealth, RingToAsk, Verdict, Why},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

pub use self::ask::{LARGEST_PAGE, REQUEST_DEADLINE};
use crate::reach::{Reach, Way};

/// Time between two looks at a stack's rings when nobody says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(30);
/// What was seen this many intervals ago is no longer told.
const STALE: u32 = 4;

/// Stacks that are asked at the same time.
const PARALLEL: usize = 16;
const PARALLEL_BY_PROXY: usize = 4;

/// Knows how the rings of every stack stand.
#[derive(Debug)]
pub struct Rings {
    reach: Option<Reach>,
    interval: Duration,
    triggers: mpsc::UnboundedSender<StackKey>,
    stacks: Mutex<HashMap<StackKey, Stack>>,
    /// Stacks whose rings are asked at the same time: after a start all are due at once.
    turns: Semaphore,
}

#[derive(Debug)]
struct Stack {
    asked: Vec<RingToAsk>,
    seen: Option<(Vec<RingHealth>, Instant)>,
    /// Ends with the entry.
    _looking: AbortOnDropHandle<()>,
}

impl Rings {
    /// Rings that are asked each `interval`. A finished look with news triggers its stack. Must be called inside a
    /// tokio runtime.
    pub fn new(way: Way, interval: Duration, triggers: mpsc::UnboundedSender<StackKey>) -> Self {
        let reach = Reach::new(way);
        let parallel = if reach.as_ref().is_some_and(Reach::is_proxy) { PARALLEL_BY_PROXY } else { PARALLEL };
        Self { reach, interval, triggers, stacks: Mutex::default(), turns: Semaphore::new(parallel) }
    }

    fn stacks(&self) -> MutexGuard<'_, HashMap<StackKey, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody asks.
    pub fn is_off(&self) -> bool {
        self.reach.is_none()
    }

    /// How a stack's rings stand, in the order of `wanted`: `None` before the first look has ended, and empty when
    /// there is nothing to ask or nobody may. What was seen long ago is not known any more. From the first call on the rings are looked at again and again, until
    /// other ones are wanted or the stack is forgotten.
    ///
    /// A page in another namespace than the stack's is not asked.
    pub fn look(self: &Arc<Self>, key: &StackKey, wanted: &[RingToAsk]) -> Option<Vec<RingHealth>> {
        let own = |page: &&RingToAsk| page.namespace == key.namespace;
        let wanted: Vec<_> = wanted.iter().filter(own).cloned().collect();
        if self.reach.is_none() || wanted.is_empty() {
            self.forget_stack(key);
            return Some(Vec::new());
        }
        let mut stacks = self.stacks();
        if let Some(stack) = stacks.get(key).filter(|stack| stack.asked == wanted) {
            stack.seen.as_ref()?;
            let unknown = |page: &RingToAsk| RingHealth {
                asked: page.clone(),
                verdict: Verdict::Unknown(Why::TimedOut),
            };
            let stale = || wanted.iter().map(unknown).collect();
            return Some(self.fresh(stack).cloned().unwrap_or_else(stale));
        }
        let span = tracing::info_span!("rings", stack = %key);
        let looking = tokio::spawn(watch(Arc::downgrade(self), key.clone(), wanted.clone()).instrument(span));
        let stack = Stack { asked: wanted, seen: None, _looking: AbortOnDropHandle::new(looking) };
        stacks.insert(key.clone(), stack);
        None
    }

    /// Forgets a stack that is gone.
    pub fn forget_stack(&self, key: &StackKey) {
        self.stacks().remove(key);
    }

    fn fresh<'a>(&self, stack: &'a Stack) -> Option<&'a Vec<RingHealth>> {
        let (seen, at) = stack.seen.as_ref()?;
        (at.elapsed() <= self.interval.saturating_mul(STALE).saturating_add(REQUEST_DEADLINE)).then_some(seen)
    }

    async fn ask(&self, pages: &[RingToAsk]) -> Vec<RingHealth> {
        let Some(reach) = &self.reach else { return Vec::new() };
        let _turn = self.turns.acquire().await;
        join_all(pages.iter().map(|page| ask::ask(reach, page))).await
    }

    fn tell(&self, key: &StackKey, asked: &[RingToAsk], seen: Vec<RingHealth>) {
        let mut stacks = self.stacks();
        let Some(stack) = stacks.get_mut(key).filter(|stack| stack.asked == asked) else { return };
        let news = self.fresh(stack) != Some(&seen);
        stack.seen = Some((seen, Instant::now()));
        drop(stacks);
        if news {
            // The receiver is gone only when the process ends.
            let _ = self.triggers.send(key.clone());
        }
    }

    /// The interval, moved by up to a tenth so that many stacks are not asked at once.
    fn wait(&self, key: &StackKey) -> Duration {
        self.interval.mul_f64(hash::spread(&key.label(), 100))
    }
}

/// Asks pages once, for who does not watch. Empty when nobody is to be asked.
pub async fn ask_once(way: Way, pages: &[RingToAsk]) -> Vec<RingHealth> {
    let Some(reach) = Reach::new(way) else { return Vec::new() };
    join_all(pages.iter().map(|page| ask::ask(&reach, page))).await
}

async fn watch(rings: Weak<Rings>, key: StackKey, pages: Vec<RingToAsk>) {
    while let Some(rings) = rings.upgrade() {
        let seen = rings.ask(&pages).await;
        rings.tell(&key, &pages, seen);
        let wait = rings.wait(&key);
        // Nobody waits for the end of this pause before the rest goes.
        drop(rings);
        tokio::time::sleep(wait).await;
    }
}
