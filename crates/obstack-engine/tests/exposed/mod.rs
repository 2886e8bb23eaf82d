//! What real components expose, from the lists in `exposed-metrics`, and samples of it as a scrape would bring them.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

/// Seconds between two scrapes.
const STEP: u64 = 15;
/// Scrapes that have been.
const SCRAPES: u64 = 21;

/// A series, or all buckets of one.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// Bounds of the buckets, in ascending order.
    bounds: Vec<String>,
}

/// Each list, and the labels that a scrape of a pod of the dev sample adds to it. Every pod of Mimir gets all that one
/// process exposes.
const LISTS: [(&str, &[(&str, &str)]); 7] = [
    ("metrics-generator-2.10.8", &[]),
    ("tempo-2.10.8", &[("namespace", "ca7f8f-dev"), ("pod", "dts-dev-tempo-0"), ("container", "tempo")]),
    (
        "mimir-3.0.5",
        &[("namespace", "ca7f8f-dev"), ("pod", "dts-dev-mimir-ingester-0"), ("container", "ingester")],
    ),
    (
        "mimir-3.0.5",
        &[
            ("namespace", "ca7f8f-dev"),
            ("pod", "dts-dev-mimir-query-frontend-5b8c9589fc-kmfg6"),
            ("container", "query-frontend"),
        ],
    ),
    ("kubelet-1.36", &[("job", "kubelet")]),
    ("kube-state-metrics-2.20", &[("job", "kube-state-metrics")]),
    ("obstack", &[("job", "obstack")]),
];

/// The series of every list.
pub fn all() -> Vec<Series> {
    LISTS.into_iter().flat_map(|(list, target)| read(list, target)).collect()
}

/// The series of the operator.
pub fn ours() -> Vec<Series> {
    read("obstack", &[])
}

fn read(list: &str, target: &[(&str, &str)]) -> Vec<Series> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/exposed-metrics/{list}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter(|line| !line.starts_with('#')).map(|line| Series::read(line, target)).collect()
}

impl Series {
    fn read(line: &str, target: &[(&str, &str)]) -> Self {
        let (name, labels) = line.split_once('{').unwrap_or((line, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
        let mut labels: BTreeMap<String, String> = pairs
            .map(|pair| pair.split_once("=\"").unwrap())
            .map(|(label, value)| (label.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect();
        labels.extend(target.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())));
        let bounds = labels.remove("le").unwrap_or_default();
        let mut bounds: Vec<_> = bounds.split_whitespace().map(str::to_owned).collect();
        let number = |bound: &String| bound.parse::<f64>().unwrap();
        bounds.sort_by(|one, two| number(one).total_cmp(&number(two)));
        Self { name: name.to_owned(), labels, bounds }
    }

    /// The samples of all scrapes until a second, as an OTLP metric. What counts, grows; a timestamp is a minute old.
    pub fn otlp(&self, now: u64) -> Value {
        let bounds: Vec<_> = if self.bounds.is_empty() {
            vec![None]
        } else {
            self.bounds.iter().map(|bound| Some(bound.as_str())).collect()
        };
        let points: Vec<_> = (1_u64..)
            .zip(bounds)
            .flat_map(|(factor, bound)| (1..=SCRAPES).map(move |scrape| (factor * scrape, bound, scrape)))
            .map(|(value, bound, scrape)| {
                let time = now - (SCRAPES - scrape) * STEP;
                let value = if self.name.ends_with("_timestamp_seconds") { time - 60 } else { value };
                json!({
                    "attributes": self.attributes(bound), "timeUnixNano": format!("{time}000000000"), "asInt": value.to_string(),
                })
            })
            .collect();
        json!({"name": self.name, "gauge": {"dataPoints": points}})
    }

    fn attributes(&self, bound: Option<&str>) -> Vec<Value> {
        let labels = self.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
        let labels = labels.chain(bound.map(|bound| ("le", bound)));
        // What begins so is no label for OTLP.
        let labels = labels.filter(|(label, _)| !label.starts_with("__"));
        labels.map(|(label, value)| json!({"key": label, "value": {"stringValue": value}})).collect()
    }
}
