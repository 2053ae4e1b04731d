//! This file's job is to cut off connections that drag on, with one timer for each connection.
//!
//! Hyper's own deadline for heads makes and drops a timer for every request, which costs more than parsing the request. Here a request costs
//! one reading of the clock: the timer is moved only when it fires.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the device port grants.
pub(crate) const LIMITS: Limits =
    Limits { head: Duration::from_secs(10), write: Duration::from_secs(30), answer: Duration::from_secs(120) };

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A request's head must be there in this time, also the next one on a connection that is kept: slow clients hold nothing for long.
    pub(crate) head: Duration,
    /// A client that takes no byte in this time is gone.
    pub(crate) write: Duration,
    /// Answers of which nothing was sent in this time will not be sent: whatever makes one has a shorter deadline. An HTTP/2 client that grants
    /// its streams no room looks like this.
    pub(crate) answer: Duration,
}

/// What a connection, its stream and its answers know about its progress. Only the connection's task changes it, so no order is needed.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Answers that are being made or streamed.
    busy: AtomicUsize,
    /// Bytes were sent since this was last asked.
    moved: AtomicBool,
    /// The client takes nothing.
    stuck: AtomicBool,
}

/// Lives as long as an answer is being made or streamed.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Pace>);

impl Pace {
    /// Notes that an answer takes time. Until the guard is gone, the client is not the one who is slow.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.moved.store(true, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says when the client has had its time.
pub(crate) struct Patience {
    pace: Arc<Pace>,
    limits: Limits,
    /// When the client last got or took something.
    since: Instant,
    was_stuck: bool,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    pub(crate) fn new(pace: Arc<Pace>, limits: Limits) -> Self {
        let since = Instant::now();
        Self { pace, limits, since, was_stuck: false, timer: Box::pin(sleep_until(since + limits.head)) }
    }

    /// Is ready when the connection must be cut off. To be called whenever the connection has nothing to do.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let stuck = self.pace.stuck.load(Ordering::Relaxed);
        if self.pace.moved.swap(false, Ordering::Relaxed) {
            self.since = Instant::now();
        }
        if stuck != self.was_stuck {
            self.was_stuck = stuck;
            self.since = Instant::now();
            self.timer.as_mut().reset(self.since + self.limits.head);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let busy = self.pace.busy.load(Ordering::Relaxed) > 0;
            let now = Instant::now();
            let end = match (stuck, busy) {
                (true, _) => self.since + self.limits.write,
                (false, true) => self.since + self.limits.answer,
                (false, false) => self.since + self.limits.head,
            };
            if end <= now {
                return Poll::Ready(());
            }
            // An answer may end before its time is over, and then the head's time counts.
            self.timer.as_mut().reset(end.min(now + self.limits.head));
        }
        Poll::Pending
    }
}

/// A stream that notes its progress.
pub(crate) struct Paced<I> {
    io: I,
    pace: Arc<Pace>,
}

impl<I> Paced<I> {
    pub(crate) const fn new(io: I, pace: Arc<Pace>) -> Self {
        Self { io, pace }
    }

    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        self.pace.stuck.store(result.is_pending(), Ordering::Relaxed);
        if result.is_ready() {
            self.pace.moved.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Paced<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Paced<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    // Hyper flushes also when there is nothing to send, so a flush that is done is no progress.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.pace.stuck.store(result.is_pending(), Ordering::Relaxed);
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_shutdown(cx);
        self.note(result)
    }
}

#[cfg(test)]
mod tests {
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

    fn paced(limits: Limits) -> (Arc<Pace>, Patience, Paced<DuplexStream>, DuplexStream) {
        let pace = Arc::new(Pace::default());
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

    #[tokio::test]
    async fn a_client_that_sends_no_request_is_cut_off_also_after_an_answer() {
        let limits = Limits { head: SHORT, write: LONG * 60, answer: LONG * 60 };
        let (_pace, mut patience, mut io, _client) = paced(limits);
        io.write_all(b"an answer").await.unwrap();
        timeout(DEADLINE, poll_fn(|cx| patience.poll_end(cx))).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut_off_even_while_an_answer_is_being_made() {
        let (pace, mut patience, mut io, _client) = paced(Limits { head: SHORT, write: SHORT, answer: LONG * 60 });
        let _busy = pace.busy();
        timeout(DEADLINE, fill(&mut patience, &mut io)).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_has_the_longer_time() {
        let (_pace, mut patience, mut io, _client) = paced(Limits { head: SHORT, write: DEADLINE, answer: DEADLINE });
        assert!(timeout(LONG, fill(&mut patience, &mut io)).await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_waits_for_its_answer_is_not_cut_off_until_it_has_it() {
        let (pace, mut patience, _io, _client) = paced(Limits { head: SHORT, write: SHORT, answer: LONG * 60 });
        let busy = pace.busy();
        assert!(timeout(LONG, poll_fn(|cx| patience.poll_end(cx))).await.is_err());
        drop(busy);
        timeout(DEADLINE, poll_fn(|cx| patience.poll_end(cx))).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_takes_everything_late_has_the_usual_time_again() {
        let (_pace, mut patience, mut io, mut client) =
            paced(Limits { head: SHORT, write: DEADLINE * 60, answer: DEADLINE });
        assert!(timeout(LONG, fill(&mut patience, &mut io)).await.is_err());
        client.read_exact(&mut [0; PIPE_BYTES]).await.unwrap();
        io.write_all(b"the rest").await.unwrap();
        timeout(DEADLINE, poll_fn(|cx| patience.poll_end(cx))).await.unwrap();
    }
}
