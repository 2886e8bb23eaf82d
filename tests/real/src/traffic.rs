//! Writes and queries that go on beside what a test does.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::Telemetry;

const BETWEEN_WRITES: Duration = Duration::from_millis(200);
const BETWEEN_QUERIES: Duration = Duration::from_millis(500);

/// What became of one kind of request.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were sent.
    pub sent: usize,
    /// What failed: how long after the start, and why.
    pub failed: Vec<(Duration, String)>,
    /// The slowest that succeeded.
    pub slowest: Duration,
    /// The longest time from one success to the next.
    pub gap: Duration,
    last: Duration,
}

/// Writes and queries that go on until they are ended.
pub struct Traffic {
    telemetry: Telemetry,
    run: String,
    over: Arc<AtomicBool>,
    writes: JoinHandle<(Tally, BTreeSet<usize>)>,
    queries: JoinHandle<Tally>,
}

impl Traffic {
    /// Begins: a series of the run every 200 ms, and a query every 500 ms that must bring at least `seed` series of
    /// the run `seed`, which are there already.
    pub fn begin(telemetry: &Telemetry, run: &str, seed: (&str, usize)) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let writes = {
            let (telemetry, run, over) = (telemetry.clone(), run.to_owned(), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut tally, mut acknowledged) = (Tally::default(), BTreeSet::new());
                let began = Instant::now();
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let sent = Instant::now();
                    let outcome = telemetry.write(&run, number).await;
                    if outcome.is_ok() {
                        acknowledged.insert(number);
                    }
                    tally.count(began, sent, outcome);
                    tokio::time::sleep(BETWEEN_WRITES).await;
                }
                (tally, acknowledged)
            })
        };
        let queries = {
            let (telemetry, over) = (telemetry.clone(), Arc::clone(&over));
            let (seed, wanted) = (seed.0.to_owned(), seed.1);
            tokio::spawn(async move {
                let mut tally = Tally::default();
                let began = Instant::now();
                while !over.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    let outcome = match telemetry.read(&seed).await {
                        Ok(found) if found.len() < wanted => {
                            Err(format!("{} of {wanted} series", found.len()))
                        }
                        answer => answer.map(drop),
                    };
                    tally.count(began, sent, outcome);
                    tokio::time::sleep(BETWEEN_QUERIES).await;
                }
                tally
            })
        };
        Self { telemetry: telemetry.clone(), run: run.to_owned(), over, writes, queries }
    }

    /// Ends it: what became of writes and of queries. Sees that every series whose write was acknowledged comes back.
    pub async fn end(self) -> (Tally, Tally) {
        self.over.store(true, Ordering::Relaxed);
        let (writes, acknowledged) = self.writes.await.expect("the writes end");
        let queries = self.queries.await.expect("the queries end");
        let (telemetry, run) = (&self.telemetry, &self.run);
        obstack_e2e::eventually("every acknowledged series comes back", async || {
            let found = telemetry.read(run).await?;
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            let all = acknowledged.len();
            if lost.is_empty() { Ok(()) } else { Err(format!("{} of {all} are lost: {lost:?}", lost.len())) }
        })
        .await;
        (writes, queries)
    }
}

impl Tally {
    fn count(&mut self, began: Instant, sent: Instant, outcome: Result<(), String>) {
        self.sent += 1;
        match outcome {
            Ok(()) => {
                self.slowest = self.slowest.max(sent.elapsed());
                self.gap = self.gap.max(began.elapsed().saturating_sub(self.last));
                self.last = began.elapsed();
            }
            Err(why) => self.failed.push((sent.duration_since(began), why)),
        }
    }

    /// Nothing failed, and there was something.
    pub fn assert_whole(&self, what: &str) {
        let first: Vec<_> = self.failed.iter().take(5).collect();
        assert!(
            self.failed.is_empty() && self.sent > 0,
            "{what}: {} of {} failed: {first:#?}",
            self.failed.len(),
            self.sent
        );
    }

    /// As the table has it.
    pub fn told(&self) -> String {
        format!(
            "{} of {} failed, slowest {:.1} s, longest gap {:.1} s",
            self.failed.len(),
            self.sent,
            self.slowest.as_secs_f32(),
            self.gap.as_secs_f32()
        )
    }
}
