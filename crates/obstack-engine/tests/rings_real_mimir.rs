//! The rings of a real Mimir: one process with every role, in a folder of its own. `OBSTACK_MIMIR` names the binary.

#![cfg(test)]

use std::{
    env,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use obstack_core::{
    names::StackKey,
    rings::{Expected, Gossipers, QuorumRule, RingHealth, RingToAsk, Verdict, Why},
};
use obstack_engine::rings::{Rings, Way};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

/// A first start, with a ring for each role, takes some seconds.
const PATIENCE: Duration = Duration::from_mins(2);

struct Mimir {
    process: Child,
    http: SocketAddr,
}

impl Drop for Mimir {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mimir {
    fn start(binary: &Path, folder: &Path) -> Self {
        let [http, grpc, gossip] = free_ports();
        let mut command = Command::new(binary);
        let mut set = |flag: &str, value: &str| _ = command.arg(format!("-{flag}={value}"));
        set("target", "all");
        for (part, port) in
            [("server.http-listen", http), ("server.grpc-listen", grpc), ("memberlist.bind", gossip)]
        {
            set(
                &format!("{part}-{}", if part.starts_with("server") { "address" } else { "addr" }),
                "127.0.0.1",
            );
            set(&format!("{part}-port"), &port.to_string());
        }
        set("memberlist.advertise-addr", "127.0.0.1");
        set("memberlist.advertise-port", &gossip.to_string());
        set("memberlist.nodename", "m-0");
        for ring in [
            "ingester.ring",
            "distributor.ring",
            "compactor.ring",
            "store-gateway.sharding-ring",
            "ruler.ring",
            "alertmanager.sharding-ring",
            "query-scheduler.ring",
            "querier.ring",
            "overrides-exporter.ring",
        ] {
            set(&format!("{ring}.instance-addr"), "127.0.0.1");
            set(&format!("{ring}.instance-id"), "m-0");
        }
        set("query-frontend.instance-addr", "127.0.0.1");
        set("ingester.ring.replication-factor", "1");
        set("store-gateway.sharding-ring.replication-factor", "1");
        set("common.storage.backend", "filesystem");
        for flag in [
            "common.storage.filesystem.dir",
            "blocks-storage.filesystem.dir",
            "blocks-storage.tsdb.dir",
            "blocks-storage.bucket-store.sync-dir",
            "compactor.data-dir",
            "ruler.rule-path",
            "ruler-storage.filesystem.dir",
            "alertmanager.storage.path",
            "alertmanager-storage.filesystem.dir",
            "activity-tracker.filepath",
        ] {
            set(flag, &folder.join(flag).to_string_lossy());
        }
        set("usage-stats.enabled", "false");
        set("log.level", "warn");
        let log = File::create(folder.join("log")).unwrap();
        let process =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { process, http: SocketAddr::from(([127, 0, 0, 1], http)) }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

/// Three ports that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn page(path: &str, members: u32, rule: QuorumRule) -> RingToAsk {
    let expected = Expected::Ring {
        members,
        replication_factor: 1,
        rule,
        // Mimir's own, since no chart raises it here.
        heartbeat_timeout: Some(Duration::from_mins(1)),
    };
    RingToAsk {
        component: path.to_owned(),
        service: "mimir".into(),
        namespace: "a".into(),
        port: 0,
        path: path.into(),
        expected,
    }
}

/// What is seen when it is as it should be; each look before it is printed.
async fn until(
    rings: &Arc<Rings>,
    news: &mut mpsc::UnboundedReceiver<StackKey>,
    pages: &[RingToAsk],
    good: impl Fn(&RingHealth) -> bool,
) -> Vec<RingHealth> {
    let key = StackKey { namespace: "a".into(), name: "b".into() };
    let wait = async {
        loop {
            if let Some(seen) = rings.look(&key, pages) {
                for health in &seen {
                    println!("{}", health.message());
                }
                println!();
                if seen.iter().all(&good) {
                    return seen;
                }
            }
            news.recv().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never came to be")
}

#[tokio::test]
async fn the_rings_of_a_real_mimir_are_read_and_a_hung_or_dead_one_is_unknown() {
    let Some(binary) = env::var_os("OBSTACK_MIMIR").map(PathBuf::from) else {
        return println!("not run: real Mimir (OBSTACK_MIMIR is not set)");
    };
    let folder = tempfile::tempdir().unwrap();
    let mimir = Mimir::start(&binary, folder.path());
    let (triggers, mut news) = mpsc::unbounded_channel();
    let rings = Arc::new(Rings::new(Way::Address(mimir.http), Duration::from_millis(500), triggers));
    let gossip = Expected::Gossip(vec![Gossipers { workload: "m".into(), pods: 1 }]);
    let pages = [
        page("/ingester/ring", 1, QuorumRule::Majority),
        page("/store-gateway/ring", 1, QuorumRule::OneToRead),
        page("/compactor/ring", 1, QuorumRule::Nothing),
        RingToAsk { expected: gossip, ..page("/memberlist", 0, QuorumRule::Nothing) },
    ];
    let healthy = |health: &RingHealth| health.verdict == Verdict::Healthy { members: 1 };
    until(&rings, &mut news, &pages, healthy).await;

    // One more is expected than there is. With a factor of 1 the other goes on.
    let more = [page("/ingester/ring", 2, QuorumRule::Majority)];
    let seen =
        until(&rings, &mut news, &more, |health| matches!(health.verdict, Verdict::Unhealthy(_))).await;
    assert!(
        seen.iter().all(|health| health.message().contains("1 of the expected are not in it")),
        "{seen:?}"
    );

    mimir.signal(Signal::STOP);
    until(&rings, &mut news, &pages, |health| health.verdict == Verdict::Unknown(Why::TimedOut)).await;
    mimir.signal(Signal::CONT);
    until(&rings, &mut news, &pages, healthy).await;

    drop(mimir);
    let refused = |health: &RingHealth| matches!(health.verdict, Verdict::Unknown(Why::Unreachable { .. }));
    until(&rings, &mut news, &pages, refused).await;
}
