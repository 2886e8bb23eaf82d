//! `cargo xtask test`: every check, in order, to the end, with one line that says what ran and what did not.

mod deny;
mod end_to_end;
mod steps;

use std::path::PathBuf;
use std::process::Command;

use obstack_sandbox::Progress;

use crate::args::Test;
use crate::error::Error;
use crate::interrupt;
use crate::show::Show;
use crate::workspace;

use steps::Steps;

/// Runs the checks. True when none failed.
pub fn run(options: &Test) -> Result<bool, Error> {
    let mut steps = Steps::new()?;
    steps.run("format", cargo(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    steps.run("lints", cargo(&clippy))?;
    deny::run(&mut steps)?;
    // The tests of the default members hold the generated files too.
    steps.run("unit and property tests, generated files", cargo(&["test", "--quiet", "--no-fail-fast"]))?;
    lint_charts(&mut steps)?;
    if options.fast {
        steps.not_run("rings of a real Mimir", "--fast");
        steps.not_run("end-to-end tests", "--fast");
    } else {
        real_mimir(&mut steps)?;
        end_to_end::run(&mut steps, options)?;
    }
    interrupt::check()?;
    Ok(steps.finish())
}

fn cargo(args: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.args(args);
    command
}

/// The pages of a real Mimir, which is built from its Go module once.
fn real_mimir(steps: &mut Steps) -> Result<(), Error> {
    let name = "rings of a real Mimir";
    let Some(mimir) = tool(steps, name, "mimir", obstack_sandbox::mimir)? else { return Ok(()) };
    // With the operator selected too, dependencies are built with its features, which are there already.
    let mut test = cargo(&["test", "--package", "obstack-operator", "--package", "obstack-engine"]);
    test.args(["--test", "rings_real_mimir"]).env("OBSTACK_MIMIR", mimir);
    steps.run(name, test).map(drop)
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
    let name = "helm lint of the bundled charts";
    let Some(helm) = tool(steps, name, "helm", obstack_sandbox::helm)? else { return Ok(()) };
    let mut lint = Command::new(helm);
    lint.current_dir(workspace::root()).args(["lint", "--strict"]);
    for chart in ["tempo", "tempo-distributed", "mimir-distributed"] {
        lint.arg(format!("charts/bundled/{chart}"));
    }
    steps.run(name, lint).map(drop)
}
