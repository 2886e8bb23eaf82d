//! What is in the image, as `CycloneDX` 1.6: the crates of the operator, the Go modules of helm as its binary tells them,
//! and the charts. Without time and serial number, so that the same image has the same list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command;
use crate::error::{At, Error};
use crate::workspace;

/// Where it lies in the image.
pub const PATH: &str = "/usr/share/obstack/sbom.cdx.json";

/// A part of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    kind: &'static str,
    name: String,
    version: String,
    /// As <https://github.com/package-url/purl-spec> writes it.
    purl: String,
    /// As SPDX writes it.
    license: Option<String>,
}

/// The list for an operator of this package, a helm binary, and folders with charts.
pub fn of(package: &str, helm: &Path, charts: &[&Path]) -> Result<Value, Error> {
    let mut tree = workspace::cargo();
    tree.args(["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]);
    tree.args(["--target", &workspace::triple(), "--format", "{p}\t{l}"]);
    let mut parts = crates(&command::text("list the operator's crates", &mut tree)?);
    let mut go = Command::new("go");
    go.args(["version", "-m"]).arg(helm);
    parts.extend(modules(&command::text("list helm's modules", &mut go)?));
    for folder in charts {
        for entry in fs::read_dir(folder).at("read", folder)? {
            let path = entry.at("read", folder)?.path();
            parts.extend(chart(&path));
        }
    }
    Ok(list(package, parts))
}

fn list(package: &str, parts: Vec<Part>) -> Value {
    let parts: BTreeMap<String, Part> = parts.into_iter().map(|part| (part.purl.clone(), part)).collect();
    let components: Vec<Value> = parts.values().map(component).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "container", "bom-ref": package, "name": package, "version": env!("CARGO_PKG_VERSION"),
        }},
        "components": components,
    })
}

fn component(part: &Part) -> Value {
    let mut component = json!({
        "type": part.kind, "bom-ref": part.purl, "name": part.name, "version": part.version, "purl": part.purl,
    });
    if let (Some(license), Some(map)) = (&part.license, component.as_object_mut()) {
        map.insert("licenses".to_owned(), json!([{"expression": license}]));
    }
    component
}

/// Crates from `cargo tree`: `NAME vVERSION [(WHERE)]`, a tab, the license.
fn crates(tree: &str) -> Vec<Part> {
    let part = |line: &str| {
        let (package, license) = line.split_once('\t')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // An older way to write OR.
        let license = license.trim_end_matches(" (*)").replace('/', " OR ");
        Some(Part {
            kind: "library",
            name: name.to_owned(),
            version: version.to_owned(),
            purl: format!("pkg:cargo/{name}@{version}"),
            license: (!license.is_empty()).then_some(license),
        })
    };
    tree.lines().filter_map(part).collect()
}

/// Go modules from `go version -m`: the main one, the others, and those in whose place others were built.
fn modules(told: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in told.lines() {
        let words: Vec<_> = line.split('\t').map(str::trim).filter(|word| !word.is_empty()).collect();
        let (what, name, version) = match words.as_slice() {
            [what @ ("mod" | "dep" | "=>"), name, version, ..] => (*what, *name, *version),
            _ => continue,
        };
        if what == "=>" {
            parts.pop();
        }
        parts.push(Part {
            kind: "library",
            name: name.to_owned(),
            version: version.to_owned(),
            purl: format!("pkg:golang/{name}@{}", version.replace('+', "%2B")),
            license: None,
        });
    }
    if let Some(go) = told.lines().next().and_then(|line| line.rsplit_once(": go")) {
        parts.push(Part {
            kind: "library",
            name: "stdlib".into(),
            version: go.1.to_owned(),
            purl: format!("pkg:golang/stdlib@{}", go.1),
            license: None,
        });
    }
    parts
}

/// A chart, unpacked or as an archive NAME-VERSION.tgz.
fn chart(path: &Path) -> Option<Part> {
    let (name, version) = if path.is_dir() {
        let text = fs::read_to_string(path.join("Chart.yaml")).ok()?;
        let chart: Value = serde_saphyr::from_str(&text).ok()?;
        (chart.get("name")?.as_str()?.to_owned(), chart.get("version")?.as_str()?.to_owned())
    } else {
        let stem = path.file_name()?.to_str()?.strip_suffix(".tgz")?;
        let dash = stem.match_indices('-').map(|(at, _)| at).find(|&at| {
            stem.get(at + 1..).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        })?;
        let (name, version) = stem.split_at(dash);
        (name.to_owned(), version.trim_start_matches('-').to_owned())
    };
    let purl = format!("pkg:helm/{name}@{version}");
    Some(Part { kind: "application", name, version, purl, license: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purls(parts: &[Part]) -> Vec<&str> {
        parts.iter().map(|part| part.purl.as_str()).collect()
    }

    #[test]
    fn crates_are_told_with_their_licenses() {
        let tree = "obstack-operator v0.1.0 (/x/crates/obstack-operator)\tApache-2.0\nhttp v1.4.0\tMIT OR Apache-2.0\n\
                    old v0.1.2\tMIT/Apache-2.0 (*)\nnone v1.0.0\t\n";
        let parts = crates(tree);
        assert_eq!(
            purls(&parts),
            [
                "pkg:cargo/obstack-operator@0.1.0",
                "pkg:cargo/http@1.4.0",
                "pkg:cargo/old@0.1.2",
                "pkg:cargo/none@1.0.0"
            ]
        );
        let licenses: Vec<_> = parts.iter().map(|part| part.license.as_deref()).collect();
        assert_eq!(
            licenses,
            [Some("Apache-2.0"), Some("MIT OR Apache-2.0"), Some("MIT OR Apache-2.0"), None]
        );
    }

    #[test]
    fn modules_are_told_as_they_were_built() {
        let told = "/x/helm: go1.26.8\n\tpath\thelm.sh/helm/v4/cmd/helm\n\tmod\tobstack/tools\t(devel)\t\n\
                    \tdep\thelm.sh/helm/v4\tv4.3.1\th1:a=\n\tdep\tk8s.io/api\tv0.36.0+x\th1:b=\n\tdep\tgone\tv1.0.0\n\
                    \t=>\tin/its/place\tv1.0.1\th1:c=\n\tbuild\t-compiler=gc\n";
        assert_eq!(
            purls(&modules(told)),
            [
                "pkg:golang/obstack/tools@(devel)",
                "pkg:golang/helm.sh/helm/v4@v4.3.1",
                "pkg:golang/k8s.io/api@v0.36.0%2Bx",
                "pkg:golang/in/its/place@v1.0.1",
                "pkg:golang/stdlib@1.26.8"
            ]
        );
    }

    #[test]
    fn charts_are_told_unpacked_and_packed() {
        let packed = chart(Path::new("tempo-distributed-2.25.8.tgz")).unwrap();
        assert_eq!((packed.name.as_str(), packed.version.as_str()), ("tempo-distributed", "2.25.8"));
        let bundled = chart(&workspace::root().join("charts/bundled/mimir-distributed")).unwrap();
        assert_eq!(bundled.name, "mimir-distributed");
        assert_eq!(chart(Path::new("README.md")), None);
    }

    #[test]
    fn a_list_names_each_part_once_and_says_the_same_each_time() {
        let part = chart(Path::new("tempo-2.2.4.tgz")).unwrap();
        let told = list("operator", vec![part.clone(), part]);
        assert_eq!(told["components"].as_array().map(Vec::len), Some(1));
        assert_eq!(told["components"][0]["purl"], "pkg:helm/tempo@2.2.4");
    }
}
