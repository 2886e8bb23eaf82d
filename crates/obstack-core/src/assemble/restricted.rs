//! Pod Security `restricted` on every pod template, after all that is set to meet it: what values and patches of the
//! spec, or a chart, add beyond it is refused, with what it is. As the API server has it in 1.36
//! (`k8s.io/pod-security-admission`), and one rule of our own: no token of the API server, which no backend needs.

use serde_json::Value;

use super::{AssembleError, Manifest, spoken};
use crate::design::Release;

/// Kinds of volumes that pods may have.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// Kernel settings that touch nobody else on the node.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
/// Types of a confined container; none is the default.
const SELINUX: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// Refuses a workload whose pods would not meet it; leaves every other object alone.
pub(super) fn hold(release: &Release, manifest: &Manifest) -> Result<(), AssembleError> {
    if !manifest.id.kind.is_workload() {
        return Ok(());
    }
    let Some(pod) = manifest.body.pointer("/spec/template/spec") else { return Ok(()) };
    let found = beyond(pod);
    if found.is_empty() {
        return Ok(());
    }
    Err(AssembleError::Policy {
        field: format!("spec.{}", release.area()),
        what: format!(
            "{}: {}; every pod meets Pod Security restricted: take it out of values and patches",
            spoken(manifest.id.kind, &manifest.id.name),
            found.join(", ")
        ),
    })
}

/// What a pod has that `restricted` does not allow.
fn beyond(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for volume in list(pod, "volumes") {
        let name = text(volume, "name");
        let kinds = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        found.extend(
            kinds
                .filter(|kind| *kind != "name" && !VOLUMES.contains(kind))
                .map(|kind| format!("volume {name} is a {kind}")),
        );
        let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
        if sources.into_iter().flatten().any(|source| source.get("serviceAccountToken").is_some()) {
            found.push(format!("volume {name} has a token of the API server"));
        }
    }
    for sysctl in list(security_of(pod), "sysctls") {
        let name = text(sysctl, "name");
        if !SYSCTLS.contains(&name) {
            found.push(format!("sysctl {name}"));
        }
    }
    found.extend(context(security_of(pod)).into_iter().map(|what| format!("the pod {what}")));
    for container in ["containers", "initContainers"].iter().flat_map(|containers| list(pod, containers)) {
        let name = text(container, "name");
        let security = security_of(container);
        let mut what = context(security);
        if !matches!(text(security, "procMount"), "" | "Default") {
            what.push(format!("has procMount {}", text(security, "procMount")));
        }
        for port in list(container, "ports") {
            if let Some(port) = port.get("hostPort").and_then(Value::as_u64).filter(|port| *port != 0) {
                what.push(format!("has the hostPort {port}"));
            }
        }
        let handlers = [
            "/livenessProbe",
            "/readinessProbe",
            "/startupProbe",
            "/lifecycle/postStart",
            "/lifecycle/preStop",
        ];
        for handler in handlers
            .iter()
            .flat_map(|path| [format!("{path}/httpGet/host"), format!("{path}/tcpSocket/host")])
        {
            if container.pointer(&handler).and_then(Value::as_str).is_some_and(|host| !host.is_empty()) {
                what.push(format!(
                    "asks another host ({})",
                    handler.trim_start_matches('/').replace('/', ".")
                ));
            }
        }
        found.extend(what.into_iter().map(|what| format!("container {name} {what}")));
    }
    found
}

fn security_of(value: &Value) -> &Value {
    value.get("securityContext").unwrap_or(&Value::Null)
}

/// What a security context of a pod or of a container says beyond it.
fn context(security: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if security.get("runAsUser").and_then(Value::as_i64) == Some(0) {
        found.push("runs as root".to_owned());
    }
    if security.get("runAsNonRoot") == Some(&Value::Bool(false)) {
        found.push("may run as root".to_owned());
    }
    let kind = |profile: &str| security.pointer(profile).and_then(Value::as_str).unwrap_or_default();
    for (profile, word) in [("/seccompProfile/type", "seccomp"), ("/appArmorProfile/type", "AppArmor")] {
        if !matches!(kind(profile), "" | "RuntimeDefault" | "Localhost") {
            found.push(format!("has the {word} profile {}", kind(profile)));
        }
    }
    if !SELINUX.contains(&kind("/seLinuxOptions/type"))
        || !kind("/seLinuxOptions/user").is_empty()
        || !kind("/seLinuxOptions/role").is_empty()
    {
        found.push("has SELinux options of its own".to_owned());
    }
    if security.pointer("/windowsOptions/hostProcess") == Some(&Value::Bool(true)) {
        found.push("is a process of its host".to_owned());
    }
    found
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_restricted_does_not_allow_is_named() {
        let check = |pod: Value, wanted: &[&str]| assert_eq!(beyond(&pod), wanted, "{pod}");
        let pod = |context: Value| json!({"securityContext": context});
        let container = |with: Value| {
            let mut container = json!({"name": "a"});
            container.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            json!({"containers": [container]})
        };
        check(json!({}), &[]);
        check(json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), &["volume v is a hostPath"]);
        let token = json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}, "name": "v"});
        check(json!({"volumes": [token]}), &["volume v has a token of the API server"]);
        check(json!({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {}}]}}]}), &[]);
        check(pod(json!({"runAsUser": 0})), &["the pod runs as root"]);
        check(pod(json!({"runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}})), &[]);
        check(pod(json!({"sysctls": [{"name": "kernel.msgmax"}]})), &["sysctl kernel.msgmax"]);
        let unconfined = json!({"seccompProfile": {"type": "Unconfined"}});
        check(pod(unconfined.clone()), &["the pod has the seccomp profile Unconfined"]);
        check(
            container(json!({"securityContext": unconfined})),
            &["container a has the seccomp profile Unconfined"],
        );
        check(
            container(json!({"securityContext": {"runAsNonRoot": false}})),
            &["container a may run as root"],
        );
        check(
            container(json!({"securityContext": {"procMount": "Unmasked"}})),
            &["container a has procMount Unmasked"],
        );
        check(
            container(json!({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}})),
            &["container a has SELinux options of its own"],
        );
        check(
            container(json!({"ports": [{"containerPort": 80, "hostPort": 80}]})),
            &["container a has the hostPort 80"],
        );
        check(
            container(json!({"livenessProbe": {"httpGet": {"host": "169.254.169.254"}}})),
            &["container a asks another host (livenessProbe.httpGet.host)"],
        );
        let init = json!({"initContainers": [{"name": "i", "securityContext": {"runAsUser": 0}}]});
        check(init, &["container i runs as root"]);
    }
}
