//! From a valid stack to a [`Blueprint`]: which releases with which values, which objects of our own, which buckets,
//! and what the status can say before anything runs. It cannot fail.

pub mod advisories;
pub(crate) mod endpoints;
mod routes;

use std::collections::BTreeMap;

use obstack_api::{
    Advisory, ChartStatus, ComponentState, ComponentStatus, DatasourceStatus, DeletionPolicy, Endpoints,
    ResourcePolicy,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    backends::{self, Backend, Setting, role::Class},
    catalog::ChartRef,
    collectors::{self, Files, ManagedAlloy, ValidAlloy},
    grafana, hash,
    names::StackKey,
    valid::{Bucket, ValidBackend, ValidComponent, ValidStack, Volume},
};

/// Raised whenever assembling the same rendered objects gives other objects, so that running stacks are planned anew.
const ASSEMBLY_VERSION: u32 = 2;

/// What a stack comes to.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// Which stack.
    pub key: StackKey,
    /// Buckets to have before any workload.
    pub buckets: Vec<Bucket>,
    /// What decides the objects.
    pub design: Design,
    /// What the status says of it.
    pub report: Report,
}

/// Everything that decides the objects of a stack, and nothing else: two equal designs give the same objects.
#[derive(Clone, Debug, Serialize)]
pub struct Design {
    /// Version of the assembling code.
    pub assembly: u32,
    /// Namespace and name of the stack.
    pub key: StackKey,
    /// Uid of the stack where it owns its objects; `None` under `Retain`.
    pub owner_uid: Option<String>,
    /// Version of the API server.
    pub kubernetes: String,
    /// One release a backend, and one of the collector's where the operator runs it.
    pub releases: Vec<Release>,
    /// Objects with datasources.
    pub datasources: Vec<Value>,
    /// Objects with dashboards.
    pub dashboards: Vec<Value>,
    /// The object with Alloy's configuration.
    pub alloy_config: Option<Value>,
    /// Routes to where backends are queried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Value>,
    /// Make disruption budgets.
    pub budgets: bool,
    /// Which requests and limits containers may have.
    pub resource_policy: ResourcePolicy,
    /// Pods must meet OpenShift's `restricted-v2`.
    pub openshift: bool,
    /// The Secret with the object store's keys, and a hash of them.
    pub credentials: (String, String),
    /// Secret and key with the object store's certificate authority.
    pub ca: Option<(String, String)>,
}

impl Design {
    /// The objects for Grafana.
    pub fn for_grafana(&self) -> impl Iterator<Item = &Value> {
        self.datasources.iter().chain(&self.dashboards)
    }

    /// Hash of the design.
    pub fn fingerprint(&self) -> String {
        hash::of_json(&serde_json::to_value(self).unwrap_or_default())
    }
}

/// A release of a chart.
#[derive(Clone, Debug, Serialize)]
pub struct Release {
    /// Which backend; `None` for the collector, which keeps no data.
    pub backend: Option<Backend>,
    /// Name of the release.
    pub name: String,
    /// What the names of its objects begin with.
    pub objects: String,
    /// The spec gives its name: it may be older than the stack, so what never changes stays as the chart has it.
    pub given: bool,
    /// The chart.
    pub chart: ChartRef,
    /// Helm values.
    pub values: Value,
    /// The user's patches.
    pub patches: Vec<ReleasePatch>,
    /// Workloads that the chart must render.
    pub workloads: Vec<Workload>,
}

impl Release {
    /// First part of the names of its components: a signal, or `collectors`.
    pub fn area(&self) -> &'static str {
        self.backend.map_or(collectors::AREA, Backend::signal)
    }
}

/// A patch on the rendered objects of a release.
#[derive(Clone, Debug, Serialize)]
pub struct ReleasePatch {
    /// Where it stands in the spec, for messages.
    pub field: String,
    /// Kind of the objects.
    pub kind: String,
    /// Name of the object; every one of the kind when `None`.
    pub name: Option<String>,
    /// What to do.
    pub operations: json_patch::Patch,
}

/// A workload that a chart must render.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    /// Signal and role, such as `metrics.ingester`.
    pub component: String,
    /// Name of the object.
    pub name: String,
    /// Pods to run; with 0 the workload is left out.
    pub replicas: u32,
    /// How the resource policy treats it.
    pub class: Class,
    /// CPU request of the main container.
    pub cpu: String,
    /// Memory request of the main container.
    pub memory: String,
    /// CPU limit of the main container.
    pub cpu_limit: Option<String>,
    /// Memory limit of the main container.
    pub memory_limit: Option<String>,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    pub tolerations: Vec<Value>,
    /// Priority class of the pods.
    pub priority_class: Option<String>,
}

/// What the status says of a design.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where to send telemetry to and query it from.
    pub endpoints: Endpoints,
    /// The charts.
    pub charts: Vec<ChartStatus>,
    /// The datasources.
    pub datasources: Vec<DatasourceStatus>,
    /// How many dashboards are published.
    pub dashboards: usize,
    /// Who brings datasources and dashboards into Grafana, as people say it.
    pub finders: &'static str,
    /// Components that the backend does not have.
    pub not_provided: Vec<ComponentStatus>,
    /// Advice.
    pub advisories: Vec<Advisory>,
}

/// Designs a stack.
pub fn design(stack: &ValidStack) -> Blueprint {
    let endpoints = endpoints::of(stack);
    let files = stack
        .alloy
        .as_ref()
        .map(|alloy| collectors::config::files(&stack.key, &stack.environment, alloy, &endpoints));
    let published = grafana::publish(stack, &endpoints);
    let dashboards = published.dashboards.len();
    Blueprint {
        key: stack.key.clone(),
        buckets: stack.buckets.clone(),
        design: Design {
            assembly: ASSEMBLY_VERSION,
            key: stack.key.clone(),
            owner_uid: (stack.deletion_policy != DeletionPolicy::Retain).then(|| stack.uid.clone()),
            kubernetes: stack.cluster.version.clone(),
            releases: releases(stack, files.as_ref()),
            datasources: published.datasources,
            dashboards: published.dashboards,
            alloy_config: files.map(|files| collectors::config_map(&stack.key, &files)),
            routes: routes::of(stack),
            budgets: stack.budgets,
            resource_policy: stack.resource_policy,
            openshift: stack.openshift,
            credentials: (stack.storage.access_key.name.clone(), stack.storage.credentials_hash.clone()),
            ca: stack.storage.ca.as_ref().map(|ca| (ca.name.clone(), ca.key.clone())),
        },
        report: Report {
            endpoints,
            charts: stack.charts().map(chart_status).collect(),
            datasources: published.entries,
            dashboards,
            finders: grafana::finders(stack),
            not_provided: stack.backends.iter().flat_map(not_provided).collect(),
            advisories: advisories::of(stack),
        },
    }
}

fn releases(stack: &ValidStack, files: Option<&Files>) -> Vec<Release> {
    let mut releases: Vec<_> = stack.backends.iter().map(|backend| release(stack, backend)).collect();
    if let (Some(alloy), Some(files)) = (&stack.alloy, files) {
        let managed = alloy.managed.as_ref();
        releases.extend(managed.map(|managed| alloy_release(stack, alloy, managed, files)));
    }
    releases
}

fn alloy_release(stack: &ValidStack, alloy: &ValidAlloy, managed: &ManagedAlloy, files: &Files) -> Release {
    let name = stack.key.alloy();
    Release {
        backend: None,
        chart: managed.chart.clone(),
        values: collectors::values::values(&stack.key, alloy, managed, files),
        patches: Vec::new(),
        workloads: vec![workload(collectors::AREA, &name, &managed.component)],
        objects: name.clone(),
        given: false,
        name,
    }
}

fn workload(area: &str, release: &str, component: &ValidComponent) -> Workload {
    Workload {
        component: format!("{area}.{}", component.role.key),
        name: component.role.workload(release),
        replicas: component.replicas,
        class: component.role.class,
        cpu: component.cpu.clone(),
        memory: component.memory.clone(),
        cpu_limit: component.cpu_limit.clone(),
        memory_limit: component.memory_limit.clone(),
        node_selector: component.node_selector.clone(),
        tolerations: component.tolerations.clone(),
        priority_class: component.priority_class.clone(),
    }
}

fn release(stack: &ValidStack, backend: &ValidBackend) -> Release {
    let name = &backend.name;
    let remote_write = endpoints::remote_write(&stack.key, &stack.backends);
    let setting = Setting {
        name,
        namespace: &stack.key.namespace,
        storage: &stack.storage,
        openshift: stack.openshift,
        remote_write: remote_write.as_deref(),
    };
    let workload = |component: &ValidComponent| workload(backend.backend.signal(), &name.objects, component);
    Release {
        backend: Some(backend.backend),
        values: backends::values(backend, &setting).merged(backend.values.as_ref()),
        chart: backend.chart.clone(),
        patches: backend
            .patches
            .iter()
            .map(|patch| ReleasePatch {
                field: patch.field.clone(),
                kind: patch.target.kind.clone(),
                name: patch.target.name.clone(),
                operations: patch.operations.clone(),
            })
            .collect(),
        workloads: backend.components.iter().map(workload).collect(),
        name: name.release.clone(),
        objects: name.objects.clone(),
        given: name.given,
    }
}

fn chart_status(chart: &ChartRef) -> ChartStatus {
    ChartStatus {
        name: chart.name.clone(),
        version: chart.version.clone(),
        app_version: chart.app_version.clone().unwrap_or_else(|| "chart default".into()),
        source: chart.source,
    }
}

fn not_provided(backend: &ValidBackend) -> impl Iterator<Item = ComponentStatus> {
    backend.not_provided.iter().map(|key| ComponentStatus {
        name: format!("{}.{key}", backend.backend.signal()),
        state: ComponentState::NotProvidedByBackend,
        message: Some(format!("{} has no {key}; nothing is rendered for it", backend.backend)),
        ..ComponentStatus::default()
    })
}

/// Whether a component's data goes with its pod.
fn volatile(component: &ValidComponent) -> bool {
    component.replicas > 0 && component.volume == Volume::EmptyDir
}
