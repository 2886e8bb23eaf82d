//! What there is to take over: the releases, and the stack that they come to or that is there already.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, api::ListParams};
use obstack_api::{ChartSource, ObservabilityStack};
use obstack_core::{
    adopt::{self, Fate, ObjectName, Wish, compare},
    assemble::Plan,
    inventory::Inventory,
    names::StackKey,
    objects::Kind,
};
use obstack_engine::cluster::{
    api_of, bounded,
    hand_over::Manager,
    helm_release::{self, HelmError, Seen},
};
use serde_json::Value;

use super::{
    Args,
    foresee::{self, foresee},
    report::{self, Note, Obstacle, Release, Report, State},
    take,
};
use crate::{
    args::COMMAND,
    cluster::{Cluster, nearest},
    error::Error,
    planner::{self, Planner, World},
    progress::Progress,
    session::Session,
};

/// Longest name of an environment.
const ENVIRONMENT_MAX: usize = 16;

/// What there is to take over.
pub struct Look {
    /// What it comes to.
    pub report: Report,
    /// The stack.
    pub key: StackKey,
    /// It exists already: what is left is to finish.
    pub exists: bool,
    /// The objects; `None` when nothing was planned.
    pub plan: Option<std::sync::Arc<Plan>>,
    /// Who has written the objects for Helm, by the order of the objects.
    pub managers: Vec<Manager>,
    /// The hand-over was begun by an earlier run: who had the fields then.
    pub begun: Option<Manager>,
}

/// Looks at everything, and changes nothing.
pub async fn look(
    session: &Session,
    cluster: &Cluster,
    args: &Args,
    progress: &Progress,
) -> Result<Look, Error> {
    let namespace = session.namespace(cluster);
    let mut seen = Vec::new();
    for name in &args.releases {
        progress.now(format!("reading release {name}"));
        seen.push(helm_release::see(&cluster.client, &namespace, name).await.map_err(no_release)?);
    }
    let key = key(&namespace, args, &seen)?;
    let stored = cluster.find(&key).await?;
    let mut report = Report {
        stack: key.to_string(),
        releases: seen.iter().map(|seen| named(&seen.release)).collect(),
        ..Report::default()
    };
    let begun = seen.iter().find_map(|seen| seen.manager.clone());
    let look = |report, exists| Look {
        report,
        key: key.clone(),
        exists,
        plan: None,
        managers: Vec::new(),
        begun: begun.clone(),
    };
    let taken = seen.iter().filter(|seen| seen.stack.is_some()).count();
    let stack = match &stored {
        Some(stored) => {
            runs(stored, &seen, &key)?;
            stored.clone()
        }
        None if taken > 0 => return Err(forsaken(&key, &seen)),
        None => match drafted(args, cluster, &key, &seen, &mut report) {
            Some(stack) => stack,
            None => return Ok(look(report, false)),
        },
    };
    report.environment.clone_from(&stack.spec.environment);
    report.manifest = report::manifest(&serde_json::to_value(&stack).unwrap_or_default());
    if taken == seen.len() {
        report.state = State::TakenOver;
        return Ok(look(report, true));
    }
    let mut look = look(report, stored.is_some());
    progress.now(format!("planning {key}"));
    let source = args.charts.chart_source.map(Into::into);
    let mut placed = stack;
    let world = World::seen(cluster, &mut placed, stored.as_ref(), source).await?;
    let valid = planner::valid(&placed, &world, &format!("the stack drafted from {}", releases(&seen)))?;
    let valid = planner::with_live_keys(cluster, &world, &Inventory::default(), valid).await?;
    let plan = Planner::open(&args.charts).await?.plan(valid).await?.plan;
    progress.now("asking the API server what would come of it");
    tell(cluster, &mut look, &seen, &plan).await?;
    if !look.exists {
        take::rehearse(cluster, &look.key, &look.report.manifest).await?;
    }
    look.report.assumed = world.assumed;
    if look.exists && look.report.state == State::Possible {
        look.report.state = State::Begun;
    }
    look.plan = Some(plan);
    Ok(look)
}

/// Holds the plan against what is there.
async fn tell(cluster: &Cluster, look: &mut Look, seen: &[Seen], plan: &Plan) -> Result<(), Error> {
    let objects: Vec<Value> = seen.iter().flat_map(|seen| seen.release.objects.clone()).collect();
    let takeover = compare(&objects, &look.key.namespace, plan);
    let foreseen = foresee(cluster, &plan.objects).await?;
    let mut gone = Vec::new();
    for object in takeover.objects.iter().filter(|object| object.fate == Fate::LeftAlone) {
        if is_gone(cluster, &object.name).await? {
            gone.push(object.name.clone());
        }
    }
    for manager in foreseen.values().flat_map(|seen: &foresee::Foreseen| &seen.managers) {
        if !look.managers.contains(manager) {
            look.managers.push(manager.clone());
        }
    }
    look.report.tell(&takeover, plan, &foreseen, &gone);
    look.report.claims = claims(cluster, &look.key.namespace, plan).await?;
    Ok(())
}

async fn is_gone(cluster: &Cluster, name: &ObjectName) -> Result<bool, Error> {
    let Some(id) = name.id() else { return Ok(false) };
    let api = api_of(&cluster.client, &id);
    Ok(bounded(|| format!("get {id}"), api.get_metadata_opt(&id.name)).await?.is_none())
}

/// Volume claims of the plan's StatefulSets that exist, with what they have.
async fn claims(cluster: &Cluster, namespace: &str, plan: &Plan) -> Result<Vec<String>, Error> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client.clone(), namespace);
    let what = || format!("list persistentvolumeclaims in {namespace}");
    let all = bounded(what, api.list(&ListParams::default())).await?.items;
    let mut begins = Vec::new();
    for object in plan.objects.iter().filter(|object| object.id.kind == Kind::StatefulSet) {
        let templates = object.body.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        let names =
            templates.into_iter().flatten().filter_map(|claim| claim.pointer("/metadata/name")?.as_str());
        begins.extend(names.map(|claim| format!("{claim}-{}-", object.id.name)));
    }
    let name = |claim: &PersistentVolumeClaim| claim.metadata.name.clone().unwrap_or_default();
    let of_plan = |claim: &PersistentVolumeClaim| {
        let number = |begin: &String| {
            name(claim).strip_prefix(begin.as_str()).is_some_and(|rest| rest.parse::<u32>().is_ok())
        };
        begins.iter().any(number)
    };
    Ok(all.iter().filter(|claim| of_plan(claim)).map(name).collect())
}

/// The stack that the releases come to; `None` when something is in the way, which the report then says.
fn drafted(
    args: &Args,
    cluster: &Cluster,
    key: &StackKey,
    seen: &[Seen],
    report: &mut Report,
) -> Option<ObservabilityStack> {
    let wish = Wish {
        key: key.clone(),
        environment: args.environment.clone().unwrap_or_else(|| environment(&key.namespace)),
        credentials: args.credentials_secret.clone(),
        source: args.charts.chart_source.map(ChartSource::from),
        cluster: cluster.facts.clone(),
    };
    let (mut drafts, mut obstacles) = (Vec::new(), Vec::new());
    for seen in seen {
        match adopt::draft(&seen.release, &wish) {
            Ok(draft) => drafts.push(draft),
            Err(found) => obstacles.extend(found),
        }
    }
    let made = if obstacles.is_empty() { adopt::stack(&drafts, &wish) } else { Err(obstacles) };
    match made {
        Ok(adoption) => {
            report.note(&adoption.notes);
            if args.environment.is_none() {
                report.notes.push(Note {
                    subject: "spec.environment".into(),
                    message: format!(
                        "is {}, the end of the namespace's name. It never changes: give another now by --environment",
                        wish.environment
                    ),
                });
            }
            Some(adoption.stack)
        }
        Err(obstacles) => {
            report.block(obstacles);
            None
        }
    }
}

/// The environment where nobody names one: what follows the last dash of the namespace's name.
fn environment(namespace: &str) -> String {
    let end = namespace.rsplit('-').next().unwrap_or(namespace);
    end.chars().filter(char::is_ascii_alphanumeric).take(ENVIRONMENT_MAX).collect::<String>().to_lowercase()
}

fn named(release: &adopt::HelmRelease) -> Release {
    Release {
        name: release.name.clone(),
        chart: format!("{} {}", release.chart.name, release.chart.version),
        revision: release.revision,
    }
}

/// Namespace and name of the stack: as asked for, else that of the stack that has a release already, else the first
/// release's.
fn key(namespace: &str, args: &Args, seen: &[Seen]) -> Result<StackKey, Error> {
    let taken = seen.iter().find_map(|seen| Some((seen.release.name.as_str(), seen.stack.as_deref()?)));
    let taken =
        taken.map(|(release, stack)| (release, stack.split_once('/').map_or(stack, |(_, name)| name)));
    let name = args.name.as_deref().or(taken.map(|(_, stack)| stack));
    let name = name.or(args.releases.first().map(String::as_str)).unwrap_or_default();
    if let Some((release, stack)) = taken.filter(|(_, stack)| *stack != name) {
        return Err(Error::new(format!("release {release} was taken over by ObservabilityStack {namespace}/{stack}"))
            .fix(format!("leave --name {name} out, or give the release back to Helm first: {COMMAND} adopt --undo {release} -n {namespace}")));
    }
    Ok(StackKey { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// A stack of this name that is there must be the one that runs the releases.
fn runs(stored: &ObservabilityStack, seen: &[Seen], key: &StackKey) -> Result<(), Error> {
    let traces = stored.spec.traces.as_ref().and_then(|traces| traces.release_name.as_deref());
    let metrics = stored.spec.metrics.as_ref().and_then(|metrics| metrics.release_name.as_deref());
    for seen in seen {
        let release = &seen.release;
        let here = if release.chart.name.starts_with("tempo") { traces } else { metrics };
        if here != Some(release.name.as_str()) {
            return Err(Error::new(format!("ObservabilityStack {key} exists already"))
                .because(format!("it does not run release {} ({})", release.name, release.chart.name))
                .fix("choose another name for the stack: --name NAME"));
        }
    }
    Ok(())
}

/// Releases that Helm does not see and that no stack runs.
fn forsaken(key: &StackKey, seen: &[Seen]) -> Error {
    let names: Vec<_> =
        seen.iter().filter(|seen| seen.stack.is_some()).map(|seen| seen.release.name.as_str()).collect();
    let back: Vec<_> =
        names.iter().map(|name| format!("{COMMAND} adopt --undo {name} -n {}", key.namespace)).collect();
    Error::new(format!(
        "{} was taken over by ObservabilityStack {key}, which is not there",
        names.join(" and ")
    ))
    .because("what it ran runs on, and nobody manages it")
    .fix(format!("give it back to Helm first ({}), or make the stack again", back.join("; ")))
}

/// The releases as people name them.
pub fn releases(seen: &[Seen]) -> String {
    let names: Vec<_> = seen.iter().map(|seen| format!("release {}", seen.release.name)).collect();
    names.join(" and ")
}

/// A release that cannot be read.
pub fn no_release(error: HelmError) -> Error {
    match error {
        HelmError::NotFound { namespace, name, there } => {
            let missing = Error::new(format!("namespace {namespace} has no release {name}"));
            match nearest(&name, there.iter().map(String::as_str)) {
                Some(meant) => missing.fix(format!("did you mean {meant}?")),
                None if there.is_empty() => missing
                    .because("it has none that Helm keeps in Secrets")
                    .fix("name its namespace: -n NAME; `helm list -A` shows all releases"),
                None => missing.fix(format!("it has {}", there.join(", "))),
            }
        }
        HelmError::Cluster(error) => error.into(),
        other => Error::new("the release cannot be read").because(other),
    }
}

impl Look {
    /// What is in the way, in the words of obstacles.
    pub fn in_the_way(&self) -> Vec<Obstacle> {
        let refused = self.report.objects.iter().filter(|object| !object.refused.is_empty());
        let of_objects = refused.map(|object| Obstacle {
            subject: object.id.clone(),
            why: object.refused.join("; "),
            fix: "bring the release to that with helm first, or leave it to Helm".into(),
        });
        self.report.obstacles.iter().cloned().chain(of_objects).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_the_end_of_the_namespaces_name() {
        let check = |namespace: &str, wanted: &str| assert_eq!(environment(namespace), wanted);
        check("ca7f8f-prod", "prod");
        check("monitoring", "monitoring");
        check("a-name-thatismuchlongerthansixteen", "thatismuchlonger");
    }
}
