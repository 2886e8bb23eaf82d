//! From a spec and the facts to a [`ValidStack`], or to every fault at once.
//!
//! The API server's admission rules have passed by then; they are not trusted to have: an object may have been
//! stored before a rule existed.

mod backend;
mod buckets;
mod canary;
mod chart;
mod collectors;
mod component;
mod grafana;
mod names;
mod overrides;
mod quota;
mod route;
mod storage;

pub use self::{buckets::claims, names::names};

use obstack_api::{ObservabilityStack, Platform, PodDisruptionBudgets, Reason};

use crate::{
    backends::{self, Setting},
    design::endpoints,
    facts::Facts,
    names::StackKey,
    valid::{ValidBackend, ValidStack},
    violation::Violation,
};

/// Checks a stack. All faults are collected, so that one look mends them all.
pub fn validate(stack: &ObservabilityStack, facts: &Facts) -> Result<ValidStack, Vec<Violation>> {
    let mut faults = Vec::new();
    let key = StackKey {
        namespace: stack.metadata.namespace.clone().unwrap_or_default(),
        name: stack.metadata.name.clone().unwrap_or_default(),
    };
    if key.name.len() > 40 {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            "metadata.name",
            format!("has {} characters, at most 40 fit into the names derived from it; make a stack with a shorter name", key.name.len()),
        ));
    }
    if key.name.contains('.') {
        let message = "contains a dot, which no name of a Service may; make a stack without one";
        faults.push(Violation::new(Reason::InvalidSpec, "metadata.name", message));
    }
    let spec = &stack.spec;
    if spec.traces.is_none() && spec.metrics.is_none() {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            "spec",
            "no backend is configured; set traces or metrics",
        ));
    }
    let storage = storage::validate(&spec.object_storage, &facts.secrets, &mut faults);
    let backends = [
        spec.traces.as_ref().map(|traces| backend::traces(&key, spec, traces, facts, &mut faults)),
        spec.metrics.as_ref().map(|metrics| backend::metrics(&key, spec, metrics, facts, &mut faults)),
    ];
    let backends: Vec<_> = backends.into_iter().flatten().collect();
    let openshift = match spec.platform {
        Platform::Auto => facts.cluster.openshift,
        Platform::Kubernetes => false,
        Platform::OpenShift => true,
    };
    same_release(&backends, &mut faults);
    names::unclaimed(&backends, &facts.claimed_names, &mut faults);
    names::unpublished(&key, spec, &facts.claimed_names, &mut faults);
    let remote_write = endpoints::remote_write(&key, &backends);
    for backend in &backends {
        if let Some(wanted) = &backend.route {
            route::validate(backend.backend, wanted, openshift, &mut faults);
        }
        let Some(user) = &backend.values else { continue };
        let setting = Setting {
            name: &backend.name,
            namespace: &key.namespace,
            storage: &storage,
            openshift,
            remote_write: remote_write.as_deref(),
        };
        overrides::owned_keys(backend.backend, user, &backends::values(backend, &setting), &mut faults);
    }
    let buckets = buckets::collect(&backends, &storage, &facts.claimed_buckets, &mut faults);
    let alloy = spec.collectors.as_ref().and_then(|collectors| collectors.alloy.as_ref());
    let alloy = alloy.map(|alloy| collectors::alloy(spec, alloy, facts, &mut faults));
    let quota = quota::validate(&spec.quota, spec.resource_policy, &mut faults);
    let canary = canary::validate(spec, &mut faults);
    let datasources = grafana::datasources(spec.grafana.as_ref(), &key, &mut faults);
    let dashboards = grafana::dashboards(spec.grafana.as_ref(), &key, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(ValidStack {
        uid: stack.metadata.uid.clone().unwrap_or_default(),
        environment: spec.environment.clone(),
        deletion_policy: spec.deletion_policy,
        openshift,
        cluster: facts.cluster.clone(),
        storage,
        buckets,
        resource_policy: spec.resource_policy,
        budgets: spec.disruption.pod_disruption_budgets == PodDisruptionBudgets::Auto,
        quota,
        backends,
        canary,
        alloy,
        datasources,
        dashboards,
        key,
    })
}

/// Pods are selected by the name of their release.
fn same_release(backends: &[ValidBackend], faults: &mut Vec<Violation>) {
    if let [first, second] = backends
        && first.name.release == second.name.release
    {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            format!("spec.{}.releaseName", second.backend.signal()),
            format!(
                "is {}, as that of spec.{}; give one of them another name",
                second.name.release,
                first.backend.signal()
            ),
        ));
    }
}
