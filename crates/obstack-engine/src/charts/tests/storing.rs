//! Where charts are found, and that nothing stands in for them.

use std::fs;

use obstack_api::Reason;

use super::{helm_for_tests, pack, request, store, write_chart};
use crate::charts::{ChartError, Source, digest};

#[tokio::test]
async fn a_bundled_chart_is_found_by_name_or_by_name_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let request = request(Source::Bundled, "", None);
    write_chart(folder.path(), "tiny", "", &[("a.yaml", "a: b")]);
    let plain = store(folder.path(), None).locate(&request).await.unwrap();
    assert!(plain.path.is_absolute() && plain.path.ends_with("tiny"), "{plain:?}");
    fs::rename(folder.path().join("tiny"), folder.path().join("tiny-1.2.3")).unwrap();
    let exact = store(folder.path(), None).locate(&request).await.unwrap();
    assert_eq!(exact.digest, plain.digest);
    fs::write(folder.path().join("tiny-1.2.3/templates/a.yaml"), "a: c").unwrap();
    assert_ne!(store(folder.path(), None).locate(&request).await.unwrap().digest, plain.digest);
}

#[tokio::test]
async fn a_bundled_chart_of_another_version_does_not_stand_in() {
    let folder = tempfile::tempdir().unwrap();
    let chart = write_chart(folder.path(), "tiny", "", &[]);
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: tiny\nversion: 9.9.9\n").unwrap();
    let error = store(folder.path(), None).locate(&request(Source::Bundled, "", None)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartUnavailable);
    assert!(error.to_string().contains("9.9.9"), "{error}");
}

#[tokio::test]
async fn a_missing_chart_names_every_place_that_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = store(folder.path(), None).locate(&request(Source::Bundled, "", None)).await.unwrap_err();
    let text = bundled.to_string();
    assert!(text.contains("/tiny-1.2.3 ") && text.contains("/tiny "), "{text}");
    // A bundled chart is there, and upstream was asked for.
    write_chart(folder.path(), "tiny", "", &[]);
    let charts = folder.path().join("charts");
    let upstream = request(Source::Upstream, "https://charts.example", Some(&"a".repeat(64)));
    let error = store(folder.path(), Some(charts)).locate(&upstream).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartUnavailable);
    let text = error.to_string();
    for part in
        ["charts/tiny-1.2.3.tgz", "charts/tiny-1.2.3 ", "helm pull tiny --repo https://charts.example"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn an_upstream_archive_needs_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = request(Source::Upstream, "https://charts.example", None);
    let error = store(folder.path(), None).locate(&upstream).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartUnknown, "{error}");
    fs::write(folder.path().join("tiny-1.2.3.tgz"), "x").unwrap();
    let error = store(folder.path(), Some(folder.path().to_owned())).locate(&upstream).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartUnknown, "{error}");
}

#[tokio::test]
async fn an_archive_in_the_charts_folder_is_verified() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let charts = folder.path().join("charts");
    let archive = pack(&helm, &write_chart(folder.path(), "tiny", "", &[]), &charts);
    let good = digest::archive(&archive).unwrap();
    let store = store(folder.path(), Some(charts));
    for digest in [good.clone(), format!("sha256:{good}"), good.to_uppercase()] {
        let located = store.locate(&request(Source::Upstream, "", Some(&digest))).await.unwrap();
        assert_eq!(located.digest, format!("sha256:{good}"));
        assert!(located.path.ends_with("tiny-1.2.3.tgz"));
    }
    let error = store.locate(&request(Source::Upstream, "", Some(&"0".repeat(64)))).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartDigestMismatch);
    assert!(error.to_string().contains(&good), "{error}");
}

#[tokio::test]
async fn an_unpacked_chart_in_the_charts_folder_is_used_with_a_digest_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let charts = folder.path().join("charts");
    write_chart(&charts, "tiny", "", &[]);
    fs::rename(charts.join("tiny"), charts.join("tiny-1.2.3")).unwrap();
    let upstream = request(Source::Upstream, "", Some(&"0".repeat(64)));
    let located = store(folder.path(), Some(charts)).locate(&upstream).await.unwrap();
    assert!(located.digest.starts_with("files-sha256:"), "{located:?}");
}

#[tokio::test]
async fn a_huge_archive_and_a_link_in_a_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = fs::File::create(folder.path().join("tiny-1.2.3.tgz")).unwrap();
    archive.set_len(digest::ARCHIVE_LIMIT + 1).unwrap();
    let upstream = request(Source::Upstream, "", Some(&"0".repeat(64)));
    let error = store(folder.path(), Some(folder.path().to_owned())).locate(&upstream).await.unwrap_err();
    assert!(
        matches!(&error, ChartError::Unavailable { .. }) && error.to_string().contains("5242880"),
        "{error}"
    );
    let chart = write_chart(folder.path(), "tiny", "", &[]);
    std::os::unix::fs::symlink("/etc/passwd", chart.join("templates/a.yaml")).unwrap();
    let error = store(folder.path(), None).locate(&request(Source::Bundled, "", None)).await.unwrap_err();
    assert!(error.to_string().contains("templates/a.yaml"), "{error}");
}

#[tokio::test]
async fn what_is_no_name_version_or_digest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = request(Source::Bundled, "", None);
    for (name, version, digest) in [
        ("../tiny", "1.2.3", None),
        ("--help", "1.2.3", None),
        ("", "1.2.3", None),
        ("tiny", "^1.2", None),
        ("tiny", "1/../2", None),
        ("tiny", "1.2.3", Some("md5:abc")),
    ] {
        let request = super::ChartRequest {
            name: name.to_owned(),
            version: version.to_owned(),
            digest: digest.map(str::to_owned),
            ..good.clone()
        };
        let error = store(folder.path(), None).locate(&request).await.unwrap_err();
        assert!(matches!(error, ChartError::Invalid { .. }), "{error}");
    }
}
