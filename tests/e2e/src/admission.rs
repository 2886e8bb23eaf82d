//! Rules of admission that hold in the namespace of a test alone. They bear its name.

use serde_json::{Value, json};

use crate::{
    ADMISSION_BINDING, ADMISSION_POLICY, MUTATION_BINDING, MUTATION_POLICY, World, cluster::Cluster,
    kinds::Kind,
};

impl World {
    /// Has the API server refuse such requests for a resource of the core group where one of the validations, each an
    /// `expression` with its `message`, does not hold.
    pub async fn refuse(&self, operation: &str, resource: &str, validations: Value) {
        let spec = json!({
            "failurePolicy": "Fail",
            "matchConstraints": on(&self.namespace, operation, resource),
            "validations": validations,
        });
        let bound = json!({"policyName": self.namespace, "validationActions": ["Deny"]});
        make(&self.cluster, &self.namespace, [(ADMISSION_POLICY, spec), (ADMISSION_BINDING, bound)]).await;
    }

    /// Has the API server lay an object over each new pod, where the condition holds.
    pub async fn change_pods(&self, condition: &str, object: &str) {
        let spec = json!({
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": on(&self.namespace, "CREATE", "pods"),
            "matchConditions": [{"name": "those", "expression": condition}],
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": object}}],
        });
        let bound = json!({"policyName": self.namespace});
        make(&self.cluster, &self.namespace, [(MUTATION_POLICY, spec), (MUTATION_BINDING, bound)]).await;
    }

    /// Ends both.
    pub async fn admit(&self) {
        for kind in [ADMISSION_BINDING, ADMISSION_POLICY, MUTATION_BINDING, MUTATION_POLICY] {
            self.cluster.delete(kind, "", &self.namespace).await;
        }
    }
}

fn on(namespace: &str, operation: &str, resource: &str) -> Value {
    json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "resourceRules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": [resource],
        }],
    })
}

async fn make(cluster: &Cluster, name: &str, objects: [(Kind, Value); 2]) {
    for (kind, spec) in objects {
        cluster.make(kind, &json!({"metadata": {"name": name}, "spec": spec})).await;
    }
}

/// A pod that meets Pod Security `restricted`, for a rehearsal.
pub fn restricted_pod(namespace: &str, user: Option<i64>) -> Value {
    let mut context = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    if let Some(user) = user {
        context["runAsUser"] = json!(user);
    }
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    json!({
        "metadata": {"name": "probe", "namespace": namespace},
        "spec": {
            "securityContext": context,
            "containers": [{"name": "main", "image": "none", "securityContext": security}],
        },
    })
}
