//! This file's job is to speak HTTP on one connection, with a limit on everything that a client could drag out.

use crate::body::Body;
use crate::pace::{Limits, Pace, Paced, Patience};
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
pub(crate) async fn http_1<I>(state: &State, peer: &Peer, io: I, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pace = Arc::new(Pace::default());
    let io = TokioIo::new(Paced::new(io, pace.clone()));
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEADER_MAX_BYTES)
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(io, Answers { state, peer, pace: &pace });
    until_end(connection, Patience::new(pace.clone(), limits(state)), stop).await;
}

/// Serves HTTP/2, with the same limits.
pub(crate) async fn http_2<I>(state: Arc<State>, peer: Peer, io: I, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pace = Arc::new(Pace::of_frames());
    let io = TokioIo::new(Paced::new(io, pace.clone()));
    let patience = Patience::new(pace.clone(), limits(&state));
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
    until_end(connection, patience, stop).await;
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

async fn until_end(connection: impl Stoppable, mut patience: Patience, stop: watch::Receiver<bool>) {
    let mut connection = pin!(connection);
    let mut stopped = pin!(is_true(stop.clone()));
    let (mut watching, mut stopping) = (false, false);
    // What ends a connection early is the client's affair: it hung up, was too slow, or does not speak HTTP.
    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() || patience.poll_end(cx).is_ready() {
                return Poll::Ready(());
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
    .await;
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
