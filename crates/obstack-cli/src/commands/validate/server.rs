//! What the API server says: its dry run, with fields that it does not know refused.

use kube::{
    Resource,
    api::{PostParams, Request},
    core::{Status, response::StatusCause},
};
use obstack_api::ObservabilityStack;
use obstack_core::names::StackKey;
use obstack_engine::cluster::{ClusterError, bounded};
use serde_json::{Value, json};

use crate::{
    check::{Fault, Source},
    cluster::{Cluster, is_absent},
    error::Error,
    path::Path,
};

/// Metadata that the API server and controllers set.
const KEPT: &[&str] = &["resourceVersion", "uid", "finalizers", "ownerReferences"];

/// The stack as it is stored, every field of it.
pub(super) async fn stored(cluster: &Cluster, key: &StackKey) -> Result<Option<Value>, Error> {
    let what = || format!("get ObservabilityStack {key}");
    let request = requests(key).get(&key.name, &kube::api::GetParams::default());
    let request = request.map_err(|error| cannot(&what(), error))?;
    match bounded(what, cluster.client.request::<Value>(request)).await {
        Ok(stored) => Ok(Some(stored)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Adds what the API server finds and was not found before.
pub(super) async fn hold(
    cluster: &Cluster,
    key: &StackKey,
    document: &Value,
    stored: Option<&Value>,
    faults: &mut Vec<Fault>,
) -> Result<(), Error> {
    let what = || format!("try ObservabilityStack {key} out on the API server");
    let mut body = document.clone();
    let metadata = body.get_mut("metadata").and_then(Value::as_object_mut);
    let metadata = metadata.ok_or_else(|| cannot(&what(), "it has no metadata"))?;
    metadata.insert("namespace".to_owned(), json!(key.namespace));
    let params = PostParams { dry_run: true, field_manager: Some("obstack".to_owned()) };
    for field in KEPT {
        // What others keep there is no part of the change.
        match stored.and_then(|stored| stored.get("metadata")?.get(*field)) {
            Some(kept) => metadata.insert((*field).to_owned(), kept.clone()),
            None => metadata.remove(*field),
        };
    }
    let body = serde_json::to_vec(&body).map_err(|error| cannot(&what(), error))?;
    let request = match stored {
        None => requests(key).create(&params, body),
        Some(_) => requests(key).replace(&key.name, &params, body),
    };
    let mut request = request.map_err(|error| cannot(&what(), error))?;
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse().map_err(|error| cannot(&what(), error))?;
    match bounded(what, cluster.client.request::<Value>(request)).await {
        Ok(_) => Ok(()),
        Err(ClusterError::Api { source, .. }) if is_refusal(&source) => {
            if let kube::Error::Api(status) = *source {
                add(document, &status, faults);
            }
            Ok(())
        }
        Err(error) if error.code() == 404 => Err(Error::from(error)
            .fix(format!("see that namespace {} exists, or leave --server out", key.namespace))),
        Err(error) => Err(error.into()),
    }
}

/// The server looked at the object and will not have it. Rights and absence are no such answer.
fn is_refusal(error: &kube::Error) -> bool {
    let webhook = |status: &Status| status.code == 403 && status.message.contains("admission webhook");
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 409 | 422) || webhook(status))
}

fn requests(key: &StackKey) -> Request {
    Request::new(ObservabilityStack::url_path(&(), Some(&key.namespace)))
}

fn cannot(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {what}")).because(error)
}

/// The causes of a refusal by their fields. One that was found here before is not said twice.
fn add(document: &Value, status: &Status, faults: &mut Vec<Fault>) {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let mut found: Vec<_> = causes.iter().map(|cause| of_cause(document, cause)).collect();
    found.extend(unknown_fields(&status.message).map(|field| {
        let message = format!("unknown field \"{field}\"");
        Fault::new(Source::Server, "UnknownField", Path::read(field, document), message)
            .fix("remove it, or install the CustomResourceDefinition of this version first")
    }));
    if found.is_empty() {
        found.push(Fault::new(
            Source::Server,
            status.reason.clone(),
            Path::default(),
            status.message.clone(),
        ));
    }
    for fault in found {
        let said = |before: &Fault| {
            before.source != Source::Server
                && (fault.message.contains(&before.message)
                    || (before.path == fault.path && before.source != Source::Operator))
        };
        if !faults.iter().any(said) {
            faults.push(fault);
        }
    }
}

fn of_cause(document: &Value, cause: &StatusCause) -> Fault {
    let reason = cause.reason.trim_start_matches("FieldValue");
    Fault::new(Source::Server, reason, Path::read(&cause.field, document), cause.message.clone())
}

/// The fields of a `strict decoding error`.
fn unknown_fields(message: &str) -> impl Iterator<Item = &str> {
    let strict = message.contains("strict decoding error");
    let parts = message.split("unknown field \"").skip(1).filter(move |_| strict);
    parts.filter_map(|part| part.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(message: &str, causes: &[(&str, &str, &str)]) -> Status {
        let causes: Vec<_> = causes
            .iter()
            .map(|(field, reason, message)| json!({"field": field, "reason": reason, "message": message}))
            .collect();
        let status = json!({"message": message, "code": 422, "details": {"causes": causes}});
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn what_was_found_here_is_not_said_by_the_server_again() {
        let document = json!({"spec": {"traces": {"components": {"ingester": {}}}}});
        let rule = Fault::new(Source::Rule, "RuleRefused", Path::of(&["spec", "traces"]), "no such thing");
        let mut faults = vec![rule];
        let causes = [
            ("spec", "FieldValueInvalid", "Invalid value: \"object\": no such thing"),
            ("spec.traces.components[ingester].x", "FieldValueForbidden", "by a policy"),
        ];
        add(&document, &status("invalid", &causes), &mut faults);
        let said: Vec<_> =
            faults.iter().map(|fault| (fault.path.to_string(), fault.reason.as_str())).collect();
        assert_eq!(
            said,
            [
                ("spec.traces".to_owned(), "RuleRefused"),
                ("spec.traces.components.ingester.x".to_owned(), "Forbidden")
            ]
        );
    }

    #[test]
    fn fields_that_only_the_server_does_not_know_are_faults() {
        let mut faults = Vec::new();
        let message = "strict decoding error: unknown field \"spec.a\", unknown field \"spec.b.c\"";
        add(&json!({}), &status(message, &[]), &mut faults);
        let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["unknown field \"spec.a\"", "unknown field \"spec.b.c\""]);
    }

    #[test]
    fn a_refusal_without_causes_is_a_fault_of_the_whole() {
        let mut faults = Vec::new();
        add(&json!({}), &status("admission webhook \"x\" denied the request: no", &[]), &mut faults);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().contains("denied"), "{}", faults[0]);
    }
}
