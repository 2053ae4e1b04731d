//! This file's job is to send an edge requests that are no requests, and such as two servers read in two ways.

use crate::harness::{ANY_PORT, World, register, stored, updates};
use crate::process::EdgeProcess;
use crate::samples;
use futures::StreamExt as _;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::fault::{Dice, Guard, Harm, Round, repeat_counted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const REQUESTS: u64 = 1_000;
/// After so many, a good client asks.
const CANARY_EVERY: u64 = 50;
const AT_ONCE: usize = 16;
/// Whatever is answered comes long before; what is never answered waits for bytes that do not come.
const PATIENCE: Duration = Duration::from_millis(500);

/// Is answered only when the body of another request is taken for a request. Nothing else here has such an answer.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
const HIDDEN_ANSWER: &str = "path-unknown";
/// Ends the connection when all before it was understood.
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// What says where a body ends, so that some would find the hidden request in it and others behind it. `{n}` is the size of all that follows.
const FRAMES: [&str; 26] = [
    "content-length: {n}\r\ntransfer-encoding: chunked",
    "transfer-encoding: chunked\r\ncontent-length: {n}",
    "content-length: {n}\r\ntransfer-encoding: xchunked",
    "content-length: {n}\r\ntransfer-encoding: chunked, identity",
    "content-length: {n}\r\ntransfer-encoding: identity, chunked",
    "content-length: {n}\r\ntransfer-encoding: chunked, chunked",
    "content-length: {n}\r\ntransfer-encoding:\tchunked",
    "content-length: {n}\r\ntransfer-encoding: \x0bchunked",
    "content-length: {n}\r\ntransfer-encoding : chunked",
    "content-length: {n}\r\ntransfer-encoding:\r\n chunked",
    "content-length: {n}\r\ntransfer_encoding: chunked",
    "content-length: {n}\r\n transfer-encoding: chunked",
    "content-length: {n}\r\ntransfer-encoding: cow\r\ntransfer-encoding: chunked",
    "content-length: {n}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: cow",
    "content-length: {n}\r\nx: y\ntransfer-encoding: chunked",
    "content-length: 0\r\ncontent-length: {n}",
    "content-length: {n}\r\ncontent-length: 0",
    "content-length: 0, {n}",
    "content-length: +{n}",
    "content-length: 0x10",
    "content-length: {n} 0",
    "content-length: -1",
    "content-length: 99999999999999999999999",
    "content-length: {n}\r\nexpect: 100-continue",
    "content-length: {n}\r\nupgrade: h2c\r\nconnection: upgrade",
    "content-length: {n}",
];
const STARTS: [&str; 6] = [
    "POST /v1/events HTTP/1.1",
    "POST /v1/devices/register HTTP/1.1",
    "GET /healthz HTTP/1.1",
    "GET /v1/updates HTTP/1.1",
    "POST /v1/events HTTP/1.0",
    "HEAD /healthz HTTP/1.1",
];
/// How chunks end, and seem to.
const BODIES: [&str; 6] =
    ["0\r\n\r\n", "0\n\n", "00000000000000000\r\n\r\n", "0;x=\"\n\r\n\r\n", "0x0\r\n\r\n", "-0\r\n\r\n"];

/// Says clearly that the body ends before the hidden request.
const CLEAR: &str = "transfer-encoding: chunked";

/// A request with an unclear end. All of it, but for [`LAST`], is one request; unless the guard is broken, and its end is clear.
fn ambiguous(guard: Guard, dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice, from: &[&'static str]| from[dice.below(from.len() as u64) as usize];
    let body = format!("{}{HIDDEN}", pick(dice, &BODIES));
    let frame = if guard == Guard::Stands { pick(dice, &FRAMES) } else { CLEAR };
    let frame = frame.replace("{n}", &body.len().to_string());
    let mut head = format!("{}\r\nhost: x\r\n", pick(dice, &STARTS));
    for number in 0..dice.below(4) {
        head += &format!("x-{number}: {}\r\n", "y".repeat(dice.below(60) as usize));
    }
    let frame: String =
        frame.chars().map(|letter| if dice.below(4) == 0 { letter.to_ascii_uppercase() } else { letter }).collect();
    [head.as_bytes(), frame.as_bytes(), b"\r\n\r\n", body.as_bytes()].concat()
}

/// Changes some bytes of the request anywhere.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() as u64) as usize;
        match dice.below(4) {
            0 => bytes[at] = dice.below(256) as u8,
            1 => bytes.insert(at, dice.below(256) as u8),
            2 => drop(bytes.drain(at..(at + dice.below(8) as usize).min(bytes.len()))),
            _ => {
                let piece = bytes[at..(at + dice.below(40) as usize).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'\n');
        }
    }
}

fn count(within: &str, what: &str) -> u64 {
    within.matches(what).count() as u64
}

/// Sends the bytes in pieces and returns all that comes back.
async fn exchange(address: SocketAddr, bytes: Vec<u8>, cut: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The edge may close before it has read all; then what it said before is there to be read.
    for piece in [&bytes[..cut], &bytes[cut..]] {
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends one request and counts answers that there should not be.
async fn one(address: SocketAddr, guard: Guard, mut dice: Dice) -> u64 {
    let mut bytes = ambiguous(guard, &mut dice);
    let is_mutated = dice.below(2) == 0;
    if is_mutated {
        mutate(&mut bytes, &mut dice);
    }
    bytes.extend_from_slice(LAST.as_bytes());
    let sent = String::from_utf8_lossy(&bytes).into_owned();
    let answers = exchange(address, bytes.clone(), dice.below(bytes.len() as u64) as usize).await;
    // A changed request may rightly have another end; but more answers than requests can never be right.
    let wrong = if is_mutated {
        count(&answers, "HTTP/1.1 ").saturating_sub(count(&sent.to_ascii_uppercase(), "HTTP/1") + 1)
    } else {
        count(&answers, HIDDEN_ANSWER)
    };
    if wrong > 0 && guard == Guard::Stands {
        println!("{sent:?} was answered with {answers:?}");
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_crash_an_edge_or_are_answered_twice() {
    let guard = "the end of a request is unclear";
    repeat_counted("hostile requests", guard, async |guard, mut dice| {
        let world = World::new().await;
        let snapshot = stored(&world, 1, 1, &samples::noise(1_000, 1)).await;
        world.control_plane.publish(&snapshot).await;
        let server = world.control_plane.run(ANY_PORT).await;
        let (store, control_plane) =
            (world.store_folder.path().display().to_string(), format!("http://{}", server.address));
        let mut edge = EdgeProcess::new(world.data.path(), &store, &control_plane, ("", Guard::Stands));
        edge.start();
        let token = register(&edge.client, &snapshot).await;
        let bearer = format!("Bearer {token}");
        let canary = async || edge.client.get(&updates(&snapshot, ""), &[("authorization", &bearer)]).await;
        let mut expected = canary().await.json();
        let mut harm = Harm::default();
        for _ in 0..REQUESTS / CANARY_EVERY {
            let requests = futures::stream::iter(0..CANARY_EVERY).map(|_| {
                let seeded = Dice::new(dice.below(u64::MAX));
                one(edge.client.address, guard, seeded)
            });
            let wrong: Vec<u64> = requests.buffer_unordered(AT_ONCE).collect().await;
            harm.wrong += wrong.iter().sum::<u64>();
            let mut answer = canary().await.json();
            answer["next_check_s"] = expected["next_check_s"].take();
            expected["next_check_s"] = answer["next_check_s"].clone();
            harm.lost += u64::from(answer != expected);
        }
        harm.lost += u64::from(edge.process.log().contains("panicked"));
        Round { injected: REQUESTS, harm }
    })
    .await;
}
