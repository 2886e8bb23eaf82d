//! Where the repository is, and what is built from it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command;
use crate::error::Error;
use crate::interrupt;

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
    interrupt::check()?;
    let mut build = cargo();
    build.args(["build", "--package", "obstack-operator", "--message-format", "json-render-diagnostics"]);
    if release {
        build.arg("--release");
    }
    let output = build
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| command::cannot_run(&build, source))?;
    interrupt::check()?;
    let profile = if release { " --release" } else { "" };
    let failed = || Error::Build { command: format!("cargo build --package obstack-operator{profile}") };
    if !output.status.success() {
        return Err(failed());
    }
    executable(&String::from_utf8_lossy(&output.stdout)).ok_or_else(failed)
}

/// The binary among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some("obstack-operator"))
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
        assert_eq!(executable(messages), Some("/x/obstack-operator".into()));
        assert_eq!(executable("not json"), None);
    }
}
