//! The little of HTTP that the demo asks: one page, without TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const LARGEST: u64 = 4 << 20;

/// Gets a page. Returns the status and the body of the answer.
pub fn get(address: SocketAddr, page: &str, headers: &[(&str, &str)]) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // The answer to a request of 1.0 ends with the connection, and is in one piece.
    let mut request = format!("GET {page} HTTP/1.0\r\nHost: {address}\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    // In one piece: a server may answer and close before the rest of it is sent.
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LARGEST).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer has no status"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in ["HTTP/1.1 200 OK\r\n\r\nready\n", "HTTP/1.1 503 No\r\n\r\nwaiting\n", ""] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap();
                asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        assert_eq!(get(address, "/readyz", &[("x-a", "b")]).unwrap(), (200, "ready\n".into()));
        assert_eq!(get(address, "/readyz", &[]).unwrap(), (503, "waiting\n".into()));
        assert!(get(address, "/readyz", &[]).is_err());
        let asked = server.join().unwrap();
        assert!(asked[0].starts_with("GET /readyz HTTP/1.0\r\n") && asked[0].ends_with("\r\nx-a: b\r\n\r\n"));
        assert!(get(address, "/readyz", &[]).is_err());
    }
}
