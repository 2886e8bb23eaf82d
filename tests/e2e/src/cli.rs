//! `kubectl obstack` as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::world::World;

/// The binary to test: `OBSTACK_CLI`, or the one beside the test's own.
fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("OBSTACK_CLI") {
        return given.into();
    }
    let own = std::env::current_exe().expect("the test's own path");
    let folder = own.parent().and_then(Path::parent).expect("tests are built into target/PROFILE/deps");
    let binary = folder.join("kubectl-obstack");
    assert!(binary.is_file(), "{} is not there: run `cargo xtask test`, or build it first", binary.display());
    binary
}

/// Runs it as an administrator of the sandbox, to its end. A later `--kubeconfig` wins.
pub fn cli(world: &World, args: &[&str]) -> Output {
    let dir = world.dir.path();
    let mut command = Command::new(binary());
    // Nothing of the caller's environment decides anything.
    command.env_clear().env("HOME", dir).env("TMPDIR", dir).stdin(Stdio::null());
    command.env("KUBECONFIG", &world.sandbox.kubeconfig).env("OBSTACK_HELM", &world.sandbox.tools.helm.path);
    command.args(args).output().expect("kubectl-obstack runs")
}
