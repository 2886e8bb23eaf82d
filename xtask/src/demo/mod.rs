//! `cargo xtask demo`: three environments on a control plane of their own, from nothing to ready.

mod contents;
mod http;
mod operator;
mod place;
mod real;
mod summary;
pub mod table;
mod watch;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::args::{Demo, Pods};
use crate::error::{At, Error};
use crate::interrupt;
use crate::workspace;

use contents::Stack;
use operator::Operator;
use place::{Place, S3};

/// Runs the demo. True when every stack came to where it should.
pub fn run(options: &Demo) -> Result<bool, Error> {
    if options.sandbox.pods == Pods::Real {
        return real::run(options);
    }
    let s3 = S3::given(options)?;
    println!("Building the operator.");
    let binary = workspace::build_operator(options.release)?;
    let place = Place::take(options, s3)?;
    println!("{}", place.describe(options));

    let mut operator = None;
    let result = play(options, &place, &binary, &mut operator);
    if is_kept(options, &result) {
        println!("\n{}", place.how_to_end(operator.as_ref()));
        return result;
    }
    println!("\nTaking down what was started.");
    if let Some(mut operator) = operator {
        place.remove_stacks(result.is_ok());
        operator.stop();
    }
    let ended = place.leave();
    result.and_then(|good| ended.map(|()| good))
}

/// Ctrl-C takes down what `--keep` would have left.
fn is_kept(options: &Demo, result: &Result<bool, Error>) -> bool {
    options.keep && !matches!(result, Err(Error::Interrupted))
}

/// From an empty cluster to the summary.
fn play(options: &Demo, place: &Place, binary: &Path, running: &mut Option<Operator>) -> Result<bool, Error> {
    let stacks = contents::stacks(&place.s3().endpoint)?;
    contents::install_rights(place)?;
    contents::surround(place, options.quota, &stacks)?;
    operator::end_earlier(place)?;
    let operator = running.insert(Operator::start(place, options, binary)?);
    operator.wait_ready()?;
    println!("The operator runs under its own ServiceAccount; its log is {}", operator.log.display());
    contents::apply_stacks(place, &stacks)?;
    println!();
    let keys: Vec<&Stack> = stacks.iter().collect();
    let outcome =
        watch::until_settled(place, &mut || operator.check(), &keys, options.quota, options.timeout)?;
    let good = outcome.tell(options.timeout);
    if !good {
        println!("The end of the operator's log:\n{}", operator.tail());
    }
    summary::print(place, &stacks)?;
    if good {
        println!("\n{}", summary::next(place, options));
    }
    Ok(good)
}

/// Takes down what a demo left that was killed.
pub fn clear_leftovers() -> Result<(), Error> {
    let dir = own_dir()?;
    // While the lock is held, its demo runs.
    if dir.exists() && lock()?.is_some() {
        crate::sandbox::down(&dir)?;
    }
    Ok(())
}

/// Where the sandbox of a demo lies that takes it down itself.
fn own_dir() -> Result<PathBuf, Error> {
    Ok(obstack_sandbox::default_dir()?.with_file_name("demo"))
}

/// Held by a running demo; `None` when another one holds it.
fn lock() -> Result<Option<File>, Error> {
    let path = own_dir()?.with_file_name("demo.lock");
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).at("create", dir)?;
    }
    let file = File::options().create(true).append(true).open(&path).at("open", &path)?;
    interrupt::check()?;
    Ok(file.try_lock().is_ok().then_some(file))
}
