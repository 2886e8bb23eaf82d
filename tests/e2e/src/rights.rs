//! The rights that the operator ships with, given to a ServiceAccount of a test.

use std::path::Path;

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams, config::Kubeconfig};
use serde_json::{Value, json};

use crate::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, Cluster, ROLE, ROLE_BINDING, SERVICE_ACCOUNT};

const RBAC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rbac");
/// The rights for single namespaces.
const NAMESPACED: &str = "namespaced.yaml";
/// The rights for a whole cluster.
const CLUSTER: &str = "cluster.yaml";
/// The operator's namespace in the shipped file.
const OWN: &str = "obstack-system";
/// The watched namespace in the shipped file.
const WATCHED: &str = "my-namespace";

/// The objects of a shipped file.
fn shipped(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{RBAC}/{file}"))
        .unwrap_or_else(|error| panic!("deploy/rbac/{file}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("deploy/rbac/{file}: {error}"))
}

/// Gives the shipped rights to a ServiceAccount in `home`, for the namespaces, and returns its user name.
pub async fn grant(cluster: &Cluster, home: &str, namespaces: &[String]) -> String {
    let mut account = String::new();
    for object in shipped(NAMESPACED) {
        let object = renamed(&object, OWN, home);
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let placed = match object.pointer("/metadata/namespace").and_then(Value::as_str) {
            Some(WATCHED) => {
                namespaces.iter().map(|namespace| renamed(&object, WATCHED, namespace)).collect()
            }
            Some(_) => vec![object],
            None => vec![of_its_own(object, home)],
        };
        for object in placed {
            let kind = match kind.as_str() {
                // The world has made it.
                "Namespace" => continue,
                "ServiceAccount" => SERVICE_ACCOUNT,
                "Role" => ROLE,
                "RoleBinding" => ROLE_BINDING,
                "ClusterRole" => CLUSTER_ROLE,
                "ClusterRoleBinding" => CLUSTER_ROLE_BINDING,
                other => panic!("deploy/rbac/namespaced.yaml has a {other}, which the tests do not know"),
            };
            let made = cluster.make(kind, &object).await;
            if kind == SERVICE_ACCOUNT {
                made["metadata"]["name"].as_str().expect("a name").clone_into(&mut account);
            }
        }
    }
    format!("system:serviceaccount:{home}:{account}")
}

/// Gives the ServiceAccount of a grant the rights for a whole cluster, too.
pub async fn grant_everywhere(cluster: &Cluster, home: &str) {
    for object in outside(CLUSTER) {
        let kind = if object["kind"] == "ClusterRole" { CLUSTER_ROLE } else { CLUSTER_ROLE_BINDING };
        cluster.make(kind, &of_its_own(renamed(&object, OWN, home), home)).await;
    }
}

/// Removes what grants made outside of namespaces.
pub async fn revoke(cluster: &Cluster, home: &str) {
    for object in outside(NAMESPACED).into_iter().chain(outside(CLUSTER)) {
        let kind = if object["kind"] == "ClusterRole" { CLUSTER_ROLE } else { CLUSTER_ROLE_BINDING };
        let name = format!("{}-{home}", object["metadata"]["name"].as_str().unwrap_or_default());
        cluster.delete(kind, "", &name).await;
    }
}

/// The objects of a shipped file that are in no namespace.
fn outside(file: &str) -> Vec<Value> {
    let mut objects = shipped(file);
    objects.retain(|object| object["kind"].as_str().is_some_and(|kind| kind.starts_with("ClusterRole")));
    objects
}

fn renamed(object: &Value, from: &str, to: &str) -> Value {
    let text = object.to_string().replace(&format!("\"{from}\""), &format!("\"{to}\""));
    serde_json::from_str(&text).expect("it was JSON")
}

/// Cluster-scoped objects of two tests must not meet.
fn of_its_own(mut object: Value, home: &str) -> Value {
    for pointer in ["/metadata/name", "/roleRef/name"] {
        if let Some(name) = object.pointer_mut(pointer) {
            *name = format!("{}-{home}", name.as_str().unwrap_or_default()).into();
        }
    }
    object
}

/// Writes a kubeconfig with a token of the user.
pub async fn write_kubeconfig(cluster: &Cluster, user: &str, admin: &Path, file: &Path) {
    let mut parts = user.rsplit(':');
    let (Some(account), Some(namespace)) = (parts.next(), parts.next()) else { panic!("no user: {user}") };
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let token = answer.expect("a token of the operator's ServiceAccount").status.expect("a token").token;
    let admin = Kubeconfig::read_from(admin).expect("the sandbox's kubeconfig");
    let clusters = serde_json::to_value(&admin.clusters).expect("a kubeconfig is JSON");
    let name = clusters[0]["name"].clone();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": name, "user": "operator"}}],
        "current-context": "operator",
    });
    std::fs::write(file, config.to_string()).expect("write a kubeconfig");
}
