//! Admission policies of the sandbox itself: which node a pod is meant for, and volumes that pods may write to. What
//! runs in the cluster knows nothing of either.

use serde_json::{Value, json};

use super::backends::{Backend, KNOWN};

/// The label of simulated nodes, and their taint: nothing comes to them but by these policies.
pub(crate) const SIMULATED: &str = "sandbox.obstack.dev/simulated";

const PODS: &str = "simulated-pods.sandbox.obstack.dev";
const VOLUMES: &str = "local-volumes.sandbox.obstack.dev";

/// The policies with their bindings.
pub(crate) fn policies(backends: &[Backend]) -> Vec<Value> {
    [pods(backends), volumes()].into_iter().flat_map(|policy| [binding(&policy), policy]).collect()
}

/// The repositories of backends that have no image here.
pub(crate) fn simulated_repositories(backends: &[Backend]) -> Vec<&'static str> {
    let simulated = |name: &str| !backends.iter().any(|backend| backend.name == name && backend.is_real());
    KNOWN.iter().filter(|known| simulated(known.name)).map(|known| known.repository).collect()
}

/// A pod one of whose images cannot be had goes to a simulated node as a whole. Any other pod stays as it is: an
/// unknown image fails on the real node as it would anywhere.
fn pods(backends: &[Backend]) -> Value {
    let names: Vec<String> = simulated_repositories(backends)
        .into_iter()
        .flat_map(|name| {
            [Some(name), name.strip_prefix("docker.io/")].into_iter().flatten().map(str::to_owned)
        })
        .collect();
    let of = |list: &str| {
        let names = json!(names);
        format!(
            "{list}.exists(c, {names}.exists(r, c.image == r || c.image.startsWith(r + ':') || c.image.startsWith(r + '@')))"
        )
    };
    let condition =
        format!("{} || {}", of("object.spec.containers"), of("object.spec.?initContainers.orValue([])"));
    let key = SIMULATED.replace('/', "~1");
    let toleration = format!("{{'key': '{SIMULATED}', 'operator': 'Exists'}}");
    let selector = format!(
        "has(object.spec.nodeSelector) \
         ? [JSONPatch{{op: 'add', path: '/spec/nodeSelector/{key}', value: 'true'}}] \
         : [JSONPatch{{op: 'add', path: '/spec/nodeSelector', value: {{'{SIMULATED}': 'true'}}}}]"
    );
    let tolerations = format!(
        "has(object.spec.tolerations) \
         ? [JSONPatch{{op: 'add', path: '/spec/tolerations/-', value: {toleration}}}] \
         : [JSONPatch{{op: 'add', path: '/spec/tolerations', value: [{toleration}]}}]"
    );
    policy(PODS, ("", "pods"), &condition, &[&selector, &tolerations])
}

/// A volume of the provisioner is a folder of root's, and a kubelet changes no owner of a `hostPath`. As a `local`
/// volume the same folder gets the group of the pod, as a volume of any real driver does. Nothing of Kubernetes deletes
/// a `local` volume, so it says so; the sandbox removes it at the end.
fn volumes() -> Value {
    let anywhere = "{'required': {'nodeSelectorTerms': [{'matchExpressions': \
                    [{'key': 'kubernetes.io/os', 'operator': 'Exists'}]}]}}";
    let change = format!(
        "[JSONPatch{{op: 'add', path: '/spec/local', value: {{'path': object.spec.hostPath.path}}}}, \
         JSONPatch{{op: 'remove', path: '/spec/hostPath'}}, \
         JSONPatch{{op: 'add', path: '/spec/persistentVolumeReclaimPolicy', value: 'Retain'}}, \
         JSONPatch{{op: 'add', path: '/spec/nodeAffinity', value: {anywhere}}}]"
    );
    policy(VOLUMES, ("", "persistentvolumes"), "has(object.spec.hostPath)", &[&change])
}

fn policy(name: &str, (group, resource): (&str, &str), condition: &str, changes: &[&str]) -> Value {
    let patch = |change: &&str| json!({ "patchType": "JSONPatch", "jsonPatch": { "expression": change } });
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource],
            }] },
            "matchConditions": [{ "name": "concerned", "expression": condition }],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": changes.iter().map(patch).collect::<Vec<_>>(),
        },
    })
}

fn binding(policy: &Value) -> Value {
    let name = policy.pointer("/metadata/name");
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": { "policyName": name },
    })
}

/// A volume that is only tried: once it comes back changed, the policies are followed.
pub(crate) fn probe() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": "probe" },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": { "storage": "1Mi" },
            "hostPath": { "path": "/tmp/hostpath_pv/probe" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::backends::How;
    use super::*;

    #[test]
    fn pods_of_simulated_backends_and_no_others_are_sent_away() {
        let real = Backend { name: "mimir".into(), images: Vec::new(), how: How::Pulled };
        let simulated =
            Backend { name: "tempo".into(), images: Vec::new(), how: How::Simulated { why: String::new() } };
        let repositories = simulated_repositories(&[real, simulated]);
        assert!(repositories.contains(&"docker.io/grafana/tempo"));
        assert!(!repositories.contains(&"docker.io/grafana/mimir"));
    }
}
