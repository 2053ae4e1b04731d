//! This file's job is to speak HTTP/1.1 on one connection, with a limit on everything that a client could drag out.

use crate::body::Body;
use crate::pace::{LIMITS, Pace, Paced, Patience};
use crate::refusal::Refusal;
use crate::routes::{self, Answering};
use crate::state::State;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
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
/// Bounds what hyper reads ahead and holds back for a slow client.
const BUFFER_MAX_BYTES: usize = 64 * 1024;

/// Serves the connection until the client leaves, drags on, or `stop` becomes true; then the request that runs is finished first.
pub(crate) async fn connection<I>(state: &State, io: I, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pace = Arc::new(Pace::default());
    let io = TokioIo::new(Paced::new(io, pace.clone()));
    let mut patience = Patience::new(pace.clone(), LIMITS);
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(HEADER_MAX_BYTES)
            .max_buf_size(BUFFER_MAX_BYTES)
            .serve_connection(io, Answers { state, pace: &pace })
    );
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
            connection.as_mut().graceful_shutdown();
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
    pace: &'a Arc<Pace>,
}

impl<'a> Service<Request<Incoming>> for Answers<'a> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'a>;

    fn call(&self, request: Request<Incoming>) -> Answering<'a> {
        routes::answer(self.state, self.pace, request)
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
