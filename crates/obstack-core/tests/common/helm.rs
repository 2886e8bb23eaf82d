//! Renders with a real Helm, where there is one.

use std::{
    env,
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use obstack_core::design::{Design, Release};
use serde_json::Value;

/// Where the charts of a render are.
#[derive(Clone, Debug)]
pub enum Charts {
    /// `charts/bundled` of this repository.
    Bundled,
    /// A folder with unpacked upstream charts, each in `<name>-<version>`.
    Upstream(PathBuf),
}

impl Charts {
    fn folder(&self, release: &Release) -> PathBuf {
        let chart = &release.chart;
        match self {
            Self::Bundled => {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/bundled").join(&chart.name)
            }
            Self::Upstream(folder) => folder.join(format!("{}-{}", chart.name, chart.version)),
        }
    }
}

/// The Helm to use; says so when there is none.
pub fn helm() -> Option<PathBuf> {
    let found = env::var_os("OBSTACK_HELM").map(PathBuf::from).or_else(cached).or_else(on_path);
    if found.is_none() {
        println!("not run: no helm (set OBSTACK_HELM, or run `cargo xtask test` once)");
    }
    found
}

/// The upstream charts to use; says so when there are none.
pub fn upstream() -> Option<Charts> {
    let folder = env::var_os("OBSTACK_UPSTREAM_CHARTS").map(PathBuf::from);
    if folder.is_none() {
        println!("not run: OBSTACK_UPSTREAM_CHARTS names no folder with unpacked upstream charts");
    }
    folder.map(Charts::Upstream)
}

fn cached() -> Option<PathBuf> {
    let tools = Path::new(&env::var_os("HOME")?).join(".cache/obstack/tools");
    let mut found: Vec<_> =
        std::fs::read_dir(tools).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    found.retain(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("helm-")));
    found.sort();
    found.pop().map(|folder| folder.join("helm")).filter(|helm| helm.exists())
}

fn on_path() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join("helm")).find(|helm| helm.exists())
}

/// What each release of a design renders.
pub fn render(helm: &Path, charts: &Charts, design: &Design) -> Vec<Vec<Value>> {
    design.releases.iter().map(|release| render_release(helm, charts, design, release)).collect()
}

fn render_release(helm: &Path, charts: &Charts, design: &Design, release: &Release) -> Vec<Value> {
    let folder = charts.folder(release);
    let arguments: [OsString; 11] = [
        "template".into(),
        (&release.name).into(),
        folder.into(),
        "--namespace".into(),
        (&design.key.namespace).into(),
        "--kube-version".into(),
        (&design.kubernetes).into(),
        "--no-hooks".into(),
        "--skip-tests".into(),
        "--values".into(),
        "-".into(),
    ];
    let mut command = Command::new(helm);
    let mut process = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // JSON is YAML. Helm reads all of it before it writes anything.
    process.stdin.take().unwrap().write_all(release.values.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", release.name, String::from_utf8_lossy(&output.stderr));
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}
