//! Who else writes a stack: a change by hand is taken back by whoever applies it from git.

use obstack_api::ObservabilityStack;
use schemars::JsonSchema;
use serde::Serialize;

/// Somebody that applies a stack from git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitOps {
    /// What it is called.
    pub tool: &'static str,
    /// By what it was told: a label, an annotation or a manager of fields.
    pub told_by: String,
}

const ARGO: &str = "Argo CD";
const FLUX: &str = "Flux";

/// Labels and annotations that a tool puts on what it applies.
const MARKS: &[(&str, &str)] = &[
    ("argocd.argoproj.io/tracking-id", ARGO),
    ("argocd.argoproj.io/instance", ARGO),
    ("kustomize.toolkit.fluxcd.io/name", FLUX),
    ("helm.toolkit.fluxcd.io/name", FLUX),
];

/// Names under which a tool writes.
const MANAGERS: &[(&str, &str)] = &[
    ("argocd-controller", ARGO),
    ("argocd-application-controller", ARGO),
    ("kustomize-controller", FLUX),
    ("helm-controller", FLUX),
];

impl GitOps {
    /// Who applies a stack from git, if anybody shows.
    pub fn of(stack: &ObservabilityStack) -> Option<Self> {
        let metadata = &stack.metadata;
        let marked = |(mark, tool): &(&str, &'static str)| {
            let has = |map: &Option<std::collections::BTreeMap<String, String>>| {
                map.as_ref().is_some_and(|map| map.contains_key(*mark))
            };
            (has(&metadata.labels) || has(&metadata.annotations))
                .then(|| Self { tool, told_by: (*mark).to_owned() })
        };
        let managers = metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
        let writes = |manager: &str| {
            let (name, tool) = MANAGERS.iter().find(|(name, _)| *name == manager)?;
            Some(Self { tool, told_by: format!("field manager {name}") })
        };
        MARKS.iter().find_map(marked).or_else(|| managers.into_iter().find_map(writes))
    }

    /// What to say to whoever has changed the stack by hand.
    pub fn warning(&self, yaml: &str) -> String {
        let snippet = yaml.replace('\n', "\n  ");
        format!(
            "{} applies this stack from git ({}): where the manifest there says something else, this change is taken \
             back. Commit it there too:\n  {snippet}",
            self.tool, self.told_by
        )
    }
}

/// Who set a field of a stack last, by its managed fields.
pub fn manager_of<'a>(stack: &'a ObservabilityStack, path: &[&str]) -> Option<&'a str> {
    let owns = |fields: &serde_json::Value| {
        let mut at = Some(fields);
        for part in path {
            at = at.and_then(|fields| fields.get(format!("f:{part}")));
        }
        at.is_some()
    };
    let entries = stack.metadata.managed_fields.iter().flatten();
    let owners = entries.filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| owns(&fields.0)));
    owners.max_by_key(|entry| entry.time.clone()).and_then(|entry| entry.manager.as_deref())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    #[test]
    fn who_applies_a_stack_from_git_is_found_by_marks_and_managers() {
        let mut stack = fixtures::stack("ready");
        assert_eq!(GitOps::of(&stack), None);
        stack.metadata.labels =
            serde_json::from_value(json!({"kustomize.toolkit.fluxcd.io/name": "apps"})).ok();
        assert_eq!(GitOps::of(&stack).map(|owner| owner.tool), Some(FLUX));
        stack.metadata.labels = None;
        let entries = json!([
            {"manager": "kubectl-obstack", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
            {"manager": "argocd-controller", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
        ]);
        stack.metadata.managed_fields = serde_json::from_value(entries).ok();
        assert_eq!(GitOps::of(&stack).map(|owner| owner.tool), Some(ARGO));
        assert_eq!(manager_of(&stack, &["spec", "suspend"]), Some("kubectl-obstack"));
        assert_eq!(manager_of(&stack, &["spec", "changes"]), None);
    }
}
