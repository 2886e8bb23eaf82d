//! Where the repository is, and what is built from it.

use std::env::{self, consts::ARCH};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command;
use crate::error::Error;
use crate::interrupt;

/// The package of `kubectl obstack`.
const CLI: &str = "obstack-cli";

/// The root of the repository.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// cargo, in the repository.
pub fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    command
}

/// Builds the operator, with cargo's own progress on stderr, and returns the binary.
pub fn build_operator(release: bool) -> Result<PathBuf, Error> {
    build(["obstack-operator"], release).map(|[operator]| operator)
}

/// Builds the operator and the command line, and returns the binaries.
pub fn build_both() -> Result<[PathBuf; 2], Error> {
    build(["obstack-operator", CLI], false)
}

/// Builds packages together, with cargo's own progress on stderr, and returns their binaries.
pub fn build<const N: usize>(packages: [&str; N], release: bool) -> Result<[PathBuf; N], Error> {
    build_with(packages, |build| {
        if release {
            build.arg("--release");
        }
    })
}

/// Builds packages together into static binaries, which need no file of the system that they run on. From glibc 2.34 on
/// that holds for looking up names, too.
pub fn build_static<const N: usize>(packages: [&str; N], profile: &str) -> Result<[PathBuf; N], Error> {
    build_with(packages, |build| {
        // With a target of its own the flag holds for neither build scripts nor what lies in target/debug.
        build.args(["--profile", profile, "--target", &triple()]);
        build.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    })
}

/// What static binaries are built for: this machine.
pub fn triple() -> String {
    format!("{ARCH}-unknown-linux-gnu")
}

fn build_with<const N: usize>(
    packages: [&str; N],
    how: impl FnOnce(&mut Command),
) -> Result<[PathBuf; N], Error> {
    interrupt::check()?;
    let mut build = cargo();
    build.arg("build").args(packages.iter().flat_map(|package| ["--package", package]));
    how(&mut build);
    let failed = || Error::Build { command: command::line(&build) };
    let output = build_messages(&build)?;
    interrupt::check()?;
    if !output.status.success() {
        return Err(failed());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut binaries = Vec::new();
    for package in packages {
        // kubectl finds a plugin by the name of its file.
        let binary = if package == CLI { "kubectl-obstack" } else { package };
        binaries.push(executable(&messages, binary).ok_or_else(failed)?);
    }
    binaries.try_into().map_err(|_| failed())
}

/// The same build, with cargo's messages on stdout.
fn build_messages(build: &Command) -> Result<std::process::Output, Error> {
    let mut build_and_tell = cargo();
    build_and_tell
        .args(build.get_args())
        .envs(build.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    build_and_tell.output().map_err(|source| command::cannot_run(build, source))
}

/// A binary among cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name))
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
}

/// The folder for tools that are built once: `OBSTACK_CACHE`, or `obstack` in the cache folder of the user.
pub fn tools_dir() -> Result<PathBuf, Error> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("OBSTACK_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("obstack")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/obstack")))
        .map(|dir| dir.join("tools"))
        .ok_or(Error::Variable {
            variable: "HOME",
            why: "tools that are built once are kept in a folder below it",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("crates/obstack-operator/Cargo.toml").is_file());
    }

    #[test]
    fn the_binary_is_found_among_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"executable\":\"/x/other\"}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"obstack-operator\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"obstack-operator\"},\"executable\":\"/x/obstack-operator\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable(messages, "obstack-operator"), Some("/x/obstack-operator".into()));
        assert_eq!(executable("not json", "obstack-operator"), None);
    }
}
