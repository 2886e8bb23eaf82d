//! The parts of a status beside conditions and components.

use obstack_api::{BucketState, ConditionType, Endpoints, QuotaAmounts, Severity, StackStatus};

use crate::{
    terminal::Tone,
    tree::{Node, pad, widest},
};

/// Lines that a list shows at most.
const LISTED: usize = 10;

/// The parts that the status has.
pub fn of(status: &StackStatus) -> Vec<Node> {
    let parts = [
        tolerance(status),
        buckets(status),
        datasources(status),
        status.endpoints.as_ref().and_then(endpoints),
        versions(status),
        quota(status),
        policy(status),
        advisories(status),
    ];
    parts.into_iter().flatten().collect()
}

fn tolerance(status: &StackStatus) -> Option<Node> {
    let said = status.conditions.iter().find(|said| said.type_ == ConditionType::FaultTolerant)?;
    let tone = crate::told::tone(said);
    Some(Node::new(Tone::Strong, "Loss of a pod").and(tone, &*said.reason).says(Tone::Plain, &said.message))
}

fn buckets(status: &StackStatus) -> Option<Node> {
    let mut node = Node::new(Tone::Strong, "Buckets");
    let storage = status.conditions.iter().find(|said| said.type_ == ConditionType::StorageReady);
    // Most often all have the same fault, and the condition has said it.
    let said = storage.map(|said| said.message.as_str()).unwrap_or_default();
    let width = widest(status.buckets.iter().map(|bucket| bucket.name.as_str()));
    let purpose = widest(status.buckets.iter().map(|bucket| bucket.purpose.as_str()));
    node.extend(status.buckets.iter().map(|bucket| {
        let (tone, word) = match bucket.state {
            BucketState::Ready => (Tone::Good, "Ready"),
            BucketState::Failed => (Tone::Bad, "Failed"),
            BucketState::Unknown => (Tone::Warn, "Unknown"),
        };
        Node::new(Tone::Plain, pad(&bucket.name, width))
            .and(Tone::Dim, pad(&bucket.purpose, purpose))
            .and(tone, word)
            .says(
                Tone::Plain,
                bucket.message.as_deref().filter(|message| !said.contains(message)).unwrap_or_default(),
            )
    }));
    (!node.is_bare()).then_some(node)
}

fn datasources(status: &StackStatus) -> Option<Node> {
    let mut node = Node::new(Tone::Strong, "Datasources");
    let width = widest(status.datasources.iter().map(|datasource| datasource.name.as_str()));
    let line = |datasource: &obstack_api::DatasourceStatus| {
        Node::new(Tone::Plain, pad(&datasource.name, width)).says(Tone::Dim, &datasource.url)
    };
    node.extend(status.datasources.iter().map(line));
    (!node.is_bare()).then_some(node)
}

fn endpoints(endpoints: &Endpoints) -> Option<Node> {
    let all = [
        ("traces, OTLP/gRPC", &endpoints.traces_otlp_grpc),
        ("traces, OTLP/HTTP", &endpoints.traces_otlp_http),
        ("traces, query", &endpoints.traces_query),
        ("metrics, remote write", &endpoints.metrics_remote_write),
        ("metrics, OTLP/HTTP", &endpoints.metrics_otlp_http),
        ("metrics, query", &endpoints.metrics_query),
        ("collector, OTLP/gRPC", &endpoints.collector_otlp_grpc),
        ("collector, OTLP/HTTP", &endpoints.collector_otlp_http),
    ];
    let given: Vec<_> = all.into_iter().filter_map(|(what, at)| Some((what, at.as_ref()?))).collect();
    let width = widest(given.iter().map(|(what, _)| *what));
    let mut node = Node::new(Tone::Strong, "Endpoints");
    node.extend(given.iter().map(|(what, at)| Node::new(Tone::Plain, pad(what, width)).says(Tone::Dim, *at)));
    (!node.is_bare()).then_some(node)
}

fn versions(status: &StackStatus) -> Option<Node> {
    let charts = status.charts.iter().map(|chart| {
        let source = format!("{:?}", chart.source).to_lowercase();
        format!("{} {} (chart {}, {source})", chart.name, chart.app_version, chart.version)
    });
    let charts: Vec<_> = charts.collect();
    (!charts.is_empty()).then(|| Node::new(Tone::Strong, "Versions").says(Tone::Plain, charts.join(", ")))
}

fn amounts(amounts: &QuotaAmounts) -> String {
    let all = [("cpu", &amounts.cpu), ("memory", &amounts.memory), ("storage", &amounts.storage)];
    let given = all.into_iter().filter_map(|(what, amount)| Some(format!("{what} {}", amount.as_ref()?)));
    given.collect::<Vec<_>>().join(", ")
}

fn quota(status: &StackStatus) -> Option<Node> {
    let words = status.summary.as_ref().map(|summary| summary.quota.clone()).unwrap_or_default();
    let quota = status.quota.clone().unwrap_or_default();
    let mut node = Node::new(Tone::Strong, "Quota").says(Tone::Plain, &words);
    let lines = [
        ("needs", Some(&quota.required)),
        ("used", quota.used.as_ref()),
        ("allowed", quota.hard.as_ref()),
        ("missing", quota.shortfall.as_ref()),
        ("ask for", quota.suggested_hard.as_ref().filter(|_| quota.shortfall.is_some())),
    ];
    let said = lines.into_iter().filter_map(|(what, of)| Some((what, amounts(of?))));
    node.extend(said.filter(|(_, text)| !text.is_empty()).map(|(what, text)| {
        let tone = if what == "missing" { Tone::Bad } else { Tone::Dim };
        Node::new(tone, pad(what, 7)).says(Tone::Plain, text)
    }));
    node.extend(quota.blockers.iter().take(LISTED).map(|blocker| {
        let says = format!("{}: {} needed, {} free", blocker.resource, blocker.needs, blocker.free);
        Node::new(Tone::Bad, &*blocker.quota).says(Tone::Plain, says)
    }));
    (!node.is_bare() || !words.is_empty()).then_some(node)
}

fn policy(status: &StackStatus) -> Option<Node> {
    let words =
        status.summary.as_ref().map(|summary| summary.policy.clone()).filter(|words| !words.is_empty())?;
    let mut node = Node::new(Tone::Strong, "Policy").says(Tone::Plain, words);
    let violations = status.policy.iter().flat_map(|policy| &policy.violations).take(LISTED);
    node.extend(violations.map(|found| {
        let who = format!("{} container {}", found.component, found.container);
        Node::new(Tone::Bad, who).says(Tone::Plain, &found.message)
    }));
    Some(node)
}

fn advisories(status: &StackStatus) -> Option<Node> {
    let mut node = Node::new(Tone::Strong, "Advice");
    node.extend(status.advisories.iter().map(|advisory| {
        let tone = if advisory.severity == Severity::Warning { Tone::Warn } else { Tone::Dim };
        let says = format!("{}. Fix: {}", advisory.message.trim_end_matches('.'), advisory.fix);
        Node::new(tone, &*advisory.code).says(Tone::Plain, says)
    }));
    (!node.is_bare()).then_some(node)
}
