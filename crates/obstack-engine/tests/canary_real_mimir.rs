//! The canary against a real Mimir in three processes (write, store, read) on a real S3 server, each of which is taken
//! away in turn. `OBSTACK_MIMIR` and `OBSTACK_VERSITYGW` name the binaries.

#![cfg(test)]

mod canary_real;

use std::{path::Path, process::Command, time::Duration};

use obstack_api::{Reason, Signal};
use obstack_core::canary::{Objects, objects::MIMIR_DUE};
use obstack_engine::canary::Prober;
use rustix::process::Signal as Kill;

use canary_real::{
    BUCKET, KEYS, Running, Store, free_ports, given, http, missed, now, passed, probe, proxy, round, until,
};

struct Part {
    running: Running,
    http: u16,
}

/// A Mimir with some of its roles. The gossip of the first is where the others join.
fn mimir(binary: &Path, folder: &Path, store: &Store, roles: &str, gossip: (u16, u16)) -> Part {
    let name = roles.split(',').next().unwrap_or_default();
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let [http, grpc] = free_ports();
    let mut command = Command::new(binary);
    let mut set = |flag: &str, value: &str| _ = command.arg(format!("-{flag}={value}"));
    set("target", roles);
    for (flag, value) in [
        ("server.http-listen-address", "127.0.0.1"),
        ("server.grpc-listen-address", "127.0.0.1"),
        ("memberlist.bind-addr", "127.0.0.1"),
        ("memberlist.advertise-addr", "127.0.0.1"),
        ("memberlist.nodename", name),
        ("query-scheduler.service-discovery-mode", "ring"),
        ("query-frontend.instance-addr", "127.0.0.1"),
        ("auth.multitenancy-enabled", "false"),
        ("ingester.ring.replication-factor", "1"),
        ("store-gateway.sharding-ring.replication-factor", "1"),
        ("common.storage.backend", "s3"),
        ("common.storage.s3.endpoint", &store.address()),
        ("common.storage.s3.insecure", "true"),
        ("common.storage.s3.region", "us-east-1"),
        ("common.storage.s3.bucket-lookup-type", "path"),
        ("common.storage.s3.access-key-id", KEYS.0),
        ("common.storage.s3.secret-access-key", KEYS.1),
        ("blocks-storage.s3.bucket-name", BUCKET),
        ("usage-stats.enabled", "false"),
        ("log.level", "warn"),
    ] {
        set(flag, value);
    }
    for (flag, port) in [
        ("server.http-listen-port", http),
        ("server.grpc-listen-port", grpc),
        ("memberlist.bind-port", gossip.0),
        ("memberlist.advertise-port", gossip.0),
    ] {
        set(flag, &port.to_string());
    }
    set("memberlist.join", &format!("127.0.0.1:{}", gossip.1));
    for ring in [
        "ingester.ring",
        "distributor.ring",
        "compactor.ring",
        "store-gateway.sharding-ring",
        "query-scheduler.ring",
        "querier.ring",
    ] {
        set(&format!("{ring}.instance-addr"), "127.0.0.1");
        set(&format!("{ring}.instance-id"), name);
    }
    for flag in [
        "blocks-storage.tsdb.dir",
        "blocks-storage.bucket-store.sync-dir",
        "compactor.data-dir",
        "activity-tracker.filepath",
    ] {
        set(flag, &folder.join(flag).to_string_lossy());
    }
    Part { running: Running::start(command, &folder.join("log")), http }
}

#[tokio::test]
async fn a_real_mimir_is_proved_and_each_of_its_faults_has_its_word() {
    let (Some(binary), Some(versitygw)) = (given("OBSTACK_MIMIR"), given("OBSTACK_VERSITYGW")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::start(&versitygw, folder.path()).await;
    let gossip: [u16; 3] = free_ports();
    let part = |roles, own| mimir(&binary, folder.path(), &store, roles, (own, gossip[0]));
    let kept = part("ingester,store-gateway,compactor", gossip[0]);
    let write = part("distributor", gossip[1]);
    let read = part("query-frontend,querier,query-scheduler", gossip[2]);
    let prober = Prober::new(proxy()).unwrap();
    let probe =
        probe(Signal::Metrics, (write.http, "/otlp/v1/metrics"), (read.http, "/prometheus"), MIMIR_DUE);
    let none = Duration::ZERO;

    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::NotDue)).await;
    let every = "/prometheus/api/v1/query?query=count(%7B__name__!=%22%22%7D)";
    let count = http(read.http, "GET", every);
    assert!(count.contains(r#","1"]"#), "one series: {count}");

    // No block has come, though one is due.
    let outcome = round(&prober, &probe, &store, now(), MIMIR_DUE).await;
    missed(&outcome, Reason::ObjectNotSeen, true, &["no block of the last 210 min", BUCKET]);

    // The operator's clock is off: by little, which Mimir takes; by much, which it says.
    let hour = Duration::from_hours(1);
    let outcome = round(&prober, &probe, &store, now() + hour, none).await;
    missed(&outcome, Reason::WriteFailed, true, &["too-far-in-future", "the clock of the operator's node"]);
    let outcome = round(&prober, &probe, &store, now().saturating_sub(3 * hour), none).await;
    missed(&outcome, Reason::WriteFailed, true, &["the clock of the operator's node"]);

    // Blocks reach the bucket.
    http(kept.http, "POST", "/ingester/flush");
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;
    let outcome = round(&prober, &probe, &store, now(), MIMIR_DUE).await;
    assert!(passed(&outcome, Objects::Seen), "{outcome:?}");

    // The object store is gone: writes and queries go on.
    store.end();
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::ObjectNotSeen, true, &["are accepted", "cannot be looked into"]);
    store.begin();
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;

    // The query path hangs, then is gone.
    read.running.signal(Kill::STOP);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::ReadBackTimeout, true, &["within 10 s", "in time"]);
    read.running.signal(Kill::CONT);
    until(&prober, &probe, &store, |outcome| passed(outcome, Objects::Seen)).await;
    drop(read);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::ReadBackTimeout, true, &["refused"]);

    // The ingester is gone: the distributor says so.
    drop(kept);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::WriteFailed, true, &["503", "send data to ingesters"]);

    // The door itself hangs, then is gone.
    write.running.signal(Kill::STOP);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::WriteFailed, false, &["in time"]);
    drop(write);
    let outcome = round(&prober, &probe, &store, now(), none).await;
    missed(&outcome, Reason::WriteFailed, false, &["refused"]);
}
