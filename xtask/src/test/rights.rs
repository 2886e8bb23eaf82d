//! Rights that are granted against rights that were used: the audit log of the sandbox, after all tests on it.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use obstack_api::rights::{RULES, Rule, Scope};
use serde_json::Value;

use crate::error::{At, Error};

/// The operator's user, whichever namespace it is in.
const USER: (&str, &str) = ("system:serviceaccount:", ":obstack");

/// Rights that everybody has: questions about oneself, and discovery, which is of no resource.
const EVERYBODYS: &[&str] = &["", "selfsubjectaccessreviews"];

/// Marks what was asked about namespaces.
const NAMESPACES: &str = "\"resource\":\"namespaces\"";

/// Group, resource with its subresource, verb.
type Right = (String, String, String);

/// What was granted and what was used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Usage {
    granted: BTreeSet<Right>,
    used: BTreeSet<Right>,
    refused: BTreeSet<Right>,
    /// Namespaces that were deleted. Their roles go first, so what is asked there in the end is refused.
    ended: HashSet<String>,
}

impl Usage {
    /// From an audit log.
    pub fn read(log: &Path) -> Result<Self, Error> {
        let mut usage = Self { granted: granted(), ..Self::default() };
        for line in BufReader::new(File::open(log).at("open", log)?).lines() {
            let line = line.at("read", log)?;
            if line.contains(USER.1) || line.contains(NAMESPACES) {
                usage.take(&line);
            }
        }
        Ok(usage)
    }

    /// Takes in one line. Another one than an answer to the operator says nothing.
    fn take(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/verb") == "delete" && text("/objectRef/resource") == "namespaces" {
            self.ended.insert(text("/objectRef/name").to_owned());
            return;
        }
        let user = text("/user/username");
        // A watch is answered when it begins.
        let answered = ["ResponseStarted", "ResponseComplete", "Panic"].contains(&text("/stage"));
        if !answered || !user.starts_with(USER.0) || !user.ends_with(USER.1) {
            return;
        }
        let resource = match text("/objectRef/subresource") {
            "" => text("/objectRef/resource").to_owned(),
            part => format!("{}/{part}", text("/objectRef/resource")),
        };
        if EVERYBODYS.contains(&resource.as_str()) {
            return;
        }
        let right = |verb: &str| (text("/objectRef/apiGroup").to_owned(), resource.clone(), verb.to_owned());
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
        let verb = text("/verb");
        if code == 403 {
            if self.ended.contains(text("/objectRef/namespace")) {
                return;
            }
            // A quota, admission and a namespace that ends answer 403 as well.
            let message = text("/responseStatus/message");
            if text("/annotations/authorization.k8s.io~1decision") == "forbid" {
                self.refused.insert(right(verb));
            } else if message.contains("\" cannot create resource") {
                self.refused.insert(right("create"));
            }
            return;
        }
        self.used.insert(right(verb));
        // Server-side apply of what is not there needs `create` besides, and the log has only the patch.
        if verb == "patch" && code == 201 {
            self.used.insert(right("create"));
        }
        // A list as a stream is a watch, and a list where the API server does not stream.
        if verb == "watch" && text("/requestURI").contains("sendInitialEvents=true") {
            self.used.insert(right("list"));
        }
    }

    /// Granted, and asked for by nothing that ran.
    fn unused(&self) -> Vec<&Right> {
        self.granted.difference(&self.used).collect()
    }

    /// Asked for and not granted by the manifests: a test gave it.
    fn beyond(&self) -> Vec<&Right> {
        self.used.difference(&self.granted).collect()
    }
}

/// What the manifests grant.
fn granted() -> BTreeSet<Right> {
    let shipped = RULES.iter().filter(|rule| rule.scope != Scope::Proxy);
    shipped
        .flat_map(Rule::each)
        .map(|(group, resource, verb)| (group.to_owned(), resource.to_owned(), verb.to_owned()))
        .collect()
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.granted.intersection(&self.used).count();
        write!(
            f,
            "rights: {} granted, {used} used, unused: {}, refused (403): {}",
            self.granted.len(),
            listed(&self.unused()),
            listed(&self.refused.iter().collect::<Vec<_>>())
        )?;
        let beyond = self.beyond();
        if beyond.is_empty() { Ok(()) } else { write!(f, ", granted by tests alone: {}", listed(&beyond)) }
    }
}

fn listed(rights: &[&Right]) -> String {
    if rights.is_empty() {
        return "none".into();
    }
    let each = rights.iter().map(|(group, resource, verb)| {
        let dot = if group.is_empty() { "" } else { "." };
        format!("{verb} {resource}{dot}{group}")
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(verb: &str, (group, resource, part): (&str, &str, &str), code: u64) -> Value {
        json!({
            "stage": "ResponseComplete", "verb": verb, "requestURI": "/",
            "user": {"username": "system:serviceaccount:a:obstack"},
            "objectRef": {"apiGroup": group, "resource": resource, "subresource": part},
            "responseStatus": {"code": code},
        })
    }

    fn usage(events: &[Value]) -> Usage {
        let mut usage = Usage { granted: granted(), ..Usage::default() };
        for event in events {
            usage.take(&event.to_string());
        }
        usage
    }

    fn right(group: &str, resource: &str, verb: &str) -> Right {
        (group.into(), resource.into(), verb.into())
    }

    #[test]
    fn an_apply_that_made_something_is_a_create_too() {
        let service = ("", "services", "");
        assert_eq!(usage(&[event("patch", service, 200)]).used.len(), 1);
        let made = usage(&[event("patch", service, 201)]);
        assert!(made.used.contains(&right("", "services", "create")), "{made}");
    }

    #[test]
    fn a_list_as_a_stream_is_a_list_too() {
        let mut watch = event("watch", ("", "pods", ""), 200);
        watch["requestURI"] = "/api/v1/pods?watch=true&sendInitialEvents=true".into();
        assert!(usage(&[watch]).used.contains(&right("", "pods", "list")));
    }

    #[test]
    fn only_a_missing_right_is_a_refusal() {
        let mut quota = event("create", ("", "configmaps", ""), 403);
        quota["responseStatus"]["message"] = "exceeded quota".into();
        assert!(usage(&[quota]).refused.is_empty());
        let mut missing = event("get", ("", "services", "proxy"), 403);
        missing["annotations"] = json!({"authorization.k8s.io/decision": "forbid"});
        let mut apply = event("patch", ("apps", "deployments", ""), 403);
        apply["responseStatus"]["message"] = "User \"x\" cannot create resource \"deployments\"".into();
        let refused = usage(&[missing, apply]).refused;
        let wanted = [right("", "services/proxy", "get"), right("apps", "deployments", "create")];
        assert_eq!(refused, wanted.into());
    }

    #[test]
    fn a_namespace_that_goes_takes_the_rights_with_it() {
        let mut refused = event("get", ("", "configmaps", ""), 403);
        refused["objectRef"]["namespace"] = "gone".into();
        refused["annotations"] = json!({"authorization.k8s.io/decision": "forbid"});
        let mut deleted = event("delete", ("", "namespaces", ""), 200);
        deleted["objectRef"]["name"] = "gone".into();
        deleted["user"]["username"] = "admin".into();
        assert_eq!(usage(&[refused.clone()]).refused.len(), 1);
        assert!(usage(&[deleted, refused]).refused.is_empty());
    }

    #[test]
    fn others_and_what_everybody_may_do_are_left_out() {
        let mut other = event("get", ("", "nodes", ""), 200);
        other["user"]["username"] = "system:serviceaccount:a:other".into();
        let asked = event("create", ("authorization.k8s.io", "selfsubjectaccessreviews", ""), 201);
        assert!(usage(&[other, asked]).used.is_empty());
    }

    #[test]
    fn the_line_names_what_is_unused_and_what_was_beyond() {
        let all: Vec<_> =
            granted().iter().map(|(group, resource, verb)| event(verb, (group, resource, ""), 200)).collect();
        let line = usage(&all).to_string();
        let number = granted().len();
        assert_eq!(
            line,
            format!("rights: {number} granted, {number} used, unused: none, refused (403): none")
        );
        let some = usage(&[&all[1..], &[event("get", ("", "services", "proxy"), 200)]].concat()).to_string();
        assert!(some.contains(&format!("{} used, unused: create configmaps, refused", number - 1)), "{some}");
        assert!(some.ends_with(", granted by tests alone: get services/proxy"), "{some}");
    }
}
