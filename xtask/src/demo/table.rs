//! The stacks as a table.

use std::time::{Duration, SystemTime};

use serde_json::Value;

/// What the table shows of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Namespace of the stack.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its environment.
    pub environment: String,
    /// Status of the condition Ready.
    pub ready: String,
    /// Reason of the condition Ready.
    pub reason: String,
    /// Ready components of all.
    pub components: String,
    /// Message of the condition Ready.
    pub message: String,
    /// Whether the status speaks of the spec that is there.
    pub current: bool,
}

impl Row {
    /// What is shown of an object of the API server.
    pub fn of(stack: &Value) -> Self {
        let text = |path: &str| stack.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = stack.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions
            .and_then(|all| all.iter().find(|one| one.get("type").is_some_and(|kind| kind == "Ready")));
        let of = |field: &str| {
            ready.and_then(|ready| ready.get(field)).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let observed = ready.and_then(|ready| ready.get("observedGeneration"));
        Self {
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
            environment: text("/spec/environment"),
            ready: of("status"),
            reason: of("reason"),
            components: text("/status/summary/componentsReady"),
            message: of("message"),
            current: observed.is_some() && observed == stack.pointer("/metadata/generation"),
        }
    }

    /// Ready, and not only an earlier spec of it.
    pub fn is_ready(&self) -> bool {
        self.ready == "True" && self.current
    }

    /// What holds it, in one line.
    pub fn cause(&self) -> String {
        format!("{}/{}: {}: {}", self.namespace, self.name, self.reason, self.message)
    }

    fn cells(&self, age: Duration) -> [String; 7] {
        let or_none = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
        [
            self.namespace.clone(),
            self.name.clone(),
            self.environment.clone(),
            or_none(&self.ready),
            or_none(&self.reason),
            or_none(&self.components),
            format!("{}s", age.as_secs()),
        ]
    }
}

/// The table, and under each line that is not ready what holds it.
pub fn lines(rows: &[Row], since: SystemTime) -> Vec<String> {
    let age = since.elapsed().unwrap_or_default();
    let titles = ["NAMESPACE", "NAME", "ENV", "READY", "REASON", "COMPONENTS", "AGE"].map(str::to_owned);
    let cells: Vec<[String; 7]> =
        std::iter::once(titles).chain(rows.iter().map(|row| row.cells(age))).collect();
    let mut aligned = align(&cells).into_iter();
    let mut lines: Vec<String> = aligned.next().into_iter().collect();
    for (line, row) in aligned.zip(rows) {
        lines.push(line);
        if !row.is_ready() && !row.message.is_empty() {
            lines.push(format!("  {}", row.message));
        }
    }
    lines
}

/// Cells in columns, two spaces between them.
pub fn align<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stack(ready: &str, observed: i64) -> Value {
        json!({
            "metadata": {"namespace": "a", "name": "dts-dev", "generation": 2},
            "spec": {"environment": "dev"},
            "status": {
                "summary": {"componentsReady": "8/9"},
                "conditions": [
                    {"type": "Stalled", "status": "False"},
                    {"type": "Ready", "status": ready, "reason": "Why", "message": "because", "observedGeneration": observed},
                ],
            },
        })
    }

    #[test]
    fn a_status_of_an_earlier_spec_is_not_ready() {
        assert!(Row::of(&stack("True", 2)).is_ready());
        assert!(!Row::of(&stack("True", 1)).is_ready());
        assert!(!Row::of(&stack("False", 2)).is_ready());
        assert!(!Row::of(&json!({})).is_ready());
    }

    #[test]
    fn the_cause_stands_below_what_is_not_ready() {
        let rows = [Row::of(&stack("True", 2)), Row::of(&stack("False", 2))];
        assert_eq!(
            lines(&rows, SystemTime::now()),
            [
                "NAMESPACE  NAME     ENV  READY  REASON  COMPONENTS  AGE",
                "a          dts-dev  dev  True   Why     8/9         0s",
                "a          dts-dev  dev  False  Why     8/9         0s",
                "  because",
            ]
        );
    }
}
