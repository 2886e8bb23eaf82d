//! The operator as pods of a sandbox in which containers run: its own image, and the manifests that are shipped.

use std::fs;
use std::path::Path;

use obstack_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::command;
use crate::error::{At, Error};
use crate::image;
use crate::show::Show;
use crate::workspace;

/// Where the operator belongs.
pub const SYSTEM: &str = "obstack-system";

const DEPLOYMENT: &str = "deployment/obstack";
/// Seconds that its pods may take to become ready.
const READY_LIMIT: u64 = 120;

/// Builds the image and brings it into the node, then installs the operator as the manual says and waits until its
/// pods are ready. They render upstream charts where a folder of them is given, otherwise the bundled ones.
pub fn install(sandbox: &Sandbox, charts: Option<&Path>) -> Result<(), Error> {
    let archive = sandbox.dir.join("operator.tar");
    image::write(&[image::NAME], charts, &archive)?;
    sandbox.import_image(&archive)?;
    fs::remove_file(&archive).at("remove", &archive)?;
    for files in ["crds", "deploy/rbac/cluster.yaml"] {
        let path = workspace::root().join(files).display().to_string();
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", path.as_str()];
        command::text(&format!("apply {files}"), &mut sandbox.kubectl(apply))?;
    }
    let manifest = manifest(if charts.is_some() { "upstream" } else { "bundled" })?.to_string();
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    command::feed("apply the operator's Deployment", &mut sandbox.kubectl(apply), &manifest)?;
    let _show = Show::new("operator: waiting for its pods");
    let timeout = format!("--timeout={READY_LIMIT}s");
    let rollout = ["rollout", "status", "--namespace", SYSTEM, DEPLOYMENT, timeout.as_str()];
    match command::text("wait for the operator", &mut sandbox.kubectl(rollout)) {
        Err(Error::Failed { output, .. }) => Err(Error::OperatorNotReady {
            seconds: READY_LIMIT,
            last: output.trim().into(),
            tail: tail(sandbox),
        }),
        other => other.map(drop),
    }
}

/// The last lines of the logs of its pods.
pub fn tail(sandbox: &Sandbox) -> String {
    let logs = ["logs", "--namespace", SYSTEM, "--selector", "app.kubernetes.io/name=obstack", "--prefix"];
    match command::text("read the operator's log", sandbox.kubectl(logs).arg("--tail=30")) {
        Ok(log) => command::tail(&log),
        Err(error) => error.to_string(),
    }
}

/// The shipped manifest, with the charts of a stack that does not choose, and a log for people.
fn manifest(charts: &str) -> Result<Value, Error> {
    let path = workspace::root().join("deploy/operator/deployment.yaml");
    let text = fs::read_to_string(&path).at("read", &path)?;
    let format = |reason: String| Error::Format { what: path.display().to_string(), reason };
    let mut objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| format(error.to_string()))?;
    let env = objects
        .iter_mut()
        .find_map(|object| object.pointer_mut("/spec/template/spec/containers/0/env")?.as_array_mut())
        .ok_or_else(|| format("no container in it has variables".into()))?;
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    env.extend([variable("OBSTACK_CHART_SOURCE", charts), variable("OBSTACK_LOG_FORMAT", "text")]);
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": objects}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_manifest_is_installed_with_two_variables_more() {
        let manifest = manifest("bundled").unwrap();
        let deployment = &manifest["items"][0];
        assert_eq!(deployment["kind"], "Deployment");
        let env = deployment.pointer("/spec/template/spec/containers/0/env").unwrap();
        let of = |name: &str| env.as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
        assert_eq!(of("OBSTACK_CHART_SOURCE").unwrap()["value"], "bundled");
        assert!(of("POD_NAME").is_some(), "{env}");
        assert_eq!(manifest["items"][1]["kind"], "PodDisruptionBudget");
    }
}
