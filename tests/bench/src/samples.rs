//! The stacks that are measured: the samples of this repository in namespaces of the bench.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use obstack_api::{ChartSource, ObservabilityStack, labels};
use obstack_core::{
    assemble::PlannedObject,
    canary::{self, Probe},
    design::{Design, design},
    facts::{Cluster as Served, Facts, SecretFacts},
    valid::ValidStack,
    validate::validate,
};
use obstack_engine::{
    charts::{ChartRequest, Helm, Renderer, Store, StoreConfig},
    metrics::Metrics,
    plans::Plans,
};
use obstack_sandbox::Sandbox;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, SECRET, of},
    error::{Doing, Error, Of},
};

/// Name of every stack.
pub const STACK: &str = "dts";

/// Makes stacks, and their objects without the operator.
pub struct Samples {
    prod: Value,
    dev: Value,
    facts: Facts,
    plans: Plans,
    store: Store,
}

/// A release as helm is given it.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name of the release.
    pub release: String,
    /// Where the chart is.
    pub path: PathBuf,
    /// Its values.
    pub values: Value,
}

impl Samples {
    /// Reads the samples and prepares to render them, with upstream charts where a folder of them is given.
    pub async fn read(
        root: &Path,
        sandbox: &Sandbox,
        cluster: &Cluster,
        dir: &Path,
        charts: Option<&Path>,
    ) -> Result<Self, Error> {
        let helm = Helm::find(Some(sandbox.tools.helm.path.clone())).await?;
        let cache = dir.join("cache");
        let store = Store::new(StoreConfig {
            bundled: std::path::absolute(root.join("charts/bundled")).of(root)?,
            charts: charts.map(Path::to_path_buf),
            cache: cache.clone(),
            helm: helm.path().to_path_buf(),
        });
        let renderer = Renderer::new(helm, &cache);
        let version = cluster.client.apiserver_version().await.doing(|| "get the version".to_owned())?;
        let served = Served {
            version: version.git_version.trim_start_matches('v').to_owned(),
            minor: version.minor.parse().unwrap_or(0),
            openshift: false,
        };
        let keys = vec!["AWS_ACCESS_KEY_ID".to_owned(), "AWS_SECRET_ACCESS_KEY".to_owned()];
        let secret = SecretFacts { keys, hash: "0".repeat(64) };
        let sample = |environment: &str| {
            let path = root.join(format!("deploy/samples/{environment}.yaml"));
            let text = std::fs::read_to_string(&path).of(&path)?;
            let mut sample: Value = serde_saphyr::from_str(&text).map_err(|error| Error::Format {
                what: path.display().to_string(),
                reason: error.to_string(),
            })?;
            set(&mut sample, "/spec/objectStorage/endpoint", sandbox.s3.endpoint.as_str().into())?;
            set(&mut sample, "/spec/objectStorage/credentials/secretRef/name", SECRET.into())?;
            set(&mut sample, "/spec/grafana/datasources", json!({"provider": "SidecarConfigMap"}))?;
            Ok::<_, Error>(sample)
        };
        Ok(Self {
            prod: sample("prod")?,
            dev: sample("dev")?,
            facts: Facts {
                cluster: served,
                default_chart_source: charts.map_or(ChartSource::Bundled, |_| ChartSource::Upstream),
                secrets: BTreeMap::from([(SECRET.to_owned(), secret)]),
                claimed_buckets: BTreeMap::new(),
                claimed_names: BTreeMap::new(),
            },
            plans: Plans::new(store.clone(), renderer, Metrics::new(&mut Registry::default())),
            store,
        })
    }

    /// The prod sample in a namespace, with buckets of its own.
    pub fn prod(&self, namespace: &str) -> Result<ObservabilityStack, Error> {
        placed(&self.prod, namespace)
    }

    /// The dev sample in a namespace, with buckets of its own.
    pub fn dev(&self, namespace: &str) -> Result<ObservabilityStack, Error> {
        placed(&self.dev, namespace)
    }

    fn valid(&self, stack: &ObservabilityStack) -> Result<ValidStack, Error> {
        validate(stack, &self.facts).map_err(|faults| Error::Format {
            what: "the sample".to_owned(),
            reason: faults.iter().map(|fault| fault.message.clone()).collect::<Vec<_>>().join("; "),
        })
    }

    fn design(&self, stack: &ObservabilityStack) -> Result<Design, Error> {
        Ok(design(&self.valid(stack)?).design)
    }

    /// What its canary writes, where, and where it reads it back.
    pub fn probes(&self, stack: &ObservabilityStack) -> Result<Vec<Probe>, Error> {
        let valid = self.valid(stack)?;
        Ok(canary::of(&valid, &design(&valid).report.endpoints))
    }

    /// The buckets of a stack.
    pub fn buckets(&self, stack: &ObservabilityStack) -> Result<Vec<String>, Error> {
        let backends = self.valid(stack)?.backends;
        Ok(backends.into_iter().flat_map(|backend| backend.buckets.into_values()).collect())
    }

    /// The objects of a stack, rendered without the operator: nobody owns them, and no label makes the operator look.
    pub async fn render(&self, stack: &ObservabilityStack) -> Result<Vec<PlannedObject>, Error> {
        let design = self.design(stack)?;
        let located = self.plans.locate(&design).await?;
        let plan = self.plans.make(&design, &located).await?;
        let objects = plan.objects.iter().cloned().map(|mut object| {
            strip(&mut object.body);
            object
        });
        Ok(objects.collect())
    }

    /// The charts of a stack with their values.
    pub async fn charts(&self, stack: &ObservabilityStack) -> Result<Vec<Chart>, Error> {
        let mut charts = Vec::new();
        for release in self.design(stack)?.releases {
            let request = ChartRequest {
                name: release.chart.name.as_str().to_owned(),
                version: release.chart.version.clone(),
                source: release.chart.source,
                repository: release.chart.repository.clone(),
                digest: None,
            };
            let located =
                self.store.locate(&request).await.map_err(obstack_engine::plans::PlanError::from)?;
            charts.push(Chart { release: release.name, path: located.path, values: release.values });
        }
        Ok(charts)
    }
}

fn placed(sample: &Value, namespace: &str) -> Result<ObservabilityStack, Error> {
    let mut stack = sample.clone();
    set(&mut stack, "/metadata", json!({"name": STACK, "namespace": namespace}))?;
    set(&mut stack, "/spec/objectStorage/buckets/prefix", namespace.into())?;
    of(stack)
}

/// Replaces a field that a sample has.
fn set(sample: &mut Value, pointer: &str, value: Value) -> Result<(), Error> {
    let missing = || Error::Format { what: "the sample".to_owned(), reason: format!("it has no {pointer}") };
    *sample.pointer_mut(pointer).ok_or_else(missing)? = value;
    Ok(())
}

/// Takes out what would make the operator or the garbage collector look at an object of somebody else.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("ownerReferences");
            map.remove(labels::STACK);
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripped_objects_are_nobodys() {
        let mut object = json!({"metadata": {"labels": {labels::STACK: "a.b", "x": "y"}, "ownerReferences": [{}]},
            "spec": {"template": {"metadata": {"labels": {labels::STACK: "a.b"}}}}});
        strip(&mut object);
        assert_eq!(
            object,
            json!({"metadata": {"labels": {"x": "y"}}, "spec": {"template": {"metadata": {"labels": {}}}}})
        );
    }
}
