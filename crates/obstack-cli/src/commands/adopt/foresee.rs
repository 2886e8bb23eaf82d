//! What becomes of each live object once its fields are handed over and the operator has applied it: the API server is
//! asked twice, and nothing is kept. First what an apply by force comes to; then, as Helm's fields would not go by that,
//! what the object comes to without those that only Helm has. Of the second it says whether it would take it.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use obstack_api::labels;
use obstack_core::{assemble::PlannedObject, objects::ObjectId};
use obstack_engine::cluster::{ClusterError, api_of, apply, bounded, hand_over::Manager};
use serde_json::{Map, Value};

use super::owned;
use crate::{
    cluster::Cluster,
    error::Error,
    fields::{essence, stripped},
};

/// Objects that are asked about at the same time.
const PARALLEL: usize = 8;

/// What becomes of an object.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    /// As it is; `None` when it does not exist.
    pub live: Option<Value>,
    /// As it would be.
    pub wanted: Value,
    /// Why the API server would refuse it.
    pub refused: Option<String>,
    /// Fields that another manager than Helm has, and has otherwise: the API server's words.
    pub contested: Vec<String>,
    /// Who has written it for Helm.
    pub managers: Vec<Manager>,
}

/// What becomes of the objects of a plan. Fails where a right is missing.
pub async fn foresee(
    cluster: &Cluster,
    objects: &[PlannedObject],
) -> Result<BTreeMap<ObjectId, Foreseen>, Error> {
    let asked: Vec<_> = objects.iter().map(|object| one(cluster, object)).collect();
    let told: Vec<_> = stream::iter(asked).buffer_unordered(PARALLEL).collect().await;
    Ok(told.into_iter().collect::<Result<_, ClusterError>>()?)
}

async fn one(cluster: &Cluster, object: &PlannedObject) -> Result<(ObjectId, Foreseen), ClusterError> {
    let (client, id) = (&cluster.client, &object.id);
    let api = api_of(client, id);
    let live = match bounded(|| format!("get {id}"), api.get_opt(&id.name)).await {
        Ok(live) => live.and_then(|live| serde_json::to_value(live).ok()),
        // A kind of another operator that this cluster does not serve.
        Err(error) if error.code() == 404 && id.kind.is_optional() => None,
        Err(error) => return Err(error),
    };
    let mut seen = Foreseen { wanted: essence(&object.body), ..Foreseen::default() };
    let applied = match apply::rehearse(client, id, &object.body).await {
        Ok(applied) => applied,
        Err(error) if error.code() == 404 && id.kind.is_optional() => return Ok((id.clone(), seen)),
        Err(error) => {
            seen.refused = Some(said(error)?);
            seen.live = live.as_ref().map(essence);
            return Ok((id.clone(), seen));
        }
    };
    seen.wanted = essence(&applied);
    let Some(live) = live else { return Ok((id.clone(), seen)) };
    seen.live = Some(essence(&live));
    seen.managers = owned::managers(&live);
    let names: Vec<_> = seen.managers.iter().map(|manager| manager.name.clone()).collect();
    let rest = owned::without(&applied, &names);
    if let Some(patch) = difference(&stripped(&live), &stripped(&rest)) {
        match rehearsed(&api, id, &patch).await {
            Ok(answer) => seen.wanted = essence(&answer),
            Err(error) => {
                seen.wanted = essence(&rest);
                seen.refused = Some(said(error)?);
            }
        }
    }
    let conflicts = conflicts(cluster, object).await?;
    let by_helm = |words: &String| names.iter().any(|name| words.contains(&format!("\"{name}\"")));
    seen.contested = conflicts.into_iter().filter(|words| !by_helm(words)).collect();
    Ok((id.clone(), seen))
}

/// What the API server said, where it is about the object and not about rights or the way to the server.
fn said(error: ClusterError) -> Result<String, ClusterError> {
    let status = error.status().map(|status| status.message.clone()).unwrap_or_default();
    let is_right = error.code() == 403 && status.contains(" cannot ");
    if is_right || !matches!(error.code(), 400 | 403 | 409 | 422) { Err(error) } else { Ok(status) }
}

async fn rehearsed(api: &Api<DynamicObject>, id: &ObjectId, patch: &Value) -> Result<Value, ClusterError> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer =
        bounded(|| format!("rehearse {id}"), api.patch(&id.name, &params, &Patch::Merge(patch))).await?;
    Ok(serde_json::to_value(answer).unwrap_or_default())
}

/// With whom the operator's own apply, which is not by force, would be in conflict, field by field.
pub async fn conflicts(cluster: &Cluster, object: &PlannedObject) -> Result<Vec<String>, ClusterError> {
    let id = &object.id;
    let params = PatchParams { dry_run: true, ..PatchParams::apply(labels::FIELD_MANAGER) };
    let api = api_of(&cluster.client, id);
    let what = || format!("rehearse {id}");
    match bounded(what, api.patch(&id.name, &params, &Patch::Apply(&object.body))).await {
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.code() == 404 && id.kind.is_optional() => Ok(Vec::new()),
        Err(error) => {
            let causes = error.status().and_then(|status| status.details.as_ref());
            let causes = causes.into_iter().flat_map(|details| &details.causes);
            let told: Vec<_> = causes
                .filter(|cause| cause.reason == "FieldManagerConflict")
                .map(|cause| format!("{}: {}", cause.field.trim_start_matches('.'), cause.message))
                .collect();
            if told.is_empty() { Ok(vec![said(error)?]) } else { Ok(told) }
        }
    }
}

/// The merge patch from one object to another; `None` when they are the same.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        let part = match before.get(key) {
            Some(old) => difference(old, value),
            None => Some(value.clone()),
        };
        if let Some(part) = part {
            patch.insert(key.clone(), part);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_leads_from_one_object_to_the_other() {
        let check = |old: Value, new: Value, patch: Option<Value>| assert_eq!(difference(&old, &new), patch);
        check(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 1, "c": 2}}), None);
        check(
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"b": 3}}),
            Some(json!({"a": {"b": 3, "c": null}})),
        );
        check(json!({"a": [1, 2]}), json!({"a": [1], "d": {}}), Some(json!({"a": [1], "d": {}})));
    }
}
