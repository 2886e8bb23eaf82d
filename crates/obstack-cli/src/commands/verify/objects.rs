//! The objects of the inventory: whether they are there, whether they are the stack's, and who changed them.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use kube::api::ObjectMeta;
use obstack_api::{Reason, labels};
use obstack_core::{
    assemble::PlannedObject,
    drift::Deed,
    inventory::{Entry, Inventory},
    names::StackKey,
    objects::{Kind, ObjectId},
};
use obstack_engine::{
    cluster::{api_of, apply::is_of, bounded, live::LiveView},
    drift::{Drift, deed, drifted},
};
use serde_json::Value;

use super::{
    check::{Check, Id, named},
    scene::{Scene, refused},
};
use crate::{charts::ChartFlags, planner::Planner, told::plural};

/// Objects that are asked for at the same time.
const PARALLEL: usize = 16;

/// What was found under an id: metadata, nothing, or why nobody knows.
type Found = BTreeMap<ObjectId, Result<Option<ObjectMeta>, String>>;

/// Both checks. Charts are rendered only when something drifted.
pub async fn all(scene: &Scene, charts: &ChartFlags) -> Vec<Check> {
    let stored = match scene.inventory(Id::Present) {
        Ok(stored) => stored,
        Err(check) => return vec![check],
    };
    let found = find(scene, &stored.inventory).await;
    let mut checks = present(&scene.key, &stored.inventory, &found);
    let drifts = drifts(&scene.key, &stored.inventory, &found);
    let bodies = if drifts.is_empty() { BTreeMap::new() } else { bodies(scene, charts).await };
    let mut deeds = Vec::new();
    for (id, drift) in drifts {
        let done = match bodies.get(&id) {
            Some(object) => deed(&scene.cluster.client, object, &drift).await,
            None => drift.deed(),
        };
        deeds.push((id, done));
    }
    let known = found.values().filter(|found| matches!(found, Ok(Some(_)))).count();
    checks.extend(drift(&deeds, known));
    checks
}

async fn find(scene: &Scene, inventory: &Inventory) -> Found {
    let one = async |id: ObjectId| {
        let api = api_of(&scene.cluster.client, &id);
        let what = || format!("get {} in namespace {}", id.kind.plural(), id.namespace);
        let answer = bounded(what, api.get_metadata_opt(&id.name)).await;
        let answer = answer.map(|found| found.map(|found| found.metadata)).map_err(|error| refused(&error));
        (id, answer)
    };
    futures::stream::iter(inventory.objects.keys().cloned())
        .map(one)
        .buffer_unordered(PARALLEL)
        .collect()
        .await
}

/// The bodies that the operator applies, as far as they can be rendered here.
async fn bodies(scene: &Scene, charts: &ChartFlags) -> BTreeMap<ObjectId, PlannedObject> {
    let rendered = async {
        let (valid, _) = scene.valid.as_ref().ok()?;
        let planner = Planner::open(charts).await.ok()?;
        let made = planner.plan(valid.clone()).await.ok()?;
        Some(made.plan.objects.iter().map(|object| (object.id.clone(), object.clone())).collect())
    };
    rendered.await.unwrap_or_default()
}

fn present(key: &StackKey, inventory: &Inventory, found: &Found) -> Vec<Check> {
    let mut good = 0_usize;
    let mut checks = Vec::new();
    let mut unread: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, found) in found {
        let never = inventory.objects.get(id).is_none_or(|entry| entry.uid.is_empty());
        match found {
            Err(why) => unread.entry(why).or_default().push(id.to_string()),
            Ok(None) if never => checks.push(
                Id::Present
                    .failed(format!("{id} was never made"))
                    .because(Reason::Applying)
                    .fix("read the condition PlanApplied"),
            ),
            Ok(None) => checks.push(
                Id::Present
                    .failed(format!("{id} is gone"))
                    .because(Reason::Drifted)
                    .fix("the operator makes it anew, if it runs and the stack is not suspended"),
            ),
            Ok(Some(metadata)) if !is_of(key, metadata) => checks.push(of_another(id, metadata)),
            Ok(Some(_)) => good += 1,
        }
    }
    if good > 0 {
        let objects = plural(good, "object");
        let verb = if good == 1 { "exists and belongs" } else { "exist and belong" };
        checks.insert(0, Id::Present.passed(format!("{objects} {verb} to the stack")));
    }
    for (why, ids) in unread {
        checks.push(Id::Present.unknown(format!("{why}: {}", named(ids))));
    }
    checks
}

fn of_another(id: &ObjectId, metadata: &ObjectMeta) -> Check {
    let label = metadata.labels.as_ref().and_then(|set| set.get(labels::STACK));
    let whose = label.map_or_else(|| "of no stack".to_owned(), |label| format!("of the stack {label}"));
    Id::Present
        .failed(format!("{id} is {whose}, by its label {}", labels::STACK))
        .because(Reason::FieldConflict)
}

/// What others did to the objects that are there and the stack's, told by the operator's own code.
fn drifts(key: &StackKey, inventory: &Inventory, found: &Found) -> BTreeMap<ObjectId, Drift> {
    let view = LiveView::default();
    view.learn_stack(key);
    let mut known = inventory.clone();
    known.objects.retain(|id, _| match found.get(id) {
        Some(Ok(Some(metadata))) if is_of(key, metadata) => view.fold_child(id, metadata),
        _ => false,
    });
    drifted(&known, &view, &BTreeMap::new(), &[])
}

fn drift(deeds: &[(ObjectId, Deed)], objects: usize) -> Vec<Check> {
    if objects == 0 {
        return vec![Id::Drift.unknown("no object could be looked at")];
    }
    if deeds.is_empty() {
        return vec![Id::Drift.passed(format!("nobody else changed one of {}", plural(objects, "object")))];
    }
    let one = |(id, deed): &(ObjectId, Deed)| {
        let fields =
            if deed.fields.is_empty() { String::new() } else { format!(" ({})", deed.fields.join(", ")) };
        let who = deed.manager.as_ref().map(|manager| format!(" by {manager}")).unwrap_or_default();
        Id::Drift.warns(format!("{id}{fields} was changed{who}")).because(Reason::Drifted)
    };
    deeds.iter().map(one).collect()
}

/// What an object of Grafana's has to look like, and whether it does.
pub fn published(wanted: &[Value], found: &Found) -> Vec<Check> {
    let mut good = Vec::new();
    let mut checks = Vec::new();
    for object in wanted {
        let Some(id) = ObjectId::of(object) else { continue };
        match found.get(&id) {
            None => {}
            Some(Err(why)) => checks.push(Id::Published.unknown(format!("{why}: {id}"))),
            Some(Ok(None)) => checks.push(missing(&id)),
            Some(Ok(Some(metadata))) => match unlabelled(object, metadata) {
                Some(label) => checks.push(
                    Id::Published
                        .failed(format!("{id} has no label {label}, by which Grafana's sidecar finds it"))
                        .because(Reason::DatasourcesNotReady),
                ),
                None => good.push(id.name),
            },
        }
    }
    if wanted.is_empty() {
        return vec![Id::Published.passed("spec.grafana asks for no datasources and no dashboards")];
    }
    if !good.is_empty() {
        let objects = plural(good.len(), "object");
        let verb = if good.len() == 1 { "is" } else { "are" };
        let message = format!("{objects} for Grafana {verb} in place: {}", named(good));
        checks.insert(0, Id::Published.passed(message));
    }
    checks
}

fn missing(id: &ObjectId) -> Check {
    let reason =
        if id.kind.is_optional() { Reason::GrafanaOperatorMissing } else { Reason::DatasourcesNotReady };
    let said = match id.kind {
        Kind::GrafanaDatasource | Kind::GrafanaDashboard => {
            format!("{id} does not exist, or the cluster does not serve {}", id.kind.group())
        }
        _ => format!("{id} does not exist"),
    };
    Id::Published.failed(said).because(reason)
}

/// The first wanted label that the live object lacks. The sidecar finds an object by it.
fn unlabelled(wanted: &Value, live: &ObjectMeta) -> Option<String> {
    let wanted = wanted.pointer("/metadata/labels").and_then(Value::as_object)?;
    let has = |key: &str, value: &Value| {
        live.labels.as_ref().and_then(|set| set.get(key)).map(String::as_str) == value.as_str()
    };
    let lacks = wanted.iter().find(|(key, value)| !has(key, value));
    lacks.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
}

/// The check of what is published for Grafana.
pub async fn grafana(scene: &Scene) -> Vec<Check> {
    let (_, blueprint) = match scene.valid(Id::Published) {
        Ok(valid) => valid,
        Err(check) => return vec![check],
    };
    let design = &blueprint.design;
    let wanted: Vec<Value> = design.datasources.iter().chain(&design.dashboards).cloned().collect();
    let objects = wanted.iter().filter_map(ObjectId::of).map(|id| (id, Entry::default())).collect();
    let found = find(scene, &Inventory { objects, ..Inventory::default() }).await;
    published(&wanted, &found)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
    use obstack_engine::cluster::live::owned_fields;
    use serde_json::json;

    use super::*;
    use crate::commands::verify::check::Outcome;

    fn key() -> StackKey {
        StackKey { namespace: "ns".into(), name: "dev".into() }
    }

    fn id(text: &str) -> ObjectId {
        text.parse().unwrap()
    }

    fn live(stack: &str, fields: Value) -> ObjectMeta {
        ObjectMeta {
            uid: Some("u".into()),
            resource_version: Some("5".into()),
            labels: Some([(labels::STACK.to_owned(), stack.to_owned())].into()),
            managed_fields: Some(vec![ManagedFieldsEntry {
                manager: Some(labels::FIELD_MANAGER.into()),
                operation: Some("Apply".into()),
                fields_v1: Some(FieldsV1(fields)),
                ..ManagedFieldsEntry::default()
            }]),
            ..ObjectMeta::default()
        }
    }

    fn inventory(names: &[&str]) -> Inventory {
        let owned = owned_fields(&live("ns.dev", json!({"f:spec": {}})));
        let entry =
            |name: &&str| (id(name), Entry { hash: "h".into(), uid: "u".into(), owned: owned.clone() });
        Inventory { objects: names.iter().map(entry).collect(), ..Inventory::default() }
    }

    #[test]
    fn an_object_is_there_gone_anothers_or_unread() {
        let names = ["ConfigMap/ns/a", "ConfigMap/ns/b", "ConfigMap/ns/c", "Secret/ns/d"];
        let found: Found = [
            (id(names[0]), Ok(Some(live("ns.dev", json!({"f:spec": {}}))))),
            (id(names[1]), Ok(None)),
            (id(names[2]), Ok(Some(live("ns.other", json!({}))))),
            (id(names[3]), Err("no right to get secrets in namespace ns".to_owned())),
        ]
        .into();
        let checks = present(&key(), &inventory(&names), &found);
        let said: Vec<_> = checks.iter().map(|check| (check.result, check.message.as_str())).collect();
        assert_eq!(
            said,
            [
                (Outcome::Passed, "1 object exists and belongs to the stack"),
                (Outcome::Failed, "ConfigMap/ns/b is gone"),
                (Outcome::Failed, "ConfigMap/ns/c is of the stack ns.other, by its label obstack.dev/stack"),
                (Outcome::Unknown, "no right to get secrets in namespace ns: Secret/ns/d"),
            ]
        );
    }

    #[test]
    fn only_an_object_of_which_a_field_was_taken_has_drifted() {
        let names = ["ConfigMap/ns/a", "ConfigMap/ns/b", "ConfigMap/ns/c"];
        let found: Found = [
            (id(names[0]), Ok(Some(live("ns.dev", json!({"f:spec": {}}))))),
            (id(names[1]), Ok(Some(live("ns.dev", json!({}))))),
            (id(names[2]), Ok(None)),
        ]
        .into();
        let drifts = drifts(&key(), &inventory(&names), &found);
        assert_eq!(drifts.keys().collect::<Vec<_>>(), [&id("ConfigMap/ns/b")]);
        let deed =
            Deed { manager: Some("kubectl-edit".into()), fields: vec!["data.a".into()], ..Deed::default() };
        let checks = drift(&[(id("ConfigMap/ns/b"), deed)], 3);
        assert_eq!(checks[0].message, "ConfigMap/ns/b (data.a) was changed by kubectl-edit");
        assert_eq!(checks[0].result, Outcome::Warning);
    }

    #[test]
    fn a_config_map_without_the_sidecars_label_is_not_found_by_it() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"namespace": "tools", "name": "a", "labels": {"grafana_datasource": "1"}}});
        let at = id("ConfigMap/tools/a");
        let labelled = |labels: &[(&str, &str)]| ObjectMeta {
            labels: Some(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
            ..ObjectMeta::default()
        };
        let check = |found: Result<Option<ObjectMeta>, String>| {
            published(std::slice::from_ref(&object), &[(at.clone(), found)].into()).remove(0).result
        };
        assert_eq!(check(Ok(Some(labelled(&[("grafana_datasource", "1")])))), Outcome::Passed);
        assert_eq!(check(Ok(Some(labelled(&[])))), Outcome::Failed);
        assert_eq!(check(Ok(None)), Outcome::Failed);
        assert_eq!(check(Err("no right".into())), Outcome::Unknown);
    }
}
