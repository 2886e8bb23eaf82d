//! `kubectl obstack` without a cluster: its own tests with a helm, and the pull-request job of the documentation, run as
//! it is written there.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::steps::Steps;
use crate::error::{At, Error};
use crate::workspace;

const TESTS: &str = "kubectl obstack without a cluster";
const REVIEW: &str = "the pull-request job of the documentation";
/// The page with the job.
const PAGE: &str = "docs/how-to/review-in-ci.md";
/// Stands before each block that is run.
const MARK: &str = "<!-- run -->\n```sh\n";

/// Runs both.
pub fn run(steps: &mut Steps) -> Result<(), Error> {
    let Some(helm) = super::tool(steps, TESTS, "helm", obstack_sandbox::helm)? else { return Ok(()) };
    // With the operator selected too, dependencies are built with its features, which are there already.
    let mut tests =
        super::cargo(&["test", "--quiet", "--package", "obstack-operator", "--package", "obstack-cli"]);
    tests.args(["--test", "*"]).env("OBSTACK_HELM", &helm);
    steps.run(TESTS, tests)?;
    if !super::build_binaries(steps, REVIEW)? {
        return Ok(());
    }
    let page = workspace::root().join(PAGE);
    let written = fs::read_to_string(&page).at("read", &page)?;
    let mut job = Command::new("bash");
    job.current_dir(workspace::root()).args(["-euo", "pipefail", "-c", &script(&written)]);
    job.env("PATH", path(&[&workspace::root().join("target/debug"), helm.parent().unwrap_or(&helm)]));
    job.env("KUBECONFIG", "/dev/null");
    steps.run(REVIEW, job).map(drop)
}

/// The blocks of a page that are run, one after the other.
fn script(page: &str) -> String {
    page.split(MARK).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// `PATH` with more folders before the others.
fn path(first: &[&Path]) -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().map(|folder| folder.to_path_buf()).chain(env::split_paths(&others));
    env::join_paths(folders).unwrap_or(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_run() {
        let page = "a\n```sh\nno\n```\n<!-- run -->\n```sh\none\n```\nb\n<!-- run -->\n```sh\ntwo\n```\n";
        assert_eq!(script(page), "one\ntwo\n");
    }
}
