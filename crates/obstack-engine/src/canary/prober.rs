//! One round of one signal: write, read back, look into the bucket. A library: it keeps nothing and tells nobody.

use std::time::{Duration, Instant};

use obstack_api::Signal;
use obstack_core::{
    canary::{
        Blocks, Mark, Miss, Objects, Outcome, Probe,
        answer::{self, ReadBack},
        objects::{self, Found},
    },
    reach::{Reply, Silence},
};

use crate::{
    buckets::Client,
    reach::{Ask, Reach, Way},
};

/// Longest time that a write may take.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// Longest time from an accepted write to its coming back.
pub const READ_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time of one query within it.
const QUERY_DEADLINE: Duration = Duration::from_secs(5);
/// Wait after the first query that did not find it; it doubles up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of the largest answer that is read.
const LARGEST: usize = 64 << 10;

/// Writes and reads back.
#[derive(Debug)]
pub struct Prober {
    reach: Reach,
}

impl Prober {
    /// A prober that goes this way; `None` when nobody is to be asked.
    pub fn new(way: Way) -> Option<Self> {
        Some(Self { reach: Reach::new(way)? })
    }

    pub(super) fn is_proxy(&self) -> bool {
        self.reach.is_proxy()
    }

    /// One round. `store` is where blocks are looked for (its error is a miss), and `accepted` how long writes have
    /// been accepted before. It ends within the deadlines of its three steps.
    pub async fn round(
        &self,
        probe: &Probe,
        mark: &Mark,
        store: &Result<Client, String>,
        accepted: Duration,
    ) -> Outcome {
        let began = Instant::now();
        let work = async {
            self.write(probe, mark).await?;
            let found = self.read_back(probe, mark).await;
            let latency = began.elapsed();
            // A Tempo that cannot read its blocks answers no query, so the bucket is looked at in any case: it is the
            // cause then.
            let objects = match &probe.blocks {
                None => Objects::Unasked,
                Some(blocks) => look(probe.signal, blocks, mark, store, accepted).await?,
            };
            found?;
            Ok(Outcome::Passed { latency, objects })
        };
        work.await.unwrap_or_else(Outcome::Missed)
    }

    async fn write(&self, probe: &Probe, mark: &Mark) -> Result<(), Miss> {
        let body = match probe.signal {
            Signal::Traces => mark.trace(),
            Signal::Metrics => mark.metric(),
        };
        let ask = Ask {
            door: &probe.write,
            path: &probe.write_path,
            body: Some(&body),
            limit: LARGEST,
            deadline: WRITE_DEADLINE,
        };
        answer::written(probe, &self.reach.ask(&ask).await)
    }

    async fn read_back(&self, probe: &Probe, mark: &Mark) -> Result<(), Miss> {
        let path = match probe.signal {
            Signal::Traces => mark.trace_path(),
            Signal::Metrics => mark.metric_path(),
        };
        let path = format!("{}{path}", probe.read_path);
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = READ_DEADLINE.saturating_sub(began.elapsed());
            let said = match answer::read_back(probe.signal, mark, &self.query(probe, &path, left).await) {
                ReadBack::Found => return Ok(()),
                ReadBack::NotYet(said) => said,
            };
            if began.elapsed() + pause >= READ_DEADLINE {
                return Err(answer::not_read_back(probe, READ_DEADLINE.as_secs(), &said));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn query(&self, probe: &Probe, path: &str, left: Duration) -> Result<Reply, Silence> {
        let deadline = left.min(QUERY_DEADLINE);
        self.reach.ask(&Ask { door: &probe.read, path, body: None, limit: LARGEST, deadline }).await
    }
}

async fn look(
    signal: Signal,
    blocks: &Blocks,
    mark: &Mark,
    store: &Result<Client, String>,
    accepted: Duration,
) -> Result<Objects, Miss> {
    let now = Duration::from_secs(mark.second());
    let answer = async {
        let store = store.as_ref().map_err(Clone::clone)?;
        let found = match objects::ask(signal, now) {
            objects::Ask::FirstKey { prefix, after } => {
                store.first_key(&blocks.bucket, prefix, &after).await.map(|key| key.map(Found::Key))
            }
            objects::Ask::Written { key } => store.written_at(&blocks.bucket, key).await.map(|at| {
                at.and_then(|at| u64::try_from(at).ok()).map(|at| Found::At(Duration::from_secs(at)))
            }),
        };
        found.map(|found| found.unwrap_or(Found::Nothing)).map_err(|error| error.to_string())
    };
    objects::judge(signal, blocks, answer.await, accepted, now)
}
