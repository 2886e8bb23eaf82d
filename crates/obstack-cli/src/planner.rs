//! From a stack to the objects it becomes, by the operator's own steps: validate, design, render, assemble. What they
//! get to know of the world is read from the cluster, or assumed where there is none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use obstack_api::{ChartSource, ObservabilityStack, Reason, labels};
use obstack_core::{
    assemble::Plan,
    design::{Blueprint, design},
    facts::{self, Facts, SecretFacts},
    inventory::Inventory,
    names::StackKey,
    valid::ValidStack,
    validate::validate,
    violation::Violation,
};
use obstack_engine::{
    cluster::{ClusterError, api_of, bounded, secrets::Secrets},
    metrics::Metrics,
    observe::{Around, Observed, observe},
    plans::Plans,
    roster::Roster,
};
use serde_json::Value;

use crate::{
    charts::{ChartFlags, Charts},
    cluster::{Cluster, key_of},
    error::Error,
    input::{self, Files, StackFile},
    session::Session,
};

/// Version of Kubernetes that is assumed where there is no cluster.
const ASSUMED: &str = "1.36.0";

/// Flags about what is assumed where there is no cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Without a cluster")]
pub struct AssumeFlags {
    /// Ask no cluster, even where there is one
    #[arg(long)]
    pub offline: bool,
    /// Version of Kubernetes to reckon with; it decides which charts are taken
    #[arg(long, value_name = "VERSION", default_value = ASSUMED, value_parser = kube_version)]
    pub kube_version: String,
    /// Platform of stacks that do not say theirs
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Platform::Kubernetes)]
    pub platform: Platform,
}

/// A platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Plain Kubernetes.
    Kubernetes,
    /// OpenShift: pods get their user from the namespace's range.
    Openshift,
}

fn kube_version(text: &str) -> Result<String, String> {
    let text = text.trim_start_matches('v');
    let parts: Vec<_> = text.split('.').collect();
    let numbers = parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    match parts.len() {
        2 if numbers => Ok(format!("{text}.0")),
        3 if numbers => Ok(text.to_owned()),
        _ => Err("write it as 1.36 or 1.36.3".to_owned()),
    }
}

/// The world around a stack, as the steps get to know it.
pub struct World {
    /// The facts.
    pub facts: Facts,
    /// What was assumed, in sentences for people.
    pub assumed: Vec<String>,
    /// The stored stack's uid, where it is stored.
    pub uid: Option<String>,
    /// The stack's Secrets were read: hashes of their content are those that the operator knows.
    pub secrets_read: bool,
    /// What was observed, with the keys that the pods have, where there is a cluster. Otherwise which request was
    /// refused.
    pub observed: Result<Observed, String>,
}

impl World {
    /// A cluster in which all is well: every Secret that the stack names exists.
    pub fn assumed(stack: &ObservabilityStack, flags: &AssumeFlags, source: Option<ChartSource>) -> Self {
        let minor = flags.kube_version.split('.').nth(1).and_then(|minor| minor.parse().ok());
        let cluster = facts::Cluster {
            version: flags.kube_version.clone(),
            minor: minor.unwrap_or(0),
            openshift: flags.platform == Platform::Openshift,
        };
        let secrets = secrets_assumed(stack);
        let names: Vec<_> = secrets.keys().map(String::as_str).collect();
        Self {
            assumed: vec![
                format!("Kubernetes {} (--kube-version)", flags.kube_version),
                format!("the Secrets {} exist and have their keys", names.join(", ")),
            ],
            facts: Facts {
                cluster,
                default_chart_source: source.unwrap_or(ChartSource::Upstream),
                secrets,
                claimed_buckets: BTreeMap::new(),
                claimed_names: BTreeMap::new(),
            },
            uid: None,
            secrets_read: false,
            observed: Err("ask a cluster".to_owned()),
        }
    }

    /// The world as the cluster shows it. `stored` is the stack as it is there, if it is. A stack from a file gets the
    /// uid of the stored one, which decides who owns its objects.
    pub async fn seen(
        cluster: &Cluster,
        stack: &mut ObservabilityStack,
        stored: Option<&ObservabilityStack>,
        source: Option<ChartSource>,
    ) -> Result<Self, Error> {
        let mut assumed = Vec::new();
        let key = key_of(stack);
        match stored {
            Some(stored) => {
                stack.metadata.uid.clone_from(&stored.metadata.uid);
                stack.metadata.creation_timestamp.clone_from(&stored.metadata.creation_timestamp);
                stack.status.clone_from(&stored.status);
            }
            // A stack that is not there yet is younger than all others.
            None => stack.metadata.creation_timestamp = Some(Time(Timestamp::now())),
        }
        let source = source.or_else(|| stored.and_then(taken_source)).unwrap_or(ChartSource::Upstream);
        let roster = Roster::default();
        let others = if let Ok(all) = cluster.stacks(None).await {
            all
        } else {
            assumed.push("no stack of another namespace claims the same buckets".to_owned());
            cluster.stacks(Some(&key.namespace)).await?
        };
        for other in &others {
            roster.enter(&key_of(other), other);
        }
        roster.enter(&key, stack);
        let secrets = Secrets::default();
        let around = Around {
            client: &cluster.client,
            secrets: &secrets,
            roster: &roster,
            cluster: &cluster.facts,
            chart_source: source,
        };
        let uid = stored.and_then(|stored| stored.metadata.uid.clone());
        match observe(around, &key, stack).await {
            Ok(observed) => {
                let facts = observed.facts.clone();
                Ok(Self { facts, assumed, uid, secrets_read: true, observed: Ok(observed) })
            }
            Err(ClusterError::Api { what, source: refused }) if is_forbidden(&refused) => {
                let secrets = secrets_assumed(stack);
                assumed.push(format!(
                    "the Secrets that the stack names exist and did not change (no right to {what})"
                ));
                let facts = Facts {
                    cluster: cluster.facts.clone(),
                    default_chart_source: source,
                    secrets,
                    claimed_buckets: roster.claimed_before(&key),
                    claimed_names: roster.names_before(&key),
                };
                Ok(Self { facts, assumed, uid, secrets_read: false, observed: Err(what) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Where the operator takes the charts of a stack from that does not say it itself.
fn taken_source(stored: &ObservabilityStack) -> Option<ChartSource> {
    let spec = &stored.spec;
    let charts = [
        ("tempo", spec.traces.as_ref().map(|traces| traces.chart.as_ref())),
        ("mimir", spec.metrics.as_ref().map(|metrics| metrics.chart.as_ref())),
    ];
    let silent = |chart: Option<&obstack_api::Chart>| chart.and_then(|chart| chart.source).is_none();
    let (stem, _) = charts.into_iter().find(|(_, chart)| chart.is_some_and(silent))?;
    let rendered = stored.status.as_ref()?.charts.iter().find(|chart| chart.name.starts_with(stem))?;
    Some(rendered.source)
}

fn secrets_assumed(stack: &ObservabilityStack) -> BTreeMap<String, SecretFacts> {
    let storage = &stack.spec.object_storage;
    let reference = &storage.credentials.secret_ref;
    let mut secrets = BTreeMap::<String, SecretFacts>::new();
    let keys = [reference.access_key_field(), reference.secret_key_field()].map(str::to_owned);
    secrets.entry(reference.name.clone()).or_default().keys.extend(keys);
    if let Some(ca) = &storage.ca_secret_ref {
        secrets.entry(ca.name.clone()).or_default().keys.push(ca.key().to_owned());
    }
    secrets
}

/// What a stack comes to.
pub struct Planned {
    /// The stack, validated.
    pub valid: ValidStack,
    /// Its releases, and what the status says of it.
    pub blueprint: Blueprint,
    /// The objects.
    pub plan: Arc<Plan>,
}

/// Plans stacks.
pub struct Planner {
    plans: Plans,
}

impl Planner {
    /// Finds helm and the charts.
    pub async fn open(flags: &ChartFlags) -> Result<Self, Error> {
        let Charts { store, renderer } = Charts::open(flags).await?;
        Ok(Self { plans: Plans::new(store, renderer, Metrics::default()) })
    }

    /// What a valid stack comes to.
    pub async fn plan(&self, valid: ValidStack) -> Result<Planned, Error> {
        let blueprint = design(&valid);
        let made = async {
            let sourced = self.plans.locate(&blueprint.design).await?;
            self.plans.make(&blueprint.design, &sourced).await
        };
        let plan = made.await.map_err(|error| {
            let fault = error.fault();
            let fix = fault.reason.fix().unwrap_or("see docs/runbook for this reason");
            let upstream = blueprint.report.charts.iter().any(|chart| chart.source == ChartSource::Upstream);
            let hint = if fault.reason == Reason::ChartUnavailable && upstream {
                "\nwhere the operator takes the bundled charts, take them here too: --chart-source bundled"
            } else {
                ""
            };
            Error::new(format!("{} cannot be planned", valid.key))
                .because(format!("{}: {}", fault.reason, fault.message))
                .fix(format!("{fix}{hint}"))
        })?;
        Ok(Planned { valid, blueprint, plan })
    }
}

/// The stack, if it is valid in this world. Otherwise the error names every fault.
pub fn valid(stack: &ObservabilityStack, world: &World, place: &str) -> Result<ValidStack, Error> {
    validate(stack, &world.facts).map_err(|faults| invalid(stack, &faults, place))
}

/// The stack of a file, if it is valid in this world. What only the cluster lacks may be passed over.
pub fn valid_file(file: &StackFile, world: &World) -> Result<ValidStack, Error> {
    validate(&file.stack, &world.facts).map_err(|faults| {
        let error = invalid(&file.stack, &faults, &file.place());
        let lacks = |reason| matches!(reason, Reason::SecretMissing | Reason::SecretKeyMissing);
        if world.secrets_read && faults.iter().all(|fault| lacks(fault.reason)) {
            let fix = error.fix.clone().map(|fix| format!("{fix}\n")).unwrap_or_default();
            return error.fix(format!(
                "{fix}or take the Secrets as if they were there, and ask no cluster: --offline"
            ));
        }
        error
    })
}

fn invalid(stack: &ObservabilityStack, faults: &[Violation], place: &str) -> Error {
    let key: StackKey = key_of(stack);
    let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {fault}", fault.reason)).collect();
    let fixes: BTreeSet<_> = faults.iter().filter_map(|fault| fault.reason.fix()).collect();
    let fixes: Vec<_> = fixes.into_iter().collect();
    Error::new(format!("{key} is not valid")).at(place).because(lines.join("\n")).fix(fixes.join("\n"))
}

/// An error of a cluster that may be left out.
fn or_offline(error: Error) -> Error {
    let fix = error.fix.clone().map(|fix| format!("{fix}, or ")).unwrap_or_default();
    error.fix(format!("{fix}ask no cluster: --offline"))
}

/// The stacks of files, and the cluster they are held against: none with `--offline`, and none where no kubeconfig
/// names one.
pub async fn stacks(
    session: &Session,
    files: &Files,
    assume: &AssumeFlags,
) -> Result<(Option<Cluster>, Vec<StackFile>), Error> {
    let client = if assume.offline { None } else { session.client_if_configured().await? };
    let namespace = client.as_ref().map_or("default", |client| client.default_namespace());
    let stacks = input::stacks(session, files, namespace)?;
    let cluster = match client {
        None => None,
        Some(client) => Some(Cluster::of(client).await.map_err(or_offline)?),
    };
    Ok((cluster, stacks))
}

impl World {
    /// The world around a stack of a file: as the cluster shows it, or assumed where there is none.
    pub async fn of(
        cluster: Option<&Cluster>,
        file: &mut StackFile,
        assume: &AssumeFlags,
        charts: &ChartFlags,
    ) -> Result<Self, Error> {
        let source = charts.chart_source.map(Into::into);
        match cluster {
            None => Ok(Self::assumed(&file.stack, assume, source)),
            Some(cluster) => {
                let stored = cluster.find(&file.key).await.map_err(or_offline)?;
                if let Some(stored) = &stored {
                    file.hold_change(stored)?;
                }
                Self::seen(cluster, &mut file.stack, stored.as_ref(), source).await
            }
        }
    }
}

/// A stack whose Secrets could not be read, with the keys that its pods have now: they did not change, as far as anybody
/// knows, so nothing restarts for their sake.
pub async fn with_live_keys(
    cluster: &Cluster,
    world: &World,
    inventory: &Inventory,
    mut valid: ValidStack,
) -> Result<ValidStack, Error> {
    if world.secrets_read {
        return Ok(valid);
    }
    let at = format!("/spec/template/metadata/annotations/{}", labels::CREDENTIALS_HASH.replace('/', "~1"));
    for component in &inventory.components {
        let (id, api) = (&component.workload, api_of(&cluster.client, &component.workload));
        let found = bounded(|| format!("get {id}"), api.get_opt(&id.name)).await?;
        let hash = found.and_then(|found| found.data.pointer(&at).and_then(Value::as_str).map(str::to_owned));
        if let Some(hash) = hash {
            valid.storage.credentials_hash = hash;
            break;
        }
    }
    Ok(valid)
}
