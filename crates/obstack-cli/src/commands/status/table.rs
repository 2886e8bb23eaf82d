//! Stacks as rows of a table.

use obstack_api::{ConditionStatus, ConditionType, ObservabilityStack};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    age,
    cluster::key_of,
    sight,
    table::{Cell, Table},
    terminal::{Terminal, Tone},
    told::{self, Verdict},
};

/// What one line says of a stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Name of the environment.
    pub environment: String,
    /// Status of Ready for the spec as it is; `Unknown` while the operator has not seen that.
    pub ready: &'static str,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Generation that the operator has seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The operator leaves it as it is.
    pub suspended: bool,
    /// Ready components of all.
    pub components: String,
    /// How the quotas stand.
    pub quota: String,
    /// How the policy stands on live pods.
    pub policy: String,
    /// What runs.
    pub versions: String,
    /// Whether telemetry came back; empty where nobody asks.
    pub data_path: String,
    /// Seconds since the stack was made.
    pub age_seconds: i64,
}

impl Row {
    /// What one line says of a stack.
    pub fn of(stack: &ObservabilityStack, now: i64) -> Self {
        let key = key_of(stack);
        let verdict = Verdict::of(stack);
        let status = told::status(stack);
        let summary = status.summary.unwrap_or_default();
        let data_path = told::condition(stack, ConditionType::DataPathVerified);
        Self {
            namespace: key.namespace,
            name: key.name,
            environment: stack.spec.environment.clone(),
            ready: told::word(verdict.ready),
            reason: verdict.reason,
            message: verdict.message,
            generation: stack.metadata.generation.unwrap_or(0),
            observed_generation: status.observed_generation,
            suspended: stack.spec.suspend,
            components: summary.components_ready,
            quota: summary.quota,
            policy: summary.policy,
            versions: summary.versions,
            data_path: data_path.map(|said| told::word(said.status).to_owned()).unwrap_or_default(),
            age_seconds: sight::age(stack, now),
        }
    }
}

/// Longest message of a line, in characters; `-o wide` and one stack alone have all of it.
const MESSAGE: usize = 96;

fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default().trim_end()),
        None => message,
    }
}

const HEAD: &[&str] =
    &["NAMESPACE", "NAME", "ENV", "READY", "REASON", "COMPONENTS", "QUOTA", "AGE", "MESSAGE"];
const WIDE: &[&str] = &[
    "NAMESPACE",
    "NAME",
    "ENV",
    "READY",
    "REASON",
    "COMPONENTS",
    "DATAPATH",
    "QUOTA",
    "POLICY",
    "VERSIONS",
    "AGE",
    "MESSAGE",
];

/// Stacks as a table.
pub fn table(stacks: &[ObservabilityStack], now: i64, wide: bool, terminal: &Terminal) -> String {
    let mut table = Table::new(if wide { WIDE } else { HEAD });
    for stack in stacks {
        let row = Row::of(stack, now);
        let ready = Verdict::of(stack).ready;
        let mut cells: Vec<Cell> = vec![
            row.namespace.into(),
            row.name.into(),
            row.environment.into(),
            Cell::new(told::tone_of(ready), row.ready),
            row.reason.into(),
            row.components.into(),
        ];
        if wide {
            cells.extend([row.data_path.into(), row.quota.into(), row.policy.into(), row.versions.into()]);
        } else {
            cells.push(row.quota.into());
        }
        cells.push(age::short(row.age_seconds).into());
        // A line is read across; of what is ready there is little to read.
        let tone = if ready == ConditionStatus::True { Tone::Dim } else { Tone::Plain };
        cells.push(Cell::new(tone, if wide { row.message } else { shortened(row.message) }));
        table.row(cells);
    }
    table.text(terminal, 0)
}
