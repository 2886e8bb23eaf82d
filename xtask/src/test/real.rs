//! The tests on real pods: a sandbox whose containers run, with the operator in it as pods from its own image.

use std::env;
use std::fs;
use std::process::Command;

use obstack_sandbox::{Pods, Sandbox};

use super::steps::Steps;
use crate::args::Test;
use crate::error::{At, Error, gone};
use crate::image;
use crate::interrupt;
use crate::sandbox;
use crate::workspace;

const TESTS: &str = "tests on real pods";
/// Tells the tests to take upstream charts too, which are in the image then.
const CHARTS: &str = "OBSTACK_UPSTREAM_CHARTS";
/// Tells the tests where to keep the table of seconds.
const TABLE: &str = "OBSTACK_REAL_TABLE";
/// The name that the tests upgrade to.
const NEXT: &str = "localhost/obstack-operator:next";

/// Brings a sandbox with real pods up, runs the tests on it, and takes it down. Without root, or on a machine that
/// cannot run pods, nothing runs and it is said.
pub fn run(steps: &mut Steps, options: &Test) -> Result<(), Error> {
    let dir = env::temp_dir().join(format!("obstack-real-{}", std::process::id()));
    let mut wanted = obstack_sandbox::Options::new(&dir);
    wanted.weed.clone_from(&options.weed);
    wanted.pods = Pods::Real;
    wanted.binaries = options.binary.iter().cloned().collect();
    let result = match sandbox::up(&wanted) {
        Ok(sandbox) => on(steps, options, &sandbox).and_then(|()| leaves_nothing(steps)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(Error::Sandbox(
            cannot @ (obstack_sandbox::Error::NotRoot
            | obstack_sandbox::Error::Kernel { .. }
            | obstack_sandbox::Error::Programs { .. }
            | obstack_sandbox::Error::Packages { .. }),
        )) => {
            steps.not_run(TESTS, &cannot.to_string());
            return Ok(());
        }
        Err(error) => {
            steps.failed("sandbox with real pods", &error.to_string());
            Ok(())
        }
    };
    let ended = sandbox::down(&dir);
    result.and(ended)
}

fn on(steps: &mut Steps, options: &Test, sandbox: &Sandbox) -> Result<(), Error> {
    println!("{}\n  object store: {}", sandbox::pods(&sandbox.backends), sandbox.s3.implementation);
    if !sandbox.is_real("tempo") {
        steps.not_run("traces on real pods", "Tempo is simulated: give --binary tempo=PATH");
    }
    let charts = options.charts.as_ref().map(|dir| std::path::absolute(dir).at("find", dir)).transpose()?;
    if charts.is_none() {
        steps.not_run("upstream charts on real pods", "no --charts DIR");
    }
    if !super::build_binaries(steps, TESTS)? {
        return Ok(());
    }
    let archive = sandbox.dir.join("operator.tar");
    let made = image::write(&[image::NAME, NEXT], charts.as_deref(), &archive);
    interrupt::check()?;
    if let Err(error) = made.and_then(|_| Ok(sandbox.import_image(&archive)?)) {
        steps.failed("image of the operator", &error.to_string());
        return Ok(());
    }
    let table = workspace::root().join("target/xtask-test/real.txt");
    // What an earlier run left is not what this one measured.
    gone(fs::remove_file(&table)).at("remove", &table)?;
    let ran = steps.run_with(TESTS, tests(sandbox, &table, charts.is_some()), ALONE);
    // Also of a run that failed: the seconds up to there say something.
    if let Ok(table) = fs::read_to_string(&table) {
        print!("{table}");
    }
    ran?;
    interrupt::check()
}

/// Sandboxes of its own, which are killed in every way.
fn leaves_nothing(steps: &mut Steps) -> Result<(), Error> {
    let mut command = super::cargo(&["test", "--package", "obstack-sandbox", "--test", "real"]);
    command.args(["--", "--nocapture"]).env("OBSTACK_TEST_REAL", "1");
    let alone = "sudo OBSTACK_TEST_REAL=1 cargo test --package obstack-sandbox --test real";
    steps.run_with("what a sandbox with real pods leaves", command, alone).map(drop)
}

/// The image must be in it too, which only this command does.
const ALONE: &str = "sudo cargo xtask test --real";

fn tests(sandbox: &Sandbox, table: &std::path::Path, charts: bool) -> Command {
    // With the operator selected too, dependencies are built with its features, which are there already.
    let mut command = super::cargo(&["test", "--package", "obstack-operator", "--package", "obstack-real"]);
    command.args(["--no-fail-fast", "--test", "dev", "--test", "ha", "--test", "failing"]);
    // One after the other, on whatever this machine has; what they print is in the log.
    command.args(["--", "--test-threads=1", "--nocapture"]);
    command.env("OBSTACK_SANDBOX", &sandbox.dir).envs(sandbox.env()).env(TABLE, table);
    if charts {
        command.env(CHARTS, "in the image");
    }
    command
}
