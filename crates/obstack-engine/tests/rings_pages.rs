//! How the rings are asked: against a real HTTP server, straight and through what stands for the API server's proxy.

#![cfg(test)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use obstack_core::{
    names::StackKey,
    rings::{Expected, QuorumRule, RingHealth, RingToAsk, Verdict, Why},
};
use obstack_engine::{
    context::ClientHandle,
    reach::Way,
    rings::{LARGEST_PAGE, REQUEST_DEADLINE, Rings},
};
use tokio::sync::mpsc;

const ACTIVE: &[u8] = include_bytes!("../../obstack-core/testdata/rings/mimir-3.0.5-ingester-active.json");
const STOPPED: &[u8] =
    include_bytes!("../../obstack-core/testdata/rings/mimir-3.0.5-ingester-two-stopped.json");
const STARTING: &[u8] =
    include_bytes!("../../obstack-core/testdata/rings/mimir-3.0.5-compactor-starting.html");

/// Heads of the requests that a server got.
type Seen = Arc<Mutex<Vec<String>>>;

/// Answers each request with `answer`, which gets the path without what a proxy puts before it.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, seen) = (Arc::new(answer), Seen::default());
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer, log) = (stream.unwrap(), Arc::clone(&answer), Arc::clone(&log));
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                let path =
                    head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
                log.lock().unwrap().push(head.join("\n").to_lowercase());
                answer(path.split("/proxy").last().unwrap_or_default(), &mut stream);
            });
        }
    });
    (address, seen)
}

/// Writes; whoever has gone away misses it.
fn say(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// Keeps the connection and says nothing more until the other side closes it.
fn hang(stream: &TcpStream) {
    let _ = BufReader::new(stream).lines().map_while(Result::ok).count();
}

fn answer(path: &str, stream: &mut TcpStream) {
    match path {
        "/active" => say(stream, "200 OK", "content-type: application/json\r\n", ACTIVE),
        "/stopped" => say(stream, "200 OK", "", STOPPED),
        "/starting" => say(stream, "200 OK", "content-type: text/html\r\n", STARTING),
        "/forbidden" => {
            say(stream, "403 Forbidden", "", b"{\"kind\": \"Status\", \"message\": \"secret-of-the-body\"}");
        }
        "/refused" => say(stream, "403 Forbidden", "", b"secret-of-the-body"),
        "/failing" => say(stream, "500 Internal Server Error", "", b"secret-of-the-body"),
        "/redirect" => say(stream, "302 Found", "location: /active\r\n", b"secret-of-the-body"),
        "/half" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"shards\": [");
        }
        "/short" => say(stream, "200 OK", "", ACTIVE.get(..300).unwrap()),
        "/garbage" => _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2 secret-of-the-body\r\n"),
        "/silent" => hang(stream),
        "/stuck" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{");
            hang(stream);
        }
        "/endless" | "/endless-refusal" => {
            let status = if path == "/endless" { "200 OK" } else { "503 Unavailable" };
            let head = format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            while stream.write_all(chunk.as_bytes()).is_ok() {}
        }
        _ => say(stream, "404 Not Found", "", b"secret-of-the-body"),
    }
}

fn key() -> StackKey {
    StackKey { namespace: "ca7f8f-dev".into(), name: "dts-dev".into() }
}

fn page(path: &str) -> RingToAsk {
    RingToAsk {
        component: "metrics.ingester".into(),
        service: "dts-dev-mimir-distributor".into(),
        namespace: "ca7f8f-dev".into(),
        port: 8080,
        path: path.into(),
        expected: Expected::Ring {
            members: 3,
            replication_factor: 3,
            rule: QuorumRule::Majority,
            heartbeat_timeout: Some(Duration::from_mins(10)),
        },
    }
}

fn proxy(address: SocketAddr) -> Way {
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    Way::Proxy(ClientHandle(kube::Client::try_from(config).unwrap()))
}

struct Asked {
    rings: Arc<Rings>,
    news: mpsc::UnboundedReceiver<StackKey>,
}

impl Asked {
    fn new(way: Way, interval: Duration) -> Self {
        let (triggers, news) = mpsc::unbounded_channel();
        Self { rings: Arc::new(Rings::new(way, interval, triggers)), news }
    }

    /// What is seen once there is news.
    async fn next(&mut self, pages: &[RingToAsk]) -> Vec<RingHealth> {
        let told = tokio::time::timeout(Duration::from_secs(30), self.news.recv()).await;
        assert_eq!(told.expect("no news"), Some(key()));
        self.rings.look(&key(), pages).expect("news of nothing")
    }
}

/// The first verdict on a page.
async fn first(way: Way, path: &str) -> RingHealth {
    let mut asked = Asked::new(way, Duration::from_mins(10));
    assert_eq!(asked.rings.look(&key(), &[page(path)]), None, "nothing is said before it is seen");
    asked.next(&[page(path)]).await.remove(0)
}

#[tokio::test]
async fn every_answer_has_its_verdict_by_either_way() {
    let (address, seen) = serve(answer);
    let answered = |status| Verdict::Unknown(Why::Answered { status });
    let cases = [
        ("/active", Verdict::Healthy { members: 3 }),
        ("/starting", Verdict::Unknown(Why::NotJson)),
        ("/failing", answered(500)),
        ("/nothing", answered(404)),
        ("/redirect", answered(302)),
        ("/half", Verdict::Unknown(Why::Truncated)),
        ("/short", Verdict::Unknown(Why::Truncated)),
        ("/silent", Verdict::Unknown(Why::TimedOut)),
        ("/stuck", Verdict::Unknown(Why::TimedOut)),
        ("/endless", Verdict::Unknown(Why::TooLarge)),
        ("/endless-refusal", answered(503)),
    ];
    let began = Instant::now();
    let asked = cases.iter().flat_map(|(path, verdict)| {
        [Way::Address(address), proxy(address)].map(|way| async move {
            let name = format!("{path} by {way:?}");
            let health = first(way, path).await;
            assert_eq!(&health.verdict, verdict, "{name}");
            println!("{}", health.message());
            assert!(!health.message().contains("secret-of-the-body"), "{name}: {}", health.message());
        })
    });
    join_all(asked).await;
    assert!(began.elapsed() < REQUEST_DEADLINE * 3, "{:?}", began.elapsed());
    let active = seen.lock().unwrap().iter().filter(|head| head.contains("/active ")).count();
    assert_eq!(active, 2, "a redirect is not followed");
}

#[tokio::test]
async fn a_ring_that_lost_its_quorum_is_told_with_its_members() {
    let (address, _) = serve(answer);
    let health = first(Way::Address(address), "/stopped").await;
    assert!(matches!(health.verdict, Verdict::QuorumLost { left: 1, needed: 2, .. }), "{health:?}");
    assert!(health.message().contains("m-ingester-2"), "{}", health.message());
}

#[tokio::test]
async fn a_right_that_lacks_is_unknown_and_says_which() {
    let (address, _) = serve(answer);
    let health = first(proxy(address), "/forbidden").await;
    assert_eq!(health.verdict, Verdict::Unknown(Why::Forbidden));
    assert!(
        health.message().contains("`get` on services/proxy in namespace ca7f8f-dev"),
        "{}",
        health.message()
    );
    // A pod, or something before it, may refuse too: no right would help.
    let health = first(proxy(address), "/refused").await;
    assert_eq!(health.verdict, Verdict::Unknown(Why::Answered { status: 403 }));
    let health = first(Way::Address(address), "/forbidden").await;
    assert_eq!(health.verdict, Verdict::Unknown(Why::Answered { status: 403 }));
}

#[tokio::test]
async fn who_is_not_there_or_speaks_no_http_is_unknown() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for way in [Way::Address(closed), proxy(closed)] {
        let health = first(way, "/active").await;
        assert!(
            matches!(&health.verdict, Verdict::Unknown(Why::Unreachable { cause }) if cause.contains("refused")),
            "{health:?}"
        );
    }
    let (address, _) = serve(answer);
    for way in [Way::Address(address), proxy(address)] {
        let health = first(way, "/garbage").await;
        assert!(matches!(&health.verdict, Verdict::Unknown(Why::Unreachable { .. })), "{health:?}");
        assert!(!health.message().contains("secret-of-the-body"), "{}", health.message());
    }
    // No such name: that of the Service itself, outside of a cluster.
    let health = first(Way::Service, "/active").await;
    assert!(
        matches!(&health.verdict, Verdict::Unknown(Why::Unreachable { .. } | Why::TimedOut)),
        "{health:?}"
    );
}

#[tokio::test]
async fn a_request_says_that_it_wants_json_and_goes_to_the_service_of_the_stack() {
    let (address, seen) = serve(answer);
    first(Way::Address(address), "/active").await;
    first(proxy(address), "/active").await;
    let seen = seen.lock().unwrap();
    let lines: Vec<_> = seen.iter().map(|head| head.lines().next().unwrap()).collect();
    let proxied =
        "get /api/v1/namespaces/ca7f8f-dev/services/dts-dev-mimir-distributor:8080/proxy/active http/1.1";
    assert_eq!(lines, ["get /active http/1.1", proxied]);
    assert!(seen.iter().all(|head| head.contains("accept: application/json")), "{seen:?}");
}

#[tokio::test]
async fn a_look_triggers_its_stack_when_there_is_news_and_only_then() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looks);
    // The same ring for five looks, with a clock that goes on; then another one.
    let (address, _) = serve(move |_, stream| {
        let look = count.fetch_add(1, Ordering::SeqCst);
        let active =
            String::from_utf8_lossy(ACTIVE).replace("16:22:11.83892034Z", &format!("16:22:{}Z", 12 + look));
        say(stream, "200 OK", "", if look < 5 { active.as_bytes() } else { STOPPED });
    });
    let mut asked = Asked::new(Way::Address(address), Duration::from_millis(20));
    let pages = [page("/ring")];
    assert_eq!(asked.rings.look(&key(), &pages), None);
    let seen = asked.next(&pages).await;
    assert_eq!(seen.first().unwrap().verdict, Verdict::Healthy { members: 3 });
    let seen = asked.next(&pages).await;
    assert!(matches!(seen.first().unwrap().verdict, Verdict::QuorumLost { .. }), "{seen:?}");
    assert!(looks.load(Ordering::SeqCst) > 5, "no news in between");
}

#[tokio::test]
async fn other_pages_are_looked_at_anew() {
    let (address, _) = serve(answer);
    let mut asked = Asked::new(Way::Address(address), Duration::from_mins(10));
    assert_eq!(asked.rings.look(&key(), &[page("/active")]), None);
    asked.next(&[page("/active")]).await;
    let both = [page("/stopped"), page("/active")];
    assert_eq!(asked.rings.look(&key(), &both), None, "what was seen says nothing of other pages");
    let seen = asked.next(&both).await;
    let paths: Vec<_> = seen.iter().map(|health| health.asked.path.as_str()).collect();
    assert_eq!(paths, ["/stopped", "/active"]);
}

#[tokio::test]
async fn nobody_is_asked_for_a_stack_that_is_forgotten_or_when_all_is_dropped() {
    let (address, seen) = serve(answer);
    let mut asked = Asked::new(Way::Address(address), Duration::from_millis(20));
    let pages = [page("/active")];
    let quiet = async |seen: &Seen| {
        // What was under way may still come.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = seen.lock().unwrap().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(seen.lock().unwrap().len(), before);
    };
    asked.rings.look(&key(), &pages);
    asked.next(&pages).await;
    asked.rings.forget_stack(&key());
    quiet(&seen).await;
    assert_eq!(asked.rings.look(&key(), &pages), None, "it is looked at anew");
    asked.next(&pages).await;
    drop(asked);
    quiet(&seen).await;
}

#[tokio::test]
async fn nobody_is_asked_when_it_is_off_and_never_in_another_namespace() {
    let (address, seen) = serve(answer);
    let off = Asked::new(Way::Off, Duration::from_millis(20));
    assert_eq!(off.rings.look(&key(), &[page("/active")]), Some(Vec::new()));
    let mut asked = Asked::new(Way::Address(address), Duration::from_millis(20));
    let foreign = RingToAsk { namespace: "kube-system".into(), ..page("/foreign") };
    assert_eq!(asked.rings.look(&key(), std::slice::from_ref(&foreign)), Some(Vec::new()));
    assert_eq!(asked.rings.look(&key(), &[foreign.clone(), page("/active")]), None);
    assert_eq!(asked.next(&[foreign, page("/active")]).await.len(), 1);
    assert!(seen.lock().unwrap().iter().all(|head| !head.contains("foreign")));
}

#[tokio::test]
async fn the_largest_page_that_is_read_is_read() {
    let mut page_of_limit = ACTIVE.to_vec();
    page_of_limit.resize(LARGEST_PAGE, b' ');
    let (address, _) = serve(move |path, stream| {
        let more: &[u8] = if path == "/more" { b" " } else { b"" };
        say(stream, "200 OK", "", &[&page_of_limit, more].concat());
    });
    for way in [Way::Address(address), proxy(address)] {
        assert_eq!(first(way.clone(), "/limit").await.verdict, Verdict::Healthy { members: 3 });
        assert_eq!(first(way, "/more").await.verdict, Verdict::Unknown(Why::TooLarge));
    }
}
