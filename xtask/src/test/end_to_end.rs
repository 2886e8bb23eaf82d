//! The tests that need a control plane, on a sandbox of their own that is taken down whatever happens.

use std::env;
use std::process::Command;

use obstack_sandbox::{S3Implementation, Sandbox};

use super::steps::Steps;
use crate::args::Test;
use crate::error::{At, Error};
use crate::interrupt;
use crate::sandbox;

const TESTS: &str = "end-to-end tests";

/// Brings a sandbox up, runs the tests on it, and takes it down.
pub fn run(steps: &mut Steps, options: &Test) -> Result<(), Error> {
    if !steps.run("building the operator", super::cargo(&["build", "--package", "obstack-operator"]))? {
        steps.not_run(TESTS, "there is no operator");
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
    let test = |args: &[&str]| {
        let mut command: Command = super::cargo(&["test", "--quiet", "--package"]);
        command.args(args).env("OBSTACK_SANDBOX", &sandbox.dir).envs(sandbox.env());
        command
    };
    let s3 = format!("buckets on {}", sandbox.s3.implementation);
    steps.run(&s3, test(&["obstack-engine", "--test", "buckets_real_s3"]))?;
    steps.run(TESTS, test(&["obstack-e2e"]))?;
    match &options.charts {
        Some(charts) => {
            let charts = std::path::absolute(charts).at("find", charts)?;
            let mut upstream = test(&["obstack-e2e"]);
            upstream.env("OBSTACK_CHARTS", charts);
            steps.run("end-to-end tests with upstream charts", upstream)?;
        }
        None => steps.not_run("upstream charts", "no --charts DIR; the bundled ones were taken"),
    }
    interrupt::check()
}
