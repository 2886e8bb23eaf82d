//! One page: asked by one of two ways, and read as far as it is worth it.

use std::{fmt, net::SocketAddr, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::HttpConnector as _,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::byte_stream::ByteStream;
use futures::AsyncReadExt as _;
use kube::{
    Client,
    api::{GetParams, Request},
};
use obstack_core::rings::{self, RingHealth, RingToAsk, Verdict, Why};

use crate::{client::explain, context::ClientHandle};

/// Longest time that one page may take, from connecting to its last byte.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of the largest page that is read: a ring of some 700 members with 512 tokens each.
pub const LARGEST_PAGE: usize = 4 << 20;

const JSON: &str = "application/json";
const OK: u16 = 200;
const FORBIDDEN: u16 = 403;

/// How the operator gets at the pages.
#[derive(Clone, Debug)]
pub enum Way {
    /// Plain HTTP to the Service, from inside the cluster.
    Service,
    /// Plain HTTP to one address in place of every Service: a port-forward, or a test.
    Address(SocketAddr),
    /// The API server's proxy. It needs the right to `get` services/proxy.
    Proxy(ClientHandle),
    /// Not at all.
    Off,
}

impl Way {
    /// Stacks that may be asked at the same time. Requests through the API server share the client's limit with the
    /// reconcile, so a few that hang must leave room.
    pub(super) fn parallel(&self) -> usize {
        match self {
            Self::Proxy(_) => 4,
            Self::Service | Self::Address(_) | Self::Off => 16,
        }
    }
}

/// Asks pages.
#[derive(Debug)]
pub(super) enum Asker {
    Plain { http: Connector, address: Option<SocketAddr> },
    Proxy(ClientHandle),
}

impl Asker {
    /// `None` when nobody is to be asked.
    pub(super) fn new(way: Way) -> Option<Self> {
        match way {
            Way::Service => Some(Self::Plain { http: connector(), address: None }),
            Way::Address(address) => Some(Self::Plain { http: connector(), address: Some(address) }),
            Way::Proxy(client) => Some(Self::Proxy(ClientHandle(heads(&client)))),
            Way::Off => None,
        }
    }

    pub(super) async fn ask(&self, page: &RingToAsk) -> RingHealth {
        let answer = match self {
            Self::Plain { http, address } => {
                tokio::time::timeout(REQUEST_DEADLINE, plain(http, &url(page, *address))).await
            }
            Self::Proxy(client) => tokio::time::timeout(REQUEST_DEADLINE, proxied(client, page)).await,
        };
        let why = match answer {
            Ok(Ok(body)) => return rings::read(page, &body),
            Ok(Err(why)) => why,
            Err(_) => Why::TimedOut,
        };
        RingHealth { asked: page.clone(), verdict: Verdict::Unknown(why) }
    }
}

fn url(page: &RingToAsk, address: Option<SocketAddr>) -> String {
    match address {
        Some(address) => format!("http://{address}{}", page.path),
        None => format!("http://{}.{}.svc:{}{}", page.service, page.namespace, page.port, page.path),
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

async fn plain(http: &Connector, url: &str) -> Result<Vec<u8>, Why> {
    let unreachable = |error: &(dyn std::error::Error + 'static)| Why::Unreachable { cause: explain(error) };
    let mut request = HttpRequest::get(url).map_err(|error| unreachable(&error))?;
    request.headers_mut().insert("accept", JSON);
    let response: HttpResponse = http.call(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    if status != OK {
        return Err(Why::Answered { status });
    }
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        body.extend_from_slice(&part.map_err(|_| Why::Truncated)?);
        if body.len() > LARGEST_PAGE {
            return Err(Why::TooLarge);
        }
    }
    Ok(body)
}

async fn proxied(client: &Client, page: &RingToAsk) -> Result<Vec<u8>, Why> {
    let services = format!("/api/v1/namespaces/{}/services", page.namespace);
    let proxy = format!("{}:{}/proxy{}", page.service, page.port, page.path);
    let unreachable = |error: kube::Error| match &error {
        kube::Error::Service(source) => match source.downcast_ref() {
            Some(Refusal(FORBIDDEN)) => Why::Forbidden,
            Some(Refusal(status)) => Why::Answered { status: *status },
            None => Why::Unreachable { cause: explain(&error) },
        },
        _ => Why::Unreachable { cause: explain(&error) },
    };
    let request = Request::new(services).get(&proxy, &GetParams::default());
    let mut request = request.map_err(|error| Why::Unreachable { cause: error.to_string() })?;
    if let Ok(json) = JSON.parse() {
        request.headers_mut().insert("accept", json);
    }
    request.extensions_mut().insert("get");
    let stream = client.request_stream(request).await.map_err(unreachable)?;
    let mut body = Vec::new();
    let limit = u64::try_from(LARGEST_PAGE).unwrap_or(u64::MAX).saturating_add(1);
    std::pin::pin!(stream.take(limit)).read_to_end(&mut body).await.map_err(|_| Why::Truncated)?;
    if body.len() > LARGEST_PAGE { Err(Why::TooLarge) } else { Ok(body) }
}

/// The same client, but whatever is not 200 is an error by its status alone: kube would read the body of a refusal to
/// its end, however long a pod behind the proxy makes it.
fn heads(client: &Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = tower::service_fn(move |request| {
        let client = client.clone();
        async move {
            let response = client.send(request).await?;
            match response.status().as_u16() {
                OK => Ok(response),
                status => Err(Box::<dyn std::error::Error + Send + Sync>::from(Refusal(status))),
            }
        }
    });
    Client::new(service, namespace)
}

/// An answer that is not 200.
#[derive(Debug)]
struct Refusal(u16);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.0)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use obstack_core::rings::Expected;

    use super::*;

    #[test]
    fn a_page_is_asked_at_its_service_in_the_stacks_namespace() {
        let page = RingToAsk {
            component: "metrics.ingester".into(),
            service: "dts-dev-mimir-distributor".into(),
            namespace: "ca7f8f-dev".into(),
            port: 8080,
            path: "/ingester/ring".into(),
            expected: Expected::Gossip(Vec::new()),
        };
        assert_eq!(url(&page, None), "http://dts-dev-mimir-distributor.ca7f8f-dev.svc:8080/ingester/ring");
        let forwarded = Some(SocketAddr::from(([127, 0, 0, 1], 1808)));
        assert_eq!(url(&page, forwarded), "http://127.0.0.1:1808/ingester/ring");
    }
}
