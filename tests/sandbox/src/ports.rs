//! Free ports on the loopback address, and the question whether something answers there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::credentials::random_bytes;
use crate::errors::Error;

/// Below the range from which the kernel takes the ports of outgoing connections, so that a port stays free
/// between the choice and its use, and low enough that a port plus [`GRPC_OFFSET`] is below it as well.
const FIRST: u16 = 12_000;
const LAST: u16 = 21_999;

/// `SeaweedFS` opens a second port, for gRPC, this far above each of its ports.
const GRPC_OFFSET: u16 = 10_000;

/// How many ports a sandbox takes.
const COUNT: usize = 10;

/// The ports of one sandbox, all on 127.0.0.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) apiserver: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
    pub(crate) kwok: u16,
    pub(crate) s3: u16,
    pub(crate) weed_master: u16,
    pub(crate) weed_volume: u16,
    pub(crate) weed_filer: u16,
}

impl Ports {
    /// Ports that nothing listens on now.
    pub(crate) fn choose() -> Result<Self, Error> {
        let mut free = free_ports()?.into_iter();
        let mut next = || free.next().ok_or(Error::NoPorts { from: FIRST, to: LAST });
        Ok(Self {
            etcd: next()?,
            etcd_peer: next()?,
            apiserver: next()?,
            controller_manager: next()?,
            scheduler: next()?,
            kwok: next()?,
            s3: next()?,
            weed_master: next()?,
            weed_volume: next()?,
            weed_filer: next()?,
        })
    }
}

/// Looks from a random place on, so that two sandboxes that start together do not pick the same ports.
fn free_ports() -> Result<Vec<u16>, Error> {
    let span = u32::from(LAST - FIRST) + 1;
    let start = u32::from_le_bytes(random_bytes()?) % span;
    let mut found = Vec::with_capacity(COUNT);
    for step in 0..span {
        let offset = u16::try_from((start + step) % span).unwrap_or(0);
        let port = FIRST + offset;
        if is_free(port) && is_free(port + GRPC_OFFSET) {
            found.push(port);
            if found.len() == COUNT {
                return Ok(found);
            }
        }
    }
    Err(Error::NoPorts { from: FIRST, to: LAST })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether something accepts connections on the port.
pub(crate) fn accepts(port: u16) -> Result<(), String> {
    connect(port).map(drop)
}

fn connect(port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1))
        .map_err(|error| format!("{address}: {error}"))
}

/// The status code of a plain HTTP GET.
pub(crate) fn http_status(port: u16, path: &str) -> Result<u16, String> {
    let mut stream = connect(port)?;
    let limit = Some(Duration::from_secs(2));
    let exchange = |stream: &mut TcpStream| -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut head = [0; 64];
        let read = stream.read(&mut head)?;
        Ok(head.iter().copied().take(read).collect())
    };
    let head = exchange(&mut stream).map_err(|error| format!("GET {path}: {error}"))?;
    status_of(&head).ok_or_else(|| format!("GET {path}: the answer is not HTTP"))
}

/// Expects status 200.
pub(crate) fn http_ok(port: u16, path: &str) -> Result<(), String> {
    match http_status(port, path)? {
        200 => Ok(()),
        status => Err(format!("GET {path}: status {status}")),
    }
}

fn status_of(head: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(head);
    let mut words = line.split_whitespace();
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_are_distinct_and_free() {
        let mut ports = free_ports().unwrap();
        assert_eq!(ports.len(), COUNT);
        assert!(ports.iter().all(|port| (FIRST..=LAST).contains(port) && is_free(*port)));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), COUNT);
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(!is_free(port));
        accepts(port).unwrap();
        drop(held);
        assert!(accepts(port).is_err());
    }

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status_of(b"SSH-2.0-x 200"), None);
        assert_eq!(status_of(b""), None);
    }
}
