//! The operator's chart, installed by helm as a person does it, and an operator that runs as what it installed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    DEPLOYMENT, World,
    audit::Audit,
    cli::Told,
    operator::{self, Operator},
    rights,
    world::ROOT,
};

/// The chart.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/obstack");

/// The helm of a sandbox. It reads and writes nothing of the caller's.
pub struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

/// A release of the chart.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name, which its objects have too.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its values, as `--set` has them.
    pub values: Vec<String>,
}

impl Helm {
    /// A command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.home);
        command.args(args);
        command
    }

    /// Runs a command to its end.
    pub fn tell(&self, args: &[&str]) -> Told {
        self.command(args).output().expect("helm runs").into()
    }

    /// Runs a command that must come to a good end, and gives what it printed.
    pub fn run(&self, args: &[&str]) -> String {
        let told = self.tell(args);
        assert_eq!(told.code, 0, "helm {args:?}: {}", told.err);
        told.out
    }

    /// `helm install` or `helm upgrade` of a release, until its pods are ready.
    pub fn put(&self, verb: &str, release: &Release) {
        let mut args = vec![verb, &release.name, CHART, "--namespace", &release.namespace];
        args.extend(["--wait", "--timeout", "60s"]);
        args.extend(release.values.iter().flat_map(|value| ["--set", value]));
        self.run(&args);
    }

    /// `helm uninstall`.
    pub fn remove(&self, release: &Release) {
        self.run(&["uninstall", &release.name, "--namespace", &release.namespace, "--wait"]);
    }
}

/// `helm template` of the chart with values, or what the chart says against them. No cluster is asked.
pub fn template(values: &[&str]) -> Result<Vec<Value>, String> {
    let dir = std::env::var_os("OBSTACK_SANDBOX").expect("OBSTACK_SANDBOX: run `cargo xtask test`");
    let sandbox = obstack_sandbox::open(dir.as_ref()).expect("the sandbox");
    let home = tempfile::tempdir().expect("a folder");
    let nothing = home.path().join("no-kubeconfig");
    let helm =
        Helm { program: sandbox.tools.helm.path.clone(), kubeconfig: nothing, home: home.path().into() };
    let mut args = vec!["template", "obstack", CHART, "--namespace", "own"];
    args.extend(values.iter().flat_map(|value| ["--set", value]));
    let told = helm.tell(&args);
    if told.code != 0 {
        return Err(told.err);
    }
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&told.out).expect("the chart renders YAML");
    objects.retain(Value::is_object);
    Ok(objects)
}

impl World {
    /// The sandbox's helm with a kubeconfig; the administrator's when there is none.
    pub fn helm(&self, kubeconfig: Option<&Path>) -> Helm {
        Helm {
            program: self.sandbox.tools.helm.path.clone(),
            kubeconfig: kubeconfig.unwrap_or(&self.sandbox.kubeconfig).into(),
            home: self.dir.path().into(),
        }
    }

    /// A kubeconfig of a ServiceAccount.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> PathBuf {
        let file = self.dir.path().join(format!("kubeconfig-{namespace}-{account}"));
        let user = format!("system:serviceaccount:{namespace}:{account}");
        rights::write_kubeconfig(&self.cluster, &user, &self.sandbox.kubeconfig, &file).await;
        file
    }

    /// Starts the operator that a release installed: as its ServiceAccount and with the variables of its container,
    /// because a simulated pod runs none. What is different outside of the image is said by flags.
    pub async fn installed(&self, release: &Release) -> (Operator, Audit) {
        let deployment = self.cluster.get(DEPLOYMENT, &release.namespace, &release.name).await;
        let pod = &deployment["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().expect("a ServiceAccount");
        let user = format!("system:serviceaccount:{}:{account}", release.namespace);
        let audit = Audit::from_now(self.sandbox.audit_log.clone(), user);
        let kubeconfig = self.kubeconfig_of(&release.namespace, account).await;
        let dir = self.dir.path();
        let mut command = Command::new(operator::binary());
        command.env_clear().env("KUBECONFIG", kubeconfig).env("HOME", dir).env("TMPDIR", dir);
        for variable in pod["containers"][0]["env"].as_array().expect("variables") {
            let name = variable["name"].as_str().expect("a name");
            let value = match variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str) {
                Some("metadata.namespace") => release.namespace.as_str(),
                Some("metadata.name") => release.name.as_str(),
                Some(other) => panic!("{name} is {other}"),
                None => variable["value"].as_str().expect("a value"),
            };
            command.env(name, value);
        }
        let cache = dir.join(format!("cache-{}", crate::random()));
        command.args(["--listen", "127.0.0.1:0"]).arg("--cache-dir").arg(&cache);
        command.arg("--helm").arg(&self.sandbox.tools.helm.path);
        command.args(["--bundled-charts", &format!("{ROOT}/charts/bundled")]);
        let log = dir.join(format!("{}.log", release.name));
        (Operator::spawn(&mut command, log, cache), audit)
    }
}
