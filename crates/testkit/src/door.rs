//! This file's job is to stand between a client and a server, and to stop the traffic when a test says so.

use crate::relay::{End, Relay};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How soon a change of the door is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A door: bytes pass both ways unchanged while it is open. While it is shut they wait, and so do new connections: the server is there
/// and says nothing, as one that hangs.
pub struct Door {
    relay: Relay,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_shut: AtomicBool,
    /// How often everything was lost; connections that are older than the last time are dead, and nobody is told.
    losses: AtomicU64,
}

impl Door {
    /// Puts an open door before a server, on a free port or on the given one.
    ///
    /// # Panics
    /// When the port cannot be had.
    #[must_use]
    pub fn before(server: &str, port: Option<u16>) -> Self {
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let relay = Relay::to(server, port, move |near, far, end| connect(near, far, &shared, end));
        Self { relay, state }
    }

    /// Returns where clients connect, for instance `127.0.0.1:41234`.
    #[must_use]
    pub fn address(&self) -> String {
        self.relay.address()
    }

    /// Lets nothing through any more.
    pub fn shut(&self) {
        self.state.is_shut.store(true, Ordering::SeqCst);
    }

    /// Lets nothing through any more, and never again on the connections that there are: they stay open, as when a network forgets them.
    pub fn lose(&self) {
        self.shut();
        self.state.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets everything through that has waited.
    pub fn open(&self) {
        self.state.is_shut.store(false, Ordering::SeqCst);
    }
}

fn connect(near: &TcpStream, far: &TcpStream, state: &Arc<State>, end: &End) {
    let losses = state.losses.load(Ordering::SeqCst);
    for (from, to) in [(near, far), (far, near)] {
        if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
            let (state, end) = (Arc::clone(state), end.clone());
            std::thread::spawn(move || pass(from, to, &state, losses, &end));
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State, losses: u64, end: &End) {
    let is_lost = || state.losses.load(Ordering::SeqCst) != losses;
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while state.is_shut.load(Ordering::SeqCst) && !end.is_here() {
            std::thread::sleep(LOOK_EVERY);
        }
        if end.is_here() || (!is_lost() && to.write_all(&buffer[..count]).is_err()) {
            break;
        }
    }
    while is_lost() && !end.is_here() {
        std::thread::sleep(LOOK_EVERY);
    }
    // One side is done: the other one hears of it. Errors mean that it knows.
    let _ = (to.shutdown(std::net::Shutdown::Both), from.shutdown(std::net::Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_shut_door_holds_bytes_back_and_loses_none() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::before(&server.local_addr().unwrap().to_string(), None);
        let mut near = TcpStream::connect(door.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        let mut byte = [0];
        near.write_all(b"1").unwrap();
        far.read_exact(&mut byte).unwrap();
        door.shut();
        near.write_all(b"2").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(far.read_exact(&mut byte).is_err());
        door.open();
        far.set_read_timeout(None).unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"2");
    }

    #[test]
    fn what_is_lost_stays_lost_and_nobody_is_told() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Door::before(&server.local_addr().unwrap().to_string(), None);
        let mut near = TcpStream::connect(door.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        let mut byte = [0];
        near.write_all(b"1").unwrap();
        far.read_exact(&mut byte).unwrap();
        door.lose();
        near.write_all(b"2").unwrap();
        drop(near);
        door.open();
        far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert_eq!(far.read(&mut byte).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let mut next = TcpStream::connect(door.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        next.write_all(b"3").unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"3");
    }
}
