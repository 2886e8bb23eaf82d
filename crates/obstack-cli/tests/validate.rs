//! `obstack validate` as it is called: what it prints, and how it ends.

#![cfg(test)]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/samples");

/// A stack without a fault.
fn stack() -> String {
    fs::read_to_string(format!("{SAMPLES}/dev.yaml")).unwrap()
}

/// What a run printed: stdout, then stderr, then how it ended.
struct Run {
    out: String,
    error: String,
    code: i32,
}

impl Run {
    fn all(&self) -> String {
        format!("{}--- stderr\n{}--- exit {}\n", self.out, self.error, self.code)
    }
}

/// Runs the command in a folder with these files. `-` is what stdin holds.
fn run(files: &[(&str, &[u8])], args: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut stdin: &[u8] = &[];
    for (name, content) in files {
        if *name == "-" {
            stdin = content;
            continue;
        }
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    command(folder.path(), args, stdin)
}

fn command(folder: &Path, args: &[&str], stdin: &[u8]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-obstack"));
    command.args(args).current_dir(folder).env("COLUMNS", "110").env("NO_COLOR", "1");
    // A kubeconfig that leads nowhere: nothing here may ask for a cluster.
    command.env("KUBECONFIG", "/nowhere").env_remove("OBSTACK_CONTEXT").env_remove("OBSTACK_CHART_SOURCE");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read closes it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { out: text(output.stdout), error: text(output.stderr), code: output.status.code().unwrap() }
}

/// The sample with one replacement.
fn edited(from: &str, to: &str) -> String {
    let stack = stack();
    assert!(stack.contains(from), "{from}");
    stack.replacen(from, to, 1)
}

/// The sample with what people get wrong.
fn faulty() -> String {
    stack()
        .replacen("components:\n      singleBinary", "componets:\n      singleBinary", 1)
        .replacen("preflight: Enforce", "preflight: enforce", 1)
        .replacen("replicationFactor: 1", "replicationFactor: '1'", 1)
        .replacen("    buckets: {prefix: dts}", "    buckets: {}", 1)
}

#[test]
fn the_samples_are_valid() {
    let run = command(Path::new(SAMPLES), &["validate", "-f", "."], b"");
    insta::assert_snapshot!(run.all());
}

#[test]
fn faults_of_the_schema_have_their_line() {
    insta::assert_snapshot!(run(&[("dev.yaml", faulty().as_bytes())], &["validate", "-f", "dev.yaml"]).all());
}

#[test]
fn faults_of_rules_have_their_line() {
    let second = edited("name: dts-dev", "name: other")
        .replace("limits: {memory: 2Gi}", "limits: {memory: 2Gi, cpu: 1}")
        .replacen("metrics:\n    replicationFactor: 1", "metrics:\n    replicationFactor: 3", 1)
        .replacen("prefix: dts", "prefix: other", 1)
        .replacen("queryScheduler: {replicas: 1", "queryScheduler: {replicas: 0", 1);
    let both = format!("{}---\n{second}", stack());
    insta::assert_snapshot!(run(&[("dev.yaml", both.as_bytes())], &["validate", "-f", "dev.yaml"]).all());
}

#[test]
fn a_program_gets_every_fault_with_its_place() {
    let run = run(&[("-", faulty().as_bytes())], &["validate", "-f", "-", "-o", "json"]);
    assert_eq!((run.code, run.error.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let fault = &report["stacks"][0]["faults"][2];
    assert_eq!(fault["pointer"], "/spec/traces/componets", "{report:#}");
    assert_eq!(fault["fix"], "did you mean components?");
    insta::assert_snapshot!(run.out);
}

#[test]
fn a_list_is_taken_apart() {
    let stack = edited("limits: {memory: 4Gi}", "limits: {cpu: 1, memory: 4Gi}");
    let lines: Vec<_> = stack.lines().filter(|line| !line.starts_with('#')).collect();
    let indented = lines.join("\n    ");
    let list = format!("apiVersion: v1\nkind: List\nitems:\n  -\n    {indented}\n");
    insta::assert_snapshot!(run(&[("list.yaml", list.as_bytes())], &["validate", "-f", "list.yaml"]).all());
}

#[test]
fn json_is_read_too() {
    let json = "{\n\t\"apiVersion\": \"obstack.dev/v1alpha1\",\n\t\"kind\": \"ObservabilityStack\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n";
    insta::assert_snapshot!(run(&[("a.json", json.as_bytes())], &["validate", "-f", "a.json"]).all());
}

#[test]
fn another_kind_is_an_error_unless_it_may_be_skipped() {
    let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n---\n{}", stack());
    let files: &[(&str, &[u8])] = &[("all.yaml", text.as_bytes())];
    insta::assert_snapshot!("another_kind", run(files, &["validate", "-f", "all.yaml"]).all());
    let skipped = run(files, &["validate", "-f", "all.yaml", "--skip-others"]);
    insta::assert_snapshot!("another_kind_skipped", skipped.all());
}

#[test]
fn a_misspelt_kind_or_version_is_never_skipped() {
    for (from, to, words) in [
        ("kind: ObservabilityStack", "kind: ObservabilityStak", "did you mean kind: ObservabilityStack?"),
        ("v1alpha1", "v1beta1", "its apiVersion is obstack.dev/v1beta1"),
    ] {
        let text = edited(from, to);
        let run = run(&[("a.yaml", text.as_bytes())], &["validate", "-f", "a.yaml", "--skip-others"]);
        assert!(run.code == 1 && run.out.contains(words), "{}", run.all());
    }
}

#[test]
fn what_is_no_manifest_is_an_error() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("empty.yaml", b"", "there is nothing to read"),
        ("comment.yaml", b"# nothing\n---\n", "there is nothing to read"),
        ("binary.yaml", b"\xff\xfe\x00\x01", "a manifest is text in UTF-8"),
        ("control.yaml", b"a: \x01\n", "control.yaml:1:4 error: a manifest is not YAML"),
        ("syntax.yaml", b"a: 1\nb: [1,\n", "syntax.yaml:2:4 error: a manifest is not YAML: unclosed bracket"),
        (
            "twice.yaml",
            b"a: 1\nb: 2\na: 3\n",
            "twice.yaml:3:1 error: a manifest is not YAML: duplicate mapping key: a\n",
        ),
        ("tab.yaml", b"a:\n\tb: 1\n", "fix: indent with spaces"),
        (
            "alias.yaml",
            b"a: *gone\n",
            "alias.yaml:1:4 error: a manifest is not YAML: alias references unknown anchor\n",
        ),
        ("text.yaml", b"just text\n", "it is no map of fields"),
        ("kind.yaml", b"a: 1\n", "it has no kind"),
    ];
    for (name, content, words) in cases {
        let run = run(&[(name, content)], &["validate", "-f", name]);
        assert!(run.code == 1 && run.all().contains(words), "{name}: {}", run.all());
    }
    let missing = run(&[], &["validate", "-f", "gone.yaml"]);
    assert!(missing.code == 1 && missing.error.contains("gone.yaml"), "{}", missing.all());
    let folder = run(&[("folder/readme.txt", b"")], &["validate", "-f", "folder"]);
    assert!(folder.code == 1 && folder.error.contains("holds no manifest"), "{}", folder.all());
}

#[test]
fn one_file_that_is_not_yaml_hides_no_other() {
    let stack = stack();
    let files: &[(&str, &[u8])] = &[("a.yaml", b"a: b: c\n"), ("b.yaml", stack.as_bytes())];
    insta::assert_snapshot!(run(files, &["validate", "-f", "a.yaml", "-f", "b.yaml"]).all());
}

#[test]
fn render_refuses_with_the_same_words() {
    let text = faulty();
    let run = run(&[("dev.yaml", text.as_bytes())], &["render", "-f", "dev.yaml", "--offline"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    insta::assert_snapshot!(run.error);
}

#[test]
fn what_is_stored_decides_about_changes() {
    let (old, new) = (stack(), edited("environment: dev", "environment: prod"));
    let files: &[(&str, &[u8])] = &[("old.yaml", old.as_bytes()), ("new.yaml", new.as_bytes())];
    assert_eq!(run(files, &["validate", "-f", "new.yaml"]).code, 0);
    let run = run(files, &["validate", "-f", "new.yaml", "--old", "old.yaml"]);
    assert!(
        run.code == 1 && run.out.contains("new.yaml:9:3 error: spec.environment: environment is immutable"),
        "{}",
        run.all()
    );
}

#[test]
fn the_proposals_fields_that_are_not_there_are_named() {
    let text = edited("endpoint:", "seaweedfs: {api: S3}\n    endpoint:");
    let run = run(&[("dev.yaml", text.as_bytes())], &["validate", "-f", "dev.yaml"]);
    assert!(
        run.code == 1 && run.out.contains("unknown field \"spec.objectStorage.seaweedfs\""),
        "{}",
        run.all()
    );
}

#[test]
fn folders_within_a_folder_are_read_when_asked_for_and_told_of_otherwise() {
    let manifest = stack();
    let files: &[(&str, &[u8])] =
        &[("all/dev/dev.yaml", manifest.as_bytes()), ("all/notes/text.txt", b"nothing to read")];
    let flat = run(files, &["validate", "-f", "all"]);
    assert_eq!(flat.code, 1);
    assert!(flat.error.contains("its folders were not read") && flat.error.contains("-R"), "{}", flat.error);
    let deep = run(files, &["validate", "-f", "all", "-R"]);
    assert_eq!(deep.code, 0, "{}", deep.error);
    assert!(deep.out.starts_with("all/dev/dev.yaml: ca7f8f-dev/dts-dev valid\n"), "{}", deep.out);
}

#[test]
fn stacks_of_one_stream_are_told_apart_by_their_namespaces() {
    let bare = edited("  namespace: ca7f8f-dev\n", "");
    let all = format!("{}\n---\n{bare}", stack());
    let out = run(&[("-", all.as_bytes())], &["validate", "-f", "-"]).out;
    assert!(out.starts_with("-: ca7f8f-dev/dts-dev valid\n-: dts-dev valid\n"), "{out}");
}
