//! The list of objects that belong to a stack, kept in one ConfigMap in its namespace.
//!
//! It is written ahead: first the union of old and new, then the objects, then (only after every apply succeeded) what
//! is no longer wanted is deleted, then the new list. A crash anywhere leaves a superset, never a leak.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    assemble::{Plan, PlannedComponent},
    changes::ChangeSummary,
    objects::ObjectId,
    quantity::Sums,
};

/// Most objects that one change may prune while every release is still wanted. More looks like a broken render.
const PRUNE_MAX: usize = 3;
/// See [`PRUNE_MAX`]: or this many in a hundred, where that is more.
const PRUNE_MAX_PERCENT: usize = 20;

/// What is known of the objects of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// Hash of everything that decided the objects; empty until all of them were applied.
    pub input: String,
    /// How often leadership had changed hands when this was written.
    pub epoch: i64,
    /// The objects.
    pub objects: BTreeMap<ObjectId, Entry>,
    /// Objects that every applied release stood for, by release.
    pub releases: BTreeSet<String>,
    /// What the releases were made of when all objects were applied last. Inventories of earlier versions lack it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, ReleaseFacts>,
    /// The components and their workloads.
    pub components: Vec<PlannedComponent>,
    /// What all pods request together.
    pub sums: Sums,
    /// The change that is under way while `input` is empty, or the one that was carried out last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeSummary>,
}

/// What a release was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseFacts {
    /// Name of the chart.
    pub chart: String,
    /// Version of the chart.
    pub version: String,
    /// How many ingesters hold each series or trace; `None` where the backend has no such thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u64>,
}

/// What is known of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Hash of the body that was applied last; empty until it was, and while it is about to change.
    pub hash: String,
    /// Uid of the live object; empty until it was applied.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Hash of the fields we own on the live object: it changes when somebody takes one from us.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owned: String,
}

impl Inventory {
    /// Old and new together: what is written before anything is applied. `input` is emptied, so that a crash on the
    /// way is seen as unfinished. Releases and components are united too: what was begun and is taken back counts as
    /// switched off, or it could never be pruned. The facts of the releases stay the old ones until all is applied. What
    /// is about to change loses its hash: after a crash nobody knows whether it has changed.
    #[must_use]
    pub fn united(
        &self,
        plan: &Plan,
        releases: &BTreeSet<String>,
        epoch: i64,
        change: &ChangeSummary,
    ) -> Self {
        let mut objects = self.objects.clone();
        for object in &plan.objects {
            let entry = objects.entry(object.id.clone()).or_default();
            if entry.hash != object.hash {
                entry.hash.clear();
            }
        }
        let mut components = plan.components.clone();
        let gone = |old: &&PlannedComponent| plan.components.iter().all(|new| new.name != old.name);
        components.extend(self.components.iter().filter(gone).cloned());
        let releases = self.releases.union(releases).cloned().collect();
        Self {
            input: String::new(),
            epoch,
            objects,
            releases,
            facts: self.facts.clone(),
            components,
            sums: self.sums,
            change: Some(change.clone()),
        }
    }

    /// The change of this digest, if it was begun and is not finished.
    pub fn begun(&self, digest: &str) -> Option<&ChangeSummary> {
        self.change.as_ref().filter(|change| self.input.is_empty() && change.digest == digest)
    }

    /// Whether the stack was never in place as a whole. An unfinished inventory of an earlier version, which did not
    /// write down what it had begun, counts as in place when any of its objects was.
    pub fn is_first(&self) -> bool {
        let applied = self.objects.values().any(|entry| !entry.uid.is_empty());
        self.input.is_empty() && self.facts.is_empty() && (self.change.is_some() || !applied)
    }

    /// Makes it as small as it can be, for keeping: a map that grew entry by entry is half empty.
    pub fn pack(&mut self) {
        self.objects = std::mem::take(&mut self.objects).into_iter().collect();
        self.components.shrink_to_fit();
    }

    /// Objects of the plan that must be applied: new ones, and ones whose body changed.
    pub fn outdated<'a>(&self, plan: &'a Plan) -> Vec<&'a ObjectId> {
        let current = |id: &ObjectId, hash: &str| {
            self.objects.get(id).is_some_and(|entry| entry.hash == hash && !entry.uid.is_empty())
        };
        plan.objects
            .iter()
            .filter(|object| !current(&object.id, &object.hash))
            .map(|object| &object.id)
            .collect()
    }

    /// Objects that are no longer wanted.
    pub fn obsolete(&self, plan: &Plan) -> Vec<ObjectId> {
        let wanted: BTreeSet<_> = plan.objects.iter().map(|object| &object.id).collect();
        self.objects.keys().filter(|id| !wanted.contains(id)).cloned().collect()
    }

    /// Whether so many objects that charts rendered may be pruned: a lot is sound when a release or a component went away with them, and
    /// suspicious when the same releases and components just rendered less.
    pub fn may_prune(&self, plan: &Plan, releases: &BTreeSet<String>, obsolete: usize) -> bool {
        let limit = PRUNE_MAX.max(self.objects.len() * PRUNE_MAX_PERCENT / 100);
        let components =
            |list: &[PlannedComponent]| list.iter().map(|c| c.name.clone()).collect::<BTreeSet<_>>();
        let fewer = !self.releases.is_subset(releases)
            || !components(&self.components).is_subset(&components(&plan.components));
        obsolete <= limit || fewer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assemble::PlannedObject;

    fn id(name: &str) -> ObjectId {
        format!("ConfigMap/ns/{name}").parse().unwrap()
    }

    fn plan(names: &[&str]) -> Plan {
        let object =
            |name: &&str| PlannedObject { id: id(name), hash: format!("hash-{name}"), body: json!({}) };
        Plan { objects: names.iter().map(object).collect(), components: Vec::new(), sums: Sums::default() }
    }

    fn applied(names: &[&str]) -> Inventory {
        let entry = |name: &&str| {
            (id(name), Entry { hash: format!("hash-{name}"), uid: "u".into(), owned: "o".into() })
        };
        Inventory { input: "i".into(), objects: names.iter().map(entry).collect(), ..Inventory::default() }
    }

    #[test]
    fn i5_the_inventory_written_ahead_holds_old_and_new() {
        let mut before = applied(&["a", "b"]);
        before.releases = ["old".to_owned()].into();
        let change = ChangeSummary { digest: "sha256:1".into(), ..ChangeSummary::default() };
        let united = before.united(&plan(&["b", "c"]), &["new".to_owned()].into(), 7, &change);
        assert_eq!(united.objects.keys().map(|id| id.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((united.input.as_str(), united.epoch), ("", 7));
        assert!(united.objects[&id("c")].uid.is_empty());
        assert_eq!(united.releases, ["new".to_owned(), "old".to_owned()].into());
        assert_eq!((united.begun("sha256:1"), united.begun("sha256:2")), (Some(&change), None));
        assert_eq!(before.begun("sha256:1"), None, "what is finished is not under way");
    }

    #[test]
    fn what_was_about_to_change_is_applied_again_even_if_it_is_taken_back() {
        let before = applied(&["a", "b"]);
        let mut other = plan(&["a", "b"]);
        other.objects[0].hash = "other".into();
        let united = before.united(&other, &BTreeSet::new(), 1, &ChangeSummary::default());
        assert_eq!(before.outdated(&plan(&["a", "b"])), Vec::<&ObjectId>::new());
        assert_eq!(united.outdated(&plan(&["a", "b"])), [&id("a")]);
        assert_eq!(united.objects[&id("a")].uid, "u", "it is known to be ours");
    }

    #[test]
    fn an_inventory_of_an_earlier_version_is_read() {
        let text = r#"{"input": "i", "epoch": 3, "objects": {"ConfigMap/ns/a": {"hash": "h", "uid": "u"}},
            "releases": ["r"], "components": [{"name": "traces.ingester", "workload": "StatefulSet/ns/i",
            "desired": 1, "image": "i:1", "protected": false}], "sums": {"pods": 1, "cpu": 1, "memory": 1, "storage": 1}}"#;
        let inventory: Inventory = serde_json::from_str(text).unwrap();
        assert_eq!((inventory.facts.len(), inventory.change.clone(), inventory.is_first()), (0, None, false));
        let again: Inventory = serde_json::from_str(&serde_json::to_string(&inventory).unwrap()).unwrap();
        assert_eq!(again, inventory);
    }

    #[test]
    fn a_stack_is_first_until_all_of_it_was_in_place() {
        let nothing = Inventory::default();
        let begun = nothing.united(&plan(&["a"]), &BTreeSet::new(), 1, &ChangeSummary::default());
        let mut half = begun.clone();
        half.objects.get_mut(&id("a")).unwrap().uid = "u".into();
        let unfinished_of_an_earlier_version = Inventory { input: String::new(), ..applied(&["a"]) };
        let check = |inventory: &Inventory, expect: bool| assert_eq!(inventory.is_first(), expect);
        check(&nothing, true);
        check(&begun, true);
        check(&half, true);
        check(&unfinished_of_an_earlier_version, false);
        check(&applied(&["a"]), false);
    }

    #[test]
    fn a_packed_inventory_is_the_same() {
        let mut packed = applied(&["a", "b", "c"]);
        packed.pack();
        assert_eq!(packed, applied(&["a", "b", "c"]));
    }

    #[test]
    fn only_what_is_new_or_changed_is_applied() {
        let mut inventory = applied(&["a", "b", "c"]);
        inventory.objects.get_mut(&id("b")).unwrap().hash = "old".into();
        inventory.objects.get_mut(&id("c")).unwrap().uid.clear();
        let plan = plan(&["a", "b", "c", "d"]);
        assert_eq!(inventory.outdated(&plan), [&id("b"), &id("c"), &id("d")]);
    }

    #[test]
    fn i5_a_sharply_smaller_render_prunes_nothing() {
        let names: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut inventory = applied(&names);
        inventory.releases = ["r".to_owned()].into();
        let smaller = plan(&names[..10]);
        assert!(!inventory.may_prune(&smaller, &["r".to_owned()].into(), 10));
        assert!(inventory.may_prune(&smaller, &["r".to_owned()].into(), 4));
        assert!(inventory.may_prune(&smaller, &BTreeSet::new(), 10), "the release itself went away");
    }
}
