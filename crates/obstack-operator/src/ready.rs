//! `obstack-operator ready`: asks a running operator whether it is ready. The image has no other HTTP client.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

/// Bound on each step of the question.
const PATIENCE: Duration = Duration::from_secs(5);
/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(200);
/// An answer is one line.
const LONGEST: u64 = 64 * 1024;

/// Why the operator is not known to be ready.
#[derive(Debug, Error)]
pub enum NotReady {
    /// The address is none that can be asked.
    #[error("{url} is not understood; give one such as http://obstack.obstack-system.svc:8080/readyz")]
    Url {
        /// What was given.
        url: String,
    },
    /// Nobody answers.
    #[error("{url} does not answer: {source}; look whether the operator's pods run")]
    Silent {
        /// What was asked.
        url: String,
        /// The reason given by the system.
        source: io::Error,
    },
    /// It says no.
    #[error("{url} says {code}: {said}")]
    Says {
        /// What was asked.
        url: String,
        /// The code of the answer; empty when it is not HTTP.
        code: String,
        /// What it says.
        said: String,
    },
}

/// Asks again and again until it is ready, for as long as that. The last answer counts.
pub fn wait(url: &str, patience: Duration) -> Result<String, NotReady> {
    let begin = Instant::now();
    loop {
        match ask(url) {
            Err(NotReady::Silent { .. } | NotReady::Says { .. }) if begin.elapsed() < patience => {
                thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// Asks, and gives what was said by one that is ready.
fn ask(url: &str) -> Result<String, NotReady> {
    let wrong = || NotReady::Url { url: url.to_owned() };
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, "readyz"));
    let has_port =
        host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    // A line break would begin a header of its own.
    if !has_port || url.contains(char::is_whitespace) {
        return Err(wrong());
    }
    let answer = exchange(host, path).map_err(|source| NotReady::Silent { url: url.to_owned(), source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code =
        head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let said = body.trim().to_owned();
    if code == "200" {
        return Ok(said);
    }
    Err(NotReady::Says { url: url.to_owned(), code: code.to_owned(), said })
}

fn exchange(host: &str, path: &str) -> io::Result<String> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
                stream.write_all(request.as_bytes())?;
                let mut answer = Vec::new();
                stream.take(LONGEST).read_to_end(&mut answer)?;
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request and gives the address with what was asked.
    fn door(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        (url, asked)
    }

    #[test]
    fn one_that_works_or_stands_by_is_ready() {
        let (url, asked) = door("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nworking\n");
        assert_eq!(ask(&url).unwrap(), "working");
        assert!(asked.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:"));
    }

    #[test]
    fn one_that_waits_says_for_what() {
        let (url, _asked) = door("HTTP/1.1 503 Service Unavailable\r\n\r\nwaiting: the CRD\n");
        assert_eq!(ask(&url).unwrap_err().to_string(), format!("{url} says 503: waiting: the CRD"));
    }

    #[test]
    fn one_that_is_waited_for_becomes_ready() {
        let (url, first) = door("HTTP/1.1 503 Service Unavailable\r\n\r\nwaiting: it has just started\n");
        let host = url.trim_start_matches("http://").trim_end_matches("/readyz").to_owned();
        let second = thread::spawn(move || {
            first.join().unwrap();
            let (mut stream, _) = TcpListener::bind(host).unwrap().accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nworking\n").unwrap();
        });
        assert_eq!(wait(&url, Duration::from_mins(1)).unwrap(), "working");
        second.join().unwrap();
        assert!(
            matches!(wait("a:1", Duration::from_mins(1)), Err(NotReady::Url { .. })),
            "that mends nothing"
        );
    }

    #[test]
    fn silence_and_nonsense_are_told_apart() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let silent = ask(&format!("http://{closed}/readyz"));
        assert!(matches!(silent, Err(NotReady::Silent { .. })), "{silent:?}");
        for url in ["https://a:1/readyz", "a:1", "http://a/readyz", "http://:1/", "http://a:1/x\r\ny: z"] {
            assert!(matches!(ask(url), Err(NotReady::Url { .. })), "{url}");
        }
    }
}
