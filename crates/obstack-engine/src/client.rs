//! The connection to the API server. Every request has a deadline, and nothing is retried behind the caller's back.
//!
//! kube's own defaults have no read timeout, so that a request on a half-open connection waits for ever, and a retry
//! policy that can hold one call for minutes. Both are off here: the reconcile loop repeats, and says so.

use std::{error::Error, fmt, path::PathBuf, sync::Arc, time::Duration};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::{Service, limit::ConcurrencyLimitLayer, timeout::TimeoutLayer};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// From sending a request to the head of its answer. The body of a watch may take as long as it likes.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// Longest silence within an answer. Longer than a watch lasts on the server, which is under 300 s.
const READ_DEADLINE: Duration = Duration::from_secs(310);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Requests that wait for an answer at the same time. Open watches do not count.
const CONCURRENCY: usize = 64;
/// Each deadline of the client for leader election.
const LEASE_DEADLINE: Duration = Duration::from_secs(5);

/// Told about each request that was answered, or was not: the verb and, if there is one, the status code.
pub type OnAnswer = Arc<dyn Fn(&'static str, Option<u16>) + Send + Sync>;

/// Where to connect to, and who is told about requests.
#[derive(Clone, Default)]
pub struct ClientSettings {
    /// Context of the kubeconfig; its current one, or the pod's service account, when absent.
    pub context: Option<String>,
    /// The kubeconfig; those of `KUBECONFIG`, or the one at home, when absent.
    pub kubeconfig: Option<PathBuf>,
    /// Whom to act as, and in which groups.
    pub act_as: Option<(String, Vec<String>)>,
    /// Counts requests.
    pub on_answer: Option<OnAnswer>,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Why there is no client. None of these is about whether the API server answers.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor a service account was found.
    #[error("no kubeconfig and not in a pod: {0}")]
    NotConfigured(#[from] Box<InferConfigError>),
    /// The kubeconfig cannot be used with this context.
    #[error("context {context:?} of the kubeconfig: {source}")]
    Context {
        /// The context that was asked for.
        context: String,
        /// What is wrong.
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {}: {source}", path.display())]
    Kubeconfig {
        /// The file that was asked for.
        path: PathBuf,
        /// What is wrong.
        source: Box<KubeconfigError>,
    },
    /// The configuration was read and cannot be used, for example because of its certificates.
    #[error("client for {server}: {source}")]
    Unusable {
        /// Address of the API server.
        server: String,
        /// What is wrong.
        source: Box<kube::Error>,
    },
}

/// The client for everything but leader election: 10 s to the head of an answer, 64 requests at a time.
pub async fn connect(settings: &ClientSettings) -> Result<Client, ClientError> {
    let mut config = configuration(settings).await?;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    config.read_timeout = Some(READ_DEADLINE);
    config.write_timeout = Some(WRITE_DEADLINE);
    let server = config.cluster_url.to_string();
    let stack = ClientBuilder::try_from(config).map_err(|source| unusable(server, source))?;
    let client = stack
        .with_layer(&TimeoutLayer::new(ANSWER_DEADLINE))
        .with_layer(&ConcurrencyLimitLayer::new(CONCURRENCY))
        .build();
    Ok(observed(client, settings))
}

/// The client for leader election: 5 s for everything, no limit shared with other requests. Not for watches.
pub async fn connect_for_lease(settings: &ClientSettings) -> Result<Client, ClientError> {
    let mut config = configuration(settings).await?;
    config.connect_timeout = Some(LEASE_DEADLINE);
    config.read_timeout = Some(LEASE_DEADLINE);
    config.write_timeout = Some(LEASE_DEADLINE);
    let server = config.cluster_url.to_string();
    let stack = ClientBuilder::try_from(config).map_err(|source| unusable(server, source))?;
    Ok(observed(stack.with_layer(&TimeoutLayer::new(LEASE_DEADLINE)).build(), settings))
}

fn unusable(server: String, source: kube::Error) -> ClientError {
    ClientError::Unusable { server, source: Box::new(source) }
}

async fn configuration(settings: &ClientSettings) -> Result<Config, ClientError> {
    let mut config = chosen(settings).await?;
    if let Some((user, groups)) = &settings.act_as {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups = (!groups.is_empty()).then(|| groups.clone());
    }
    config.default_retry = false;
    // Without it the time that a pooled connection lay idle would count against the next answer.
    config.reset_reader_on_write = true;
    let agent = concat!("obstack/", env!("CARGO_PKG_VERSION"));
    if let (Ok(name), Ok(value)) = ("user-agent".try_into(), agent.try_into()) {
        config.headers.push((name, value));
    }
    Ok(config)
}

/// The configuration that was asked for, as it is written.
async fn chosen(settings: &ClientSettings) -> Result<Config, ClientError> {
    let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    match (&settings.kubeconfig, &settings.context) {
        (None, None) => Ok(Config::infer().await.map_err(Box::new)?),
        (None, Some(context)) => Config::from_kubeconfig(&options)
            .await
            .map_err(|source| ClientError::Context { context: context.clone(), source: Box::new(source) }),
        (Some(path), _) => {
            let failed = |source| ClientError::Kubeconfig { path: path.clone(), source: Box::new(source) };
            let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)
        }
    }
}

/// An error and what caused it, in one line. kube's and hyper's own texts leave the cause out, or print whole structures.
pub fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let answer = api_answer(error);
        // What the API server answered is the last cause there is.
        next = if answer.is_some() { None } else { error.source() };
        let said = answer.unwrap_or_else(|| error.to_string());
        // Some errors repeat their cause in their own text.
        if !text.contains(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
    }
    text
}

fn api_answer(error: &(dyn Error + 'static)) -> Option<String> {
    let boxed = || error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    match error.downcast_ref::<kube::Error>().or_else(boxed)? {
        kube::Error::Api(status) => Some(format!("{} {}: {}", status.code, status.reason, status.message)),
        _ => None,
    }
}

/// Passes every request on and tells `on_answer` what became of it.
fn observed(client: Client, settings: &ClientSettings) -> Client {
    let Some(on_answer) = settings.on_answer.clone() else { return client };
    let namespace = client.default_namespace().to_owned();
    let service = observing(
        move |request| {
            let client = client.clone();
            async move { client.send(request).await }
        },
        // kube leaves the verb with each request that it builds.
        |request| request.extensions().get::<&'static str>().copied().unwrap_or("other"),
        move |verb, answer| on_answer(verb, answer.map(|response| response.status().as_u16())),
    );
    Client::new(service, namespace)
}

/// Generic, because kube does not export the types of the requests and answers that pass here.
fn observing<Request, Response, Sending>(
    send: impl Fn(Request) -> Sending,
    verb: impl Fn(&Request) -> &'static str,
    tell: impl Fn(&'static str, Option<&Response>) + Clone + Send,
) -> impl Service<Request, Response = Response, Error = kube::Error, Future: Send>
where
    Sending: Future<Output = Result<Response, kube::Error>> + Send,
{
    tower::service_fn(move |request| {
        let (verb, tell, sending) = (verb(&request), tell.clone(), send(request));
        async move {
            let answer = sending.await;
            tell(verb, answer.as_ref().ok());
            answer
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("opaque")]
    struct Opaque(#[source] io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("telling: {0}")]
    struct Telling(#[source] Opaque);

    #[test]
    fn an_error_is_explained_by_its_causes_each_once() {
        let error = Telling(Opaque(io::Error::other("connection refused")));
        assert_eq!(explain(&error), "telling: opaque: connection refused");
    }

    #[test]
    fn an_answer_of_the_api_server_is_explained_by_its_code_and_message() {
        let status = Box::new(kube::core::Status::failure("leases is forbidden", "Forbidden").with_code(403));
        let error = Box::new(kube::Error::Api(status));
        assert_eq!(explain(error.as_ref()), "403 Forbidden: leases is forbidden");
        assert_eq!(explain(&error), "403 Forbidden: leases is forbidden");
    }
}
