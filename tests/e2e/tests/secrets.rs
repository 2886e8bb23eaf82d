//! I9: credentials stand in the Secret that the user made, and nowhere else.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use obstack_e2e::{Flags, Keys, MIMIR, SECRET, STACK, TEMPO, TEMPO_SINGLE, World, edited, eventually, text};
use serde_json::{Value, json};

/// A text as it is, and as it looks inside of base64 at each of its three alignments.
fn forms(secret: &str) -> Vec<String> {
    let encoded = (0..3).map(|shift| {
        let text = STANDARD_NO_PAD.encode([vec![b'.'; shift], secret.as_bytes().to_vec()].concat());
        // What neighbours the secret decides the first and the last characters.
        text[[0, 2, 3][shift]..text.len() - 2].to_owned()
    });
    std::iter::once(secret.to_owned()).chain(encoded).collect()
}

/// A helm that writes down what it is given before it does it.
fn wrapper(world: &World, heard: &Path) -> std::path::PathBuf {
    let script = world.dir.path().join("helm");
    let (real, heard) = (world.sandbox.tools.helm.path.display(), heard.display());
    let text = format!(
        "#!/bin/sh\n{{ /usr/bin/env; PATH=/usr/bin:/bin; echo \"$0 $*\"; for given in \"$@\"; do if [ -f \"$given\" ]; then cat \"$given\"; fi; done; }} >> '{heard}'\nexec '{real}' \"$@\"\n"
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script that runs");
    script
}

/// Every object of every kind in the test's namespaces, but for the Secrets that the test made.
fn objects(world: &World) -> Vec<Value> {
    let kubectl = |args: &[&str]| {
        let output = world.sandbox.kubectl(args).output().expect("kubectl runs");
        assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let kinds: Vec<String> = kubectl(&["api-resources", "--verbs=list", "--namespaced", "-o", "name"])
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(kinds.iter().any(|kind| kind == "events") && kinds.len() > 20, "{kinds:?}");
    let mut all = Vec::new();
    for namespace in world.watched() {
        let list =
            kubectl(&["get", &kinds.join(","), "-n", namespace, "-o", "json", "--show-managed-fields"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        all.extend(list["items"].as_array().expect("items").iter().cloned());
    }
    let ours = |object: &Value| {
        object["kind"] == "Secret" && ["s3", "wrong"].contains(&text(object, "/metadata/name"))
    };
    assert_eq!(all.iter().filter(|object| ours(object)).count(), 2, "the search sees the Secrets");
    all.retain(|object| !ours(object));
    all
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

#[tokio::test]
async fn i9_credentials_appear_nowhere_but_in_their_secret() {
    World::run("i9", async |world| {
        let heard = world.dir.path().join("heard-by-helm");
        let flags = Flags {
            helm: Some(wrapper(world, &heard)),
            more: vec!["--log-level".into(), "trace".into()],
            ..Flags::default()
        };
        let operator = world.spawn(&flags);
        operator.working().await;
        let datasources = json!({"provider": "SidecarSecret", "namespace": world.tools});
        let stack =
            edited(&world.stack("i9", &[TEMPO, MIMIR]), &[("/spec/grafana/datasources", datasources)]);
        world.make(&stack).await;
        // Refusals have messages, too.
        let wrong = Keys { access: world.keys().access, secret: "wrongButNobodysBusiness0815".to_owned() };
        world.put_keys(&world.namespace, "wrong", &wrong).await;
        let refused = edited(
            &world.stack("refused", &[TEMPO_SINGLE]),
            &[
                ("/spec/environment", "refused".into()),
                ("/spec/objectStorage/credentials/secretRef/name", "wrong".into()),
            ],
        );
        world.make(&refused).await;
        world.until(&refused, "StorageReady", "False", "SignatureRejected").await;
        world.ready(&stack).await;

        let mut places: Vec<(String, Vec<u8>)> = objects(world)
            .iter()
            .map(|object| {
                (
                    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name")),
                    object.to_string().into_bytes(),
                )
            })
            .collect();
        assert!(places.len() > 50, "{} objects", places.len());
        places.extend(files(world.dir.path()));
        places.push(("metrics".into(), operator.http("/metrics").expect("metrics").1.into_bytes()));
        let told = fs::read_to_string(&heard).expect("what helm heard");
        assert!(
            told.contains("template i9-tempo") && told.contains("secretKeyRef"),
            "the wrapper saw the values: {told}"
        );
        let access = world.keys().access;
        for secret in [&world.keys().secret, &wrong.secret, &access] {
            for form in forms(secret) {
                // Below info the SDK logs which access key it signs with, and never the secret one.
                let told = places.iter().filter(|(place, _)| *secret != access || !place.ends_with(".log"));
                for (place, bytes) in told {
                    let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                    assert!(!found, "{place} holds the credentials (as {form})");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn datasources_in_a_secret_go_with_their_stack() {
    World::run("secret-goes", async |world| {
        let _operator = world.operator().await;
        let datasources = json!({"provider": "SidecarSecret", "namespace": world.tools});
        let stack =
            edited(&world.stack("goes", &[TEMPO_SINGLE]), &[("/spec/grafana/datasources", datasources)]);
        world.make(&stack).await;
        world.ready(&stack).await;
        let ours = async || {
            let mut secrets = world.cluster.list(SECRET, &world.tools).await;
            secrets.retain(|secret| text(secret, "/metadata/name").ends_with("-datasources"));
            secrets.len()
        };
        assert_eq!(ours().await, 1);
        world.cluster.delete(STACK, &world.namespace, "goes").await;
        eventually("the Secret is gone", async || match ours().await {
            0 => Ok(()),
            left => Err(format!("{left} of them are there")),
        })
        .await;
    })
    .await;
}
