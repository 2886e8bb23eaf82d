//! The platform's security rules on every pod template: Pod Security "restricted" everywhere, and no fixed ids where
//! OpenShift's `restricted-v2` hands them out by namespace.

use serde_json::{Value, json};

use super::{Manifest, containers_mut, object_at, template_mut};

/// Ids that a namespace's range decides on OpenShift.
const FIXED_IDS: &[&str] = &["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"];

/// Enforces the rules on a workload; leaves every other object as it is.
pub(super) fn enforce(openshift: bool, manifest: &mut Manifest) {
    let Some(template) = template_mut(manifest) else { return };
    let pod = object_at(template, "spec");
    for unsafe_field in ["hostNetwork", "hostPID", "hostIPC"] {
        if let Some(pod) = pod.as_object_mut() {
            pod.remove(unsafe_field);
        }
    }
    // No backend talks to the API server; upstream's mimir-distributed mounts a token all the same.
    pod["automountServiceAccountToken"] = json!(false);
    let context = object_at(pod, "securityContext");
    context["runAsNonRoot"] = json!(true);
    default(context, "seccompProfile", json!({"type": "RuntimeDefault"}));
    if openshift {
        remove_ids(context);
    }
    for container in containers_mut(pod) {
        let context = object_at(container, "securityContext");
        context["allowPrivilegeEscalation"] = json!(false);
        context["capabilities"] = json!({"drop": ["ALL"]});
        if let Some(context) = context.as_object_mut() {
            context.remove("privileged");
        }
        if openshift {
            remove_ids(context);
        }
        // A crash's last words are then readable with pod rights alone, without those to logs.
        container["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    }
}

fn default(parent: &mut Value, key: &str, value: Value) {
    if parent.get(key).is_none() {
        parent[key] = value;
    }
}

fn remove_ids(context: &mut Value) {
    if let Some(context) = context.as_object_mut() {
        for id in FIXED_IDS {
            context.remove(*id);
        }
    }
}
