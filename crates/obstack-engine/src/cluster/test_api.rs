//! An API server of a few lines: a closure answers each request.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// What a request is answered with.
pub(crate) struct Answer {
    code: u16,
    body: Value,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { code: 200, body }
    }

    pub(crate) fn failure(code: u16, reason: &str) -> Self {
        let body = json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason,
        });
        Self { code, body }
    }
}

/// A client whose requests are answered by method, path with query, and body.
pub(crate) fn api(answer: impl Fn(&str, &str, Value) -> Answer + Send + Sync + 'static) -> Client {
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = Arc::clone(&answer);
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.expect("a body in memory");
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let Answer { code, body } = answer(parts.method.as_str(), &path, body);
            let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            Ok::<_, Infallible>(response.expect("a response"))
        }
    });
    Client::new(service, "ns")
}
