//! The operator as it is installed: its image, its Deployment, its rights.

use std::{
    io::Write,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use obstack_e2e::{Audit, DEPLOYMENT, LEASE, POD, Request, World, eventually, set, text};
use obstack_sandbox::{REAL_NODE, Sandbox};
use serde_json::{Value, json};

/// The same image under another name: what an upgrade rolls out.
pub const NEXT_IMAGE: &str = "localhost/obstack-operator:next";

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const NAMESPACE: &str = "obstack-system";
const NAME: &str = "obstack";
const USER: &str = "system:serviceaccount:obstack-system:obstack";

/// What differs from the shipped Deployment. The bundled charts are what a stack gets that does not choose; buckets are
/// looked at more often, because tests wait for it.
const SETTINGS: [(&str, &str); 2] = [("OBSTACK_CHART_SOURCE", "bundled"), ("OBSTACK_PROBE_INTERVAL", "5")];

/// An installed operator.
pub struct Install {
    sandbox: Sandbox,
    audit: Audit,
    rolled: AtomicUsize,
}

impl Install {
    /// Installs the operator as `docs/how-to/install.md` says, or finds it so. Waits until one of its pods leads.
    pub async fn on(world: &World) -> Self {
        let sandbox = world.sandbox.clone();
        let audit = Audit::from_now(sandbox.audit_log.clone(), USER.to_owned());
        let install = Self { sandbox, audit, rolled: AtomicUsize::new(0) };
        // A test that failed may have left both so.
        install.kubectl(&["uncordon", REAL_NODE]);
        install.sandbox.start_s3().expect("the S3 server runs");
        install.kubectl(&["apply", "--server-side", "-f", &format!("{ROOT}/deploy/rbac/cluster.yaml")]);
        let file = format!("{ROOT}/deploy/operator/deployment.yaml");
        let manifest = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut objects: Vec<Value> =
            serde_saphyr::from_multiple(&manifest).unwrap_or_else(|error| panic!("{file}: {error}"));
        for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
            let env = "/spec/template/spec/containers/0/env";
            let mut entries = object.pointer(env).and_then(Value::as_array).cloned().unwrap_or_default();
            entries.extend(SETTINGS.map(|(name, value)| json!({"name": name, "value": value})));
            set(object, env, entries.into());
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        install.apply(&list.to_string());
        install.in_place(world).await;
        install
    }

    /// What the operator asks the API server for, from now on.
    pub fn audit(&self) -> Audit {
        self.audit.again()
    }

    /// What the operator was refused since this test began: the rights that it ships with do not cover it.
    pub fn refused(&self) -> Vec<Request> {
        let mut requests = self.audit.requests();
        assert!(!requests.is_empty(), "the audit log knows nothing of {USER}");
        requests.retain(|request| [401, 403].contains(&request.code));
        requests
    }

    /// The pod that leads now.
    pub async fn leader(&self, world: &World) -> String {
        eventually("an operator leads", async || {
            let lease = world.cluster.find(LEASE, NAMESPACE, NAME).await.ok_or("there is no Lease")?;
            let holder = text(&lease, "/spec/holderIdentity").to_owned();
            let pods = world.cluster.list(POD, NAMESPACE).await;
            let leads = |pod: &&Value| {
                pod["metadata"]["deletionTimestamp"].is_null()
                    && holder.starts_with(text(pod, "/metadata/name"))
            };
            let leader = pods.iter().find(leads).map(|pod| text(pod, "/metadata/name").to_owned());
            leader.ok_or(format!("held by `{holder}`"))
        })
        .await
    }

    /// Deletes the pod that leads and waits until another one does.
    pub async fn change_leader(&self, world: &World) {
        let old = self.leader(world).await;
        world.cluster.delete(POD, NAMESPACE, &old).await;
        let new = self.leader(world).await;
        assert_ne!(old, new);
        self.in_place(world).await;
    }

    /// Rolls the Deployment to an image and waits until it is everywhere.
    pub async fn upgrade(&self, world: &World, image: &str) {
        // The template differs even where the image is the one that runs.
        let rolled = self.rolled.fetch_add(1, Ordering::Relaxed).to_string();
        let container = json!({"name": "operator", "image": image});
        let template = json!({
            "metadata": {"annotations": {"real.obstack.dev/rolled": rolled}},
            "spec": {"containers": [container]},
        });
        let patch = json!({"spec": {"template": template}}).to_string();
        self.kubectl(&["patch", "-n", NAMESPACE, "deployment", NAME, "--type=strategic", "-p", &patch]);
        self.in_place(world).await;
        let pods = world.cluster.list(POD, NAMESPACE).await;
        let image_of = |pod: &Value| text(pod, "/spec/containers/0/image").to_owned();
        assert!(pods.iter().any(|pod| image_of(pod) == image), "{image} runs nowhere");
    }

    /// Waits until every pod is of the newest revision and ready, and one of them leads.
    async fn in_place(&self, world: &World) {
        eventually("the operator is rolled out", async || {
            let found = world.cluster.find(DEPLOYMENT, NAMESPACE, NAME).await.ok_or("there is none")?;
            let (spec, status) = (&found["spec"], &found["status"]);
            let wanted = &spec["replicas"];
            let full = ["replicas", "updatedReplicas", "readyReplicas"].iter().all(|n| status[n] == *wanted);
            let seen = status["observedGeneration"] == found["metadata"]["generation"];
            if full && seen { Ok(()) } else { Err(format!("{status:#}")) }
        })
        .await;
        self.leader(world).await;
    }

    /// Shows what the operator's pods logged last.
    pub fn show_logs(&self) {
        let selector = "app.kubernetes.io/name=obstack";
        let logs = self.try_kubectl(&["logs", "-n", NAMESPACE, "-l", selector, "--tail=150", "--prefix"]);
        println!("---- operator\n{logs}");
    }

    /// Shows every pod.
    pub fn show_pods(&self) {
        println!("---- pods\n{}", self.try_kubectl(&["get", "pods", "-A", "-o", "wide"]));
    }

    /// kubectl, which must succeed.
    pub fn kubectl(&self, args: &[&str]) -> String {
        let output = self.sandbox.kubectl(args).stdin(Stdio::null()).output().expect("kubectl runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args:?}: {out}{err}");
        out.into_owned()
    }

    /// kubectl, whatever comes of it.
    pub fn try_kubectl(&self, args: &[&str]) -> String {
        let output = self.sandbox.kubectl(args).stdin(Stdio::null()).output().expect("kubectl runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn apply(&self, objects: &str) {
        let mut command = self.sandbox.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
        let mut kubectl = command.stdin(Stdio::piped()).spawn().expect("kubectl runs");
        // It is dropped, and with it closed, before the wait.
        kubectl.stdin.take().expect("a pipe").write_all(objects.as_bytes()).expect("kubectl reads");
        assert!(kubectl.wait().expect("kubectl ends").success(), "kubectl apply");
    }
}
