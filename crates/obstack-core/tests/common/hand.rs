//! Rendered objects made by hand, as small as a chart could make them.

use obstack_core::{
    assemble::{AssembleError, Plan, assemble},
    design::{Design, Release, Workload, design},
    objects::ObjectId,
};
use serde_json::{Value, json};

/// A design and what its charts rendered, to be changed before it is assembled.
pub struct Hand {
    pub design: Design,
    pub rendered: Vec<Vec<Value>>,
}

impl Hand {
    /// Distributed Tempo alone, with an overlay of the spec. Its objects are in the order of its roles: distributor,
    /// ingester, querier, query-frontend, compactor, then a Service and a ConfigMap.
    pub fn tempo(overlay: &str) -> Self {
        let base =
            super::with(&super::yaml(super::SMALL), "spec: {metrics: null, traces: {mode: Distributed}}");
        let base = serde_json::to_value(base).unwrap();
        Self::of(&super::with(&base, overlay))
    }

    /// Any stack.
    pub fn of(stack: &obstack_api::ObservabilityStack) -> Self {
        let design = design(&super::valid(stack)).design;
        let rendered = design.releases.iter().map(release).collect();
        Self { design, rendered }
    }

    /// What the first release rendered.
    pub fn objects(&mut self) -> &mut Vec<Value> {
        &mut self.rendered[0]
    }

    /// The first release's object at an index, at a pointer.
    pub fn at(&mut self, index: usize, pointer: &str) -> &mut Value {
        self.rendered[0][index].pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
    }

    /// Assembles.
    pub fn try_plan(&self) -> Result<Plan, AssembleError> {
        assemble(&self.design, &self.rendered)
    }

    /// Assembles what must assemble.
    pub fn plan(&self) -> Plan {
        self.try_plan().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The message of the refusal.
    pub fn refusal(&self) -> String {
        self.try_plan().err().map(|error| error.to_string()).unwrap_or_default()
    }
}

/// The body of an object of a plan.
pub fn body<'a>(plan: &'a Plan, id: &str) -> &'a Value {
    let id: ObjectId = id.parse().unwrap();
    &plan.objects.iter().find(|object| object.id == id).unwrap_or_else(|| panic!("no {id}")).body
}

fn release(release: &Release) -> Vec<Value> {
    let running = release.workloads.iter().filter(|workload| workload.replicas > 0);
    let mut objects: Vec<_> = running.map(workload).collect();
    objects.push(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": release.name},
        "spec": {"selector": {"app": release.name}},
    }));
    objects.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{}-config", release.name)},
        "data": {"a": "b"},
    }));
    objects
}

/// A workload with a main container, a sidecar and an init container.
pub fn workload(wanted: &Workload) -> Value {
    let labels = json!({"app": wanted.name});
    let stateful = wanted.class.bears_memory_limit();
    let container = |name: &str| json!({"name": name, "image": format!("{name}:1")});
    let mut main = container("main");
    if wanted.component != "traces.distributor" {
        main["env"] =
            json!([{"name": "K", "valueFrom": {"secretKeyRef": {"name": "dts-s3-dev", "key": "k"}}}]);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": if stateful { "StatefulSet" } else { "Deployment" },
        "metadata": {"name": wanted.name, "labels": labels},
        "spec": {
            "replicas": wanted.replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [main, container("sidecar")], "initContainers": [container("init")]},
            },
        },
    })
}
