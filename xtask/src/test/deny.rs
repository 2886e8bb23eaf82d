//! cargo-deny: bans, licenses and sources always; advisories where their database can be had.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::steps::Steps;
use crate::command;
use crate::error::Error;
use crate::workspace;

const VERSION: &str = "0.20.2";

/// Runs cargo-deny, which is installed once if it is not there.
pub fn run(steps: &mut Steps) -> Result<(), Error> {
    let Some(binary) = find(steps)? else { return Ok(()) };
    let deny = |args: &[&str]| {
        let mut command = Command::new(&binary);
        command.current_dir(workspace::root()).args(["--all-features", "--log-level", "error"]).args(args);
        command
    };
    steps.run("dependencies: bans, licenses, sources", deny(&["check", "bans", "licenses", "sources"]))?;
    match command::text("fetch the advisories", &mut deny(&["fetch", "db"])) {
        Ok(_) => steps.run("dependencies: advisories", deny(&["check", "advisories"])).map(drop),
        Err(Error::Failed { .. }) => {
            steps.not_run("dependencies: advisories", "the database could not be fetched");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// On PATH, in the cache, or installed into it now.
fn find(steps: &mut Steps) -> Result<Option<PathBuf>, Error> {
    let root = workspace::tools_dir()?.join(format!("cargo-deny-v{VERSION}"));
    let cached = root.join("bin/cargo-deny");
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|dir| dir.join("cargo-deny"));
    if let Some(binary) = on_path.chain([cached.clone()]).find(|binary| works(binary)) {
        return Ok(Some(binary));
    }
    let mut install = workspace::cargo();
    // A target folder of its own, which goes when it is done: it shares nothing with the workspace.
    install
        .args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"])
        .arg(&root)
        .env_remove("CARGO_TARGET_DIR");
    let installed = steps.run("installing cargo-deny, once", install)?;
    Ok(installed.then_some(cached))
}

fn works(binary: &Path) -> bool {
    let status = Command::new(binary)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
