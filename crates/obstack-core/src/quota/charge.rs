//! What a stack will ask of quotas: for each component its pods and claims, and new objects. Of each: what does not
//! run yet, what is there, and the whole.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{self, Usage};
use crate::{
    assemble::PlannedComponent,
    limit_range::{self, Admitted},
    live::{LimitRangeFacts, Live, PodFacts},
    need::{ClaimNeed, ContainerNeed, PodNeed, Resources, Runs},
    objects::Kind,
    quantity::Amount,
};

/// Something that quotas count.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    /// What it is, which decides the quotas it falls under.
    pub(super) what: What,
    /// What is still to be let in, at the moment when that is most.
    pub(super) needs: Usage,
    /// What is there already.
    pub(super) held: Usage,
    /// What all of it uses once it runs.
    pub(super) whole: Usage,
}

/// What quotas count.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Pods, as they are after admission.
    Pods(PodNeed),
    /// Claims with a `VolumeAttributesClass`, if they have one.
    Claims(Option<String>),
    /// Other objects.
    Objects,
}

/// A component with pods or claims to be made.
#[derive(Clone, Debug)]
pub(super) struct Start<'a> {
    /// The component.
    pub(super) component: &'a PlannedComponent,
    /// A new pod of it, after admission; `None` when only claims are to be made.
    pub(super) admitted: Option<Admitted>,
    /// Why a new claim of it is refused.
    pub(super) claim_refused: Option<String>,
}

/// Everything that a stack asks of quotas.
#[derive(Clone, Debug, Default)]
pub(super) struct Charges<'a> {
    /// What is counted.
    pub(super) list: Vec<Charge>,
    /// Components with pods or claims to be made.
    pub(super) starts: Vec<Start<'a>>,
    /// New claims go to the default storage class, and nobody knows which that is.
    pub(super) class_unknown: bool,
}

impl<'a> Charges<'a> {
    /// Adds up what a stack asks. `rolling` names components whose pods are going to be replaced.
    pub(super) fn of(
        components: &'a [PlannedComponent],
        rolling: &BTreeSet<String>,
        new_objects: &BTreeMap<Kind, u32>,
        live: &Live,
    ) -> Self {
        let mut all = Self::default();
        let ranges = live.limit_ranges.as_deref().unwrap_or_default();
        for component in components {
            all.component(component, rolling.contains(&component.name), ranges, live);
        }
        for (kind, number) in new_objects {
            all.list.push(objects(usage::of_objects(*kind, *number)));
        }
        all
    }

    fn component(
        &mut self,
        component: &'a PlannedComponent,
        rolls: bool,
        ranges: &[LimitRangeFacts],
        live: &Live,
    ) {
        if component.desired_in(live) == 0 {
            return;
        }
        let admitted = limit_range::apply(&component.need, ranges);
        let places = Places::of(component, rolls, live);
        let mut claim_refused = None;
        for claim in &component.need.claims {
            let class = Class::of(claim, live);
            let charge = if claim.ephemeral {
                ephemeral_claims(claim, &class, &places)
            } else {
                lasting_claims(component, claim, &class, live)
            };
            if charge.needs.values().any(|amount| *amount > Amount::ZERO) {
                self.class_unknown |= matches!(class, Class::Unknown);
                claim_refused = claim_refused.or_else(|| limit_range::refuses_claim(claim, ranges));
            }
            self.list.push(charge);
        }
        self.list.push(pods(component, &admitted.need, &places, live));
        self.list.extend(revision(component, rolls, live));
        let admitted = (places.rolls || places.missing() > 0).then_some(admitted);
        if admitted.is_some() || claim_refused.is_some() {
            self.starts.push(Start { component, admitted, claim_refused });
        }
    }
}

/// The pods of a component: how many there are, and how many there may be.
///
/// A pod that is being deleted still counts in quotas, and its place is its successor's: it is one of those that are
/// there. A pod that failed does not count, and neither does it here.
struct Places {
    desired: u32,
    there: u32,
    /// How many of them are going to be replaced.
    old: u32,
    /// How many may be there beside the desired ones while that goes on.
    surge: u32,
    rolls: bool,
}

impl Places {
    fn of(component: &PlannedComponent, rolls: bool, live: &Live) -> Self {
        let there = u32::try_from(pods_of(component, live).count()).unwrap_or(u32::MAX);
        let (desired, surge) = (component.desired_in(live), component.need.surge);
        if rolls {
            return Self { desired, there, old: there, surge, rolls };
        }
        // What was applied before may still be on its way to the pods.
        let seen = live.workloads.get(&component.workload);
        let old =
            seen.map_or(0, |seen| u32::try_from(seen.created.saturating_sub(seen.updated)).unwrap_or(0));
        Self { desired, there, old: old.min(there), surge, rolls: old > 0 && there > 0 }
    }

    fn missing(&self) -> u32 {
        self.desired.saturating_sub(self.there)
    }

    /// What is needed beyond what is there of a resource of which a new pod uses `new`. A replacement goes on from
    /// a first moment, when new pods stand beside all old ones, to a last one, when new pods stand beside the last
    /// old ones. In between it is never more than in one of these two.
    fn needs(&self, new: Amount, held: Amount, largest: Amount) -> Amount {
        if !self.rolls {
            return new.times(self.missing());
        }
        let to_come = self.desired.saturating_sub(self.there.saturating_sub(self.old));
        let room = self.desired.saturating_add(self.surge).saturating_sub(self.there);
        let first = new.times(room.min(to_come));
        let last = (new.times(self.desired) + largest.times(self.surge.min(self.old))).minus(held);
        first.max(last)
    }
}

fn pods_of<'a>(component: &'a PlannedComponent, live: &'a Live) -> impl Iterator<Item = &'a PodFacts> {
    live.pods.iter().filter(|pod| pod.component == component.name && pod.failed.is_none())
}

fn pods(component: &PlannedComponent, admitted: &PodNeed, places: &Places, live: &Live) -> Charge {
    let one = usage::of_pod(admitted);
    let (mut held, mut largest) = (Usage::new(), Usage::new());
    for pod in pods_of(component, live) {
        let usage = held_by(pod, admitted, &one);
        usage::add(&mut held, &usage);
        for (resource, amount) in usage {
            let most = largest.entry(resource).or_default();
            *most = amount.max(*most);
        }
    }
    let needs = |(resource, new): (&String, &Amount)| {
        (resource.clone(), places.needs(*new, usage::of(&held, resource), usage::of(&largest, resource)))
    };
    let needs = one.iter().map(needs).collect();
    let whole = one.iter().map(|(resource, new)| (resource.clone(), new.times(places.desired))).collect();
    Charge { what: What::Pods(admitted.clone()), needs, held, whole }
}

/// What a pod that is there uses. CPU and memory are its own; of the rest it is taken to use what a new one does.
fn held_by(pod: &PodFacts, new: &PodNeed, one: &Usage) -> Usage {
    let amounts = |cpu: Option<Amount>, memory: Option<Amount>| -> Resources {
        let named = [("cpu", cpu), ("memory", memory)];
        named.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), amount?))).collect()
    };
    let containers = pod.containers.iter().map(|container| ContainerNeed {
        name: container.name.clone(),
        runs: if container.init { Runs::Init } else { Runs::Main },
        requests: amounts(container.resources.cpu_request, container.resources.memory_request),
        limits: amounts(container.resources.cpu_limit, container.resources.memory_limit),
    });
    let own = usage::of_pod(&PodNeed { containers: containers.collect(), ..new.clone() });
    let mut usage = one.clone();
    for (resource, _, _) in usage::MUST_BE_STATED {
        match own.get(*resource) {
            Some(amount) => usage.insert((*resource).to_owned(), *amount),
            None => usage.remove(*resource),
        };
    }
    usage
}

/// The storage class of a claim.
enum Class<'a> {
    None,
    Named(&'a str),
    /// The default one, and classes may not be read, or several are the default.
    Unknown,
}

impl<'a> Class<'a> {
    fn of(claim: &'a ClaimNeed, live: &'a Live) -> Self {
        if let Some(class) = claim.class.as_deref() {
            return if class.is_empty() { Self::None } else { Self::Named(class) };
        }
        let Some(classes) = live.classes.as_deref() else { return Self::Unknown };
        let mut defaults = classes.iter().filter(|(_, class)| class.default).map(|(name, _)| name);
        match (defaults.next(), defaults.next()) {
            (None, _) => Self::None,
            (Some(name), None) => Self::Named(name),
            (Some(_), Some(_)) => Self::Unknown,
        }
    }

    fn name(&self) -> Option<&str> {
        if let Self::Named(name) = self { Some(name) } else { None }
    }
}

/// Claims that come and go with their pods. They carry no label of ours, so they are not among the claims that are
/// observed: those of pods that exist are taken to exist.
fn ephemeral_claims(claim: &ClaimNeed, class: &Class<'_>, places: &Places) -> Charge {
    let one = usage::of_claims(1, claim.size, class.name());
    let times =
        |number: u32| one.iter().map(|(resource, amount)| (resource.clone(), amount.times(number))).collect();
    let needs = one.iter().map(|(resource, amount)| {
        (resource.clone(), places.needs(*amount, amount.times(places.there), *amount))
    });
    Charge {
        what: What::Claims(claim.attributes_class.clone()),
        needs: needs.collect(),
        held: times(places.there),
        whole: times(places.desired),
    }
}

/// Claims of a template: those that do not exist, and growth of those that do. Where claims may not be read, those of
/// pods that exist are taken to exist: a StatefulSet makes them first.
fn lasting_claims(component: &PlannedComponent, claim: &ClaimNeed, class: &Class<'_>, live: &Live) -> Charge {
    let name = &component.workload.name;
    let of_ours = |name: &str, prefix: &str| {
        let ordinal = name.strip_prefix(prefix).and_then(|end| end.parse::<u32>().ok());
        ordinal.is_some_and(|ordinal| ordinal < component.desired)
    };
    let (mut there, mut held, mut needs) = (0_u32, Usage::new(), Usage::new());
    if let Some(claims) = &live.claims {
        let prefix = format!("{}-{name}-", claim.name);
        for existing in claims.iter().filter(|existing| of_ours(&existing.name, &prefix)) {
            let class = Some(existing.class.as_str()).filter(|class| !class.is_empty());
            let growth = usage::whole_bytes(claim.size).minus(usage::whole_bytes(existing.requested));
            there += 1;
            usage::add(&mut held, &usage::of_claims(1, existing.requested, class));
            usage::add(&mut needs, &usage::of_growth(growth, class));
        }
    } else {
        let prefix = format!("{name}-");
        let pods =
            live.pods.iter().filter(|pod| pod.component == component.name && of_ours(&pod.name, &prefix));
        there = u32::try_from(pods.count()).unwrap_or(u32::MAX);
        held = usage::of_claims(there, claim.size, class.name());
    }
    let missing = component.desired.saturating_sub(there);
    usage::add(&mut needs, &usage::of_claims(missing, claim.size, class.name()));
    Charge {
        what: What::Claims(claim.attributes_class.clone()),
        needs,
        held,
        whole: usage::of_claims(component.desired, claim.size, class.name()),
    }
}

/// What a controller makes beside the pods, once for each template: a `ReplicaSet` or a `ControllerRevision`.
fn revision(component: &PlannedComponent, rolls: bool, live: &Live) -> Option<Charge> {
    let resource = match component.workload.kind {
        Kind::Deployment => "count/replicasets.apps",
        Kind::StatefulSet | Kind::DaemonSet => "count/controllerrevisions.apps",
        _ => return None,
    };
    let new = rolls || !live.workloads.contains_key(&component.workload);
    new.then(|| objects(Usage::from([(resource.to_owned(), Amount::count(1))])))
}

fn objects(usage: Usage) -> Charge {
    Charge { what: What::Objects, needs: usage.clone(), held: Usage::new(), whole: usage }
}
