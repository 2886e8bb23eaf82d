//! Whether images can be pulled on this machine.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The registry, as the names of the images have it.
pub(crate) const HOST: &str = "docker.io";

const LIMIT: Duration = Duration::from_secs(3);

/// Asks once. A name server that never answers is not waited for.
pub(crate) fn answers() -> bool {
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || {
        let connect = |address| TcpStream::connect_timeout(&address, LIMIT).is_ok();
        let found = (HOST, 443).to_socket_addrs().is_ok_and(|mut addresses| addresses.any(connect));
        // Nobody listens any more when it took too long.
        let _ = answer.send(found);
    });
    answers.recv_timeout(LIMIT).unwrap_or(false)
}
