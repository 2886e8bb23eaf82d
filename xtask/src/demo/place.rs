//! Where the demo plays: a sandbox of its own, one that runs already, or somebody's cluster.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use obstack_sandbox::Sandbox;
use serde_json::Value;

use crate::args::Demo;
use crate::command;
use crate::demo::operator::Operator;
use crate::error::{At, Error};
use crate::sandbox;
use crate::show::Show;

const REQUEST_LIMIT: &str = "--request-timeout=30s";

/// Where the demo plays.
pub struct Place {
    cluster: Cluster,
    s3: S3,
    /// Whether it is ours to take down at the end.
    own: bool,
    /// Files of the demo: the operator's log, kubeconfig and cache.
    pub files: PathBuf,
    /// Held so that no two demos share a sandbox.
    _lock: Option<File>,
}

enum Cluster {
    Sandbox(Box<Sandbox>),
    Context { name: String, helm: PathBuf },
}

/// How to reach the object store.
pub struct S3 {
    /// Its URL.
    pub endpoint: String,
    /// An account that may make buckets.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

impl S3 {
    /// The one that the options name, for somebody's cluster. None for a sandbox, which has its own.
    pub fn given(options: &Demo) -> Result<Option<Self>, Error> {
        let Some(endpoint) = &options.s3_endpoint else { return Ok(None) };
        let why =
            "with --context the S3 server is yours, and the demo needs an account that may make buckets";
        let variable = |variable: &'static str| {
            env::var(variable).ok().filter(|value| !value.is_empty()).ok_or(Error::Variable { variable, why })
        };
        Ok(Some(Self {
            endpoint: endpoint.clone(),
            access_key: variable("AWS_ACCESS_KEY_ID")?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        }))
    }
}

impl Place {
    /// Brings up, or finds, what the options ask for.
    pub fn take(options: &Demo, given: Option<S3>) -> Result<Self, Error> {
        match (&options.context, given) {
            (Some(context), Some(s3)) => Self::context(context, s3),
            _ => Self::sandbox(options),
        }
    }

    /// The usual sandbox if it runs or shall be kept; otherwise one beside it, which does not get in the way.
    fn sandbox(options: &Demo) -> Result<Self, Error> {
        let usual = obstack_sandbox::default_dir()?;
        let wanted = options.sandbox.at(usual.clone()).pods;
        let there = obstack_sandbox::open(&usual).ok().map(|sandbox| sandbox.pods);
        let found = there == Some(wanted);
        let (dir, lock) = if found || options.keep {
            (usual, None)
        } else {
            let dir = super::own_dir()?;
            let lock = super::lock()?.ok_or_else(|| Error::AnotherDemo { dir: dir.clone() })?;
            sandbox::down(&dir)?;
            (dir, Some(lock))
        };
        let theirs = there.is_some() && lock.is_none();
        let up = sandbox::up(&options.sandbox.at(dir.clone()));
        if up.is_err() && !theirs {
            // The error of the start is the one that counts.
            let _ = sandbox::down(&dir);
        }
        let sandbox = up?;
        let files = dir.join("demo");
        fs::create_dir_all(&files).at("create", &files)?;
        let s3 = S3 {
            endpoint: sandbox.s3.endpoint.clone(),
            access_key: sandbox.s3.access_key.clone(),
            secret_key: sandbox.s3.secret_key.clone(),
        };
        Ok(Self { cluster: Cluster::Sandbox(Box::new(sandbox)), s3, own: !found, files, _lock: lock })
    }

    fn context(context: &str, s3: S3) -> Result<Self, Error> {
        let show = Show::new("helm");
        let helm = obstack_sandbox::helm(&mut |progress| show.sandbox(progress))?;
        let plain: String =
            context.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let files = obstack_sandbox::default_dir()?.with_file_name(format!("demo-{plain}"));
        fs::create_dir_all(&files).at("create", &files)?;
        let cluster = Cluster::Context { name: context.to_owned(), helm };
        Ok(Self { cluster, s3, own: false, files, _lock: None })
    }

    /// The sandbox, where it is one.
    pub fn as_sandbox(&self) -> Option<&Sandbox> {
        match &self.cluster {
            Cluster::Sandbox(sandbox) => Some(sandbox),
            Cluster::Context { .. } => None,
        }
    }

    /// The object store.
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// The helm binary.
    pub fn helm(&self) -> PathBuf {
        match &self.cluster {
            Cluster::Sandbox(sandbox) => sandbox.tools.helm.path.clone(),
            Cluster::Context { helm, .. } => helm.clone(),
        }
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self, args: &[&str]) -> Command {
        match &self.cluster {
            Cluster::Sandbox(sandbox) => sandbox.kubectl(args),
            Cluster::Context { name, .. } => {
                let mut command = Command::new("kubectl");
                command.args(["--context", name.as_str()]).args(args);
                command
            }
        }
    }

    /// Applies objects, server-side. `what` names them.
    pub fn apply(&self, what: &str, objects: &Value) -> Result<(), Error> {
        let args = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=obstack-demo",
            REQUEST_LIMIT,
            "-f",
            "-",
        ];
        command::feed(&format!("apply {what}"), &mut self.kubectl(&args), &objects.to_string()).map(drop)
    }

    /// A list of objects.
    pub fn list(&self, args: &[&str]) -> Result<Vec<Value>, Error> {
        let all: Vec<&str> =
            ["get"].iter().chain(args).chain(&["-o", "json", REQUEST_LIMIT]).copied().collect();
        let answer = command::json("list objects", &mut self.kubectl(&all))?;
        Ok(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// What is real here and what is not.
    pub fn describe(&self, options: &Demo) -> String {
        let charts = options.charts.as_ref().map_or_else(
            || "the bundled charts of this repository".to_owned(),
            |dir| format!("the upstream charts in {}", dir.display()),
        );
        match &self.cluster {
            Cluster::Sandbox(sandbox) => format!(
                "Kubernetes {} at {}. {}\n\
                 S3 is {} at {}; the endpoint in the samples is replaced by it.\n\
                 Rendered from {charts}.",
                sandbox.tools.kube_apiserver.version,
                sandbox.server,
                sandbox::pods(&sandbox.backends),
                sandbox.s3.implementation,
                sandbox.s3.endpoint,
            ),
            Cluster::Context { name, .. } => format!(
                "The cluster of the context {name}: pods are as real as its nodes.\n\
                 S3 is at {}; the endpoint in the samples is replaced by it.\n\
                 Rendered from {charts}.",
                self.s3.endpoint,
            ),
        }
    }

    /// How a demo ends that was kept.
    pub fn how_to_end(&self, operator: Option<&Operator>) -> String {
        match &self.cluster {
            Cluster::Sandbox(_) => "All of it runs on. To end it:\n  cargo xtask sandbox down".into(),
            Cluster::Context { name, .. } => format!(
                "To remove the demo{}:\n  kubectl --context {name} delete obstack -A -l {}\n{}  {}",
                if operator.is_some() { ", and to end the operator, which runs on" } else { "" },
                super::contents::LABEL,
                operator.map(|operator| format!("  kill {}\n", operator.pid())).unwrap_or_default(),
                remove_rest(name),
            ),
        }
    }

    /// In a cluster that goes on without the operator, its work is taken back while it still runs.
    pub fn remove_stacks(&self, in_order: bool) {
        if self.own || !in_order {
            return;
        }
        let args = [
            "delete",
            "observabilitystacks.obstack.dev",
            "--all-namespaces",
            "-l",
            super::contents::LABEL,
            "--timeout=60s",
        ];
        if let Err(error) = command::text("delete the stacks", &mut self.kubectl(&args)) {
            eprintln!("{error}");
        }
    }

    /// Ends the sandbox if it is ours.
    pub fn leave(&self) -> Result<(), Error> {
        match &self.cluster {
            Cluster::Sandbox(sandbox) if self.own => sandbox::down(&sandbox.dir),
            Cluster::Sandbox(_) => {
                println!(
                    "The sandbox ran before and runs on, with the demo's namespaces, volumes and buckets."
                );
                println!("  cargo xtask sandbox down");
                Ok(())
            }
            Cluster::Context { name, .. } => {
                super::operator::remove_kubeconfig(self);
                println!(
                    "Namespaces, volumes, buckets, CRD and RBAC stay. To remove what is in the cluster:"
                );
                println!("  {}", remove_rest(name));
                Ok(())
            }
        }
    }
}

fn remove_rest(context: &str) -> String {
    format!(
        "kubectl --context {context} delete namespace -l {}\n  \
         kubectl --context {context} delete -f crds/ -f deploy/rbac/cluster.yaml",
        super::contents::LABEL
    )
}
