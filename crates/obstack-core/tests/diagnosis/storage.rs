//! Faults of the object store: different on each backend, one cause, named once.

use obstack_api::{ComponentState, Reason};
use obstack_core::live::PodFacts;

use super::world::{Change, NOW, World, end, loops, runs};

/// What Tempo and Mimir say of an error of the object store, in a log as it is.
fn tempo(what: &str) -> String {
    format!(
        "level=info ts=2026-11-20T10:00:00Z caller=main.go:225 msg=\"initialising OpenTracing tracer\"\n\
         level=error ts=2026-11-20T10:00:04Z caller=main.go:123 msg=\"error running Tempo\" err=\"failed to init module \
         services: error initialising module: optional-store: failed to create store: unexpected error from \
         ListObjects on dts-traces-dev-blocks: {what}\"\n"
    )
}

fn mimir(what: &str) -> String {
    format!(
        "ts=2026-11-20T10:00:00Z caller=sanity_check.go:115 level=warn msg=\"Unable to successfully connect to \
         configured object storage (will retry)\" err=\"blocks storage: unable to successfully send a request to \
         object storage: {what}\"\n\
         ts=2026-11-20T10:00:01Z caller=mimir.go:975 level=error msg=\"error running application\" err=\"failed services\"\n"
    )
}

const REFUSED: &str = "Get \\\"http://s3.ns.svc:8333/dts-metrics-dev-blocks/\\\": dial tcp 10.96.0.20:8333: connect: connection refused";
const DOWN: (Reason, &str) = (
    Reason::EndpointUnreachable,
    "HeadBucket at http://s3: no answer (connection refused); is the S3 service up, and may the operator reach it?",
);
const TOLD: &str = "HeadBucket at http://s3: no answer (connection refused)";

/// Everything that runs without its object store: Tempo ends, Mimir runs and listens nowhere.
fn without_store() -> World {
    let mut world = World::ingesters(3);
    world.add("metrics.distributor", "Deployment", 2);
    world.add("metrics.storeGateway", "StatefulSet", 1);
    world.add("metrics.compactor", "StatefulSet", 1);
    world.add("traces.singleBinary", "StatefulSet", 1);
    world.components.reverse();
    let listens_nowhere = |pod: &mut PodFacts| {
        pod.is(runs(NOW - 20, None));
        pod.warn(
            "Unhealthy",
            "Readiness probe failed: dial tcp 10.244.0.15:8080: connect: connection refused",
        );
    };
    for component in ["metrics.ingester", "metrics.storeGateway", "metrics.compactor"] {
        world.none_ready(component, listens_nowhere);
    }
    world.none_ready("traces.singleBinary", |pod| pod.is(loops(end("Error", 1, &tempo(REFUSED)))));
    world
}

#[test]
fn one_fault_of_the_object_store_is_the_cause_of_all_and_named_once() {
    let mut world = without_store();
    world.bucket("metrics.blocks", Some(DOWN));
    world.bucket("traces.blocks", Some(DOWN));
    let message = format!("pod s-mimir-ingester-0 and 2 more: it waits for the object store: {TOLD}");
    // Two hold data; the plan has Tempo first here.
    let first = format!("pod s-tempo-singlebinary-0: it waits for the object store: {TOLD}");
    assert_eq!(world.first(), (Reason::StorageUnreachable, first));
    world.components.reverse();
    assert_eq!(world.first(), (Reason::StorageUnreachable, message));
    let waits = |who: &str| {
        (
            Reason::StorageUnreachable,
            format!("pod {who}: it waits for the object store, as metrics.ingester does"),
        )
    };
    assert_eq!(world.said("metrics.storeGateway"), waits("s-mimir-storegateway-0"));
    assert_eq!(world.said("metrics.compactor"), waits("s-mimir-compactor-0"));
    assert_eq!(world.said("traces.singleBinary"), waits("s-tempo-singlebinary-0"));
    assert_eq!(world.of("metrics.distributor").status.state, ComponentState::Ready);
    let all: Vec<_> = world.health().into_iter().filter_map(|health| health.cause).collect();
    assert_eq!(all.iter().filter(|cause| cause.message.contains(TOLD)).count(), 1);
}

#[test]
fn the_last_words_tell_it_before_the_probe_does() {
    let mut world = without_store();
    let said = world.said("traces.singleBinary");
    assert_eq!(said.0, Reason::StorageUnreachable);
    let why = "its object store does not let it start";
    let refused = "Get \"http://s3.ns.svc:8333/dts-metrics-dev-blocks/\": dial tcp <ip>:8333: connect: connection refused";
    let words = format!("unexpected error from ListObjects on dts-traces-dev-blocks: {refused}");
    assert_eq!(said.1, format!("pod s-tempo-singlebinary-0: {why}: {words}"));
    assert_eq!(world.said("metrics.ingester").0, Reason::RolloutInProgress, "it has said nothing yet");
    // After its twenty tries Mimir ends, and is started again.
    world.none_ready("metrics.ingester", |pod| pod.is(runs(NOW - 1, Some(end("Error", 1, &mimir(REFUSED))))));
    world.components.reverse();
    let words = format!("unable to successfully send a request to object storage: {refused}");
    let message = format!("pod s-mimir-ingester-0 and 2 more: {why}: {words}");
    assert_eq!(world.first(), (Reason::StorageUnreachable, message));
    let tempo = "pod s-tempo-singlebinary-0: it waits for the object store, as metrics.ingester does";
    assert_eq!(world.said("traces.singleBinary"), (Reason::StorageUnreachable, tempo.into()));
}

#[test]
fn the_words_of_the_object_store_say_what_is_wrong() {
    use Reason::{
        AccessDenied, AccessKeyRejected, BucketMissing, SignatureRejected, StorageFailed, StorageUnreachable,
        TLSVerificationFailed,
    };
    for (what, reason) in [
        (REFUSED, StorageUnreachable),
        ("Get \\\"http://s3/\\\": dial tcp: lookup s3 on 10.96.0.10:53: no such host", StorageUnreachable),
        ("Get \\\"http://s3/\\\": dial tcp 10.96.0.20:8333: i/o timeout", StorageUnreachable),
        ("Get \\\"http://s3/\\\": context deadline exceeded", StorageUnreachable),
        ("Get \\\"http://s3/\\\": EOF", StorageUnreachable),
        (
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method.",
            SignatureRejected,
        ),
        ("The access key ID you provided does not exist in our records.", AccessKeyRejected),
        ("Access Denied.", AccessDenied),
        ("The specified bucket does not exist", BucketMissing),
        (
            "Get \\\"https://s3/\\\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            TLSVerificationFailed,
        ),
        ("We encountered an internal error, please try again.", StorageFailed),
    ] {
        for (component, words) in [("traces.singleBinary", tempo(what)), ("metrics.ingester", mimir(what))] {
            let mut world = without_store();
            world.none_ready(component, |pod| pod.is(loops(end("Error", 1, &words))));
            assert_eq!(world.said(component).0, reason, "{component}: {what}");
        }
    }
}

#[test]
fn an_endpoint_that_is_an_address_is_told_and_no_other_address_is() {
    for (what, shown) in [
        (
            "Get \\\"http://127.0.0.1:41234/b/\\\": dial tcp 127.0.0.1:41234: connect: connection refused",
            "Get \"http://127.0.0.1:41234/b/\": dial tcp 127.0.0.1:41234: connect: connection refused",
        ),
        (
            "Get \\\"https://[fd00::5]/b/\\\": dial tcp [fd00::5]:443: i/o timeout",
            "Get \"https://[fd00::5]/b/\": dial tcp [fd00::5]:443: i/o timeout",
        ),
        (
            "Get \\\"http://10.0.0.5:8333/b/\\\": read tcp 10.244.0.7:43210->10.0.0.5:8333: connection reset",
            "Get \"http://10.0.0.5:8333/b/\": read tcp <ip>->10.0.0.5:8333: connection reset",
        ),
        (
            "Get \\\"http://127.0.0.1:41234/b/\\\": read tcp 127.0.0.1:43210->127.0.0.1:41234: connection reset",
            "Get \"http://127.0.0.1:41234/b/\": read tcp 127.0.0.1->127.0.0.1:41234: connection reset",
        ),
    ] {
        let mut world = without_store();
        world.none_ready("traces.singleBinary", |pod| pod.is(loops(end("Error", 1, &tempo(what)))));
        let (reason, message) = world.said("traces.singleBinary");
        assert_eq!(reason, Reason::StorageUnreachable, "{what}");
        assert!(message.ends_with(&format!("dts-traces-dev-blocks: {shown}")), "{message}");
    }
    let mut world = without_store();
    let down = "HeadBucket at http://127.0.0.1:41234: no answer (connection refused); is the S3 service up?";
    world.bucket("metrics.blocks", Some((Reason::EndpointUnreachable, down)));
    let told = "HeadBucket at http://127.0.0.1:41234: no answer (connection refused)";
    world.ready(world.live.pods.len() - 1);
    assert!(world.said("metrics.ingester").1.ends_with(told));
}

#[test]
fn the_probe_says_what_is_wrong_when_the_pods_do_not() {
    for (fault, reason) in [
        (Reason::EndpointUnreachable, Reason::StorageUnreachable),
        (Reason::NoSuchBucket, Reason::BucketMissing),
        (Reason::AccessDenied, Reason::AccessDenied),
        (Reason::AccessKeyRejected, Reason::AccessKeyRejected),
        (Reason::SignatureRejected, Reason::SignatureRejected),
        (Reason::TLSVerificationFailed, Reason::TLSVerificationFailed),
        (Reason::StorageFailed, Reason::StorageFailed),
        (Reason::CreatingBuckets, Reason::RolloutInProgress),
        (Reason::BucketOwnedByOther, Reason::RolloutInProgress),
    ] {
        let mut world = without_store();
        world.bucket("metrics.blocks", Some((fault, "bucket b")));
        assert_eq!(world.said("metrics.ingester").0, reason, "{fault}");
    }
    let mut world = without_store();
    world.bucket("metrics.blocks", Some((Reason::NoSuchBucket, "bucket b is not there; make it")));
    world.none_ready("metrics.ingester", |pod| pod.is(loops(end("Error", 1, ""))));
    let silent = "pod s-mimir-ingester-0 and 2 more: it waits for the object store: bucket b is not there";
    assert_eq!(world.said("metrics.ingester"), (Reason::BucketMissing, silent.into()), "ends without a word");
}

#[test]
fn another_cause_is_not_laid_on_the_object_store() {
    let mut world = without_store();
    world.bucket("metrics.alertmanager", Some(DOWN));
    assert_eq!(world.said("metrics.ingester").0, Reason::RolloutInProgress, "a bucket it does not need");
    world.bucket("metrics.blocks", Some(DOWN));
    let said = |world: &mut World, reason: &str, words: &str| {
        world.none_ready("metrics.ingester", |pod| pod.is(loops(end(reason, 1, words))));
        world.said("metrics.ingester").0
    };
    assert_eq!(said(&mut world, "Error", "flag provided but not defined: -x"), Reason::CrashLoop);
    assert_eq!(said(&mut world, "OOMKilled", ""), Reason::OOMKilled);
    let panics = format!("{}panic: nil map", mimir(REFUSED));
    assert_eq!(said(&mut world, "Error", &panics), Reason::CrashLoop);
    let stopped = mimir("Get \\\"http://s3/\\\": context canceled");
    assert_eq!(said(&mut world, "Error", &stopped), Reason::CrashLoop, "it was told to stop");
    let memberlist = "err=\"dial tcp 10.244.0.9:7946: connect: connection refused\"";
    assert_eq!(said(&mut world, "Error", memberlist), Reason::CrashLoop, "not of the object store");
    world.none_ready("metrics.distributor", |pod| {
        pod.is(runs(NOW - 600, None));
        pod.warn("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    });
    assert_eq!(world.said("metrics.distributor").0, Reason::ProbeFailing, "it has no business with buckets");
}

#[test]
fn a_store_that_is_not_made_is_the_object_stores_fault_by_its_own_words_alone() {
    for (what, reason) in [
        ("mkdir /var/tempo/wal: permission denied", Reason::CrashLoop),
        ("mkdir /var/tempo/wal: no space left on device", Reason::CrashLoop),
        ("unexpected error creating core: open /ca.crt: no such file or directory", Reason::CrashLoop),
        ("dial tcp: lookup memcached on 10.96.0.10:53: no such host", Reason::CrashLoop),
        (REFUSED, Reason::StorageUnreachable),
        ("Get \\\"https://s3/\\\": tls: handshake failure", Reason::TLSVerificationFailed),
        ("The specified bucket does not exist", Reason::BucketMissing),
        ("SignatureDoesNotMatch", Reason::SignatureRejected),
        ("unexpected error from ListObjects on b: Slow down.", Reason::StorageFailed),
    ] {
        let words = tempo(what).replace("unexpected error from ListObjects on dts-traces-dev-blocks: ", "");
        let mut world = without_store();
        world.none_ready("traces.singleBinary", |pod| pod.is(loops(end("Error", 1, &words))));
        let (said, message) = world.said("traces.singleBinary");
        assert_eq!(said, reason, "{what}");
        let told = format!("failed to create store: {}\"", what.replace("10.96.0.10", "<ip>"));
        assert_eq!(message.ends_with(&told), said == Reason::CrashLoop, "its last words: {message}");
    }
}

#[test]
fn a_component_waits_for_its_own_buckets_alone() {
    for (component, purpose, waits) in [
        ("metrics.alertmanager", "metrics.alertmanager", true),
        ("metrics.alertmanager", "metrics.blocks", false),
        ("metrics.ruler", "metrics.ruler", true),
        ("metrics.ruler", "metrics.blocks", true),
        ("metrics.ruler", "metrics.alertmanager", false),
        ("metrics.querier", "metrics.ruler", false),
        ("traces.querier", "traces.blocks", true),
        ("traces.querier", "metrics.blocks", false),
    ] {
        let mut world = World::ingesters(0);
        world.add(component, "StatefulSet", 1);
        world.bucket(purpose, Some(DOWN));
        world.none_ready(component, |pod| pod.is(runs(NOW - 1, None)));
        assert_eq!(world.said(component).0 == Reason::StorageUnreachable, waits, "{component} and {purpose}");
    }
}

#[test]
fn two_buckets_with_faults_of_their_own_are_both_named() {
    let mut world = without_store();
    world.bucket("metrics.blocks", Some((Reason::NoSuchBucket, "bucket m is not there")));
    world.bucket("traces.blocks", Some((Reason::NoSuchBucket, "bucket t is not there")));
    assert!(world.said("metrics.ingester").1.ends_with("bucket m is not there"));
    assert!(world.said("metrics.compactor").1.ends_with("as metrics.ingester does"));
    assert!(world.said("traces.singleBinary").1.ends_with("bucket t is not there"));
}

#[test]
fn a_stack_heals_in_steps_and_each_is_told() {
    let mut world = without_store();
    world.bucket("metrics.blocks", Some(DOWN));
    world.bucket("traces.blocks", Some(DOWN));
    assert_eq!(world.first().0, Reason::StorageUnreachable);
    world.bucket("metrics.blocks", None);
    world.bucket("traces.blocks", None);
    assert_eq!(world.said("metrics.ingester").0, Reason::RolloutInProgress, "it tries again by itself");
    let (reason, message) = world.said("traces.singleBinary");
    assert_eq!(reason, Reason::StorageUnreachable, "it waits to be started again");
    assert!(message.ends_with("; the operator's own probe of its bucket passes"), "{message}");
    (0..world.live.pods.len()).for_each(|index| _ = world.ready(index));
    assert!(world.health().iter().all(|health| health.cause.is_none() && health.available));
}

/// Who starts only with a bucket is told from what the charts are given: who has no keys has no business there.
#[test]
fn a_component_waits_for_the_object_store_if_it_has_its_keys() {
    for (overlay, kind) in [("spec: {traces: {mode: Distributed}}", "StatefulSet"), ("", "Deployment")] {
        let stack = crate::common::valid(&crate::common::small_with(overlay));
        let design = obstack_core::design::design(&stack).design;
        for (release, workload) in
            design.releases.iter().flat_map(|r| r.workloads.iter().map(move |w| (r, w)))
        {
            let role = workload.component.split_once('.').unwrap().1;
            let suffix = workload.name.strip_prefix(&format!("{}-", release.objects));
            let block = match suffix {
                None => &release.values["tempo"],
                Some(suffix) => {
                    let block = &release.values[suffix.replace('-', "_")];
                    if block.is_null() { &release.values[role] } else { block }
                }
            };
            let keys = block.to_string().contains("AWS_SECRET_ACCESS_KEY");
            let mut world = World::ingesters(0);
            world.components.clear();
            world.add(&workload.component, kind, 1);
            let signal = release.area();
            for purpose in ["blocks", "alertmanager", "ruler"] {
                world.bucket(&format!("{signal}.{purpose}"), Some(DOWN));
            }
            world.none_ready(&workload.component, |pod| pod.is(runs(NOW - 1, None)));
            let waits = world.said(&workload.component).0 == Reason::StorageUnreachable;
            assert_eq!(waits, keys, "{}", workload.component);
        }
    }
}
