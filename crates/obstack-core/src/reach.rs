//! Where a backend is asked, and what comes of it.

/// A Service of a stack, and the port that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Name of the Service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// Its port.
    pub port: u16,
}

impl Door {
    /// The door of a URL inside the cluster, `http://SERVICE.NAMESPACE.svc[:PORT][/PATH]`, and the path.
    pub fn of_url(url: &str) -> Option<(Self, String)> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => (name, port.parse().ok()?),
            None => (host, 80),
        };
        let (service, namespace) = name.strip_suffix(".svc")?.split_once('.')?;
        Some((Self { service: service.to_owned(), namespace: namespace.to_owned(), port }, path.to_owned()))
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The body; of an answer other than 2xx only its beginning.
    pub body: Vec<u8>,
}

/// Why there is no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable {
        /// In the words of the network.
        cause: String,
    },
    /// The API server does not let the operator ask (403).
    Forbidden,
    /// The answer is larger than what is read.
    TooLarge,
    /// The answer ended early.
    Truncated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_inside_the_cluster_is_a_door_and_a_path() {
        let door = |service: &str, port| Door { service: service.into(), namespace: "ns".into(), port };
        let check = |url, expect: Option<(Door, &str)>| {
            assert_eq!(Door::of_url(url), expect.map(|(door, path)| (door, path.to_owned())), "{url}");
        };
        check(
            "http://a-mimir-distributor.ns.svc:8080/otlp",
            Some((door("a-mimir-distributor", 8080), "/otlp")),
        );
        check("http://a-tempo.ns.svc:4318", Some((door("a-tempo", 4318), "")));
        check("http://a-mimir-gateway.ns.svc/otlp", Some((door("a-mimir-gateway", 80), "/otlp")));
        check("https://a.ns.svc", None);
        check("http://example.com/otlp", None);
        check("http://a.ns.svc:http/otlp", None);
    }
}
