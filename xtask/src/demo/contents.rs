//! What the demo puts into the cluster: CRD, RBAC, namespaces with their quotas, credentials, stacks.

use std::fs;

use obstack_api::{Canary, Platform, Signal};
use serde_json::{Value, json};

use crate::args::Quota;
use crate::command;
use crate::demo::place::Place;
use crate::error::{At, Error};
use crate::workspace;

/// On every object of the demo.
pub const LABEL: &str = "obstack.dev/demo=true";
/// Where Grafana and its sidecar would run.
const TOOLS: &str = "ca7f8f-tools";
/// The three environments, in the order of a rollout.
const ENVIRONMENTS: [&str; 3] = ["dev", "test", "prod"];

/// CPU, memory, volumes.
type Amounts = [&'static str; 3];

/// The quota of each namespace, named as in the rollout document.
const QUOTA: &str = "compute-long-running-quota";

/// A sample, as it is applied.
pub struct Stack {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether today's quota of its namespace is too small for it.
    pub large: bool,
    object: Value,
}

/// The quota of an environment's namespace, and what other workloads use of it. Of dev and test only what is free is
/// known.
fn room(environment: &str, quota: Quota) -> (Amounts, Option<Amounts>) {
    let others = ["2630m", "8704Mi", "55Gi"];
    match (environment, quota) {
        ("dev", _) => (["2530m", "11571Mi", "33Gi"], None),
        ("test", _) => (["5340m", "25395Mi", "30Gi"], None),
        (_, Quota::Today) => (["4000m", "16Gi", "64Gi"], Some(others)),
        (_, Quota::Fits) => (["10000m", "32Gi", "96Gi"], Some(others)),
    }
}

/// The samples, with the endpoint of the object store that is there.
pub fn stacks(endpoint: &str) -> Result<Vec<Stack>, Error> {
    ENVIRONMENTS.into_iter().map(|environment| stack(environment, endpoint)).collect()
}

/// The dev sample for pods that run, on a node that is no OpenShift. Its canary writes so often, and these signals; all
/// that the stack keeps when there are none.
pub fn real(endpoint: &str, interval: &str, signals: &[Signal]) -> Result<Stack, Error> {
    let mut stack = stack("dev", endpoint)?;
    if let Some(spec) = stack.object.get_mut("spec").and_then(Value::as_object_mut) {
        let canary = Canary { interval: Some(interval.into()), signals: signals.into(), ..Canary::default() };
        spec.insert("platform".into(), json!(Platform::Kubernetes));
        spec.insert("canary".into(), json!(canary));
    }
    Ok(stack)
}

fn stack(environment: &str, endpoint: &str) -> Result<Stack, Error> {
    let path = workspace::root().join(format!("deploy/samples/{environment}.yaml"));
    let text = fs::read_to_string(&path).at("read", &path)?;
    let format = |reason: String| Error::Format { what: path.display().to_string(), reason };
    let mut object: Value = serde_saphyr::from_str(&text).map_err(|error| format(error.to_string()))?;
    let place = object.pointer_mut("/spec/objectStorage/endpoint");
    *place.ok_or_else(|| format("it has no spec.objectStorage.endpoint".into()))? = endpoint.into();
    let name = |field: &str| {
        let found = object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| format(format!("it has no metadata.{field}")))
    };
    let (namespace, name) = (name("namespace")?, name("name")?);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".into(), labels());
    }
    Ok(Stack { namespace, name, large: environment == "prod", object })
}

/// Puts the CRD and the operator's rights in place.
pub fn install_rights(place: &Place) -> Result<(), Error> {
    place.apply("the CRD", &obstack_api::schema::crd())?;
    let established =
        ["wait", "--for=condition=Established", "crd/observabilitystacks.obstack.dev", "--timeout=30s"];
    command::text("wait for the CRD", &mut place.kubectl(&established))?;
    let rbac = workspace::root().join("deploy/rbac/cluster.yaml").display().to_string();
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", rbac.as_str()];
    command::text("apply the RBAC", &mut place.kubectl(&apply)).map(drop)
}

/// Puts everything in place that stands around the stacks.
pub fn surround(place: &Place, quota: Quota, stacks: &[Stack]) -> Result<(), Error> {
    place.apply("namespaces, quotas and credentials", &around(place, quota, stacks))?;
    // The quota's controller counts what others use before the stacks come.
    for (stack, environment) in stacks.iter().zip(ENVIRONMENTS) {
        let Some([cpu, _, _]) = room(environment, quota).1 else { continue };
        let counted = format!("--for=jsonpath={{.status.used.requests\\.cpu}}={cpu}");
        let name = format!("resourcequota/{QUOTA}");
        let wait = ["wait", &counted, &name, "-n", &stack.namespace, "--timeout=60s"];
        command::text("wait for the quota to be counted", &mut place.kubectl(&wait))?;
    }
    println!("Namespaces, quotas and credentials are in place.");
    Ok(())
}

/// Puts the stacks in place.
pub fn apply_stacks(place: &Place, stacks: &[Stack]) -> Result<(), Error> {
    let objects: Vec<Value> = stacks.iter().map(|stack| stack.object.clone()).collect();
    place.apply("the stacks", &list(&objects))?;
    let environments: Vec<&str> =
        stacks.iter().zip(ENVIRONMENTS).map(|(_, environment)| environment).collect();
    println!("Of deploy/samples are applied: {}.", environments.join(", "));
    Ok(())
}

fn labels() -> Value {
    let (key, value) = LABEL.split_once('=').unwrap_or((LABEL, ""));
    json!({key: value})
}

fn list(objects: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects})
}

/// What stands around the stacks.
fn around(place: &Place, quota: Quota, stacks: &[Stack]) -> Value {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels()}});
    let mut objects: Vec<Value> = stacks.iter().map(|stack| namespace(&stack.namespace)).collect();
    objects.push(namespace(TOOLS));
    for (stack, environment) in stacks.iter().zip(ENVIRONMENTS) {
        let ([cpu, memory, storage], others) = room(environment, quota);
        objects.push(json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": QUOTA, "namespace": stack.namespace, "labels": labels()},
            "spec": {"hard": {"requests.cpu": cpu, "requests.memory": memory, "requests.storage": storage}},
        }));
        objects.extend(others.into_iter().flat_map(|amounts| other_workloads(&stack.namespace, amounts)));
        let s3 = place.s3();
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("dts-s3-{environment}"), "namespace": stack.namespace, "labels": labels()},
            "stringData": {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key},
        }));
    }
    list(&objects)
}

/// What stands for the workloads that share a namespace with the stack.
fn other_workloads(namespace: &str, [cpu, memory, storage]: Amounts) -> [Value; 2] {
    let metadata = json!({"name": "other-workloads", "namespace": namespace, "labels": labels()});
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "pause", "image": "pause", "resources": {"requests": {"cpu": cpu, "memory": memory}}}],
        },
    });
    [claim, pod]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_for_its_environment_and_gets_the_endpoint() {
        let stacks = stacks("http://127.0.0.1:1").unwrap();
        for (stack, environment) in stacks.iter().zip(ENVIRONMENTS) {
            assert_eq!(stack.name, format!("dts-{environment}"));
            assert_eq!(stack.namespace, format!("ca7f8f-{environment}"));
            let spec = &stack.object["spec"];
            assert_eq!(spec["environment"], environment);
            assert_eq!(spec["objectStorage"]["endpoint"], "http://127.0.0.1:1");
            assert_eq!(
                spec["objectStorage"]["credentials"]["secretRef"]["name"],
                format!("dts-s3-{environment}")
            );
            assert_eq!(spec["grafana"]["datasources"]["namespace"], TOOLS);
        }
    }

    #[test]
    fn a_sample_has_no_field_that_the_api_does_not_know() {
        for stack in stacks("http://127.0.0.1:1").unwrap() {
            let read: obstack_api::StackSpec = serde_json::from_value(stack.object["spec"].clone()).unwrap();
            let written = serde_json::to_value(read).unwrap();
            holds("spec", &stack.object["spec"], &written);
        }
    }

    /// Whether everything in `part` is in `whole`.
    fn holds(path: &str, part: &Value, whole: &Value) {
        match part {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| holds(&format!("{path}.{key}"), value, &whole[key]));
            }
            _ => assert_eq!(part, whole, "{path}"),
        }
    }
}
