//! The list of objects that belong to a stack, kept in one ConfigMap in its namespace.
//!
//! It is written ahead: first the union of old and new, then the objects, then (only after every apply succeeded) what
//! is no longer wanted is deleted, then the new list. A crash anywhere leaves a superset, never a leak.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    assemble::{Plan, PlannedComponent},
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
    /// The components and their workloads.
    pub components: Vec<PlannedComponent>,
    /// What all pods request together.
    pub sums: Sums,
}

/// What is known of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Hash of the body that was applied last; empty until it was.
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
    /// switched off, or it could never be pruned.
    #[must_use]
    pub fn united(&self, plan: &Plan, releases: &BTreeSet<String>, epoch: i64) -> Self {
        let mut objects = self.objects.clone();
        for object in &plan.objects {
            objects.entry(object.id.clone()).or_default();
        }
        let mut components = plan.components.clone();
        let gone = |old: &&PlannedComponent| plan.components.iter().all(|new| new.name != old.name);
        components.extend(self.components.iter().filter(gone).cloned());
        let releases = self.releases.union(releases).cloned().collect();
        Self { input: String::new(), epoch, objects, releases, components, sums: self.sums }
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

    /// Whether so many objects may be pruned: a lot is sound when a release or a component went away with them, and
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
        let united = before.united(&plan(&["b", "c"]), &["new".to_owned()].into(), 7);
        assert_eq!(united.objects.keys().map(|id| id.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((united.input.as_str(), united.epoch), ("", 7));
        assert!(united.objects[&id("c")].uid.is_empty());
        assert_eq!(united.releases, ["new".to_owned(), "old".to_owned()].into());
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
