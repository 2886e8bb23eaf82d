//! The table of seconds: printed, and kept in the file that `OBSTACK_CAUSES_TABLE` names.

use std::{
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What is not injected here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("DeadlineExceeded", "it takes fifteen minutes; in the tests of the diagnosis"),
    ("RingUnhealthy", "simulated pods have no rings; in the tests of the rings"),
    ("QuorumLost", "simulated pods have no rings; in the tests of the rings"),
];

/// How long a cause took.
#[derive(Clone, Debug)]
pub struct Row {
    /// The tests' part that it belongs to, and its place there: the order of the table.
    pub place: (&'static str, usize),
    /// The cause.
    pub name: &'static str,
    /// How it was injected.
    pub how: String,
    /// The API server tells of it at once.
    pub at_once: bool,
    /// Until the stack named it; `None` when it did not.
    pub named: Option<Duration>,
    /// Until the stack was ready again; `None` when it was not.
    pub healed: Option<Duration>,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Adds a row. What is there so far is written each time: a later cause may fail.
pub fn add(row: Row) {
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    rows.push(row);
    rows.sort_by_key(|row| row.place);
    if let Some(file) = std::env::var_os("OBSTACK_CAUSES_TABLE") {
        std::fs::write(&file, render(&rows)).expect("write the table of causes");
    }
}

/// The rows of one part of the tests.
pub fn of(part: &str) -> String {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let own: Vec<_> = rows.iter().filter(|row| row.place.0 == part).cloned().collect();
    lines(&own)
}

fn lines(rows: &[Row]) -> String {
    let seconds =
        |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f32()));
    let mut text = String::new();
    for row in rows {
        let (named, healed) = (seconds(row.named), seconds(row.healed));
        // Writing to a text does not fail.
        let _ = writeln!(text, "{:<24} | {:<68} | {named:>5} | {healed:>6}", row.name, row.how);
    }
    text
}

fn render(rows: &[Row]) -> String {
    let mut text = format!("{:<24} | {:<68} | named | healed\n", "cause", "injected how");
    text.push_str(&lines(rows));
    for (name, why) in NOT_RUN {
        let _ = writeln!(text, "{name:<24} | not run here: {why}");
    }
    for (at_once, which) in [
        (true, "that the API server tells of at once"),
        (false, "that a probe each 2 s or the node controller finds"),
    ] {
        let mut named: Vec<_> =
            rows.iter().filter(|row| row.at_once == at_once).filter_map(|row| row.named).collect();
        named.sort_unstable();
        if let (Some(middle), Some(most)) = (named.get(named.len() / 2), named.last()) {
            let (middle, most) = (middle.as_secs_f32(), most.as_secs_f32());
            let count = named.len();
            let _ = writeln!(text, "named: p50 {middle:.1} s, max {most:.1} s over {count} causes {which}");
        }
    }
    text
}
