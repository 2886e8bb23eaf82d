//! `cargo xtask test`: every check, in order, to the end, with one line that says what ran and what did not.

mod deny;
mod end_to_end;
mod steps;

use std::process::Command;

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
    let mimir = {
        let show = Show::new("mimir");
        obstack_sandbox::mimir(&mut |progress| show.sandbox(progress))
    };
    interrupt::check()?;
    match mimir {
        Ok(mimir) => {
            // With the operator selected too, dependencies are built with its features, which are there already.
            let args = ["test", "--package", "obstack-operator", "--package", "obstack-engine"];
            let mut test = cargo(&args);
            test.args(["--test", "rings_real_mimir"]).env("OBSTACK_MIMIR", mimir);
            steps.run(name, test).map(drop)
        }
        Err(error) => {
            steps.failed(name, &error.to_string());
            Ok(())
        }
    }
}

fn lint_charts(steps: &mut Steps) -> Result<(), Error> {
    let name = "helm lint of the bundled charts";
    let helm = {
        let show = Show::new("helm");
        obstack_sandbox::helm(&mut |progress| show.sandbox(progress))
    };
    interrupt::check()?;
    let helm = match helm {
        Ok(helm) => helm,
        Err(error) => {
            steps.failed(name, &error.to_string());
            return Ok(());
        }
    };
    let mut lint = Command::new(helm);
    lint.current_dir(workspace::root()).args(["lint", "--strict"]);
    for chart in ["tempo", "tempo-distributed", "mimir-distributed"] {
        lint.arg(format!("charts/bundled/{chart}"));
    }
    steps.run(name, lint).map(drop)
}
