//! Charts against a real helm, each written into a temporary folder by its test.
//!
//! helm is `OBSTACK_HELM`, or the sandbox's, or the one on `PATH`. Without one the tests say that they did not run.

mod reading;
mod rendering;
mod repository;
mod storing;

use std::fs;
use std::path::{Path, PathBuf};

use super::{ChartRequest, Helm, Located, Source, Store, StoreConfig};

/// A helm, or a line that says there is none.
async fn helm_for_tests() -> Option<Helm> {
    let named = std::env::var_os("OBSTACK_HELM").map(PathBuf::from);
    let helm = Helm::find(named.or_else(sandbox_helm)).await;
    if helm.is_err() {
        println!("not run: no helm");
    }
    helm.ok()
}

fn sandbox_helm() -> Option<PathBuf> {
    let tools = PathBuf::from(std::env::var_os("HOME")?).join(".cache/obstack/tools");
    let mut found: Vec<_> = fs::read_dir(tools)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("helm-v")))
        .map(|path| path.join("helm"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop()
}

/// Writes a chart with these templates and gives its folder.
fn write_chart(folder: &Path, name: &str, extra: &str, templates: &[(&str, &str)]) -> PathBuf {
    let chart = folder.join(name);
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.2.3\n{extra}"))
        .unwrap();
    fs::write(chart.join("values.yaml"), "{}\n").unwrap();
    for (file, text) in templates {
        fs::write(chart.join("templates").join(file), text).unwrap();
    }
    chart
}

/// A chart in `folder` with one template, located as the bundled chart that it then is.
async fn chart(folder: &Path, extra: &str, template: &str) -> Located {
    write_chart(folder, "tiny", extra, &[("all.yaml", template)]);
    store(folder, None).locate(&request(Source::Bundled, "", None)).await.unwrap()
}

fn store(folder: &Path, charts: Option<PathBuf>) -> Store {
    store_with(folder, charts, Path::new("/no/helm"))
}

fn store_with(folder: &Path, charts: Option<PathBuf>, helm: &Path) -> Store {
    Store::new(StoreConfig {
        bundled: folder.to_owned(),
        charts,
        cache: folder.join("cache"),
        helm: helm.to_owned(),
    })
}

fn request(source: Source, repository: &str, digest: Option<&str>) -> ChartRequest {
    ChartRequest {
        name: "tiny".to_owned(),
        version: "1.2.3".to_owned(),
        source,
        repository: repository.to_owned(),
        digest: digest.map(str::to_owned),
    }
}

/// Packs a chart as `helm package` does, and gives the archive.
fn pack(helm: &Helm, chart: &Path, into: &Path) -> PathBuf {
    fs::create_dir_all(into).unwrap();
    let output = std::process::Command::new(helm.path())
        .args(["package", "--destination"])
        .args([into, chart])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    into.join("tiny-1.2.3.tgz")
}
