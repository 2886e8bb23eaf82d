//! The rings of a real Mimir: one process with every role, in a folder of its own. `OBSTACK_MIMIR` names the binary.

#![cfg(test)]

mod real_mimir;

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use obstack_core::{
    names::StackKey,
    rings::{Expected, Gossipers, QuorumRule, RingHealth, RingToAsk, Verdict, Why},
};
use obstack_engine::{reach::Way, rings::Rings};
use real_mimir::Mimir;
use rustix::process::Signal;
use tokio::sync::mpsc;

/// A first start, with a ring for each role, takes some seconds.
const PATIENCE: Duration = Duration::from_mins(2);

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
