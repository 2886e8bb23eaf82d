//! `kubectl obstack` as a person runs it: the binary, with the sandbox's kubeconfig and nothing else of the caller's.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{World, operator::built};

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Told {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside that.
    pub err: String,
}

impl Told {
    /// What it printed, read as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"))
    }
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// The binary to test: `OBSTACK_CLI`, or the one beside the test's own.
pub fn cli_binary() -> PathBuf {
    built("OBSTACK_CLI", "kubectl-obstack")
}

/// Runs a command with an object on its stdin.
pub fn fed(mut command: Command, object: &Value) -> Told {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(object.to_string().as_bytes()).expect("it reads");
    drop(input);
    child.wait_with_output().expect("it ends").into()
}

impl World {
    /// The command, as an administrator, with the bundled charts.
    pub fn cli_command(&self, args: &[&str]) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new(cli_binary());
        command.env_clear().env("KUBECONFIG", &self.sandbox.kubeconfig).env("HOME", dir).env("TMPDIR", dir);
        command.env("OBSTACK_CHART_SOURCE", "bundled").env("OBSTACK_HELM", &self.sandbox.tools.helm.path);
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs `kubectl obstack`.
    pub fn cli(&self, args: &[&str]) -> Told {
        self.cli_command(args).output().expect("kubectl-obstack runs").into()
    }

    /// Runs `kubectl obstack` with an object on its stdin.
    pub fn cli_with(&self, args: &[&str], object: &Value) -> Told {
        fed(self.cli_command(args), object)
    }
}
