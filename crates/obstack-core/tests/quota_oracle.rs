//! The tables of the rollout document (phase 1, Tempo and Mimir) against the preflight, with the samples rendered by a
//! real Helm. The document has no query-scheduler, which Mimir 2 does not need.

#![cfg(test)]

mod common;
mod quota_common;

use std::collections::{BTreeMap, BTreeSet};

use common::helm::{Charts, helm, plan_of, upstream};
use obstack_api::{ConditionStatus, QuotaAmounts, Reason};
use obstack_core::{
    live::{Live, QuotaFacts},
    quantity::Amount,
    quota::{Preflight, Room, preflight},
};
use quota_common::{amounts, quota};

const MIMIR_2: &str =
    "spec: {metrics: {chart: {version: 5.8.0}, components: {queryScheduler: {replicas: 0}}}}";

/// The preflight of a sample in an empty namespace with these quotas, from each source of charts there is.
fn each(environment: &str, quotas: &[QuotaFacts], reserved_too: Option<Room>, check: impl Fn(Preflight)) {
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        let stack = common::with(&common::sample(environment), MIMIR_2);
        let mut wish = common::valid(&stack).quota;
        if let (Some(reserved), Some(more)) = (&mut wish.reserved, reserved_too) {
            reserved.cpu += more.cpu;
            reserved.memory += more.memory;
            reserved.storage += more.storage;
        }
        let (plan, _) = plan_of(&helm, &charts, stack);
        let mut objects = BTreeMap::new();
        for object in &plan.objects {
            *objects.entry(object.id.kind).or_default() += 1;
        }
        let live = Live {
            claims: Some(Vec::new()),
            quotas: Some(quotas.to_vec()),
            limit_ranges: Some(Vec::new()),
            ..Live::default()
        };
        check(preflight(&wish, &plan.components, &BTreeSet::new(), &objects, &live));
    }
}

fn three(cpu: &str, memory: &str, storage: &str) -> QuotaAmounts {
    let text = |text: &str| Some(text.to_owned());
    QuotaAmounts { cpu: text(cpu), memory: text(memory), storage: text(storage) }
}

/// Nothing is used and this is free.
fn free(cpu: &str, memory: &str, storage: &str) -> Vec<QuotaFacts> {
    let hard = format!("requests.cpu={cpu} requests.memory={memory} requests.storage={storage}");
    vec![quota("compute", &hard, "")]
}

/// The namespace of prod as the document found it.
fn prod() -> Vec<QuotaFacts> {
    let quota = quota(
        "compute-long-running-quota",
        "requests.cpu=4000m requests.memory=16Gi requests.storage=64Gi",
        "requests.cpu=2630m requests.memory=8.5Gi requests.storage=55Gi",
    );
    vec![quota]
}

#[test]
fn dev_and_test_need_what_the_document_says_and_fit() {
    each("dev", &free("2530m", "11.3Gi", "33Gi"), None, |found| {
        let finding = found.finding.unwrap();
        assert_eq!((finding.status, finding.reason), (ConditionStatus::True, Reason::QuotaFits));
        assert_eq!(found.status.unwrap().required, three("400m", "2Gi", "4Gi"));
        assert_eq!((found.summary.as_str(), found.blocked), ("cpu 400m/2530m", None));
    });
    each("test", &free("5340m", "24.8Gi", "30Gi"), None, |found| {
        assert_eq!(found.status.unwrap().required, three("900m", "4Gi", "8Gi"));
        assert_eq!(found.summary, "cpu 900m/5340m");
    });
}

#[test]
fn prod_does_not_fit_today_and_says_by_how_much() {
    each("prod", &prod(), None, |found| {
        let finding = found.finding.unwrap();
        assert_eq!((finding.status, finding.reason), (ConditionStatus::False, Reason::InsufficientQuota));
        assert_eq!(
            finding.message,
            "nothing was started: requests.cpu needs 2700m, 1370m free; requests.memory needs 12.5Gi, 7.5Gi free; \
             requests.storage needs 16Gi, 9Gi free (ResourceQuota compute-long-running-quota); \
             ask for requests.cpu=8000m requests.memory=32Gi requests.storage=96Gi \
             (ResourceQuota compute-long-running-quota)"
        );
        let blocked = found.blocked.unwrap();
        assert_eq!((blocked.reason, blocked.message), (Reason::QuotaExceeded, finding.message));
        assert_eq!(found.summary, "cpu 2700m > 1370m");
        let status = found.status.unwrap();
        assert_eq!(status.required, three("2700m", "12.5Gi", "16Gi"));
        assert_eq!(status.reserved, Some(three("950m", "3.3Gi", "2Gi")));
        assert_eq!(status.hard, Some(three("4000m", "16Gi", "64Gi")));
        assert_eq!(status.used, Some(three("2630m", "8.5Gi", "55Gi")));
        assert_eq!(status.shortfall, Some(three("1330m", "5Gi", "7Gi")));
        // 6280m of CPU with a fifth free are 7850m: two cores less than the document asks for.
        assert_eq!(status.suggested_hard, Some(three("8000m", "32Gi", "96Gi")));
        let blockers: Vec<_> =
            status.blockers.iter().map(|one| (&*one.resource, &*one.needs, &*one.free)).collect();
        assert_eq!(
            blockers,
            [
                ("requests.cpu", "2700m", "1370m"),
                ("requests.memory", "12.5Gi", "7.5Gi"),
                ("requests.storage", "16Gi", "9Gi"),
            ]
        );
    });
}

/// The document counts two Tempo store-gateways, 200m and 1Gi together, which Tempo does not have. To come to its own
/// request they are reserved here.
#[test]
fn with_the_store_gateways_that_do_not_exist_it_is_the_documents_own_request() {
    let read = |text| Amount::parse(text).unwrap();
    let store_gateways = Room { cpu: read("200m"), memory: read("1Gi"), storage: Amount::ZERO };
    each("prod", &prod(), Some(store_gateways), |found| {
        assert_eq!(found.status.unwrap().suggested_hard, Some(three("10000m", "32Gi", "96Gi")));
    });
}

#[test]
fn with_the_quota_that_was_asked_for_prod_fits() {
    let mut quotas = prod();
    quotas[0].hard = amounts("requests.cpu=10000m requests.memory=32Gi requests.storage=96Gi");
    each("prod", &quotas, None, |found| {
        assert_eq!(found.finding.unwrap().reason, Reason::QuotaFits);
        assert_eq!(found.summary, "cpu 2700m/7370m");
        assert_eq!(found.status.unwrap().suggested_hard, None, "there is nothing to ask for");
    });
}
