//! A door in front of the object store, which a test can close.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Forwards connections to an endpoint while it is open.
pub struct Door {
    port: u16,
    open: Arc<AtomicBool>,
}

impl Door {
    /// An open door to an endpoint, which begins with `http://`.
    pub fn to(endpoint: &str) -> Self {
        let target = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let open = Arc::new(AtomicBool::new(true));
        let is_open = Arc::clone(&open);
        thread::spawn(move || {
            for incoming in listener.incoming().flatten() {
                if is_open.load(Ordering::SeqCst)
                    && let Ok(outgoing) = TcpStream::connect(&target)
                {
                    forward(&incoming, &outgoing, &is_open);
                }
            }
        });
        Self { port, open }
    }

    /// What clients connect to, by a name: addresses are left out of messages.
    pub fn endpoint(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Opens or closes it. A closed one also ends what is connected.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }
}

/// Copies both ways.
fn forward(incoming: &TcpStream, outgoing: &TcpStream, open: &Arc<AtomicBool>) {
    for (from, to) in [(incoming, outgoing), (outgoing, incoming)] {
        if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
            let open = Arc::clone(open);
            thread::spawn(move || copy(from, to, &open));
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, open: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(read) = from.read(&mut buffer) {
        let going = read > 0 && open.load(Ordering::SeqCst);
        if !going || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
