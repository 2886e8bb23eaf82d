//! What of the operator's chart is made: the CRD as a template, and the page about its values.

use std::fs;
use std::path::PathBuf;

use super::markdown::{MADE, code, head, row};
use super::{HEADER, definition, reference};
use crate::error::{At, Error};
use crate::workspace;

const INTRO: &str = "
# Values of the chart

Of [charts/obstack](../../charts/obstack/README.md), from the comments of its `values.yaml`. A value that is not here, or of another type, is refused by the chart's schema.

";

/// Labels and annotations that only a release has.
const METADATA: &str = r#"  labels:
    {{- include "obstack.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    # Deleting the CRD deletes every stack.
    helm.sh/resource-policy: keep
  {{- end }}
"#;

/// The CRD as a template of the chart: helm neither upgrades nor keeps what is in its folder `crds`.
pub fn crd() -> Result<(PathBuf, String), Error> {
    let wrong = |reason: &str| Error::Format { what: "the CRD".into(), reason: reason.to_owned() };
    let text = definition()?;
    if text.contains("{{") {
        return Err(wrong("it has `{{`, which helm would take for its own"));
    }
    let name = "metadata:\n  name: observabilitystacks.obstack.dev\n";
    let (before, after) = text.split_once(name).ok_or_else(|| wrong("its metadata stands elsewhere"))?;
    let path = workspace::root().join("charts/obstack/templates/crd.yaml");
    let template = format!(
        "{{{{- if .Values.crds.install }}}}\n{HEADER}{before}{name}{METADATA}{after}{{{{- end }}}}\n"
    );
    Ok((path, template))
}

/// The page about the chart's values.
pub fn values() -> Result<(PathBuf, String), Error> {
    let path = workspace::root().join("charts/obstack/values.yaml");
    let text = fs::read_to_string(&path).at("read", &path)?;
    let mut page = format!("{MADE}{INTRO}{}", head(&["value", "default", "meaning"]));
    for value in read(&text) {
        page.push_str(&row(&[&code(&value.path), &code(&value.default), &value.meaning]));
    }
    Ok((reference("values"), page))
}

/// A value with the comment above it.
#[derive(Debug, PartialEq, Eq)]
struct Documented {
    path: String,
    default: String,
    meaning: String,
}

/// The values of a file, top to bottom. Blocks without a comment are only the way to what is in them; a block with one
/// counts as a value when it has children without comments.
fn read(text: &str) -> Vec<Documented> {
    let mut found: Vec<Documented> = Vec::new();
    let mut way: Vec<(usize, String)> = Vec::new();
    let mut comment = Vec::new();
    for line in text.lines() {
        let plain = line.trim_start();
        let indent = line.len() - plain.len();
        if let Some(said) = plain.strip_prefix('#') {
            comment.push(said.trim().to_owned());
            continue;
        }
        let Some((key, default)) = plain.split_once(':') else {
            comment.clear();
            continue;
        };
        way.retain(|(depth, _)| *depth < indent);
        way.push((indent, key.to_owned()));
        let path = way.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
        let meaning = std::mem::take(&mut comment).join(" ");
        let default = default.trim().to_owned();
        if !meaning.is_empty() || !default.is_empty() {
            found.push(Documented { path, default, meaning });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn file(name: &str) -> String {
        fs::read_to_string(workspace::root().join("charts/obstack").join(name)).unwrap()
    }

    #[test]
    fn the_chart_has_the_version_of_the_workspace() {
        let chart: Value = serde_saphyr::from_str(&file("Chart.yaml")).unwrap();
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    }

    /// Every value of the file that is no block of others.
    fn leaves(path: &str, schema: &Value, found: &mut Vec<String>) {
        match schema["properties"].as_object() {
            Some(fields) => {
                for (key, field) in fields {
                    leaves(&format!("{path}.{key}"), field, found);
                }
            }
            None => found.push(path.trim_start_matches('.').to_owned()),
        }
    }

    fn at<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
        values.pointer(&format!("/{}", path.replace('.', "/")))
    }

    #[test]
    fn values_and_their_schema_name_the_same() {
        let schema: Value = serde_json::from_str(&file("values.schema.json")).unwrap();
        let values: Value = serde_saphyr::from_str(&file("values.yaml")).unwrap();
        let mut named = Vec::new();
        leaves("", &schema, &mut named);
        // Helm gives `global` to every chart, and a limit is the user's to set.
        let apart = ["global", "resources.requests.ephemeral-storage"];
        named.retain(|path| !apart.contains(&path.as_str()) && !path.starts_with("resources.limits."));
        for path in &named {
            assert!(at(&values, path).is_some(), "values.yaml has no {path}");
        }
        for value in read(&file("values.yaml")) {
            let within = |path: &String| *path == value.path || path.starts_with(&format!("{}.", value.path));
            assert!(
                value.path.starts_with("resources.") || named.iter().any(within),
                "no schema of {}",
                value.path
            );
        }
    }

    #[test]
    fn every_object_of_the_schema_is_closed_or_free_on_purpose() {
        fn closed(path: &str, schema: &Value) {
            if schema["properties"].is_object() && path != "if" && path != "then" {
                assert_eq!(schema["additionalProperties"], false, "{path}");
                for (key, field) in schema["properties"].as_object().unwrap() {
                    closed(&format!("{path}.{key}"), field);
                }
            }
        }
        closed("", &serde_json::from_str(&file("values.schema.json")).unwrap());
    }

    #[test]
    fn every_value_says_what_it_means() {
        for value in read(&file("values.yaml")) {
            let requests = value.path.starts_with("resources.requests.");
            assert!(requests || !value.meaning.is_empty(), "{} has no comment", value.path);
        }
    }

    #[test]
    fn every_alert_leads_to_a_page_of_the_runbook_and_asks_for_metrics_that_are_there() {
        let alerts: Value = serde_saphyr::from_str(&file("files/alerts.yaml")).unwrap();
        let metrics = fs::read_to_string(reference("metrics")).unwrap();
        let rules: Vec<_> = alerts["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .collect();
        assert_eq!(rules.len(), 11);
        for rule in rules {
            let text = |pointer: &str| rule.pointer(pointer).and_then(Value::as_str).unwrap();
            let page = text("/annotations/runbook_url").strip_prefix("RUNBOOK/").unwrap();
            let (page, part) = page.split_once('#').unwrap_or((page, ""));
            let path = workspace::root().join("docs/runbook").join(page);
            let page =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
            assert!(
                part.is_empty() || headings.map(super::super::markdown::anchor).any(|a| a == part),
                "{part}"
            );
            for (name, _) in obstack_core::dashboards::selectors(text("/expr")) {
                let known = metrics.contains(&format!("| `{name}` |")) || name == "kube_resourcequota";
                assert!(known, "{}: {name}", text("/alert"));
            }
            assert!(!text("/annotations/summary").is_empty() && !text("/annotations/description").is_empty());
            assert!(["critical", "warning", "info"].contains(&text("/labels/severity")));
            text("/for");
        }
    }

    #[test]
    fn comments_belong_to_the_value_below() {
        let read = read("# One.\n# More.\na: 1\nb:\n  # Two.\n  c: {}\n\nd: x # y\n");
        let plain: Vec<_> =
            read.iter().map(|v| (v.path.as_str(), v.default.as_str(), v.meaning.as_str())).collect();
        assert_eq!(plain, [("a", "1", "One. More."), ("b.c", "{}", "Two."), ("d", "x # y", "")]);
    }
}
