//! Advice: each when it is true, and only then; and whether charts are in support.

#![cfg(test)]

mod common;

use obstack_api::{ChartSource, ConditionStatus, ObservabilityStack, Reason, Severity};
use obstack_core::{
    catalog::{self, CATALOG, Day},
    design::{advisories::Advice, design},
    facts::Cluster,
    valid::ValidStack,
};
use proptest::prelude::*;

/// Digest of an archive outside of the catalog.
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn codes(stack: &ValidStack) -> Vec<String> {
    design(stack).report.advisories.into_iter().map(|advisory| advisory.code).collect()
}

fn of(overlay: &str) -> Vec<String> {
    codes(&common::valid(&common::small_with(overlay)))
}

/// The stack on a cluster of this Kubernetes version.
fn on_kubernetes(stack: &ObservabilityStack, minor: u32) -> ValidStack {
    let mut facts = common::facts(stack);
    facts.cluster = Cluster { version: format!("1.{minor}.0"), minor, openshift: false };
    facts.default_chart_source = ChartSource::Upstream;
    common::valid_with(stack, &facts)
}

#[test]
fn each_advisory_is_there_when_it_is_true_and_only_then() {
    let check = |advice: Advice, overlay: &str, without: &str| {
        assert!(of(overlay).contains(&advice.code().to_owned()), "{advice:?} with {overlay}");
        assert!(!of(without).contains(&advice.code().to_owned()), "{advice:?} with {without}");
    };
    let metrics = |part: &str| format!("spec: {{metrics: {{{part}}}}}");
    let classic = |part: &str| format!("spec: {{traces: {{mode: Distributed, {part}}}}}");
    let alloy = |mode: &str| format!("spec: {{collectors: {{alloy: {{mode: {mode}}}}}}}");
    check(Advice::AlloyNotManaged, &alloy("ConfigMapOnly"), &alloy("Managed"));
    check(Advice::ChartSupportEnds, "", &classic(""));
    check(Advice::MetricsKeptForEver, "", &metrics("retention: 720h"));
    check(
        Advice::MimirIngesterWithoutVolume,
        &metrics("components: {ingester: {storage: {type: EmptyDir}}}"),
        "",
    );
    check(
        Advice::MimirReplicationFactor1,
        &metrics("components: {ingester: {replicas: 2}}"),
        &metrics("components: {ingester: {replicas: 3}}"),
    );
    check(
        Advice::MimirReplicationFactor2,
        &metrics("replicationFactor: 2, components: {ingester: {replicas: 3}}"),
        &metrics("replicationFactor: 3, components: {ingester: {replicas: 3}}"),
    );
    let route = |part: &str| format!("spec: {{platform: OpenShift, traces: {{route: {{{part}}}}}}}");
    check(Advice::RouteForEverybody, &route(""), &route("allowFrom: [10.0.0.0/8]"));
    check(Advice::RulerBucketWithoutRuler, "", &metrics("components: {ruler: {replicas: 1}}"));
    let three = metrics("components: {ingester: {replicas: 3}}");
    check(Advice::RunsOnce, &three, "");
    check(Advice::RunsOnce, &classic("components: {ingester: {replicas: 2}}"), "spec: {environment: prod}");
    for name in ["prod", "production"] {
        let overlay = format!("spec: {{environment: {name}}}");
        check(Advice::SingleReplicaInProduction, &overlay, "spec: {environment: preprod}");
    }
    check(Advice::TempoClassicEndOfSupport, &classic(""), "");
    check(
        Advice::TempoIngesterWithoutVolume,
        "spec: {traces: {components: {singleBinary: {storage: {type: EmptyDir}}}}}",
        "",
    );
    check(
        Advice::TempoReplicationFactor1,
        &classic("replicationFactor: 1, components: {ingester: {replicas: 2}}"),
        &classic("components: {ingester: {replicas: 2}}"),
    );
    check(Advice::TempoStoreGateway, &classic("components: {storeGateway: {replicas: 2}}"), &classic(""));
    let pinned = format!("chart: {{source: Upstream, version: 6.9.9, digest: 'sha256:{DIGEST}'}}");
    check(Advice::UntestedVersion, &metrics(&pinned), &metrics("chart: {version: 5.8.0}"));
}

#[test]
fn what_serves_once_is_named_and_what_does_not_serve_is_not() {
    let stack =
        common::small_with("spec: {environment: prod, metrics: {components: {distributor: {replicas: 2}}}}");
    let all = design(&common::valid(&stack)).report.advisories;
    let found = all.iter().find(|advisory| advisory.code == "SingleReplicaInProduction").unwrap();
    assert_eq!(
        found.message,
        "environment prod: traces.singleBinary, metrics.ingester, metrics.querier, metrics.queryFrontend, metrics.queryScheduler, metrics.storeGateway run once, so the loss of one pod stops writes or queries"
    );
    assert_eq!(
        (found.severity, found.fix.as_str()),
        (Severity::Warning, Advice::SingleReplicaInProduction.fix())
    );
}

#[test]
fn the_samples_get_the_advice_they_ask_for() {
    let sample = |name| codes(&common::valid(&common::with(&common::sample(name), "")));
    assert_eq!(
        sample("dev"),
        ["AlloyNotManaged", "ChartSupportEnds", "MetricsKeptForEver", "RulerBucketWithoutRuler"]
    );
    assert_eq!(
        sample("prod"),
        [
            "AlloyNotManaged",
            "MetricsKeptForEver",
            "MimirReplicationFactor2",
            "RulerBucketWithoutRuler",
            "TempoClassicEndOfSupport",
            "TempoStoreGateway"
        ]
    );
}

#[test]
fn every_advisory_has_its_name_once_a_sentence_and_a_fix() {
    let mut codes: Vec<_> = Advice::ALL.iter().map(|advice| advice.code()).collect();
    for advice in Advice::ALL {
        let (code, meaning, fix) = (advice.code(), advice.meaning(), advice.fix());
        assert!(code.starts_with(|c: char| c.is_ascii_uppercase()), "{code}");
        assert!(meaning.ends_with('.') && !fix.is_empty() && !fix.ends_with('.'), "{code}");
    }
    let listed = codes.clone();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, listed, "in order, each once");
}

proptest! {
    #[test]
    fn a_stack_gets_each_advisory_once_and_only_those_of_the_table(
        environment in prop_oneof![Just("dev"), Just("prod"), Just("production")],
        distributed in any::<bool>(),
        (ingesters, others) in (1..4_u32, 1..3_u32),
        factor in 1..3_u32,
        volatile in any::<bool>(),
    ) {
        let (factor, kind) = (factor.min(ingesters), if volatile { "EmptyDir" } else { "PersistentVolumeClaim" });
        let many = format!("{{ingester: {{replicas: {ingesters}, storage: {{type: {kind}}}}}, querier: {{replicas: {others}}}}}");
        let traces = if distributed {
            format!("{{mode: Distributed, replicationFactor: {factor}, components: {many}}}")
        } else {
            format!("{{mode: Monolithic, components: {{singleBinary: {{storage: {{type: {kind}}}}}}}}}")
        };
        let metrics = format!("{{replicationFactor: {factor}, components: {many}}}");
        let all = of(&format!("spec: {{environment: {environment}, traces: {traces}, metrics: {metrics}}}"));
        let mut once = all.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(&once, &all, "ordered, each once");
        prop_assert!(all.iter().all(|code| Advice::ALL.iter().any(|advice| advice.code() == code)), "{:?}", all);
    }
}

const fn second(year: i64, month: i64, day: i64) -> i64 {
    // Noon is inside of the day, whatever the day's end is.
    Day { year, month, day }.end() - 43_200
}

#[test]
fn a_chart_is_in_support_to_the_end_of_its_last_day_and_not_after() {
    let check = |overlay: &str, minor: u32, now: i64, expect: Reason, says: &str| {
        let stack = on_kubernetes(&common::small_with(overlay), minor);
        let finding = catalog::supported(&stack, now);
        assert_eq!(finding.reason, expect, "{}", finding.message);
        let holds = if expect == Reason::InSupport { ConditionStatus::True } else { ConditionStatus::False };
        assert_eq!(finding.status, holds);
        assert!(finding.message.contains(says), "{}", finding.message);
    };
    let of_2026 = second(2026, 11, 20);
    check("", 36, of_2026, Reason::InSupport, "tempo 2.2.4 runs Tempo 2.10, patched to 2027-04-26");
    check(
        "",
        36,
        of_2026,
        Reason::InSupport,
        "mimir-distributed 6.1.0 runs Mimir 3.1, of which no end is known",
    );
    check("", 36, second(2027, 4, 26), Reason::InSupport, "");
    check(
        "",
        36,
        second(2027, 4, 27),
        Reason::ChartEndOfSupport,
        "patched to 2027-04-26; no newer version is in the catalog",
    );
    check(
        "",
        31,
        of_2026,
        Reason::ChartEndOfSupport,
        "mimir-distributed 6.0.6 runs Mimir 3.0, which was patched to 2026-08-19; version 6.1.0 is supported, on Kubernetes 1.32 or newer",
    );
    check("", 31, second(2026, 8, 19), Reason::InSupport, "");
    let pinned = format!("spec: {{metrics: {{chart: {{version: 6.9.9, digest: 'sha256:{DIGEST}'}}}}}}");
    let untested =
        "mimir-distributed 6.9.9 was not tested with this operator; tested are 6.1.0, 6.0.6, 5.8.0";
    check(&pinned, 36, of_2026, Reason::UntestedVersion, untested);
    check(&pinned, 36, second(2028, 1, 1), Reason::ChartEndOfSupport, "Tempo 2.10");
}

#[test]
fn what_classic_tempo_is_told_of_its_end_is_what_the_catalog_says() {
    let stack = common::valid(&common::small_with("spec: {traces: {mode: Distributed}}"));
    let all = design(&stack).report.advisories;
    let told = all.iter().find(|advisory| advisory.code == "TempoClassicEndOfSupport").unwrap();
    let entry = CATALOG.iter().find(|entry| entry.name == "tempo-distributed").unwrap();
    assert!(told.message.contains(&entry.support.patched_to.unwrap().to_string()), "{}", told.message);
    assert!(told.message.contains(entry.support.line), "{}", told.message);
}
