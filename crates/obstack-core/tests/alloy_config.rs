//! The configuration of Alloy: what it says, that it is of Alloy's grammar whatever the stack is called, and that Alloy
//! has every component and argument in it.

#![cfg(test)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use obstack_core::collectors::{CONFIG, MODULE};
use obstack_core::design::design;
use proptest::prelude::*;

const CONFIG_ONLY: &str = "spec: {collectors: {alloy: {mode: ConfigMapOnly}}}";
const MANAGED: &str = "spec: {collectors: {alloy: {mode: Managed}}}";

/// The files of a stack's configuration.
fn files(overlay: &str) -> BTreeMap<String, String> {
    let map = design(&common::valid(&common::small_with(overlay))).design.alloy_config.unwrap();
    serde_json::from_value(map["data"].clone()).unwrap()
}

fn config(overlay: &str) -> String {
    files(overlay).remove(CONFIG).unwrap()
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/alloy").join(name)
}

/// What is written, and the file that holds it.
fn snapshots() -> Vec<(PathBuf, String)> {
    let mut dev = files(CONFIG_ONLY);
    vec![
        (testdata("config.alloy"), dev.remove(CONFIG).unwrap()),
        (testdata("module.alloy"), dev.remove(MODULE).unwrap()),
        (testdata("managed.alloy"), config(MANAGED)),
    ]
}

#[test]
fn i1_the_configuration_is_as_it_was_reviewed() {
    for (path, text) in snapshots() {
        let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == reviewed, "{} is not what is written now:\n{text}", path.display());
    }
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/collect-with-alloy.md");
    std::fs::read_to_string(page).unwrap()
}

#[test]
fn the_page_shows_what_is_written() {
    assert!(
        page().contains(&config(CONFIG_ONLY)),
        "docs/how-to/collect-with-alloy.md shows another configuration"
    );
}

/// A line of a configuration as it is written here: one statement a line.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Nothing,
    Open { name: &'a str },
    Empty { name: &'a str },
    Close,
    Set { name: &'a str },
}

/// What a line is, or `None` when it is of no form that Alloy's grammar has.
fn read(line: &str) -> Option<Line<'_>> {
    let text = line.trim_start_matches('\t');
    if text.is_empty() || text.starts_with("// ") || text == "//" {
        return Some(Line::Nothing);
    }
    if text == "}" {
        return Some(Line::Close);
    }
    if let Some(head) = text.strip_suffix(" { }") {
        return Some(Line::Empty { name: block(head)? });
    }
    if let Some(head) = text.strip_suffix(" {") {
        return Some(Line::Open { name: block(head)? });
    }
    let (name, value) = text.split_once(" = ")?;
    let name = name.trim_end();
    (is_identifier(name) && is_value(value)).then_some(Line::Set { name })
}

/// The name in `name` or `name "label"`.
fn block(head: &str) -> Option<&str> {
    let (name, label) = head.split_once(' ').map_or((head, None), |(name, label)| (name, Some(label)));
    let labelled = label.is_none_or(|label| {
        label.strip_prefix('"').and_then(|label| label.strip_suffix('"')).is_some_and(is_identifier)
    });
    (name.split('.').all(is_identifier) && labelled).then_some(name)
}

fn is_identifier(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_value(text: &str) -> bool {
    let export = |text: &str| text.contains('.') && text.split('.').all(is_identifier);
    let list = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let literal = serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| !value.is_array());
    literal || export(text) || list.is_some_and(|list| list.split(", ").all(export))
}

/// Every argument, by the names of the blocks that it stands in; a block alone has an argument without a name.
fn vocabulary(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = Vec::new();
    for line in text.lines() {
        match read(line).unwrap_or_else(|| panic!("no line of Alloy's: {line}")) {
            Line::Nothing => {}
            Line::Close => _ = open.pop().expect("a block that was opened"),
            Line::Open { name } => {
                open.push(name);
                found.insert((open.join(" "), String::new()));
            }
            Line::Empty { name } => _ = found.insert((name.to_owned(), String::new())),
            Line::Set { name } => _ = found.insert((open.join(" "), name.to_owned())),
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed");
    found
}

/// `testdata/alloy/vocabulary-v1.18.1.tsv` was held against the reference and the source of that version.
#[test]
fn alloy_has_every_component_and_argument() {
    let path = testdata("vocabulary-v1.18.1.tsv");
    let text = std::fs::read_to_string(&path).unwrap();
    let known: BTreeSet<(String, String)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .map(|(component, argument)| (component.to_owned(), argument.to_owned()))
        .collect();
    let mut used: BTreeSet<(String, String)> =
        snapshots().iter().flat_map(|(_, text)| vocabulary(text)).collect();
    // The name of an environment's own component is nobody's but ours.
    used.retain(|(component, _)| component != "obstack_dev");
    let inside = |(component, argument): &(String, String)| {
        (component.strip_prefix("declare ").unwrap_or(component).to_owned(), argument.clone())
    };
    let used: BTreeSet<_> = used.iter().map(inside).collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unknown.is_empty() && unused.is_empty(), "not in {path:?}: {unknown:?}; not used: {unused:?}");
}

#[test]
fn what_is_not_of_the_grammar_is_found() {
    for line in ["a { x = 1 }", "a \"b-c\" {", "x = \"a", "# comment", "a-b = 1", "x = [a.b,c]", "x = 1;"] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn each_signal_goes_to_the_backend_that_the_stack_has() {
    let both = config(CONFIG_ONLY);
    assert!(both.contains(r#"endpoint = "dts-dev-tempo.ca7f8f-dev.svc:4317""#));
    assert!(both.contains(r#"url = "http://dts-dev-mimir-distributor.ca7f8f-dev.svc:8080/api/v1/push""#));
    assert!(both.contains("send_exemplars = true"));
    let distributed = "spec: {traces: {mode: Distributed}, collectors: {alloy: {mode: ConfigMapOnly}}}";
    assert!(config(distributed).contains(r#"endpoint = "dts-dev-tempo-distributor.ca7f8f-dev.svc:4317""#));
    let traces = config("spec: {metrics: null, collectors: {alloy: {mode: ConfigMapOnly}}}");
    assert!(
        !traces.contains("prometheus.") && !traces.contains("metrics = ") && traces.contains("traces = ")
    );
    let metrics = config("spec: {collectors: {alloy: {mode: ConfigMapOnly, otlp: {signals: [Metrics]}}}}");
    assert!(
        !metrics.contains("exporter.otlp")
            && !metrics.contains("traces = ")
            && metrics.contains("metrics = ")
    );
    for text in [both, traces, metrics] {
        let sets = |name: &str| {
            text.lines().any(|line| matches!(read(line), Some(Line::Set { name: found }) if found == name))
        };
        assert!(!sets("logs") && !text.contains("X-Scope-OrgID"), "{text}");
    }
}

#[test]
fn environments_share_an_alloy_without_sharing_a_name_or_a_port() {
    let of = |environment: &str, grpc: u16| {
        config(&format!(
            "spec: {{environment: {environment}, collectors: {{alloy: {{mode: ConfigMapOnly, otlp: {{grpcPort: {grpc}, httpPort: {}}}}}}}}}",
            grpc + 1
        ))
    };
    let heads = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| line.ends_with('{') && !line.starts_with('\t'))
            .map(str::to_owned)
            .collect()
    };
    let (dev, test) = (of("dev", 4317), of("test-2", 4327));
    assert!(heads(&dev).is_disjoint(&heads(&test)), "{dev}\n{test}");
    assert!(heads(&test).contains("otelcol.receiver.otlp \"obstack_test_2\" {"));
    assert!(
        test.contains("\"0.0.0.0:4327\"")
            && test.contains("\"0.0.0.0:4328\"")
            && !test.contains(":4317\"\n\n\t\tkeep")
    );
}

#[test]
fn the_module_takes_no_telemetry_by_itself() {
    let module = files(CONFIG_ONLY).remove(MODULE).unwrap();
    let outside: Vec<_> =
        module.lines().filter(|line| line.ends_with('{') && !line.starts_with('\t')).collect();
    assert_eq!(
        outside,
        ["declare \"obstack_dev\" {"],
        "an import takes nothing but declare and import blocks"
    );
}

#[test]
fn the_bound_on_memory_follows_the_request() {
    for (request, bound) in [("512Mi", "1024MiB"), ("1Gi", "2048MiB"), ("64Mi", "256MiB"), ("300M", "573MiB")]
    {
        let text = config(&format!(
            "spec: {{collectors: {{alloy: {{mode: Managed, components: {{alloy: {{resources: {{requests: {{memory: {request}}}}}}}}}}}}}}}"
        ));
        assert!(text.contains(&format!("limit          = \"{bound}\"")), "{request}: {text}");
    }
}

proptest! {
    #[test]
    fn every_stack_has_a_configuration_of_alloys_grammar(
        environment in "[a-z0-9]([-a-z0-9]{0,14}[a-z0-9])?",
        namespace in "[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?",
        port in 1024_u16..65000,
        mode in prop::sample::select(&["ConfigMapOnly", "Managed"][..]),
    ) {
        let files = files(&format!(
            "metadata: {{namespace: '{namespace}'}}\nspec: {{environment: '{environment}', collectors: {{alloy: {{mode: {mode}, \
             otlp: {{grpcPort: {}, httpPort: {}}}}}}}}}",
            if port == 12345 { 12346 } else { port },
            if port == 12344 { 12347 } else { port + 1 },
        ));
        for text in files.values() {
            vocabulary(text);
        }
    }
}

/// Runs a program on these texts, each in a file of its own, in a folder for this use.
fn on_files(name: &str, texts: &[String], run: impl Fn(&[PathBuf]) -> Output) {
    let folder = env::temp_dir().join(format!("obstack-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |(index, text): (usize, &String)| {
        let path = folder.join(format!("{index}.alloy"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<_> = texts.iter().enumerate().map(write).collect();
    let output = run(&paths);
    std::fs::remove_dir_all(&folder).unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Configurations of every shape.
fn every_shape() -> Vec<String> {
    let overlays = [
        CONFIG_ONLY,
        MANAGED,
        "spec: {environment: 0-a, collectors: {alloy: {mode: ConfigMapOnly, otlp: {signals: [Traces]}}}}",
        "spec: {traces: {mode: Distributed}, collectors: {alloy: {mode: Managed, otlp: {signals: [Metrics]}}}}",
    ];
    overlays.iter().flat_map(|overlay| files(overlay).into_values()).collect()
}

/// Configurations that the page shows.
fn shown() -> Vec<String> {
    let page = page();
    let blocks = page.split("```alloy\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let blocks: Vec<_> = blocks.map(|(block, _)| block.to_owned()).collect();
    assert!(blocks.len() > 2, "{blocks:?}");
    blocks
}

#[test]
fn alloys_own_parser_and_printer_take_it_as_it_is() {
    let Some(tool) = env::var_os("OBSTACK_ALLOY_SYNTAX") else {
        println!("not run: OBSTACK_ALLOY_SYNTAX names no program (cargo xtask test builds it)");
        return;
    };
    let texts = [every_shape(), shown()].concat();
    on_files("alloy-syntax", &texts, |paths| Command::new(&tool).args(paths).output().unwrap());
}

#[test]
fn alloy_itself_validates_it() {
    let Some(alloy) = env::var_os("OBSTACK_ALLOY") else {
        println!("not run: OBSTACK_ALLOY names no Alloy");
        return;
    };
    for text in every_shape() {
        for arguments in [&["fmt", "--test"][..], &["validate"]] {
            on_files("alloy", std::slice::from_ref(&text), |paths| {
                Command::new(&alloy).args(arguments).args(paths).output().unwrap()
            });
        }
    }
}
