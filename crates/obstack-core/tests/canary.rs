//! The canary's pure part: what is probed, what answers mean, and what follows from a history of rounds.

#![cfg(test)]

mod common;
#[allow(dead_code, reason = "only what is as it should be is observed here")]
#[path = "diagnosis/observed.rs"]
mod observed;

use std::time::Duration;

use obstack_api::{ConditionStatus, ConditionType, Reason, Signal, StackStatus};
use obstack_core::{
    canary::{
        self, Blocks, History, MISSES, Mark, Miss, Objects, Outcome, Probe,
        answer::{self, ReadBack},
        objects::{self, Ask, Found, MIMIR_DUE, TEMPO_DUE},
    },
    conclude::{Applied, Aspects, Followed, Situation, conclude},
    design::design,
    finding::Finding,
    names::StackKey,
    reach::{Door, Reply, Silence},
};
use proptest::prelude::*;

use self::observed::{as_planned, live, look};

const BOTH: [Signal; 2] = [Signal::Traces, Signal::Metrics];

fn probes(overlay: &str) -> Vec<Probe> {
    let stack = common::valid(&common::small_with(overlay));
    let endpoints = design(&stack).report.endpoints;
    canary::of(&stack, &endpoints)
}

fn probe(signal: Signal) -> Probe {
    probes("").into_iter().find(|probe| probe.signal == signal).unwrap()
}

fn door(service: &str, port: u16) -> Door {
    Door { service: service.into(), namespace: "ca7f8f-dev".into(), port }
}

#[test]
fn a_silent_spec_probes_every_signal_at_the_doors_that_applications_use() {
    let probes = probes("");
    let [traces, metrics] = probes.as_slice() else { panic!("{probes:?}") };
    assert_eq!((&traces.write, traces.write_path.as_str()), (&door("dts-dev-tempo", 4318), "/v1/traces"));
    assert_eq!((&traces.read, traces.read_path.as_str()), (&door("dts-dev-tempo", 3200), ""));
    assert_eq!(metrics.write, door("dts-dev-mimir-distributor", 8080));
    assert_eq!(metrics.write_path, "/otlp/v1/metrics");
    assert_eq!(metrics.read, door("dts-dev-mimir-query-frontend", 8080));
    assert_eq!(metrics.read_path, "/prometheus");
    let buckets: Vec<_> = probes.iter().map(|probe| probe.blocks.clone().unwrap()).collect();
    let blocks = |bucket: &str, due| Blocks { bucket: bucket.into(), due: Some(due) };
    let expect = [blocks("dts-traces-dev-blocks", TEMPO_DUE), blocks("dts-metrics-dev-blocks", MIMIR_DUE)];
    assert_eq!(buckets, expect);
}

#[test]
fn a_gateway_is_the_door_where_there_is_one() {
    let probes = probes("spec: {metrics: {components: {gateway: {replicas: 1}}}}");
    assert_eq!(probes[1].write, door("dts-dev-mimir-gateway", 80));
    assert_eq!(probes[1].read, door("dts-dev-mimir-gateway", 80));
}

#[test]
fn the_spec_chooses_what_is_probed() {
    let signals = |overlay| probes(overlay).iter().map(|probe| probe.signal).collect::<Vec<_>>();
    assert_eq!(signals("spec: {canary: {enabled: false}}"), []);
    assert_eq!(signals("spec: {canary: {signals: [Metrics]}}"), [Signal::Metrics]);
    assert_eq!(signals("spec: {canary: {signals: [Metrics, Traces, Metrics]}}"), BOTH);
    assert_eq!(signals("spec: {traces: null}"), [Signal::Metrics]);
    let unverified = probes("spec: {canary: {verifyObjectStorage: false}}");
    assert!(unverified.iter().all(|probe| probe.blocks.is_none()), "{unverified:?}");
}

#[test]
fn no_block_is_due_where_values_change_what_decides_it() {
    let due =
        |overlay| probes(overlay).iter().map(|probe| probe.blocks.clone().unwrap().due).collect::<Vec<_>>();
    let tempo = "spec: {traces: {values: {tempo: {ingester: {max_block_duration: 4h}}}}}";
    assert_eq!(due(tempo), [None, Some(MIMIR_DUE)]);
    let mimir = "spec: {metrics: {values: {mimir: {structuredConfig: {blocks_storage: {tsdb: {ship_interval: 9m}}}}}}}";
    assert_eq!(due(mimir), [Some(TEMPO_DUE), None]);
}

#[test]
fn what_is_written_is_the_same_for_the_same_stack_and_time_and_for_no_other() {
    let at = Duration::from_millis(1_800_000_000_123);
    let mark = Mark::of("0b5e", "ca7f8f-dev/dts-dev", at);
    assert_eq!(mark, Mark::of("0b5e", "ca7f8f-dev/dts-dev", at));
    let trace = String::from_utf8(mark.trace()).unwrap();
    for other in [Mark::of("0b5f", "ca7f8f-dev/dts-dev", at), Mark::of("0b5e", "ca7f8f-dev/dts-dev", at * 2)]
    {
        assert_ne!(other.trace_path(), mark.trace_path());
    }
    let id = mark.trace_path();
    let id = id.trim_start_matches("/api/traces/").split('?').next().unwrap();
    assert!(id.len() == 32 && trace.contains(&format!("\"traceId\":\"{id}\"")), "{trace}");
    let metric = String::from_utf8(mark.metric()).unwrap();
    assert!(metric.contains("\"asInt\":\"1800000000\""), "{metric}");
    assert!(metric.contains("\"timeUnixNano\":\"1800000000123000000\""), "{metric}");
    // Another attribute of the resource would be a second series, and one of the point a series for each value.
    assert_eq!(metric.matches("\"key\"").count(), 1, "{metric}");
    assert!(mark.metric_path().ends_with("&time=1800000000.123"), "{}", mark.metric_path());
}

#[expect(clippy::unnecessary_wraps, reason = "an answer, as it comes")]
fn reply(status: u16, body: &str) -> Result<Reply, Silence> {
    Ok(Reply { status, body: body.as_bytes().to_vec() })
}

#[test]
fn an_answer_to_a_write_has_its_meaning() {
    let probe = probe(Signal::Metrics);
    let check = |answer: Result<Reply, Silence>, expect: Option<(bool, &[&str])>| {
        let written = answer::written(&probe, &answer);
        match (&written, expect) {
            (Ok(()), None) => {}
            (Err(miss), Some((reached, words))) => {
                assert_eq!((miss.reason, miss.reached), (Reason::WriteFailed, reached), "{miss:?}");
                assert!(
                    words.iter().all(|word| miss.message.contains(word)),
                    "{words:?} in {}",
                    miss.message
                );
            }
            _ => panic!("{answer:?}: {written:?}"),
        }
    };
    check(reply(200, "{}"), None);
    check(reply(204, ""), None);
    check(reply(200, r#"{"partialSuccess":{}}"#), None);
    check(reply(200, r#"{"partialSuccess":{"rejectedSpans":"0"}}"#), None);
    // As Mimir 3.0.5 said it, and as OTLP's own JSON would.
    let old = r#"{"partial_success":{"rejected_data_points":1,"error_message":"failed pushing to ingester i-0: the sample has been rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old). The affected sample has timestamp 2026-11-20T16:53:30Z and is from series x"}}"#;
    check(
        reply(200, old),
        Some((true, &["was rejected", "timestamp-too-old", "timestamp ... and", "clock of the operator"])),
    );
    check(
        reply(200, r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"live traces exceeded"}}"#),
        Some((true, &["live traces exceeded"])),
    );
    check(
        reply(
            503,
            "send data to ingesters: at least 1 live replicas required, could only find 0 - unhealthy instances: 10.244.0.15:9095",
        ),
        Some((true, &["answered with 503", "could only find 0", "10.244.0.15:9095"])),
    );
    check(
        reply(
            400,
            r#"{"code":400,"message":"received a sample whose timestamp is too far in the future, timestamp: 1795204410000 (err-mimir-too-far-in-future)"}"#,
        ),
        Some((true, &["too-far-in-future", "timestamp: ...", "clock of the operator"])),
    );
    check(Err(Silence::TimedOut), Some((false, &["not answered in time"])));
    check(
        Err(Silence::Unreachable { cause: "refused".into() }),
        Some((false, &["did not arrive (refused)"])),
    );
    check(Err(Silence::Forbidden), Some((false, &["`create` on services/proxy in namespace ca7f8f-dev"])));
    check(Err(Silence::TooLarge), Some((true, &["more than is read"])));
}

#[test]
fn words_of_a_backend_are_one_bounded_line() {
    let answer = reply(500, &format!("line one\nline two\u{1b}[31m {}", "x".repeat(5_000)));
    let miss = answer::written(&probe(Signal::Traces), &answer).unwrap_err();
    assert!(miss.message.len() < 500 && !miss.message.contains(['\n', '\u{1b}']), "{}", miss.message);
}

#[test]
fn only_what_was_written_is_read_back() {
    let mark = Mark::of("0b5e", "a/b", Duration::from_hours(500_000));
    let check = |signal, answer: Result<Reply, Silence>, found: bool| {
        let read = answer::read_back(signal, &mark, &answer);
        assert_eq!(read == ReadBack::Found, found, "{answer:?}: {read:?}");
    };
    let sample = |value| {
        let result = format!(r#"{{"metric":{{}},"value":[1800000000.1,"{value}"]}}"#);
        reply(200, &format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#))
    };
    check(Signal::Metrics, sample("1800000000"), true);
    check(Signal::Metrics, sample("1.8e+09"), true);
    check(Signal::Metrics, sample("1799999940"), false);
    check(Signal::Metrics, reply(200, r#"{"status":"success","data":{"result":[]}}"#), false);
    check(Signal::Metrics, reply(200, "<html>"), false);
    check(Signal::Metrics, reply(503, "no query-scheduler"), false);
    let trace = String::from_utf8(mark.trace()).unwrap();
    let hex = trace.split("\"spanId\":\"").nth(1).unwrap().split('"').next().unwrap();
    let span = |id: &str| {
        reply(200, &format!(r#"{{"batches":[{{"scopeSpans":[{{"spans":[{{"spanId":"{id}"}}]}}]}}]}}"#))
    };
    check(Signal::Traces, span(hex), true);
    check(Signal::Traces, span("AAAAAAAAAAA="), false);
    check(Signal::Traces, reply(404, "trace not found"), false);
    check(Signal::Traces, Err(Silence::TimedOut), false);
}

#[test]
fn a_look_into_the_bucket_has_its_meaning() {
    let now = Duration::from_hours(500_000);
    let check = |signal, found: Result<Found, String>, accepted, expect: Result<Objects, &str>| {
        let due = if signal == Signal::Traces { TEMPO_DUE } else { MIMIR_DUE };
        let blocks = Blocks { bucket: "b-1".into(), due: Some(due) };
        let judged = objects::judge(signal, &blocks, found.clone(), accepted, now);
        match (&judged, expect) {
            (Ok(seen), Ok(expect)) => assert_eq!(*seen, expect, "{found:?}"),
            (Err(miss), Err(words)) => {
                assert_eq!((miss.reason, miss.reached), (Reason::ObjectNotSeen, true));
                assert!(miss.message.contains(words), "{words} in {}", miss.message);
            }
            _ => panic!("{found:?}: {judged:?}"),
        }
    };
    let block = Found::Key("anonymous/01JCZ8M6Y0ABCDEFGHJKMNPQRS/meta.json".into());
    let index = Found::Key("anonymous/bucket-index.json.gz".into());
    let (soon, late) = (Duration::from_mins(209), MIMIR_DUE);
    let at = |minutes: u64| Found::At(now.saturating_sub(Duration::from_mins(minutes)));
    check(Signal::Metrics, Ok(Found::Nothing), Duration::ZERO, Ok(Objects::NotDue));
    check(Signal::Metrics, Ok(Found::Nothing), soon, Ok(Objects::NotDue));
    check(Signal::Metrics, Ok(Found::Nothing), late, Err("no block of the last 210 min is in bucket b-1"));
    check(Signal::Metrics, Ok(index), late, Err("no block"));
    check(Signal::Metrics, Ok(block.clone()), late, Ok(Objects::Seen));
    check(Signal::Metrics, Ok(block), Duration::ZERO, Ok(Objects::Seen));
    check(Signal::Metrics, Err("no answer".into()), Duration::ZERO, Err("cannot be looked into: no answer"));
    check(Signal::Traces, Ok(Found::Nothing), soon, Err("no block is listed in bucket b-1"));
    check(Signal::Traces, Ok(Found::Nothing), Duration::from_mins(59), Ok(Objects::NotDue));
    check(Signal::Traces, Ok(at(40)), late, Ok(Objects::Seen));
    check(Signal::Traces, Ok(at(50)), late, Err("older than 45 min"));
    // Their clock may be ahead of ours.
    check(Signal::Traces, Ok(Found::At(now + Duration::from_mins(10))), late, Ok(Objects::Seen));
    let unknown = Blocks { bucket: "b-1".into(), due: None };
    let judged = objects::judge(Signal::Metrics, &unknown, Ok(Found::Nothing), late * 100, now);
    assert_eq!(judged, Ok(Objects::NotDue), "where values decide, nothing is due");
}

#[test]
fn mimirs_blocks_are_asked_for_behind_the_ulid_of_what_is_due() {
    let now = Duration::from_millis(1_469_918_176_385) + MIMIR_DUE;
    let Ask::FirstKey { prefix, after } = objects::ask(Signal::Metrics, now) else { panic!("no key") };
    assert_eq!((prefix, after.as_str()), ("anonymous/", "anonymous/01ARYZ6S41"));
}

fn pass(millis: u64) -> Outcome {
    Outcome::Passed { latency: Duration::from_millis(millis), objects: Objects::Seen }
}

fn miss(reason: Reason, reached: bool) -> Outcome {
    Outcome::Missed(Miss { reason, reached, message: format!("because {reason}") })
}

fn after(history: &History, rounds: &[Outcome]) -> History {
    let mut history = history.clone();
    for (index, round) in rounds.iter().enumerate() {
        history.record(Signal::Traces, round.clone(), Duration::from_secs(60 * index as u64));
    }
    history
}

#[test]
fn rounds_become_a_condition() {
    use ConditionStatus::{False, True, Unknown};
    let (refused, lost) = (miss(Reason::WriteFailed, true), miss(Reason::ObjectNotSeen, true));
    let away = miss(Reason::WriteFailed, false);
    let check = |rounds: &[&Outcome], status, reason| {
        let rounds: Vec<_> = rounds.iter().map(|round| (*round).clone()).collect();
        let finding = after(&History::new(&[Signal::Traces], None), &rounds).finding();
        assert_eq!((finding.status, finding.reason), (status, reason), "{rounds:?}: {finding:?}");
    };
    let good = pass(5);
    check(&[], Unknown, Reason::NotYetRun);
    check(&[&good], True, Reason::Verified);
    check(&[&good, &refused, &refused], True, Reason::Verified);
    check(&[&good, &refused, &refused, &lost], False, Reason::ObjectNotSeen);
    check(&[&good, &refused, &refused, &good, &refused, &refused], True, Reason::Verified);
    check(&[&good, &away, &away, &away], False, Reason::WriteFailed);
    check(&[&good, &refused, &refused, &refused, &good], True, Reason::Verified);
    // What has never passed is not called broken, and what was never reached is not said to have run.
    check(&[&refused, &refused], Unknown, Reason::NotYetRun);
    check(&[&refused, &refused, &refused], Unknown, Reason::WriteFailed);
    check(&[&away, &away, &away, &away], Unknown, Reason::NotYetRun);
    check(&[&refused, &refused, &refused, &good], True, Reason::Verified);
}

#[test]
fn every_signal_must_pass_and_the_broken_one_speaks() {
    let mut history = History::new(&BOTH, None);
    let second = Duration::from_secs(1);
    history.record(Signal::Metrics, pass(5), second);
    assert_eq!(history.finding().reason, Reason::NotYetRun, "traces have not passed");
    history.record(Signal::Traces, pass(5), second);
    let finding = history.finding();
    assert_eq!(
        finding.message,
        "traces come back within 1 s, blocks are in the bucket; metrics come back within 1 s, blocks are in the bucket"
    );
    for _ in 0..MISSES {
        history.record(Signal::Metrics, miss(Reason::ReadBackTimeout, true), second);
    }
    assert_eq!(history.finding(), Finding::fails(Reason::ReadBackTimeout, "because ReadBackTimeout"));
    for _ in 0..MISSES {
        history.record(Signal::Traces, miss(Reason::WriteFailed, true), second);
    }
    assert_eq!(history.finding(), Finding::fails(Reason::WriteFailed, "because WriteFailed (and 1 more)"));
}

#[test]
fn after_a_restart_the_last_word_stands_until_the_first_round_and_counts_as_proof() {
    let proved = Finding::holds(Reason::Verified, "as before");
    let broken = Finding::fails(Reason::WriteFailed, "as before");
    let unknown = Finding::unknown(Reason::NotYetRun, "as before");
    for before in [&proved, &broken, &unknown] {
        let history = History::new(&[Signal::Traces], Some(before.clone()));
        assert_eq!(&history.finding(), before);
        assert_eq!(after(&history, &[pass(5)]).finding().status, ConditionStatus::True);
    }
    let misses = |n| vec![miss(Reason::WriteFailed, true); n];
    let of = |before: &Finding, n| {
        after(&History::new(&[Signal::Traces], Some(before.clone())), &misses(n)).finding()
    };
    assert_eq!(of(&proved, 2), proved);
    assert_eq!(of(&proved, 3).status, ConditionStatus::False);
    assert_eq!(of(&broken, 1).status, ConditionStatus::False);
    assert_eq!(of(&unknown, 3).status, ConditionStatus::Unknown);
}

#[test]
fn a_signal_that_stays_keeps_its_history_and_a_new_one_must_prove_itself() {
    let traces = after(&History::new(&[Signal::Traces], None), &[pass(5)]);
    let both = traces.with_signals(&BOTH);
    assert_eq!(both.finding().reason, Reason::NotYetRun);
    let back = both.with_signals(&[Signal::Traces]);
    assert_eq!(back.finding(), traces.finding());
}

#[test]
fn a_latency_is_told_in_steps_at_once_when_it_grows_and_late_when_it_falls() {
    let mut history = History::new(&[Signal::Traces], None);
    let mut told = |millis, times| {
        for _ in 0..times {
            history.record(Signal::Traces, pass(millis), Duration::ZERO);
        }
        history.finding().message.split(" s").next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(told(300, 1), "1");
    assert_eq!(told(900, 100), "1");
    assert_eq!(told(1_100, 1), "2");
    assert_eq!(told(300, 30), "2");
    assert_eq!(told(300, 1), "1");
    assert_eq!(told(60_000, 1), "20");
}

#[test]
fn writes_are_accepted_without_a_break_until_one_is_refused() {
    let minute = Duration::from_mins(1);
    let mut history = History::new(&[Signal::Traces], None);
    history.record(Signal::Traces, pass(5), minute);
    history.record(Signal::Traces, miss(Reason::ReadBackTimeout, true), minute * 2);
    assert_eq!(history.accepted(Signal::Traces, minute * 5), minute * 4);
    history.record(Signal::Traces, miss(Reason::WriteFailed, true), minute * 5);
    assert_eq!(history.accepted(Signal::Traces, minute * 6), Duration::ZERO);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let reason =
        prop::sample::select(&[Reason::WriteFailed, Reason::ReadBackTimeout, Reason::ObjectNotSeen][..]);
    prop_oneof![
        (0..30_000_u64).prop_map(pass),
        (reason, any::<bool>()).prop_map(|(reason, reached)| miss(reason, reached)),
    ]
}

/// A status in which everything but the canary is well.
fn concluded(previous: &StackStatus, finding: &Finding) -> StackStatus {
    let observed = vec![as_planned(0, 1, true)];
    let followed = Followed {
        report: design(&common::valid(&common::small_with(""))).report,
        applied: Applied::All,
        components: look(&observed, &live(&observed), &[]),
        aspects: Aspects::from([(ConditionType::DataPathVerified, finding.clone())]),
        ..Followed::default()
    };
    let key = StackKey { namespace: "ca7f8f-dev".into(), name: "dts-dev".into() };
    conclude(&key, 1, previous, &Situation::Followed(Box::new(followed)), "2026-01-01T00:00:00Z").status
}

proptest! {
    #[test]
    fn i6_nothing_is_called_broken_but_what_was_proved_and_missed_three_times_since(rounds in prop::collection::vec(outcome(), 0..20)) {
        let mut history = History::new(&[Signal::Traces], None);
        let mut status = StackStatus::default();
        let (mut proved, mut misses) = (false, 0);
        for round in rounds {
            let passed = matches!(round, Outcome::Passed { .. });
            (proved, misses) = (proved || passed, if passed { 0 } else { misses + 1 });
            history.record(Signal::Traces, round, Duration::ZERO);
            let finding = history.finding();
            prop_assert_eq!(finding.status == ConditionStatus::False, proved && misses >= MISSES);
            prop_assert_eq!(finding.status == ConditionStatus::True, proved && misses < MISSES);
            status = concluded(&status, &finding);
            let ready = &status.conditions[0];
            prop_assert_eq!(ready.type_, ConditionType::Ready);
            prop_assert_eq!(ready.status == ConditionStatus::True, finding.status != ConditionStatus::False, "{:?}", ready);
            prop_assert_eq!(ready.reason == "DataPathBroken", finding.status == ConditionStatus::False);
        }
    }

    #[test]
    fn i2_rounds_that_differ_only_in_latency_within_a_step_say_the_same(latencies in prop::collection::vec(0..=1_000_u64, 1..50)) {
        let mut history = History::new(&[Signal::Traces], None);
        let mut said = None;
        for latency in latencies {
            history.record(Signal::Traces, pass(latency), Duration::ZERO);
            let finding = history.finding();
            prop_assert_eq!(said.replace(finding.clone()).unwrap_or(finding.clone()), finding);
        }
    }
}
