//! The canaries of several stacks against an HTTP server that takes a sample and gives it back.

#![cfg(test)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use obstack_api::{ConditionStatus, Reason, Signal};
use obstack_core::{canary::Probe, finding::Finding, names::StackKey, reach::Door};
use obstack_engine::{
    buckets::{Access, Secret},
    canary::{Canaries, Wanted},
    context::ClientHandle,
    metrics::Metrics,
    reach::Way,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::sync::mpsc;

/// What a backend does with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Refuses,
    Hangs,
}

/// A server; what it got, head and body; and its mood, which a test changes.
struct Backend {
    address: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Backend {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            mood: Arc::new(Mutex::new(mood)),
        };
        let (got, mood, sample) = (Arc::clone(&backend.got), Arc::clone(&backend.mood), Arc::default());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (got, sample) = (Arc::clone(&got), Arc::clone(&sample));
                let mood = *mood.lock().unwrap();
                std::thread::spawn(move || answer(stream.unwrap(), mood, &got, &sample));
            }
        });
        backend
    }

    fn writes(&self) -> usize {
        self.got.lock().unwrap().iter().filter(|request| request.starts_with("POST")).count()
    }
}

fn answer(mut stream: TcpStream, mood: Mood, got: &Mutex<Vec<String>>, sample: &Mutex<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let before = head.len();
        if reader.read_line(&mut head).unwrap_or(0) <= 2 {
            break;
        }
        let line = head[before..].to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    let write = head.starts_with("POST");
    got.lock().unwrap().push(format!("{head}{body}"));
    let (status, text) = match mood {
        Mood::Hangs => return drop(reader.read_to_string(&mut String::new())),
        Mood::Refuses if write => ("503 Service Unavailable", "no ingester".to_owned()),
        _ if write => {
            *sample.lock().unwrap() =
                body.split("\"asInt\":\"").nth(1).unwrap_or_default().split('"').next().unwrap().to_owned();
            ("200 OK", "{}".to_owned())
        }
        _ => {
            let value = sample.lock().unwrap();
            ("200 OK", format!(r#"{{"data":{{"result":[{{"value":[1,"{value}"]}}]}}}}"#))
        }
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
}

fn key(name: &str) -> StackKey {
    StackKey { namespace: "ns".into(), name: name.into() }
}

fn wanted(interval: u64) -> Wanted {
    let door = |service: &str| Door { service: service.into(), namespace: "ns".into(), port: 8080 };
    Wanted {
        uid: "0b5e".into(),
        interval: Duration::from_millis(interval),
        probes: vec![Probe {
            signal: Signal::Metrics,
            write: door("a-distributor"),
            write_path: "/otlp/v1/metrics".into(),
            read: door("a-query-frontend"),
            read_path: "/prometheus".into(),
            blocks: None,
        }],
        access: Access {
            endpoint: "http://127.0.0.1:1".into(),
            region: "us-east-1".into(),
            force_path_style: true,
            ca_pem: None,
            access_key: "a".into(),
            secret_key: Secret::new("b"),
        },
    }
}

struct Scene {
    canaries: Arc<Canaries>,
    news: mpsc::UnboundedReceiver<StackKey>,
    registry: Registry,
}

impl Scene {
    fn new(way: Way) -> Self {
        let (triggers, news) = mpsc::unbounded_channel();
        let mut registry = Registry::default();
        let canaries = Arc::new(Canaries::new(way, Metrics::new(&mut registry), triggers));
        Self { canaries, news, registry }
    }

    fn look(&self, name: &str, wanted: &Wanted) -> Option<Finding> {
        self.canaries.look(&key(name), wanted.clone(), true, None)
    }

    /// What is said at the next news of a stack.
    async fn next(&mut self, name: &str, wanted: &Wanted) -> Finding {
        let told = tokio::time::timeout(Duration::from_mins(1), self.news.recv()).await;
        assert_eq!(told.expect("no news"), Some(key(name)));
        self.look(name, wanted).expect("news of nothing")
    }

    fn scrape(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text.lines().filter(|line| line.starts_with("obstack_canary")).collect::<Vec<_>>().join("\n")
    }
}

fn proxy(address: SocketAddr) -> Way {
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    Way::Proxy(ClientHandle(kube::Client::try_from(config).unwrap()))
}

#[tokio::test]
async fn by_either_way_a_round_is_one_write_and_what_came_back_is_told() {
    let through = "/api/v1/namespaces/ns/services/";
    let cases = [
        (false, String::new(), String::new()),
        (true, format!("{through}a-distributor:8080/proxy"), format!("{through}a-query-frontend:8080/proxy")),
    ];
    for (proxied, write, read) in cases {
        let backend = Backend::start(Mood::Good);
        let mut scene =
            Scene::new(if proxied { proxy(backend.address) } else { Way::Address(backend.address) });
        let wanted = wanted(600_000);
        assert_eq!(scene.look("a", &wanted).unwrap().reason, Reason::NotYetRun);
        let finding = scene.next("a", &wanted).await;
        assert_eq!(finding, Finding::holds(Reason::Verified, "metrics come back within 1 s"));
        let got = backend.got.lock().unwrap();
        let [first, second] = got.as_slice() else { panic!("{got:?}") };
        assert!(first.starts_with(&format!("POST {write}/otlp/v1/metrics HTTP/1.1\r\n")), "{first}");
        assert!(first.to_lowercase().contains("content-type: application/json"), "{first}");
        let query = format!(
            "GET {read}/prometheus/api/v1/query?query=obstack_canary_unix_seconds%7Bjob%3D%22obstack-canary%22%7D&time="
        );
        assert!(second.starts_with(&query), "{second}");
        let text = scene.scrape();
        assert!(
            text.contains(r#"obstack_canary_latency_seconds{namespace="ns",name="a",signal="metrics"} 0."#),
            "{text}"
        );
        assert!(
            text.contains(
                r#"obstack_canary_last_success_timestamp_seconds{namespace="ns",name="a",signal="metrics"} 1"#
            ),
            "{text}"
        );
        scene.canaries.forget_stack(&key("a"));
        assert_eq!(scene.scrape(), "", "the series go with the stack");
    }
}

#[tokio::test]
async fn i2_a_stack_is_triggered_when_the_word_changes_and_only_then() {
    let backend = Backend::start(Mood::Good);
    let mut scene = Scene::new(Way::Address(backend.address));
    let wanted = wanted(20);
    scene.look("a", &wanted);
    assert_eq!(scene.next("a", &wanted).await.status, ConditionStatus::True);
    let many = backend.writes() + 20;
    while backend.writes() < many {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(scene.news.try_recv().is_err(), "no news in twenty rounds");
    *backend.mood.lock().unwrap() = Mood::Refuses;
    let broken = scene.next("a", &wanted).await;
    assert_eq!((broken.status, broken.reason), (ConditionStatus::False, Reason::WriteFailed));
    assert!(broken.message.contains("answered with 503: no ingester"), "{}", broken.message);
    let text = scene.scrape();
    let failures =
        r#"obstack_canary_failures_total{namespace="ns",name="a",signal="metrics",reason="WriteFailed"} "#;
    assert!(text.contains(failures), "{text}");
    *backend.mood.lock().unwrap() = Mood::Good;
    assert_eq!(scene.next("a", &wanted).await.status, ConditionStatus::True);
}

#[tokio::test]
async fn i10_the_hung_door_of_many_stacks_delays_no_other() {
    let backend = Backend::start(Mood::Hangs);
    let mut scene = Scene::new(Way::Address(backend.address));
    let wanted = wanted(600_000);
    for number in 0..40 {
        scene.look(&format!("hung-{number}"), &wanted);
    }
    while backend.writes() < 40 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    *backend.mood.lock().unwrap() = Mood::Good;
    let began = Instant::now();
    scene.look("good", &wanted);
    assert_eq!(scene.next("good", &wanted).await.status, ConditionStatus::True);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn it_begins_when_the_stack_is_up_and_ends_when_it_is_forgotten_or_off() {
    let backend = Backend::start(Mood::Good);
    let mut scene = Scene::new(Way::Address(backend.address));
    let wanted = wanted(20);
    let look = |up| scene.canaries.look(&key("a"), wanted.clone(), up, None).unwrap();
    assert_eq!(look(false).reason, Reason::NotYetRun);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(backend.writes(), 0, "nothing is written to what is not up");
    look(true);
    scene.next("a", &wanted).await;
    let still = scene.canaries.look(&key("a"), wanted.clone(), false, None).unwrap();
    assert_eq!(still.status, ConditionStatus::True, "a rollout does not stop it");
    scene.canaries.forget_stack(&key("a"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let written = backend.writes();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(backend.writes(), written);
    let off = Scene::new(Way::Off);
    assert_eq!(off.look("a", &wanted), None);
    let nothing = Wanted { probes: Vec::new(), ..wanted.clone() };
    assert_eq!(scene.look("a", &nothing), None);
}

#[tokio::test]
async fn after_a_restart_the_last_word_stands_and_the_first_round_comes_within_the_interval() {
    let backend = Backend::start(Mood::Good);
    let mut scene = Scene::new(Way::Address(backend.address));
    let wanted = wanted(500);
    let before = Finding::fails(Reason::WriteFailed, "as before");
    let said = scene.canaries.look(&key("a"), wanted.clone(), true, Some(&before)).unwrap();
    assert_eq!(said, before);
    assert_eq!(scene.next("a", &wanted).await.status, ConditionStatus::True);
}

#[tokio::test]
async fn no_door_in_another_namespace_is_asked() {
    let backend = Backend::start(Mood::Good);
    let scene = Scene::new(Way::Address(backend.address));
    let mut foreign = wanted(20);
    foreign.probes[0].read.namespace = "kube-system".into();
    assert_eq!(scene.look("a", &foreign), None);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(backend.writes(), 0);
}
