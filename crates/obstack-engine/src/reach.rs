//! How the operator gets at the backends: one way for the rings and for the canary.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::HttpConnector as _,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use futures::AsyncReadExt as _;
use kube::{
    Client,
    api::{GetParams, Request},
};
use obstack_core::reach::{Door, Reply, Silence};
use serde_json::Value;

use crate::{client::explain, context::ClientHandle};

/// Bytes that are read of an answer other than 2xx: a few words.
const REFUSAL: usize = 2 << 10;

const JSON: &str = "application/json";
const FORBIDDEN: u16 = 403;

/// How the operator gets at the backends.
#[derive(Clone, Debug)]
pub enum Way {
    /// Plain HTTP to the Service, from inside the cluster.
    Service,
    /// Plain HTTP to one address in place of every Service: a port-forward, or a test.
    Address(SocketAddr),
    /// The API server's proxy. It needs the rights to `get` and, for the canary, to `create` services/proxy.
    Proxy(ClientHandle),
    /// Not at all.
    Off,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Where to.
    pub door: &'a Door,
    /// Path and query.
    pub path: &'a str,
    /// JSON to post; a GET when `None`.
    pub body: Option<&'a [u8]>,
    /// Most bytes that are read of a good answer.
    pub limit: usize,
    /// Longest time from connecting to the last byte.
    pub deadline: Duration,
}

/// Asks the backends.
#[derive(Debug)]
pub(crate) enum Reach {
    Plain { http: Connector, address: Option<SocketAddr> },
    Proxy(ClientHandle),
}

impl Reach {
    /// `None` when nobody is to be asked.
    pub(crate) fn new(way: Way) -> Option<Self> {
        match way {
            Way::Service => Some(Self::Plain { http: connector(), address: None }),
            Way::Address(address) => Some(Self::Plain { http: connector(), address: Some(address) }),
            Way::Proxy(client) => Some(Self::Proxy(ClientHandle(told_apart(&client)))),
            Way::Off => None,
        }
    }

    /// Requests go through the API server: they share the client's limit with the reconcile, so a few that hang must
    /// leave room.
    pub(crate) fn is_proxy(&self) -> bool {
        matches!(self, Self::Proxy(_))
    }

    /// The answer, whatever its status. No redirect is followed and nothing is repeated.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, Silence> {
        let answer = async {
            match self {
                Self::Plain { http, address } => plain(http, &url(ask, *address), ask).await,
                Self::Proxy(client) => proxied(client, ask).await,
            }
        };
        tokio::time::timeout(ask.deadline, answer).await.unwrap_or(Err(Silence::TimedOut))
    }
}

/// One request, for who has no more than one; `None` when nobody is to be asked.
pub async fn ask_once(way: Way, ask: &Ask<'_>) -> Option<Result<Reply, Silence>> {
    Some(Reach::new(way)?.ask(ask).await)
}

fn url(ask: &Ask<'_>, address: Option<SocketAddr>) -> String {
    let Door { service, namespace, port } = ask.door;
    match address {
        Some(address) => format!("http://{address}{}", ask.path),
        None => format!("http://{service}.{namespace}.svc:{port}{}", ask.path),
    }
}

/// Hyper's client as the S3 client has it. It follows no redirect and repeats nothing. Connections are not kept: with
/// a new one each look meets another of the Service's pods.
fn connector() -> Connector {
    let builder =
        Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).pool_max_idle_per_host(0);
    // Plain HTTP needs no roots.
    match TlsContext::builder().with_trust_store(TrustStore::empty()).build() {
        Ok(context) => builder.tls_context(context).build(),
        Err(_) => builder.build(),
    }
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

async fn plain(http: &Connector, url: &str, ask: &Ask<'_>) -> Result<Reply, Silence> {
    let unreachable =
        |error: &(dyn std::error::Error + 'static)| Silence::Unreachable { cause: explain(error) };
    let mut request = HttpRequest::get(url).map_err(|error| unreachable(&error))?;
    if let Some(body) = ask.body {
        request.set_method("POST").map_err(|error| unreachable(&error))?;
        *request.body_mut() = SdkBody::from(body);
        request.headers_mut().insert("content-type", JSON);
    }
    request.headers_mut().insert("accept", JSON);
    let response: HttpResponse = http.call(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let limit = if is_good(status) { ask.limit } else { REFUSAL };
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        match part {
            Ok(part) => body.extend_from_slice(&part),
            Err(_) if is_good(status) => return Err(Silence::Truncated),
            Err(_) => break,
        }
        if body.len() > limit {
            break;
        }
    }
    bounded(status, body, limit)
}

async fn proxied(client: &Client, ask: &Ask<'_>) -> Result<Reply, Silence> {
    let Door { service, namespace, port } = ask.door;
    let services = format!("/api/v1/namespaces/{namespace}/services");
    let proxy = format!("{service}:{port}/proxy{}", ask.path);
    let unreachable = |cause| Silence::Unreachable { cause };
    let (path, query) = proxy.split_once('?').unwrap_or((&proxy, ""));
    let request = Request::new(services).get(path, &GetParams::default());
    let mut request = request.map_err(|error| unreachable(error.to_string()))?;
    if !query.is_empty() {
        let uri = format!("{}?{query}", request.uri().path());
        *request.uri_mut() = uri.parse().map_err(|_| unreachable(format!("{uri} is no URL")))?;
    }
    let mut headers = vec![("accept", JSON)];
    let mut verb = "get";
    if let Some(body) = ask.body {
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = body.to_vec();
        headers.push(("content-type", JSON));
        verb = "create";
    }
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            request.headers_mut().insert(name, value);
        }
    }
    let seen = Status::default();
    request.extensions_mut().insert(verb);
    request.extensions_mut().insert(seen.clone());
    let stream = client.request_stream(request).await.map_err(|error| unreachable(explain(&error)))?;
    let status = seen.0.load(Ordering::Relaxed);
    let limit = if is_good(status) { ask.limit } else { REFUSAL };
    let mut body = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = std::pin::pin!(stream.take(most)).read_to_end(&mut body).await;
    if read.is_err() && is_good(status) {
        return Err(Silence::Truncated);
    }
    // A pod, or something on the way to it, may refuse as well: no right would help there.
    if status == FORBIDDEN && own_words(&body).is_some() {
        return Err(Silence::Forbidden);
    }
    match not_passed_on(status, &body) {
        Some(cause) => Err(unreachable(cause)),
        None => bounded(status, body, limit),
    }
}

fn bounded(status: u16, mut body: Vec<u8>, limit: usize) -> Result<Reply, Silence> {
    if body.len() > limit && is_good(status) {
        return Err(Silence::TooLarge);
    }
    body.truncate(limit);
    Ok(Reply { status, body })
}

/// What the API server itself says when it did not get through to the pods.
fn not_passed_on(status: u16, body: &[u8]) -> Option<String> {
    own_words(body).filter(|_| status >= 500)
}

/// What the API server itself says; `None` when it passed on what a pod says.
fn own_words(body: &[u8]) -> Option<String> {
    let said: Value = serde_json::from_slice(body).ok()?;
    (said.get("kind")? == "Status").then(|| said.get("message")?.as_str().map(str::to_owned))?
}

/// The status of an answer.
#[derive(Clone, Debug, Default)]
struct Status(Arc<AtomicU16>);

/// The same client, but every answer looks like 200, and its status is kept aside: kube would read the body of a
/// refusal to its end, however long a pod behind the proxy makes it.
fn told_apart(client: &Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let client = client.clone();
        async move {
            let seen = request.extensions().get::<Status>().cloned().unwrap_or_default();
            let mut response = client.send(request).await?;
            seen.0.store(response.status().as_u16(), Ordering::Relaxed);
            *response.status_mut() = http::StatusCode::OK;
            Ok::<_, kube::Error>(response)
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_at_its_service_in_the_stacks_namespace() {
        let door =
            Door { service: "dts-dev-mimir-distributor".into(), namespace: "ca7f8f-dev".into(), port: 8080 };
        let ask = Ask { door: &door, path: "/ingester/ring", body: None, limit: 0, deadline: Duration::ZERO };
        assert_eq!(url(&ask, None), "http://dts-dev-mimir-distributor.ca7f8f-dev.svc:8080/ingester/ring");
        let forwarded = Some(SocketAddr::from(([127, 0, 0, 1], 1808)));
        assert_eq!(url(&ask, forwarded), "http://127.0.0.1:1808/ingester/ring");
    }

    #[test]
    fn what_the_api_server_could_not_pass_on_is_no_answer_of_a_pod() {
        let said = br#"{"kind":"Status","status":"Failure","message":"no endpoints available for service \"a\"","code":503}"#;
        assert_eq!(not_passed_on(503, said).as_deref(), Some("no endpoints available for service \"a\""));
        assert_eq!(not_passed_on(404, said), None);
        assert_eq!(not_passed_on(503, b"the ring is empty"), None);
    }
}
