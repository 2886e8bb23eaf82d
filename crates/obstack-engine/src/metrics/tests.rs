//! The laws of the metrics.

use prometheus_client::encoding::text::encode;

use super::*;

fn scrape(fill: impl FnOnce(&Metrics)) -> String {
    let mut registry = Registry::default();
    fill(&Metrics::new(&mut registry));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

fn everything(metrics: &Metrics) {
    metrics.record_reconcile("ok", Duration::from_millis(30));
    metrics.set_queue_depth(2);
    metrics.record_write("apply", "StatefulSet");
    metrics.record_api_request("patch", Some(200));
    metrics.record_drift_repaired("Service", "kubectl");
    metrics.set_conditions("dev", "obs", &[("Ready", "True")]);
    metrics.set_component_replicas("dev", "obs", &[("metrics.ingester", 3, 2)]);
    metrics.set_policy_violations("dev", "obs", &[("NoCPULimit", "LimitRange", 3)]);
    metrics.set_leader(true);
    metrics.record_render(Duration::from_millis(80));
    metrics.record_bucket_probe("ok");
    metrics.record_watch_event("Pod");
    let (took, at) = (Duration::from_millis(300), Duration::from_hours(500_000));
    metrics.record_canary_success("dev", "obs", "traces", took, at);
    metrics.record_canary_failure("dev", "obs", "metrics", "WriteFailed");
}

#[test]
fn every_metric_of_the_list_is_scraped_under_its_name_with_its_labels() {
    let text = scrape(everything);
    for Metric { name, kind, labels, .. } in METRICS {
        let sample = if kind == Kind::Histogram { format!("{name}_count") } else { name.to_owned() };
        let line = text
            .lines()
            .find(|line| line.strip_prefix(&sample).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let line = line.unwrap_or_else(|| panic!("{sample} is missing in\n{text}"));
        assert!(labels.iter().all(|label| line.contains(&format!("{label}=\""))), "{line}");
    }
}

#[test]
fn every_family_that_is_scraped_is_in_the_list() {
    let text = scrape(everything);
    let families: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(families.len(), METRICS.len());
    for family in families {
        assert!(
            METRICS.iter().any(|m| m.name.strip_suffix("_total").unwrap_or(m.name) == family),
            "{family}"
        );
    }
}

#[test]
fn a_condition_is_one_for_the_status_that_holds_and_zero_for_the_others() {
    let text = scrape(|metrics| {
        metrics.set_conditions("dev", "obs", &[("Ready", "True")]);
        metrics.set_conditions("dev", "obs", &[("Ready", "False")]);
    });
    let value = |status| {
        format!("obstack_condition{{namespace=\"dev\",name=\"obs\",type=\"Ready\",status=\"{status}\"}}")
    };
    assert!(text.contains(&format!("{} 0\n", value("True"))), "{text}");
    assert!(text.contains(&format!("{} 1\n", value("False"))), "{text}");
    assert!(text.contains(&format!("{} 0\n", value("Unknown"))), "{text}");
}

#[test]
fn a_stack_that_is_gone_leaves_no_series_and_other_stacks_keep_theirs() {
    let text = scrape(|metrics| {
        for stack in ["gone", "kept"] {
            metrics.set_conditions("dev", stack, &[("Ready", "True")]);
            metrics.set_component_replicas("dev", stack, &[("metrics.ingester", 3, 3)]);
            metrics.set_policy_violations("dev", stack, &[("Requests", "Webhook", 1)]);
            metrics.record_canary_success("dev", stack, "traces", Duration::ZERO, Duration::ZERO);
            metrics.record_canary_failure("dev", stack, "traces", "ObjectNotSeen");
        }
        metrics.forget_stack("dev", "gone");
    });
    assert!(!text.contains("gone") && text.contains("kept"), "{text}");
}

#[test]
fn a_component_that_is_gone_leaves_no_series() {
    let text = scrape(|metrics| {
        metrics.set_component_replicas("dev", "obs", &[("metrics.ingester", 3, 3), ("traces.querier", 1, 1)]);
        metrics.set_component_replicas("dev", "obs", &[("metrics.ingester", 3, 3)]);
    });
    assert!(!text.contains("traces.querier") && text.contains("metrics.ingester"), "{text}");
}

#[test]
fn a_violation_that_is_mended_leaves_no_series() {
    let text = scrape(|metrics| {
        metrics.set_policy_violations(
            "dev",
            "obs",
            &[("NoCPULimit", "LimitRange", 3), ("Requests", "Webhook", 1)],
        );
        metrics.set_policy_violations("dev", "obs", &[("Requests", "Webhook", 2)]);
    });
    let series =
        "obstack_policy_violations{namespace=\"dev\",name=\"obs\",rule=\"Requests\",origin=\"Webhook\"} 2\n";
    assert!(text.contains(series) && !text.contains("NoCPULimit"), "{text}");
}
