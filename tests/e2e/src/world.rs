//! What one test has to itself: namespaces, credentials, the operator's rights, a folder.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::FutureExt;
use obstack_sandbox::Sandbox;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    CLAIM, CONFIG_MAP, Cluster, Keys, MADE, NAMESPACE, ObjectStore, SECRET, STACK,
    audit::Audit,
    condition, edited,
    operator::{self, Flags, Operator},
    rights,
    stack::{self, text},
    wait::eventually,
    witness::Witness,
};

/// The repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What one test has to itself.
pub struct World {
    /// The sandbox, which all tests share.
    pub sandbox: Sandbox,
    /// The API server as an administrator.
    pub cluster: Cluster,
    /// The object store as an administrator.
    pub s3: ObjectStore,
    /// The namespace for stacks.
    pub namespace: String,
    /// A second namespace that the operator watches, such as Grafana's.
    pub tools: String,
    /// Beginning of the test's buckets.
    pub prefix: String,
    /// What the operator asks the API server for.
    pub audit: Audit,
    /// Files of the test.
    pub dir: TempDir,
    home: String,
    watched: Vec<String>,
    kubeconfig: PathBuf,
    started: AtomicUsize,
}

/// Kind, namespace and name of objects, with uid and version.
pub type Snapshot = BTreeMap<String, (String, String)>;

/// Eight letters and digits that no other test has.
pub fn random() -> String {
    let dir = tempfile::Builder::new().prefix("").rand_bytes(8).tempdir().expect("a folder");
    let name = dir.path().file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn sandbox() -> Sandbox {
    static CRD: OnceLock<()> = OnceLock::new();
    let Some(dir) = std::env::var_os("OBSTACK_SANDBOX") else {
        panic!("there is no sandbox (OBSTACK_SANDBOX is not set): run `cargo xtask test`")
    };
    let sandbox = obstack_sandbox::open(dir.as_ref())
        .unwrap_or_else(|error| panic!("the sandbox cannot be used: {error}; run `cargo xtask test`"));
    CRD.get_or_init(|| {
        let crds = format!("{ROOT}/crds");
        for args in [
            vec!["apply", "--server-side", "--force-conflicts", "-f", &crds],
            vec![
                "wait",
                "--for=condition=Established",
                "--timeout=30s",
                "crd/observabilitystacks.obstack.dev",
            ],
        ] {
            let output = sandbox.kubectl(&args).output().expect("kubectl runs");
            assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    });
    sandbox
}

impl World {
    /// Runs a test in a world of its own and tidies up, whatever comes of it.
    pub async fn run(name: &str, test: impl AsyncFnOnce(&World)) {
        Self::with(name, &[], test).await;
    }

    /// The same with more namespaces that the operator watches, by what their names end in.
    pub async fn with(name: &str, more: &[&str], test: impl AsyncFnOnce(&World)) {
        let began = Instant::now();
        let world = Self::new(name, more).await;
        let witness = Witness::of(&world.cluster, &world.watched);
        let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
        let verdict = witness.verdict().await;
        if outcome.is_err() {
            world.show_logs();
        }
        let tidied = AssertUnwindSafe(world.tidy()).catch_unwind().await;
        println!("{name}: {:.1} s", began.elapsed().as_secs_f32());
        if let Err(panic) = outcome.and(tidied) {
            resume_unwind(panic);
        }
        assert!(verdict.is_ok(), "I6, false Ready: {verdict:#?}");
    }

    async fn new(name: &str, more: &[&str]) -> Self {
        let sandbox = sandbox();
        let cluster = Cluster::open(&sandbox.kubeconfig).await;
        let random = random();
        let base = format!("e2e-{name}-{random}");
        let (tools, home) = (format!("{base}-tools"), format!("{base}-op"));
        let mut watched = vec![base.clone(), tools.clone()];
        watched.extend(more.iter().map(|end| format!("{base}-{end}")));
        for namespace in watched.iter().chain([&home]) {
            cluster.make_namespace(namespace).await;
        }
        let dir = tempfile::Builder::new().prefix(&format!("{base}-")).tempdir().expect("a folder");
        let user = rights::grant(&cluster, &home, &watched).await;
        let kubeconfig = dir.path().join("kubeconfig");
        rights::write_kubeconfig(&cluster, &user, &sandbox.kubeconfig, &kubeconfig).await;
        let world = Self {
            s3: ObjectStore::open(&sandbox.s3),
            audit: Audit::from_now(sandbox.audit_log.clone(), user),
            namespace: base,
            tools,
            prefix: format!("e2e-{random}"),
            started: AtomicUsize::new(0),
            sandbox,
            cluster,
            dir,
            home,
            watched,
            kubeconfig,
        };
        world.put_keys(&world.namespace, "s3", &world.keys()).await;
        world
    }

    fn show_logs(&self) {
        for number in 0..self.started.load(Ordering::Relaxed) {
            let log = std::fs::read_to_string(self.dir.path().join(format!("operator-{number}.log")));
            println!("---- operator {number} of {}\n{}", self.namespace, log.unwrap_or_default());
        }
    }

    /// Stacks first, so that the garbage collector ends their pods; a namespace with pods takes 16 s. Nothing is
    /// waited for.
    async fn tidy(&self) {
        for namespace in &self.watched {
            for stack in self.cluster.list(STACK, namespace).await {
                let name = stack["metadata"]["name"].as_str().unwrap_or_default();
                self.cluster.delete(STACK, namespace, name).await;
                if self.cluster.find(STACK, namespace, name).await.is_some() {
                    let patch = kube::api::Patch::Merge(json!({"metadata": {"finalizers": null}}));
                    let _ = self
                        .cluster
                        .api(STACK, namespace)
                        .patch(name, &kube::api::PatchParams::default(), &patch)
                        .await;
                }
            }
        }
        for namespace in self.watched.iter().chain([&self.home]) {
            self.cluster.delete(NAMESPACE, "", namespace).await;
        }
        rights::revoke(&self.cluster, &self.home).await;
    }

    /// The sandbox's administrator keys.
    pub fn keys(&self) -> Keys {
        Keys { access: self.sandbox.s3.access_key.clone(), secret: self.sandbox.s3.secret_key.clone() }
    }

    /// Makes or replaces the Secret with the keys that stacks name.
    pub async fn put_keys(&self, namespace: &str, name: &str, keys: &Keys) {
        let data = json!({"AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret});
        let metadata = json!({"name": name, "namespace": namespace});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
        if self.cluster.find(SECRET, namespace, name).await.is_some() {
            self.cluster.merge(SECRET, namespace, name, "e2e", json!({"stringData": data})).await;
        } else {
            self.cluster.make(SECRET, &secret).await;
        }
    }

    /// A stack in the test's namespace.
    pub fn stack(&self, name: &str, backends: &[&str]) -> Value {
        stack::stack(name, &self.namespace, &self.sandbox.s3.endpoint, &self.prefix, backends)
    }

    /// A sample of `deploy/samples`, in the test's namespaces and with its buckets.
    pub fn sample(&self, environment: &str) -> Value {
        let file = format!("{ROOT}/deploy/samples/{environment}.yaml");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let sample: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        edited(
            &sample,
            &[
                ("/metadata/namespace", format!("{}-{environment}", self.namespace).into()),
                ("/spec/objectStorage/endpoint", self.sandbox.s3.endpoint.as_str().into()),
                ("/spec/objectStorage/buckets/prefix", self.prefix.as_str().into()),
                ("/spec/grafana/datasources/namespace", self.tools.as_str().into()),
            ],
        )
    }

    /// Starts an operator and waits until it works.
    pub async fn operator(&self) -> Operator {
        let operator = self.spawn(&Flags::default());
        operator.working().await;
        operator
    }

    /// Starts an operator.
    pub fn spawn(&self, flags: &Flags) -> Operator {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.path();
        let cache = flags.cache.clone().unwrap_or_else(|| dir.join(format!("cache-{number}")));
        let mut command = Command::new(operator::binary());
        // Nothing of the caller's environment decides anything.
        command.env_clear().env("KUBECONFIG", &self.kubeconfig).env("HOME", dir).env("TMPDIR", dir);
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json", "--lease-namespace", &self.home]);
        command.arg("--helm").arg(flags.helm.as_ref().unwrap_or(&self.sandbox.tools.helm.path));
        command.args(["--bundled-charts", &format!("{ROOT}/charts/bundled")]).arg("--cache-dir").arg(&cache);
        match &flags.charts {
            Some(charts) => command.args(["--chart-source", "upstream"]).arg("--charts").arg(charts),
            None => command.args(["--chart-source", "bundled"]),
        };
        for namespace in self.watched.iter().filter(|_| !flags.everywhere) {
            command.args(["--watch-namespace", namespace]);
        }
        command.args(&flags.more);
        Operator::spawn(&mut command, dir.join(format!("operator-{number}.log")), cache)
    }

    /// Gives the operator the rights of an installation for the whole cluster.
    pub async fn grant_everywhere(&self) {
        rights::grant_everywhere(&self.cluster, &self.home).await;
    }

    /// The namespace of the operator's Lease.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Namespaces that the operator watches.
    pub fn watched(&self) -> &[String] {
        &self.watched
    }

    /// Makes a stack.
    pub async fn make(&self, stack: &Value) {
        self.make_stored(stack).await;
    }

    /// Makes a stack and gives it as it is stored.
    pub async fn make_stored(&self, stack: &Value) -> Value {
        self.cluster.make(STACK, stack).await
    }

    /// Changes a stack of the test's namespace by a merge patch.
    pub async fn change(&self, name: &str, patch: Value) {
        self.cluster.merge(STACK, &self.namespace, name, "e2e", patch).await;
    }

    /// Waits until a condition of a stack has a status and a reason, for its present generation. Gives the stack.
    pub async fn until(&self, stack: &Value, type_: &str, status: &str, reason: &str) -> Value {
        let metadata = &stack["metadata"];
        let (namespace, name) = (
            metadata["namespace"].as_str().unwrap_or_default(),
            metadata["name"].as_str().unwrap_or_default(),
        );
        eventually(&format!("{namespace}/{name} has {type_}={status}/{reason}"), async || {
            let now = self.cluster.find(STACK, namespace, name).await.ok_or("it does not exist")?;
            let found = condition(&now, type_);
            if found.is_some_and(|found| found["status"] == status && found["reason"] == reason) {
                return Ok(now);
            }
            Err(format!("{:#}", now["status"]["conditions"]))
        })
        .await
    }

    /// Waits until a stack is ready.
    pub async fn ready(&self, stack: &Value) -> Value {
        self.until(stack, "Ready", "True", "AllReady").await
    }

    /// Everything that the operator makes, and claims, in all watched namespaces.
    pub async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        for namespace in &self.watched {
            for kind in MADE.into_iter().chain([CLAIM]) {
                for object in self.cluster.list(kind, namespace).await {
                    let text =
                        |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
                    // Kubernetes' own, in each namespace.
                    if !["default", "kube-root-ca.crt"].contains(&text("name").as_str()) {
                        let id = format!("{}/{namespace}/{}", kind.name, text("name"));
                        all.insert(id, (text("uid"), text("resourceVersion")));
                    }
                }
            }
        }
        all
    }

    /// Waits until no datasources are left in the second namespace.
    pub async fn no_datasources(&self) {
        eventually("the datasources are gone", async || {
            let left = self.cluster.list(CONFIG_MAP, &self.tools).await;
            let ours = left.iter().any(|object| text(object, "/metadata/name").ends_with("-datasources"));
            if ours { Err("they are there".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// A snapshot, once nothing moves any more: controllers still count when a stack is ready already.
    pub async fn settled(&self) -> Snapshot {
        let mut before = self.snapshot().await;
        eventually("nothing moves any more", async || {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let now = self.snapshot().await;
            let same = now == before;
            before = now;
            if same { Ok(before.clone()) } else { Err("objects still change".to_owned()) }
        })
        .await
    }
}
