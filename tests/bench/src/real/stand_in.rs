//! What answers in place of simulated pods: their addresses lead to this process, which takes a write and answers a
//! query as Mimir does.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write as _,
    net::{Ipv4Addr, TcpListener as StdListener},
    os::fd::AsFd,
    path::PathBuf,
    process::Command,
};

use obstack_sandbox::Sandbox;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::error::{Error, Of};

/// Where Mimir listens.
const PORT: u16 = 8080;
/// The part of a sandbox that keeps its network.
const NETWORK: &str = "network";

/// As long as it lives, simulated pods answer.
pub struct StandIn {
    serving: JoinHandle<()>,
}

impl StandIn {
    /// Takes the place of pods with these addresses. Must be called inside a tokio runtime.
    pub fn begin(sandbox: &Sandbox, addresses: &BTreeSet<Ipv4Addr>) -> Result<Self, Error> {
        let networks: BTreeSet<Ipv4Addr> =
            addresses.iter().map(|address| Ipv4Addr::from(u32::from(*address) & !0xff)).collect();
        let parts = obstack_sandbox::status(&sandbox.dir)?.parts;
        let missing = || Error::Format {
            what: "the sandbox".to_owned(),
            reason: "it has no network of its own".to_owned(),
        };
        let keeper = parts.into_iter().find(|part| part.name == NETWORK).ok_or_else(missing)?;
        let network = PathBuf::from(format!("/proc/{}/ns/net", keeper.pid));
        // A socket stays in the network in which it was made, whoever uses it later.
        let inside = std::thread::spawn(move || listen_inside(&network, &networks));
        let listener = inside.join().map_err(|_| missing())??;
        let listener = TcpListener::from_std(listener).of(&PathBuf::from("0.0.0.0"))?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // Whoever asked sees that the connection is gone.
                    let _ = answer(stream).await;
                });
            }
        });
        Ok(Self { serving })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The thread that does this ends in the other network, so it must be one that ends.
fn listen_inside(network: &PathBuf, addresses: &BTreeSet<Ipv4Addr>) -> Result<StdListener, Error> {
    let there = File::open(network).of(network)?;
    move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(std::io::Error::from)
        .of(network)?;
    for address in addresses {
        let to = format!("{address}/24");
        let args = ["route", "replace", "local", &to, "dev", "lo"];
        let output = Command::new("ip").args(args).output().of(&PathBuf::from("ip"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Program { program: format!("ip {}", args.join(" ")), said });
        }
    }
    let here = PathBuf::from(format!("0.0.0.0:{PORT}"));
    let listener = StdListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).of(&here)?;
    listener.set_nonblocking(true).of(&here)?;
    Ok(listener)
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !is_complete(&request) {
        match stream.read(&mut part).await? {
            0 => return Ok(()),
            read => request.extend(part.iter().take(read)),
        }
    }
    let (status, body) = reply(&String::from_utf8_lossy(&request));
    let mut answer = Vec::new();
    write!(
        answer,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// Head and body are there.
fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

/// The canary's sample has the second of its own time as its value, so a query names the answer.
fn reply(request: &str) -> (&'static str, String) {
    let page = request.split(' ').nth(1).unwrap_or_default();
    if request.starts_with("POST ") && page.ends_with("/v1/metrics") {
        return ("200 OK", "{}".to_owned());
    }
    let time = page.split_once("time=").map(|(_, time)| time.split(['.', '&']).next().unwrap_or_default());
    match time.filter(|_| page.contains("/api/v1/query?")) {
        Some(second) => (
            "200 OK",
            format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{second},"{second}"]}}]}}}}"#
            ),
        ),
        None => ("404 Not Found", "{}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use obstack_api::Signal;
    use obstack_core::{
        canary::{Mark, answer},
        reach::Reply,
    };

    use super::*;

    #[test]
    fn the_canary_takes_the_answers_for_mimirs() {
        let mark = Mark::of("a", "b", std::time::Duration::from_millis(1_700_000_000_250));
        let (status, body) = reply(&format!("GET /prometheus{} HTTP/1.1\r\n\r\n", mark.metric_path()));
        assert_eq!(status, "200 OK");
        let answered = Ok(Reply { status: 200, body: body.into_bytes() });
        assert_eq!(answer::read_back(Signal::Metrics, &mark, &answered), answer::ReadBack::Found);
        assert_eq!(reply("POST /otlp/v1/metrics HTTP/1.1\r\n\r\n").0, "200 OK");
        assert_eq!(reply("GET /ingester/ring HTTP/1.1\r\n\r\n").0, "404 Not Found");
    }

    #[test]
    fn a_request_is_complete_with_its_body() {
        for (request, complete) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n", false),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", false),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", true),
        ] {
            assert_eq!(is_complete(request.as_bytes()), complete, "{request}");
        }
    }
}
