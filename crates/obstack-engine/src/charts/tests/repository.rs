//! Pulls from a repository over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use obstack_api::Reason;

use super::{helm_for_tests, pack, request, store_with, write_chart};
use crate::charts::{Helm, Source, digest};

/// Serves the files of a folder. Gives its URL and the paths that were asked for.
fn serve(folder: &Path) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (folder, seen) = (folder.to_owned(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = match fs::read(folder.join(path.trim_start_matches('/'))) {
                Ok(body) => (200, body),
                Err(_) => (404, Vec::new()),
            };
            log.lock().unwrap().push(path);
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (url, seen)
}

/// A repository with one chart; gives its URL, what was asked of it, and the digest of the archive.
fn repository(helm: &Helm, folder: &Path) -> (String, Arc<Mutex<Vec<String>>>, String) {
    let repo = folder.join("repo");
    let archive = pack(helm, &write_chart(folder, "tiny", "", &[("a.yaml", "a: b")]), &repo);
    let index = "apiVersion: v1\nentries:\n  tiny:\n  - {apiVersion: v2, name: tiny, version: 1.2.3, urls: [tiny-1.2.3.tgz]}\n";
    fs::write(repo.join("index.yaml"), index).unwrap();
    let (url, seen) = serve(&repo);
    (url, seen, digest::archive(&archive).unwrap())
}

#[tokio::test]
async fn an_upstream_chart_is_pulled_once_and_then_found_in_the_cache() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (url, seen, digest) = repository(&helm, folder.path());
    let store = store_with(folder.path(), None, helm.path());
    let request = request(Source::Upstream, &url, Some(&digest));
    let all = futures::future::join_all((0..5).map(|_| store.locate(&request))).await;
    for located in all {
        let located = located.unwrap();
        assert_eq!(located.digest, format!("sha256:{digest}"));
        assert!(
            located.path.to_string_lossy().contains(&format!("cache/charts/tiny-1.2.3-{}", &digest[..12]))
        );
    }
    let pulls = || seen.lock().unwrap().iter().filter(|path| path.contains("tiny-1.2.3")).count();
    assert_eq!(pulls(), 1, "{seen:?}");
    // Damage in the cache is noticed and mended.
    let cached = store.locate(&request).await.unwrap().path;
    fs::write(&cached, "damaged").unwrap();
    assert_eq!(store.locate(&request).await.unwrap().path, cached);
    assert_eq!(pulls(), 2);
}

#[tokio::test]
async fn an_archive_with_another_digest_never_reaches_the_cache() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (url, _, found) = repository(&helm, folder.path());
    let store = store_with(folder.path(), None, helm.path());
    let error = store.locate(&request(Source::Upstream, &url, Some(&"0".repeat(64)))).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartDigestMismatch);
    assert!(error.to_string().contains(&found) && error.to_string().contains(&url), "{error}");
    assert!(!folder.path().join("cache/charts").exists());
}

#[tokio::test]
async fn a_repository_that_is_not_there_or_lacks_the_chart_says_so() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (url, _, digest) = repository(&helm, folder.path());
    let store = store_with(folder.path(), None, helm.path());
    let missing =
        super::ChartRequest { version: "7.7.7".to_owned(), ..request(Source::Upstream, &url, Some(&digest)) };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = request(Source::Upstream, &format!("http://127.0.0.1:{port}"), Some(&digest));
    for request in [missing, closed] {
        let error = store.locate(&request).await.unwrap_err();
        assert_eq!(error.reason(), Reason::ChartUnavailable);
        println!("{error}");
        assert!(error.to_string().contains("--charts DIR"), "{error}");
    }
    let hidden = request(Source::Upstream, "https://user:hunter2@charts.example", Some(&digest));
    assert!(!store.locate(&hidden).await.unwrap_err().to_string().contains("hunter2"));
}
