//! Pods that are not made: why the API server refuses them.

use obstack_api::Reason;

use super::{Cause, Scene, words};
use crate::{live::LimitRule, objects::Kind};

/// Why the controller cannot make the pods that are missing, if it said so.
pub(super) fn cause(scene: &Scene<'_>) -> Option<Cause> {
    let seen = scene.workload?;
    let desired = scene.desired();
    // A Deployment that rolls has as many pods as before while each new one is refused.
    let missing = seen.created < desired
        || (scene.component.workload.kind == Kind::Deployment && seen.updated < desired);
    let said = seen.refusal.as_deref().filter(|_| missing)?;
    let (reason, beside) = reason(scene, said);
    let what = if said.contains("persistentvolumeclaims \"") { "a volume claim" } else { "a pod" };
    let words = words::quote(&without_suffixes(&scene.component.workload.name, why(said)));
    let name = scene.spoken();
    let made = if seen.created < desired {
        format!("{} of {desired} pods exist", seen.created)
    } else {
        format!("{} of {desired} pods are at the newest revision", seen.updated)
    };
    Some(Cause::new(reason, format!("{name}: {made}; {what} is refused: {words}{beside}")))
}

/// The reason, and what its words do not name.
fn reason(scene: &Scene<'_>, said: &str) -> (Reason, String) {
    let has = |text: &str| said.contains(text);
    let none = String::new();
    // `k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`
    if has("exceeded quota: ") || has("insufficient quota to ") {
        (Reason::QuotaExceeded, none)
    } else if has("failed quota: ") {
        let cpu_limit = said.split_once("must specify ").is_some_and(|(_, rest)| rest.contains("limits.cpu"));
        (if cpu_limit { Reason::QuotaRequiresCPULimits } else { Reason::QuotaExceeded }, none)
    // `k8s.io/pod-security-admission/admission/admission.go`; the other is OpenShift's
    } else if has("violates PodSecurity \"")
        || has("unable to validate against any security context constraint")
    {
        (Reason::SecurityPolicyDenied, none)
    } else if let Some(broken) = limit_rule(said) {
        let has = |rule: &LimitRule| {
            let bounds = [&rule.min, &rule.max, &rule.max_ratio];
            rule.kind == broken.kind && bounds.iter().any(|bound| bound.contains_key(broken.resource))
        };
        (Reason::LimitRangeDenied, ranges(scene, has).unwrap_or_default())
    } else {
        // A limit below the request was set at admission, or the workload itself would have been refused.
        let resource = words::between(said, "must be less than or equal to ", " limit of ");
        let sets = |rule: &LimitRule| {
            let limits = [&rule.default, &rule.max];
            rule.kind == "Container"
                && resource.is_some_and(|name| limits.iter().any(|limit| limit.contains_key(name)))
        };
        ranges(scene, sets).map_or((Reason::PodsRefused, none), |names| (Reason::LimitRangeDenied, names))
    }
}

/// What a rule of a `LimitRange` is about.
struct Rule<'a> {
    resource: &'a str,
    kind: &'a str,
}

/// The first rule that was broken (`plugin/pkg/admission/limitranger/admission.go`: `minimum cpu usage per Container is
/// 1, but request is 500m`, `cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000`).
fn limit_rule(said: &str) -> Option<Rule<'_>> {
    for (between, after) in [(" usage per ", true), (" max limit to request ratio per ", false)] {
        let Some((before, rest)) = said.split_once(between) else { continue };
        let (mut names, kind) = (before.rsplit([' ', '[']), rest.split(' ').next()?);
        let resource = names.next()?;
        if !after || matches!(names.next(), Some("minimum" | "maximum")) {
            return Some(Rule { resource, kind });
        }
    }
    None
}

/// The limit ranges with such a rule, as an addition to a message; `None` when there is none, or none may be read.
fn ranges(scene: &Scene<'_>, has: impl Fn(&LimitRule) -> bool) -> Option<String> {
    let ranges = scene.live.limit_ranges.as_deref().unwrap_or_default();
    let found = ranges.iter().filter(|range| range.rules.iter().any(&has));
    let mut names: Vec<_> = found.map(|range| range.name.as_str()).collect();
    names.sort_unstable();
    (!names.is_empty()).then(|| format!(" (LimitRange {})", names.join(", ")))
}

/// What refuses, without who asked for what: the message names the workload already.
fn why(said: &str) -> &str {
    let tail = |text, mark| str::split_once(text, mark).map(|(_, tail)| tail);
    let said = tail(said, " failed error: ").or_else(|| tail(said, "Error creating: ")).unwrap_or(said);
    tail(said, "\" is forbidden: ").or_else(|| tail(said, "\" is invalid: ")).unwrap_or(said)
}

/// The text with the names of a Deployment's pods cut to the Deployment's: each try has a new one.
fn without_suffixes(workload: &str, text: &str) -> String {
    let mut parts = text.split(workload);
    let mut cut = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        cut.push_str(workload);
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(part.len());
        let (suffix, rest) = part.split_at(end);
        let mut pieces = suffix.split('-');
        let random = pieces.next() == Some("")
            && pieces.next().is_some_and(|hash| (6..=10).contains(&hash.len()))
            && pieces.next().is_some_and(|random| random.len() == 5)
            && pieces.next().is_none();
        cut.push_str(if random { rest } else { part });
    }
    cut
}
