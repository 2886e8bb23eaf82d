//! `cargo xtask test`: every check, in order, to the end, with one line that says what ran and what did not.

mod command;
mod deny;
mod end_to_end;
mod real;
pub mod rights;
mod steps;
mod tutorial;

use std::path::PathBuf;
use std::process::Command;

use obstack_sandbox::Progress;

use crate::args::Test;
use crate::error::{At, Error};
use crate::interrupt;
use crate::show::Show;
use crate::workspace;

use steps::Steps;

const DASHBOARDS: &str = "dashboards by dashboard-linter";
const REAL_MIMIR: &str = "rings and dashboards of a real Mimir";
const CANARY_MIMIR: &str = "canary against a real Mimir";
const CANARY_TEMPO: &str = "canary against a real Tempo";

/// Runs the checks. True when none failed.
pub fn run(options: &Test) -> Result<bool, Error> {
    let mut steps = Steps::new()?;
    if options.real {
        real::run(&mut steps, options)?;
        return Ok(steps.finish());
    }
    steps.run("format", cargo(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    steps.run("lints", cargo(&clippy))?;
    deny::run(&mut steps)?;
    // The tests of the default members hold the generated files too.
    steps.run("unit and property tests, generated files", cargo(&["test", "--quiet", "--no-fail-fast"]))?;
    lint_charts(&mut steps)?;
    command::run(&mut steps)?;
    alloy_grammar(&mut steps)?;
    tiltfile(&mut steps)?;
    if options.fast {
        steps.not_run(DASHBOARDS, "--fast");
        steps.not_run(REAL_MIMIR, "--fast");
        steps.not_run(CANARY_MIMIR, "--fast");
        steps.not_run(CANARY_TEMPO, "--fast");
        steps.not_run("end-to-end tests", "--fast");
        steps.not_run(tutorial::STEP, "--fast");
        steps.not_run("tests on real pods", "--fast");
    } else {
        lint_dashboards(&mut steps)?;
        real_mimir(&mut steps)?;
        real_canary(&mut steps, options)?;
        end_to_end::run(&mut steps, options)?;
        tutorial::run(&mut steps)?;
        real::run(&mut steps, options)?;
    }
    interrupt::check()?;
    Ok(steps.finish())
}

fn cargo(args: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.args(args);
    command
}

/// Builds the operator and `kubectl obstack`. Where that fails, `needs` did not run.
fn build_binaries(steps: &mut Steps, needs: &str) -> Result<bool, Error> {
    let command = cargo(&["build", "--package", "obstack-operator", "--package", "obstack-cli"]);
    let built = steps.run("building the operator and kubectl obstack", command)?;
    if !built {
        steps.not_run(needs, "its binaries were not built");
    }
    Ok(built)
}

/// What a real Mimir is asked, which is built from its Go module once.
fn real_mimir(steps: &mut Steps) -> Result<(), Error> {
    let Some(mimir) = tool(steps, REAL_MIMIR, "mimir", obstack_sandbox::mimir)? else { return Ok(()) };
    // With the operator selected too, dependencies are built with its features, which are there already.
    let mut test = cargo(&["test", "--package", "obstack-operator", "--package", "obstack-engine"]);
    test.args(["--test", "rings_real_mimir", "--test", "dashboards_real_mimir"]).env("OBSTACK_MIMIR", mimir);
    steps.run(REAL_MIMIR, test).map(drop)
}

/// The canary against real backends, each of whose parts is taken away in turn. Tempo is no Go module that could be
/// built, so it has to be given.
fn real_canary(steps: &mut Steps, options: &Test) -> Result<(), Error> {
    let Some(mimir) = tool(steps, CANARY_MIMIR, "mimir", obstack_sandbox::mimir)? else { return Ok(()) };
    let Some(s3) = tool(steps, CANARY_MIMIR, "versitygw", obstack_sandbox::versitygw)? else { return Ok(()) };
    let test = |name| {
        let mut test = cargo(&["test", "--package", "obstack-operator", "--package", "obstack-engine"]);
        test.args(["--test", name]).env("OBSTACK_VERSITYGW", &s3);
        test
    };
    let mut with_mimir = test("canary_real_mimir");
    with_mimir.env("OBSTACK_MIMIR", mimir);
    steps.run(CANARY_MIMIR, with_mimir)?;
    let Some((_, tempo)) = options.binary.iter().find(|(name, _)| name == "tempo") else {
        steps.not_run(CANARY_TEMPO, "give --binary tempo=PATH");
        return Ok(());
    };
    let mut with_tempo = test("canary_real_tempo");
    // Tests run in the folder of their crate.
    with_tempo.env("OBSTACK_TEMPO", std::path::absolute(tempo).at("find", tempo)?);
    steps.run(CANARY_TEMPO, with_tempo).map(drop)
}

/// Alloy's configuration, read by Alloy's own parser, which is a Go module.
fn alloy_grammar(steps: &mut Steps) -> Result<(), Error> {
    let name = "grammar of Alloy's configuration";
    with_go_program(steps, name, ("alloysyntax", "."), "OBSTACK_ALLOY_SYNTAX", "alloy_config")
}

/// The Tiltfile, run with the interpreter of its language, which is a Go module, and stand-ins for what tilt defines.
/// tilt itself is in no module of ours: its own replaces others, and it wants a cluster.
fn tiltfile(steps: &mut Steps) -> Result<(), Error> {
    let name = "Tiltfile by a Starlark parser, not by tilt";
    let Some(program) = go_program(steps, name, "starlark", ".")? else { return Ok(()) };
    let mut run = Command::new(program);
    run.current_dir(workspace::root()).args(["tests/sandbox/tools/starlark/tilt.star", "Tiltfile"]);
    steps.run(name, run).map(drop)
}

/// The dashboards, read by the linter that Grafana Labs uses for theirs, which is a Go module.
fn lint_dashboards(steps: &mut Steps) -> Result<(), Error> {
    let program = ("dashboard-linter", "github.com/grafana/dashboard-linter");
    with_go_program(steps, DASHBOARDS, program, "OBSTACK_DASHBOARD_LINTER", "dashboards")
}

/// A test of the core that finds a program in a variable.
fn with_go_program(
    steps: &mut Steps,
    name: &str,
    (folder, package): (&str, &str),
    variable: &str,
    test: &str,
) -> Result<(), Error> {
    let Some(program) = go_program(steps, name, folder, package)? else { return Ok(()) };
    let mut test = cargo(&["test", "--quiet", "--package", "obstack-core", "--test", test]);
    test.env(variable, program);
    steps.run(name, test).map(drop)
}

/// A package of a module among the sandbox's tools, built in its folder, where it may have source files. `None` when it
/// cannot be built, which is noted for the step that needs it.
fn go_program(steps: &mut Steps, step: &str, folder: &str, package: &str) -> Result<Option<PathBuf>, Error> {
    let program = workspace::root().join("target/xtask-test").join(folder);
    let mut build = Command::new("go");
    build.current_dir(workspace::root().join("tests/sandbox/tools").join(folder));
    build.args(["build", "-mod=readonly", "-trimpath", "-o"]).arg(&program).arg(package);
    build.envs([("CGO_ENABLED", "0"), ("GOWORK", "off")]);
    if !steps.run(&format!("building {folder}"), build)? {
        steps.not_run(step, "it was not built");
        return Ok(None);
    }
    Ok(Some(program))
}

/// A tool of the sandbox, found or built; `None` when there is none, which fails the step that needs it.
fn tool(
    steps: &mut Steps,
    step: &str,
    shown: &str,
    find: fn(&mut dyn FnMut(Progress)) -> Result<PathBuf, obstack_sandbox::Error>,
) -> Result<Option<PathBuf>, Error> {
    let found = {
        let show = Show::new(shown);
        find(&mut |progress| show.sandbox(progress))
    };
    interrupt::check()?;
    if let Err(error) = &found {
        steps.failed(step, &error.to_string());
    }
    Ok(found.ok())
}

fn lint_charts(steps: &mut Steps) -> Result<(), Error> {
    let name = "helm lint of the charts";
    let Some(helm) = tool(steps, name, "helm", obstack_sandbox::helm)? else { return Ok(()) };
    let mut lint = Command::new(helm);
    lint.current_dir(workspace::root()).args(["lint", "--strict", "charts/obstack"]);
    for chart in ["tempo", "tempo-distributed", "mimir-distributed", "alloy"] {
        lint.arg(format!("charts/bundled/{chart}"));
    }
    steps.run(name, lint).map(drop)
}
