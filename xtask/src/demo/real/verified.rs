//! Looking on until what the canary wrote came back.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::contents::Stack;
use crate::demo::place::Place;
use crate::error::Error;
use crate::interrupt;

const CONDITION: &str = "DataPathVerified";
const POLL: Duration = Duration::from_millis(500);

/// Prints the condition of each stack as it changes, until it is true of all or the time is up.
pub fn wait(place: &Place, stacks: &[&Stack], began: Instant, limit: Duration) -> Result<bool, Error> {
    let end = Instant::now() + limit;
    let mut last = Vec::new();
    println!("Waiting until what the canary writes comes back.");
    loop {
        let found = place.list(&["observabilitystacks.obstack.dev", "--all-namespaces"])?;
        let of = |stack: &&Stack| {
            let same = |one: &&Value| text(one, "/metadata/namespace") == stack.namespace;
            found.iter().find(same).and_then(condition).unwrap_or_default()
        };
        let now: Vec<[String; 3]> = stacks.iter().map(of).collect();
        if now != last {
            for (stack, [status, reason, message]) in stacks.iter().zip(&now) {
                let seconds = began.elapsed().as_secs();
                println!("{seconds:>4}s  {} {CONDITION}={status} {reason}\n       {message}", stack.name);
            }
            last = now;
        }
        if last.iter().all(|[status, _, _]| status == "True") {
            return Ok(true);
        }
        if Instant::now() >= end {
            println!("\nNot verified {} s later.", limit.as_secs());
            return Ok(false);
        }
        interrupt::sleep(POLL)?;
    }
}

/// Status, reason and message; none while it speaks of an earlier spec.
fn condition(stack: &Value) -> Option<[String; 3]> {
    let conditions = stack.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|one| text(one, "/type") == CONDITION)?;
    let current = found.get("observedGeneration") == stack.pointer("/metadata/generation");
    current.then(|| ["/status", "/reason", "/message"].map(|path| text(found, path).to_owned()))
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_of_an_earlier_spec_counts_for_nothing() {
        let stack = |observed: i64| {
            json!({
                "metadata": {"generation": 2},
                "status": {"conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": CONDITION, "status": "True", "reason": "Why", "message": "m", "observedGeneration": observed},
                ]},
            })
        };
        assert_eq!(condition(&stack(2)), Some(["True", "Why", "m"].map(str::to_owned)));
        assert_eq!(condition(&stack(1)), None);
        assert_eq!(condition(&json!({})), None);
    }
}
