//! This file's job is to check who is cut off, and who is not.

use super::*;
use std::future::poll_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(50);
/// Many times as long: whoever has not been cut off by then will not be.
const LONG: Duration = Duration::from_secs(1);
/// As on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const PIPE_BYTES: usize = 1_024;

#[test]
fn slices_are_joined_in_their_order_if_all_of_them_fit() {
    let join_into = |slices: &[&[u8]], room: usize| {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        join(&slices, &mut vec![0; room]).map(<[u8]>::to_vec)
    };
    assert_eq!(join_into(&[b"head", b"", b"body"], 8).as_deref(), Some(&b"headbody"[..]));
    assert_eq!(join_into(&[b"head", b"body"], 7), None);
    assert_eq!(join_into(&[], 0).as_deref(), Some(&b""[..]));
}

fn paced(limits: Limits) -> (Arc<Pace>, Patience, Paced<DuplexStream>, DuplexStream) {
    paced_as(Pace::default(), limits)
}

fn paced_as(pace: Pace, limits: Limits) -> (Arc<Pace>, Patience, Paced<DuplexStream>, DuplexStream) {
    let pace = Arc::new(pace);
    let (ours, client) = duplex(PIPE_BYTES);
    (pace.clone(), Patience::new(pace.clone(), limits), Paced::new(ours, pace), client)
}

/// Writes until nothing more is taken, then waits for the end.
async fn fill(patience: &mut Patience, io: &mut Paced<DuplexStream>) {
    poll_fn(|cx| {
        while Pin::new(&mut *io).poll_write(cx, &[0; PIPE_BYTES]).is_ready() {}
        patience.poll_end(cx)
    })
    .await;
}

/// Everything may take longer than a test.
const ENDLESS: Limits = Limits { head: DEADLINE, idle: DEADLINE, write: DEADLINE, answer: DEADLINE };

async fn is_cut_off(patience: &mut Patience, within: Duration) -> bool {
    timeout(within, poll_fn(|cx| patience.poll_end(cx))).await.is_ok()
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_cut_off() {
    let (_pace, mut patience, _io, _client) = paced(Limits { head: SHORT, ..ENDLESS });
    assert!(is_cut_off(&mut patience, DEADLINE).await);
}

#[tokio::test]
async fn a_client_that_has_its_answer_may_be_silent_for_longer_but_not_for_ever() {
    for (idle, within, cut) in [(DEADLINE, LONG, false), (SHORT, DEADLINE, true)] {
        let (_pace, mut patience, mut io, _client) = paced(Limits { head: SHORT, idle, ..ENDLESS });
        io.write_all(b"an answer").await.unwrap();
        assert_eq!(is_cut_off(&mut patience, within).await, cut);
    }
}

#[tokio::test]
async fn a_quiet_connection_is_told_once_and_its_next_request_is_whole() {
    let (_pace, mut patience, mut io, mut client) = paced(Limits { head: SHORT, ..ENDLESS });
    for _ in 0..2 {
        io.write_all(b"an answer").await.unwrap();
        let spent = timeout(DEADLINE, poll_fn(|cx| patience.poll_spent(cx))).await.unwrap();
        assert_eq!(spent, Spent::Quiet);
        assert!(timeout(LONG, poll_fn(|cx| patience.poll_spent(cx))).await.is_err());
        client.write_all(b"GET").await.unwrap();
        assert!(timeout(DEADLINE, poll_fn(|cx| io.poll_first(cx))).await.unwrap());
        let mut request = [0; 3];
        io.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"GET");
    }
    // It has begun a request, so it is not quiet but slow.
    assert_eq!(timeout(DEADLINE, poll_fn(|cx| patience.poll_spent(cx))).await.unwrap(), Spent::All);
    drop(client);
    assert!(!timeout(DEADLINE, poll_fn(|cx| io.poll_first(cx))).await.unwrap());
}

#[tokio::test]
async fn a_client_that_begins_another_request_has_to_end_it() {
    let (_pace, mut patience, mut io, mut client) = paced(Limits { head: SHORT, ..ENDLESS });
    io.write_all(b"an answer").await.unwrap();
    assert!(!is_cut_off(&mut patience, LONG).await);
    client.write_all(b"GET").await.unwrap();
    io.read_exact(&mut [0; 3]).await.unwrap();
    assert!(is_cut_off(&mut patience, DEADLINE).await);
}

#[tokio::test]
async fn a_frame_after_the_answer_begins_no_request() {
    for (idle, within, cut) in [(DEADLINE, LONG, false), (SHORT, DEADLINE, true)] {
        let limits = Limits { head: SHORT, idle, ..ENDLESS };
        let (_pace, mut patience, mut io, mut client) = paced_as(Pace::of_frames(), limits);
        io.write_all(b"an answer").await.unwrap();
        client.write_all(b"WINDOW_UPDATE").await.unwrap();
        io.read_exact(&mut [0; 13]).await.unwrap();
        assert_eq!(is_cut_off(&mut patience, within).await, cut);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_even_while_an_answer_is_being_made() {
    let (pace, mut patience, mut io, _client) = paced(Limits { head: SHORT, write: SHORT, ..ENDLESS });
    let _busy = pace.busy();
    timeout(DEADLINE, fill(&mut patience, &mut io)).await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_nothing_has_the_longer_time() {
    let (_pace, mut patience, mut io, _client) = paced(Limits { head: SHORT, ..ENDLESS });
    assert!(timeout(LONG, fill(&mut patience, &mut io)).await.is_err());
}

#[tokio::test]
async fn a_client_that_waits_for_its_answer_is_not_cut_off_until_it_has_it() {
    let (pace, mut patience, _io, _client) = paced(Limits { head: SHORT, write: SHORT, ..ENDLESS });
    let busy = pace.busy();
    assert!(timeout(LONG, poll_fn(|cx| patience.poll_end(cx))).await.is_err());
    drop(busy);
    timeout(DEADLINE, poll_fn(|cx| patience.poll_end(cx))).await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_everything_late_has_the_usual_time_again() {
    let (_pace, mut patience, mut io, mut client) = paced(Limits { idle: SHORT, ..ENDLESS });
    assert!(timeout(LONG, fill(&mut patience, &mut io)).await.is_err());
    client.read_exact(&mut [0; PIPE_BYTES]).await.unwrap();
    io.write_all(b"the rest").await.unwrap();
    timeout(DEADLINE, poll_fn(|cx| patience.poll_end(cx))).await.unwrap();
}
