//! A rendered text means to us what it means to Kubernetes.

use serde_json::{Value, json};

use super::{chart, helm_for_tests};
use crate::charts::manifest::{Unreadable, objects};
use crate::charts::{RenderRequest, Renderer};

fn object(fields: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{fields}")
}

/// Scalars as a chart may write them, unquoted and quoted. No number beyond 2^53: helm's own `toJson` rounds it.
const SCALARS: &[&str] = &[
    "true",
    "false",
    "True",
    "yes",
    "no",
    "on",
    "off",
    "On",
    "OFF",
    "y",
    "n",
    "Y",
    "null",
    "~",
    "Null",
    "0",
    "12",
    "-3",
    "+4",
    "0x10",
    "0644",
    "0420",
    "-0644",
    "012",
    "08",
    "0o17",
    "0b11",
    "1_000",
    "1e3",
    "1e+06",
    "1E3",
    "1.5",
    "1.0",
    "0.5",
    ".5",
    "5.",
    "1e-3",
    "-1.5e3",
    "1.20",
    "1.2.3",
    "500m",
    "1Gi",
    "10s",
    "1:30",
    "190:20:30",
    "2026-01-02",
    "'on'",
    "\"yes\"",
    "'0644'",
    "\"12\"",
    "'null'",
    "''",
    "\"true\"",
    "!!str 12",
    "a b",
    "a: b",
    "[on, 0644, 1e3]",
    "{a: yes, b: ~}",
    "=",
    "<",
    "-",
    ".",
    "0x",
    "1e",
    "Infinity",
    "1,000",
];

#[tokio::test]
async fn a_scalar_means_what_it_means_to_kubernetes() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    // helm's `fromYaml` is the library that the API server's clients read with.
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\nitems:\n{{- range .Values.texts }}\n- {{ fromYaml . | toJson | quote }}\n{{- end }}\n";
    let chart = chart(folder.path(), "", template).await;
    let texts: Vec<String> = SCALARS.iter().map(|scalar| format!("v: {scalar}")).collect();
    let values = json!({ "texts": texts });
    let request = RenderRequest {
        chart: &chart,
        release: "dev",
        namespace: "ns",
        values: &values,
        kube_version: "1.36.3",
        api_versions: &[],
    };
    let rendered = Renderer::new(helm, folder.path()).render(&request).await.unwrap();
    let mut differ = Vec::new();
    for (scalar, theirs) in SCALARS.iter().zip(rendered[0]["items"].as_array().unwrap()) {
        let theirs: Value = serde_json::from_str(theirs.as_str().unwrap()).unwrap();
        let ours = objects(&object(&format!("v: {scalar}\n"))).map(|objects| objects[0]["v"].clone());
        // What they cannot read, we may read or not.
        if theirs.get("Error").is_none() && ours.as_ref().ok() != Some(&theirs["v"]) {
            differ.push(format!("{scalar}: theirs {}, ours {ours:?}", theirs["v"]));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn lists_are_flattened_and_empty_documents_dropped() {
    let list = "---\n\n---\n# only a comment\n---\n{}\n---\nnull\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: one}}\n- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: A, metadata: {name: two}}]}\n";
    let names: Vec<_> = objects(&format!("{list}---\n{}", object("")))
        .unwrap()
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["one", "two", "a"]);
}

#[test]
fn numbers_stay_numbers_and_whole_ones_stay_whole() {
    let object = &objects(&object("data: {a: 0.5, b: 2, c: 1e+06, d: 2.0, e: \"2\"}\n")).unwrap()[0];
    assert_eq!(object["data"].to_string(), r#"{"a":0.5,"b":2,"c":1000000,"d":2,"e":"2"}"#);
}

#[test]
fn the_later_of_two_equal_keys_wins_as_in_kubernetes() {
    assert_eq!(objects(&object("data: {a: 1}\ndata: {b: 2}\n")).unwrap()[0]["data"], json!({"b": 2}));
}

#[test]
fn a_large_whole_number_is_exact() {
    let object = &objects(&object("v: [9223372036854775807, 18446744073709551615]\n")).unwrap()[0];
    assert_eq!(object["v"].to_string(), "[9223372036854775807,18446744073709551615]");
}

#[test]
fn nesting_is_read_to_the_limit() {
    let nested = |depth: usize| object(&format!("data: {}{}\n", "[".repeat(depth), "]".repeat(depth)));
    assert!(objects(&nested(40)).is_ok());
    assert!(objects(&nested(60)).is_err());
}

#[test]
fn a_bomb_is_an_error() {
    let deep = object(&format!("data: {}{}\n", "[".repeat(300), "]".repeat(300)));
    let block = (0..300).map(|n| format!("{}a:", " ".repeat(n))).collect::<Vec<_>>().join("\n");
    let aliases = object("data: {a: &a [1, 2], b: [*a, *a]}\n");
    let many = "---\na: b\n".repeat(2000);
    for bomb in [deep, block, aliases, many] {
        assert!(matches!(objects(&bomb), Err(Unreadable::NotYaml(_))), "{}", &bomb[..60]);
    }
}

#[test]
fn a_message_about_broken_text_shows_nothing_of_it() {
    let Err(Unreadable::NotYaml(text)) = objects(&object("data:\n  password: \"hunter2\n  x: [\n")) else {
        panic!()
    };
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn an_object_has_a_version_a_kind_and_a_name() {
    for (text, index) in [
        ("[1]", 0),
        ("kind: A\nmetadata: {name: a}", 0),
        ("apiVersion: v1\nmetadata: {name: a}", 0),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: a}", 0),
        ("apiVersion: v1\nkind: List", 0),
    ] {
        let Err(Unreadable::NotAnObject { index: found, .. }) = objects(text) else { panic!("{text}") };
        assert_eq!(found, index);
    }
    let text = format!("{}---\n--- # empty\n---\n{}---\nkind: A\n", object(""), object(""));
    assert!(matches!(objects(&text), Err(Unreadable::NotAnObject { index: 2, .. })));
}
