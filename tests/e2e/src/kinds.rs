//! The kinds that the tests look at.

use kube::api::ApiResource;

/// How a kind is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Name.
    pub name: &'static str,
    /// Name in URLs.
    pub plural: &'static str,
}

macro_rules! kinds {
    ($($ident:ident: $group:literal $version:literal $name:literal $plural:literal)+) => {
        $(#[doc = concat!("`", $name, "`.")]
        pub const $ident: Kind = Kind { group: $group, version: $version, name: $name, plural: $plural };)+
    };
}

kinds! {
    STACK: "obstack.dev" "v1alpha1" "ObservabilityStack" "observabilitystacks"
    SERVICE_ACCOUNT: "" "v1" "ServiceAccount" "serviceaccounts"
    CONFIG_MAP: "" "v1" "ConfigMap" "configmaps"
    SECRET: "" "v1" "Secret" "secrets"
    SERVICE: "" "v1" "Service" "services"
    STATEFUL_SET: "apps" "v1" "StatefulSet" "statefulsets"
    DEPLOYMENT: "apps" "v1" "Deployment" "deployments"
    DAEMON_SET: "apps" "v1" "DaemonSet" "daemonsets"
    BUDGET: "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets"
    CLAIM: "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims"
    POD: "" "v1" "Pod" "pods"
    EVENT: "events.k8s.io" "v1" "Event" "events"
    NAMESPACE: "" "v1" "Namespace" "namespaces"
    QUOTA: "" "v1" "ResourceQuota" "resourcequotas"
    LIMIT_RANGE: "" "v1" "LimitRange" "limitranges"
    NODE: "" "v1" "Node" "nodes"
    STORAGE_CLASS: "storage.k8s.io" "v1" "StorageClass" "storageclasses"
    ADMISSION_POLICY: "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicy" "validatingadmissionpolicies"
    ADMISSION_BINDING: "admissionregistration.k8s.io" "v1" "ValidatingAdmissionPolicyBinding" "validatingadmissionpolicybindings"
    MUTATION_POLICY: "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicy" "mutatingadmissionpolicies"
    MUTATION_BINDING: "admissionregistration.k8s.io" "v1" "MutatingAdmissionPolicyBinding" "mutatingadmissionpolicybindings"
    CRD: "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions"
    LEASE: "coordination.k8s.io" "v1" "Lease" "leases"
    ROLE: "rbac.authorization.k8s.io" "v1" "Role" "roles"
    ROLE_BINDING: "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings"
    CLUSTER_ROLE: "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles"
    CLUSTER_ROLE_BINDING: "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings"
}

/// The kinds that the operator makes.
pub const MADE: [Kind; 8] =
    [SERVICE_ACCOUNT, CONFIG_MAP, SECRET, SERVICE, STATEFUL_SET, DEPLOYMENT, DAEMON_SET, BUDGET];

impl Kind {
    /// As kube addresses it.
    pub fn resource(&self) -> ApiResource {
        let api_version = if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        };
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version,
            kind: self.name.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}
