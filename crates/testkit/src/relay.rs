//! This file's job is to take connections in place of a server, each with a connection to the server behind it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A port on loopback, for as long as this lives.
pub(crate) struct Relay {
    address: SocketAddr,
    end: End,
}

/// Says when the relay is gone.
#[derive(Clone, Default)]
pub(crate) struct End(Arc<AtomicBool>);

impl End {
    pub(crate) fn is_here(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Relay {
    /// Opens a free port or the given one. Each connection is joined with one to the server.
    ///
    /// # Panics
    /// When the port cannot be had.
    pub(crate) fn to(
        server: &str,
        port: Option<u16>,
        join: impl Fn(&TcpStream, &TcpStream, &End) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).expect("the port");
        let address = listener.local_addr().expect("its address");
        let end = End::default();
        let (server, seen) = (server.to_owned(), end.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if seen.is_here() {
                    return;
                }
                if let Ok(far) = TcpStream::connect(&server) {
                    join(&near, &far, &seen);
                }
            }
        });
        Self { address, end }
    }

    /// Returns where clients connect, for instance `127.0.0.1:41234`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.0.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections; an error means that it is gone.
        let _ = TcpStream::connect(self.address);
    }
}
