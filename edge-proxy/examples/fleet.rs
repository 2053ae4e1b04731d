//! This file's job is to be a fleet of devices for `./x bench fleet`: each asks as often as it is told, an hour of theirs in as little time as it
//! takes.
//!
//! It says a word at each stage and waits for a line before it goes on, so that whoever started it can look at the server meanwhile.
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed")]

use serde_json::Value;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::rc::Rc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// As in the other suites.
const CONNECTIONS: usize = 64;
const QUARTER_S: u32 = 900;
const QUARTERS: u32 = 4;
/// Devices are switched on over the time in which all of them ask once.
const FIRST_CHECKS_S: u32 = QUARTER_S;
/// As long as a real one; for servers that do not look at it.
const ANY_TOKEN: &str = "adt1.1.app_01k9zzzzzzzzzzzzzzzzzzzzzz.dev_01k9zzzzzzzzzzzzzzzzzzzzzz.1790000000.\
                         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct Fleet {
    port: u16,
    app: String,
    tokens: Vec<Box<str>>,
    unregistered: Range<usize>,
    /// Whether each runs the bundle that it was offered.
    is_updated: Vec<bool>,
    /// The bundle that is offered, once somebody has heard of it.
    offered: Option<String>,
    /// When who asks next, the earliest first.
    schedule: BinaryHeap<Reverse<(u32, usize)>>,
    checks: u64,
    offers: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, app, devices, tokens] = arguments.as_slice() else { panic!("usage: fleet PORT APP DEVICES tokens|any") };
    let (port, devices): (u16, usize) = (port.parse().unwrap(), devices.parse().unwrap());
    let fleet = Rc::new(RefCell::new(Fleet {
        port,
        app: app.clone(),
        tokens: vec![ANY_TOKEN.into(); devices],
        unregistered: 0..devices,
        is_updated: vec![false; devices],
        offered: None,
        schedule: (0..devices).map(|device| Reverse((first_check(device, devices), device))).collect(),
        checks: 0,
        offers: 0,
    }));
    if tokens == "tokens" {
        everywhere(&fleet, register).await;
    }
    stage("registered");
    for quarter in 1..=QUARTERS {
        everywhere(&fleet, move |fleet| check_until(fleet, quarter * QUARTER_S)).await;
        let (checks, offers) = (fleet.borrow().checks, fleet.borrow().offers);
        stage(&format!("{checks} {offers}"));
    }
}

fn first_check(device: usize, devices: usize) -> u32 {
    (device as u64 * u64::from(FIRST_CHECKS_S) / devices as u64) as u32
}

/// Says where it stands, and waits.
fn stage(word: &str) {
    println!("{word}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Runs the same on every connection.
async fn everywhere<F: Future<Output = ()> + 'static>(
    fleet: &Rc<RefCell<Fleet>>,
    run: impl Fn(Rc<RefCell<Fleet>>) -> F,
) {
    let connections = LocalSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn_local(run(fleet.clone()));
    }
    connections.await;
}

/// Registers devices until all are.
async fn register(fleet: Rc<RefCell<Fleet>>) {
    let mut line = Line::open(&fleet).await;
    let app = fleet.borrow().app.clone();
    loop {
        let Some(device) = fleet.borrow_mut().unregistered.next() else { return };
        let body = format!(
            r#"{{"app":"{app}","channel":"production","platform":"android","binary":"1.4.0","nonce":"{device:064x}"}}"#
        );
        let head = "POST /v1/devices/register HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer: Value = serde_json::from_slice(line.ask(&request).await).unwrap();
        fleet.borrow_mut().tokens[device] = answer["token"].as_str().unwrap().into();
    }
}

/// Lets devices check whose time is before the end.
async fn check_until(fleet: Rc<RefCell<Fleet>>, end_s: u32) {
    let mut line = Line::open(&fleet).await;
    loop {
        let Some((at_s, device, request)) = fleet.borrow_mut().take_next(end_s) else { return };
        let answer = line.ask(&request).await;
        fleet.borrow_mut().note(at_s, device, answer);
    }
}

impl Fleet {
    fn take_next(&mut self, end_s: u32) -> Option<(u32, usize, String)> {
        let &Reverse((at_s, device)) = self.schedule.peek()?;
        if at_s >= end_s {
            return None;
        }
        self.schedule.pop();
        let current = match &self.offered {
            Some(bundle) if self.is_updated[device] => format!("&current={bundle}"),
            _ => String::new(),
        };
        let request = format!(
            "GET /v1/updates?app={}&channel=production&platform=android&binary=1.4.0&formats=dcz{current} HTTP/1.1\r\n\
             Host: edge\r\nAuthorization: Bearer {}\r\n\r\n",
            self.app, self.tokens[device]
        );
        Some((at_s, device, request))
    }

    fn note(&mut self, at_s: u32, device: usize, answer: &[u8]) {
        self.checks += 1;
        let text = std::str::from_utf8(answer).unwrap();
        if text.starts_with(r#"{"action":"update""#) {
            self.offers += 1;
            self.is_updated[device] = true;
            if self.offered.is_none() {
                let answer: Value = serde_json::from_str(text).unwrap();
                self.offered = Some(answer["update"]["bundle"]["sha256"].as_str().unwrap().to_owned());
            }
        }
        self.schedule.push(Reverse((at_s + number_behind(text, r#""next_check_s":"#), device)));
    }
}

fn number_behind(text: &str, name: &str) -> u32 {
    let rest = &text[text.rfind(name).unwrap() + name.len()..];
    rest[..rest.find(|character: char| !character.is_ascii_digit()).unwrap()].parse().unwrap()
}

/// A connection that is kept.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    async fn open(fleet: &RefCell<Fleet>) -> Self {
        let port = fleet.borrow().port;
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Makes a request and returns the body of the answer, which must be a success.
    async fn ask(&mut self, request: &str) -> &[u8] {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        let head = loop {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the server hung up");
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head]).unwrap().to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 20"), "the server said {text}");
        let length = number_behind(&text, "content-length: ") as usize;
        while self.buffer.len() < head + length {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the answer broke off");
        }
        &self.buffer[head..]
    }
}
