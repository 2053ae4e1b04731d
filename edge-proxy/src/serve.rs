//! This file's job is to speak HTTP on one connection, with a limit on everything that a client could drag out.

use crate::body::Body;
use crate::pace::{Limits, Pace, Paced, Patience, Spent};
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::routes::{self, Answering};
use crate::state::State;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

/// The request line and all headers. Tokens and queries need less than 3 KiB. (The number of headers is bounded by hyper: 100.)
const HEADER_MAX_BYTES: usize = 16 * 1024;
/// The largest body is 64 KiB.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests of one HTTP/2 connection at once: an app downloads a few dozen files of a bundle together.
const STREAMS_MAX: u32 = 64;
/// What an HTTP/2 client may send ahead: the largest body.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Bounds what hyper reads ahead and holds back for a slow client.
const BUFFER_MAX_BYTES: usize = 64 * 1024;

/// Serves HTTP/1.1 until the client leaves, drags on, or `stop` becomes true; then the request that runs is finished first.
///
/// Most open connections have nothing to ask for a long time. After a while they are left with little but their stream: the buffers for heads
/// alone are 16 KiB.
pub(crate) async fn http_1<I>(state: &State, peer: &Peer, io: I, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pace = Arc::new(Pace::default());
    let mut patience = Patience::new(pace.clone(), limits(state));
    let mut io = Paced::new(io, pace.clone());
    loop {
        let answers = Answers { state, peer, pace: &pace };
        match Box::pin(http_1_until_quiet(answers, io, &mut patience, stop.clone())).await {
            Some(quiet) => io = quiet,
            None => return,
        }
        let meter = &state.meters.connections_quiet;
        meter.inc();
        let is_asked = is_asked(&mut io, &mut patience, stop.clone()).await;
        meter.dec();
        if !is_asked {
            return;
        }
    }
}

/// Waits for the next request of a quiet connection. False when there will be none.
async fn is_asked<I: AsyncRead + Unpin>(
    io: &mut Paced<I>,
    patience: &mut Patience,
    stop: watch::Receiver<bool>,
) -> bool {
    let mut stopped = pin!(is_true(stop));
    poll_fn(|cx| {
        if patience.poll_end(cx).is_ready() || stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        io.poll_first(cx)
    })
    .await
}

/// Returns the stream of a connection on which nothing has happened in a while.
async fn http_1_until_quiet<I>(
    answers: Answers<'_>,
    io: Paced<I>,
    patience: &mut Patience,
    stop: watch::Receiver<bool>,
) -> Option<Paced<I>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEADER_MAX_BYTES)
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(TokioIo::new(io), answers);
    match until_spent(Pin::new(&mut connection), patience, stop).await? {
        Spent::All => None,
        Spent::Quiet => {
            let parts = connection.into_parts();
            // Else the client has begun a request behind the last one, and has had the time for it.
            parts.read_buf.is_empty().then(|| parts.io.into_inner())
        }
    }
}

/// Serves HTTP/2, with the same limits.
pub(crate) async fn http_2<I>(state: Arc<State>, peer: Peer, io: I, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pace = Arc::new(Pace::of_frames());
    let io = TokioIo::new(Paced::new(io, pace.clone()));
    let mut patience = Patience::new(pace.clone(), limits(&state));
    let shared = Arc::new((state, peer, pace));
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move {
            let (state, peer, pace) = shared.as_ref();
            routes::answer(state, peer, pace, request).await
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_MAX_BYTES as u32)
        .max_send_buf_size(BUFFER_MAX_BYTES)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    while until_spent(connection.as_mut(), &mut patience, stop.clone()).await == Some(Spent::Quiet) {}
}

fn limits(state: &State) -> Limits {
    Limits::idle(Duration::from_secs(u64::from(state.config.idle_timeout_s)))
}

/// A connection that can be told to take no more requests.
trait Stoppable: Future {
    fn finish(self: Pin<&mut Self>);
}

impl<I: Read + Write + Unpin> Stoppable for http1::Connection<I, Answers<'_>> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Stoppable for http2::Connection<I, S, TokioExecutor>
where
    Self: Future,
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
    TokioExecutor: Http2ServerConnExec<S::Future, Body>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection until there is something to say about it; returns nothing when it is over.
async fn until_spent(
    mut connection: Pin<&mut impl Stoppable>,
    patience: &mut Patience,
    stop: watch::Receiver<bool>,
) -> Option<Spent> {
    let mut stopped = pin!(is_true(stop.clone()));
    let (mut watching, mut stopping) = (false, false);
    // What ends a connection early is the client's affair: it hung up, was too slow, or does not speak HTTP.
    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(spent) = patience.poll_spent(cx) {
                return Poll::Ready(Some(spent));
            }
            // Waiting for the word takes locks that all connections share; looking whether it came does not.
            let is_same = watching && matches!(stop.has_changed(), Ok(false));
            if stopping || is_same || stopped.as_mut().poll(cx).is_pending() {
                watching = true;
                return Poll::Pending;
            }
            stopping = true;
            connection.as_mut().finish();
        }
    })
    .await
}

/// Resolves when the value is true, or when nobody can make it true any more.
async fn is_true(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Answers the requests of one connection.
struct Answers<'a> {
    state: &'a State,
    peer: &'a Peer,
    pace: &'a Arc<Pace>,
}

impl<'a> Service<Request<Incoming>> for Answers<'a> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'a>;

    fn call(&self, request: Request<Incoming>) -> Answering<'a> {
        routes::answer(self.state, self.peer, self.pace, request)
    }
}

/// Reads a whole body within its size and time.
pub(crate) async fn read_body(body: Incoming, max_bytes: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(Refusal::too_large());
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, max_bytes).collect()).await {
        Err(_) => Err(Refusal::too_slow()),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
        Ok(Err(_)) => Err(Refusal::malformed("body-invalid", "the body cannot be read")),
    }
}
