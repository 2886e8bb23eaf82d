use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
};

use flate2::{Compression, write::GzEncoder};
use k8s_openapi::ByteString;

use super::*;
use crate::cluster::test_api::{Answer, api};

const MANIFEST: &str = "---
# Source: tempo/templates/configmap-tempo.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: tempo, namespace: ns}
data:
  tempo.yaml: |
    a: b
---
";

fn release(revision: u64, status: &str) -> Value {
    json!({
        "name": "tempo", "namespace": "ns", "version": revision, "info": {"status": status},
        "chart": {
            "metadata": {"name": "tempo", "version": "2.2.4", "appVersion": "2.10.8", "description": "Tempo"},
            "values": {"replicas": 1},
        },
        "config": {"persistence": {"enabled": true}}, "manifest": MANIFEST, "hooks": [],
    })
}

/// A Secret as Helm writes it.
fn secret(release: &Value, status: &str) -> Secret {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(release.to_string().as_bytes()).unwrap();
    let text = STANDARD.encode(packed.finish().unwrap());
    let revision = release["version"].to_string();
    let labels = [("owner", "helm"), ("name", "tempo"), ("status", status), ("version", &revision)];
    let mut secret = Secret {
        data: Some([("release".to_owned(), ByteString(text.into_bytes()))].into()),
        type_: Some(TYPE.to_owned()),
        ..Secret::default()
    };
    secret.metadata.name = Some(format!("sh.helm.release.v1.tempo.v{revision}"));
    secret.metadata.resource_version = Some("7".into());
    secret.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    secret
}

fn of(revision: u64, status: &str) -> Secret {
    secret(&release(revision, status), status)
}

fn list_of(secrets: &[Secret]) -> Answer {
    Answer::ok(json!({"apiVersion": "v1", "kind": "SecretList", "metadata": {}, "items": secrets}))
}

/// A namespace with these Secrets, which answers by the label selector.
fn namespace(secrets: Vec<Secret>) -> Client {
    api(move |_, path, _| {
        let wanted = |secret: &&Secret| {
            let labels = secret.metadata.labels.clone().unwrap_or_default();
            let asked = |key: &str| path.contains(&format!("{key}%3D")) || path.contains(&format!("{key}="));
            let has = |key: &str| {
                let value = labels.get(key).map(String::as_str).unwrap_or_default();
                let end = |text: &str| text.find(['&', ',', '%']).unwrap_or(text.len());
                let of = |at: &str| {
                    path.split_once(at).map(|(_, rest)| rest.get(..end(rest)).unwrap_or_default() == value)
                };
                of(&format!("{key}%3D")).or_else(|| of(&format!("{key}="))).unwrap_or(true)
            };
            has("owner") && (!asked("name") || has("name"))
        };
        list_of(&secrets.iter().filter(wanted).cloned().collect::<Vec<_>>())
    })
}

#[tokio::test]
async fn the_newest_revision_is_read() {
    let client = namespace(vec![of(9, "superseded"), of(10, "deployed")]);
    let found = see(&client, "ns", "tempo").await.unwrap().release;
    assert_eq!((found.revision, found.chart.version.as_str(), found.chart.bundled), (10, "2.2.4", false));
    assert_eq!(found.values, json!({"persistence": {"enabled": true}}).as_object().cloned().unwrap());
    assert_eq!(found.chart_values["replicas"], 1);
    assert_eq!(found.objects.len(), 1);
    assert_eq!(found.objects[0]["data"]["tempo.yaml"], "a: b\n");
}

#[tokio::test]
async fn a_release_that_is_not_in_place_says_its_state() {
    for status in ["pending-upgrade", "failed", "uninstalled"] {
        let client = namespace(vec![of(1, "deployed"), of(2, status)]);
        let told = see(&client, "ns", "tempo").await.unwrap_err().to_string();
        assert_eq!(
            told,
            format!("revision 2 of release tempo is {status}; finish it or roll back with helm first")
        );
    }
}

#[tokio::test]
async fn a_release_that_is_missing_is_told_with_those_that_are_there() {
    let client = namespace(vec![of(1, "deployed")]);
    let told = see(&client, "ns", "mimir").await.unwrap_err().to_string();
    assert_eq!(told, "namespace ns has no release mimir; it has tempo");
    let told = see(&namespace(Vec::new()), "ns", "mimir").await.unwrap_err().to_string();
    assert!(told.ends_with("it has none that Helm keeps in Secrets"), "{told}");
}

#[tokio::test]
async fn a_release_that_was_taken_over_names_its_stack() {
    let mut taken = of(1, "deployed");
    taken.metadata.labels.as_mut().unwrap().insert(OWNER.into(), TAKEN.into());
    taken.metadata.annotations = Some(BTreeMap::from([(ADOPTED_BY.to_owned(), "ns/obs".to_owned())]));
    let seen = see(&namespace(vec![taken]), "ns", "tempo").await.unwrap();
    assert_eq!(seen.stack.as_deref(), Some("ns/obs"));
}

#[tokio::test]
async fn whoever_may_not_list_secrets_learns_which_right_is_missing() {
    let client = api(|_, _, _| Answer::failure(403, "Forbidden"));
    let told = see(&client, "ns", "tempo").await.unwrap_err().to_string();
    assert!(told.contains("not allowed to list Secrets in namespace ns"), "{told}");
}

#[test]
fn what_is_no_release_is_told_without_its_content() {
    let check = |data: &[u8], words: &str| {
        let mut secret = of(1, "deployed");
        secret.data = Some([("release".to_owned(), ByteString(data.to_vec()))].into());
        let told = decode(&secret).unwrap_err().to_string();
        assert!(told.contains("sh.helm.release.v1.tempo.v1") && told.contains(words), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    };
    check(b"hunter2!", "not base64");
    check(STANDARD.encode([0x1f, 0x8b, 8, 1, 2]).as_bytes(), "not gzip");
    check(STANDARD.encode("{\"name\": \"hunter2\"}").as_bytes(), "not a release as JSON");
    let mut broken = release(1, "deployed");
    broken["manifest"] = "hunter2: [".into();
    let told = decode(&secret(&broken, "deployed")).unwrap_err().to_string();
    assert!(told.contains("its manifest is not YAML") && !told.contains("hunter2"), "{told}");
    let mut empty = of(1, "deployed");
    empty.data = None;
    assert!(decode(&empty).unwrap_err().to_string().contains("no key release"));
}

#[test]
fn bundled_charts_are_known_by_their_description() {
    for name in ["tempo", "tempo-distributed", "mimir-distributed"] {
        let path = format!("{}/../../charts/bundled/{name}/Chart.yaml", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::read_to_string(path).unwrap().contains(BUNDLED), "{name}");
    }
    let mut bundled = release(1, "deployed");
    bundled["chart"]["metadata"]["description"] = "Grafana Tempo. Bundled with obstack.".into();
    assert!(decode(&secret(&bundled, "deployed")).unwrap().chart.bundled);
}

#[tokio::test]
async fn every_revision_is_marked_and_given_back_by_its_stack_alone() {
    let patches: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let seen = Arc::clone(&patches);
    let client = api(move |method, path, body| {
        if method == "PATCH" {
            seen.lock().unwrap().push((path.to_owned(), body));
            return Answer::ok(
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {}}),
            );
        }
        let mut both = [of(2, "deployed"), of(1, "superseded")];
        for (secret, stack) in both.iter_mut().zip(["ns/obs", "ns/other"]) {
            secret.metadata.annotations = Some([(ADOPTED_BY.to_owned(), stack.to_owned())].into());
        }
        list_of(&both)
    });
    let key = StackKey { namespace: "ns".into(), name: "obs".into() };
    assert_eq!(mark(&client, &key, "tempo").await.unwrap(), 2);
    assert_eq!(unmark(&client, &key, "tempo").await.unwrap(), 1);
    let patches = patches.lock().unwrap();
    let names: Vec<_> = patches
        .iter()
        .map(|(path, _)| path.split(['?', '/']).rfind(|part| part.starts_with("sh.")))
        .collect();
    let name = |revision: u32| format!("sh.helm.release.v1.tempo.v{revision}");
    assert_eq!(names, [Some(name(1).as_str()), Some(name(2).as_str()), Some(name(2).as_str())]);
    assert_eq!(patches[0].1, marking("obstack", Some("ns/obs"), Some("7")));
    assert_eq!(patches[2].1["metadata"]["labels"], json!({"owner": "helm"}));
    assert_eq!(patches[2].1["metadata"]["annotations"], json!({ADOPTED_BY: null}));
}
