//! The way to a backend's queries from outside of the cluster, on OpenShift.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A Route of OpenShift to where a backend is queried, over TLS that ends at the router. Tempo and Mimir ask nobody who
/// they are: whoever reaches the Route reads everything. It leads to reading alone; telemetry is not taken there. Needs
/// platform `OpenShift`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Name that it is reached by; when silent OpenShift makes one from the Route's name, the namespace and the domain of
    /// the cluster. It cannot be changed in place: take the route out, and put it back with another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub host: Option<String>,
    /// Addresses and networks that may use it, such as `10.0.0.0/8`. Everybody when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 61), inner(length(min = 2, max = 43)))]
    pub allow_from: Vec<String>,
}
