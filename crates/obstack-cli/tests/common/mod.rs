//! Runs the binary as a person would, with nothing of the caller's environment.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// The repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The command, in the repository, without a cluster, with the bundled charts.
pub fn obstack(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-obstack"));
    command.current_dir(ROOT).args(args).env_clear();
    command.env("HOME", env!("CARGO_TARGET_TMPDIR")).env("OBSTACK_CHART_SOURCE", "bundled");
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    if let Some(helm) = helm() {
        command.env("OBSTACK_HELM", helm);
    }
    command
}

/// Runs it.
pub fn run(args: &[&str]) -> Output {
    obstack(args).output().expect("it runs")
}

/// Runs it with a manifest on stdin.
pub fn run_with(args: &[&str], manifest: &str) -> Output {
    let mut child = obstack(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    child.stdin.take().expect("a pipe").write_all(manifest.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// What it prints, for a snapshot: exit code, stdout and stderr.
pub fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let err = if err.is_empty() { err } else { format!("--- stderr\n{err}") };
    format!("exit {code}\n{out}{err}")
}

/// The helm to use; says so when there is none.
pub fn helm() -> Option<PathBuf> {
    let given = env::var_os("OBSTACK_HELM").map(PathBuf::from);
    let found = given.or_else(built);
    if found.is_none() {
        println!("not run: no helm (set OBSTACK_HELM, or run `cargo xtask test` once)");
    }
    found
}

/// The helm that the sandbox built.
fn built() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).map(|cache| cache.join("obstack"));
    let cache = env::var_os("OBSTACK_CACHE").map(PathBuf::from).or(cache)?;
    let tools = std::fs::read_dir(cache.join("tools")).ok()?;
    let mut found: Vec<_> = tools.filter_map(|entry| Some(entry.ok()?.path().join("helm"))).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop()
}

/// A sample as it is shipped.
pub fn sample(environment: &str) -> Value {
    let path = format!("{ROOT}/deploy/samples/{environment}.yaml");
    let text = std::fs::read_to_string(&path).expect("the sample is there");
    serde_saphyr::from_str(&text).expect("the sample is YAML")
}

/// Holds what a command printed against the schema of its kind.
pub fn hold(printed: &[u8]) {
    let printed: Value = serde_json::from_slice(printed).expect("it prints JSON");
    let schemas: Value = serde_json::from_slice(&run(&["docs", "schemas"]).stdout).expect("schemas");
    let kind = printed["kind"].as_str().expect("a kind");
    let schema = jsonschema::options().offline().build(&schemas[kind]).expect("a schema");
    let faults: Vec<_> = schema
        .iter_errors(&printed)
        .map(|fault| format!("{}: {}", fault.instance_path(), fault.masked()))
        .collect();
    assert!(schemas[kind].is_object() && faults.is_empty(), "{kind}: {faults:#?}");
}
