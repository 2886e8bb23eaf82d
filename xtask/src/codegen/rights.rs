//! What is made from the table of rights: the manifests in `deploy/rbac`, their parts in `deploy/kustomize`, the chart's
//! rules, and the page about them.

use std::fmt::Write;
use std::path::PathBuf;

use obstack_api::rights::{AGGREGATES, Aggregate, RULES, Rule, Scope, of};

use super::markdown::{MADE, code, head, row};
use crate::workspace;

const HEADER: &str = "# Made by `cargo xtask codegen` from crates/obstack-api/src/rights.rs. Do not edit.\n";
/// Longest line of a comment.
const WIDTH: usize = 118;
/// The operator's namespace in the manifests.
const OWN: &str = "obstack-system";
/// The namespace with stacks in the manifests for single ones.
const WATCHED: &str = "my-namespace";

const CLUSTER: &str = "\
# The operator for a whole cluster: it watches every namespace.
# For single namespaces, with no right outside of them, take namespaced.yaml instead.
";
const NAMESPACED: &str = "\
# The operator for single namespaces: start it with one --watch-namespace for each.
# The Role and RoleBinding named `obstack` are needed in each namespace with stacks, and in the namespace of their
# datasources and dashboards (spec.grafana.*.namespace), which has to be watched as well; here they are for
# `my-namespace`. Nothing outside of these namespaces and the operator's own is needed.
";
const PEOPLE: &str = "\
# What people get on stacks, by way of the roles `view`, `edit` and `admin` that every cluster has. The operator needs
# none of it.
";

const TENANTS: &str = "\
# So that the admin of a namespace can install an operator of their own in it (the chart's mode NamespaceAdmin).
# Kubernetes lets nobody grant what they do not have themselves, so `admin` gets what such an operator uses. Beside what
# it has already that is the status of stacks and the objects of the grafana-operator.
# Leave it out where the operator is installed for all: nobody but the operator writes status then.
";

/// Every file that is made from the table.
pub fn files() -> Vec<(PathBuf, String)> {
    let at = |path: &str| workspace::root().join(path);
    vec![
        (at("deploy/rbac/cluster.yaml"), cluster()),
        (at("deploy/rbac/namespaced.yaml"), namespaced()),
        (at("deploy/rbac/aggregate.yaml"), aggregate()),
        (at("deploy/rbac/tenants.yaml"), tenants()),
        (at("deploy/kustomize/once/namespace.yaml"), format!("{HEADER}{}", namespace())),
        (at("deploy/kustomize/base/account.yaml"), format!("{HEADER}{}{}", service_account(), leader())),
        (at("deploy/kustomize/watched/role.yaml"), format!("{HEADER}{}", watched(""))),
        (at("deploy/kustomize/overlays/cluster/roles.yaml"), format!("{HEADER}{}", everywhere())),
        (at("charts/obstack/templates/_rules.tpl"), helpers()),
        (at("docs/reference/rights.md"), page()),
    ]
}

fn cluster() -> String {
    format!("{HEADER}{CLUSTER}{}{}{}", account(), everywhere(), leader())
}

fn namespaced() -> String {
    format!("{HEADER}{NAMESPACED}{}{}{}", account(), watched(WATCHED), leader())
}

/// What an operator for the whole cluster has beside its own namespace.
fn everywhere() -> String {
    let mut text = role("ClusterRole", "obstack", "", "", Scope::Stacks);
    text.push_str(&binding("ClusterRole", "obstack", ""));
    let room = "# What only a cluster knows. Without it zones, lost nodes and storage classes are unknown, and nothing \
                else changes.\n";
    text.push_str(&role("ClusterRole", "obstack-room", "", room, Scope::Room));
    text + &binding("ClusterRole", "obstack-room", "")
}

/// What an operator has in a namespace with stacks; in any namespace when it is empty.
fn watched(namespace: &str) -> String {
    role("Role", "obstack", namespace, "", Scope::Stacks) + &binding("Role", "obstack", namespace)
}

fn leader() -> String {
    role("Role", "obstack-leader", OWN, "", Scope::Own) + &binding("Role", "obstack-leader", OWN)
}

/// Name, namespace where there is one, and labels.
fn metadata(name: &str, namespace: &str, labels: &[String]) -> String {
    let mut text = format!("metadata:\n  name: {name}\n");
    if !namespace.is_empty() {
        let _ = writeln!(text, "  namespace: {namespace}");
    }
    text.push_str("  labels:\n    app.kubernetes.io/name: obstack\n    app.kubernetes.io/part-of: obstack\n");
    for label in labels {
        let _ = writeln!(text, "    {label}");
    }
    text
}

fn account() -> String {
    format!("{}---\n{}", namespace(), service_account())
}

fn namespace() -> String {
    let enforced = ["pod-security.kubernetes.io/enforce: restricted".to_owned()];
    format!("apiVersion: v1\nkind: Namespace\n{}", metadata(OWN, "", &enforced))
}

fn service_account() -> String {
    format!("apiVersion: v1\nkind: ServiceAccount\n{}", metadata("obstack", OWN, &[]))
}

fn role(kind: &str, name: &str, namespace: &str, comment: &str, scope: Scope) -> String {
    format!(
        "---\n{comment}apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n{}rules:\n{}",
        metadata(name, namespace, &[]),
        rules(scope, "  ")
    )
}

fn binding(kind: &str, name: &str, namespace: &str) -> String {
    format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\n{}\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n\
         subjects:\n  - {{kind: ServiceAccount, name: obstack, namespace: {OWN}}}\n",
        metadata(name, namespace, &[])
    )
}

/// The rules of a scope as a list, each with its reason above.
fn rules(scope: Scope, indent: &str) -> String {
    of(scope).map(|rule| listed(rule, indent)).collect()
}

fn listed(rule: &Rule, indent: &str) -> String {
    let group = if rule.group.is_empty() { "\"\"" } else { rule.group };
    format!(
        "{}{indent}- apiGroups: [{group}]\n{indent}  resources: [{}]\n{indent}  verbs: [{}]\n",
        comment(rule.why, indent),
        rule.resources.join(", "),
        rule.verbs.join(", ")
    )
}

/// The text as lines of a comment.
fn comment(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = format!("{indent}#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(lines, "{line}");
            line = format!("{indent}#");
        }
        let _ = write!(line, " {word}");
    }
    format!("{lines}{line}\n")
}

fn aggregated(role: &Aggregate) -> String {
    let labels: Vec<_> =
        role.to.iter().map(|to| format!("rbac.authorization.k8s.io/aggregate-to-{to}: \"true\"")).collect();
    format!(
        "{}apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n{}rules:\n{}",
        comment(role.why, ""),
        metadata(&format!("obstack-{}", role.name), "", &labels),
        granted(role)
    )
}

fn granted(role: &Aggregate) -> String {
    format!(
        "  - apiGroups: [obstack.dev]\n    resources: [{}]\n    verbs: [{}]\n",
        role.resources.join(", "),
        role.verbs.join(", ")
    )
}

fn aggregate() -> String {
    let roles: Vec<_> = AGGREGATES.iter().map(aggregated).collect();
    format!("{HEADER}{PEOPLE}{}", roles.join("---\n"))
}

fn tenants() -> String {
    let labels = ["rbac.authorization.k8s.io/aggregate-to-admin: \"true\"".to_owned()];
    format!(
        "{HEADER}{TENANTS}apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n{}rules:\n{}{}",
        metadata("obstack-tenants", "", &labels),
        rules(Scope::Stacks, "  "),
        rules(Scope::Own, "  ")
    )
}

/// The chart's rules, as templates that its roles include.
fn helpers() -> String {
    let mut text = format!("{{{{/*\n{HEADER}*/}}}}\n");
    for (name, scope) in
        [("stacks", Scope::Stacks), ("room", Scope::Room), ("own", Scope::Own), ("proxy", Scope::Proxy)]
    {
        let _ = write!(
            text,
            "{{{{- define \"obstack.rules.{name}\" -}}}}\n{}{{{{- end }}}}\n\n",
            rules(scope, "")
        );
    }
    text.push_str("{{- define \"obstack.aggregates\" -}}\n");
    for role in AGGREGATES {
        let _ = writeln!(text, "{}:\n  to: [{}]\n  rules:", role.name, role.to.join(", "));
        for line in granted(role).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text + "{{- end }}\n"
}

const INTRO: &str = "
# Rights

What the operator may ask the API server for, and why. The manifests in [deploy/rbac](../../deploy/rbac), the rules of [the chart](../../charts/obstack/README.md) and this page are made from [one table](../../crates/obstack-api/src/rights.rs). After the end-to-end tests `cargo xtask test` compares it with what was asked for, verb by verb.
";

const SECRETS: &str = "
## Secrets

Kubernetes cannot narrow a right to names that are not known beforehand, so the right to read Secrets covers every Secret of the namespaces that it covers. What the operator does with it:

- It gets, one by one, the Secrets that a stack names: the keys of its object store (`spec.objectStorage.credentials.secretRef`) and its certificate authority (`spec.objectStorage.caSecretRef`).
- It watches metadata alone, never contents, to hear when a named Secret changes and when one of its own does.
- It makes, changes and deletes Secrets of its own: those that a chart renders, and datasources where a stack asks for a Secret. They carry the label `obstack.dev/stack`.

It writes what it read nowhere ([Credentials](../explanation/security.md#credentials)). Where the right is too much, install it for single namespaces and keep other Secrets elsewhere: the modes `Namespaces` and `NamespaceAdmin` of the chart.
";

const PEOPLE_INTRO: &str = "
## For people

`deploy/rbac/aggregate.yaml`, in the chart `rbac.aggregate`, adds these to the roles that every cluster has. Nobody but the operator writes `observabilitystacks/status`.
";

const UNSEEN: &str = "
## Asked of everybody

Whether it may watch claims, quotas, limit ranges, nodes and storage classes, the operator asks by a `SelfSubjectAccessReview`. Which kinds are served it learns from discovery. Every account may do both.
";

const TENANTS_ABOUT: &str = "
`deploy/rbac/tenants.yaml` is for clusters where the admin of a namespace installs an operator of their own (the chart's mode `NamespaceAdmin`). Kubernetes lets nobody grant what they do not have, so it adds what an operator uses in its namespace, status included, to `admin`. Nothing else needs it.
";

/// The page.
fn page() -> String {
    let mut text = format!("{MADE}{INTRO}");
    for (scope, title, about) in [
        (
            Scope::Stacks,
            "In namespaces with stacks",
            "A Role in each namespace that is watched, or the ClusterRole `obstack` for all of them.",
        ),
        (
            Scope::Room,
            "Of the cluster",
            "The ClusterRole `obstack-room`. It may be left out: zones, lost nodes and storage classes are unknown then, and nothing else changes.",
        ),
        (Scope::Own, "In its own namespace", "The Role `obstack-leader`."),
        (
            Scope::Proxy,
            "With `--reach proxy` alone",
            "No manifest grants it. The chart does when `reach` is `proxy`.",
        ),
    ] {
        let _ =
            write!(text, "\n## {title}\n\n{about}\n\n{}", head(&["API group", "resources", "verbs", "why"]));
        for rule in of(scope) {
            let group = if rule.group.is_empty() { "core".to_owned() } else { code(rule.group) };
            let resources: Vec<_> = rule.resources.iter().map(|resource| code(resource)).collect();
            text.push_str(&row(&[&group, &resources.join(", "), &rule.verbs.join(", "), rule.why]));
        }
    }
    text.push_str(UNSEEN);
    text.push_str(SECRETS);
    let _ = write!(text, "{PEOPLE_INTRO}\n{}", head(&["ClusterRole", "added to", "verbs", "what it means"]));
    for role in AGGREGATES {
        let to: Vec<_> = role.to.iter().map(|to| code(to)).collect();
        text.push_str(&row(&[
            &code(&format!("obstack-{}", role.name)),
            &to.join(", "),
            &role.verbs.join(", "),
            role.why,
        ]));
    }
    text.push_str(TENANTS_ABOUT);
    let _ = write!(
        text,
        "\n{} rules, {} verbs on resources.\n",
        RULES.len(),
        RULES.iter().flat_map(Rule::each).count()
    );
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;

    /// What the roles of a manifest grant, verb by verb, except for the role with this name.
    fn grants(text: &str, without: &str) -> Vec<(String, String, String)> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
        let granting = objects.iter().filter(|object| object["rules"].is_array());
        let rules = granting
            .filter(|role| role["metadata"]["name"] != without)
            .flat_map(|role| role["rules"].as_array().unwrap());
        let words = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let mut all = Vec::new();
        for rule in rules {
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    for verb in words(&rule["verbs"]) {
                        all.push((group.clone(), resource.clone(), verb));
                    }
                }
            }
        }
        all.sort();
        all
    }

    #[test]
    fn both_sets_of_rbac_rules_grant_the_same() {
        assert_eq!(grants(&cluster(), "obstack-room"), grants(&namespaced(), ""));
    }

    #[test]
    fn the_manifests_grant_what_the_table_has_and_no_proxy() {
        let shipped = RULES.iter().filter(|rule| rule.scope != Scope::Proxy);
        let mut table: Vec<_> = shipped
            .flat_map(Rule::each)
            .map(|(group, resource, verb)| (group.to_owned(), resource.to_owned(), verb.to_owned()))
            .collect();
        table.sort();
        assert_eq!(grants(&cluster(), ""), table);
    }

    #[test]
    fn for_single_namespaces_nothing_of_the_cluster_is_made() {
        let objects: Vec<Value> = serde_saphyr::from_multiple(&namespaced()).unwrap();
        for object in objects {
            assert!(object["kind"] == "Namespace" || object["metadata"]["namespace"].is_string(), "{object}");
        }
    }

    #[test]
    fn nobody_gets_the_status_by_aggregation() {
        let all = grants(&aggregate(), "");
        assert!(all.iter().all(|(_, resource, _)| resource == "observabilitystacks"), "{all:?}");
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn a_long_reason_is_wrapped() {
        let text = fs::read_to_string(workspace::root().join("deploy/rbac/cluster.yaml")).unwrap();
        assert!(text.lines().all(|line| line.len() <= WIDTH + 2), "{text}");
    }
}
