//! Waiting for what must come, and watching that what must not come does not.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// How long anything may take. Far above what it takes, because two slow cores run many tests.
const DEADLINE: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(50);

static PATIENCE: OnceLock<Duration> = OnceLock::new();

/// Sets how long anything may take in this process, before the first wait: containers that run take longer than
/// simulated ones. One minute where nobody sets it.
pub fn wait_at_most(deadline: Duration) {
    // Every test of a binary says the same.
    let _ = PATIENCE.set(deadline);
}

/// Waits until the check gives a value; until then it says what is missing.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = PATIENCE.get().copied().unwrap_or(DEADLINE);
    let end = Instant::now() + deadline;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(missing) if Instant::now() >= end => {
                panic!("not within {deadline:?}: {what}\nlast seen: {missing}")
            }
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}

/// Sees that the check holds all the time.
pub async fn holds_for(time: Duration, what: &str, mut check: impl AsyncFnMut() -> Result<(), String>) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if let Err(broken) = check().await {
            panic!("it did not hold that {what}: {broken}");
        }
        tokio::time::sleep(STEP * 4).await;
    }
}
