//! The canary against a real Tempo on a real S3 server. `OBSTACK_TEMPO` and `OBSTACK_VERSITYGW` name the binaries.

#![cfg(test)]

mod canary_real;

use std::{path::Path, process::Command, time::Duration};

use obstack_api::{Reason, Signal};
use obstack_core::canary::{Objects, Outcome, objects::TEMPO_DUE};
use obstack_engine::canary::Prober;
use rustix::process::Signal as Kill;

use canary_real::{
    BUCKET, KEYS, Running, Store, free_ports, given, http, missed, now, passed, probe, proxy, round, until,
};

struct Tempo {
    running: Running,
    http: u16,
    otlp: u16,
}

fn tempo(binary: &Path, folder: &Path, store: &Store) -> Tempo {
    let [http, grpc, otlp, gossip] = free_ports();
    let (data, address, (access, secret)) = (folder.join("tempo"), store.address(), KEYS);
    std::fs::create_dir_all(&data).unwrap();
    let data = data.display();
    // The list of blocks is written each 2 s instead of each 5 min.
    let config = format!(
        "
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}}}
distributor: {{receivers: {{otlp: {{protocols: {{http: {{endpoint: \"127.0.0.1:{otlp}\"}}}}}}}}}}
storage:
  trace:
    backend: s3
    blocklist_poll: 2s
    wal: {{path: {data}/wal}}
    local: {{path: {data}/blocks}}
    s3: {{bucket: {BUCKET}, endpoint: \"{address}\", region: us-east-1, insecure: true, forcepathstyle: true, access_key: {access}, secret_key: {secret}}}
usage_report: {{reporting_enabled: false}}
"
    );
    let path = folder.join("tempo.yaml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(binary);
    command.arg(format!("-config.file={}", path.display()));
    Tempo { running: Running::start(command, &folder.join("tempo.log")), http, otlp }
}

#[tokio::test]
async fn a_real_tempo_is_proved_and_each_of_its_faults_has_its_word() {
    let (Some(binary), Some(versitygw)) = (given("OBSTACK_TEMPO"), given("OBSTACK_VERSITYGW")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::start(&versitygw, folder.path()).await;
    let tempo = tempo(&binary, folder.path(), &store);
    let prober = Prober::new(proxy()).unwrap();
    let probe = probe(Signal::Traces, (tempo.otlp, "/v1/traces"), (tempo.http, ""), TEMPO_DUE);
    let none = Duration::ZERO;

    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::NotDue)).await;
    let outcome = round(&prober, &probe, &store, now(), TEMPO_DUE).await;
    missed(&outcome, Reason::ObjectNotSeen, true, &["no block is listed", BUCKET]);

    // Tempo takes a span of any time, and finds it by its id: a clock that is off by hours is no fault of the path.
    for clock in [now() + Duration::from_hours(3), now().saturating_sub(Duration::from_hours(3))] {
        let outcome = round(&prober, &probe, &store, clock, none).await;
        assert!(matches!(outcome, Outcome::Passed { .. }), "{outcome:?}");
    }

    http(tempo.http, "POST", "/flush");
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;

    store.end();
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::ObjectNotSeen, true, &["are accepted", "cannot be looked into"]);
    store.begin();
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;

    tempo.running.signal(Kill::STOP);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::WriteFailed, false, &["in time"]);
    tempo.running.signal(Kill::CONT);
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;
    let Tempo { running, .. } = tempo;
    drop(running);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::WriteFailed, false, &["refused"]);
}
