//! Capacity as people read it, and as they paste it into a request.

use std::fmt::Write;

use super::report::{Amounts, Capacity, Line, Part, Row};
use crate::{
    table::{Cell, Table, wrap},
    terminal::{Terminal, Tone},
};

const NONE: &str = "-";

/// The tables for a terminal. `wide` adds the resources of quotas that nobody asks for more of.
pub fn text(capacity: &Capacity, terminal: &Terminal, wide: bool) -> String {
    let mut text = String::new();
    for part in &capacity.stacks {
        let title = format!("{} ({})", part.stack, part.environment);
        put(
            &mut text,
            &format!("{}  {}", terminal.paint(Tone::Strong, &title), terminal.paint(Tone::Dim, &part.runs)),
        );
        let mut table = Table::new(&["COMPONENT", "PODS", "CPU", "MEMORY", "STORAGE"]);
        for row in &part.components {
            table.row(cells(&row.name, &row.amounts, &storage(row), Tone::Plain));
        }
        table.row(cells("total", &part.total, &part.total.storage, Tone::Strong));
        text.push_str(&table.text(terminal, 2));
        verdict(&mut text, part, terminal);
        text.push('\n');
    }
    if capacity.stacks.len() > 1 {
        let mut table = Table::new(&["STACK", "PODS", "CPU", "MEMORY", "STORAGE"]);
        for part in &capacity.stacks {
            table.row(cells(&part.stack, &part.total, &part.total.storage, Tone::Plain));
        }
        table.row(cells("total", &capacity.total, &capacity.total.storage, Tone::Strong));
        text.push_str(&table.text(terminal, 0));
        text.push('\n');
    }
    let lines: Vec<_> =
        capacity.quotas.iter().filter(|line| wide || line.is_of_three() || line.missing.is_some()).collect();
    if lines.is_empty() {
        put(&mut text, "no quota was looked at: ask a cluster, or give --quotas FILE");
    } else {
        let head = [
            "NAMESPACE",
            "QUOTA",
            "RESOURCE",
            "ALLOWED",
            "USED",
            "FREE",
            "NEEDED",
            "RESERVED",
            "MISSING",
            "ASK FOR",
        ];
        let mut table = Table::new(&head);
        for line in lines {
            // What fits needs no request: of a quota that does, nothing is asked for.
            let short = |other: &Line| {
                other.missing.is_some() && (&other.namespace, &other.quota) == (&line.namespace, &line.quota)
            };
            table.row(quota_cells(line, capacity.quotas.iter().any(short)));
        }
        text.push_str(&table.text(terminal, 0));
    }
    for unknown in &capacity.unknown {
        put(&mut text, &format!("{} {unknown}", terminal.paint(Tone::Dim, "unknown:")));
    }
    text
}

fn verdict(text: &mut String, part: &Part, terminal: &Terminal) {
    use obstack_api::ConditionStatus::{False, True, Unknown};
    let (tone, word) = match part.fits {
        None => return,
        Some(True) => (Tone::Good, "fits:"),
        Some(False) => (Tone::Bad, "does not fit:"),
        Some(Unknown) => (Tone::Warn, "unknown:"),
    };
    for (number, words) in
        wrap(&part.message, terminal.width.saturating_sub(word.len() + 4)).iter().enumerate()
    {
        let lead = if number == 0 { terminal.paint(tone, word) } else { " ".repeat(word.len()) };
        put(text, &format!("  {lead} {words}"));
    }
}

fn cells(name: &str, amounts: &Amounts, storage: &str, tone: Tone) -> [Cell; 5] {
    let Amounts { pods, cpu, memory, .. } = amounts;
    [name, &pods.to_string(), cpu, memory, storage].map(|text| Cell::new(tone, text))
}

/// `6Gi (2Gi x3)`.
fn storage(row: &Row) -> String {
    match (row.claim.as_str(), row.amounts.pods) {
        ("", _) => NONE.to_owned(),
        (_, 1) => row.amounts.storage.clone(),
        (claim, pods) => format!("{} ({claim} x{pods})", row.amounts.storage),
    }
}

fn quota_cells(line: &Line, asks: bool) -> [Cell; 10] {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
    let missing = or_none(&line.missing);
    let tone = if line.missing.is_some() { Tone::Bad } else { Tone::Plain };
    let ask = if line.ask_for == line.hard || !asks { NONE.to_owned() } else { line.ask_for.clone() };
    [
        line.namespace.clone().into(),
        line.quota.clone().into(),
        line.resource.clone().into(),
        line.hard.clone().into(),
        or_none(&line.used).into(),
        line.free.clone().into(),
        line.needed.clone().into(),
        line.reserved.clone().into(),
        Cell::new(tone, missing),
        ask.into(),
    ]
}

/// The tables and the request, ready to paste.
pub fn markdown(capacity: &Capacity) -> String {
    let mut text = String::from("## What is free\n\n");
    available(&mut text, capacity);
    put(&mut text, "\n## What is needed\n");
    put(
        &mut text,
        "| Environment | Pods | CPU requests | Memory requests | Volumes |\n|---|---|---|---|---|",
    );
    for part in &capacity.stacks {
        let Amounts { pods, cpu, memory, storage } = &part.total;
        put(
            &mut text,
            &format!("| {} ({}) | {pods} | {cpu} | {memory} | {storage} |", part.environment, part.runs),
        );
    }
    for part in &capacity.stacks {
        put(&mut text, &format!("\n### {}\n", part.stack));
        put(
            &mut text,
            "| Component | Replicas | CPU requests | Memory requests | Volumes |\n|---|---|---|---|---|",
        );
        for row in &part.components {
            let Amounts { pods, cpu, memory, .. } = &row.amounts;
            put(&mut text, &format!("| {} | {pods} | {cpu} | {memory} | {} |", row.name, storage(row)));
        }
        let Amounts { pods, cpu, memory, storage } = &part.total;
        put(&mut text, &format!("| **Total** | **{pods}** | **{cpu}** | **{memory}** | **{storage}** |"));
    }
    request(&mut text, capacity);
    text
}

fn available(text: &mut String, capacity: &Capacity) {
    let three = |line: &&Line| line.is_of_three();
    if !capacity.quotas.iter().any(|line| three(&line)) {
        put(text, "No quota was looked at.");
        return;
    }
    put(text, "| Namespace | Quota | CPU free | Memory free | Storage free |\n|---|---|---|---|---|");
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for line in capacity.quotas.iter().filter(three) {
        let at = (line.namespace.as_str(), line.quota.as_str());
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        let free = |resource: &str| {
            let of = |line: &&Line| (line.namespace.as_str(), line.quota.as_str()) == at;
            let named = |line: &&Line| line.resource.trim_start_matches("requests.") == resource;
            let mut lines = capacity.quotas.iter().filter(of);
            lines.find(named).map_or(NONE, |line| line.free.as_str()).to_owned()
        };
        put(
            text,
            &format!("| {} | {} | {} | {} | {} |", at.0, at.1, free("cpu"), free("memory"), free("storage")),
        );
    }
}

/// The request for more, for each namespace that something is missing in.
fn request(text: &mut String, capacity: &Capacity) {
    let short: Vec<_> = capacity.quotas.iter().filter(|line| line.missing.is_some()).collect();
    let mut places: Vec<(&str, &str)> =
        short.iter().map(|line| (line.namespace.as_str(), line.quota.as_str())).collect();
    places.dedup();
    if places.is_empty() {
        if !capacity.quotas.is_empty() {
            put(text, "\n## Request\n\nNone: everything fits into what is free.");
        }
        return;
    }
    for (namespace, quota) in places {
        put(text, &format!("\n## Request: more quota for {namespace} (ResourceQuota {quota})\n"));
        put(
            text,
            "| Resource | Quota today | Used | Needed now | Reserved | Total | Requested | Headroom |\n\
             |---|---|---|---|---|---|---|---|",
        );
        let of = |line: &&Line| line.namespace == namespace && line.quota == quota;
        let asked: Vec<_> = capacity
            .quotas
            .iter()
            .filter(of)
            .filter(|line| line.is_of_three() || line.missing.is_some())
            .collect();
        for line in &asked {
            let Line { resource, hard, needed, reserved, required, ask_for, headroom_percent, .. } = line;
            let used = line.used.as_deref().unwrap_or(NONE);
            put(
                text,
                &format!(
                    "| {resource} | {hard} | {used} | {needed} | {reserved} | {required} | **{ask_for}** | {headroom_percent}% |"
                ),
            );
        }
        let raised: Vec<_> = asked
            .iter()
            .filter(|line| line.ask_for != line.hard)
            .map(|line| format!("{} {} -> {}", line.resource, line.hard, line.ask_for))
            .collect();
        put(text, &format!("\nRequested increase: {}.", raised.join(", ")));
        put(
            text,
            "\nCPU limits are not set on purpose: a container that reaches its limit is throttled within each 100 ms, \
             also on an idle node. Memory limits stand on ingesters and store-gateways only.",
        );
    }
}

fn put(text: &mut String, line: &str) {
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "{}", line.trim_end_matches(' '));
}
