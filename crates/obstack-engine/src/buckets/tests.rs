//! What each answer of a server comes to mean, against a server that gives canned answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obstack_api::Reason;

use super::access::Deadlines;
use super::{Access, Client, Ensured, Policy, Secret, StorageError};

const BUCKET: &str = "obs-traces-dev-blocks";
const US: &str = "cluster-1/monitoring/dev";
const MAKE: Policy = Policy { create: true, adopt: false };
const ADOPT: Policy = Policy { create: true, adopt: true };

fn access(endpoint: &str) -> Access {
    Access {
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        force_path_style: true,
        ca_pem: None,
        access_key: "AKIDVISIBLE".to_owned(),
        secret_key: Secret::new("never-show-this"),
    }
}

fn client(endpoint: &str) -> Client {
    let deadlines = Deadlines { connect: Duration::from_millis(300), operation: Duration::from_millis(600) };
    Client::with_deadlines(&access(endpoint), deadlines).unwrap()
}

/// A server that answers each request with what `answer` makes of its first line and headers, in lower case. An empty answer means to
/// hang. Gives its URL and the first lines it saw.
fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
            let mut head = Vec::new();
            let mut byte = [0_u8];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
            let _ = stream.read_exact(&mut body);
            log.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
            let text = answer(&head);
            if text.is_empty() {
                hanging.push(stream);
            } else {
                let _ = stream.write_all(text.as_bytes());
            }
        }
    });
    (url, seen)
}

fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn coded(status: u16, code: &str) -> String {
    http(
        status,
        &format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>never-show-body</Message></Error>"
        ),
    )
}

/// A server without the bucket: `answer` is for all that is neither HEAD nor the list.
fn without_bucket(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    server(move |head| match head {
        head if head.starts_with("head") => http(404, ""),
        head if head.starts_with("get") && head.contains("list-type") => coded(404, "NoSuchBucket"),
        head => answer(head),
    })
}

/// HEAD answers 403, which says nothing, and the list says `code`.
fn forbidden(code: &'static str) -> String {
    server(move |head| if head.starts_with("head") { http(403, "") } else { coded(403, code) }).0
}

async fn failure(url: &str) -> StorageError {
    let error = client(url).ensure(BUCKET, US, MAKE).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(url), "{text}");
    for hidden in ["never-show", "AKIDVISIBLE"] {
        assert!(!text.contains(hidden) && !format!("{error:?}").contains(hidden), "{text}");
    }
    error
}

#[tokio::test]
async fn a_403_without_a_code_is_told_apart_by_a_list() {
    for (code, reason) in [
        ("InvalidAccessKeyId", Reason::AccessKeyRejected),
        ("SignatureDoesNotMatch", Reason::SignatureRejected),
        ("AccessDenied", Reason::AccessDenied),
        ("RequestTimeTooSkewed", Reason::StorageFailed),
        ("XAdminUserNotFound", Reason::AccessKeyRejected),
    ] {
        let error = failure(&forbidden(code)).await;
        assert_eq!(error.reason(), reason, "{error}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_made_and_claimed() {
    let (url, seen) = without_bucket(|_| http(200, ""));
    assert_eq!(client(&url).ensure(BUCKET, US, MAKE).await.unwrap(), Ensured::Created);
    let seen = seen.lock().unwrap();
    let verbs: Vec<_> =
        seen.iter().map(|line| line.split('?').next().unwrap().replace(" http/1.1", "")).collect();
    assert_eq!(
        verbs,
        [
            format!("head /{BUCKET}/"),
            format!("get /{BUCKET}/"),
            format!("put /{BUCKET}/"),
            format!("put /{BUCKET}/obstack-owner")
        ]
    );
}

#[tokio::test]
async fn a_missing_bucket_is_not_made_without_leave() {
    let (url, seen) = without_bucket(|_| http(200, ""));
    let error = client(&url).ensure(BUCKET, US, Policy { create: false, adopt: true }).await.unwrap_err();
    assert_eq!(error.reason(), Reason::NoSuchBucket);
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn keys_that_may_make_buckets_but_not_list_them_still_make_one() {
    let (url, _) = server(|head| match head {
        head if head.starts_with("head") => http(404, ""),
        head if head.starts_with("get") => coded(403, "AccessDenied"),
        _ => http(200, ""),
    });
    assert_eq!(client(&url).ensure(BUCKET, US, MAKE).await.unwrap(), Ensured::Created);
}

#[tokio::test]
async fn the_answers_to_create_are_told_apart() {
    for (status, code, reason) in [
        (409, "BucketAlreadyExists", Reason::BucketOwnedByOther),
        (403, "AccessDenied", Reason::AccessDenied),
        (400, "InvalidBucketName", Reason::InvalidBucketName),
        (400, "<b>never-show</b>", Reason::StorageFailed),
    ] {
        let (url, _) = without_bucket(move |_| coded(status, code));
        assert_eq!(failure(&url).await.reason(), reason, "{code}");
    }
}

#[tokio::test]
async fn a_bucket_of_nobody_is_taken_only_when_adopting() {
    let answers = |head: &str| match head {
        head if head.starts_with("get") => coded(404, "NoSuchKey"),
        _ => http(200, ""),
    };
    let (url, _) = server(answers);
    assert_eq!(failure(&url).await.reason(), Reason::BucketExists);
    assert_eq!(client(&url).ensure(BUCKET, US, ADOPT).await.unwrap(), Ensured::Existed);
}

#[tokio::test]
async fn a_bucket_of_another_stack_is_never_taken_and_its_name_is_told() {
    let (url, seen) =
        server(
            |head| {
                if head.starts_with("get") { http(200, "cluster-2/monitoring/dev\n") } else { http(200, "") }
            },
        );
    let error = client(&url).ensure(BUCKET, US, ADOPT).await.unwrap_err();
    assert_eq!(error.reason(), Reason::BucketOwnedByOther);
    assert!(error.to_string().contains("cluster-2/monitoring/dev"), "{error}");
    assert!(!seen.lock().unwrap().iter().any(|line| line.starts_with("put")));
}

#[tokio::test]
async fn of_two_that_claim_at_once_the_second_learns_who_was_first() {
    let gets = Mutex::new(0);
    let (url, _) = server(move |head| match head {
        head if head.starts_with("put") => coded(412, "PreconditionFailed"),
        head if head.starts_with("get") => {
            let mut gets = gets.lock().unwrap();
            *gets += 1;
            if *gets == 1 { coded(404, "NoSuchKey") } else { http(200, "cluster-2/other/dev") }
        }
        _ => http(200, ""),
    });
    let error = client(&url).ensure(BUCKET, US, ADOPT).await.unwrap_err();
    assert!(error.to_string().contains("cluster-2/other/dev"), "{error}");
}

#[tokio::test]
async fn a_store_without_conditional_writes_is_claimed_by_looking_before_and_after() {
    let written = Mutex::new(false);
    let (url, _) = server(move |head| {
        let mut written = written.lock().unwrap();
        match head {
            head if head.starts_with("put") && head.contains("if-none-match") => coded(501, "NotImplemented"),
            head if head.starts_with("put") => {
                *written = true;
                http(200, "")
            }
            head if head.starts_with("get") && *written => http(200, US),
            head if head.starts_with("get") => coded(404, "NoSuchKey"),
            _ => http(200, ""),
        }
    });
    assert_eq!(client(&url).ensure(BUCKET, US, ADOPT).await.unwrap(), Ensured::Existed);
}

#[tokio::test]
async fn what_is_no_s3_answer_is_a_failure_with_its_status() {
    let (url, _) =
        server(|head| if head.starts_with("head") { http(404, "") } else { http(405, "<html>never-show") });
    assert!(matches!(failure(&url).await, StorageError::Failed { status: 405, .. }));
    let (url, _) = server(|_| "never-show garbage\r\n\r\n".to_owned());
    assert_eq!(failure(&url).await.reason(), Reason::EndpointUnreachable);
}

#[tokio::test]
async fn a_passing_error_is_tried_once_more_and_no_oftener() {
    let (url, seen) = server(|_| http(503, ""));
    let error = failure(&url).await;
    assert!(matches!(error, StorageError::Failed { status: 503, .. }), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_deadline() {
    let (url, _) = server(|_| String::new());
    let start = Instant::now();
    let error = failure(&url).await;
    assert!(matches!(error, StorageError::TimedOut { milliseconds: 600, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_that_hangs_costs_one_deadline() {
    let (url, _) = server(|head| match head {
        head if head.starts_with("get") => "HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\npart".to_owned(),
        _ => http(200, ""),
    });
    let error = failure(&url).await;
    assert_eq!(error.reason(), Reason::EndpointUnreachable, "{error}");
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_host_say_so() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = failure(&format!("http://127.0.0.1:{port}")).await.to_string();
    assert!(text.contains("refused"), "{text}");
    let error = failure("http://no-such-host.invalid:8333").await;
    assert_eq!(error.reason(), Reason::EndpointUnreachable, "{error}");
}

#[tokio::test]
async fn tls_to_a_server_without_tls_is_a_tls_failure() {
    let (url, _) = server(|_| http(400, "never-show"));
    let error = failure(&url.replace("http://", "https://")).await;
    assert_eq!(error.reason(), Reason::TLSVerificationFailed, "{error}");
}

#[tokio::test]
async fn a_probe_that_reads_other_bytes_fails_and_cleans_up() {
    let (url, seen) = server(|head| if head.starts_with("get") { http(200, "other") } else { http(200, "") });
    let error = client(&url).probe(BUCKET, "dev-1").await.unwrap_err();
    assert!(matches!(error, StorageError::ProbeMismatch { .. }), "{error}");
    assert!(seen.lock().unwrap().last().unwrap().starts_with("delete"));
}

#[tokio::test]
async fn a_probe_names_the_right_that_is_missing() {
    let (url, _) = server(|head| match head {
        head if head.starts_with("delete") => coded(403, "AccessDenied"),
        head if head.starts_with("get") => http(200, "obstack probe dev-1\n"),
        _ => http(200, ""),
    });
    let text = client(&url).probe(BUCKET, "dev-1").await.unwrap_err().to_string();
    assert!(text.ends_with(&format!("allow s3:DeleteObject on {BUCKET}/*")), "{text}");
}

#[tokio::test]
async fn a_bad_name_is_refused_before_anything_is_sent() {
    let (url, seen) = server(|_| http(200, ""));
    for name in ["", "b2", "a/../b", "UPPER", "-a-b", "a..b", &"a".repeat(64), "abc--x-s3"] {
        let error = client(&url).ensure(name, US, MAKE).await.unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidBucketName, "{name}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn keys_that_cannot_stand_in_a_header_are_an_error_and_no_panic() {
    for broken in ["", "never-show\n", "never show", "never-sh\u{f6}w"] {
        let key = Access { access_key: broken.to_owned(), ..access("http://s3:8333") };
        let secret = Access { secret_key: Secret::new(broken), ..access("http://s3:8333") };
        for (access, reason) in [(key, Reason::AccessKeyRejected), (secret, Reason::SignatureRejected)] {
            let error = Client::new(&access).unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(!error.to_string().contains("never"), "{error}");
        }
    }
    for region in ["", "eu west", "eu\n", "eu/1"] {
        let access = Access { region: region.to_owned(), ..access("http://s3:8333") };
        assert_eq!(Client::new(&access).unwrap_err().reason(), Reason::InvalidEndpoint);
    }
}

#[test]
fn an_endpoint_is_a_scheme_a_host_and_a_port() {
    for good in ["http://s3:8333", "https://s3.example.com", "http://[::1]:8333", "http://10.0.0.1:1/"] {
        assert!(Client::new(&access(good)).is_ok(), "{good}");
    }
    for bad in [
        "",
        "s3:8333",
        "ftp://s3",
        "http://",
        "http://s3:0",
        "http://s3:99999",
        "http://s3/path",
        "http://s3?x",
        "http://a b",
    ] {
        let error = Client::new(&access(bad)).unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidEndpoint, "{bad}");
    }
    let error = Client::new(&access("http://user:hunter2@s3:8333")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[test]
fn an_authority_that_cannot_be_read_is_an_error_and_no_panic() {
    let pem =
        |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").into_bytes();
    for bad in [
        vec![],
        b"text".to_vec(),
        vec![0xff],
        pem("!!"),
        pem("aGVsbG8="),
        b"-----BEGIN CERTIFICATE-----".to_vec(),
    ] {
        let broken = Access { ca_pem: Some(bad), ..access("https://s3:8333") };
        assert_eq!(Client::new(&broken).unwrap_err().reason(), Reason::TLSVerificationFailed);
    }
}

#[test]
fn keys_are_never_printed() {
    let access = access("http://s3:8333");
    let text = format!("{access:?} {:?} {:?}", access.secret_key, Client::new(&access).unwrap());
    assert!(!text.contains("never-show-this") && !text.contains("AKIDVISIBLE"), "{text}");
}
