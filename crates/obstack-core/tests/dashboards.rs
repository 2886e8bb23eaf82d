//! What every dashboard must be, whatever it shows. That its queries find something is tried on a real Mimir, in the
//! engine's tests.

#![cfg(test)]

mod common;

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use common::{sample, small_with, valid, with};
use obstack_core::{
    dashboards::{ABOUT, Dashboard, OPERATOR, all, operator, selectors},
    valid::ValidStack,
};
use serde_json::Value;

/// A ConfigMap holds 1 MiB, and the objects around the text need some of it.
const SIZE_MAX: usize = 900 * 1024;
/// Grafana's bound.
const UID_MAX: usize = 40;

fn stacks() -> Vec<ValidStack> {
    let samples = ["dev", "test", "prod"].map(full);
    let parts = ["spec: {metrics: null}", "spec: {traces: null, canary: {enabled: false}}"]
        .map(|overlay| valid(&small_with(overlay)));
    samples.into_iter().chain(parts).collect()
}

/// A sample that makes metrics of its traces.
fn full(environment: &str) -> ValidStack {
    valid(&with(&sample(environment), "spec: {traces: {metricsGenerator: {enabled: true}}}"))
}

fn every() -> Vec<Dashboard> {
    stacks().iter().flat_map(all).chain([operator()]).collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_stack_gets_the_dashboards_of_what_it_has() {
    let slugs = |overlay: &str| -> Vec<_> {
        all(&valid(&small_with(overlay))).into_iter().map(|dashboard| dashboard.slug).collect()
    };
    let generator = "spec: {traces: {metricsGenerator: {enabled: true}}}";
    let every =
        ["stack-overview", "service-overview", "trace-explorer", "tempo", "mimir", "namespace-resources"];
    assert_eq!(slugs(generator), every);
    assert_eq!(slugs(""), every.into_iter().filter(|slug| *slug != "service-overview").collect::<Vec<_>>());
    let traces = ["stack-overview", "trace-explorer", "tempo", "namespace-resources"];
    assert_eq!(slugs("spec: {metrics: null}"), traces);
    assert_eq!(slugs("spec: {traces: null}"), ["stack-overview", "mimir", "namespace-resources"]);
    assert_eq!(ABOUT.iter().map(|about| about.slug).collect::<Vec<_>>(), every);
}

#[test]
fn the_operators_dashboard_is_of_no_stack_and_every_query_of_its_own_metrics() {
    let operator = operator();
    assert_eq!(text(&operator.model, "/uid"), OPERATOR.slug);
    assert_eq!(text(&operator.model, "/title"), OPERATOR.title);
    assert!(ABOUT.iter().all(|about| about.slug != OPERATOR.slug));
    let foreign = operator.expressions().flat_map(selectors).find(|(name, _)| !name.starts_with("obstack_"));
    assert_eq!(foreign, None);
}

#[test]
fn i1_the_same_stack_gets_the_same_bytes() {
    for (one, two) in stacks().iter().zip(stacks()) {
        let bytes = |stack| all(stack).into_iter().map(|it| it.model.to_string()).collect::<Vec<_>>();
        assert_eq!(bytes(one), bytes(&two));
    }
}

#[test]
fn uids_are_short_and_no_two_stacks_share_one() {
    let uids: Vec<_> = every().iter().map(|it| text(&it.model, "/uid").to_owned()).collect();
    for uid in &uids {
        let plain = uid.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        assert!(plain && uid.len() <= UID_MAX, "{uid}");
    }
    // The two partial stacks have one name.
    let samples: Vec<_> = uids.iter().take(3 * ABOUT.len()).collect();
    assert_eq!(samples.iter().collect::<BTreeSet<_>>().len(), samples.len());
}

#[test]
fn a_model_is_as_grafana_provisions_it() {
    for Dashboard { slug, title, model } in every() {
        assert!(model.to_string().len() < SIZE_MAX, "{slug}");
        assert!(text(&model, "/title").starts_with(title), "{slug}");
        assert!(model.get("id").is_none() && model.get("__inputs").is_none(), "{slug}");
        assert_eq!(model["schemaVersion"], 39, "{slug}");
    }
}

#[test]
fn panels_have_an_id_each_and_none_lies_over_another() {
    for dashboard in every() {
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in list(&dashboard.model, "/panels") {
            let title = text(panel, "/title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}: id of {title}", dashboard.slug);
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{}: {title} is too wide", dashboard.slug);
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(cells.insert((x, y)), "{}: {title} overlaps at {x},{y}", dashboard.slug);
                }
            }
        }
    }
}

#[test]
fn every_query_and_panel_uses_a_datasource_variable_of_its_kind() {
    for dashboard in every() {
        let variables: BTreeSet<_> = list(&dashboard.model, "/templating/list")
            .iter()
            .filter(|variable| variable["type"] == "datasource")
            .map(|variable| {
                (format!("${{{}}}", text(variable, "/name")), text(variable, "/query").to_owned())
            })
            .collect();
        let mut used = BTreeSet::new();
        let mut check = |what: &str, source: &Value| {
            let source = (text(source, "/uid").to_owned(), text(source, "/type").to_owned());
            assert!(variables.contains(&source), "{}: {what}: {source:?}", dashboard.slug);
            used.insert(source);
        };
        for panel in dashboard.panels() {
            check(text(panel, "/title"), &panel["datasource"]);
            assert!(!list(panel, "/targets").is_empty(), "{}: {}", dashboard.slug, text(panel, "/title"));
            for target in list(panel, "/targets") {
                check(text(panel, "/title"), &target["datasource"]);
            }
        }
        let choices = list(&dashboard.model, "/templating/list").iter();
        choices
            .filter(|variable| variable["type"] == "query")
            .for_each(|variable| check("variable", &variable["datasource"]));
        assert_eq!(used, variables, "{}: a datasource is chosen for nothing", dashboard.slug);
    }
}

#[test]
fn a_variable_that_is_used_exists_and_one_that_exists_is_used() {
    const GRAFANAS: [&str; 3] = ["__rate_interval", "__url_time_range", "__value.text"];
    for dashboard in every() {
        let defined: BTreeSet<_> = list(&dashboard.model, "/templating/list")
            .iter()
            .map(|variable| text(variable, "/name").to_owned())
            .collect();
        let used: BTreeSet<_> = variables(&dashboard.model.to_string())
            .into_iter()
            .filter(|name| !GRAFANAS.contains(&name.as_str()))
            .collect();
        assert_eq!(used, defined, "{}", dashboard.slug);
    }
}

/// `$name`, `${name}` and `${name:format}`.
fn variables(text: &str) -> Vec<String> {
    let names = text.split('$').skip(1).filter_map(|rest| match rest.strip_prefix('{') {
        Some(rest) => rest.split(['}', ':']).next(),
        None => rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next(),
    });
    // `"$__all"` is a value of Grafana's.
    names.filter(|name| *name != "__all").map(str::to_owned).collect()
}

#[test]
fn every_panel_says_what_it_shows_and_no_series_is_hidden_or_made_up() {
    for dashboard in every() {
        let mut titles = BTreeSet::new();
        for panel in dashboard.panels() {
            let (title, description) = (text(panel, "/title"), text(panel, "/description"));
            assert!(titles.insert(title), "{}: {title} twice", dashboard.slug);
            assert!(
                description.len() > 20 && description.ends_with(['.', '?']),
                "{}: {title}",
                dashboard.slug
            );
            for target in list(panel, "/targets") {
                assert!(target.get("hide").is_none(), "{}: {title}", dashboard.slug);
                // A constant in the place of what is missing would always return a series.
                assert!(!text(target, "/expr").contains("vector("), "{}: {title}", dashboard.slug);
            }
        }
    }
}

#[test]
fn the_datasources_of_the_stack_are_chosen_when_we_publish_them() {
    let dashboards = all(&full("dev"));
    let explorer = dashboards.iter().find(|it| it.slug == "trace-explorer").unwrap();
    let chosen: Vec<_> = list(&explorer.model, "/templating/list")
        .iter()
        .filter(|variable| variable["type"] == "datasource")
        .map(|variable| text(variable, "/current/value"))
        .collect();
    assert_eq!(chosen, ["mimir-dev", "tempo-dev"]);
    let silent = all(&valid(&small_with("")));
    assert!(silent.iter().all(|it| it.model.pointer("/templating/list/0/current/value").is_none()));
}

#[test]
fn dashboard_linter_finds_nothing() {
    let Some(linter) = env::var_os("OBSTACK_DASHBOARD_LINTER").map(PathBuf::from) else {
        return println!("not run: dashboard-linter (OBSTACK_DASHBOARD_LINTER is not set)");
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboards");
    fs::create_dir_all(&folder).unwrap();
    let exceptions = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/dashboard-linter.yaml");
    for (number, dashboard) in every().iter().enumerate() {
        let file = folder.join(format!("{number}-{}.json", dashboard.slug));
        fs::write(&file, serde_json::to_string_pretty(&dashboard.model).unwrap()).unwrap();
        let output =
            Command::new(&linter).args(["lint", "--strict", "--config"]).arg(&exceptions).arg(&file).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let found: Vec<_> = said.lines().filter(|line| line.contains("Dashboard '")).collect();
        assert!(output.status.success(), "{}:\n{}", file.display(), found.join("\n"));
    }
}
