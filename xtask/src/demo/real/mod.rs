//! The demo with pods that run: dev alone, with the operator as pods from its own image, until what the canary writes
//! comes back.

mod objects;
mod report;
mod verified;

use std::time::Instant;

use obstack_api::Signal;
use obstack_sandbox::Sandbox;

use crate::args::{Demo, Quota};
use crate::demo::contents::{self, Stack};
use crate::demo::place::Place;
use crate::demo::{is_kept, summary, watch};
use crate::error::Error;
use crate::install;

/// Of the canary, so that nobody waits for it.
const INTERVAL: &str = "15s";

/// Runs it. True when the stack became ready and what its canary wrote came back.
pub fn run(options: &Demo) -> Result<bool, Error> {
    let flags = [(options.quota == Quota::Today, "--quota today"), (options.release, "--release")];
    if let Some((_, flag)) = flags.into_iter().find(|(given, _)| *given) {
        return Err(Error::NotWith { flag, pods: "real" });
    }
    let place = Place::take(options, None)?;
    println!("{}", place.describe(options));
    let result = play(options, &place);
    if is_kept(options, &result) {
        println!("\n{}", place.how_to_end(None));
        return result;
    }
    println!("\nTaking down what was started.");
    place.remove_stacks(result.is_ok());
    let ended = place.leave();
    result.and_then(|good| ended.map(|()| good))
}

fn play(options: &Demo, place: &Place) -> Result<bool, Error> {
    let Some(sandbox) = place.as_sandbox() else { return Ok(false) };
    let stack = [sample(sandbox)?];
    println!("\nThe operator's image is built and brought into the node.");
    install::install(sandbox, options.charts.as_deref())?;
    println!(
        "The operator runs as pods, with the ServiceAccount and the rights of deploy/rbac/cluster.yaml."
    );
    contents::surround(place, Quota::Fits, &stack)?;
    let began = Instant::now();
    contents::apply_stacks(place, &stack)?;
    println!();
    let keys: Vec<&Stack> = stack.iter().collect();
    let outcome = watch::until_settled(place, &mut || Ok(()), &keys, Quota::Fits, options.timeout)?;
    let mut good = outcome.tell(options.timeout);
    if good {
        println!("Ready after {} s.\n", began.elapsed().as_secs());
        good = verified::wait(place, &keys, began, options.timeout)?;
    }
    if !good {
        println!("The end of the operator's log:\n{}", install::tail(sandbox));
    }
    summary::print(place, &stack)?;
    for stack in &stack {
        good = report::print(place, sandbox, stack, good)?;
    }
    if good {
        println!("\n{}", report::next(sandbox, options.keep));
    }
    Ok(good)
}

/// dev, and what of it is not as the sample says.
fn sample(sandbox: &Sandbox) -> Result<Stack, Error> {
    println!("Only dev is played: test and prod would not fit beside it on two cores.");
    let signals: &[Signal] = if sandbox.is_real("tempo") {
        &[]
    } else {
        println!(
            "Tempo is simulated, so the canary writes metrics alone; --binary tempo=PATH makes it real."
        );
        &[Signal::Metrics]
    };
    println!("In the sample the platform becomes Kubernetes, and the canary's interval {INTERVAL}.");
    contents::real(&sandbox.s3.endpoint, INTERVAL, signals)
}
