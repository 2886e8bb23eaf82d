//! What the watches have told of the room around stacks: quotas, limit ranges and claims of a namespace, nodes and
//! storage classes of the cluster. Each may be closed to the operator; then nobody knows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use obstack_core::live::{ClaimFacts, ClassFacts, LimitRangeFacts, NodeFacts, QuotaFacts};

/// Something that may be closed to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Volume claims of a namespace.
    Claims,
    /// Quotas of a namespace.
    Quotas,
    /// Limit ranges of a namespace.
    LimitRanges,
    /// Nodes.
    Nodes,
    /// Storage classes.
    Classes,
}

/// What the watches have told of the room around stacks.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What may be read, and where; everywhere when the namespace is `None`.
    open: HashSet<(Part, Option<String>)>,
    claims: HashMap<String, BTreeMap<String, ClaimFacts>>,
    quotas: HashMap<String, BTreeMap<String, QuotaFacts>>,
    limit_ranges: HashMap<String, BTreeMap<String, LimitRangeFacts>>,
    nodes: Arc<BTreeMap<String, NodeFacts>>,
    classes: Arc<BTreeMap<String, ClassFacts>>,
}

/// Puts a fact into its place. Returns whether it is news.
fn put<T: PartialEq>(place: &mut BTreeMap<String, T>, name: &str, fact: T) -> bool {
    if place.get(name) == Some(&fact) {
        return false;
    }
    place.insert(name.to_owned(), fact);
    true
}

fn take<T>(places: &mut HashMap<String, BTreeMap<String, T>>, namespace: &str, name: &str) -> bool {
    let Some(place) = places.get_mut(namespace) else { return false };
    let gone = place.remove(name).is_some();
    if place.is_empty() {
        places.remove(namespace);
    }
    gone
}

/// Keeps what is listed.
fn keep<T>(places: &mut HashMap<String, BTreeMap<String, T>>, listed: &dyn Fn(&str, &str) -> Option<bool>) {
    places.retain(|namespace, place| {
        place.retain(|name, _| listed(namespace, name) != Some(false));
        !place.is_empty()
    });
}

impl Room {
    /// Learns whether something may be read.
    pub(super) fn open(&mut self, part: Part, scope: Option<&str>, open: bool) -> bool {
        let at = (part, scope.map(str::to_owned));
        if open { self.open.insert(at) } else { self.open.remove(&at) }
    }

    fn is_open(&self, part: Part, namespace: &str) -> bool {
        self.open.contains(&(part, None)) || self.open.contains(&(part, Some(namespace.to_owned())))
    }

    pub(super) fn put_claim(&mut self, namespace: &str, fact: ClaimFacts) -> bool {
        let name = fact.name.clone();
        put(self.claims.entry(namespace.to_owned()).or_default(), &name, fact)
    }

    pub(super) fn put_quota(&mut self, namespace: &str, fact: QuotaFacts) -> bool {
        let name = fact.name.clone();
        put(self.quotas.entry(namespace.to_owned()).or_default(), &name, fact)
    }

    pub(super) fn put_limit_range(&mut self, namespace: &str, fact: LimitRangeFacts) -> bool {
        let name = fact.name.clone();
        put(self.limit_ranges.entry(namespace.to_owned()).or_default(), &name, fact)
    }

    pub(super) fn put_node(&mut self, name: &str, fact: NodeFacts) -> bool {
        put(Arc::make_mut(&mut self.nodes), name, fact)
    }

    pub(super) fn put_class(&mut self, name: &str, fact: ClassFacts) -> bool {
        put(Arc::make_mut(&mut self.classes), name, fact)
    }

    /// Takes in that something is gone.
    pub(super) fn remove(&mut self, part: Part, namespace: &str, name: &str) -> bool {
        match part {
            Part::Claims => take(&mut self.claims, namespace, name),
            Part::Quotas => take(&mut self.quotas, namespace, name),
            Part::LimitRanges => take(&mut self.limit_ranges, namespace, name),
            Part::Nodes => Arc::make_mut(&mut self.nodes).remove(name).is_some(),
            Part::Classes => Arc::make_mut(&mut self.classes).remove(name).is_some(),
        }
    }

    /// After a new list: what is not in it is gone.
    pub(super) fn relist(&mut self, part: Part, listed: &dyn Fn(&str, &str) -> Option<bool>) {
        match part {
            Part::Claims => keep(&mut self.claims, listed),
            Part::Quotas => keep(&mut self.quotas, listed),
            Part::LimitRanges => keep(&mut self.limit_ranges, listed),
            Part::Nodes => Arc::make_mut(&mut self.nodes).retain(|name, _| listed("", name) != Some(false)),
            Part::Classes => {
                Arc::make_mut(&mut self.classes).retain(|name, _| listed("", name) != Some(false));
            }
        }
    }

    /// Claims of a namespace that belong to one of the named StatefulSets.
    pub(super) fn claims_of(&self, namespace: &str, workloads: &[&str]) -> Option<Vec<ClaimFacts>> {
        let all = self.claims.get(namespace).into_iter().flatten();
        let of_one = |name: &str| {
            let base = name.rsplit_once('-').map_or("", |(base, _)| base);
            let mut of = workloads.iter();
            of.any(|workload| base.strip_suffix(workload).is_some_and(|template| template.ends_with('-')))
        };
        self.is_open(Part::Claims, namespace)
            .then(|| all.filter(|(name, _)| of_one(name)).map(|(_, claim)| claim.clone()).collect())
    }

    pub(super) fn quotas(&self, namespace: &str) -> Option<Vec<QuotaFacts>> {
        let all = self.quotas.get(namespace).into_iter().flat_map(BTreeMap::values);
        self.is_open(Part::Quotas, namespace).then(|| all.cloned().collect())
    }

    pub(super) fn limit_ranges(&self, namespace: &str) -> Option<Vec<LimitRangeFacts>> {
        let all = self.limit_ranges.get(namespace).into_iter().flat_map(BTreeMap::values);
        self.is_open(Part::LimitRanges, namespace).then(|| all.cloned().collect())
    }

    pub(super) fn nodes(&self) -> Option<Arc<BTreeMap<String, NodeFacts>>> {
        self.is_open(Part::Nodes, "").then(|| Arc::clone(&self.nodes))
    }

    pub(super) fn classes(&self) -> Option<Arc<BTreeMap<String, ClassFacts>>> {
        self.is_open(Part::Classes, "").then(|| Arc::clone(&self.classes))
    }
}
