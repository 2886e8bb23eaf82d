//! The operator itself, and all stacks at a glance.

use serde_json::Value;

use super::{
    About, Of,
    model::Board,
    panel::Panel,
    query::{Query, increase, quantile, rate},
};

pub(super) const ABOUT: About = About {
    slug: "obstack-operator",
    title: "Operator of stacks",
    purpose: "Whether the operator works, how fast, what it writes, and which stacks need a look.",
    of: Of::Every,
    needs: "`/metrics` of the operator, scraped with `honorLabels: true`",
};

pub(super) fn model() -> Value {
    Board::of_the_operator(&ABOUT)
        .panel(6, 4, leaders())
        .panel(6, 4, not_ready())
        .panel(6, 4, not_available())
        .panel(6, 4, waiting())
        .part("Stacks")
        .panel(24, 8, ready())
        .part("Work")
        .panel(8, 8, reconciles())
        .panel(8, 8, latency())
        .panel(8, 8, writes())
        .panel(8, 8, requests())
        .panel(8, 8, events())
        .panel(8, 8, drift())
        .part("What it depends on")
        .panel(8, 8, renders())
        .panel(8, 8, render_latency())
        .panel(8, 8, probes())
        .model()
}

/// Stacks whose condition is not True. An operator that stands by has no series about stacks.
fn stacks(condition: &str) -> String {
    format!(r#"count(max by (namespace, name) (obstack_condition{{type="{condition}",status="True"}}) == 0)"#)
}

fn leaders() -> Panel {
    let description =
        "Operators that lead. It must be 1: at 0 nothing is repaired, though stacks go on to serve.";
    Panel::number("Leaders", "none", description)
        .query(Query::range("sum(obstack_leader{})", ""))
        .mapped(&[(0, "0", "red"), (1, "1", "green")])
        .when_empty("none is scraped")
}

fn not_ready() -> Panel {
    let description =
        "Stacks whose condition Ready is not True. `kubectl get obstack -A` names the first cause of each.";
    Panel::number("Stacks not ready", "none", description)
        .query(Query::range(stacks("Ready"), ""))
        .when_empty("0")
        .above(&[(1.0, "yellow")])
}

fn not_available() -> Panel {
    let description =
        "Stacks that do not serve: a component has no pod that could answer. Look at these first.";
    Panel::number("Stacks that do not serve", "none", description)
        .query(Query::range(stacks("Available"), ""))
        .when_empty("0")
        .above(&[(1.0, "red")])
}

fn waiting() -> Panel {
    let description = "Stacks that wait for a reconcile. Above ten for minutes: the API server, an object store or a render is slow.";
    Panel::number("Waiting", "none", description)
        .query(Query::range("max(obstack_reconcile_queue_depth{})", ""))
        .above(&[(10.0, "yellow")])
}

fn ready() -> Panel {
    let description = "The condition Ready of every stack over time. Many at once: a node, an object store or the operator. One alone: its own dashboard says more.";
    let of = |status: &str| {
        format!(r#"max by (namespace, name) (obstack_condition{{type="Ready",status="{status}"}})"#)
    };
    let expr = format!("{} - {}", of("True"), of("Unknown"));
    Panel::states(
        "Ready",
        description,
        &[(1, "True", "green"), (0, "False", "red"), (-1, "Unknown", "yellow")],
    )
    .query(Query::range(expr, "{{namespace}}/{{name}}"))
}

fn reconciles() -> Panel {
    let description =
        "Reconciles in a second, by result. A steady stream of errors: read the operator's log.";
    Panel::lines("Reconciles", "ops", description)
        .query(Query::range(rate("result", "obstack_reconcile_total", ""), "{{result}}"))
}

fn latency() -> Panel {
    let description = "99 of 100 reconciles were faster. Above ten seconds: a slow API server, object store or chart repository.";
    Panel::lines("Reconcile duration, p99", "s", description)
        .query(Query::range(quantile("0.99", "", "obstack_reconcile_duration_seconds", ""), "p99"))
}

fn writes() -> Panel {
    let description = "Writes that changed an object, by kind. Flat at zero while nobody changes anything; a line that does not end is a fight.";
    Panel::lines("Writes", "ops", description)
        .query(Query::range(rate("verb, kind", "obstack_writes_total", ""), "{{verb}} {{kind}}"))
        .when_empty("none")
}

fn requests() -> Panel {
    let description = "Requests to the API server, by code. 403: a right is missing. 429 and 5xx, or no code: the API server is overloaded or away.";
    Panel::lines("API requests", "reqps", description)
        .query(Query::range(rate("verb, code", "obstack_api_requests_total", ""), "{{verb}} {{code}}"))
}

fn events() -> Panel {
    let description = "Events that watches delivered, by kind. They cause reconciles: a kind that is busy for no reason costs.";
    Panel::lines("Watch events", "ops", description)
        .query(Query::range(rate("kind", "obstack_watch_events_total", ""), "{{kind}}"))
}

fn drift() -> Panel {
    let description = "Objects set back because somebody else changed them, by who did. See the condition DriftFree of the stack.";
    Panel::lines("Drift repaired", "none", description)
        .query(Query::range(
            increase("manager, kind", "obstack_drift_repaired_total", ""),
            "{{manager}} {{kind}}",
        ))
        .when_empty("none")
}

fn renders() -> Panel {
    let description = "Charts asked for: rendered by helm, or cached. Renders without a change of a stack: the cache folder is emptied too often.";
    Panel::lines("Renders", "ops", description)
        .query(Query::range(rate("result", "obstack_renders_total", ""), "{{result}}"))
}

fn render_latency() -> Panel {
    let description =
        "99 of 100 charts were rendered faster. Above some seconds: the pod has too little CPU.";
    Panel::lines("Render duration, p99", "s", description)
        .query(Query::range(quantile("0.99", "", "obstack_render_duration_seconds", ""), "p99"))
        .when_empty("none")
}

fn probes() -> Panel {
    let description = "Probes of buckets by put, get and delete. Failures: the condition StorageReady of the stack says which door and why.";
    Panel::lines("Bucket probes", "ops", description)
        .query(Query::range(rate("result", "obstack_bucket_probe_total", ""), "{{result}}"))
}
