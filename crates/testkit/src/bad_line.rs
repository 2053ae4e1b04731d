//! This file's job is to stand between an HTTP client and its server, and to spoil the answers when a test says so.

use crate::relay::Relay;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What is sent at once on a line that trickles, and the pause after it.
const DROP: (usize, Duration) = (1024, Duration::from_millis(1));
/// How heads, and answers without a body, end.
const HEAD_END: &[u8] = b"\r\n\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What the line does to answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Spoil {
    /// Nothing.
    Nothing,
    /// The server seems to be too busy: every request gets a 503.
    Refuse,
    /// A byte of each piece of a body is another one, each time differently. What ends as XML does, the service's own words, is left
    /// alone.
    Corrupt,
    /// Connections end in the middle of an answer.
    Cut,
    /// Bodies come in small pieces with pauses.
    Trickle,
}

impl Spoil {
    const ALL: [Self; 5] = [Self::Nothing, Self::Refuse, Self::Corrupt, Self::Cut, Self::Trickle];
}

/// A line on which bytes pass both ways, unchanged at first.
pub struct BadLine {
    relay: Relay,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    spoil: AtomicU8,
    spoiled: AtomicU64,
}

impl State {
    fn spoil(&self) -> Spoil {
        Spoil::ALL[usize::from(self.spoil.load(Ordering::SeqCst))]
    }

    fn count(&self) -> u64 {
        self.spoiled.fetch_add(1, Ordering::SeqCst)
    }
}

impl BadLine {
    /// Lays a line to a server.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn to(server: &str) -> Self {
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let relay = Relay::to(server, None, move |near, far, _| connect(near, far, &shared));
        Self { relay, state }
    }

    /// Returns where clients connect, for instance `127.0.0.1:41234`.
    #[must_use]
    pub fn address(&self) -> String {
        self.relay.address()
    }

    /// Spoils from now on, also what open connections bring.
    pub fn set(&self, spoil: Spoil) {
        self.state.spoil.store(spoil as u8, Ordering::SeqCst);
    }

    /// Returns how often something was spoiled.
    #[must_use]
    pub fn spoiled(&self) -> u64 {
        self.state.spoiled.load(Ordering::SeqCst)
    }
}

fn connect(near: &TcpStream, far: &TcpStream, state: &Arc<State>) {
    let (Ok(asking), Ok(asked)) = (near.try_clone(), far.try_clone()) else { return };
    let (Ok(answering), Ok(answered)) = (far.try_clone(), near.try_clone()) else { return };
    let shared = Arc::clone(state);
    std::thread::spawn(move || pass(asking, asked, |from, to, piece| request(&shared, from, to, piece)));
    let shared = Arc::clone(state);
    std::thread::spawn(move || pass(answering, answered, |_, to, piece| answer(&shared, to, piece)));
}

/// Passes pieces on until one side ends, or `step` says so.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    step: impl Fn(&mut TcpStream, &mut TcpStream, &mut [u8]) -> std::io::Result<bool>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !step(&mut from, &mut to, &mut buffer[..count]).unwrap_or(false) {
            break;
        }
    }
    // One side is done: the other one hears of it. Errors mean that it knows.
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

fn request(state: &State, from: &mut TcpStream, to: &mut TcpStream, piece: &mut [u8]) -> std::io::Result<bool> {
    if state.spoil() == Spoil::Refuse {
        state.count();
        from.write_all(BUSY)?;
        return Ok(false);
    }
    to.write_all(piece)?;
    Ok(true)
}

fn answer(state: &State, to: &mut TcpStream, piece: &mut [u8]) -> std::io::Result<bool> {
    match state.spoil() {
        Spoil::Corrupt if !piece.ends_with(HEAD_END) && !piece.ends_with(b">") => {
            let difference = 1 + (state.count() % 255) as u8;
            if let Some(last) = piece.last_mut() {
                *last ^= difference;
            }
            to.write_all(piece)?;
        }
        Spoil::Cut => {
            state.count();
            to.write_all(&piece[..piece.len() / 2])?;
            return Ok(false);
        }
        Spoil::Trickle => {
            state.count();
            for drop in piece.chunks(DROP.0) {
                to.write_all(drop)?;
                std::thread::sleep(DROP.1);
            }
        }
        Spoil::Nothing | Spoil::Refuse | Spoil::Corrupt => to.write_all(piece)?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Asks a server with one answer through the line.
    fn ask(spoil: Spoil) -> (Vec<u8>, u64) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = BadLine::to(&server.local_addr().unwrap().to_string());
        line.set(spoil);
        let mut near = TcpStream::connect(line.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        near.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut request = [0; 18];
        if far.read_exact(&mut request).is_ok() {
            far.write_all(b"HTTP/1.1 200 OK\r\n\r\nbody").unwrap();
        }
        drop(far);
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).unwrap();
        (answer, line.spoiled())
    }

    #[test]
    fn answers_are_spoiled_as_asked() {
        let sound = b"HTTP/1.1 200 OK\r\n\r\nbody".to_vec();
        assert_eq!(ask(Spoil::Nothing), (sound.clone(), 0));
        let (trickled, spoiled) = ask(Spoil::Trickle);
        assert!(trickled == sound && spoiled > 0);
        let (corrupt, spoiled) = ask(Spoil::Corrupt);
        assert!(corrupt.len() == sound.len() && corrupt != sound && spoiled > 0);
        assert!(ask(Spoil::Cut).0.len() < sound.len());
        assert_eq!(ask(Spoil::Refuse).0, BUSY);
    }
}
