//! Which of several causes is the first.

use obstack_api::Reason;

use crate::{assemble::PlannedComponent, backends::role::Class};

/// Reasons in the order of a pod's life: it is made, placed, started, kept alive, let in. What stands earlier blocks
/// more. Between components the tier counts, then who waits for whom; within a component the order in the tier too.
const TIERS: &[&[Reason]] = &[
    &[
        Reason::QuotaExceeded,
        Reason::QuotaRequiresCPULimits,
        Reason::SecurityPolicyDenied,
        Reason::LimitRangeDenied,
        Reason::PodsRefused,
    ],
    &[
        Reason::NodeLost,
        Reason::PVCPending,
        Reason::Unschedulable,
        Reason::ImagePullFailed,
        Reason::SecretMissing,
        Reason::SecretKeyMissing,
        Reason::ContainerNotCreated,
    ],
    &[
        Reason::StorageUnreachable,
        Reason::TLSVerificationFailed,
        Reason::AccessKeyRejected,
        Reason::SignatureRejected,
        Reason::BucketMissing,
        Reason::AccessDenied,
        Reason::StorageFailed,
    ],
    &[Reason::OOMKilled, Reason::CrashLoop],
    &[Reason::ProbeFailing],
    &[Reason::Evicted, Reason::DeadlineExceeded],
];

/// Tier of a reason and its place there; what is nowhere comes last.
fn place(reason: Reason) -> (usize, usize) {
    let tiers = TIERS.iter().enumerate();
    let mut found =
        tiers.filter_map(|(tier, reasons)| Some((tier, reasons.iter().position(|r| *r == reason)?)));
    found.next().unwrap_or((TIERS.len(), 0))
}

/// Orders the causes of one component, worst first.
pub(super) fn within(reason: Reason) -> impl Ord {
    place(reason)
}

/// Orders the causes of components of these importances, worst first.
pub(super) fn between(reason: Reason, importance: u8) -> impl Ord {
    let (tier, index) = place(reason);
    (tier, importance, index)
}

/// How much waits for a component: 0 for what holds data that is nowhere else, then store-gateways, the write path, the
/// read path, and what works in the background.
pub(super) fn importance(component: &PlannedComponent) -> u8 {
    let role = component.name.rsplit('.').next().unwrap_or_default();
    match (component.class, role) {
        (Class::Ingester, _) | (_, "ingester" | "singleBinary") => 0,
        (Class::StoreGateway, _) | (_, "storeGateway") => 1,
        (Class::Other, "distributor" | "gateway" | "alloy") => 2,
        (Class::Other, "queryScheduler" | "querier" | "queryFrontend") => 3,
        (Class::Other, _) => 4,
    }
}
