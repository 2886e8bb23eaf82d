//! What a render gives, and what stops it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use obstack_api::Reason;
use serde_json::{Value, json};

use super::{chart, helm_for_tests, write_chart};
use crate::charts::{Counts, Helm, HelmError, Located, RenderError, RenderRequest, Renderer};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n";

fn ask<'a>(chart: &'a Located, values: &'a Value) -> RenderRequest<'a> {
    RenderRequest {
        chart,
        release: "dev",
        namespace: "monitoring",
        values,
        kube_version: "1.36.3",
        api_versions: &[],
    }
}

/// Renders one template with these values.
async fn render(helm: Helm, template: &str, values: Value) -> Result<Vec<Value>, RenderError> {
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "", template).await;
    let renderer = Renderer::with_deadline(helm, folder.path(), Duration::from_secs(8));
    renderer.render(&ask(&chart, &values)).await.map(|objects| objects.to_vec())
}

#[tokio::test]
async fn a_chart_renders_with_its_values_and_the_cluster_it_is_told() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let template = format!(
        "{CONFIG_MAP}  namespace: {{{{ .Release.Namespace }}}}\ndata:\n  kube: {{{{ .Capabilities.KubeVersion.Version }}}}\n  \
         has: {{{{ .Capabilities.APIVersions.Has \"obstack.dev/v1\" | quote }}}}\n  list: {{{{ .Values.list | toJson | quote }}}}\n"
    );
    let chart = chart(folder.path(), "", &template).await;
    let values = json!({"list": [1, "on", null]});
    let versions = ["policy/v1".to_owned(), "obstack.dev/v1".to_owned()];
    let request = RenderRequest { api_versions: &versions, ..ask(&chart, &values) };
    let objects = Renderer::new(helm, folder.path()).render(&request).await.unwrap();
    assert_eq!(
        *objects,
        [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dev", "namespace": "monitoring"},
            "data": {"kube": "v1.36.3", "has": "true", "list": "[1,\"on\",null]"}})
        ]
    );
}

#[tokio::test]
async fn a_hit_gives_the_same_bytes_and_runs_no_helm() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "", CONFIG_MAP).await;
    let (one, two) = (json!({"a": 1, "b": 2}), json!({"a": 2}));
    let renderer = Renderer::new(helm.clone(), folder.path());
    let first = renderer.render(&ask(&chart, &one)).await.unwrap();
    let second = renderer.render(&ask(&chart, &one)).await.unwrap();
    assert_eq!(serde_json::to_string(&*first).unwrap(), serde_json::to_string(&*second).unwrap());
    assert_eq!(renderer.counts(), Counts { renders: 1, cache_hits: 1 });
    renderer.render(&ask(&chart, &two)).await.unwrap();
    assert_eq!(renderer.counts(), Counts { renders: 2, cache_hits: 1 });
    // After a restart too.
    let restarted = Renderer::new(helm, folder.path());
    restarted.render(&ask(&chart, &one)).await.unwrap();
    assert_eq!(restarted.counts(), Counts { renders: 0, cache_hits: 1 });
}

#[tokio::test]
async fn of_many_equal_renders_at_once_at_most_two_run() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "", CONFIG_MAP).await;
    let (values, renderer) = (json!({}), Renderer::new(helm, folder.path()));
    let all =
        futures::future::join_all((0..8).map(|_| async { renderer.render(&ask(&chart, &values)).await }))
            .await;
    assert!(all.iter().all(Result::is_ok));
    assert!(renderer.counts().renders <= 2, "{:?}", renderer.counts());
}

#[tokio::test]
async fn a_failed_render_is_not_kept() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "", "{{ fail \"say a bucket\" }}").await;
    let (values, renderer) = (json!({}), Renderer::new(helm, folder.path()));
    for renders in 1..=2 {
        let error = renderer.render(&ask(&chart, &values)).await.unwrap_err();
        assert_eq!(error.reason(), Reason::RenderFailed);
        let text = error.to_string();
        assert!(
            text.starts_with("chart tiny 1.2.3, release dev: ") && text.contains("say a bucket"),
            "{text}"
        );
        assert_eq!(renderer.counts().renders, renders);
    }
}

#[tokio::test]
async fn hooks_tests_and_crds_are_left_out() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "", CONFIG_MAP).await;
    let hook = |kind: &str| format!("{CONFIG_MAP}  annotations:\n    helm.sh/hook: {kind}\n");
    for kind in ["pre-install", "test"] {
        fs::write(chart.path.join(format!("templates/{kind}.yaml")), hook(kind)).unwrap();
    }
    fs::create_dir(chart.path.join("crds")).unwrap();
    fs::write(chart.path.join("crds/a.yaml"), "apiVersion: v1\nkind: CRD\nmetadata:\n  name: a\n").unwrap();
    let objects = Renderer::new(helm, folder.path()).render(&ask(&chart, &json!({}))).await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
}

#[tokio::test]
async fn a_chart_sees_no_cluster_and_nothing_of_our_environment() {
    let Some(helm) = helm_for_tests().await else { return };
    let template = format!(
        "{CONFIG_MAP}data:\n  secret: {{{{ lookup \"v1\" \"Secret\" \"monitoring\" \"s3\" | toJson | quote }}}}\n  \
         dns: {{{{ getHostByName \"localhost\" | quote }}}}\n"
    );
    let objects = render(helm.clone(), &template, json!({})).await.unwrap();
    assert_eq!(objects[0]["data"], json!({"secret": "{}", "dns": ""}));
    for function in ["env \"HOME\"", "expandenv \"$HOME\""] {
        let error = render(helm.clone(), &format!("a: {{{{ {function} }}}}"), json!({})).await.unwrap_err();
        assert!(error.to_string().contains("not defined"), "{error}");
    }
}

#[tokio::test]
async fn no_folder_of_a_run_is_left_behind() {
    let Some(helm) = helm_for_tests().await else { return };
    let ours = || {
        let entries = fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("obstack-helm-")).count()
    };
    render(helm, CONFIG_MAP, json!({})).await.unwrap();
    // Other tests run at this moment; theirs go away.
    let end = Instant::now() + Duration::from_secs(30);
    while ours() > 0 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ours(), 0);
}

#[tokio::test]
async fn an_empty_render_is_an_error() {
    let Some(helm) = helm_for_tests().await else { return };
    let error =
        render(helm, "{{ if .Values.on }}a: b{{ end }}\n---\n# nothing\n", json!({})).await.unwrap_err();
    assert!(matches!(error, RenderError::Empty { .. }), "{error}");
}

#[tokio::test]
async fn a_document_that_is_no_object_is_an_error() {
    let Some(helm) = helm_for_tests().await else { return };
    let template = format!("{CONFIG_MAP}---\napiVersion: v1\nkind: Secret\nmetadata: {{}}\n");
    let error = render(helm, &template, json!({})).await.unwrap_err();
    assert!(
        matches!(&error, RenderError::NotAnObject { detail, .. } if detail.contains("metadata.name")),
        "{error}"
    );
}

#[tokio::test]
async fn too_much_output_is_an_error() {
    let Some(helm) = helm_for_tests().await else { return };
    let template = format!("{CONFIG_MAP}data:\n  a: {{{{ repeat 9437184 \"x\" }}}}\n");
    let error = render(helm, &template, json!({})).await.unwrap_err();
    assert!(matches!(error, RenderError::TooBig { .. }), "{error}");
}

#[tokio::test]
async fn too_much_memory_ends_helm_and_nothing_else() {
    let Some(helm) = helm_for_tests().await else { return };
    let error = render(helm, "a: {{ repeat 2000000000 \"xxxxxxxx\" }}", json!({})).await.unwrap_err();
    assert!(matches!(error, RenderError::Failed { .. }), "{error}");
    assert!(error.to_string().len() < 800, "{error}");
}

#[tokio::test]
async fn an_endless_template_costs_one_deadline() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let template = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}";
    let chart = chart(folder.path(), "", template).await;
    let renderer = Renderer::with_deadline(helm, folder.path(), Duration::from_secs(1));
    let start = Instant::now();
    let error = renderer.render(&ask(&chart, &json!({}))).await.unwrap_err();
    assert!(matches!(error, RenderError::TimedOut { seconds: 1, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A helm that is a script, to see what a process can do that helm does not.
fn script(folder: &Path, body: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("helm");
    let text = format!("#!/bin/sh\nif [ \"$1\" = version ]; then echo v3.17.0; exit; fi\n{body}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn helm_gets_an_empty_environment_and_its_children_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let body =
        format!("exec 3>{}\nset >&3\n/bin/sleep 77 &\necho $! >{}.pid\nwait", seen.display(), seen.display());
    let helm = Helm::find(Some(script(folder.path(), &body))).await.unwrap();
    let chart = chart(folder.path(), "", CONFIG_MAP).await;
    let renderer = Renderer::with_deadline(helm, folder.path(), Duration::from_secs(1));
    let error = renderer.render(&ask(&chart, &json!({}))).await.unwrap_err();
    assert!(matches!(error, RenderError::TimedOut { .. }), "{error}");
    let seen_text = fs::read_to_string(&seen).unwrap();
    assert!(seen_text.contains("KUBECONFIG='/dev/null'"), "{seen_text}");
    assert!(!seen_text.contains("CARGO"), "{seen_text}");
    let pid = fs::read_to_string(format!("{}.pid", seen.display())).unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    // A zombie that nobody has waited for yet has ended too.
    let alive = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while alive() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive());
}

#[tokio::test]
async fn endless_output_ends_at_the_limit_and_not_at_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let helm = Helm::find(Some(script(folder.path(), "exec /bin/cat /dev/zero"))).await.unwrap();
    let chart = chart(folder.path(), "", CONFIG_MAP).await;
    let start = Instant::now();
    let error = Renderer::new(helm, folder.path()).render(&ask(&chart, &json!({}))).await.unwrap_err();
    assert!(matches!(error, RenderError::TooBig { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_helm_that_is_missing_broken_or_old_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let error = Helm::find(Some(folder.path().join("none"))).await.unwrap_err();
    assert!(matches!(error, HelmError::NotFound { .. }) && error.to_string().contains("3.17"), "{error}");
    let old = script(folder.path(), "");
    fs::write(&old, "#!/bin/sh\necho v3.16.4\n").unwrap();
    let error = Helm::find(Some(old.clone())).await.unwrap_err();
    assert!(matches!(&error, HelmError::Unsupported { version, .. } if version == "v3.16.4"), "{error}");
    fs::write(&old, "#!/bin/sh\nexit 3\n").unwrap();
    assert!(matches!(Helm::find(Some(old)).await.unwrap_err(), HelmError::NotRunnable { .. }));
}

#[tokio::test]
async fn a_chart_for_newer_clusters_is_unsupported() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path(), "kubeVersion: '>=1.99.0-0'\n", CONFIG_MAP).await;
    let error = Renderer::new(helm, folder.path()).render(&ask(&chart, &json!({}))).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ChartUnsupported);
    assert!(error.to_string().contains("1.99.0"), "{error}");
}

#[tokio::test]
async fn what_looks_like_a_flag_never_reaches_helm() {
    let Some(helm) = helm_for_tests().await else { return };
    let folder = tempfile::tempdir().unwrap();
    write_chart(folder.path(), "tiny", "", &[("all.yaml", CONFIG_MAP)]);
    let chart = super::store(folder.path(), None)
        .locate(&super::request(super::Source::Bundled, "", None))
        .await
        .unwrap();
    let (values, versions) = (json!({}), ["--post-renderer=/bin/sh".to_owned()]);
    let renderer = Renderer::new(helm, folder.path());
    for request in [
        RenderRequest { release: "--post-renderer=/bin/sh", ..ask(&chart, &values) },
        RenderRequest { namespace: "-n", ..ask(&chart, &values) },
        RenderRequest { kube_version: "", ..ask(&chart, &values) },
        RenderRequest { api_versions: &versions, ..ask(&chart, &values) },
    ] {
        let error = renderer.render(&request).await.unwrap_err();
        assert!(matches!(error, RenderError::Invalid { .. }), "{error}");
    }
    assert_eq!(renderer.counts().renders, 0);
}
