//! This file's job is to speak HTTP/1.1 on one connection, with a limit on everything that a client could drag out.

use crate::refusal::Refusal;
use crate::routes;
use crate::state::State;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

/// A request's head must be there in this time, also the next one on a connection that is kept: slow clients hold nothing for long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The request line and all headers. Tokens and queries need less than 3 KiB. (The number of headers is bounded by hyper: 100.)
const HEADER_MAX_BYTES: usize = 16 * 1024;
/// The largest body is 64 KiB.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes no byte in this time is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bounds what hyper reads ahead and holds back for a slow client.
const BUFFER_MAX_BYTES: usize = 64 * 1024;

/// Serves the connection until the client leaves or `stop` resolves; then the request that runs is finished first.
pub(crate) async fn connection<I>(state: Arc<State>, io: I, stop: impl Future<Output = ()>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(routes::answer(&state, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_header_size(HEADER_MAX_BYTES)
            .max_buf_size(BUFFER_MAX_BYTES)
            .serve_connection(TokioIo::new(Unstuck::new(io)), service)
    );
    // What ends a connection early is the client's affair: it hung up, was too slow, or does not speak HTTP.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = stop => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
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

/// A stream whose writes fail when none of them makes progress for [`WRITE_TIMEOUT`].
struct Unstuck<I> {
    io: I,
    /// Runs while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<I> Unstuck<I> {
    const fn new(io: I) -> Self {
        Self { io, patience: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.patience = None;
            return result;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        match patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Unstuck<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Unstuck<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(cx, result)
    }
}
