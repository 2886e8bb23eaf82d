//! Laws, one after the other on one stack: a failure names its law, and the table says what took how long.

use std::{
    fs::OpenOptions,
    io::Write,
    panic::{AssertUnwindSafe, resume_unwind},
    time::{Duration, Instant},
};

use futures::FutureExt;
use obstack_e2e::{World, wait_at_most};

use crate::Install;

/// Several times what the slowest step takes on two cores: a rollout of three ingesters, four minutes.
const DEADLINE: Duration = Duration::from_mins(8);
/// Where to keep the table of seconds.
const TABLE: &str = "OBSTACK_REAL_TABLE";

/// Runs a test in a world of its own, beside an installed operator. What it wrote to the log is shown when the test
/// fails.
pub async fn on_real_pods(name: &str, more: &[&str], test: impl AsyncFnOnce(&World, &Install)) {
    wait_at_most(DEADLINE);
    World::with(name, more, async |world| {
        assert!(world.sandbox.is_real("mimir"), "no container of Mimir runs in this sandbox");
        let install = Install::on(world).await;
        if let Err(panic) = AssertUnwindSafe(test(world, &install)).catch_unwind().await {
            install.show_logs();
            install.show_pods();
            resume_unwind(panic);
        }
    })
    .await;
}

/// Proves a law, and gives what came of it.
pub async fn law<T>(law: &str, proof: impl Future<Output = T>) -> T {
    println!("law: {law}");
    let began = Instant::now();
    match AssertUnwindSafe(proof).catch_unwind().await {
        Ok(outcome) => {
            println!("law holds ({:.1} s): {law}", began.elapsed().as_secs_f32());
            outcome
        }
        Err(panic) => {
            println!("LAW BROKEN after {:.1} s: {law}", began.elapsed().as_secs_f32());
            resume_unwind(panic)
        }
    }
}

/// Adds a line to the table: what was measured, in which test, and the number with its unit.
pub fn note(test: &str, what: &str, number: &str) {
    let line = format!("{test:<9} | {what:<72} | {number}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os(TABLE) {
        let table = OpenOptions::new().create(true).append(true).open(&file);
        table.and_then(|mut table| table.write_all(line.as_bytes())).expect("write the table of seconds");
    }
}
