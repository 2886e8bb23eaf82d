//! The tests that need a control plane, on a sandbox of their own that is taken down whatever happens.

use std::env;
use std::fs;
use std::process::Command;

use obstack_sandbox::{S3Implementation, Sandbox};

use super::rights;
use super::steps::Steps;
use crate::args::Test;
use crate::command;
use crate::error::{At, Error, gone};
use crate::interrupt;
use crate::sandbox;
use crate::workspace;

const TESTS: &str = "end-to-end tests";
/// Tells the tests where upstream charts are.
const CHARTS: &str = "OBSTACK_UPSTREAM_CHARTS";
/// Makes generated tests ten times as long.
const LONG: &str = "OBSTACK_LONG";
/// Tells the tests where to keep the table of causes and their seconds.
const CAUSES: &str = "OBSTACK_CAUSES_TABLE";
/// Tells the tests where to keep a line for each mode of the chart.
const INSTALLS: &str = "OBSTACK_INSTALL_TABLE";

/// Brings a sandbox up, runs the tests on it, and takes it down.
pub fn run(steps: &mut Steps, options: &Test) -> Result<(), Error> {
    if !super::build_binaries(steps, TESTS)? {
        return Ok(());
    }
    let dir = env::temp_dir().join(format!("obstack-test-{}", std::process::id()));
    let mut wanted = obstack_sandbox::Options::new(&dir);
    wanted.weed.clone_from(&options.weed);
    let result = match sandbox::up(&wanted) {
        Ok(sandbox) => on(steps, options, &sandbox),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            steps.failed("sandbox", &error.to_string());
            Ok(())
        }
    };
    let ended = sandbox::down(&dir);
    result.and(ended)
}

fn on(steps: &mut Steps, options: &Test, sandbox: &Sandbox) -> Result<(), Error> {
    if let S3Implementation::VersityGw { .. } = sandbox.s3.implementation {
        steps.not_run("SeaweedFS", &format!("no weed binary; {} stood in", sandbox.s3.implementation));
    }
    let charts = options.charts.as_ref().map(|dir| std::path::absolute(dir).at("find", dir)).transpose()?;
    if charts.is_none() {
        steps.not_run("upstream charts", "no --charts DIR; the bundled ones were taken");
    }
    let tables = [(CAUSES, "causes.txt"), (INSTALLS, "installs.txt")]
        .map(|(variable, name)| (variable, workspace::root().join("target/xtask-test").join(name)));
    for (_, table) in &tables {
        // What an earlier run left is not what this one found.
        gone(fs::remove_file(table)).at("remove", table)?;
    }
    let mut run = |name: &str, args: &[&str]| {
        // With the operator selected too, dependencies are built with its features, which are there already: without
        // it the clients of API server and object store would be compiled a second time.
        let mut command: Command = super::cargo(&["test", "--package", "obstack-operator", "--package"]);
        command.args(args).env("OBSTACK_SANDBOX", &sandbox.dir).envs(sandbox.env());
        command.envs(tables.iter().map(|(variable, table)| (variable, table)));
        if options.long {
            command.env(LONG, "1");
        }
        let mut alone = command::line(&command);
        if let Some(charts) = &charts {
            command.env(CHARTS, charts);
            alone = format!("{CHARTS}={} {alone}", charts.display());
        }
        // The sandbox of this run is gone by the time that somebody reads it.
        let alone = format!("cargo xtask sandbox up && eval \"$(cargo xtask sandbox env)\" && {alone}");
        steps.run_with(name, command, &alone)
    };
    run(
        &format!("buckets on {}", sandbox.s3.implementation),
        &["obstack-engine", "--test", "buckets_real_s3"],
    )?;
    run("sandbox faults", &["obstack-sandbox", "--test", "faults"])?;
    let ran = run(TESTS, &["obstack-e2e", "--no-fail-fast", "--test", "*"]);
    // Also of a run that failed: the seconds up to there say something.
    for table in tables.iter().filter_map(|(_, table)| fs::read_to_string(table).ok()) {
        print!("{table}");
    }
    // Only told: a run of some tests uses some rights.
    match rights::Usage::read(&sandbox.audit_log) {
        Ok(usage) => println!("{usage}"),
        Err(error) => steps.not_run("rights that are used", &error.to_string()),
    }
    ran?;
    interrupt::check()
}
