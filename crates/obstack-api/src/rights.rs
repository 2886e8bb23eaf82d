//! The rights that the operator uses, each with its reason, and those that people get on stacks.
//!
//! `cargo xtask codegen` makes the manifests in `deploy/rbac`, the rules of the chart and `docs/reference/rights.md`
//! from this table. `cargo xtask test` holds it against what the operator asked for in the end-to-end tests.

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In every namespace with stacks, and where their datasources and dashboards go.
    Stacks,
    /// In the whole cluster, and only to know more: nodes and storage classes are in no namespace.
    Room,
    /// In the operator's own namespace.
    Own,
    /// In every namespace with stacks, and only with `--reach proxy`. The manifests do not grant it.
    Proxy,
}

/// Verbs on resources of one API group, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it is needed.
    pub scope: Scope,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources, such as `services` or `observabilitystacks/status`.
    pub resources: &'static [&'static str],
    /// What is done with them.
    pub verbs: &'static [&'static str],
    /// Why, in a sentence or two.
    pub why: &'static str,
}

/// What is done with objects that the operator makes.
const RENDERED: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

const fn stacks(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Rule {
    Rule { scope: Scope::Stacks, group, resources, verbs, why }
}

/// Every right of the operator.
pub const RULES: &[Rule] = &[
    stacks(
        "obstack.dev",
        &["observabilitystacks"],
        &["list", "watch", "patch"],
        "The stacks. `patch` is for metadata.finalizers alone; the spec is never written.",
    ),
    stacks(
        "obstack.dev",
        &["observabilitystacks/status"],
        &["patch"],
        "What the operator says of a stack, by server-side apply.",
    ),
    stacks(
        "",
        &["configmaps", "secrets", "services", "serviceaccounts"],
        RENDERED,
        "Rendered objects, by server-side apply: `create` makes a new one, `get` reads one again before it is \
         deleted. Secrets also: reading the object store's keys that a stack names, and hearing when they change.",
    ),
    stacks(
        "",
        &["configmaps"],
        &["update"],
        "The inventory of a stack is replaced as a whole, over the version that was read.",
    ),
    stacks("apps", &["deployments", "statefulsets", "daemonsets"], RENDERED, "The workloads."),
    stacks(
        "policy",
        &["poddisruptionbudgets"],
        RENDERED,
        "A budget for every component with more than one replica.",
    ),
    stacks(
        "grafana.integreatly.org",
        &["grafanadashboards", "grafanadatasources"],
        RENDERED,
        "Datasources and dashboards, where spec.grafana leaves them to the grafana-operator.",
    ),
    stacks(
        "route.openshift.io",
        &["routes"],
        RENDERED,
        "On OpenShift: Routes to where backends are queried, where a stack asks for them.",
    ),
    stacks(
        "route.openshift.io",
        &["routes/custom-host"],
        &["create"],
        "On OpenShift: a Route with a host that the stack gives.",
    ),
    stacks(
        "",
        &["pods"],
        &["list", "watch"],
        "Why a component is not ready: image pulls, crashes, scheduling. What the resource policy says of live pods.",
    ),
    stacks(
        "",
        &["events"],
        &["list", "watch"],
        "Why a StatefulSet makes no pods (quota, admission), why an image or a volume does not come: only an Event \
         says it.",
    ),
    stacks(
        "",
        &["persistentvolumeclaims", "resourcequotas", "limitranges"],
        &["list", "watch"],
        "Whether the stack fits, what a LimitRange puts on its pods, why a claim is not bound. Without these rights \
         the conditions that need them are Unknown.",
    ),
    stacks(
        "",
        &["persistentvolumeclaims"],
        &["patch"],
        "A claim grows when its size in the spec does. None is ever made or deleted.",
    ),
    stacks(
        "events.k8s.io",
        &["events"],
        &["create", "patch"],
        "Events about the stacks; `patch` counts a repeated one.",
    ),
    Rule {
        scope: Scope::Room,
        group: "",
        resources: &["nodes"],
        verbs: &["list", "watch"],
        why: "Whether the node of a pod is lost, and whether pods stand in more than one zone.",
    },
    Rule {
        scope: Scope::Room,
        group: "storage.k8s.io",
        resources: &["storageclasses"],
        verbs: &["list", "watch"],
        why: "Why a claim is not bound, and whether it may grow.",
    },
    Rule {
        scope: Scope::Own,
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "create", "patch"],
        why: "Leader election: one replica works, the others wait.",
    },
    Rule {
        scope: Scope::Proxy,
        group: "",
        resources: &["services/proxy"],
        verbs: &["get", "create"],
        why: "The rings of Mimir and Tempo, and with `create` the canary, through the API server. It opens every page \
              of every Service of the namespace.",
    },
];

/// What people get on stacks by way of the roles that every cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// End of the `ClusterRole`'s name.
    pub name: &'static str,
    /// The roles that it is added to.
    pub to: &'static [&'static str],
    /// Resources of `obstack.dev`.
    pub resources: &'static [&'static str],
    /// What may be done with them.
    pub verbs: &'static [&'static str],
    /// What it means.
    pub why: &'static str,
}

/// Every `ClusterRole` for people. The status is in none: only the operator writes it.
pub const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "view",
        // The last one is OpenShift's, for the whole cluster.
        to: &["view", "edit", "admin", "cluster-reader"],
        resources: &["observabilitystacks"],
        verbs: &["get", "list", "watch"],
        why: "Who may view a namespace sees its stacks and their status. A stack holds no credentials.",
    },
    Aggregate {
        name: "edit",
        to: &["edit", "admin"],
        resources: &["observabilitystacks"],
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        why: "Who may edit a namespace makes, changes, approves and deletes its stacks. Such a person may make pods \
              there already, which is what a stack comes to. The status stays the operator's.",
    },
];

impl Rule {
    /// Group, resource and verb, one by one.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let (group, verbs) = (self.group, self.verbs);
        self.resources
            .iter()
            .flat_map(move |resource| verbs.iter().map(move |verb| (group, *resource, *verb)))
    }
}

/// The rules of a scope.
pub fn of(scope: Scope) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.scope == scope)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_right_is_granted_twice_and_none_by_a_star() {
        let mut seen = BTreeSet::new();
        for rule in RULES {
            for right in rule.each() {
                assert!(seen.insert((rule.scope, right)), "{right:?} stands twice");
                assert!(!right.1.contains('*') && !right.2.contains('*'), "{right:?}");
            }
            assert!(rule.why.ends_with('.'), "{rule:?}");
        }
    }

    #[test]
    fn the_operator_may_not_touch_rights_pods_or_namespaces() {
        for (group, resource, verb) in RULES.iter().flat_map(Rule::each) {
            assert!(!group.starts_with("rbac.") && resource != "namespaces", "{resource}");
            assert!(resource != "pods" || ["list", "watch"].contains(&verb), "{verb} {resource}");
            assert!(resource != "persistentvolumeclaims" || verb != "delete", "{verb} {resource}");
        }
    }

    #[test]
    fn nobody_but_the_operator_writes_the_status() {
        assert!(AGGREGATES.iter().all(|role| role.resources == ["observabilitystacks"]));
    }
}
