//! The takeover itself. Until the stack is made, everything can be given back, and is where anything fails.
//!
//! The stack is made before the releases are marked: the create can fail for reasons of its own, and until a release is
//! marked a second run finds it and goes on from there. A process that ends between the two leaves a stack that runs the
//! objects and a release that Helm still sees, which a second run finishes. The other way round nobody would manage the
//! objects, and neither Helm nor a second run would know of them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams},
};
use obstack_api::ObservabilityStack;
use obstack_core::{assemble::Plan, names::StackKey, objects::ObjectId};
use obstack_engine::cluster::{
    ClusterError, bounded,
    hand_over::{self, Handed, Manager},
    helm_release,
};

use serde_json::Value;

use super::{foresee, look::Look};
use crate::{
    args::COMMAND, cluster::Cluster, edit::FIELD_MANAGER, error::Error, exit::Exit, fields, progress,
    session::Session,
};

/// Takes over what was looked at.
pub async fn take(session: &Session, cluster: &Cluster, look: &Look) -> Result<Exit, Error> {
    let Some(plan) = &look.plan else { return Ok(Exit::Done) };
    if !look.exists {
        rehearse(cluster, &look.key, &look.report.manifest).await?;
    }
    let interrupt = Interrupt::listen().await;
    let progress = progress::show("handing over");
    let mut taking = Taking { cluster, look, plan, over: Vec::new() };
    let prepared = taking.prepare(&interrupt, &progress).await;
    let made = match prepared {
        Ok(()) if look.exists => Ok(()),
        Ok(()) => {
            progress.now("making the stack");
            taking.commit().await
        }
        Err(stop) => Err(stop),
    };
    if let Err(stop) = made {
        progress.now("handing back");
        return taking.back(session, stop).await;
    }
    progress.now("marking the releases");
    for release in &look.report.releases {
        let marked = helm_release::mark(&cluster.client, &look.key, &release.name).await;
        marked.map_err(|error| {
            Error::new(format!("the stack is made, and release {} is not marked yet", release.name))
                .because(error)
                .fix("run the same command again: it finishes what is left")
        })?;
    }
    drop(progress);
    session.terminal.print(&done(look, plan))?;
    Ok(Exit::Done)
}

/// Why it stopped before the stack was made.
enum Stop {
    /// Somebody interrupted it.
    Interrupted,
    /// It failed.
    Failed(Error),
    /// Nobody knows whether the stack was made.
    Unknown(Error),
}

impl From<ClusterError> for Stop {
    fn from(error: ClusterError) -> Self {
        Self::Failed(error.into())
    }
}

/// A takeover on its way.
struct Taking<'a> {
    cluster: &'a Cluster,
    look: &'a Look,
    plan: &'a Plan,
    /// What was handed over, and who had it.
    over: Vec<(ObjectId, Manager)>,
}

impl Taking<'_> {
    /// Hands over every object, and sees that the operator could then apply each.
    async fn prepare(&mut self, interrupt: &Interrupt, progress: &progress::Progress) -> Result<(), Stop> {
        let client = &self.cluster.client;
        let had_by =
            self.look.managers.first().or(self.look.begun.as_ref()).cloned().unwrap_or_else(Manager::helm);
        for release in &self.look.report.releases {
            let noted =
                helm_release::remember(client, &self.look.key.namespace, &release.name, Some(&had_by)).await;
            noted.map_err(|error| {
                Stop::Failed(
                    Error::new(format!("release {} cannot be annotated", release.name)).because(error),
                )
            })?;
        }
        let names: Vec<_> = self.look.managers.iter().map(|manager| manager.name.clone()).collect();
        let all = self.plan.objects.len();
        for (number, object) in self.plan.objects.iter().enumerate() {
            interrupt.check()?;
            progress.now(format!("handing over {} of {all}: {}", number + 1, object.id));
            match hand_over::hand_over(client, &object.id, &names).await {
                Ok(Handed::Over(manager)) => self.over.push((object.id.clone(), manager)),
                Ok(_) => {}
                // A kind of another operator that this cluster does not serve.
                Err(error) if error.code() == 404 && object.id.kind.is_optional() => {}
                Err(error) => return Err(error.into()),
            }
        }
        for object in &self.plan.objects {
            interrupt.check()?;
            progress.now(format!("rehearsing {}", object.id));
            let conflicts = foresee::conflicts(self.cluster, object).await?;
            if !conflicts.is_empty() {
                return Err(Stop::Failed(
                    Error::new(format!("the operator could not apply {}", object.id))
                        .because(conflicts.join("\n"))
                        .fix("let nobody else change it, and try again"),
                ));
            }
        }
        interrupt.check()
    }

    /// Makes the stack. Where the answer was lost, the stack itself says whether it was made.
    async fn commit(&self) -> Result<(), Stop> {
        let Err(error) = create(self.cluster, &self.look.key, &self.look.report.manifest, false).await else {
            return Ok(());
        };
        // The API server has answered: it was not made.
        if error.code() != 0 {
            return Err(error.into());
        }
        match self.cluster.find(&self.look.key).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(error.into()),
            Err(_) => Err(Stop::Unknown(error.into())),
        }
    }

    /// Gives back what was handed over, by this run and by one that was killed.
    async fn back(&self, session: &Session, stop: Stop) -> Result<Exit, Error> {
        let again = "run the same command again: it finishes from where it was";
        if let Stop::Unknown(error) = stop {
            let what = error.what.clone();
            return Err(Error::new("nobody knows whether the stack was made").because(what).fix(again));
        }
        // With the stack there is no way back here: the operator would take the fields again.
        if self.look.exists {
            return match stop {
                Stop::Interrupted => Err(Error {
                    exit: Exit::Interrupted,
                    ..Error::new("interrupted; the stack was there already and stays").fix(again)
                }),
                Stop::Failed(error) | Stop::Unknown(error) => Err(error),
            };
        }
        let mut failed = Vec::new();
        for (id, manager) in self.all_over().iter().rev() {
            if let Err(error) = hand_over::hand_back(&self.cluster.client, id, manager).await {
                failed.push(format!("{id}: {error}"));
            }
        }
        if failed.is_empty() {
            for release in &self.look.report.releases {
                let namespace = &self.look.key.namespace;
                let forgotten =
                    helm_release::remember(&self.cluster.client, namespace, &release.name, None).await;
                if let Err(error) = forgotten {
                    session.terminal.warn(&format!("an annotation stays on the release: {error}"));
                }
            }
        } else {
            session.terminal.warn(&format!(
                "not handed back: {}. Helm goes on nevertheless; helm 4 may ask for --force-conflicts. \
                 {COMMAND} adopt --undo NAME tries again",
                failed.join("; ")
            ));
        }
        match stop {
            Stop::Interrupted => {
                let error = Error::new("interrupted; nothing was taken, and everything is Helm's as before");
                Err(Error { exit: Exit::Interrupted, ..error })
            }
            Stop::Failed(error) | Stop::Unknown(error) => {
                let what = format!("{}; nothing was taken, and everything is Helm's as before", error.what);
                Err(Error { what, ..error })
            }
        }
    }

    /// What is the operator's now and was Helm's: of this run, and of an earlier one that could not give it back.
    fn all_over(&self) -> Vec<(ObjectId, Manager)> {
        let mut all = self.over.clone();
        if let Some(manager) = &self.look.begun {
            let known = |id: &ObjectId| self.over.iter().any(|(over, _)| over == id);
            let earlier = self.plan.objects.iter().filter(|object| !known(&object.id));
            all.extend(earlier.map(|object| (object.id.clone(), manager.clone())));
        }
        all
    }
}

/// Asks the API server whether it would make the stack as it is written.
pub async fn rehearse(cluster: &Cluster, key: &StackKey, manifest: &Value) -> Result<(), Error> {
    let made = create(cluster, key, manifest, true).await?;
    let lost: Vec<_> =
        fields::changes(manifest, &made).into_iter().filter(|change| change.new.is_none()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let paths: Vec<_> = lost.iter().map(|change| change.path.as_str()).collect();
    // Without a word, as it does with every field that it does not know.
    Err(Error::new(format!("the API server would drop fields of ObservabilityStack {key}"))
        .because(format!("its CustomResourceDefinition is older than this command: {}", paths.join(", ")))
        .fix("install the operator's own first: kubectl apply --server-side -f crds/"))
}

/// Makes the stack, or asks the API server what would come of it.
async fn create(
    cluster: &Cluster,
    key: &StackKey,
    manifest: &Value,
    dry_run: bool,
) -> Result<Value, ClusterError> {
    let api: Api<DynamicObject> = Api::namespaced_with(
        cluster.client.clone(),
        &key.namespace,
        &ApiResource::erase::<ObservabilityStack>(&()),
    );
    let what = || format!("create ObservabilityStack {key}");
    let stack = serde_json::from_value(manifest.clone());
    let params = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
    let made = async { api.create(&params, &stack.map_err(kube::Error::SerdeError)?).await };
    let made = bounded(what, made).await?;
    Ok(serde_json::to_value(made).unwrap_or_default())
}

/// A Ctrl-C that is heard, but ends nothing by itself.
struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    async fn listen() -> Self {
        let heard = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&heard);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                flag.store(true, Ordering::SeqCst);
            }
        });
        // The task must have run once to listen.
        tokio::task::yield_now().await;
        Self(heard)
    }

    fn check(&self) -> Result<(), Stop> {
        if self.0.load(Ordering::SeqCst) { Err(Stop::Interrupted) } else { Ok(()) }
    }
}

/// What is done, and the way back word for word.
fn done(look: &Look, plan: &Plan) -> String {
    let (namespace, name) = (&look.key.namespace, &look.key.name);
    let releases: Vec<_> = look.report.releases.iter().map(|release| release.name.as_str()).collect();
    let per = |line: &dyn Fn(&str) -> String| {
        let lines: Vec<_> = releases.iter().map(|name| format!("  {}\n", line(name))).collect();
        lines.concat()
    };
    format!(
        "\n{releases} was taken over by ObservabilityStack {key}. The operator applies its {objects} objects now:\n  \
         {COMMAND} status {name} -n {namespace}\n\n\
         The way back, as long as spec.deletionPolicy is Retain:\n  \
         kubectl delete observabilitystack {name} -n {namespace}\n{undo}\
         or, without this command (helm 4 then upgrades with --force-conflicts):\n{label}\n\
         When you are sure, let the stack own what it runs:\n  \
         kubectl patch observabilitystack {name} -n {namespace} --type merge -p '{{\"spec\":{{\"deletionPolicy\":\"DeleteWorkloads\"}}}}'\n",
        releases = releases.join(" and "),
        key = look.key,
        objects = plan.objects.len(),
        undo = per(&|release| format!("{COMMAND} adopt --undo {release} -n {namespace}")),
        label = per(&|release| format!(
            "kubectl label secret -n {namespace} -l owner=obstack,name={release} owner=helm --overwrite"
        )),
    )
}
