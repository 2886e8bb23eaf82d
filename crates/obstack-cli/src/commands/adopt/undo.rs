//! The way back: from objects that nobody manages any more to a release that Helm upgrades as before.

use std::fmt::Write;

use obstack_api::DeletionPolicy;
use obstack_core::{names::StackKey, objects::ObjectId};
use obstack_engine::cluster::{
    ClusterError,
    hand_over::{self, Handed, Manager},
    helm_release, inventory,
};

use super::look::no_release;
use crate::{cluster::Cluster, error::Error, exit::Exit, progress, session::Session};

/// Gives a release back to Helm.
pub async fn run(session: &Session, release: &str, yes: bool) -> Result<Exit, Error> {
    let progress = progress::show(format!("reading release {release}"));
    let cluster = session.cluster().await?;
    let namespace = session.namespace(&cluster);
    let seen = helm_release::see(&cluster.client, &namespace, release).await.map_err(no_release)?;
    let key = key(&cluster, &namespace, release, seen.stack.as_deref()).await?;
    let manager = match (seen.manager, &seen.stack) {
        (Some(manager), _) => manager,
        (None, Some(_)) => Manager::helm(),
        (None, None) => {
            drop(progress);
            session.terminal.print(&format!("release {release} is Helm's already\n"))?;
            return Ok(Exit::Done);
        }
    };
    if !yes {
        drop(progress);
        super::confirm(&format!("Give release {release} back to Helm?"))?;
    }
    let progress = progress::show("handing back");
    let objects: Vec<_> = seen.release.objects.iter().filter_map(|object| id(object, &namespace)).collect();
    let mut back = 0;
    for id in &objects {
        match hand_over::hand_back(&cluster.client, id, &manager).await {
            Ok(Handed::Over(_)) => back += 1,
            Ok(Handed::Missing | Handed::Nothing) => {}
            Err(error) => return Err(unfinished(error)),
        }
    }
    // Only now: until then a second run finds the release as it is, and goes on.
    if let Some(key) = &key {
        helm_release::unmark(&cluster.client, key, release).await.map_err(no_release)?;
    }
    helm_release::remember(&cluster.client, &namespace, release, None).await.map_err(no_release)?;
    let mut text = format!(
        "release {release} is Helm's again: {back} objects were handed back. helm upgrade goes on with it\n"
    );
    if let Some(key) = &key {
        text.push_str(&leftovers(&cluster, key, &objects).await?);
    }
    drop(progress);
    session.terminal.print(&text)?;
    Ok(Exit::Done)
}

/// The stack that took the release over, which must be gone.
async fn key(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    stack: Option<&str>,
) -> Result<Option<StackKey>, Error> {
    let runs = |spec: &obstack_api::StackSpec| {
        let traces = spec.traces.as_ref().and_then(|traces| traces.release_name.as_deref());
        let metrics = spec.metrics.as_ref().and_then(|metrics| metrics.release_name.as_deref());
        traces == Some(release) || metrics == Some(release)
    };
    let stacks = cluster.stacks(Some(namespace)).await?;
    let marked = stack.and_then(|stack| stack.split_once('/'));
    let there = stacks.iter().find(|stack| {
        let name = stack.metadata.name.as_deref();
        name == marked.map(|(_, name)| name) && name.is_some() || runs(&stack.spec)
    });
    if let Some(there) = there {
        let name = there.metadata.name.as_deref().unwrap_or_default();
        let delete = format!("kubectl delete observabilitystack {name} -n {namespace}");
        let fix = if there.spec.deletion_policy == DeletionPolicy::Retain {
            format!("delete it first, which leaves everything as it runs: {delete}")
        } else {
            format!(
                "have it keep what it runs (spec.deletionPolicy: Retain), wait until it is Ready, then delete it: {delete}"
            )
        };
        return Err(Error::new(format!("ObservabilityStack {namespace}/{name} runs release {release}"))
            .because("the operator would take the objects again")
            .fix(fix));
    }
    Ok(marked.map(|(namespace, name)| StackKey { namespace: namespace.to_owned(), name: name.to_owned() }))
}

/// An object of a release that the operator knows.
fn id(object: &serde_json::Value, namespace: &str) -> Option<ObjectId> {
    let text = |field: &str| object.pointer(field).and_then(serde_json::Value::as_str);
    Some(ObjectId {
        kind: text("/kind")?.parse().ok()?,
        namespace: text("/metadata/namespace").unwrap_or(namespace).to_owned(),
        name: text("/metadata/name")?.to_owned(),
    })
}

fn unfinished(error: ClusterError) -> Error {
    let error = Error::from(error);
    let fix = error.fix.clone().map(|fix| format!("{fix}; then ")).unwrap_or_default();
    error.fix(format!("{fix}run the same command again: it finishes what is left"))
}

/// What the stack made beside the release's objects, and how it is deleted.
async fn leftovers(cluster: &Cluster, key: &StackKey, objects: &[ObjectId]) -> Result<String, Error> {
    let stored = inventory::load(&cluster.client, key).await?;
    let more: Vec<_> = stored.inventory.objects.keys().filter(|id| !objects.contains(id)).collect();
    if more.is_empty() && stored.version.is_none() {
        return Ok(String::new());
    }
    let mut text = "what the stack made beside it stays; once no stack of this name needs it:\n".to_owned();
    for id in more {
        let kind = id.kind.as_str().to_lowercase();
        let _ = writeln!(text, "  kubectl delete {kind} {} -n {}", id.name, id.namespace);
    }
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "  kubectl delete configmap {}-inventory -n {}", key.name, key.namespace);
    Ok(text)
}
