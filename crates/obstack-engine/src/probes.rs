//! Buckets are made and probed beside the reconcile, so that a slow object store never holds a repair up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use futures::future::join_all;
use obstack_core::{
    conclude::{BucketHealth, Fault},
    hash,
    names::StackKey,
    valid::{Bucket, Storage},
};
use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument;

use crate::{
    buckets::{Access, Client, Policy, Secret, StorageError},
    cluster::secrets::SecretData,
    metrics::Metrics,
};

/// Wait after the first failed probe; it doubles with each that follows.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// Stacks of one object store that are probed at the same time: after a start all are due at once.
const PARALLEL: usize = 8;
/// While a probe runs its stack is looked at again after this long; sooner when there is news.
const RUNNING_AGAIN: Duration = Duration::from_secs(10);

/// Knows how the buckets of every stack stand.
#[derive(Debug)]
pub struct Probes {
    interval: Duration,
    metrics: Metrics,
    triggers: mpsc::UnboundedSender<StackKey>,
    stacks: Mutex<HashMap<StackKey, Stack>>,
    /// By endpoint, so that an object store that does not answer holds up none but its own stacks.
    turns: Mutex<HashMap<String, Weak<Semaphore>>>,
}

#[derive(Debug)]
struct Stack {
    /// What is probed; another object store or other credentials make earlier results worthless.
    subject: String,
    results: Option<Vec<BucketHealth>>,
    running: bool,
    failures: u32,
    due: Instant,
    /// Somebody's request to look at once, the newest.
    request: Option<String>,
    /// The request that a probe has ended for that began after it.
    followed: Option<String>,
}

/// What the probes know of a stack's buckets.
#[derive(Debug)]
pub struct Look {
    /// How each bucket stands; `None` before the first probe ended.
    pub results: Option<Vec<BucketHealth>>,
    /// When to look again.
    pub again: Duration,
    /// No request is left that a probe has to follow.
    pub current: bool,
}

impl Probes {
    /// Probes that are repeated each `interval`. A finished probe with news triggers its stack.
    pub fn new(interval: Duration, metrics: Metrics, triggers: mpsc::UnboundedSender<StackKey>) -> Self {
        Self { interval, metrics, triggers, stacks: Mutex::default(), turns: Mutex::default() }
    }

    fn stacks(&self) -> MutexGuard<'_, HashMap<StackKey, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a stack's buckets stand. Starts a probe when one is due, and for a request that is new.
    pub fn look(
        self: &Arc<Self>,
        key: &StackKey,
        storage: &Storage,
        buckets: &[Bucket],
        credentials: &Credentials,
        request: Option<String>,
    ) -> Look {
        let names: Vec<_> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        let subject = format!(
            "{} {} {} {}",
            storage.endpoint,
            storage.region,
            storage.credentials_hash,
            names.join(" ")
        );
        let now = Instant::now();
        let mut stacks = self.stacks();
        let fresh = || Stack {
            subject: subject.clone(),
            results: None,
            running: false,
            failures: 0,
            due: now,
            request: request.clone(),
            followed: None,
        };
        let stack = stacks.entry(key.clone()).or_insert_with(fresh);
        if stack.subject != subject {
            *stack = fresh();
        }
        if stack.request != request {
            // One that runs began before it and is followed by another.
            (stack.request, stack.due, stack.failures) = (request, now, 0);
        }
        if !stack.running && stack.due <= now {
            stack.running = true;
            let probe = Probe {
                key: key.clone(),
                subject,
                access: access(storage, credentials),
                policy: Policy { create: storage.create, adopt: storage.adopt },
                buckets: buckets.to_vec(),
                request: stack.request.clone(),
            };
            let span = tracing::info_span!("probe", stack = %key);
            tokio::spawn(Arc::clone(self).run(probe).instrument(span));
        }
        let again = if stack.running {
            self.interval.min(RUNNING_AGAIN)
        } else {
            stack.due.saturating_duration_since(now)
        };
        let current = stack.request.is_none() || stack.request == stack.followed;
        Look { results: stack.results.clone(), again: again.max(Duration::from_millis(500)), current }
    }

    /// Has a stack reconciled.
    pub fn trigger(&self, key: StackKey) {
        // The receiver is gone only when the process ends.
        let _ = self.triggers.send(key);
    }

    /// Forgets a stack that is gone.
    pub fn forget_stack(&self, key: &StackKey) {
        self.stacks().remove(key);
    }

    /// Takes turns with the other stacks of an object store.
    fn turns(&self, endpoint: &str) -> Arc<Semaphore> {
        let mut all = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = all.get(endpoint).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(PARALLEL));
        all.insert(endpoint.to_owned(), Arc::downgrade(&turns));
        turns
    }

    async fn run(self: Arc<Self>, probe: Probe) {
        let turns = self.turns(&probe.access.endpoint);
        let turn = turns.acquire().await;
        let results = probe.run().await;
        drop(turn);
        let failed = results.iter().any(|bucket| bucket.fault.is_some());
        self.metrics.record_bucket_probe(if failed { "failed" } else { "ok" });
        let news = {
            let mut stacks = self.stacks();
            let Some(stack) = stacks.get_mut(&probe.key).filter(|stack| stack.subject == probe.subject)
            else {
                return;
            };
            stack.running = false;
            stack.failures = if failed { stack.failures.saturating_add(1) } else { 0 };
            let waited_for = stack.request != stack.followed;
            if stack.request == probe.request {
                stack.due = Instant::now() + self.wait(stack.failures, &probe.key);
            }
            stack.followed = probe.request;
            let news = waited_for || stack.results.as_ref() != Some(&results);
            stack.results = Some(results);
            news
        };
        if news {
            self.trigger(probe.key);
        }
    }

    /// The interval, moved by up to a tenth so that many stacks do not probe at once; shorter after a failure.
    fn wait(&self, failures: u32, key: &StackKey) -> Duration {
        let wait = match failures {
            0 => self.interval,
            n => FIRST_RETRY.saturating_mul(1 << (n - 1).min(10)).min(self.interval),
        };
        wait.mul_f64(hash::spread(&key.label(), 100))
    }
}

/// The bytes that the operator itself needs to reach the object store.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The Secret with access key and secret key.
    pub keys: Arc<SecretData>,
    /// The Secret with the certificate authority.
    pub ca: Option<Arc<SecretData>>,
}

/// How an object store is reached with these credentials.
pub fn access(storage: &Storage, credentials: &Credentials) -> Access {
    // As it stands: the pods get it so, with the line break that `echo` leaves.
    let text = |key: &str| {
        credentials.keys.get(key).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let ca = storage.ca.as_ref().zip(credentials.ca.as_ref());
    Access {
        endpoint: storage.endpoint.clone(),
        region: storage.region.clone(),
        force_path_style: storage.path_style,
        ca_pem: ca.and_then(|(at, data)| data.get(&at.key).map(<[u8]>::to_vec)),
        access_key: text(&storage.access_key.key),
        secret_key: Secret::new(text(&storage.secret_key.key)),
    }
}

struct Probe {
    key: StackKey,
    subject: String,
    access: Access,
    policy: Policy,
    buckets: Vec<Bucket>,
    /// The request that it follows.
    request: Option<String>,
}

impl Probe {
    async fn run(&self) -> Vec<BucketHealth> {
        let client = Client::new(&self.access);
        let one = async |bucket: &Bucket| {
            let outcome = match &client {
                Err(error) => Err(fault(error)),
                Ok(client) => self.bucket(client, bucket).await.map_err(|error| fault(&error)),
            };
            BucketHealth { name: bucket.name.clone(), purpose: bucket.purpose.clone(), fault: outcome.err() }
        };
        join_all(self.buckets.iter().map(one)).await
    }

    async fn bucket(&self, client: &Client, bucket: &Bucket) -> Result<(), StorageError> {
        let client = client.reserving(bucket.reserved_keys);
        client.ensure(&bucket.name, &self.key.to_string(), self.policy).await?;
        client.probe(&bucket.name, &self.key.label()).await
    }
}

fn fault(error: &StorageError) -> Fault {
    Fault { reason: error.reason(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use obstack_core::valid::SecretKey;

    use super::*;

    fn storage(endpoint: &str) -> Storage {
        let key = |key: &str| SecretKey { name: "s3".into(), key: key.into() };
        Storage {
            endpoint: endpoint.to_owned(),
            host: endpoint.trim_start_matches("http://").to_owned(),
            tls: false,
            region: "us-east-1".into(),
            path_style: true,
            ca: None,
            access_key: key("access"),
            secret_key: key("secret"),
            credentials_hash: "hash".into(),
            create: false,
            adopt: false,
        }
    }

    #[test]
    fn keys_are_tried_as_the_pods_get_them() {
        let keys = SecretData::from([("access", "key\n"), ("secret", "secret")]);
        let access = access(&storage("http://s3:9000"), &Credentials { keys: Arc::new(keys), ca: None });
        assert_eq!(access.access_key, "key\n");
    }

    #[tokio::test]
    async fn a_request_has_the_buckets_probed_anew_and_is_followed_when_that_has_ended() {
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", door.local_addr().expect("an address"));
        // Nobody answers there.
        drop(door);
        let (triggers, mut triggered) = mpsc::unbounded_channel();
        let probes = Arc::new(Probes::new(Duration::from_hours(1), Metrics::default(), triggers));
        let key = StackKey { namespace: "ns".into(), name: "dev".into() };
        let bucket =
            Bucket { name: "blocks".into(), purpose: "traces.blocks".into(), reserved_keys: "obstack-" };
        let credentials = Credentials { keys: Arc::default(), ca: None };
        let storage = storage(&endpoint);
        let look = |request: Option<&str>| {
            let (storage, buckets) = (&storage, std::slice::from_ref(&bucket));
            probes.look(&key, storage, buckets, &credentials, request.map(str::to_owned))
        };
        let runs = || probes.stacks().get(&key).is_some_and(|stack| stack.running);
        assert!(look(None).current, "nobody asked");
        triggered.recv().await.expect("the first probe has news");
        // As if it had failed for hours.
        probes.stacks().get_mut(&key).expect("known").due = Instant::now() + Duration::from_hours(1);
        assert!(look(None).results.is_some() && !runs(), "none is due");

        assert!(!look(Some("now")).current && runs(), "a request makes one due");
        triggered.recv().await.expect("its end is told, though it found the same");
        assert!(look(Some("now")).current);

        // One more comes while a probe runs that began before it.
        assert!(!look(Some("again")).current);
        assert!(!look(Some("once more")).current);
        triggered.recv().await.expect("the end of the one for `again`");
        assert!(!look(Some("once more")).current && runs());
        triggered.recv().await.expect("the end of the one for `once more`");
        assert!(look(Some("once more")).current && !runs());
    }
}
