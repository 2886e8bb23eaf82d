//! Calls to the API server, through kubectl.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tools::Tools;

/// The environment in which clients reach the sandbox and no other cluster. The discovery cache is the sandbox's
/// own, because a later sandbox on the same port serves other resources.
pub(crate) fn environment(dir: &Path) -> [(String, String); 2] {
    let path = |name: &str| dir.join(name).display().to_string();
    [("KUBECONFIG".into(), path("kubeconfig")), ("KUBECACHEDIR".into(), path("kubectl-cache"))]
}

/// kubectl for the sandbox in the folder.
pub(crate) fn command(dir: &Path, tools: &Tools) -> Command {
    let mut command = Command::new(&tools.kubectl.path);
    command.envs(environment(dir));
    command
}

/// Runs it with a request timeout and returns its output, or what it complained about.
pub(crate) fn run(dir: &Path, tools: &Tools, args: &[&str], input: &str) -> Result<String, String> {
    let mut command = command(dir, tools);
    command.arg("--request-timeout=10s").args(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", tools.kubectl.path.display()))?;
    // A kubectl that ends before it has read everything says why on its own.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(errors.lines().last().unwrap_or("no output").trim().to_owned())
}
