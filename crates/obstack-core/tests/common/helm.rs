//! Renders with a real Helm, where there is one.

use std::{
    env,
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use obstack_api::{AlloyMode, ChartSource, ObservabilityStack};
use obstack_core::{
    assemble::{Plan, assemble},
    design::{Blueprint, Design, Release, design},
};
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
        self.place(&release.chart.name, &release.chart.version)
    }

    fn place(&self, name: &str, version: &str) -> PathBuf {
        match self {
            Self::Bundled => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/bundled").join(name),
            Self::Upstream(folder) => folder.join(format!("{name}-{version}")),
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

/// The plan of a stack from these charts, and its blueprint.
pub fn plan_of(helm: &Path, charts: &Charts, mut stack: ObservabilityStack) -> (Plan, Blueprint) {
    let source = if matches!(charts, Charts::Bundled) { ChartSource::Bundled } else { ChartSource::Upstream };
    let spec = &mut stack.spec;
    let blocks =
        [spec.traces.as_mut().map(|traces| &mut traces.chart), spec.metrics.as_mut().map(|m| &mut m.chart)];
    let alloy = spec.collectors.as_mut().and_then(|collectors| collectors.alloy.as_mut());
    let alloy = alloy.filter(|alloy| alloy.mode == AlloyMode::Managed).map(|alloy| &mut alloy.chart);
    for chart in blocks.into_iter().flatten().chain(alloy) {
        chart.get_or_insert_default().source = Some(source);
    }
    let blueprint = design(&super::valid(&stack));
    let design = &blueprint.design;
    let render = |release| render(helm, charts, design, release).unwrap_or_else(|fault| panic!("{fault}"));
    let rendered: Vec<_> = design.releases.iter().map(render).collect();
    let plan = assemble(design, &rendered).unwrap_or_else(|error| panic!("{}: {error}", design.key));
    (plan, blueprint)
}

/// What `helm install` would put in place, and the chart's own values; `None` where there is no such chart.
pub fn install(
    helm: &Path,
    charts: &Charts,
    chart: (&str, &str),
    (name, namespace): (&str, &str),
    values: &Value,
) -> Option<(Vec<Value>, Value)> {
    let folder = charts.place(chart.0, chart.1);
    if !folder.exists() {
        println!("not run: no {}", folder.display());
        return None;
    }
    let defaults = std::fs::read_to_string(folder.join("values.yaml")).unwrap();
    let arguments: [OsString; 6] = [
        "template".into(),
        name.into(),
        folder.into(),
        "--namespace".into(),
        namespace.into(),
        "--no-hooks".into(),
    ];
    let objects = run(helm, &arguments, values).unwrap_or_else(|words| panic!("{name}: {words}"));
    Some((objects, super::yaml(&defaults)))
}

/// What a release of a design renders, or Helm's words.
pub fn render(
    helm: &Path,
    charts: &Charts,
    design: &Design,
    release: &Release,
) -> Result<Vec<Value>, String> {
    let folder = charts.folder(release);
    let arguments: [OsString; 9] = [
        "template".into(),
        (&release.name).into(),
        folder.into(),
        "--namespace".into(),
        (&design.key.namespace).into(),
        "--kube-version".into(),
        (&design.kubernetes).into(),
        "--no-hooks".into(),
        "--skip-tests".into(),
    ];
    run(helm, &arguments, &release.values).map_err(|words| format!("{}: {words}", release.name))
}

/// The objects that Helm prints for values, or its words.
fn run(helm: &Path, arguments: &[OsString], values: &Value) -> Result<Vec<Value>, String> {
    let mut process = Command::new(helm)
        .args(arguments)
        .args(["--values", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // JSON is YAML. Helm reads all of it before it writes anything.
    process.stdin.take().unwrap().write_all(values.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}
