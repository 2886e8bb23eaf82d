//! Charts that are broken: the stack says how, and what ran before goes on running.

use std::{fs, path::Path};

use obstack_e2e::{Flags, TEMPO_SINGLE, World, condition, edited, set, text};
use serde_json::{Value, json};

/// A version for each chart. None is in the catalog, so each stack names a digest, which a folder is not held against.
struct Bad {
    version: &'static str,
    template: &'static str,
    reason: &'static str,
    words: &'static [&'static str],
}

const BAD: &[Bad] = &[
    Bad {
        version: "1.0.1",
        template: "{{ if false }}a: b{{ end }}",
        reason: "RenderFailed",
        words: &["rendered no object"],
    },
    Bad {
        version: "1.0.2",
        template: "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.b.c}\n",
        reason: "RenderFailed",
        words: &["CustomResourceDefinition as.b.c", "never applies"],
    },
    Bad {
        version: "1.0.3",
        template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
        reason: "RenderFailed",
        words: &["rendered no object"],
    },
    Bad {
        version: "1.0.4",
        template: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: intruder, namespace: kube-system}\n",
        reason: "RenderFailed",
        words: &["ServiceAccount intruder", "kube-system"],
    },
    Bad {
        version: "1.0.5",
        template: "{{ range until 100 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big-{{ . }}}\ndata: {a: {{ repeat 1048576 \"x\" }}}\n{{ end }}",
        reason: "RenderFailed",
        words: &["more than 8388608 bytes"],
    },
    Bad {
        version: "1.0.6",
        template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lonely}\n",
        reason: "RenderFailed",
        words: &["renders no workload runs-tempo for traces.singleBinary"],
    },
    Bad {
        version: "1.0.7",
        template: "{{ fail \"the author says no\" }}",
        reason: "RenderFailed",
        words: &["the author says no"],
    },
    Bad { version: "1.0.8", template: "a: [b\n", reason: "RenderFailed", words: &["tempo 1.0.8"] },
    Bad {
        version: "1.0.9",
        template: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: everything}\n",
        reason: "RenderFailed",
        words: &["ClusterRole everything", "never applies"],
    },
];

fn write_chart(charts: &Path, version: &str, template: &str) {
    let folder = charts.join(format!("tempo-{version}"));
    fs::create_dir_all(folder.join("templates")).expect("a folder");
    fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: tempo\nversion: {version}\n"))
        .expect("a file");
    fs::write(folder.join("templates/all.yaml"), template).expect("a file");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

#[tokio::test]
async fn a_broken_chart_is_named_and_what_runs_goes_on() {
    World::run("charts", async |world| {
        let charts = world.dir.path().join("charts");
        copy(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/bundled/tempo")),
            &charts.join("tempo-2.2.4"),
        );
        for bad in BAD {
            write_chart(&charts, bad.version, bad.template);
        }
        fs::write(charts.join("tempo-1.0.90.tgz"), b"not what its digest says").expect("a file");
        let operator = world.spawn(&Flags { charts: Some(charts), ..Flags::default() });
        operator.working().await;
        let stack = world.stack("runs", &[TEMPO_SINGLE]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let before = world.settled().await;

        let digest = format!("sha256:{}", "0".repeat(64));
        let more: [(&str, &str, &[&str]); 2] = [
            ("1.0.90", "ChartDigestMismatch", &["tempo-1.0.90.tgz", "was asked for"]),
            ("1.0.91", "ChartUnavailable", &["tempo 1.0.91", "helm pull tempo"]),
        ];
        for (version, reason, words) in BAD.iter().map(|bad| (bad.version, bad.reason, bad.words)).chain(more)
        {
            let chart = json!({"version": version, "digest": digest});
            world.change("runs", json!({"spec": {"traces": {"chart": chart}}})).await;
            let now = world.until(&stack, "PlanApplied", "False", reason).await;
            let message = text(condition(&now, "PlanApplied").expect("current"), "/message");
            for word in words {
                assert!(message.contains(word), "{version}: `{word}` is not in: {message}");
            }
            assert!(message.len() < 2000, "{version}: {} bytes", message.len());
            let holds = |type_: &str| condition(&now, type_).map(|found| text(found, "/status").to_owned());
            assert_eq!(holds("Ready").as_deref(), Some("False"), "{version}");
            assert_eq!(holds("Stalled").as_deref(), Some("True"), "{version}");
            assert_eq!(holds("Available").as_deref(), Some("True"), "{version}: what ran before goes on");
            assert_eq!(world.snapshot().await, before, "{version}");
        }
        unknown(world).await;
        let good: Value = json!({"version": "2.2.4", "digest": null});
        world.change("runs", json!({"spec": {"traces": {"chart": good}}})).await;
        world.ready(&stack).await;
        assert_eq!(world.snapshot().await.len(), before.len());
    })
    .await;
}

/// A version that is in no catalog and has no digest is a fault of the spec, and of this stack alone.
async fn unknown(world: &World) {
    let mut stack =
        edited(&world.stack("unknown", &[TEMPO_SINGLE]), &[("/spec/environment", "unknown".into())]);
    set(&mut stack, "/spec/traces/chart/version", "1.0.1".into());
    world.make(&stack).await;
    let now = world.until(&stack, "SpecValid", "False", "ChartUnknown").await;
    let message = text(condition(&now, "SpecValid").expect("current"), "/message");
    assert!(message.contains("tempo 1.0.1 is not in the catalog"), "{message}");
}
