//! Live objects held against planned ones: by the API server's own word where it may be asked (a server-side apply that
//! nobody keeps), else by laying the planned fields over the live ones.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use obstack_core::{
    assemble::PlannedObject,
    drift::Taken,
    objects::{Kind, ObjectId},
};
use obstack_engine::{
    cluster::{ClusterError, api_of, apply, bounded},
    drift,
};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    error::Error,
    fields::{essence, overlaid},
};

/// Objects that are asked about at the same time.
const PARALLEL: usize = 8;

/// An object as it is and as it would be.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// As it is; `None` when it does not exist.
    pub live: Option<Value>,
    /// As it would be; `None` when it would be deleted.
    pub wanted: Option<Value>,
    /// Why the API server would refuse it.
    pub refused: Option<String>,
    /// The API server was not asked: fields that would be removed are not known.
    pub guessed: bool,
    /// Which of our fields another manager has now.
    pub taken: Taken,
}

/// Holds objects against the live ones. `planned` are those that would be there, `gone` those that would be deleted.
pub async fn objects<'a>(
    cluster: &Cluster,
    planned: impl IntoIterator<Item = &'a PlannedObject>,
    gone: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Compared>, Error> {
    let planned: Vec<_> = planned.into_iter().map(|object| compare(cluster, object)).collect();
    let planned: Vec<_> = stream::iter(planned).buffer_unordered(PARALLEL).collect().await;
    let gone: Vec<_> = gone.iter().map(|id| leaving(cluster, id)).collect();
    let gone: Vec<_> = stream::iter(gone).buffer_unordered(PARALLEL).collect().await;
    Ok(planned.into_iter().chain(gone).collect::<Result<_, ClusterError>>()?)
}

async fn leaving(cluster: &Cluster, id: &ObjectId) -> Result<(ObjectId, Compared), ClusterError> {
    let live = get(cluster, id).await?.map(|live| essence(&live));
    Ok((id.clone(), Compared { live, ..Compared::default() }))
}

async fn compare(cluster: &Cluster, object: &PlannedObject) -> Result<(ObjectId, Compared), ClusterError> {
    let id = object.id.clone();
    let live = match get(cluster, &id).await {
        Ok(live) => live,
        // A kind of another operator that this cluster does not serve.
        Err(error) if error.code() == 404 && id.kind.is_optional() => None,
        Err(error) => return Err(error),
    };
    let Some(live) = live else {
        return Ok((id, Compared { wanted: Some(essence(&object.body)), ..Compared::default() }));
    };
    let taken = drift::taken_of(object, &live);
    let laid = || essence(&overlaid(&live, &object.body));
    let (wanted, refused, guessed) = match apply::rehearse(&cluster.client, &id, &object.body).await {
        Ok(answer) => (essence(&answer), None, false),
        Err(error) if error.code() == 403 => (laid(), None, true),
        Err(error) if matches!(error.code(), 400 | 409 | 422) => {
            let said = error.status().map(|status| status.message.clone()).unwrap_or_default();
            // The operator grows claims in a way of its own.
            if is_growth(&id, &said) { (laid(), None, false) } else { (laid(), Some(said), true) }
        }
        Err(error) => return Err(error),
    };
    Ok((id, Compared { live: Some(essence(&live)), wanted: Some(wanted), refused, guessed, taken }))
}

/// An object as the API server has it.
async fn get(cluster: &Cluster, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
    let api = api_of(&cluster.client, id);
    let found = bounded(|| format!("get {id}"), api.get_opt(&id.name)).await?;
    Ok(found.and_then(|found| serde_json::to_value(found).ok()))
}

/// What the growth of claims is refused with, which the operator carries out in another way.
fn is_growth(id: &ObjectId, said: &str) -> bool {
    id.kind == Kind::StatefulSet && said.contains("updates to statefulset spec for fields other than")
}
