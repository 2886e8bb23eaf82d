//! From releases to a stack that validates.

use std::collections::BTreeMap;

use obstack_api::{
    BucketOverride, Buckets, Changes, ChartSource, Component, Credentials, DeletionPolicy, Disruption,
    Metrics, MetricsBuckets, MetricsGenerator, MetricsProcessor, ObjectStorage, ObservabilityStack, Platform,
    Provider, Quota, ResourcePolicy, StackSpec, Traces, TracesBuckets, TracesMode,
};
use serde_json::{Map, Value, json};

use super::{
    Adoption, Block, Draft, Found, Obstacle, Store, Wish,
    chart::{self, Kind},
    components, config,
    config::Config,
    credentials,
    release::{HelmRelease, list},
    values,
};
use crate::{
    backends::{self, Backend, Setting},
    design::endpoints,
    facts::{Facts, SecretFacts},
    names::fullname,
    valid::ValidStack,
    validate::validate,
};

/// Longest prefix of buckets.
const PREFIX_MAX: usize = 20;

/// From a release to the part of a spec that gives the same objects. All obstacles are collected.
///
/// The release's name is always given, though a stack of the right name would derive the same: only then the selectors
/// are the chart's own, and Mimir's members keep the label by which they hear each other.
pub fn draft(release: &HelmRelease, wish: &Wish) -> Result<Draft, Vec<Obstacle>> {
    let mut found = Found::default();
    let drafted = read(release, wish, &mut found);
    let Some(mut draft) = drafted.filter(|_| found.obstacles.is_empty()) else {
        return Err(found.obstacles);
    };
    // By itself it must be valid: what people would have to mend they learn now, release by release.
    stack_of(std::slice::from_ref(&draft), wish)
        .map_err(|obstacles| [found.obstacles, obstacles].concat())?;
    draft.notes = found.notes;
    Ok(draft)
}

fn read(release: &HelmRelease, wish: &Wish, found: &mut Found) -> Option<Draft> {
    let kind = Kind::of(release, found)?;
    let backend = kind.backend();
    let objects = fullname(&release.name, backend);
    if release.namespace != wish.key.namespace {
        found.obstacle(
            format!("release {}", release.name),
            format!("is in namespace {}, the stack in {}", release.namespace, wish.key.namespace),
            "make the stack in the namespace of the release",
        );
    }
    let configured = config::effective(release, kind, found);
    chart::obstacles(release, kind, &configured, found);
    let chart = chart::chart(release, wish, found);
    if configured.is_null() {
        return None;
    }
    let config = config::read(&configured, kind, found);
    let mut components = components::components(release, kind, &objects, found);
    let pods = components::ingester(release, kind, &objects)?;
    let credentials = credentials::of(wish, &config, pods, found);
    let ca = credentials::authority(config.ca_path.as_deref(), pods, found);
    let store = config.store.clone().map(|store| Store { ca, ..store });
    let replication_factor = replication_factor(&config, &components, found);
    let metrics_generator = generator(&configured, &mut components, found);

    let values = own_values(release, kind, &objects, &configured, found);
    let retention = config.retention.map(|hours| format!("{hours}h"));
    let release_name = Some(release.name.clone());
    let bucket = |purpose: &str| {
        let named = config.buckets.iter().find(|(of, _)| *of == purpose);
        named.map(|(_, name)| BucketOverride { name: Some(name.clone()) })
    };
    let block = match kind {
        Kind::Mimir => Block::Metrics(Box::new(Metrics {
            release_name,
            replication_factor,
            retention,
            buckets: Some(MetricsBuckets {
                blocks: bucket("blocks"),
                ruler: bucket("ruler"),
                alertmanager: bucket("alertmanager"),
            }),
            components,
            route: None,
            chart,
            values,
            patches: Vec::new(),
        })),
        Kind::TempoMonolithic | Kind::TempoDistributed => Block::Traces(Box::new(Traces {
            mode: if kind == Kind::TempoMonolithic {
                TracesMode::Monolithic
            } else {
                TracesMode::Distributed
            },
            release_name,
            replication_factor,
            retention,
            buckets: Some(TracesBuckets { blocks: bucket("blocks") }),
            metrics_generator: None,
            components,
            route: None,
            chart,
            values,
            patches: Vec::new(),
        })),
    };
    Some(Draft {
        release: release.name.clone(),
        block,
        store: store?,
        credentials: credentials?,
        metrics_generator,
        notes: Vec::new(),
    })
}

/// What the owner configured, with what must be said so that things stay as they are. What the operator owns is taken
/// out later, when the whole stack is known.
fn own_values(
    release: &HelmRelease,
    kind: Kind,
    objects: &str,
    configured: &Value,
    found: &mut Found,
) -> Option<Map<String, Value>> {
    let mut kept = values::safe(&release.values, found);
    let parts = values::keep_running(release, kind, objects, &mut kept);
    components::leftovers(release, kind, objects, &parts, found);
    if kind == Kind::Mimir {
        // Members hear each other by this label, also while the pods are replaced one by one.
        let label =
            configured.pointer("/memberlist/cluster_label").and_then(Value::as_str).unwrap_or_default();
        let mut values = Value::Object(kept);
        let over = json!({"mimir": {"structuredConfig": {"memberlist": {"cluster_label": label}}}});
        backends::values::merge(&mut values, &over);
        kept = values.as_object().cloned().unwrap_or_default();
    }
    (!kept.is_empty()).then_some(kept)
}

fn replication_factor(
    config: &Config,
    components: &BTreeMap<String, Component>,
    found: &mut Found,
) -> Option<i32> {
    let factor = i32::try_from(config.replication_factor?).ok()?;
    let ingesters = components.get("ingester")?.replicas?;
    if factor <= ingesters.max(1) {
        return Some(factor);
    }
    found.note(
        "replicationFactor",
        format!("is {factor}, but {ingesters} ingesters run; the stack has {}", ingesters.max(1)),
    );
    Some(ingesters.max(1))
}

/// What metrics the release makes from traces. Whether the stack can go on with it is known when it is whole.
fn generator(
    configured: &Value,
    components: &mut BTreeMap<String, Component>,
    found: &mut Found,
) -> Vec<MetricsProcessor> {
    let runs = components.get("metricsGenerator").is_none_or(|component| component.replicas != Some(0));
    let at = ["/overrides/defaults/metrics_generator/processors", "/overrides/metrics_generator_processors"];
    let names = at.iter().flat_map(|at| list(configured, at)).filter_map(Value::as_str);
    let mut processors = Vec::new();
    for name in names {
        match name {
            "service-graphs" => processors.push(MetricsProcessor::ServiceGraphs),
            "span-metrics" => processors.push(MetricsProcessor::SpanMetrics),
            other => found.note(
                "metrics_generator.processors",
                format!(
                    "has {other}, which the stack does not make; it makes service-graphs and span-metrics"
                ),
            ),
        }
    }
    if !runs || configured.get("metrics_generator").is_none() {
        processors.clear();
    }
    processors.sort();
    processors.dedup();
    processors
}

/// One stack from the drafts of its releases: at most one of Tempo and one of Mimir.
pub fn stack(drafts: &[Draft], wish: &Wish) -> Result<Adoption, Vec<Obstacle>> {
    stack_of(drafts, wish)
}

fn stack_of(drafts: &[Draft], wish: &Wish) -> Result<Adoption, Vec<Obstacle>> {
    let mut found = Found::default();
    found.notes.extend(drafts.iter().flat_map(|draft| draft.notes.clone()));
    let Some(first) = drafts.first() else {
        found.obstacle("releases", "are none", "name one of Tempo, one of Mimir, or both");
        return Err(found.obstacles);
    };
    agree(drafts, first, &mut found);
    let mut made = skeleton(first, wish);
    for draft in drafts {
        match &draft.block {
            Block::Traces(traces) => made.spec.traces = Some((**traces).clone()),
            Block::Metrics(metrics) => made.spec.metrics = Some((**metrics).clone()),
        }
    }
    generate(drafts, &mut made, &mut found);
    if !found.obstacles.is_empty() {
        return Err(found.obstacles);
    }
    trim(&mut made, wish, &mut found);
    if let Err(faults) = validate(&made, &facts(&made, wish)) {
        for fault in faults {
            found.obstacle(
                fault.field,
                fault.message,
                "change the release with helm first, or leave it to Helm",
            );
        }
        return Err(found.obstacles);
    }
    found.note(
        "spec.deletionPolicy",
        "is Retain: while you are not sure, deleting the stack leaves everything as it runs. DeleteWorkloads is for later",
    );
    Ok(Adoption { stack: made, notes: found.notes })
}

/// Releases of one stack have one object store, and are of different backends.
fn agree(drafts: &[Draft], first: &Draft, found: &mut Found) {
    for other in drafts.iter().skip(1) {
        let releases = format!("releases {} and {}", first.release, other.release);
        if other.block.backend() == first.block.backend() {
            let backend = first.block.backend();
            found.obstacle(
                &releases,
                format!("are both of {backend}; a stack has one"),
                "make a stack of each",
            );
        }
        if other.store.endpoint != first.store.endpoint || other.store.path_style != first.store.path_style {
            let why = format!(
                "use {} and {}; a stack has one object store",
                first.store.endpoint, other.store.endpoint
            );
            found.obstacle(&releases, why, "make a stack of each");
        } else if (&other.store.region, &other.store.ca) != (&first.store.region, &first.store.ca) {
            let why = "use one object store with another region or certificate authority";
            found.obstacle(&releases, why, "make a stack of each");
        }
        if other.credentials != first.credentials {
            let why =
                format!("use keys of the Secrets {} and {}", first.credentials.name, other.credentials.name);
            let fix = "name one Secret whose keys may use all buckets (--credentials-secret), or make a stack of each";
            found.obstacle(&releases, why, fix);
        }
    }
}

fn skeleton(first: &Draft, wish: &Wish) -> ObservabilityStack {
    let Store { endpoint, region, path_style, ca } = first.store.clone();
    let provider = if endpoint.contains("seaweed") { Provider::SeaweedFS } else { Provider::S3 };
    let prefix: String = wish.key.name.chars().take(PREFIX_MAX).collect();
    let spec = StackSpec {
        environment: wish.environment.clone(),
        suspend: false,
        deletion_policy: DeletionPolicy::Retain,
        platform: Platform::default(),
        object_storage: ObjectStorage {
            provider,
            endpoint,
            region,
            force_path_style: Some(path_style),
            ca_secret_ref: ca,
            credentials: Credentials { secret_ref: first.credentials.clone() },
            buckets: Buckets {
                prefix: prefix.trim_end_matches('-').to_owned(),
                create: None,
                adopt_existing: None,
            },
        },
        resource_policy: ResourcePolicy::default(),
        disruption: Disruption::default(),
        quota: Quota::default(),
        changes: Changes::default(),
        canary: None,
        traces: None,
        metrics: None,
        collectors: None,
        grafana: None,
    };
    let mut made = ObservabilityStack::new(&wish.key.name, spec);
    made.metadata.namespace = Some(wish.key.namespace.clone());
    made
}

/// Metrics from traces go to the stack's own Mimir, or are not made.
fn generate(drafts: &[Draft], made: &mut ObservabilityStack, found: &mut Found) {
    let keeps_metrics = made.spec.metrics.is_some();
    let Some(traces) = &mut made.spec.traces else { return };
    let processors = drafts.iter().flat_map(|draft| draft.metrics_generator.iter().copied());
    let processors: Vec<_> = processors.collect();
    let component = traces.components.get_mut("metricsGenerator");
    if processors.is_empty() || !keeps_metrics {
        if !processors.is_empty() {
            found.note(
                "spec.traces.metricsGenerator",
                "the release makes metrics from traces; the stack cannot, as it keeps no metrics to write them to. Take over the Mimir release together with this one",
            );
        }
        traces.metrics_generator = Some(MetricsGenerator { enabled: Some(false), processors: Vec::new() });
        if let Some(component) = component {
            if component.replicas.is_some_and(|replicas| replicas > 0) {
                found.note(
                    "metricsGenerator",
                    "stays as it runs, and nobody manages it: delete it once nothing needs it",
                );
            }
            component.replicas = Some(0);
        }
    } else {
        found.note(
            "spec.traces.metricsGenerator",
            "writes to the stack's own Mimir, wherever the release wrote to",
        );
        traces.metrics_generator = Some(MetricsGenerator { enabled: Some(true), processors });
    }
}

/// Takes out of the owner's values what the operator owns in this stack.
fn trim(made: &mut ObservabilityStack, wish: &Wish, found: &mut Found) {
    let mut silent = made.clone();
    if let Some(traces) = &mut silent.spec.traces {
        traces.values = None;
    }
    if let Some(metrics) = &mut silent.spec.metrics {
        metrics.values = None;
    }
    // With a fault the values do not matter: it is told in any case.
    let Ok(valid) = validate(&silent, &facts(&silent, wish)) else { return };
    let blocks = [
        (Backend::Tempo, made.spec.traces.as_mut().map(|traces| &mut traces.values)),
        (Backend::Mimir, made.spec.metrics.as_mut().map(|metrics| &mut metrics.values)),
    ];
    for (backend, block) in blocks {
        let (Some(block), Some(ours)) = (block, owned_values(&valid, backend)) else { continue };
        if let Some(user) = block.take() {
            let kept = values::free(&user, &ours, found);
            *block = (!kept.is_empty()).then_some(kept);
        }
    }
}

/// The operator's own values of a backend.
fn owned_values(valid: &ValidStack, backend: Backend) -> Option<backends::values::Values> {
    let backend = valid.backend(backend)?;
    let remote_write = endpoints::remote_write(&valid.key, &valid.backends);
    let setting = Setting {
        name: &backend.name,
        namespace: &valid.key.namespace,
        storage: &valid.storage,
        openshift: valid.openshift,
        remote_write: remote_write.as_deref(),
    };
    Some(backends::values(backend, &setting))
}

/// A cluster in which the Secrets that the stack names exist: whether they do is not the draft's to say.
fn facts(made: &ObservabilityStack, wish: &Wish) -> Facts {
    let storage = &made.spec.object_storage;
    let reference = &storage.credentials.secret_ref;
    let mut secrets: BTreeMap<String, SecretFacts> = BTreeMap::new();
    let keys = [reference.access_key_field(), reference.secret_key_field()].map(str::to_owned);
    secrets.entry(reference.name.clone()).or_default().keys.extend(keys);
    if let Some(ca) = &storage.ca_secret_ref {
        secrets.entry(ca.name.clone()).or_default().keys.push(ca.key().to_owned());
    }
    Facts {
        cluster: wish.cluster.clone(),
        default_chart_source: ChartSource::Upstream,
        secrets,
        claimed_buckets: BTreeMap::new(),
        claimed_names: BTreeMap::new(),
    }
}
