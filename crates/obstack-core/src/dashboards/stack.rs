//! What the operator says of the stack, over time, and how the operator itself is.

use serde_json::Value;

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, Source, increase, quantile, rate},
};
use crate::valid::ValidStack;

pub(super) const ABOUT: About = About {
    slug: "stack-overview",
    title: "Stack overview",
    purpose: "Start here: what the operator says of the stack, whether data goes in and comes back, and whether the operator works.",
    of: Of::Every,
    needs: "`/metrics` of the operator, scraped with `honorLabels: true`",
};

/// What a condition's status is drawn as.
const GOOD: &[(i8, &str, &str)] = &[(1, "True", "green"), (0, "False", "red"), (-1, "Unknown", "yellow")];
/// The same for conditions that are better False.
const BAD: &[(i8, &str, &str)] = &[(1, "True", "orange"), (0, "False", "green"), (-1, "Unknown", "yellow")];

pub(super) fn model(stack: &ValidStack) -> Value {
    let this = format!(r#"namespace="{}",name="{}""#, stack.key.namespace, stack.key.name);
    let this = this.as_str();
    let board = Board::new(stack, &ABOUT, &[Source::Prometheus])
        .panel(6, 4, ready(this))
        .panel(6, 4, missing(this))
        .panel(6, 4, violations(this));
    let board = match &stack.canary {
        Some(canary) => board.panel(6, 4, last_success(this, canary.interval.as_secs_f64())),
        None => board,
    };
    let board = board
        .part("Conditions")
        .panel(24, 12, conditions(this))
        .panel(24, 5, halts(this))
        .part("Components and data path")
        .panel(8, 9, components(this));
    let board = if stack.canary.is_some() {
        board.panel(8, 9, canary(this)).panel(8, 9, canary_failures(this))
    } else {
        board
    };
    board
        .part("The operator")
        .panel(6, 8, leader())
        .panel(6, 8, reconciles())
        .panel(6, 8, reconcile_latency())
        .panel(6, 8, drift())
        .model()
}

/// 1 for True, 0 for False, -1 for Unknown. An operator that stands by has no series about stacks.
fn status(selector: &str) -> String {
    format!(
        r#"max by (type) (obstack_condition{{{selector},status="True"}}) - max by (type) (obstack_condition{{{selector},status="Unknown"}})"#
    )
}

fn ready(this: &str) -> Panel {
    let description = "The condition Ready. When it is not True: `kubectl describe obstack` names the first cause and what to do.";
    Panel::number("Ready", "none", description)
        .query(Query::range(status(&format!(r#"{this},type="Ready""#)), ""))
        .mapped(GOOD)
}

fn missing(this: &str) -> Panel {
    let description = "Pods that are wanted and not ready. The graph below names the component.";
    let expr = format!(
        r#"sum(obstack_component_replicas{{{this},state="desired"}}) - sum(obstack_component_replicas{{{this},state="ready"}})"#
    );
    Panel::number("Pods missing", "none", description)
        .query(Query::range(expr, ""))
        .above(&[(1.0, "yellow"), (3.0, "red")])
}

/// The condition turns after three misses.
fn last_success(this: &str, interval: f64) -> Panel {
    let description = "Since what the canary wrote last came back by query, for the signal that is worst. Red: three rounds failed, and the condition DataPathVerified says where.";
    let expr = format!("time() - min(obstack_canary_last_success_timestamp_seconds{{{this}}})");
    Panel::number("Since last round trip", "s", description)
        .query(Query::range(expr, ""))
        .when_empty("never")
        .above(&[(2.0 * interval, "yellow"), (4.0 * interval, "red")])
}

fn violations(this: &str) -> Panel {
    let description = "Containers of live pods that break the resource policy. The condition PolicyCompliant names them and who changed them.";
    let expr = format!("sum(obstack_policy_violations{{{this}}})");
    Panel::number("Policy violations", "none", description)
        .query(Query::range(expr, ""))
        .when_empty("0")
        .above(&[(1.0, "red")])
}

fn conditions(this: &str) -> Panel {
    let description = "Every condition over time. What turned red first is the likely cause of what follows. Empty: the operator does not run or is not scraped.";
    let selector = format!(r#"{this},type!~"Reconciling|Stalled""#);
    Panel::states("Conditions", description, GOOD).query(Query::range(status(&selector), "{{type}}"))
}

fn halts(this: &str) -> Panel {
    let description = "Reconciling: work goes on. Stalled: nothing goes on until a person acts.";
    let selector = format!(r#"{this},type=~"Reconciling|Stalled""#);
    Panel::states("Work and halts", description, BAD).query(Query::range(status(&selector), "{{type}}"))
}

fn components(this: &str) -> Panel {
    let description = "Ready pods against wanted ones. Below 100% longer than a rollout: `status.components` names the first cause.";
    let of =
        |state: &str| format!(r#"sum by (component) (obstack_component_replicas{{{this},state="{state}"}})"#);
    let expr = format!("{} / ({} > 0)", of("ready"), of("desired"));
    Panel::lines("Ready pods", "percentunit", description).query(Query::range(expr, "{{component}}"))
}

fn canary(this: &str) -> Panel {
    let description = "From the canary's write to its answer by query. A steady rise comes before timeouts: see the dashboards of the backends.";
    let expr = format!("max by (signal) (obstack_canary_latency_seconds{{{this}}})");
    Panel::lines("Round trip", "s", description).query(Query::range(expr, "{{signal}}"))
}

fn canary_failures(this: &str) -> Panel {
    let description = "Rounds of the canary that failed. WriteFailed: the doors. ReadBackTimeout: the query path. ObjectNotSeen: the object store.";
    Panel::lines("Failed round trips", "none", description)
        .query(Query::range(
            increase("signal, reason", "obstack_canary_failures_total", this),
            "{{signal}} {{reason}}",
        ))
        .when_empty("none")
}

fn leader() -> Panel {
    let description =
        "Operators that lead. It must be 1: at 0 nothing is repaired, though the stack goes on to serve.";
    Panel::lines("Leaders", "none", description).query(Query::range("sum(obstack_leader{})", "leaders"))
}

fn reconciles() -> Panel {
    let description = "Reconciles of all stacks in a second, by result, and those that wait. A steady stream of errors: read the operator's log.";
    Panel::lines("Reconciles", "ops", description)
        .query(Query::range(rate("result", "obstack_reconcile_total", ""), "{{result}}"))
        .query(Query::range("max(obstack_reconcile_queue_depth{})", "waiting"))
        .property("waiting", "unit", "none")
}

fn reconcile_latency() -> Panel {
    let description = "99 of 100 reconciles were faster. Above ten seconds: a slow API server, object store or chart repository.";
    let expr = quantile("0.99", "", "obstack_reconcile_duration_seconds", "");
    Panel::lines("Reconcile duration, p99", "s", description).query(Query::range(expr, "p99"))
}

fn drift() -> Panel {
    let description = "Objects set back because somebody else changed them, by who did. A line that does not end is a fight: see the condition DriftFree.";
    Panel::lines("Drift repaired", "none", description)
        .query(Query::range(increase("manager", "obstack_drift_repaired_total", ""), "{{manager}}"))
        .when_empty("none")
}
