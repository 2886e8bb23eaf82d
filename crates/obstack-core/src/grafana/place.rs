//! Where Grafana finds an object, and the shape it has there.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::objects::Kind;

/// Where objects for Grafana stand, and who brings them into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Namespace of the objects.
    pub namespace: String,
    /// Folder in Grafana.
    pub folder: Option<String>,
    /// Who brings them into Grafana.
    pub provider: Provider,
}

/// Who brings an object into Grafana.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Grafana's sidecar, which puts the content of labelled objects into a folder of files.
    Sidecar {
        /// The object is a Secret rather than a `ConfigMap`.
        secret: bool,
        /// Label that the sidecar looks for.
        label: (String, String),
    },
    /// The grafana-operator, which calls Grafana's API.
    Operator {
        /// Labels of the `Grafana` objects it brings them into.
        instances: BTreeMap<String, String>,
    },
}

impl Place {
    /// An object whose one file a sidecar takes.
    pub(super) fn file(
        &self,
        object: &str,
        (name, text): (&str, &str),
        secret: bool,
        label: &(String, String),
    ) -> Value {
        // Not stringData: the API server turns it into data, and ownership of fields under apply is lost on the way.
        let (kind, text) =
            if secret { ("Secret", STANDARD.encode(text)) } else { ("ConfigMap", text.into()) };
        let mut metadata = Map::new();
        metadata.insert("name".into(), object.into());
        metadata.insert("namespace".into(), self.namespace.clone().into());
        metadata.insert("labels".into(), json!({label.0.as_str(): label.1}));
        if let Some(folder) = &self.folder {
            metadata.insert("annotations".into(), json!({"grafana_folder": folder}));
        }
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {name: text}})
    }

    /// An object of the grafana-operator's, with the fields that all of them have (`GrafanaCommonSpec` in its
    /// `api/v1beta1/common.go`).
    pub(super) fn resource(
        &self,
        kind: Kind,
        object: &str,
        instances: &BTreeMap<String, String>,
        mut spec: Map<String, Value>,
    ) -> Value {
        spec.insert("instanceSelector".into(), json!({"matchLabels": instances}));
        // The Grafana may be in any namespace, as the labels say which.
        spec.insert("allowCrossNamespaceImport".into(), true.into());
        json!({
            "apiVersion": kind.api_version(),
            "kind": kind.as_str(),
            "metadata": {"name": object, "namespace": self.namespace},
            "spec": spec,
        })
    }
}
