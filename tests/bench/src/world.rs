//! What all measurements share: the sandbox, its administrator, and the operator's account.

use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams, config::Kubeconfig};
use obstack_sandbox::Sandbox;
use serde_json::json;

use crate::{
    audit::Audit,
    cluster::Cluster,
    error::{Doing, Error, Of},
    operator::{Launch, Operator},
    samples::Samples,
};

/// The operator's own namespace.
pub const SYSTEM: &str = "obstack-system";
const ACCOUNT: &str = "obstack";

/// What all measurements share.
pub struct World {
    /// The control plane.
    pub sandbox: Sandbox,
    /// Its API server as an administrator sees it.
    pub cluster: Cluster,
    /// The stacks to measure with.
    pub samples: Samples,
    /// How the operator is started.
    pub launch: Launch,
    /// Files of the bench, removed with the sandbox.
    pub dir: PathBuf,
    started: AtomicU32,
}

impl World {
    /// Prepares a sandbox: CRD, RBAC, an account for the operator.
    pub async fn new(sandbox: Sandbox, root: &Path, operator: &Path) -> Result<Self, Error> {
        let dir = sandbox.dir.join("bench");
        std::fs::create_dir_all(&dir).of(&dir)?;
        for file in ["crds", "deploy/rbac/cluster.yaml"] {
            let file = root.join(file).display().to_string();
            kubectl(&sandbox, &["apply", "--server-side", "--force-conflicts", "-f", &file])?;
        }
        let crd = "crd/observabilitystacks.obstack.dev";
        kubectl(&sandbox, &["wait", "--for=condition=Established", "--timeout=30s", crd])?;
        let cluster = Cluster::open(&sandbox.kubeconfig).await?;
        let kubeconfig = dir.join("operator.kubeconfig");
        write_kubeconfig(&cluster, &sandbox.kubeconfig, &kubeconfig).await?;
        let launch = Launch {
            binary: std::path::absolute(operator).of(operator)?,
            helm: sandbox.tools.helm.path.clone(),
            charts: std::path::absolute(root.join("charts/bundled")).of(root)?,
            kubeconfig,
            dir: dir.clone(),
        };
        let samples = Samples::read(root, &sandbox, &cluster, &dir, None).await?;
        Ok(Self { sandbox, cluster, samples, launch, dir, started: AtomicU32::new(0) })
    }

    /// Starts an operator with an empty cache.
    pub async fn start(&self) -> Result<Operator, Error> {
        Operator::start(&self.launch, self.started.fetch_add(1, Ordering::Relaxed)).await
    }

    /// The audit log from now on.
    pub fn audit(&self) -> Result<Audit, Error> {
        Audit::from_now(self.sandbox.audit_log.clone())
    }

    /// Keys of the object store.
    pub fn keys(&self) -> (&str, &str) {
        (&self.sandbox.s3.access_key, &self.sandbox.s3.secret_key)
    }

    /// Makes a namespace with the keys in it.
    pub async fn make_namespace(&self, name: &str) -> Result<(), Error> {
        self.cluster.make_namespace(name, self.keys()).await
    }
}

/// The name that the operator has in the audit log.
pub fn operator_user() -> String {
    format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}")
}

fn kubectl(sandbox: &Sandbox, args: &[&str]) -> Result<(), Error> {
    let output = sandbox.kubectl(args).output().of(Path::new("kubectl"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Program { program: format!("kubectl {}", args.join(" ")), said })
}

async fn write_kubeconfig(cluster: &Cluster, admin: &Path, file: &Path) -> Result<(), Error> {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let spec = TokenRequestSpec { expiration_seconds: Some(24 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await;
    let token = answer.doing(|| "get a token for the operator".to_owned())?.status.map(|status| status.token);
    let format = |reason: String| Error::Format { what: "the kubeconfig".to_owned(), reason };
    let clusters = serde_json::to_value(Kubeconfig::read_from(admin)?.clusters);
    let clusters = clusters.map_err(|error| format(error.to_string()))?;
    let name = clusters.pointer("/0/name").cloned().ok_or_else(|| format("it has no cluster".to_owned()))?;
    // JSON is YAML.
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "operator", "clusters": clusters,
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": name, "user": "operator", "namespace": SYSTEM}}],
    });
    let mut options = std::fs::OpenOptions::new();
    let mut open = options.create(true).write(true).truncate(true).mode(0o600).open(file).of(file)?;
    std::io::Write::write_all(&mut open, config.to_string().as_bytes()).of(file)
}
